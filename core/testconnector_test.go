package core

import (
	"context"
	"crypto/sha256"
	"errors"
	"strings"
	"time"

	connectorhost "github.com/railhead-hub/railhead/core/connector"
	connector "github.com/railhead-hub/railhead/sdk/go"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// The test connector is written with the Go SDK and runs natively: the same code
// path as a module's but for the sandbox.
func init() {
	connector.Serve(connector.Connector{
		Jobs: map[string]func(*connector.Context, *connector.Job) connector.Outcome{
			"book-funds-{tenant}": bookFunds,
			"nothing-{tenant}": func(*connector.Context, *connector.Job) connector.Outcome {
				return connector.Complete(nil)
			},
		},
		Routes: map[string]func(*connector.Context, *connector.Request) connector.Reply{
			"start":  startRoute,
			"status": statusRoute,
			"panic":  func(*connector.Context, *connector.Request) connector.Reply { panic("no") },
			"money": func(c *connector.Context, _ *connector.Request) connector.Reply {
				_, err := c.HTTP(connector.HTTP{Endpoint: "ledger", Method: "POST", Path: "/bookings"})
				return failureReply(err)
			},
		},
	})
}

var testManifest = &sdkv1.Manifest{
	Name: "test", Version: "1.0.0", Kind: "channel",
	Jobs: []*sdkv1.JobType{{Type: "book-funds-{tenant}", Money: true}, {Type: "nothing-{tenant}"}},
	Routes: []*sdkv1.Route{
		{Name: "start", Method: "POST", Path: "/payments", TenantHeader: "Platform-TenantId", BodyMax: 1000},
		{Name: "status", Method: "GET", Path: "/payments/{id}", TenantHeader: "Fsp", TenantAlias: "fsp_id"},
		{Name: "panic", Method: "POST", Path: "/panic", TenantHeader: "Platform-TenantId"},
		{Name: "money", Method: "POST", Path: "/money", TenantHeader: "Platform-TenantId"},
	},
	Endpoints: []*sdkv1.Endpoint{{Name: "ledger", Mode: "keyed"}},
}

func bookFunds(c *connector.Context, job *connector.Job) connector.Outcome {
	_, err := c.HTTP(connector.HTTP{
		Endpoint: "ledger", Method: "POST", Path: "/bookings", Key: "book",
		Body:  []byte(job.String("transactionId")),
		Terms: &connector.Terms{Amount: job.String("amount"), Currency: "USD"},
	})
	if doubt, ok := errors.AsType[*connector.InDoubt](err); ok {
		return connector.Doubtful("book", doubt.Reason)
	}
	if err != nil {
		return connector.Fail("BANK", err.Error()).Retry(time.Second)
	}
	return connector.Complete(connector.Vars{"booked": true})
}

func startRoute(c *connector.Context, r *connector.Request) connector.Reply {
	digest := sha256.Sum256(r.Body)
	started, err := c.StartPayment(connector.StartPayment{
		Flow: r.Header("X-Flow"), ClientKey: r.Header("X-CorrelationID"), RequestDigest: digest[:],
		Variables: connector.Vars{"amount": "10.00"}, UUIDVariable: "transactionId",
	})
	if err != nil {
		return failureReply(err)
	}
	return connector.JSON(202, map[string]any{"transactionId": started.Payment})
}

func statusRoute(c *connector.Context, r *connector.Request) connector.Reply {
	p, err := c.AwaitResult(r.Param("id"), 10*time.Second)
	if err != nil {
		return failureReply(err)
	}
	if !p.Found {
		return connector.Reply{Status: 404}
	}
	return connector.JSON(200, map[string]any{"state": p.State, "result": p.Result, "code": p.Code})
}

func failureReply(err error) connector.Reply {
	if failure, ok := errors.AsType[*connector.Failure](err); ok {
		status := 422
		if failure.Code == connector.Conflict {
			status = 409
		}
		return connector.JSON(status, map[string]any{"code": failure.Code})
	}
	return connector.Reply{Status: 500}
}

// native is the test connector as a node loads it.
type native struct{}

func loadNative(_ context.Context, module []byte) (connectorhost.Stepper, error) {
	if text, ok := strings.CutPrefix(string(module), "version "); ok {
		return newVersion(text), nil
	}
	return native{}, nil
}

func (native) Manifest() *sdkv1.Manifest   { return testManifest }
func (native) Close(context.Context) error { return nil }

func (native) Step(_ context.Context, _ string, request *sdkv1.StepRequest) (*sdkv1.StepReply, error) {
	encoded, err := request.MarshalVTStrict()
	if err != nil {
		return nil, err
	}
	reply := new(sdkv1.StepReply)
	return reply, reply.UnmarshalVT(connector.Step(encoded))
}
