package connector

import (
	"bytes"
	"testing"

	"github.com/railhead-hub/railhead/sdk/abi"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// keeper uses every key effect once, nightly.
var keeper = &Connector{Schedules: map[string]func(*Context, *Job) Outcome{"nightly": func(c *Context, j *Job) Outcome {
	signature, err := c.Sign("jws", "PS256", []byte("data"))
	if err != nil {
		return Fail("KEYS", err.Error())
	}
	ok, err := c.Verify("jws", "PS256", []byte("data"), signature)
	if err != nil || !ok {
		return Fail("KEYS", "it does not verify")
	}
	mac, err := c.MAC("mac", "AES-CMAC", nil)
	if err != nil {
		return Fail("KEYS", err.Error())
	}
	sealed, err := c.Encrypt("box", "A256GCM", mac, []byte("context"))
	if err != nil {
		return Fail("KEYS", err.Error())
	}
	token, err := c.Tokenize("pan", string(sealed))
	if err != nil {
		return Fail("KEYS", err.Error())
	}
	value, err := c.Detokenize(token)
	if err != nil {
		return Fail("KEYS", err.Error())
	}
	return Complete(Vars{"token": token, "same": value == string(sealed), "payment": j.Payment})
}}}

func TestKeyEffects(t *testing.T) {
	bytesAnswer := func(s string) *sdkv1.Answer {
		return &sdkv1.Answer{Kind: &sdkv1.Answer_Bytes{Bytes: &sdkv1.BytesAnswer{Data: []byte(s)}}}
	}
	text := func(s string) *sdkv1.Answer {
		return &sdkv1.Answer{Kind: &sdkv1.Answer_Text{Text: &sdkv1.TextAnswer{Text: s}}}
	}
	request := &sdkv1.StepRequest{Trigger: &sdkv1.Trigger{TimeMs: 1, Tenant: "t", Kind: &sdkv1.Trigger_Schedule{Schedule: &sdkv1.Schedule{
		Name: "nightly", Job: &sdkv1.Job{Payment: "p"}}}}}
	for i, row := range []struct {
		effect *sdkv1.Effect
		answer *sdkv1.Answer
	}{
		{&sdkv1.Effect{Kind: &sdkv1.Effect_Sign{Sign: &sdkv1.Sign{KeyRef: "jws", Algorithm: "PS256", Data: []byte("data")}}}, bytesAnswer("sig")},
		{&sdkv1.Effect{Kind: &sdkv1.Effect_Verify{Verify: &sdkv1.Verify{KeyRef: "jws", Algorithm: "PS256", Data: []byte("data"), Signature: []byte("sig")}}},
			&sdkv1.Answer{Kind: &sdkv1.Answer_Bool{Bool: &sdkv1.BoolAnswer{Ok: true}}}},
		{&sdkv1.Effect{Kind: &sdkv1.Effect_Mac{Mac: &sdkv1.Mac{KeyRef: "mac", Algorithm: "AES-CMAC"}}}, bytesAnswer("tag")},
		{&sdkv1.Effect{Kind: &sdkv1.Effect_Encrypt{Encrypt: &sdkv1.Encrypt{KeyRef: "box", Algorithm: "A256GCM", Data: []byte("tag"), Additional: []byte("context")}}}, bytesAnswer("sealed")},
		{&sdkv1.Effect{Kind: &sdkv1.Effect_Tokenize{Tokenize: &sdkv1.Tokenize{Kind: "pan", Value: "sealed"}}}, text("tok_pan_x")},
		{&sdkv1.Effect{Kind: &sdkv1.Effect_Detokenize{Detokenize: &sdkv1.Detokenize{Token: "tok_pan_x"}}}, text("sealed")},
	} {
		row.effect.Ordinal = uint32(i + 1)
		reply := oneStep(t, keeper, request)
		if len(reply.Effects) != 1 {
			t.Fatalf("%v", reply)
		}
		got, _ := reply.Effects[0].MarshalVTStrict()
		if want, _ := row.effect.MarshalVTStrict(); !bytes.Equal(got, want) {
			t.Fatalf("effect %d is %q, want %q", i+1, got, want)
		}
		request.History = append(request.History, &sdkv1.Entry{Ordinal: uint32(i + 1), Digest: abi.EffectDigest(row.effect), TimeMs: 2, Answer: row.answer})
	}
	reply := oneStep(t, keeper, request)
	vars := map[string]string{}
	for _, v := range reply.Outcome.GetComplete().GetVariables() {
		vars[v.Name] = string(v.Json)
	}
	if vars["token"] != `"tok_pan_x"` || vars["same"] != "true" || vars["payment"] != `"p"` {
		t.Errorf("%v", vars)
	}
}

func TestKeyFailures(t *testing.T) {
	request := &sdkv1.StepRequest{Trigger: &sdkv1.Trigger{Kind: &sdkv1.Trigger_Schedule{Schedule: &sdkv1.Schedule{Name: "nightly", Job: &sdkv1.Job{}}}}}
	effect := oneStep(t, keeper, request).Effects[0]
	request.History = []*sdkv1.Entry{{Ordinal: 1, Digest: abi.EffectDigest(effect), Answer: &sdkv1.Answer{
		Kind: &sdkv1.Answer_Failure{Failure: &sdkv1.Failure{Code: NotFound, Text: "not bound"}}}}}
	if fail := oneStep(t, keeper, request).Outcome.GetFail(); fail.GetReason() != "NOT_FOUND: not bound" {
		t.Errorf("%v", fail)
	}
	request.Trigger.GetSchedule().Name, request.History = "weekly", nil
	if fail := oneStep(t, keeper, request).Outcome.GetFail(); fail.GetCode() != "UNKNOWN_SCHEDULE" {
		t.Errorf("%v", fail)
	}
}
