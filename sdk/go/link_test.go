package connector

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/railhead-hub/railhead/sdk/abi"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// network answers requests that begin with a question mark, signs on, and tests the
// line.
var network = &Connector{
	Links: map[string]Link{"network": {
		Key: func(_ *Context, data []byte) string {
			if answer, is := bytes.CutPrefix(data, []byte("!")); is {
				return string(answer[:2])
			}
			return ""
		},
		Frame: func(c *Context, f *Frame) [][]byte {
			switch {
			case f.Event == LinkOpened:
				return [][]byte{[]byte("sign on"), {}}
			case f.Event == LinkIdle:
				return [][]byte{[]byte("echo")}
			case f.Data[0] == '?':
				n, err := c.Sequence("answers")
				if err != nil {
					return nil
				}
				return [][]byte{fmt.Appendf(nil, "!%s %d", f.Data[1:], n)}
			}
			return nil
		},
	}},
	Jobs: map[string]func(*Context, *Job) Outcome{"ask": func(c *Context, _ *Job) Outcome {
		answer, err := c.RoundTrip(RoundTrip{Link: "network", Data: []byte("?01"), MatchKey: "01"})
		if doubt, is := errors.AsType[*InDoubt](err); is {
			return Doubtful("ask", doubt.Reason)
		}
		if err != nil {
			return Fail("NETWORK", err.Error())
		}
		return Complete(Vars{"answer": string(answer)})
	}},
}

func oneStep(t *testing.T, c *Connector, request *sdkv1.StepRequest) *sdkv1.StepReply {
	t.Helper()
	encoded, err := request.MarshalVTStrict()
	if err != nil {
		t.Fatal(err)
	}
	got := step(c, new(Context), string(encoded), nil)
	reply := new(sdkv1.StepReply)
	if err := reply.UnmarshalVT(got); err != nil {
		t.Fatal(err)
	}
	if want, err := reply.MarshalVTStrict(); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%q is not canonical: %v", got, err)
	}
	return reply
}

func TestFrames(t *testing.T) {
	for _, c := range []struct {
		frame *sdkv1.Frame
		want  string
	}{
		{&sdkv1.Frame{Link: "network", Event: sdkv1.LinkEvent_LINK_EVENT_OPENED}, "[sign on ]"},
		{&sdkv1.Frame{Link: "network", Event: sdkv1.LinkEvent_LINK_EVENT_IDLE}, "[echo]"},
		{&sdkv1.Frame{Link: "network", Data: []byte("what?")}, "[]"},
		{&sdkv1.Frame{Link: "other", Data: []byte("?")}, "[]"},
	} {
		reply := oneStep(t, network, &sdkv1.StepRequest{Trigger: &sdkv1.Trigger{Kind: &sdkv1.Trigger_Frame{Frame: c.frame}}})
		if got := fmt.Sprintf("%s", reply.Outcome.GetFrames().GetFrames()); reply.Outcome.GetFrames() == nil || got != c.want {
			t.Errorf("%v: %v, want %s", c.frame, reply, c.want)
		}
	}
	request := &sdkv1.StepRequest{Trigger: &sdkv1.Trigger{Kind: &sdkv1.Trigger_Frame{Frame: &sdkv1.Frame{Link: "network", Data: []byte("?07")}}}}
	effect := oneStep(t, network, request).Effects[0]
	request.History = []*sdkv1.Entry{{Ordinal: 1, Digest: abi.EffectDigest(effect), Answer: &sdkv1.Answer{
		Kind: &sdkv1.Answer_Sequence{Sequence: &sdkv1.SequenceAnswer{Value: 9}},
	}}}
	if frames := oneStep(t, network, request).Outcome.GetFrames().GetFrames(); len(frames) != 1 || string(frames[0]) != "!07 9" {
		t.Errorf("the answer is %q", frames)
	}
}

func TestFrameKeys(t *testing.T) {
	for data, want := range map[string]string{"!07 9": "07", "?07": "", "": ""} {
		reply := oneStep(t, network, &sdkv1.StepRequest{Trigger: &sdkv1.Trigger{
			Kind: &sdkv1.Trigger_FrameKey{FrameKey: &sdkv1.FrameKey{Link: "network", Data: []byte(data)}},
		}})
		if reply.Outcome.GetMatchKey() == nil || reply.Outcome.GetMatchKey().Key != want {
			t.Errorf("%q: %v, want %q", data, reply, want)
		}
	}
}

func TestRoundTripAnswers(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer *sdkv1.Answer
		want   string
	}{
		{"an answer", &sdkv1.Answer{Kind: &sdkv1.Answer_Bytes{Bytes: &sdkv1.BytesAnswer{Data: []byte("!01")}}}, `complete "!01"`},
		{"an empty one", &sdkv1.Answer{Kind: &sdkv1.Answer_Bytes{Bytes: &sdkv1.BytesAnswer{}}}, `complete ""`},
		{"silence", &sdkv1.Answer{Kind: &sdkv1.Answer_InDoubt{InDoubt: &sdkv1.InDoubt{Reason: "silence"}}}, "doubt silence"},
		{"one that is lost", &sdkv1.Answer{}, "doubt " + answerLost},
		{"no link", &sdkv1.Answer{Kind: &sdkv1.Answer_Failure{Failure: &sdkv1.Failure{Code: Unreachable, Text: "closed"}}}, "fail UNREACHABLE: closed"},
	} {
		request := &sdkv1.StepRequest{Trigger: &sdkv1.Trigger{Kind: &sdkv1.Trigger_Job{Job: &sdkv1.Job{Type: "ask"}}}}
		effect := oneStep(t, network, request).Effects[0]
		request.History = []*sdkv1.Entry{{Ordinal: 1, Digest: abi.EffectDigest(effect), Answer: c.answer}}
		out := oneStep(t, network, request).Outcome
		got := ""
		switch {
		case out.GetComplete() != nil:
			got = "complete " + string(out.GetComplete().Variables[0].Json)
		case out.GetDoubt() != nil:
			got = "doubt " + out.GetDoubt().Reason
		case out.GetFail() != nil:
			got = "fail " + out.GetFail().Reason
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
