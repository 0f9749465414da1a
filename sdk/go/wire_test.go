package connector

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/railhead-hub/railhead/sdk/abi"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// The generated code of sdk/v1 is the twin that the hand-written codec is held
// against.

// FuzzDecode: what both read is the same.
func FuzzDecode(f *testing.F) {
	for _, request := range []*sdkv1.StepRequest{
		{},
		{Trigger: &sdkv1.Trigger{Kind: &sdkv1.Trigger_Frame{Frame: &sdkv1.Frame{Link: "l"}}}},
		{Config: []byte(`{}`), Seed: []byte("seed"), State: []byte("state"),
			Trigger: &sdkv1.Trigger{TimeMs: -1, Tenant: "greenbank", Kind: &sdkv1.Trigger_Job{Job: &sdkv1.Job{
				Type: "hold", Payment: "p", Attempt: 1 << 31, Retries: 200, Element: "e", Flow: "f", PaymentStartedMs: 1 << 41,
				Variables: []*sdkv1.Variable{{Name: "a", Json: []byte(`"` + strings.Repeat("x", 300) + `"`)}, {}, {Name: "b"}},
				Headers:   []*sdkv1.Header{{Key: "k", Value: "v"}, {Key: "k", Value: "second"}},
				Prior:     []*sdkv1.PriorEffect{{Key: "hold", IdempotencyKey: "uuid"}},
			}}},
			History: []*sdkv1.Entry{
				{Ordinal: 1, Digest: 1 << 63, TimeMs: 5, Answer: &sdkv1.Answer{Kind: &sdkv1.Answer_Done{Done: &sdkv1.Done{}}}},
				{Ordinal: 2}, {}, {}, {}, {},
			}},
		{Trigger: &sdkv1.Trigger{Kind: &sdkv1.Trigger_Http{Http: &sdkv1.HttpRequest{
			Route: "r", Method: "PUT", Path: "/p", Body: []byte("body"),
			PathParams: []*sdkv1.Header{{Key: "id", Value: "7"}}, Query: []*sdkv1.Header{{Key: "q", Value: "a b"}},
			Headers: []*sdkv1.Header{{Key: "x-id", Value: "h"}},
		}}}},
	} {
		encoded, err := request.MarshalVTStrict()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(encoded)
		f.Add(append(encoded, encoded...)) // which merges
	}
	f.Fuzz(func(t *testing.T, encoded []byte) {
		want := new(sdkv1.StepRequest)
		errWant := want.UnmarshalVT(encoded)
		var c Context
		var request *Request
		kind, trigger := 0, ""
		read := reads(func() {
			if kind, trigger = c.decode(string(encoded)); kind == triggerJob {
				c.job.decode(c.rooms, trigger)
				c.job.decodeVariables()
			} else if kind == triggerHTTP {
				request = c.request(trigger)
			}
		})
		if errWant != nil || !read {
			return // each is stricter than the other about something that no host writes
		}
		same(t, "config", c.config, string(want.Config))
		same(t, "seed", c.seed, string(want.Seed))
		same(t, "state", c.state, string(want.State))
		same(t, "tenant", c.tenant, want.GetTrigger().GetTenant())
		same(t, "entries", len(c.history), len(want.History))
		for i, e := range c.history {
			w := want.History[i]
			same(t, "ordinal", e.ordinal, w.GetOrdinal())
			same(t, "digest", e.digest, w.GetDigest())
			same(t, "time", e.timeMs, w.GetTimeMs())
		}
		if c.next == 0 {
			same(t, "now", c.now, want.GetTrigger().GetTimeMs())
		}
		same(t, "is a job", kind == triggerJob, want.GetTrigger().GetJob() != nil)
		same(t, "is a request", kind == triggerHTTP, want.GetTrigger().GetHttp() != nil)
		if job := want.GetTrigger().GetJob(); job != nil {
			same(t, "type", c.job.Type, job.Type)
			same(t, "payment", c.job.Payment, job.Payment)
			same(t, "attempt", c.job.Attempt, int(job.Attempt))
			same(t, "retries", c.job.Retries, int(job.Retries))
			same(t, "element", c.job.Element, job.Element)
			same(t, "flow", c.job.Flow, job.Flow)
			same(t, "started", c.job.PaymentStarted, time.UnixMilli(job.PaymentStartedMs).UTC())
			same(t, "variables", len(c.job.variables), len(job.Variables))
			for i, v := range c.job.variables {
				same(t, "name", c.job.encoded[v.name:v.nameEnd], job.Variables[i].GetName())
				same(t, "json", c.job.encoded[v.json:v.jsonEnd], string(job.Variables[i].GetJson()))
			}
			same(t, "prior", len(c.job.Prior), len(job.Prior))
			for i, p := range c.job.Prior {
				same(t, "prior", p, Prior{job.Prior[i].GetKey(), job.Prior[i].GetIdempotencyKey()})
			}
			sameHeaders(t, c.job.Header, job.Headers)
		}
		if r := want.GetTrigger().GetHttp(); r != nil {
			same(t, "route", request.Route, r.Route)
			same(t, "method", request.Method, r.Method)
			same(t, "path", request.Path, r.Path)
			same(t, "body", string(request.Body), string(r.Body))
			sameHeaders(t, request.Param, r.PathParams)
			sameHeaders(t, request.Query, r.Query)
		}
	})
}

// reads reports whether f came to its end, and not to a malformed.
func reads(f func()) (read bool) {
	defer func() {
		if p := recover(); p != nil {
			_ = p.(malformed)
		}
	}()
	f()
	return true
}

func same[V comparable](t *testing.T, what string, got, want V) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

func sameHeaders(t *testing.T, get func(string) string, want []*sdkv1.Header) {
	t.Helper()
	seen := map[string]bool{}
	for _, h := range want {
		if !seen[h.GetKey()] {
			seen[h.GetKey()] = true
			same(t, "header "+h.GetKey(), get(h.GetKey()), h.GetValue())
		}
	}
	same(t, "no header", get("there is none of this name"), "")
}

// What a handler can say is in the canonical encoding, at lengths around those
// where a length takes one byte more.
func TestRepliesAreCanonical(t *testing.T) {
	variables := Vars{"b": 1, "a": "text", "": nil}
	for _, n := range []int{0, 1, 60, 110, 126, 127, 128, 129, 16_200, 16_383, 16_384, 16_385, 2_100_000} {
		long := strings.Repeat("x", n)
		variables["long"] = long
		for what, say := range map[string]func(*Context) Outcome{
			"http": func(c *Context) Outcome {
				_, _ = c.HTTP(HTTP{Endpoint: "bank", Method: "POST", Path: "/", Headers: map[string]string{"b": "2", "a": "1"},
					Body: []byte(long), Key: "hold", Terms: &Terms{Amount: "1", Currency: "TZS", Debtor: "d", Creditor: long}, Timeout: time.Second})
				return Outcome{}
			},
			"http, empty terms": func(c *Context) Outcome { _, _ = c.HTTP(HTTP{Path: long, Terms: &Terms{}}); return Outcome{} },
			"start": func(c *Context) Outcome {
				_, _ = c.StartPayment(StartPayment{Flow: "f", ClientKey: "k", RequestDigest: []byte(long), Variables: variables, UUIDVariable: "u"})
				return Outcome{}
			},
			"publish": func(c *Context) Outcome {
				_ = c.Publish(Message{Name: "m", Key: "k", ID: "i", TTL: -time.Hour, Variables: variables})
				return Outcome{}
			},
			"await": func(c *Context) Outcome { _, _ = c.AwaitResult(long, time.Second); return Outcome{} },
			"query": func(c *Context) Outcome {
				_, _ = c.Query(Query{Payment: "p", ClientKey: "k", Variables: []string{"a", "", long}})
				return Outcome{}
			},
			"sleep":      func(c *Context) Outcome { _ = c.Sleep(time.Hour); return Outcome{} },
			"sequence":   func(c *Context) Outcome { _, _ = c.Sequence(long); return Outcome{} },
			"emit":       func(c *Context) Outcome { _ = c.Emit("e", variables); return Outcome{} },
			"checkpoint": func(c *Context) Outcome { _ = c.Checkpoint([]byte(long)); return Outcome{} },
			"round trip": func(c *Context) Outcome {
				_, _ = c.RoundTrip(RoundTrip{Link: "network", Data: []byte(long), MatchKey: "m", Timeout: time.Second, Key: "authorize",
					Terms: &Terms{Amount: "1", Currency: "TZS"}})
				return Outcome{}
			},
			"send": func(c *Context) Outcome { _ = c.Send("network", []byte(long)); return Outcome{} },
			"forward": func(c *Context) Outcome {
				_ = c.Forward(Forward{Link: "network", Key: "m", Data: []byte(long), Until: time.UnixMilli(1 << 41)})
				return Outcome{}
			},
			"complete": func(c *Context) Outcome { c.Settle("hold", true); c.Settle(long, false); return Complete(variables) },
			"fail":     func(*Context) Outcome { return Fail("CODE", long).Retry(time.Minute) },
			"error":    func(*Context) Outcome { return BpmnError("CODE", long).With(variables) },
			"doubtful": func(*Context) Outcome { return Doubtful("hold", long) },
			"reply": func(*Context) Outcome {
				return Reply{Status: 201, Headers: map[string]string{"b": "2", "a": "1"}, Body: []byte(long)}.outcome()
			},
			"panic": func(*Context) Outcome { panic(long) },
		} {
			jobs := &Connector{Jobs: map[string]func(*Context, *Job) Outcome{"": func(c *Context, _ *Job) Outcome { return say(c) }}}
			trigger := &sdkv1.Trigger{Kind: &sdkv1.Trigger_Job{Job: &sdkv1.Job{}}}
			ask := func(history ...*sdkv1.Entry) *sdkv1.StepReply {
				request, err := (&sdkv1.StepRequest{Trigger: trigger, History: history}).MarshalVTStrict()
				if err != nil {
					t.Fatal(err)
				}
				got := step(jobs, new(Context), string(request), nil)
				reply := new(sdkv1.StepReply)
				if err := reply.UnmarshalVT(got); err != nil {
					t.Fatalf("%s, %d: %v", what, n, err)
				}
				if want, err := reply.MarshalVTStrict(); err != nil || !bytes.Equal(got, want) {
					t.Fatalf("%s, %d: %v\ngot  %.200q\nwant %.200q", what, n, err, got, want)
				}
				return reply
			}
			reply := ask()
			if len(reply.Effects) == 0 {
				continue
			}
			effect := reply.Effects[0]
			entry := &sdkv1.Entry{Ordinal: 1, Digest: abi.EffectDigest(effect), Answer: &sdkv1.Answer{Kind: &sdkv1.Answer_Done{Done: &sdkv1.Done{}}}}
			if reply = ask(entry); reply.Outcome.GetFail().GetCode() != "NO_OUTCOME" {
				t.Fatalf("%s, %d: the digest is another: %v", what, n, reply)
			}
			entry.Digest++
			if reply = ask(entry); reply.Mismatch.GetGot() != entry.Digest-1 || !sameEffect(t, reply.Mismatch.Effect, effect) {
				t.Fatalf("%s, %d: got %v, want a mismatch", what, n, reply)
			}
		}
	}
}

func sameEffect(t *testing.T, a, b *sdkv1.Effect) bool {
	t.Helper()
	encodedA, errA := a.MarshalVTStrict()
	encodedB, errB := b.MarshalVTStrict()
	return errA == nil && errB == nil && bytes.Equal(encodedA, encodedB)
}
