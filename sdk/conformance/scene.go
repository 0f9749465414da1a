package conformance

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/railhead-hub/railhead/sdk/abi"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// scene is where a suite takes its situations from: a trigger, and what was
// answered to which effect when a vector was run. The suite then changes one thing
// about it. Without vectors there is a scene with variables of the usual names and
// no answers.
type scene struct {
	name    string
	request *sdkv1.StepRequest
	said    []exchange
	outcome *sdkv1.Outcome // nil without a vector
}

// exchange is an effect and its recorded answer.
type exchange struct {
	effect *sdkv1.Effect
	answer timedAnswer
}

// scenes runs the vectors and keeps what was said.
func (s *suite) scenes(vectors []*Vector) []*scene {
	var out []*scene
	for _, v := range vectors {
		sc := &scene{name: v.Name(), request: v.request}
		c := begin(v.request)
		whole := true
		for n, b := range v.blocks {
			if n > 0 {
				if len(b.answers) != len(c.pending) {
					whole = false
					break
				}
				for _, a := range b.answers {
					sc.said = append(sc.said, exchange{c.pending[0], a})
					c.answer(a)
				}
			}
			if c.step(s.ctx, s.instance) != nil {
				whole = false
				break
			}
		}
		if whole && c.ended() && c.last.Outcome != nil { // else the vector itself fails
			sc.outcome = c.last.Outcome
			out = append(out, sc)
		}
	}
	return out
}

// answerTo finds what was answered to an effect: to the very same one, to the money
// effect of the same key, or to what stood in the same place.
func (sc *scene) answerTo(e *sdkv1.Effect) (timedAnswer, bool) {
	digest, key := abi.EffectDigest(e), moneyKey(e)
	for _, x := range sc.said {
		if abi.EffectDigest(x.effect) == digest || key != "" && moneyKey(x.effect) == key {
			return x.answer, true
		}
	}
	for _, x := range sc.said {
		if x.effect.Ordinal == e.Ordinal && kindOf(x.effect) == kindOf(e) && moneyKey(x.effect) == "" && key == "" {
			return x.answer, true
		}
	}
	return timedAnswer{}, false
}

// talk is what a connector did in a scene.
type talk struct {
	asked   []*sdkv1.Effect
	outcome *sdkv1.Outcome
	// problem is set if it did not come to an outcome, or broke a rule on the way.
	problem string
}

// policy answers an effect otherwise than the scene does; ok is false where it
// leaves it to the scene.
type policy func(*sdkv1.Effect) (a *sdkv1.Answer, ok bool)

// play runs a request in the scene. What neither the policy nor the scene answers
// is answered as unavailable.
func (s *suite) play(request *sdkv1.StepRequest, sc *scene, p policy) *talk {
	t := &talk{}
	c := begin(request)
	for {
		if err := c.step(s.ctx, s.instance); err != nil {
			t.problem = err.Error()
			return t
		}
		if how := contract(nil, c.request, c.last); how != "" {
			t.problem = how
			return t
		}
		switch {
		case c.last.Error != "":
			t.problem = "it reports an error of its own: " + c.last.Error
			return t
		case c.last.Mismatch != nil:
			t.problem = "it does not recognise its own history: " + Render(c.last)
			return t
		case c.last.Outcome != nil:
			t.outcome = c.last.Outcome
			return t
		case len(c.request.History)+len(c.pending) > abi.StepsMax:
			t.problem = "it has not ended after 64 effects"
			return t
		}
		t.asked = append(t.asked, c.pending...)
		for len(c.pending) > 0 {
			e := c.pending[0]
			a, ok := p(e)
			after := defaultAfter
			if !ok {
				recorded, found := sc.answerTo(e)
				if a = recorded.answer; found {
					after = recorded.after
				} else {
					a = failure(abi.FailureUnavailable, "nothing is available")
				}
			}
			c.answer(timedAnswer{a, after})
		}
	}
}

// asRecorded leaves everything to the scene.
func asRecorded(*sdkv1.Effect) (*sdkv1.Answer, bool) { return nil, false }

// moneyAnswered answers every money effect so, and nothing that comes after.
func moneyAnswered(answer *sdkv1.Answer) policy {
	hit := false
	return func(e *sdkv1.Effect) (*sdkv1.Answer, bool) {
		if moneyKey(e) != "" {
			hit = true
			return answer, true
		}
		return failure(abi.FailureUnavailable, "nothing is available"), hit
	}
}

// everything answers every call and every question so.
func everything(answer *sdkv1.Answer) policy {
	return func(*sdkv1.Effect) (*sdkv1.Answer, bool) { return answer, true }
}

// money are the money effects that were asked for.
func (t *talk) money() []*sdkv1.Effect {
	var out []*sdkv1.Effect
	for _, e := range t.asked {
		if moneyKey(e) != "" {
			out = append(out, e)
		}
	}
	return out
}

// end is the outcome as it stands in vectors.
func (t *talk) end() string { return Render(&sdkv1.StepReply{Outcome: t.outcome}) }

func (sc *scene) end() string { return Render(&sdkv1.StepReply{Outcome: sc.outcome}) }

// moneyKey is the key of a money effect, or empty.
func moneyKey(e *sdkv1.Effect) string {
	if r := e.GetRoundTrip(); r != nil {
		return r.Key
	}
	return e.GetHttp().GetKey()
}

func moneyTerms(e *sdkv1.Effect) *sdkv1.Terms {
	if r := e.GetRoundTrip(); r != nil {
		return r.Terms
	}
	return e.GetHttp().GetTerms()
}

// kindOf tells kinds of effects apart, and calls by what they ask for.
func kindOf(e *sdkv1.Effect) string {
	if h := e.GetHttp(); h != nil {
		return h.Endpoint + " " + h.Method
	}
	return fmt.Sprintf("%T", e.Kind)
}

// job copies the scene's request, for a case to change its job.
func (sc *scene) job() (*sdkv1.StepRequest, *sdkv1.Job) {
	job := *sc.request.Trigger.GetJob()
	return requestOf(sc, &sdkv1.Trigger{Kind: &sdkv1.Trigger_Job{Job: &job}}), &job
}

// http copies the scene's request, for a case to change what came from outside.
func (sc *scene) http() (*sdkv1.StepRequest, *sdkv1.HttpRequest) {
	http := *sc.request.Trigger.GetHttp()
	return requestOf(sc, &sdkv1.Trigger{Kind: &sdkv1.Trigger_Http{Http: &http}}), &http
}

func requestOf(sc *scene, t *sdkv1.Trigger) *sdkv1.StepRequest {
	t.TimeMs, t.Tenant = sc.request.Trigger.TimeMs, sc.request.Trigger.Tenant
	return &sdkv1.StepRequest{Config: sc.request.Config, Seed: sc.request.Seed, Trigger: t}
}

// otherwise makes another run of the same: a second later, with another seed.
func otherwise(request *sdkv1.StepRequest) {
	request.Seed = bytes.Repeat([]byte{7}, abi.SeedBytes)
	request.Trigger.TimeMs += 1000
}

// describe says which money effects were asked for.
func describe(effects []*sdkv1.Effect) string {
	if len(effects) == 0 {
		return "no money effect"
	}
	var p printer
	for _, e := range effects {
		p.line("key", moneyKey(e))
		p.terms(moneyTerms(e))
	}
	return strings.Join(p.lines, ", ")
}
