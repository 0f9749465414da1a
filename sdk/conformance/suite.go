package conformance

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// Suite holds a connector to what every connector of its kind must do, whatever it
// speaks on the other side, and says so case by case: ams/hold/duplicate. The other
// side is made up from the vectors: their answers are given again, withheld, lost,
// repeated, or replaced by what any system may answer. Without vectors only the
// cases remain that need no answer of a particular system; the others say what
// they are missing.
//
// A connector of kind notify has no suite.
func Suite(ctx context.Context, subject Subject, vectors []*Vector) ([]Verdict, error) {
	s := &suite{ctx: ctx, manifest: subject.Manifest, logged: subject.Logged}
	instance := &revived{subject: subject}
	defer instance.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing was asked of it any more
	if err := instance.open(ctx); err != nil {
		return nil, err
	}
	s.instance = instance
	scenes := s.scenes(vectors)
	switch subject.Manifest.Kind {
	case "ams":
		s.ams(scenes)
	case "channel":
		s.channel(scenes)
	case "scheme":
		s.scheme(scenes)
	default:
		s.add("suite", absent("there is none for connectors of kind %s", subject.Manifest.Kind))
	}
	return s.verdicts, instance.err
}

type suite struct {
	ctx      context.Context
	manifest *sdkv1.Manifest
	instance Instance
	logged   func() []string // nil if nobody listens
	verdicts []Verdict
}

func (s *suite) add(name string, f finding) {
	s.verdicts = append(s.verdicts, Verdict{Case: s.manifest.Kind + "/" + name, Status: f.status, Text: f.text})
}

// revived opens another instance after one has died, so that a trap is one case's
// problem and not that of all that follow.
type revived struct {
	subject  Subject
	instance Instance
	err      error // another could not be opened
}

func (r *revived) open(ctx context.Context) error {
	instance, err := r.subject.Open(ctx)
	if err != nil {
		r.err = fmt.Errorf("conformance: opening an instance: %w", err)
		return r.err
	}
	r.instance = instance
	return nil
}

func (r *revived) Step(ctx context.Context, request *sdkv1.StepRequest) (*sdkv1.StepReply, error) {
	if r.instance == nil {
		if err := r.open(ctx); err != nil {
			return nil, err
		}
	}
	reply, err := r.instance.Step(ctx, request)
	if err != nil || reply.Error != "" {
		_ = r.Close(ctx) // the step's own error matters more
	}
	return reply, err
}

func (r *revived) Close(ctx context.Context) error {
	if r.instance == nil {
		return nil
	}
	defer func() { r.instance = nil }()
	return r.instance.Close(ctx)
}

// verb is what a job type does, in the words of the suite.
type verb struct {
	name string
	// types are the job types that do it, without the tenant at their end.
	types []string
}

// jobCase is one case of a job type. It is run for one job type at a time.
type jobCase struct {
	name string
	run  func(*suite, *jobUnderTest) finding
}

// jobUnderTest is a job type and the scenes that begin with it.
type jobUnderTest struct {
	declared *sdkv1.JobType
	scenes   []*scene
	// good are the scenes in which everything is answered and the job completes;
	// without any, plain is one with variables of the usual names.
	good  []*scene
	plain *scene
}

// base are the scenes that a case begins from if it needs no recorded answer.
func (j *jobUnderTest) base() []*scene {
	if len(j.good) > 0 {
		return j.good
	}
	return []*scene{j.plain}
}

// jobs runs the cases of every verb, on every job type that the connector serves
// for it, and says of the others that they do not apply.
func (s *suite) jobs(scenes []*scene, verbs []verb, casesOf func(*sdkv1.JobType) []jobCase) {
	served := map[string]bool{}
	for _, v := range verbs {
		var types []*sdkv1.JobType
		for _, j := range s.manifest.Jobs {
			if slices.Contains(v.types, withoutTenant(j.Type)) {
				types = append(types, j)
			}
		}
		if len(types) == 0 {
			s.add(v.name, absent("it serves no %s", strings.Join(v.types, " and no ")))
		}
		for _, j := range types {
			served[j.Type] = true
			name := v.name
			if len(types) > 1 {
				name += "/" + withoutTenant(j.Type)
			}
			s.job(name, j, scenes, casesOf(j))
		}
	}
	for _, j := range s.manifest.Jobs {
		if !served[j.Type] {
			s.job(withoutTenant(j.Type), j, scenes, casesOf(j))
		}
	}
}

func (s *suite) job(name string, declared *sdkv1.JobType, scenes []*scene, cases []jobCase) {
	j := &jobUnderTest{declared: declared, plain: plainScene(declared.Type)}
	for _, sc := range scenes {
		if sc.request.Trigger.GetJob().GetType() != declared.Type {
			continue
		}
		j.scenes = append(j.scenes, sc)
		if sc.outcome.GetComplete() != nil && !slices.ContainsFunc(sc.said, func(x exchange) bool { return !isAnswered(x.answer.answer) }) {
			j.good = append(j.good, sc)
		}
	}
	for _, c := range cases {
		s.add(name+"/"+c.name, c.run(s, j))
	}
}

// isAnswered reports whether the other side has answered, and not refused.
func isAnswered(a *sdkv1.Answer) bool {
	if h := a.GetHttp(); h != nil {
		return h.Status >= 200 && h.Status < 300
	}
	return a.Kind != nil && a.GetInDoubt() == nil && a.GetFailure() == nil
}

func withoutTenant(jobType string) string { return strings.TrimSuffix(jobType, "-{tenant}") }

// plainScene has the variables that flows usually give to such a job.
func plainScene(jobType string) *scene {
	const request = `{"payer":{"partyIdInfo":{"partyIdType":"MSISDN","partyIdentifier":"27710101999"}},` +
		`"payee":{"partyIdInfo":{"partyIdType":"MSISDN","partyIdentifier":"27710203999"}},"amount":{"amount":"12.50","currency":"USD"}}`
	r := jobProbe(jobType)
	r.Trigger.GetJob().Variables = []*sdkv1.Variable{
		{Name: "amount", Json: []byte(`"12.50"`)},
		{Name: "channelRequest", Json: []byte(request)},
		{Name: "currency", Json: []byte(`"USD"`)},
		{Name: "externalAccountId", Json: []byte(`"A-1"`)},
		{Name: "holdId", Json: []byte(`"hold-1"`)},
		{Name: "partyId", Json: []byte(`"27710101999"`)},
		{Name: "partyIdType", Json: []byte(`"MSISDN"`)},
		{Name: "quoteSwitchRequest", Json: []byte(request)},
		{Name: "transferCode", Json: []byte(`"hold-1"`)},
	}
	return &scene{name: "a " + jobType + " with the usual variables", request: r}
}

func sameVariables(a, b []*sdkv1.Variable) bool {
	return slices.EqualFunc(a, b, func(a, b *sdkv1.Variable) bool { return a.Name == b.Name && bytes.Equal(a.Json, b.Json) })
}
