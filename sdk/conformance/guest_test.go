package conformance_test

import (
	"encoding/json"
	"strings"

	"github.com/railhead-hub/railhead/sdk/abi"
	"github.com/railhead-hub/railhead/sdk/conformance"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// guest is one step of a connector written for these tests: like the SDK's Context,
// but able to be wrong.
type guest struct {
	request *sdkv1.StepRequest
	next    int
	settled []*sdkv1.Settlement
	logged  *[]string
}

// asked unwinds a handler at the first effect that has no answer.
type asked struct{ effect *sdkv1.Effect }

// ask returns the answer to an effect.
func (g *guest) ask(e *sdkv1.Effect) *sdkv1.Answer {
	e.Ordinal = uint32(g.next + 1)
	if g.next == len(g.request.History) {
		panic(asked{e})
	}
	g.next++
	return g.request.History[g.next-1].Answer
}

func (g *guest) http(h *sdkv1.Http) *sdkv1.Answer {
	return g.ask(&sdkv1.Effect{Kind: &sdkv1.Effect_Http{Http: h}})
}

func (g *guest) job() *sdkv1.Job { return g.request.Trigger.GetJob() }

// text is a text variable of the job.
func (g *guest) text(name string) string {
	var out string
	for _, v := range g.job().Variables {
		if v.Name == name {
			_ = json.Unmarshal(v.Json, &out) // what is no text is ""
		}
	}
	return out
}

func (g *guest) settle(key string, done bool) {
	g.settled = append(g.settled, &sdkv1.Settlement{Key: key, Done: done})
}

func (g *guest) log(line string) { *g.logged = append(*g.logged, line) }

// subject makes a handler a connector under test.
func subject(m *sdkv1.Manifest, handler func(*guest) *sdkv1.Outcome) conformance.Subject {
	var lines []string
	s := conformance.Native(m, say(func(r *sdkv1.StepRequest) (reply *sdkv1.StepReply) {
		g := &guest{request: r, logged: &lines}
		defer func() {
			switch p := recover().(type) {
			case nil:
			case asked:
				reply = asking(p.effect)
			default:
				panic(p)
			}
		}()
		outcome := handler(g)
		outcome.Settlements = g.settled
		return &sdkv1.StepReply{Outcome: outcome}
	}))
	s.Logged = func() []string {
		out := lines
		lines = nil
		return out
	}
	return s
}

// vars are variables of texts and booleans.
func vars(pairs ...any) []*sdkv1.Variable {
	var out []*sdkv1.Variable
	for i := 0; i < len(pairs); i += 2 {
		text, err := json.Marshal(pairs[i+1])
		if err != nil {
			panic(err)
		}
		out = append(out, &sdkv1.Variable{Name: pairs[i].(string), Json: text})
	}
	return out
}

func completed(pairs ...any) *sdkv1.Outcome {
	return &sdkv1.Outcome{Kind: &sdkv1.Outcome_Complete{Complete: &sdkv1.Complete{Variables: vars(pairs...)}}}
}

func failing(code, reason string, retry bool) *sdkv1.Outcome {
	return &sdkv1.Outcome{Kind: &sdkv1.Outcome_Fail{Fail: &sdkv1.Fail{Code: code, Reason: reason, Retryable: retry}}}
}

func bpmnError(code string) *sdkv1.Outcome {
	return &sdkv1.Outcome{Kind: &sdkv1.Outcome_BpmnError{BpmnError: &sdkv1.BpmnError{Code: code}}}
}

func replying(status uint32, pairs ...any) *sdkv1.Outcome {
	body := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		body[pairs[i].(string)] = pairs[i+1]
	}
	text, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return &sdkv1.Outcome{Kind: &sdkv1.Outcome_Reply{Reply: &sdkv1.Reply{Status: status, Body: text}}}
}

// said reads the body of an answered call, as far as it is a JSON object of texts.
func said(a *sdkv1.Answer) map[string]string {
	out := map[string]string{}
	if json.Unmarshal(a.GetHttp().GetBody(), &out) != nil {
		return map[string]string{}
	}
	return out
}

func isDecimal(s string) bool {
	whole, fraction, point := strings.Cut(s, ".")
	digits := func(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
	return digits(whole) && (!point || digits(fraction))
}

func isConflict(a *sdkv1.Answer) bool { return a.GetFailure().GetCode() == abi.FailureConflict }
