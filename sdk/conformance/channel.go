package conformance

import (
	"slices"

	"github.com/railhead-hub/railhead/sdk/abi"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// channelVerbs are what a flow tells a channel.
var channelVerbs = []verb{
	{"tell-success", []string{"send-success-to-channel"}},
	{"tell-error", []string{"send-error-to-channel"}},
	{"tell-unknown", []string{"send-unknown-to-channel"}},
}

var channelJobCases = []jobCase{
	{"no-money", readMovesNothing},
	{"undelivered", channelUndelivered},
	{"sensitive", jobHidden},
	{"outputs", jobOutputs},
}

func (s *suite) channel(scenes []*scene) {
	s.jobs(scenes, channelVerbs, func(*sdkv1.JobType) []jobCase { return channelJobCases })
	s.routes(scenes, slices.Concat(routeCases, channelRouteCases))
}

// channelUndelivered: a callback that nobody took is tried again while there are
// attempts left.
func channelUndelivered(s *suite, j *jobUnderTest) finding {
	out := absent("it calls nobody, as far as its vectors show")
	for _, sc := range append(slices.Clone(j.scenes), j.plain) {
		for _, answer := range []*sdkv1.Answer{failure(abi.FailureUnreachable, "no connection"), inDoubt,
			{Kind: &sdkv1.Answer_Http{Http: &sdkv1.HttpAnswer{Status: 503}}}} {
			request, job := sc.job()
			job.Attempt, job.Retries = 1, 2
			t := s.play(request, sc, calls(answer))
			switch {
			case t.problem != "":
				return failed("%s: when the callback is not taken %s", sc.name, t.problem)
			case !slices.ContainsFunc(t.asked, func(e *sdkv1.Effect) bool { return e.GetHttp() != nil }):
				continue
			case !t.outcome.GetFail().GetRetryable():
				return failed("%s: nobody took the callback, attempts are left, and it is not tried again:\n%s", sc.name, t.end())
			}
			out = passed
		}
	}
	return out
}

// calls answers every HTTP call so, and what the hub itself answers as it would.
func calls(answer *sdkv1.Answer) policy {
	return func(e *sdkv1.Effect) (*sdkv1.Answer, bool) {
		switch {
		case e.GetHttp() != nil:
			return answer, true
		case e.GetEmit() != nil:
			return &sdkv1.Answer{Kind: &sdkv1.Answer_Done{Done: &sdkv1.Done{}}}, true
		}
		return nil, false
	}
}
