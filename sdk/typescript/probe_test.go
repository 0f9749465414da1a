package typescript_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/railhead-hub/railhead/sdk/abi"
	"github.com/railhead-hub/railhead/sdk/conformance"
	"github.com/railhead-hub/railhead/sdk/host"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

const at = 1_767_323_045_000

func probe(do string, history ...*sdkv1.Entry) *sdkv1.StepRequest {
	return &sdkv1.StepRequest{
		Seed: []byte("0123456789abcdef0123456789abcdef"),
		Trigger: &sdkv1.Trigger{TimeMs: at, Tenant: "greenbank", Kind: &sdkv1.Trigger_Job{Job: &sdkv1.Job{
			Type: "probe", Payment: "00000000-0000-4000-8000-000000000001", Attempt: 1,
			Variables: []*sdkv1.Variable{{Name: "do", Json: []byte(`"` + do + `"`)}},
		}}},
		History: history,
	}
}

func instance(t *testing.T, m *host.Module) *host.Instance {
	t.Helper()
	i, err := m.NewInstance(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { i.Close(context.Background()) })
	return i
}

// Each bad script comes to an end, with an error that says which; the ones that are
// the script's own leave the instance as it was.
func TestBadScripts(t *testing.T) {
	m := open(t, module(t, "probe"), host.Options{Log: slog.New(slog.DiscardHandler)})
	for _, row := range []struct {
		do   string
		code host.Code // of the step's error, or
		text string    // what StepReply.error says
	}{
		{do: "loop", code: host.Timeout},
		{do: "microtasks", code: host.Timeout},
		{do: "regex", code: host.Timeout},
		{do: "recursion", text: "Maximum call stack size exceeded"},
		{do: "memory", text: "out of memory"},
		{do: "array", text: "out of memory"},
		{do: "nesting", code: host.Trap},
		{do: "stall", text: "waits for something that no effect answers"},
		{do: "throws", text: "uncaught RangeError: out of"},
		{do: "throwsNothing", text: "uncaught undefined"},
		{do: "lost", text: "nobody listens"},
		{do: "nested", text: "an effect is asked for while"},
		{do: "badAmount", text: "terms: amount must be a string"},
		{do: "noState", text: "a state is never empty"},
		{do: "global", text: "uncaught TypeError"},
		{do: "prototype", text: "uncaught TypeError"},
		{do: "config", text: "uncaught TypeError"},
		{do: "unheardOf", text: "uncaught TypeError"},
	} {
		t.Run(row.do, func(t *testing.T) {
			i := instance(t, m)
			request := probe(row.do)
			request.Config = []byte(`{"name":"x"}`)
			reply, err := i.Step(t.Context(), request)
			if row.code != "" {
				if host.CodeOf(err) != row.code {
					t.Fatalf("%v, %v", reply, err)
				}
				return
			}
			if err != nil || !strings.Contains(reply.Error, row.text) {
				t.Fatalf("%v, %v", reply, err)
			}
			if len(reply.Error) > 4<<10 {
				t.Errorf("%d bytes", len(reply.Error))
			}
			// The next step is served as if nothing had been.
			reply, err = i.Step(t.Context(), probe("ownError"))
			if err != nil || reply.Outcome == nil {
				t.Errorf("afterwards: %v, %v", reply, err)
			}
		})
	}
}

func answer(e *sdkv1.Effect, ms int64, a *sdkv1.Answer) *sdkv1.Entry {
	return &sdkv1.Entry{Ordinal: e.Ordinal, Digest: abi.EffectDigest(e), TimeMs: ms, Answer: a}
}

// talk runs a probe to its end, giving the answers in turn and done after them, and
// the answers to effects that wait side by side one at a time if single is set. It
// returns the last reply, rendered.
func talk(t *testing.T, i *host.Instance, request *sdkv1.StepRequest, single bool, answers ...*sdkv1.Answer) string {
	t.Helper()
	now := int64(at)
	for {
		reply, err := i.Step(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		if len(reply.Effects) == 0 {
			return conformance.Render(reply)
		}
		for n, e := range reply.Effects {
			if single && n > 0 {
				break
			}
			a := &sdkv1.Answer{Kind: &sdkv1.Answer_Done{Done: &sdkv1.Done{}}}
			if len(answers) > 0 {
				a, answers = answers[0], answers[1:]
			}
			now += 10
			entry := answer(e, now, a)
			if c := e.GetCheckpoint(); c != nil {
				request.State, request.History = c.State, nil
			}
			request.History = append(request.History, entry)
		}
	}
}

func TestSteps(t *testing.T) {
	m := open(t, module(t, "probe"), host.Options{Log: slog.New(slog.DiscardHandler)})
	for _, row := range []struct {
		do      string
		answers []*sdkv1.Answer
		want    []string
	}{
		{do: "ownError", want: []string{`var again "Error: other"`, `var text "MyError: mine"`}},
		{do: "clock", want: []string{"var before 1767323045000", "var after 1767323045010", "var now 1767323045010", "var zone 0"}},
		{do: "race", want: []string{`var seen "abc"`}},
		{do: "many", want: []string{"var done true"}},
		{do: "forgotten", want: []string{"var done true"}},
		{do: "checkpoint", want: []string{"var turn 3"}},
		{do: "settings", want: []string{"var same true", `var name "none"`}},
		{do: "answers", answers: []*sdkv1.Answer{
			{Kind: &sdkv1.Answer_Start{Start: &sdkv1.StartAnswer{Payment: "u-1", RepeatedStart: true}}},
			{Kind: &sdkv1.Answer_Query{Query: &sdkv1.QueryAnswer{
				Found: true, State: "ended", EndedMs: at, Variables: []*sdkv1.Variable{{Name: "amount", Json: []byte(`"7"`)}},
			}}},
			{Kind: &sdkv1.Answer_Sequence{Sequence: &sdkv1.SequenceAnswer{Value: 1 << 40}}},
			{Kind: &sdkv1.Answer_Bytes{Bytes: &sdkv1.BytesAnswer{Data: []byte("s")}}},
			{Kind: &sdkv1.Answer_Bool{Bool: &sdkv1.BoolAnswer{Ok: true}}},
			{Kind: &sdkv1.Answer_Text{Text: &sdkv1.TextAnswer{Text: "tok"}}},
			{Kind: &sdkv1.Answer_Failure{Failure: &sdkv1.Failure{Code: "BUSY", Text: "later"}}},
			{},
			{Kind: &sdkv1.Answer_Text{Text: &sdkv1.TextAnswer{Text: "wrong"}}},
		}, want: []string{
			`var amount "7"`, `var endedAt "2026-01-02T03:04:05.000Z"`, `var good true`, `var n 1099511627776`,
			`var problems ["failure BUSY later","doubt  it was done, but what the other side answered is lost: it was found out by enquiry",` +
				`"failure INVALID the host answered with something else"]`,
			`var repeated true`, `var signed "s"`, `var started "u-1"`, `var state "ended"`, `var token "tok"`,
		}},
	} {
		t.Run(row.do, func(t *testing.T) {
			got := talk(t, instance(t, m), probe(row.do), false, row.answers...)
			for _, want := range row.want {
				if !strings.Contains(got, want) {
					t.Errorf("no %s in\n%s", want, got)
				}
			}
			// Whether effects that wait side by side are answered together or one by
			// one, the handler takes the same way.
			if single := talk(t, instance(t, m), probe(row.do), true, row.answers...); row.do != "clock" && single != got {
				t.Errorf("one by one:\n%s\ntogether:\n%s", single, got)
			}
		})
	}
}

func TestDiceAreTheSeeds(t *testing.T) {
	m := open(t, module(t, "probe"), host.Options{})
	first := talk(t, instance(t, m), probe("dice"), false)
	if again := talk(t, instance(t, m), probe("dice"), false); again != first {
		t.Errorf("%s, then %s", first, again)
	}
	other := probe("dice")
	other.Seed = []byte("another seed of thirty-two bytes")
	if talk(t, instance(t, m), other, false) == first {
		t.Error("another seed gives the same")
	}
}

// A handler that keeps count in a variable of its script is found out.
func TestMismatch(t *testing.T) {
	m := open(t, module(t, "probe"), host.Options{})
	i := instance(t, m)
	reply, err := i.Step(t.Context(), probe("counter"))
	if err != nil || len(reply.Effects) != 1 {
		t.Fatal(reply, err)
	}
	entry := answer(reply.Effects[0], at, &sdkv1.Answer{Kind: &sdkv1.Answer_Done{Done: &sdkv1.Done{}}})
	reply, err = i.Step(t.Context(), probe("counter", entry))
	mismatch := reply.GetMismatch()
	if err != nil || mismatch.GetOrdinal() != 1 || mismatch.Want != entry.Digest ||
		mismatch.Got != abi.EffectDigest(mismatch.Effect) || mismatch.Effect.GetSleep().GetDurationMs() != 2 {
		t.Fatal(reply, err)
	}
	// History that is left over is one too.
	reply, err = i.Step(t.Context(), probe("dice", entry))
	if err != nil || reply.GetMismatch().GetOrdinal() != 1 || reply.Mismatch.Got != 0 || reply.Mismatch.Effect != nil {
		t.Fatal(reply, err)
	}
}

func TestOtherTriggers(t *testing.T) {
	m := open(t, module(t, "probe"), host.Options{})
	i := instance(t, m)
	frame := func(link string, data string, event sdkv1.LinkEvent) *sdkv1.Trigger {
		return &sdkv1.Trigger{Kind: &sdkv1.Trigger_Frame{Frame: &sdkv1.Frame{Link: link, Data: []byte(data), Event: event}}}
	}
	key := func(link string) *sdkv1.Trigger {
		return &sdkv1.Trigger{Kind: &sdkv1.Trigger_FrameKey{FrameKey: &sdkv1.FrameKey{Link: link, Data: []byte("0810rest")}}}
	}
	request := func(route string) *sdkv1.Trigger {
		return &sdkv1.Trigger{Kind: &sdkv1.Trigger_Http{Http: &sdkv1.HttpRequest{
			Route: route, Method: "POST", Body: []byte("hé"),
			PathParams: []*sdkv1.Header{{Key: "id", Value: "7"}}, Query: []*sdkv1.Header{{Key: "q", Value: "x"}},
		}}}
	}
	for _, row := range []struct {
		trigger *sdkv1.Trigger
		want    string
	}{
		{frame("net", "abc", 0), "frames\nframe abc\nframe !"},
		{frame("net", "", sdkv1.LinkEvent_LINK_EVENT_OPENED), "frames\nframe hello"},
		{frame("other", "abc", 0), "frames"},
		{key("net"), "match-key 0810"},
		{key("other"), "match-key"},
		{request("echo"), "reply 201\nheader content-type: application/json\nheader x-id: 7\nbody {\"got\":\"hé\",\"q\":\"x\"}"},
		{request("constructor"), "reply 404"},
		{&sdkv1.Trigger{Kind: &sdkv1.Trigger_Schedule{Schedule: &sdkv1.Schedule{Name: "nightly", Job: &sdkv1.Job{Payment: "p"}}}}, "complete\nvar payment \"p\""},
		{&sdkv1.Trigger{Kind: &sdkv1.Trigger_Schedule{Schedule: &sdkv1.Schedule{Name: "toString"}}}, "fail UNKNOWN_SCHEDULE this connector does not serve schedule toString"},
		{&sdkv1.Trigger{Kind: &sdkv1.Trigger_Job{Job: &sdkv1.Job{Type: "x"}}}, "fail UNKNOWN_JOB this connector does not serve job type x"},
	} {
		reply, err := i.Step(t.Context(), &sdkv1.StepRequest{Trigger: row.trigger})
		if err != nil {
			t.Fatal(row.want, err)
		}
		if got := strings.TrimSpace(conformance.Render(reply)); got != row.want {
			t.Errorf("got:\n%s\nwant:\n%s", got, row.want)
		}
	}
}

// Memory stays where it is, whatever comes.
func TestMemoryStaysFlat(t *testing.T) {
	m := open(t, module(t, "probe"), host.Options{Log: slog.New(slog.DiscardHandler)})
	i := instance(t, m)
	run := func(turns int) uint32 {
		for n := range turns {
			for _, do := range []string{"race", "stall", "throws", "settings", "many"} {
				request := probe(do)
				request.Config = []byte(`{"name":"` + strings.Repeat("x", n%100) + `"}`)
				if _, err := i.Step(t.Context(), request); err != nil {
					t.Fatal(err)
				}
			}
		}
		return i.MemoryBytes()
	}
	warm := run(1000)
	if after := run(3000); after > warm {
		t.Errorf("%d KiB grew to %d KiB", warm>>10, after>>10)
	}
	t.Logf("%d KiB", warm>>10)
}
