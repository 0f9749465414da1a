package conformance

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/railhead-hub/railhead/sdk/abi"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// routeUnderTest is a route and the scenes that begin with it.
type routeUnderTest struct {
	declared *sdkv1.Route
	scenes   []*scene
}

// routeCase is one case of a route.
type routeCase struct {
	name string
	run  func(*suite, *routeUnderTest) finding
}

// routeCases are those of every route; those of a channel's follow, since only a
// channel's clients start payments and ask for them.
var routeCases = []routeCase{
	{"malformed", routeMalformed},
	{"once", routeOnce},
	{"repeated", routeRepeated},
	{"same-key", routeSameKey},
	{"unavailable", routeUnavailable},
	{"sensitive", func(s *suite, r *routeUnderTest) finding { return s.hidden(r.scenes) }},
}

var channelRouteCases = []routeCase{
	{"other-request", routeOtherRequest},
	{"conflict", routeConflict},
	{"status", routeStatus},
}

func (s *suite) routes(scenes []*scene, cases []routeCase) {
	if len(s.manifest.Routes) == 0 {
		s.add("routes", absent("it has no routes"))
	}
	for _, declared := range s.manifest.Routes {
		r := &routeUnderTest{declared: declared}
		for _, sc := range scenes {
			if sc.request.Trigger.GetHttp().GetRoute() == declared.Name {
				r.scenes = append(r.scenes, sc)
			}
		}
		for _, c := range cases {
			s.add(declared.Name+"/"+c.name, c.run(s, r))
		}
	}
}

// takes reports whether it is an effect by which a request takes hold in the hub.
func takes(e *sdkv1.Effect) bool { return e.GetStartPayment() != nil || e.GetPublish() != nil }

// taking are the scenes in which a request is answered with success because it
// started or published something.
func (r *routeUnderTest) taking() []*scene {
	var out []*scene
	for _, sc := range r.scenes {
		if st := sc.outcome.GetReply().GetStatus(); st >= 200 && st < 300 && slices.ContainsFunc(sc.said, func(x exchange) bool { return takes(x.effect) && isAnswered(x.answer.answer) }) {
			out = append(out, sc)
		}
	}
	return out
}

// eachTaking runs a case on every such scene, until one fails.
func eachTaking(r *routeUnderTest, run func(*scene) finding) finding {
	out := absent("no vector of route %s starts or publishes anything", r.declared.Name)
	for _, sc := range r.taking() {
		f := run(sc)
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

// taken are the effects of a talk by which the request took hold.
func (t *talk) taken() []*sdkv1.Effect {
	var out []*sdkv1.Effect
	for _, e := range t.asked {
		if takes(e) {
			out = append(out, e)
		}
	}
	return out
}

// routeMalformed: a body that is garbage takes no hold, and where a sound one would
// it is not answered with success.
func routeMalformed(s *suite, r *routeUnderTest) finding {
	out := absent("no vector of route %s has a body", r.declared.Name)
	taking := r.taking()
	for _, sc := range r.scenes {
		body := sc.request.Trigger.GetHttp().Body
		if len(body) == 0 {
			continue
		}
		out = passed
		for _, bad := range [][]byte{nil, []byte("{"), []byte("null"), []byte(`"text"`), []byte("[]"), {0xff, 0xfe}, body[:len(body)/2], bytes.Repeat([]byte("["), 10000)} {
			request, http := sc.http()
			http.Body = bad
			t := s.play(request, sc, asRecorded)
			switch {
			case t.problem != "":
				return failed("%s: with the body %.40q %s", sc.name, bad, t.problem)
			case len(t.taken()) > 0:
				return failed("%s: with the body %.40q it asks for\n%s", sc.name, bad, Render(&sdkv1.StepReply{Effects: t.taken()[:1]}))
			case t.outcome.GetReply().GetStatus()/100 == 2 && slices.Contains(taking, sc):
				return failed("%s: the body %.40q is answered with success:\n%s", sc.name, bad, t.end())
			}
		}
	}
	return out
}

// routeOnce: what starts a payment names the client's key and a digest of the
// request; a message names its id. Without them, what comes twice happens twice.
func routeOnce(s *suite, r *routeUnderTest) finding {
	return eachTaking(r, func(sc *scene) finding {
		t := s.play(sc.request, sc, asRecorded)
		if t.problem != "" {
			return failed("%s", t.problem)
		}
		if f := once(t); f != passed {
			return f
		}
		// Whatever header carries the key: without it nothing may start.
		for i := range sc.request.Trigger.GetHttp().Headers {
			request, http := sc.http()
			name := http.Headers[i].Key
			http.Headers = slices.Delete(slices.Clone(http.Headers), i, i+1)
			if t := s.play(request, sc, asRecorded); t.problem != "" {
				return failed("without the header %s %s", name, t.problem)
			} else if f := once(t); f != passed {
				f.text = "without the header " + name + " " + f.text
				return f
			}
		}
		return passed
	})
}

func once(t *talk) finding {
	starts := 0
	for _, e := range t.taken() {
		switch start, message := e.GetStartPayment(), e.GetPublish(); {
		case start != nil && start.ClientKey == "":
			return failed("it starts a payment without the client's key")
		case start != nil && len(start.RequestDigest) == 0:
			return failed("it starts a payment without a digest of the request")
		case start != nil:
			starts++
		case message.Key == "":
			return failed("it publishes %s without a key: no payment can take it", message.Name)
		case message.MessageId == "":
			return failed("it publishes %s without an id: what comes twice counts twice", message.Name)
		}
	}
	if starts > 1 {
		return failed("it starts %d payments", starts)
	}
	return passed
}

// routeRepeated: the same request again gets the first answer again.
func routeRepeated(s *suite, r *routeUnderTest) finding {
	return eachTaking(r, func(sc *scene) finding {
		t := s.play(sc.request, sc, func(e *sdkv1.Effect) (*sdkv1.Answer, bool) {
			recorded, _ := sc.answerTo(e)
			switch {
			case e.GetStartPayment() != nil && recorded.answer.GetStart() != nil:
				return &sdkv1.Answer{Kind: &sdkv1.Answer_Start{Start: &sdkv1.StartAnswer{Payment: recorded.answer.GetStart().Payment, RepeatedStart: true}}}, true
			case e.GetPublish() != nil:
				return &sdkv1.Answer{Kind: &sdkv1.Answer_Publish{Publish: &sdkv1.PublishAnswer{Duplicate: true}}}, true
			}
			return nil, false
		})
		if t.problem != "" {
			return failed("when the request is repeated %s", t.problem)
		}
		if t.end() != sc.end() {
			return failed("when the request is repeated it is answered otherwise:\n%s", difference(sc.end(), t.end()))
		}
		return passed
	})
}

// routeSameKey: the keys come from the request, not from the time or from chance.
func routeSameKey(s *suite, r *routeUnderTest) finding {
	return eachTaking(r, func(sc *scene) finding {
		first := s.play(sc.request, sc, asRecorded)
		request, _ := sc.http()
		otherwise(request)
		again := s.play(request, sc, asRecorded)
		if again.problem != "" {
			return failed("when the request comes again later %s", again.problem)
		}
		if a, b := identities(first), identities(again); a != b {
			return failed("when the request comes again later, the hub cannot know it again:\n%s", difference(a, b))
		}
		return passed
	})
}

// identities are what the hub knows requests and messages again by.
func identities(t *talk) string {
	var p printer
	for _, e := range t.taken() {
		if start := e.GetStartPayment(); start != nil {
			p.effect(&sdkv1.Effect{Kind: &sdkv1.Effect_StartPayment{StartPayment: &sdkv1.StartPayment{
				Flow: start.Flow, ClientKey: start.ClientKey, RequestDigest: start.RequestDigest,
			}}})
			continue
		}
		p.effect(&sdkv1.Effect{Kind: &sdkv1.Effect_Publish{Publish: &sdkv1.Publish{
			Name: e.GetPublish().Name, Key: e.GetPublish().Key, MessageId: e.GetPublish().MessageId,
		}}})
	}
	return strings.Join(p.lines, "\n")
}

// routeOtherRequest: another request under the same key is known as another: what
// the payment begins with differs only if the digest does.
func routeOtherRequest(s *suite, r *routeUnderTest) finding {
	out := absent("no vector of route %s starts a payment from a JSON body", r.declared.Name)
	for _, sc := range r.taking() {
		first := s.play(sc.request, sc, asRecorded)
		start := startOf(first)
		if start == nil {
			continue
		}
		leaves := 0
		changeJSON("", sc.request.Trigger.GetHttp().Body, func(string, json.RawMessage) (json.RawMessage, bool) { leaves++; return nil, false })
		for n := range leaves {
			request, http := sc.http()
			at, changed := 0, ""
			http.Body = changeJSON("", http.Body, func(name string, leaf json.RawMessage) (json.RawMessage, bool) {
				at++
				if at-1 != n {
					return nil, false
				}
				changed = name
				return anotherLeaf(leaf), true
			})
			other := startOf(s.play(request, sc, asRecorded))
			if other == nil || other.ClientKey != start.ClientKey {
				continue // refused, or another request by its own key
			}
			out = passed
			if !sameVariables(start.Variables, other.Variables) && bytes.Equal(start.RequestDigest, other.RequestDigest) {
				return failed("%s: with another %s the payment would begin otherwise, and the digest of the request is the same: the hub would take it for a repetition", sc.name, changed)
			}
		}
	}
	return out
}

func startOf(t *talk) *sdkv1.StartPayment {
	for _, e := range t.taken() {
		if start := e.GetStartPayment(); start != nil {
			return start
		}
	}
	return nil
}

// anotherLeaf is another value of the same shape: digits stay digits.
func anotherLeaf(leaf json.RawMessage) json.RawMessage {
	out := bytes.Clone(leaf)
	for i := len(out) - 1; i >= 0; i-- {
		switch b := out[i]; {
		case b >= '1' && b <= '8', b >= 'a' && b <= 'y':
			out[i]++
			return out
		case b == '9':
			out[i] = '8'
			return out
		}
	}
	return out
}

// routeConflict: the hub knows another request under that key, and the client has
// to hear so.
func routeConflict(s *suite, r *routeUnderTest) finding {
	out := absent("no vector of route %s starts a payment", r.declared.Name)
	for _, sc := range r.taking() {
		t := s.play(sc.request, sc, onTake(failure(abi.FailureConflict, "another request was made under this key")))
		if startOf(t) == nil {
			continue
		}
		if t.problem != "" {
			return failed("%s: on a conflict %s", sc.name, t.problem)
		}
		if st := t.outcome.GetReply().GetStatus(); st < 400 || st > 499 {
			return failed("%s: on a conflict the client is answered\n%s", sc.name, t.end())
		}
		out = passed
	}
	return out
}

// onTake answers what takes hold so.
func onTake(answer *sdkv1.Answer) policy {
	return func(e *sdkv1.Effect) (*sdkv1.Answer, bool) { return answer, takes(e) }
}

// routeUnavailable: as long as nothing took hold, or nobody knows, the answer is a
// 5xx, so that the request is sent again.
func routeUnavailable(s *suite, r *routeUnderTest) finding {
	return eachTaking(r, func(sc *scene) finding {
		for _, answer := range []*sdkv1.Answer{failure(abi.FailureUnavailable, "no leader"), failure(abi.FailureBusy, "too much to do"), failure(abi.FailureTimeout, "no answer in time"), inDoubt} {
			t := s.play(sc.request, sc, onTake(answer))
			if t.problem != "" {
				return failed("when the hub cannot take it %s", t.problem)
			}
			if st := t.outcome.GetReply().GetStatus(); st < 500 {
				return failed("the hub could not take it, or nobody knows, and it is answered\n%s", t.end())
			}
		}
		return passed
	})
}

// routeStatus: what is told of a payment never says more than is known. Whoever
// asks can tell a completed payment from every other, and one that does not exist
// is a 404.
func routeStatus(s *suite, r *routeUnderTest) finding {
	out := absent("no vector of route %s asks for a payment", r.declared.Name)
	for _, sc := range r.scenes {
		if slices.ContainsFunc(sc.said, func(x exchange) bool { return takes(x.effect) }) || !slices.ContainsFunc(sc.said, func(x exchange) bool { return asksPayment(x.effect) && x.answer.answer.GetQuery().GetFound() }) {
			continue
		}
		told := func(q *sdkv1.QueryAnswer) (string, *talk) {
			t := s.play(sc.request, sc, func(e *sdkv1.Effect) (*sdkv1.Answer, bool) {
				return &sdkv1.Answer{Kind: &sdkv1.Answer_Query{Query: q}}, asksPayment(e)
			})
			if t.problem != "" {
				return "", t
			}
			return t.end(), t
		}
		payment := func(state, result string) *sdkv1.QueryAnswer {
			q := &sdkv1.QueryAnswer{Found: true, Payment: defaultPayment, State: state, Result: result, ClientKey: "c-1", Flow: "f", StartedMs: defaultTime.UnixMilli()}
			if state == "ended" {
				q.EndedMs = q.StartedMs + 1000
			} else {
				q.Pending = true
			}
			return q
		}
		completed, t := told(payment("ended", "completed"))
		if t.problem != "" {
			return failed("%s: of a completed payment %s", sc.name, t.problem)
		}
		out = passed
		for _, other := range []*sdkv1.QueryAnswer{payment("running", ""), payment("incident", ""), payment("ended", "failed"), payment("ended", "rejected"),
			payment("ended", "reversed"), payment("ended", "returned"), payment("ended", "cancelled"), payment("ended", "unknown")} {
			text, t := told(other)
			if t.problem != "" {
				return failed("%s: of a payment that is %s %s %s", sc.name, other.State, other.Result, t.problem)
			}
			if text == completed {
				return failed("%s: of a payment that is %s it tells what it tells of a completed one:\n%s", sc.name, strings.TrimSpace(other.State+" "+other.Result), text)
			}
		}
		if _, t := told(&sdkv1.QueryAnswer{}); t.problem != "" || t.outcome.GetReply().GetStatus()/100 == 2 {
			return failed("%s: a payment that does not exist is not refused: %s", sc.name, t.problem)
		}
		unavailable := s.play(sc.request, sc, func(e *sdkv1.Effect) (*sdkv1.Answer, bool) {
			return failure(abi.FailureUnavailable, "no leader"), asksPayment(e)
		})
		if unavailable.problem != "" || unavailable.outcome.GetReply().GetStatus() < 500 {
			return failed("%s: when the hub cannot be asked, the answer is no 5xx: %s", sc.name, unavailable.problem)
		}
	}
	return out
}

func asksPayment(e *sdkv1.Effect) bool { return e.GetQuery() != nil || e.GetAwaitResult() != nil }
