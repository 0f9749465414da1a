package assemblyscript_test

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/railhead-hub/railhead/sdk/abi"
	"github.com/railhead-hub/railhead/sdk/build"
	"github.com/railhead-hub/railhead/sdk/conformance"
	"github.com/railhead-hub/railhead/sdk/host"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

const at = 1_767_323_045_000

var built = sync.OnceValues(func() ([]byte, error) { return build.Module(context.Background(), "testdata/probe") })

func probe(t *testing.T) *host.Instance {
	t.Helper()
	needNode(t)
	module, err := built()
	if err != nil {
		t.Fatal(err)
	}
	m, err := host.Open(t.Context(), module, host.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close(context.Background()) })
	i, err := m.NewInstance(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func job(kind string, variables map[string]string) *sdkv1.StepRequest {
	j := &sdkv1.Job{Type: kind, Payment: "p"}
	for name, text := range variables {
		quoted, err := json.Marshal(text)
		if err != nil {
			panic(err)
		}
		j.Variables = append(j.Variables, &sdkv1.Variable{Name: name, Json: quoted})
	}
	return &sdkv1.StepRequest{
		Seed:    []byte("0123456789abcdef0123456789abcdef"),
		Trigger: &sdkv1.Trigger{TimeMs: at, Tenant: "greenbank", Kind: &sdkv1.Trigger_Job{Job: j}},
	}
}

func entry(e *sdkv1.Effect, ms int64, a *sdkv1.Answer) *sdkv1.Entry {
	return &sdkv1.Entry{Ordinal: e.Ordinal, Digest: abi.EffectDigest(e), TimeMs: ms, Answer: a}
}

var done = &sdkv1.Answer{Kind: &sdkv1.Answer_Done{Done: &sdkv1.Done{}}}

// talk answers each effect until the job ends. That a digest of the guest's own
// encoding agrees with the host's at each step compares the two to the byte.
func talk(t *testing.T, i *host.Instance, request *sdkv1.StepRequest, answer func(*sdkv1.Effect) *sdkv1.Answer) (string, []string) {
	t.Helper()
	var asked []string
	for now := int64(at); ; {
		reply, err := i.Step(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		said := strings.TrimSpace(conformance.Render(reply))
		if len(reply.Effects) == 0 {
			return said, asked
		}
		asked = append(asked, said)
		now += 10
		e := reply.Effects[0]
		if c := e.GetCheckpoint(); c != nil {
			request.State, request.History = c.State, nil
		}
		request.History = append(request.History, entry(e, now, answer(e)))
	}
}

func TestCheckpoint(t *testing.T) {
	said, asked := talk(t, probe(t), job("checkpoint", nil), func(*sdkv1.Effect) *sdkv1.Answer { return done })
	if said != "complete\nvar now 1767323045060\nvar turn 3" || len(asked) != 6 || !strings.HasPrefix(asked[5], "6 checkpoint") {
		t.Errorf("%s after %q", said, asked)
	}
}

func TestMismatch(t *testing.T) {
	i := probe(t)
	reply, err := i.Step(t.Context(), job("count", nil))
	if err != nil || len(reply.Effects) != 1 {
		t.Fatal(reply, err)
	}
	e := entry(reply.Effects[0], at, done)
	again := job("count", nil)
	again.History = []*sdkv1.Entry{e}
	reply, err = i.Step(t.Context(), again)
	m := reply.GetMismatch()
	if err != nil || m.GetOrdinal() != 1 || m.Want != e.Digest || m.Got != abi.EffectDigest(m.Effect) || m.Effect.GetSleep().GetDurationMs() != 2 {
		t.Fatal(reply, err)
	}
	left := job("early", nil)
	left.History = []*sdkv1.Entry{e}
	reply, err = i.Step(t.Context(), left)
	if m := reply.GetMismatch(); err != nil || m.GetOrdinal() != 1 || m.Want != e.Digest || m.Got != 0 || m.Effect != nil {
		t.Fatal(reply, err)
	}
}

func TestCallsOfAllSizes(t *testing.T) {
	i := probe(t)
	for _, n := range []int{0, 1, 40, 127, 128, 129, 5000, 40_000} {
		text := strings.Repeat("é😀a", n)[:n*7]
		want := &sdkv1.Http{
			Endpoint: "bank", Method: "POST", Path: "/" + text, Headers: []*sdkv1.Header{{Key: "a", Value: text}},
			Body: []byte(text), Key: text, Terms: &sdkv1.Terms{Amount: "1", Creditor: text}, TimeoutMs: int64(n) * 1000,
		}
		request := job("echo", map[string]string{
			"endpoint": "bank", "method": "POST", "path": "/" + text, "header": text, "body": text, "key": text,
			"amount": "1", "creditor": text, "timeout": strconv.Itoa(1000 * n),
		})
		effect := &sdkv1.Effect{Ordinal: 1, Kind: &sdkv1.Effect_Http{Http: want}}
		request.History = []*sdkv1.Entry{entry(effect, at, &sdkv1.Answer{Kind: &sdkv1.Answer_Http{Http: &sdkv1.HttpAnswer{
			Status: 200, Headers: []*sdkv1.Header{{Key: "x-one", Value: "1"}}, Body: []byte("ok"),
		}}})}
		reply, err := i.Step(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSpace(conformance.Render(reply)); got != "complete\nvar body \"ok\"\nvar header \"1\"\nvar status 200" {
			t.Errorf("%d: %s", n, got)
		}
	}
}

func TestAllEffects(t *testing.T) {
	said, asked := talk(t, probe(t), job("all", nil), func(e *sdkv1.Effect) *sdkv1.Answer {
		switch e.Kind.(type) {
		case *sdkv1.Effect_StartPayment:
			return &sdkv1.Answer{Kind: &sdkv1.Answer_Failure{Failure: &sdkv1.Failure{Code: "BUSY"}}}
		case *sdkv1.Effect_RoundTrip:
			return &sdkv1.Answer{}
		case *sdkv1.Effect_Sign, *sdkv1.Effect_Mac, *sdkv1.Effect_Encrypt:
			return &sdkv1.Answer{Kind: &sdkv1.Answer_Bytes{Bytes: &sdkv1.BytesAnswer{Data: []byte("s")}}}
		}
		return done
	})
	want := `complete
var said ["BUSY","INVALID","INVALID","INVALID","INVALID","done","doubt","done","done","done","INVALID","done","done","INVALID","INVALID"]`
	if said != want || len(asked) != 15 {
		t.Errorf("%s after %q", said, asked)
	}
}

func TestOtherTriggers(t *testing.T) {
	i := probe(t)
	for _, row := range []struct {
		trigger *sdkv1.Trigger
		want    string
	}{
		{&sdkv1.Trigger{Kind: &sdkv1.Trigger_Frame{Frame: &sdkv1.Frame{Link: "net", Data: []byte("ab")}}}, "frames\nframe ab\nframe ab"},
		{&sdkv1.Trigger{Kind: &sdkv1.Trigger_Frame{Frame: &sdkv1.Frame{Link: "other"}}}, "frames"},
		{&sdkv1.Trigger{Kind: &sdkv1.Trigger_FrameKey{FrameKey: &sdkv1.FrameKey{Link: "net", Data: []byte("0810x")}}}, "match-key 0810"},
		{&sdkv1.Trigger{Kind: &sdkv1.Trigger_Schedule{Schedule: &sdkv1.Schedule{Name: "nightly", Job: &sdkv1.Job{Payment: "p"}}}}, "complete\nvar payment \"p\""},
		{&sdkv1.Trigger{Kind: &sdkv1.Trigger_Http{Http: &sdkv1.HttpRequest{
			Route: "echo", Body: []byte("b"), PathParams: []*sdkv1.Header{{Key: "id", Value: "7"}},
			Query: []*sdkv1.Header{{Key: "q", Value: "Q"}}, Headers: []*sdkv1.Header{{Key: "x-y", Value: "H"}},
		}}}, "reply 201\nheader x-id: 7\nbody béQH"},
		{&sdkv1.Trigger{Kind: &sdkv1.Trigger_Http{Http: &sdkv1.HttpRequest{Route: "x"}}}, "reply 404"},
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

func TestMemoryStaysFlat(t *testing.T) {
	i := probe(t)
	run := func(turns int) uint32 {
		for range turns {
			if _, err := i.Step(t.Context(), job("echo", map[string]string{"body": strings.Repeat("x", 1000), "timeout": "1"})); err != nil {
				t.Fatal(err)
			}
		}
		return i.MemoryBytes()
	}
	warm := run(5000)
	if after := run(10_000); after > warm {
		t.Errorf("%d KiB grew to %d KiB", warm>>10, after>>10)
	}
	t.Logf("%d KiB", warm>>10)
}
