package conformance

import (
	"slices"

	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// schemeVerbs are what a payment scheme is asked to do.
var schemeVerbs = []verb{
	{"lookup", []string{"party-lookup-request"}},
	{"quote", []string{"quote"}},
	{"transfer", []string{"send-transfer-request"}},
}

// schemeMoneyCases are those of a transfer. A scheme often answers later, by a
// callback, so that a job may complete without knowing; it must not send twice.
var schemeMoneyCases = []jobCase{
	{"success", moneySucceeds},
	{"terms", moneyTermsGiven},
	{"same-key", eachInMoney(moneySameKey)},
	{"duplicate", eachInMoney(moneyDuplicate)},
	{"in-doubt", eachInMoney(schemeInDoubt)},
	{"prior", eachInMoney(schemePrior)},
	{"missing", moneyMissing},
	{"bad-amount", eachInMoney(moneyBadAmount)},
	{"sensitive", jobHidden},
	{"outputs", jobOutputs},
}

var schemeReadCases = []jobCase{
	{"success", readSucceeds},
	{"no-money", readMovesNothing},
	{"silence", readSilence},
	{"missing", readMissing},
	{"sensitive", jobHidden},
	{"outputs", jobOutputs},
}

func (s *suite) scheme(scenes []*scene) {
	s.jobs(scenes, schemeVerbs, func(j *sdkv1.JobType) []jobCase {
		if j.Money {
			return schemeMoneyCases
		}
		return schemeReadCases
	})
	s.routes(scenes, routeCases)
}

// schemeInDoubt: after doubt the scheme is asked what became of it. It is not sent
// the same under another key, nothing is claimed, and no error is raised that the
// flow would take for a no.
func schemeInDoubt(s *suite, _ *jobUnderTest, sc *scene) finding {
	for _, retries := range []uint32{2, 0} {
		request, job := sc.job()
		job.Retries = retries
		if f := s.schemeDoubt(request, sc, "the transfer is in doubt and enquiry is silent"); f != passed {
			return f
		}
	}
	return passed
}

// schemePrior: the same for a doubt that an earlier attempt has left.
func schemePrior(s *suite, _ *jobUnderTest, sc *scene) finding {
	deed := s.play(sc.request, sc, asRecorded).money()[0]
	request, job := sc.job()
	job.Attempt++
	job.Prior = []*sdkv1.PriorEffect{{Key: moneyKey(deed), IdempotencyKey: inDoubt.GetInDoubt().IdempotencyKey}}
	const what = "an earlier attempt left the transfer in doubt and enquiry is silent"
	if m := s.play(request, sc, moneyAnswered(inDoubt)).money(); len(m) > 0 && moneyKey(m[0]) != moneyKey(deed) {
		return failed("%s, under key %s, and it asks for %s", what, moneyKey(deed), describe(m))
	}
	return s.schemeDoubt(request, sc, what)
}

func (s *suite) schemeDoubt(request *sdkv1.StepRequest, sc *scene, what string) finding {
	t := s.play(request, sc, moneyAnswered(inDoubt))
	if f := unsettled(t, what); f != passed {
		return f
	}
	if t.outcome.GetBpmnError() != nil {
		return failed("%s, and it raises an error that the flow takes for a no:\n%s", what, t.end())
	}
	if t.outcome.GetComplete() != nil && !slices.ContainsFunc(t.asked, func(e *sdkv1.Effect) bool {
		return moneyKey(e) == "" && (e.GetHttp() != nil || e.GetRoundTrip() != nil)
	}) {
		return failed("%s, and it completes without having asked what became of it:\n%s", what, t.end())
	}
	return passed
}
