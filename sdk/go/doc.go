// Package connector is the Go SDK for Railhead connectors.
//
// A connector joins the hub to one outside system: a core banking system (ams),
// a customer channel, a payment scheme, a notifier. It is a Go main package
// compiled to WebAssembly:
//
//	package main
//
//	import connector "github.com/railhead-hub/railhead/sdk/go"
//
//	func init() {
//		connector.Serve(connector.Connector{
//			Jobs: map[string]func(*connector.Context, *connector.Job) connector.Outcome{
//				"block-funds": blockFunds,
//			},
//		})
//	}
//
//	func main() {}
//
//	func blockFunds(c *connector.Context, job *connector.Job) connector.Outcome {
//		resp, err := c.HTTP(connector.HTTP{
//			Endpoint: "bank", Method: "POST", Path: "/holds",
//			Body:     connector.Vars{"amount": job.String("amount")}.JSON(),
//			Key:      "hold",
//			Terms:    &connector.Terms{Amount: job.String("amount"), Currency: job.String("currency")},
//		})
//		var doubt *connector.InDoubt
//		switch {
//		case errors.As(err, &doubt):
//			return connector.Doubtful("hold", doubt.Reason)
//		case err != nil:
//			return connector.Fail("BANK", err.Error()).Retry(5 * time.Second)
//		case resp.Status != 201:
//			return connector.Complete(connector.Vars{"transferPrepareFailed": true})
//		}
//		return connector.Complete(connector.Vars{"transferPrepareFailed": false})
//	}
//
// # Five minutes
//
// Beside main.go lies manifest.json (see sdk/manifest): the connector's name,
// version and kind, the jobs and routes it serves, the endpoints, secrets and
// keys it wants.
//
//	{
//	  "name": "my-bank", "version": "0.1.0", "kind": "ams",
//	  "jobs": [{"type": "block-funds", "money": true}],
//	  "endpoints": [{"name": "bank", "mode": "keyed"}],
//	  "secrets": ["bank_token"]
//	}
//
// In testdata/hold.txt, write what the hub gives and leave room for what the
// connector answers (testdata/README.md of a new connector has the format):
//
//	# The bank accepts the hold.
//	job block-funds
//	var amount "12.50"
//	var currency "TZS"
//	----
//
//	answer 201
//	----
//
// One test runs it natively and in the sandbox, and holds the connector to the
// rules of its kind. With RAILHEAD_REWRITE=1 it first fills in the answers; read
// them, because they are now the promise:
//
//	func TestConnector(t *testing.T) { conformance.Test(t, connector.Step, ".") }
//
// `railhead connector build DIR -o my-bank.wasm` makes the module, which is the
// whole connector; `railhead connector test` runs the vectors on any module.
//
// sdk/conformance/testdata/ledger is a complete small connector.
//
// # It only looks as if it blocks
//
// The host performs the effects, not the connector: c.HTTP and its siblings
// answer from the history of what has happened so far, and at the first effect
// without an answer the call unwinds out of the handler. Later the handler runs
// again from the beginning with one more answer. Hence the rules:
//
//   - A handler is a pure function of its arguments. Time comes from c.Now,
//     randomness from c.Rand, and nothing else differs between two runs. Ranging
//     over a Go map to decide what to ask for breaks this; so do package
//     variables that a handler changes.
//   - Deferred functions run once per step. Recovering around a call of c does not
//     stop the unwinding: the handler's result is then ignored.
//   - Context and Job are those of one step and are used again for the next; texts
//     and bytes that came from them may be kept.
//   - No goroutines, files or sockets: the sandbox has none to give.
//
// Broken rules are found out: the SDK compares each effect with the digest in
// the history and reports a mismatch instead of guessing.
//
// # Links
//
// A connector may have TCP links, which the manifest lists and the tenant binds to
// addresses; the host connects, listens, frames and comes back after a failure.
//
//	"links": [{"name": "network", "idle_ms": 60000, "framing":
//	  {"kind": "length", "length_bytes": 2, "length_encoding": "big"}}]
//
// [Link] says what the connector does about the frames that come. A job sends with
// [Context.RoundTrip], which waits for the frame that answers; with [Context.Forward],
// which is durable and goes on until the other side has acknowledged it; or with
// [Context.Send], which waits for nothing.
//
// # Errors of effects
//
// An effect that certainly did not happen returns *[Failure]. One that may or
// may not have happened returns *[InDoubt]: never treat it as failed. Enquire
// by its idempotency key, [Context.Settle] what you found out, or return
// [Doubtful] and let a person decide. A money effect that an earlier enquiry
// found done is in doubt as well, since its answer is lost: enquire again.
//
// # Testing
//
// The same code compiles natively, so a connector is tested with go test:
// [Step] runs one step in process, and sdk/conformance runs the vectors of
// testdata against it and against the compiled module.
//
// JSON: variables are built from [Vars] without reflection, which keeps a
// connector small and fast. Job.Decode, Response.Decode, Context.Config and
// [Value] use encoding/json; a connector that calls none of them does not
// contain it. Read the configuration through [PerConfig], which does it once.
package connector
