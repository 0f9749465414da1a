package conformance

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/railhead-hub/railhead/sdk/abi"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// canary stands in place of what the manifest calls sensitive.
const canary = "canary-5f2a91c7"

// hidden runs a scene with a canary in place of every sensitive text, in variables,
// requests and answers, and looks for it where people who must not see it would:
// in reasons, messages and log lines.
func (s *suite) hidden(scenes []*scene) finding {
	if len(s.manifest.Sensitive) == 0 {
		return absent("the manifest declares nothing sensitive")
	}
	text := marshal(canary)
	planted := 0
	plant := func(name string, leaf json.RawMessage) (json.RawMessage, bool) {
		if leaf[0] != '"' || !slices.Contains(s.manifest.Sensitive, name) {
			return nil, false
		}
		planted++
		return text, true
	}
	for _, sc := range scenes {
		sown := sc.sown(plant)
		for _, p := range []policy{asRecorded, everything(inDoubt), everything(failure(abi.FailureUnreachable, "no connection"))} {
			s.drain()
			t := s.play(sown.request, sown, p)
			if lines := strings.Join(s.drain(), "\n"); strings.Contains(lines, canary) {
				return failed("%s: what is sensitive stands in the log:\n%s", sc.name, lines)
			}
			if t.problem != "" {
				return failed("%s: with another text in what is sensitive %s", sc.name, t.problem)
			}
			for _, said := range []string{t.outcome.GetFail().GetReason(), t.outcome.GetBpmnError().GetMessage(), t.outcome.GetDoubt().GetReason()} {
				if strings.Contains(said, canary) {
					return failed("%s: what is sensitive stands in the reason %q, which nobody masks", sc.name, said)
				}
			}
		}
	}
	if planted == 0 {
		return absent("none of its vectors holds a text under a sensitive name")
	}
	return passed
}

// drain takes the log lines since the last time.
func (s *suite) drain() []string {
	if s.logged == nil {
		return nil
	}
	return s.logged()
}

// sown is the scene with something planted in it.
func (sc *scene) sown(plant change) *scene {
	out := &scene{name: sc.name}
	switch kind := sc.request.Trigger.Kind.(type) {
	case *sdkv1.Trigger_Job:
		request, job := sc.job()
		job.Variables = withLeaves(kind.Job.Variables, plant)
		out.request = request
	case *sdkv1.Trigger_Http:
		request, http := sc.http()
		http.Body = changeJSON("", kind.Http.Body, plant)
		out.request = request
	default:
		out.request = sc.request
	}
	for _, x := range sc.said {
		a := x.answer
		if h := a.answer.GetHttp(); h != nil {
			a.answer = &sdkv1.Answer{Kind: &sdkv1.Answer_Http{Http: &sdkv1.HttpAnswer{
				Status: h.Status, Headers: h.Headers, Body: changeJSON("", h.Body, plant),
			}}}
		}
		out.said = append(out.said, exchange{x.effect, a})
	}
	return out
}
