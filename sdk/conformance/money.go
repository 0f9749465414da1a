package conformance

import (
	"encoding/json"
	"slices"

	"github.com/railhead-hub/railhead/sdk/abi"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// The cases of a job that moves money.

// moneySucceeds wants a vector in which the money moves.
func moneySucceeds(_ *suite, j *jobUnderTest) finding {
	if len(j.scenes) == 0 {
		return absent("it needs a vector of %s", j.declared.Type)
	}
	for _, sc := range j.good {
		if len(sc.money()) > 0 {
			return passed
		}
	}
	return failed("no vector of %s asks for money under a key, is answered, and completes", j.declared.Type)
}

// money are the money effects of the scene.
func (sc *scene) money() []*sdkv1.Effect {
	var out []*sdkv1.Effect
	for _, x := range sc.said {
		if moneyKey(x.effect) != "" {
			out = append(out, x.effect)
		}
	}
	return out
}

// moneyTermsGiven wants a key with terms for whatever may move money.
func moneyTermsGiven(s *suite, j *jobUnderTest) finding {
	asked := false
	for _, sc := range append(slices.Clone(j.scenes), j.base()...) {
		t := s.play(sc.request, sc, asRecorded)
		for _, e := range t.asked {
			switch h := e.GetHttp(); {
			case moneyKey(e) != "":
				asked = true
				if how := money(s.manifest, nil, &sdkv1.StepReply{Effects: []*sdkv1.Effect{e}}); how != "" {
					return failed("%s: %s", sc.name, how)
				}
			case h != nil && !slices.Contains([]string{"GET", "HEAD"}, h.Method) && mode(s.manifest, h.Endpoint) != "safe":
				return failed("%s: %s %s may move money, and has no key: give it one, with terms, or send it to an endpoint that is declared safe", sc.name, h.Method, h.Path)
			}
		}
	}
	if !asked {
		return absent("nothing leads it to move money: it needs a vector of %s that does", j.declared.Type)
	}
	return passed
}

// inMoney are the base scenes in which money is asked for.
func (s *suite) inMoney(j *jobUnderTest) []*scene {
	var out []*scene
	for _, sc := range j.base() {
		if t := s.play(sc.request, sc, asRecorded); t.problem == "" && len(t.money()) > 0 {
			out = append(out, sc)
		}
	}
	return out
}

// eachInMoney runs a case on every such scene, until one fails.
func eachInMoney(run func(*suite, *jobUnderTest, *scene) finding) func(*suite, *jobUnderTest) finding {
	return func(s *suite, j *jobUnderTest) finding {
		out := absent("nothing leads it to move money: it needs a vector of %s that does", j.declared.Type)
		for _, sc := range s.inMoney(j) {
			f := run(s, j, sc)
			if f.status == Failed {
				f.text = sc.name + ": " + f.text
				return f
			}
			if out.status != Passed {
				out = f
			}
		}
		return out
	}
}

// moneySameKey: the key names the deed, so it does not depend on the attempt, the
// time or chance.
func moneySameKey(s *suite, _ *jobUnderTest, sc *scene) finding {
	first := s.play(sc.request, sc, asRecorded)
	request, job := sc.job()
	job.Attempt, job.Retries, job.Element = job.Attempt+1, max(job.Retries, 1)-1, job.Element+"_again"
	otherwise(request)
	again := s.play(request, sc, asRecorded)
	if again.problem != "" {
		return failed("in the next attempt %s", again.problem)
	}
	if a, b := describe(first.money()), describe(again.money()); a != b {
		return failed("it asks for %s, and in the next attempt for %s", a, b)
	}
	return passed
}

// moneyDuplicate: the hub gives the answer of a deed that is done again, and the
// flow must see the same.
func moneyDuplicate(s *suite, _ *jobUnderTest, sc *scene) finding {
	if sc.outcome == nil {
		return absent("it needs a vector in which the deed is answered")
	}
	request, job := sc.job()
	job.Attempt++
	t := s.play(request, sc, asRecorded)
	switch {
	case t.problem != "":
		return failed("given the first answer again, %s", t.problem)
	case t.end() != sc.end():
		return failed("given the first answer again in another attempt, it ends otherwise:\n%s", difference(sc.end(), t.end()))
	}
	return passed
}

// moneyUnreachable: what certainly did not happen is not told as done.
func moneyUnreachable(s *suite, _ *jobUnderTest, sc *scene) finding {
	t := s.play(sc.request, sc, moneyAnswered(failure(abi.FailureUnreachable, "connection refused")))
	if f := unsettled(t, "the deed certainly was not done"); f != passed {
		return f
	}
	if sc.outcome != nil && t.end() == sc.end() {
		return failed("the deed certainly was not done, and it ends as if it were:\n%s", t.end())
	}
	if c := t.outcome.GetComplete(); c != nil && len(c.Variables) == 0 {
		return failed("the deed certainly was not done, and it completes without a word")
	}
	return passed
}

// unsettled: nothing was found out, so nothing is settled, no other deed is begun,
// and there is an outcome.
func unsettled(t *talk, what string) finding {
	if t.problem != "" {
		return failed("%s, and %s", what, t.problem)
	}
	if len(t.outcome.Settlements) > 0 {
		return failed("%s, nothing more was found out, and it settles the deed:\n%s", what, t.end())
	}
	var keys []string
	for _, e := range t.money() {
		keys = append(keys, moneyKey(e))
	}
	if keys = slices.Compact(keys); len(keys) > 1 {
		return failed("%s, and it goes on to another deed: %s", what, describe(t.money()))
	}
	return passed
}

// moneyInDoubt and moneyAnswerLost: while nobody knows, the job neither completes
// nor raises an error that the flow would take for a refusal, in any attempt.
func moneyInDoubt(s *suite, j *jobUnderTest, sc *scene) finding {
	return s.silence(j, sc, "the deed is in doubt and enquiry is silent", inDoubt)
}

func moneyAnswerLost(s *suite, j *jobUnderTest, sc *scene) finding {
	return s.silence(j, sc, "the deed is done, its answer is lost and enquiry is silent", lost)
}

func (s *suite) silence(_ *jobUnderTest, sc *scene, what string, answer *sdkv1.Answer) finding {
	for _, retries := range []uint32{2, 0} {
		request, job := sc.job()
		job.Retries = retries
		t := s.play(request, sc, moneyAnswered(answer))
		if f := unsettled(t, what); f != passed {
			return f
		}
		if t.outcome.GetComplete() != nil || t.outcome.GetBpmnError() != nil {
			return failed("%s, and it ends as if it knew:\n%s", what, t.end())
		}
	}
	return passed
}

// moneyLateSuccess: what was in doubt turns out to be done, and the flow learns it.
// At a keyed endpoint the hub sends the same request again and gets its answer;
// elsewhere the connector enquires, and only a vector knows how that is answered.
func moneyLateSuccess(s *suite, j *jobUnderTest, sc *scene) finding {
	if sc.outcome == nil {
		return absent("it needs a vector in which the deed is answered")
	}
	deed := sc.money()[0]
	for _, other := range j.scenes {
		found := slices.ContainsFunc(other.outcome.Settlements, func(x *sdkv1.Settlement) bool { return x.Done && x.Key == moneyKey(deed) })
		if found && other.outcome.GetComplete() != nil {
			return passed // the vector itself is the proof
		}
	}
	if mode(s.manifest, deed.GetHttp().GetEndpoint()) != "keyed" {
		return failed("its endpoint cannot be sent the same again, and no vector of %s shows the answer lost and enquiry finding the deed", j.declared.Type)
	}
	request, job := sc.job()
	job.Attempt++
	job.Prior = []*sdkv1.PriorEffect{{Key: moneyKey(deed), IdempotencyKey: inDoubt.GetInDoubt().IdempotencyKey}}
	t := s.play(request, sc, asRecorded)
	switch {
	case t.problem != "":
		return failed("in the attempt after the doubt %s", t.problem)
	case t.end() != sc.end():
		return failed("in the attempt after the doubt the deed is answered as done, and it ends otherwise, while no vector of %s shows enquiry finding the deed:\n%s", j.declared.Type, difference(sc.end(), t.end()))
	}
	return passed
}

// moneyPartialFailure: a success that nobody can read, as a proxy's page or half an
// answer, is neither a success nor a refusal.
func moneyPartialFailure(s *suite, _ *jobUnderTest, sc *scene) finding {
	deed := sc.money()
	if sc.outcome == nil || len(deed) == 0 {
		return absent("it needs a vector in which the deed is answered")
	}
	a, _ := sc.answerTo(deed[0])
	if len(a.answer.GetHttp().GetBody()) == 0 {
		return absent("the recorded success has no body that could be half there")
	}
	body := a.answer.GetHttp().Body
	for _, broken := range [][]byte{[]byte("<html>maintenance</html>"), []byte("null"), []byte("{}"), body[:len(body)/2]} {
		t := s.play(sc.request, sc, moneyAnswered(&sdkv1.Answer{Kind: &sdkv1.Answer_Http{Http: &sdkv1.HttpAnswer{
			Status: a.answer.GetHttp().Status, Headers: a.answer.GetHttp().Headers, Body: broken,
		}}}))
		if f := unsettled(t, "the answer says success and its body is "+string(broken)); f != passed {
			return f
		}
		if t.outcome.GetComplete() != nil || t.outcome.GetBpmnError() != nil {
			return failed("the answer says success, its body is %s, enquiry is silent, and it ends as if it knew:\n%s", broken, t.end())
		}
	}
	return passed
}

// moneyRefused: every refusal that a vector shows is a result with a code, and is
// not tried again.
func moneyRefused(_ *suite, j *jobUnderTest) finding {
	if len(j.scenes) == 0 {
		return absent("it needs a vector of %s", j.declared.Type)
	}
	out := failed("no vector of %s shows the deed refused", j.declared.Type)
	for _, sc := range j.scenes {
		at := slices.IndexFunc(sc.said, func(x exchange) bool { return moneyKey(x.effect) != "" && isRefusal(x.answer.answer) })
		if at < 0 {
			continue
		}
		asDone := slices.ContainsFunc(j.good, func(good *scene) bool { return good.end() == sc.end() })
		if last := at == len(sc.said)-1; !last {
			// It asked on: a hold that is not open may be so because of this very deed.
			if !asDone && sc.outcome.GetFail() == nil && hasCode(sc.outcome) {
				out = passed
			}
			continue
		}
		switch {
		case sc.outcome.GetFail().GetRetryable():
			return failed("%s: what is refused is tried again:\n%s", sc.name, sc.end())
		case asDone:
			return failed("%s: it ends as when the deed is done:\n%s", sc.name, sc.end())
		case !hasCode(sc.outcome):
			return failed("%s: the outcome says no code, so that neither the flow nor a person learns why:\n%s", sc.name, sc.end())
		}
		out = passed
	}
	return out
}

// isRefusal reports whether the answer is the other side's own no. Credentials that
// are wrong and a busy system are no answer to what was asked.
func isRefusal(a *sdkv1.Answer) bool {
	switch s := a.GetHttp().GetStatus(); s {
	case 401, 403, 408, 425, 429:
		return false
	default:
		return s >= 400 && s < 500
	}
}

// hasCode reports whether the outcome says why in a word.
func hasCode(o *sdkv1.Outcome) bool {
	if o.GetFail().GetCode() != "" || o.GetBpmnError().GetCode() != "" || o.GetDoubt() != nil {
		return true
	}
	return slices.ContainsFunc(o.GetComplete().GetVariables(), func(v *sdkv1.Variable) bool {
		var text string
		return json.Unmarshal(v.Json, &text) == nil && text != ""
	})
}

// moneyPrior: an earlier attempt left the deed in doubt. The first thing is to ask
// what became of it, or to ask the hub for that very deed.
func moneyPrior(s *suite, _ *jobUnderTest, sc *scene) finding {
	deed := s.play(sc.request, sc, asRecorded).money()[0]
	request, job := sc.job()
	job.Attempt++
	job.Prior = []*sdkv1.PriorEffect{{Key: moneyKey(deed), IdempotencyKey: inDoubt.GetInDoubt().IdempotencyKey}}
	t := s.play(request, sc, moneyAnswered(inDoubt))
	const what = "an earlier attempt left the deed in doubt"
	if f := unsettled(t, what); f != passed {
		return f
	}
	if m := t.money(); len(m) > 0 && moneyKey(m[0]) != moneyKey(deed) {
		return failed("%s under key %s, and it asks for %s", what, moneyKey(deed), describe(m))
	}
	if t.outcome.GetComplete() != nil || t.outcome.GetBpmnError() != nil {
		return failed("%s, and it ends as if it knew:\n%s", what, t.end())
	}
	return passed
}

// moneyMissing: without variables no money moves.
func moneyMissing(s *suite, j *jobUnderTest) finding {
	for _, sc := range j.base() {
		request, job := sc.job()
		job.Variables = nil
		if f := refusesBad(s, request, sc, "without variables"); f != passed {
			return f
		}
	}
	return passed
}

// refusesBad: no money moves, and it is not tried again.
func refusesBad(s *suite, request *sdkv1.StepRequest, sc *scene, what string) finding {
	t := s.play(request, sc, asRecorded)
	switch {
	case t.problem != "":
		return failed("%s %s", what, t.problem)
	case len(t.money()) > 0:
		return failed("%s it asks for %s", what, describe(t.money()))
	case t.outcome.GetFail().GetRetryable():
		return failed("%s it wants to be tried again, which cannot help:\n%s", what, t.end())
	}
	return passed
}

// moneyBadAmount: an amount that is no decimal never reaches the other side.
func moneyBadAmount(s *suite, _ *jobUnderTest, sc *scene) finding {
	for _, bad := range []string{"ten", "-5", "1e3", "", "1.2.3", "0x10", " 1", "1,5"} {
		text, err := json.Marshal(bad)
		if err != nil {
			return failed("%v", err)
		}
		request, job := sc.job()
		changed := 0
		job.Variables = withLeaves(job.Variables, func(name string, _ json.RawMessage) (json.RawMessage, bool) {
			if name != "amount" {
				return nil, false
			}
			changed++
			return text, true
		})
		if changed == 0 {
			return absent("none of its variables holds an amount")
		}
		t := s.play(request, sc, asRecorded)
		if t.problem != "" {
			return failed("with the amount %q %s", bad, t.problem)
		}
		for _, e := range t.money() {
			if !decimal.MatchString(moneyTerms(e).GetAmount()) {
				return failed("with the amount %q it asks for %s", bad, describe(t.money()))
			}
		}
		if t.outcome.GetFail().GetRetryable() {
			return failed("with the amount %q it wants to be tried again, which cannot help", bad)
		}
	}
	return passed
}

// moneyWithoutHold: what books or gives back a hold needs to know which.
func moneyWithoutHold(s *suite, j *jobUnderTest) finding {
	before := slices.Concat(j.declared.Settles, j.declared.Undoes)
	if len(before) == 0 {
		return absent("it neither settles nor undoes another job")
	}
	var gone []string
	for _, o := range s.manifest.Jobs {
		if slices.Contains(before, o.Type) {
			for _, name := range o.Outputs {
				if !slices.Contains(o.Inputs, name) {
					gone = append(gone, name)
				}
			}
		}
	}
	if len(gone) == 0 {
		return absent("the manifest does not say which variables %s sets", before[0])
	}
	for _, sc := range s.inMoney(j) {
		request, job := sc.job()
		job.Variables = slices.DeleteFunc(slices.Clone(job.Variables), func(v *sdkv1.Variable) bool { return slices.Contains(gone, v.Name) })
		if f := refusesBad(s, request, sc, "without what "+before[0]+" has left behind"); f != passed {
			f.text = sc.name + ": " + f.text
			return f
		}
	}
	return passed
}
