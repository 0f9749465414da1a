package conformance

import (
	"encoding/json"
	"regexp"
	"slices"

	"github.com/railhead-hub/railhead/sdk/host"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// Rule is something every connector of a kind must keep, whatever its vectors
// say.
type Rule struct {
	Name string
	// Kinds are the connector kinds it is for; nil means all.
	Kinds []string
	Text  string
	// broken says how a reply breaks the rule, or "". It is nil for rules that
	// are probed (see probe.go).
	broken func(*sdkv1.Manifest, *sdkv1.StepRequest, *sdkv1.StepReply) string
}

// Rules are all the rules. Those with a check look at every reply of every
// vector; the others are probed with triggers and answers made up on the spot.
var Rules = []Rule{
	{Name: "contract", broken: contract,
		Text: "a reply is effects, an outcome, a mismatch or an error; ordinals go on from the history; the outcome fits the trigger"},
	{Name: "declared", broken: declared,
		Text: "endpoints, links, keys and secrets are declared in the manifest, and secrets are named in header values only"},
	{Name: "money", broken: money,
		Text: "a money effect has terms with a decimal amount and a currency, and its endpoint is not declared safe"},
	{Name: "requests", broken: requests,
		Text: "a request from outside uses repeatable effects, start-payment, publish, emit, sequence and await-result only"},
	{Name: "json", broken: jsonRule,
		Text: "variables and event fields are JSON, and a variable is given once"},
	{Name: "covered",
		Text: "every job type and every route of the manifest has a vector, and no vector is for another"},
	{Name: "answers-all",
		Text: "a job without variables, and a request without parameters, is answered without a trap or panic"},
	{Name: "unknown",
		Text: "a job type it does not serve ends with a fail that is not retryable, an unknown route with a 4xx"},
	{Name: "hard-world",
		Text: "whatever a call is answered (unreachable, busy, 500, not JSON), the connector comes to an outcome"},
	{Name: "doubt", Kinds: []string{"ams"},
		Text: "while a money effect is in doubt, or its answer is lost, and enquiry is silent, the job neither completes nor raises a BPMN error"},
	{Name: "garbage", Kinds: []string{"channel", "scheme"},
		Text: "a request whose body is garbage starts and publishes nothing"},
}

func (r *Rule) isFor(kind string) bool { return r.Kinds == nil || slices.Contains(r.Kinds, kind) }

func contract(_ *sdkv1.Manifest, request *sdkv1.StepRequest, reply *sdkv1.StepReply) string {
	if err := host.CheckReply(request, reply); err != nil {
		return err.Error()
	}
	return ""
}

var secretReference = regexp.MustCompile(`\{\{secret:([^}]*)\}\}`)

func declared(m *sdkv1.Manifest, _ *sdkv1.StepRequest, reply *sdkv1.StepReply) string {
	endpoint := func(name string) bool {
		return slices.ContainsFunc(m.Endpoints, func(e *sdkv1.Endpoint) bool { return e.Name == name })
	}
	link := func(name string) bool {
		return slices.ContainsFunc(m.Links, func(l *sdkv1.Link) bool { return l.Name == name })
	}
	for _, e := range reply.Effects {
		switch kind := e.Kind.(type) {
		case *sdkv1.Effect_Http:
			if !endpoint(kind.Http.Endpoint) {
				return "endpoint " + kind.Http.Endpoint + " is not declared in manifest.json"
			}
			for _, h := range kind.Http.Headers {
				for _, ref := range secretReference.FindAllStringSubmatch(h.Value, -1) {
					if !slices.Contains(m.Secrets, ref[1]) {
						return "secret " + ref[1] + " is not declared in manifest.json"
					}
				}
			}
			if secretReference.MatchString(kind.Http.Path) || secretReference.Match(kind.Http.Body) {
				return "a secret is named in a path or body, where the host puts none: it goes into a header's value"
			}
		case *sdkv1.Effect_RoundTrip:
			if !link(kind.RoundTrip.Link) {
				return "link " + kind.RoundTrip.Link + " is not declared in manifest.json"
			}
		case *sdkv1.Effect_Send:
			if !link(kind.Send.Link) {
				return "link " + kind.Send.Link + " is not declared in manifest.json"
			}
		case *sdkv1.Effect_Forward:
			if !link(kind.Forward.Link) {
				return "link " + kind.Forward.Link + " is not declared in manifest.json"
			}
		}
		if ref, ok := keyRef(e); ok && !slices.Contains(m.Keys, ref) {
			return "key " + ref + " is not declared in manifest.json"
		}
	}
	return ""
}

func keyRef(e *sdkv1.Effect) (string, bool) {
	switch kind := e.Kind.(type) {
	case *sdkv1.Effect_Sign:
		return kind.Sign.KeyRef, true
	case *sdkv1.Effect_Verify:
		return kind.Verify.KeyRef, true
	case *sdkv1.Effect_Mac:
		return kind.Mac.KeyRef, true
	case *sdkv1.Effect_Encrypt:
		return kind.Encrypt.KeyRef, true
	}
	return "", false
}

var decimal = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?$`)

func money(m *sdkv1.Manifest, _ *sdkv1.StepRequest, reply *sdkv1.StepReply) string {
	for _, e := range reply.Effects {
		key, terms := e.GetHttp().GetKey(), e.GetHttp().GetTerms()
		if r := e.GetRoundTrip(); r != nil {
			key, terms = r.Key, r.Terms
		}
		switch {
		case key == "" && terms == nil:
			continue
		case key == "":
			return "terms without a key"
		case !decimal.MatchString(terms.GetAmount()):
			return "money effect " + key + " has no decimal amount"
		case len(terms.GetCurrency()) != 3:
			return "money effect " + key + " has no currency"
		case mode(m, e.GetHttp().GetEndpoint()) == "safe":
			return "money effect " + key + " goes to an endpoint declared safe"
		}
	}
	return ""
}

func mode(m *sdkv1.Manifest, endpoint string) string {
	for _, e := range m.Endpoints {
		if e.Name == endpoint {
			return e.Mode
		}
	}
	return ""
}

func requests(m *sdkv1.Manifest, request *sdkv1.StepRequest, reply *sdkv1.StepReply) string {
	if request.Trigger.GetFrameKey() != nil && len(reply.Effects) > 0 {
		return "an effect where a frame's key is asked for"
	}
	if request.Trigger.GetHttp() == nil && request.Trigger.GetFrame() == nil {
		return ""
	}
	for _, e := range reply.Effects {
		switch kind := e.Kind.(type) {
		case *sdkv1.Effect_Http:
			if mode(m, kind.Http.Endpoint) != "safe" {
				return "a call of endpoint " + kind.Http.Endpoint + ", which manifest.json does not declare safe"
			}
		case *sdkv1.Effect_Sleep, *sdkv1.Effect_Checkpoint, *sdkv1.Effect_RoundTrip, *sdkv1.Effect_Send, *sdkv1.Effect_Forward:
			return "an effect that only a job may use"
		}
	}
	return ""
}

func jsonRule(_ *sdkv1.Manifest, _ *sdkv1.StepRequest, reply *sdkv1.StepReply) string {
	sets := [][]*sdkv1.Variable{
		reply.Outcome.GetComplete().GetVariables(),
		reply.Outcome.GetBpmnError().GetVariables(),
	}
	for _, e := range reply.Effects {
		sets = append(sets, e.GetStartPayment().GetVariables(), e.GetPublish().GetVariables())
		if emit := e.GetEmit(); emit != nil && !json.Valid(emit.Json) {
			return "the fields of event " + emit.Name + " are not JSON"
		}
	}
	for _, set := range sets {
		seen := map[string]bool{}
		for _, v := range set {
			switch {
			case v.Name == "":
				return "a variable without a name"
			case seen[v.Name]:
				return "variable " + v.Name + " is given twice"
			case !json.Valid(v.Json):
				return "variable " + v.Name + " is not JSON"
			}
			seen[v.Name] = true
		}
	}
	return ""
}
