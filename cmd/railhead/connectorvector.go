package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/railhead-hub/railhead/core/connector"
	"github.com/railhead-hub/railhead/core/keys"
	"github.com/railhead-hub/railhead/engine"
	"github.com/railhead-hub/railhead/engine/replay"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	"github.com/railhead-hub/railhead/sdk/conformance"
	"github.com/railhead-hub/railhead/sdk/host"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

func (a *app) connectorVector() *cobra.Command {
	var job, attempt uint32
	var module, config, out string
	var sensitive []string
	cmd := &cobra.Command{
		Use:   "vector [PAYMENT]",
		Short: "Write a recorded payment's job as a test vector",
		Long: `Write one attempt of a payment's job as a vector, for connector test: what the
connector was told, and what its effects were answered. With --module it is run once,
and what it asks for stands in the vector as well.

The events come from opsd, unmasked, which needs --reason and leaves an audit entry.
Fields that the module's
manifest calls sensitive, those of --sensitive, and some that always are (pin, password,
pan …) are masked, the same value by the same mask wherever it stands; secrets and
what tokens stand for were never recorded. Read the file before you pass it on.

The job is the first of the payment unless --job names another, by its number on the
timeline; its last attempt is taken. The tenant's configuration is not recorded: give
the connector's as --config.`,
		Example: `  railhead connector vector 7f0c… --job 3 --module ams-bank.wasm --reason 'ticket 4711' -o testdata/ticket-4711.txt`,
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := a.call(cmd.Context())
			defer cancel()
			l, err := a.lifeOf(ctx, args, "", true)
			if err != nil {
				return err
			}
			v := vectorOf{life: l, job: job, attempt: attempt, config: []byte(config), sensitive: sensitive}
			if module != "" {
				code, err := os.ReadFile(module)
				if err != nil {
					return usagef("--module: %w", err)
				}
				subject, opened, err := conformance.Open(ctx, code, host.Options{})
				if err != nil {
					return refusedf("%w", err)
				}
				defer opened.Close(context.WithoutCancel(ctx)) //nolint:errcheck // the vector is written, or its error says more
				v.subject = &subject
			}
			text, err := v.text(ctx)
			if err != nil {
				return err
			}
			if out == "" {
				_, err = fmt.Fprint(a.out, text)
				return err
			}
			return os.WriteFile(out, []byte(text), 0o600)
		},
	}
	cmd.ValidArgsFunction = a.completes(a.standing)
	flags := cmd.Flags()
	flags.Uint32Var(&job, "job", 0, "the job's number on the timeline; the first unless set")
	flags.Uint32Var(&attempt, "attempt", 0, "its attempt; the last unless set")
	flags.StringVar(&module, "module", "", "the connector's module `file`, to run it once")
	flags.StringVar(&config, "config", "", "the connector's configuration, a JSON object")
	flags.StringSliceVar(&sensitive, "sensitive", nil, "more `names` of fields to mask")
	flags.StringVarP(&out, "output", "o", "", "`file` to write; standard output unless set")
	flags.StringVar(&a.reason, "reason", "", "why you look, for the audit")
	return cmd
}

// vectorOf is a recorded attempt on its way to a vector.
type vectorOf struct {
	life         *life
	job, attempt uint32
	config       []byte
	sensitive    []string
	subject      *conformance.Subject // nil: there is no module
}

func (v *vectorOf) text(ctx context.Context) (string, error) {
	c, err := v.life.replayed()
	if err != nil {
		return "", err
	}
	r, err := replay.Run(c)
	if err != nil {
		return "", refusedf("%w", err)
	}
	at, err := v.find(r.Attempts)
	if err != nil {
		return "", err
	}
	answers, beganMS, err := v.answers(c.Events, at.Ended)
	if err != nil {
		return "", err
	}
	mask := newMasks(v.sensitive)
	jobType := strings.ReplaceAll(at.Ended.Type, v.life.Tenant, "{tenant}")
	var inputs []string
	if v.subject != nil {
		mask.names(v.subject.Manifest.Sensitive)
		for _, t := range v.subject.Manifest.Jobs {
			if strings.ReplaceAll(t.Type, "{tenant}", v.life.Tenant) == at.Ended.Type {
				jobType, inputs = t.Type, t.Inputs
			}
		}
	}
	if _, scheduled := engine.ScheduleOf(at.Ended.Type); scheduled {
		return "", refusedf("job %d is a run of a schedule, for which there are no vectors", at.Ended.Job)
	}
	job := &sdkv1.Job{
		Type: jobType, Payment: v.life.Payment, Attempt: at.Ended.Attempt, Retries: at.Retries,
		Element: at.Ended.Element, Flow: at.Flow, PaymentStartedMs: at.StartedMS,
	}
	for _, h := range at.Headers {
		job.Headers = append(job.Headers, &sdkv1.Header{Key: h.Key, Value: h.Value})
	}
	for _, variable := range at.Variables {
		if len(inputs) == 0 || slices.Contains(inputs, variable.Name) {
			job.Variables = append(job.Variables, &sdkv1.Variable{Name: variable.Name, Json: variable.Json})
		}
	}
	recording := &conformance.Recording{
		Title:   fmt.Sprintf("Recorded: job %d (%s), attempt %d.", at.Ended.Job, at.Ended.Element, at.Ended.Attempt),
		Config:  v.config,
		Trigger: &sdkv1.Trigger{TimeMs: cmp.Or(beganMS, at.Ended.TimeMs), Tenant: v.life.Tenant, Kind: &sdkv1.Trigger_Job{Job: job}},
	}
	mask.learn(job, answers)
	for _, variable := range job.Variables {
		variable.Json = mask.json(variable.Name, variable.Json)
	}
	was := recording.Trigger.TimeMs
	for _, a := range answers {
		mask.answer(a.Answer)
		recording.Answers = append(recording.Answers, conformance.RecordedAnswer{
			Answer: a.Answer, After: time.Duration(a.TimeMs-was) * time.Millisecond,
		})
		was = a.TimeMs
	}
	text, err := recording.Text()
	if err != nil {
		return "", refusedf("%w", err)
	}
	text = mask.everywhere(text)
	if v.subject != nil {
		if text, err = conformance.Complete(ctx, *v.subject, text); err != nil {
			return "", refusedf("the module does not live the recorded history: %w", err)
		}
	}
	return text, nil
}

// find is the attempt that was asked for: of the job, the last.
func (v *vectorOf) find(attempts []replay.Attempt) (*replay.Attempt, error) {
	var found *replay.Attempt
	for i := range attempts {
		ended := attempts[i].Ended
		if v.job == 0 {
			v.job = ended.Job
		}
		if ended.Job == v.job && (v.attempt == 0 || ended.Attempt == v.attempt) {
			found = &attempts[i]
		}
	}
	if found != nil {
		return found, nil
	}
	var known []string
	for _, a := range attempts {
		known = append(known, fmt.Sprintf("%d (%s, attempt %d)", a.Ended.Job, a.Ended.Element, a.Ended.Attempt))
	}
	return nil, usagef("the payment has no such job; those whose attempts have ended are %s", strings.Join(known, ", "))
}

// answers are an attempt's, in the order of their ordinals, and when it began; 0: no
// record says.
func (v *vectorOf) answers(events []*enginev1.Event, ended *enginev1.Event) (answers []*sdkv1.Entry, beganMS int64, err error) {
	byOrdinal := make(map[uint32]*sdkv1.Entry)
	for _, ev := range events {
		if ev.Job != ended.Job || ev.Attempt != ended.Attempt || ev.Seq > ended.Seq {
			continue
		}
		for _, e := range ev.History {
			if e.Ordinal == 0 {
				beganMS = e.TimeMs
				continue
			}
			entry, err := heard(e)
			if err != nil {
				return nil, 0, refusedf("the answer at ordinal %d cannot be read: %w", e.Ordinal, err)
			}
			if byOrdinal[e.Ordinal] == nil {
				byOrdinal[e.Ordinal] = entry
			}
		}
		if ev.Kind != enginev1.EventKind_EVENT_KIND_EFFECT_ANSWERED || ev.Ordinal == 0 {
			continue
		}
		answer := new(sdkv1.Answer)
		if err := answer.UnmarshalVT(ev.Answer); err != nil {
			return nil, 0, refusedf("the answer at ordinal %d cannot be read: %w", ev.Ordinal, err)
		}
		if frame := answer.GetBytes(); frame != nil {
			if frame.Data, err = keys.Uncover(frame.Data, standIn); err != nil {
				return nil, 0, refusedf("the frame at ordinal %d cannot be read: %w", ev.Ordinal, err)
			}
		}
		byOrdinal[ev.Ordinal] = &sdkv1.Entry{Ordinal: ev.Ordinal, TimeMs: ev.TimeMs, Answer: answer}
	}
	for _, e := range byOrdinal {
		answers = append(answers, e)
	}
	slices.SortFunc(answers, func(a, b *sdkv1.Entry) int { return cmp.Compare(a.Ordinal, b.Ordinal) })
	for i, e := range answers {
		if e.Ordinal != uint32(i)+1 {
			return nil, 0, refusedf("the answer at ordinal %d is not on the timeline: it was too large, or the cluster did not keep it yet", i+1)
		}
	}
	return answers, beganMS, nil
}

// heard is an entry of an event's history as the connector was shown it.
func heard(e *enginev1.HistoryEntry) (*sdkv1.Entry, error) {
	entry := &sdkv1.Entry{Ordinal: e.Ordinal, TimeMs: e.TimeMs, Answer: connector.Done()}
	switch {
	case len(e.Reply) > 0:
		reply := new(enginev1.Event)
		if err := reply.UnmarshalVT(e.Reply); err != nil {
			return nil, err
		}
		entry.Answer = connector.ReplyAnswer(reply)
	case len(e.Answer) > 0:
		entry.Answer = new(sdkv1.Answer)
		return entry, entry.Answer.UnmarshalVT(e.Answer)
	case e.Withheld:
		request := new(sdkv1.Effect)
		if err := request.UnmarshalVT(e.Request); err != nil {
			return nil, err
		}
		value, err := standIn(request.GetDetokenize().GetToken())
		if err != nil {
			return nil, err
		}
		entry.Answer = &sdkv1.Answer{Kind: &sdkv1.Answer_Text{Text: &sdkv1.TextAnswer{Text: value}}}
	}
	return entry, nil
}

// standIn takes the place of what a token stands for, which was not recorded: digits
// that the token always gives, as many as the value has characters.
func standIn(token string) (string, error) {
	return digits(cmp.Or(keys.ValueLen(token), 16), []byte("token"), []byte(token)), nil
}

// masks put something in the place of sensitive values: the same for the same value, and
// nothing by which it could be guessed, since the key is drawn for one vector.
type masks struct {
	key       []byte
	sensitive map[string]bool
	values    map[string]string
}

// alwaysSensitive are fields that nobody means to pass on.
var alwaysSensitive = []string{
	"pin", "password", "passcode", "secret", "otp", "pan", "cardnumber", "cvv", "cvc", "track1", "track2",
	"authorization", "cookie", "set-cookie", "x-api-key",
}

// plainFields are codes: what is in them is nobody's, also where all around it is
// sensitive, and a connector cannot do without it.
var plainFields = map[string]bool{
	"amount": true, "currency": true, "partyidtype": true, "idtype": true, "type": true, "fspid": true,
	"scenario": true, "initiator": true, "initiatortype": true, "transactiontype": true,
}

// everywhereMin is the length from which on a sensitive value is replaced wherever it
// stands, in paths and texts too.
const everywhereMin = 4

func newMasks(names []string) *masks {
	m := &masks{key: make([]byte, 32), sensitive: make(map[string]bool), values: make(map[string]string)}
	_, _ = rand.Read(m.key) // never fails
	m.names(alwaysSensitive)
	m.names(names)
	return m
}

func (m *masks) names(names []string) {
	for _, n := range names {
		m.sensitive[strings.ToLower(n)] = true
	}
}

// value is a value's mask: digits for digits, of the same length.
func (m *masks) value(s string) string {
	if mask, known := m.values[s]; known || s == "" {
		return mask
	}
	mask := digits(len(s), m.key, []byte(s))
	if strings.Trim(s, "0123456789") != "" {
		mask = "masked-" + mask[:min(len(mask), 8)]
	}
	m.values[s] = mask
	return mask
}

func digits(n int, key, of []byte) string {
	h := hmac.New(sha256.New, key)
	h.Write(of)
	sum := h.Sum(nil)
	out := make([]byte, n)
	for i := range out {
		out[i] = '0' + sum[i%len(sum)]%10
	}
	if n > 0 && out[0] == '0' { // a number in JSON begins with another digit
		out[0] = '4'
	}
	return string(out)
}

// learn finds the sensitive values, so that they are masked wherever they stand.
func (m *masks) learn(job *sdkv1.Job, answers []*sdkv1.Entry) {
	for _, v := range job.Variables {
		m.json(v.Name, v.Json)
	}
	for _, e := range answers {
		if h := e.Answer.GetHttp(); h != nil {
			m.json("", h.Body)
			for _, header := range h.Headers {
				if m.sensitive[strings.ToLower(header.GetKey())] {
					m.value(header.GetValue())
				}
			}
		}
	}
}

// json is a JSON text with its sensitive fields masked; another text is left to
// everywhere.
func (m *masks) json(name string, text []byte) []byte {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return text
	}
	before := len(m.values)
	masked, changed := m.walk(v, m.sensitive[strings.ToLower(name)])
	if !changed && before == len(m.values) {
		return text
	}
	out, err := json.Marshal(masked)
	if err != nil {
		return []byte("null") // never what was to be masked
	}
	return out
}

func (m *masks) walk(v any, hide bool) (any, bool) {
	changed := false
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			own := strings.ToLower(name)
			masked, c := m.walk(inner, m.sensitive[own] || hide && !plainFields[own])
			v[name] = masked
			changed = changed || c
		}
	case []any:
		for i, inner := range v {
			masked, c := m.walk(inner, hide)
			v[i] = masked
			changed = changed || c
		}
	case string:
		if inner, isJSON := m.inside(v, hide); isJSON {
			return inner, inner != v
		}
		if hide && v != "" {
			return m.value(v), true
		}
	case json.Number:
		if hide {
			return json.Number(digits(max(1, min(len(v), 15)), m.key, []byte(v))), true
		}
	}
	return v, changed
}

// inside masks a text that is JSON in its turn.
func (m *masks) inside(text string, hide bool) (string, bool) {
	if !strings.HasPrefix(text, "{") && !strings.HasPrefix(text, "[") {
		return "", false
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return "", false
	}
	masked, changed := m.walk(v, hide)
	if !changed {
		return text, true
	}
	out, err := json.Marshal(masked)
	if err != nil {
		return "null", true
	}
	return string(out), true
}

func (m *masks) answer(a *sdkv1.Answer) {
	h := a.GetHttp()
	if h == nil {
		return
	}
	h.Body = m.json("", h.Body)
	for _, header := range h.Headers {
		if m.sensitive[strings.ToLower(header.GetKey())] {
			header.Value = m.value(header.GetValue())
		}
	}
}

// everywhere replaces the values that were found, the longest first.
func (m *masks) everywhere(text string) string {
	var found []string
	for value := range m.values {
		if len(value) >= everywhereMin {
			found = append(found, value)
		}
	}
	slices.SortFunc(found, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), strings.Compare(a, b)) })
	var pairs []string
	for _, value := range found {
		pairs = append(pairs, value, m.values[value])
	}
	return strings.NewReplacer(pairs...).Replace(text)
}
