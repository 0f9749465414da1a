package remote_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/railhead-hub/railhead/sdk/abi"
	"github.com/railhead-hub/railhead/sdk/host"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

const token = "t0ken"

// startService runs Service.java and returns its address.
func startService(t *testing.T) string {
	t.Helper()
	java, err := exec.LookPath("javac") // running a source file takes the compiler, which a JRE has not
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("needs openjdk-17-jdk-headless (Debian package)")
		}
		t.Skip("needs openjdk-17-jdk-headless (Debian package)")
	}
	cmd := exec.CommandContext(t.Context(), strings.TrimSuffix(java, "c"), "Service.java", "0")
	cmd.Env = append(os.Environ(), "SERVICE_TOKEN="+token)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the service does not start: %v", err)
	}
	return strings.TrimSpace(strings.TrimPrefix(line, "listening on "))
}

func call(t *testing.T, url, token, method, path, key string, body []byte) (int, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, out
}

// hub is the smallest host that runs the compiled connector over real HTTP: it keeps
// the rows of money effects, and nothing else of a hub.
type hub struct {
	t       *testing.T
	url     string
	module  *host.Module
	payment string
	answers map[string]*answered // by payment and money key
	drop    int                  // money requests that never leave
}

// answered is a money effect's row.
type answered struct {
	number int
	answer *sdkv1.Answer // nil: in doubt
}

type set map[string]string

// run runs a job, which must complete, and returns its variables.
func (h *hub) run(jobType string, given set) set {
	h.t.Helper()
	end := h.end(jobType, given)
	if end.GetComplete() == nil {
		h.t.Fatalf("%s ends with %v", jobType, end.GetKind())
	}
	out := set{}
	for _, v := range end.GetComplete().Variables {
		out[v.Name] = string(v.Json)
	}
	return out
}

// end runs a job to its outcome.
func (h *hub) end(jobType string, given set) *sdkv1.Outcome {
	h.t.Helper()
	job := &sdkv1.Job{Type: jobType, Payment: h.payment, Attempt: 1, Retries: 2}
	for name, value := range given {
		job.Variables = append(job.Variables, &sdkv1.Variable{Name: name, Json: []byte(value)})
	}
	instance, err := h.module.NewInstance(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	defer instance.Close(h.t.Context())
	step := &sdkv1.StepRequest{
		Seed: make([]byte, abi.SeedBytes), Trigger: &sdkv1.Trigger{Tenant: "greenbank", Kind: &sdkv1.Trigger_Job{Job: job}},
	}
	now := int64(0)
	for {
		reply, err := instance.Step(h.t.Context(), step)
		if err != nil {
			h.t.Fatal(err)
		}
		if reply.Outcome != nil {
			for _, s := range reply.Outcome.Settlements {
				h.settle(s)
			}
			return reply.Outcome
		}
		effect := reply.Effects[0]
		now += 100
		if sleep := effect.GetSleep(); sleep != nil {
			now += sleep.DurationMs // the hub's clock goes ahead of the machine's
		}
		step.History = append(step.History, &sdkv1.Entry{
			Ordinal: effect.Ordinal, Digest: abi.EffectDigest(effect), TimeMs: now, Answer: h.perform(effect),
		})
	}
}

// settle takes note of what an enquiry found: what was not done is done anew, under
// the next key.
func (h *hub) settle(s *sdkv1.Settlement) {
	row := h.answers[h.payment+"/"+s.Key]
	if row.answer = (&sdkv1.Answer{}); !s.Done {
		row.answer, row.number = nil, row.number+1
	}
}

func (h *hub) perform(effect *sdkv1.Effect) *sdkv1.Answer {
	h.t.Helper()
	call := effect.GetHttp()
	switch {
	case call == nil:
		return &sdkv1.Answer{Kind: &sdkv1.Answer_Done{Done: &sdkv1.Done{}}}
	case call.Key == "":
		return h.send(call, "")
	}
	id := h.payment + "/" + call.Key
	row := h.answers[id]
	if row == nil {
		row = &answered{}
		h.answers[id] = row
	}
	if row.answer != nil {
		return row.answer
	}
	key := fmt.Sprintf("%s-%s-%d", h.payment, call.Key, row.number)
	if h.drop > 0 {
		h.drop--
	} else {
		row.answer = h.send(call, key)
	}
	if row.answer == nil {
		return &sdkv1.Answer{Kind: &sdkv1.Answer_InDoubt{InDoubt: &sdkv1.InDoubt{IdempotencyKey: key, Reason: "no answer in time"}}}
	}
	return row.answer
}

// send calls the service; no answer is nil.
func (h *hub) send(call *sdkv1.Http, key string) *sdkv1.Answer {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), call.Method, h.url+call.Path, bytes.NewReader(call.Body))
	if err != nil {
		h.t.Fatal(err)
	}
	for _, header := range call.Headers {
		req.Header.Set(header.Key, strings.ReplaceAll(header.Value, "{{secret:service_token}}", token))
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
		req.GetBody = nil // or the client would send again what was lost
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil
	}
	return &sdkv1.Answer{Kind: &sdkv1.Answer_Http{Http: &sdkv1.HttpAnswer{Status: uint32(resp.StatusCode), Body: body}}}
}

// lose makes the service lose its next answers to money requests.
func (h *hub) lose(n int) {
	h.t.Helper()
	if status, body := call(h.t, h.url, token, "POST", fmt.Sprint("/lose-answers/", n), "", nil); status != 200 {
		h.t.Fatalf("%d %s", status, body)
	}
}

func (h *hub) is(vars set, name, want string) {
	h.t.Helper()
	if vars[name] != want {
		h.t.Errorf("%s is %s, not %s: %v", name, vars[name], want, vars)
	}
}

func (h *hub) balance(account, balance, available string) {
	h.t.Helper()
	_, body := call(h.t, h.url, token, "GET", "/accounts/"+account, "", nil)
	var said struct{ Balance, Available string }
	if err := json.Unmarshal(body, &said); err != nil || said.Balance != balance || said.Available != available {
		h.t.Errorf("%s has %+v, not %s of which %s (%v)", account, said, balance, available, err)
	}
}
