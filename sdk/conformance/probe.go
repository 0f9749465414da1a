package conformance

import (
	"bytes"
	"context"
	"strconv"
	"strings"

	"github.com/railhead-hub/railhead/sdk/abi"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// rules holds every reply of every vector to the checks of Rules, and probes the
// rest; all are also the vectors that fail by themselves, which are not run.
func (r *run) rules(vectors, all []*Vector) error {
	i := &revived{subject: r.subject}           // so that a trap is one probe's problem
	defer i.Close(context.WithoutCancel(r.ctx)) //nolint:errcheck // nothing more is asked of it
	if err := i.open(r.ctx); err != nil {
		return err
	}
	for _, v := range vectors {
		for p := playing(v); !p.done; {
			p.next(r, "rules", i)
			for _, rule := range Rules {
				if rule.broken == nil || !rule.isFor(r.subject.Manifest.Kind) || p.last == nil {
					continue
				}
				if how := rule.broken(r.subject.Manifest, p.request, p.last); how != "" {
					r.problemf(v.Name(), rule.Name, "%s", how)
				}
			}
		}
	}
	r.covered(all)
	r.answersAll(i)
	r.unknown(i)
	r.hardWorld(i, vectors)
	switch r.subject.Manifest.Kind {
	case "ams":
		r.doubt(i, vectors)
	case "channel", "scheme":
		r.garbage(i, vectors)
	}
	return i.err
}

func (r *run) covered(vectors []*Vector) {
	jobs, routes, links := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, j := range r.subject.Manifest.Jobs {
		jobs[j.Type] = false
	}
	for _, route := range r.subject.Manifest.Routes {
		routes[route.Name] = false
	}
	for _, l := range r.subject.Manifest.Links {
		links[l.Name] = false
	}
	for _, v := range vectors {
		set, name := jobs, v.request.Trigger.GetJob().GetType()
		if link := linkOf(v.request.Trigger); link != "" {
			set, name = links, link
		}
		if http := v.request.Trigger.GetHttp(); http != nil {
			set, name = routes, http.Route
		}
		if _, declared := set[name]; !declared {
			r.problemf(v.Name(), "covered", "the manifest does not declare %q", name)
		}
		set[name] = true
	}
	for _, j := range r.subject.Manifest.Jobs {
		if !jobs[j.Type] {
			r.problemf("job "+j.Type, "covered", "no vector")
		}
	}
	for _, route := range r.subject.Manifest.Routes {
		if !routes[route.Name] {
			r.problemf("route "+route.Name, "covered", "no vector")
		}
	}
	for _, l := range r.subject.Manifest.Links {
		if !links[l.Name] {
			r.problemf("link "+l.Name, "covered", "no vector")
		}
	}
}

func (r *run) answersAll(i Instance) {
	for _, j := range r.subject.Manifest.Jobs {
		c := begin(jobProbe(j.Type))
		r.probe("job "+j.Type+" without variables", "answers-all", i, c)
	}
	for _, route := range r.subject.Manifest.Routes {
		c := begin(requestProbe(route.Name, route.Method, route.Path))
		r.probe("route "+route.Name+" without parameters", "answers-all", i, c)
	}
}

func (r *run) unknown(i Instance) {
	c := begin(jobProbe("no-such-job"))
	if r.probe("an unknown job", "unknown", i, c) {
		if fail := c.last.Outcome.GetFail(); fail == nil || fail.Retryable {
			r.problemf("an unknown job", "unknown", "it answers: %s", inLine(c.last))
		}
	}
	c = begin(requestProbe("no-such-route", "GET", "/"))
	if r.probe("an unknown route", "unknown", i, c) {
		if s := c.last.Outcome.GetReply().GetStatus(); s < 400 || s > 499 {
			r.problemf("an unknown route", "unknown", "it answers: %s", inLine(c.last))
		}
	}
}

// hardAnswers are what hardWorld answers instead of the vector's own answer.
var hardAnswers = []struct {
	name   string
	answer *sdkv1.Answer
}{
	{"unreachable", failure(abi.FailureUnreachable, "no connection")},
	{"busy", failure(abi.FailureBusy, "the circuit breaker is open")},
	{"in doubt", inDoubt},
	{"an answer that is lost", lost},
	{"a 500", &sdkv1.Answer{Kind: &sdkv1.Answer_Http{Http: &sdkv1.HttpAnswer{Status: 500}}}},
	{"a 200 that is not JSON", &sdkv1.Answer{Kind: &sdkv1.Answer_Http{Http: &sdkv1.HttpAnswer{
		Status: 200, Body: []byte("<html>maintenance</html>")}}}},
	{"a 200 that is null", &sdkv1.Answer{Kind: &sdkv1.Answer_Http{Http: &sdkv1.HttpAnswer{
		Status: 200, Body: []byte("null")}}}},
	{"a 404", &sdkv1.Answer{Kind: &sdkv1.Answer_Http{Http: &sdkv1.HttpAnswer{Status: 404}}}},
}

var inDoubt = &sdkv1.Answer{Kind: &sdkv1.Answer_InDoubt{InDoubt: &sdkv1.InDoubt{
	IdempotencyKey: "00000000-0000-4000-8000-00000000dddd", Reason: "no answer in time"}}}

// lost is the answer of an effect that was settled as done by enquiry: nobody
// knows more of it.
var lost = &sdkv1.Answer{}

// hardWorld replaces the answer of each effect in turn, and lets everything
// after it fail.
func (r *run) hardWorld(i Instance, vectors []*Vector) {
	for _, v := range vectors {
		for at := 1; at < len(v.blocks); at++ {
			for _, hard := range hardAnswers {
				c, ok := r.upTo(i, v, at)
				if !ok {
					return // reported by the passes before
				}
				for n := range c.pending {
					if isHTTP := hard.answer.GetHttp() != nil; isHTTP && c.pending[n].GetHttp() == nil {
						ok = false
					}
				}
				if !ok {
					continue
				}
				r.answerAll(c, hard.answer)
				r.probe(v.Name()+", "+hard.name+" at line "+strconv.Itoa(v.blocks[at].line), "hard-world", i, c)
			}
		}
	}
}

// doubt answers each money effect InDoubt, or with an answer that is lost, and
// leaves every enquiry unanswered.
func (r *run) doubt(i Instance, vectors []*Vector) {
	r.doubtful(i, vectors, "in doubt", inDoubt)
	r.doubtful(i, vectors, "done, its answer lost", lost)
}

func (r *run) doubtful(i Instance, vectors []*Vector, how string, answer *sdkv1.Answer) {
	for _, v := range vectors {
		for at := 1; at < len(v.blocks); at++ {
			c, ok := r.upTo(i, v, at)
			if !ok {
				return
			}
			if len(c.pending) != 1 || moneyKey(c.pending[0]) == "" {
				continue
			}
			key := moneyKey(c.pending[0])
			r.answerAll(c, answer)
			where := v.Name() + ", " + key + " " + how
			if !r.probe(where, "doubt", i, c) {
				continue
			}
			if o := c.last.Outcome; o.GetComplete() != nil || o.GetBpmnError() != nil || len(o.Settlements) > 0 {
				r.problemf(where, "doubt", "it answers: %s", inLine(c.last))
			}
		}
	}
}

// garbage replaces the body of each request that has one.
func (r *run) garbage(i Instance, vectors []*Vector) {
	for _, v := range vectors {
		http := v.request.Trigger.GetHttp()
		if http == nil || len(http.Body) == 0 {
			continue
		}
		for _, text := range [][]byte{nil, []byte("{"), []byte("null"), []byte(`"text"`), {0xff, 0xfe}, bytes.Repeat([]byte("["), 10000)} {
			bad := *http
			bad.Body = text
			request := *v.request
			request.Trigger = &sdkv1.Trigger{TimeMs: v.request.Trigger.TimeMs, Tenant: v.request.Trigger.Tenant,
				Kind: &sdkv1.Trigger_Http{Http: &bad}}
			c := begin(&request)
			where := v.Name() + " with a garbage body"
			for !c.ended() && len(c.request.History) < abi.StepsMax {
				if err := c.step(r.ctx, i); err != nil {
					r.problemf(where, "garbage", "%v", err)
					break
				}
				if c.last.Error != "" {
					r.problemf(where, "garbage", "%s", c.last.Error)
				}
				for _, e := range c.pending {
					if e.GetStartPayment() != nil || e.GetPublish() != nil {
						r.problemf(where, "garbage", "body %.20q: asked for\n%s", text, Render(c.last))
					}
				}
				r.answerAll(c, failure(abi.FailureUnavailable, "probe"))
			}
		}
	}
}

// upTo runs a vector until the effects that the block's answers are for.
func (r *run) upTo(i Instance, v *Vector, block int) (*conversation, bool) {
	c := begin(v.request)
	for n := range block {
		if n > 0 {
			for _, a := range v.blocks[n].answers {
				c.answer(a)
			}
		}
		if err := c.step(r.ctx, i); err != nil || c.ended() {
			return nil, false
		}
	}
	return c, true
}

func (r *run) answerAll(c *conversation, answer *sdkv1.Answer) {
	for len(c.pending) > 0 {
		c.answer(timedAnswer{answer, defaultAfter})
	}
}

// probe runs a conversation to its outcome, answering everything that is still
// asked with a failure. It reports whether there is an outcome.
func (r *run) probe(where, rule string, i Instance, c *conversation) bool {
	for {
		if err := c.step(r.ctx, i); err != nil {
			r.problemf(where, rule, "%v", err)
			return false
		}
		switch {
		case c.last.Error != "":
			r.problemf(where, rule, "%s", c.last.Error)
			return false
		case c.last.Outcome != nil:
			if how := contract(nil, c.request, c.last); how != "" {
				r.problemf(where, rule, "%s", how)
				return false
			}
			return true
		case c.ended():
			r.problemf(where, rule, "no outcome but: %s", inLine(c.last))
			return false
		case len(c.request.History) >= abi.StepsMax:
			r.problemf(where, rule, "no outcome after %d steps", abi.StepsMax)
			return false
		}
		r.answerAll(c, failure(abi.FailureUnavailable, "nothing is available"))
	}
}

// inLine is a reply on one line, for lists of problems.
func inLine(reply *sdkv1.StepReply) string { return strings.ReplaceAll(Render(reply), "\n", "; ") }

func jobProbe(jobType string) *sdkv1.StepRequest {
	return probeRequest(&sdkv1.Trigger{Kind: &sdkv1.Trigger_Job{Job: &sdkv1.Job{
		Type: jobType, Payment: defaultPayment, Attempt: 1, Retries: defaultRetries,
		PaymentStartedMs: defaultTime.UnixMilli(),
	}}})
}

func requestProbe(route, method, path string) *sdkv1.StepRequest {
	return probeRequest(&sdkv1.Trigger{Kind: &sdkv1.Trigger_Http{Http: &sdkv1.HttpRequest{
		Route: route, Method: method, Path: path,
	}}})
}

func probeRequest(trigger *sdkv1.Trigger) *sdkv1.StepRequest {
	trigger.TimeMs, trigger.Tenant = defaultTime.UnixMilli(), defaultTenant
	return &sdkv1.StepRequest{Trigger: trigger, Seed: bytes.Repeat([]byte{1}, abi.SeedBytes)}
}
