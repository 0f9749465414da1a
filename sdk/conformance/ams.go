package conformance

import (
	"slices"
	"strings"

	"github.com/railhead-hub/railhead/sdk/abi"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// amsVerbs are what a core banking system is asked to do, and the job types of
// Payment Hub EE's flows that ask it.
var amsVerbs = []verb{
	{"lookup", []string{"party-lookup-local"}},
	{"quote", []string{"payer-local-quote", "payee-quote"}},
	{"hold", []string{"block-funds"}},
	{"book", []string{"book-funds"}},
	{"release", []string{"release-block"}},
	{"deposit", []string{"payee-commit-transfer", "payee-deposit-transfer"}},
	{"internal-transfer", []string{"internal-transfer"}},
	{"status", []string{"account-status"}},
}

// moneyCases are those of a job that moves money.
var moneyCases = []jobCase{
	{"success", moneySucceeds},
	{"refusal", moneyRefused},
	{"terms", moneyTermsGiven},
	{"same-key", eachInMoney(moneySameKey)},
	{"duplicate", eachInMoney(moneyDuplicate)},
	{"unreachable", eachInMoney(moneyUnreachable)},
	{"in-doubt", eachInMoney(moneyInDoubt)},
	{"answer-lost", eachInMoney(moneyAnswerLost)},
	{"late-success", eachInMoney(moneyLateSuccess)},
	{"partial-failure", eachInMoney(moneyPartialFailure)},
	{"prior", eachInMoney(moneyPrior)},
	{"missing", moneyMissing},
	{"bad-amount", eachInMoney(moneyBadAmount)},
	{"without-hold", moneyWithoutHold},
	{"sensitive", jobHidden},
	{"outputs", jobOutputs},
}

// readCases are those of a job that asks and changes nothing.
var readCases = []jobCase{
	{"success", readSucceeds},
	{"refusal", readRefused},
	{"no-money", readMovesNothing},
	{"silence", readSilence},
	{"partial-failure", readPartialFailure},
	{"missing", readMissing},
	{"sensitive", jobHidden},
	{"outputs", jobOutputs},
}

func (s *suite) ams(scenes []*scene) {
	s.jobs(scenes, amsVerbs, func(j *sdkv1.JobType) []jobCase {
		if j.Money {
			return moneyCases
		}
		return readCases
	})
}

func readSucceeds(_ *suite, j *jobUnderTest) finding {
	if len(j.scenes) == 0 {
		return absent("it needs a vector of %s", j.declared.Type)
	}
	for _, sc := range j.good {
		if len(sc.said) > 0 {
			return passed
		}
	}
	return failed("no vector of %s asks something, is answered, and completes", j.declared.Type)
}

// readRefused: a no is a result, and differs from a yes.
func readRefused(_ *suite, j *jobUnderTest) finding {
	if len(j.scenes) == 0 {
		return absent("it needs a vector of %s", j.declared.Type)
	}
	out := failed("no vector of %s shows the question refused", j.declared.Type)
	for _, sc := range j.scenes {
		if len(sc.said) == 0 || !isRefusal(sc.said[len(sc.said)-1].answer.answer) {
			continue
		}
		if sc.outcome.GetFail().GetRetryable() {
			return failed("%s: what is refused is tried again:\n%s", sc.name, sc.end())
		}
		if !hasCode(sc.outcome) {
			return failed("%s: the outcome says no code, so that neither the flow nor a person learns why:\n%s", sc.name, sc.end())
		}
		for _, good := range j.good {
			if good.end() == sc.end() {
				return failed("%s: it ends as %s does, in which the answer is a yes", sc.name, good.name)
			}
		}
		out = passed
	}
	return out
}

// readMovesNothing: a job that is not declared to move money does not.
func readMovesNothing(s *suite, j *jobUnderTest) finding {
	for _, sc := range append(slices.Clone(j.scenes), j.base()...) {
		t := s.play(sc.request, sc, asRecorded)
		if t.problem != "" {
			return failed("%s: %s", sc.name, t.problem)
		}
		if len(t.money()) > 0 {
			return failed("%s: it asks for %s, and the manifest does not say that it moves money", sc.name, describe(t.money()))
		}
	}
	return passed
}

// asking are the base scenes in which anything is asked.
func (s *suite) asking(j *jobUnderTest) []*scene {
	var out []*scene
	for _, sc := range j.base() {
		if t := s.play(sc.request, sc, asRecorded); t.problem == "" && len(t.asked) > 0 {
			out = append(out, sc)
		}
	}
	return out
}

// readSilence: no answer is no result. The flow must not take an outage for a no.
func readSilence(s *suite, j *jobUnderTest) finding {
	asking := s.asking(j)
	for _, sc := range asking {
		for _, silent := range []*sdkv1.Answer{failure(abi.FailureUnreachable, "no connection"), failure(abi.FailureTimeout, "no answer in time"), inDoubt} {
			t := s.play(sc.request, sc, everything(silent))
			if t.problem != "" {
				return failed("%s: when nothing answers %s", sc.name, t.problem)
			}
			if t.outcome.GetFail() == nil {
				return failed("%s: when nothing answers it ends as if it knew, in place of a fail that is tried again:\n%s", sc.name, t.end())
			}
		}
	}
	if len(asking) == 0 {
		return absent("nothing leads it to ask: it needs a vector of %s that does", j.declared.Type)
	}
	return passed
}

// readPartialFailure: an answer that nobody can read is not what was asked for.
func readPartialFailure(s *suite, j *jobUnderTest) finding {
	out := absent("it needs a vector of %s whose answer has a body", j.declared.Type)
	for _, sc := range j.good {
		if len(sc.said) == 0 {
			continue
		}
		last := sc.said[len(sc.said)-1]
		body := last.answer.answer.GetHttp().GetBody()
		if len(body) == 0 {
			continue
		}
		out = passed
		for _, broken := range []string{"<html>maintenance</html>", "null", string(body[:len(body)/2])} {
			t := s.play(sc.request, sc, func(e *sdkv1.Effect) (*sdkv1.Answer, bool) {
				return &sdkv1.Answer{Kind: &sdkv1.Answer_Http{Http: &sdkv1.HttpAnswer{Status: 200, Body: []byte(broken)}}}, e.Ordinal == last.effect.Ordinal
			})
			if t.problem != "" {
				return failed("%s: when the answer is %s %s", sc.name, broken, t.problem)
			}
			if c := t.outcome.GetComplete(); c != nil && !hasCode(&sdkv1.Outcome{Kind: &sdkv1.Outcome_Complete{Complete: onlyNew(c, sc.outcome.GetComplete())}}) {
				return failed("%s: when the answer is %s it completes, and says no code:\n%s", sc.name, broken, t.end())
			}
		}
	}
	return out
}

// onlyNew are the variables that the good outcome does not set.
func onlyNew(c, good *sdkv1.Complete) *sdkv1.Complete {
	return &sdkv1.Complete{Variables: slices.DeleteFunc(slices.Clone(c.Variables), func(v *sdkv1.Variable) bool {
		return slices.ContainsFunc(good.GetVariables(), func(g *sdkv1.Variable) bool { return g.Name == v.Name })
	})}
}

func readMissing(s *suite, j *jobUnderTest) finding {
	for _, sc := range j.base() {
		request, job := sc.job()
		job.Variables = nil
		if f := refusesBad(s, request, sc, "without variables"); f != passed {
			return f
		}
	}
	return passed
}

func jobHidden(s *suite, j *jobUnderTest) finding {
	return s.hidden(append(slices.Clone(j.scenes), j.plain))
}

// jobOutputs: the linter of flows believes what the manifest says a job may set.
func jobOutputs(s *suite, j *jobUnderTest) finding {
	if !slices.ContainsFunc(s.manifest.Jobs, func(j *sdkv1.JobType) bool { return len(j.Outputs) > 0 }) {
		return absent("the manifest does not say what its jobs set")
	}
	for _, sc := range append(slices.Clone(j.scenes), j.plain) {
		for _, p := range []policy{asRecorded, everything(failure(abi.FailureUnreachable, "no connection")), everything(inDoubt),
			everything(&sdkv1.Answer{Kind: &sdkv1.Answer_Http{Http: &sdkv1.HttpAnswer{Status: 422, Body: []byte(`{"code":"NO","message":"no"}`)}}})} {
			t := s.play(sc.request, sc, p)
			if t.problem != "" {
				return failed("%s: %s", sc.name, t.problem)
			}
			for _, v := range slices.Concat(t.outcome.GetComplete().GetVariables(), t.outcome.GetBpmnError().GetVariables()) {
				if !slices.Contains(j.declared.Outputs, v.Name) {
					return failed("%s: it sets the variable %s, which the manifest does not name among the outputs of %s (%s)",
						sc.name, v.Name, j.declared.Type, strings.Join(j.declared.Outputs, ", "))
				}
			}
		}
	}
	return passed
}
