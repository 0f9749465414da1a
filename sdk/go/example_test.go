package connector_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/railhead-hub/railhead/sdk/abi"
	connector "github.com/railhead-hub/railhead/sdk/go"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// blockFunds holds money at a bank, in ordinary blocking code.
func blockFunds(c *connector.Context, job *connector.Job) connector.Outcome {
	resp, err := c.HTTP(connector.HTTP{
		Endpoint: "bank",
		Method:   "POST",
		Path:     "/holds",
		Body:     connector.Vars{"amount": job.String("amount")}.JSON(),
		Key:      "hold",
		Terms:    &connector.Terms{Amount: job.String("amount"), Currency: "TZS"},
	})
	var doubt *connector.InDoubt
	switch {
	case errors.As(err, &doubt):
		return connector.Doubtful("hold", doubt.Reason)
	case err != nil:
		return connector.Fail("BANK", err.Error()).Retry(5 * time.Second)
	}
	return connector.Complete(connector.Vars{"transferPrepareFailed": resp.Status != 201})
}

func init() {
	connector.Serve(connector.Connector{
		Jobs: map[string]func(*connector.Context, *connector.Job) connector.Outcome{
			"block-funds": blockFunds,
			"probe":       probe,
		},
		Routes: map[string]func(*connector.Context, *connector.Request) connector.Reply{
			"echo": echo,
		},
	})
}

// A handler runs from the beginning in every step: first it stops at the call,
// then, with the call's answer in the history, it runs on to its outcome.
func Example() {
	request := &sdkv1.StepRequest{
		Trigger: &sdkv1.Trigger{Kind: &sdkv1.Trigger_Job{Job: &sdkv1.Job{
			Type:      "block-funds",
			Variables: []*sdkv1.Variable{{Name: "amount", Json: []byte(`"12.50"`)}},
		}}},
	}

	effect := runStep(request).Effects[0]
	fmt.Println(effect.GetHttp().Method, effect.GetHttp().Path, string(effect.GetHttp().Body))

	request.History = append(request.History, &sdkv1.Entry{
		Ordinal: effect.Ordinal,
		Digest:  abi.EffectDigest(effect),
		Answer:  &sdkv1.Answer{Kind: &sdkv1.Answer_Http{Http: &sdkv1.HttpAnswer{Status: 201}}},
	})
	variable := runStep(request).Outcome.GetComplete().Variables[0]
	fmt.Println(variable.Name, string(variable.Json))

	// Output:
	// POST /holds {"amount":"12.50"}
	// transferPrepareFailed false
}

func ExampleVars_JSON() {
	fmt.Println(string(connector.Vars{
		"partyIdInfo": connector.Vars{"partyIdType": "MSISDN", "partyIdentifier": "255700000001"},
		"accepted":    true,
	}.JSON()))
	// Output: {"accepted":true,"partyIdInfo":{"partyIdType":"MSISDN","partyIdentifier":"255700000001"}}
}

func runStep(request *sdkv1.StepRequest) *sdkv1.StepReply {
	encoded, err := request.MarshalVTStrict()
	if err != nil {
		panic(err)
	}
	reply := new(sdkv1.StepReply)
	if err := reply.UnmarshalVT(connector.Step(encoded)); err != nil {
		panic(err)
	}
	return reply
}
