package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	corev1 "github.com/railhead-hub/railhead/core/v1"
	"github.com/railhead-hub/railhead/engine/bpmn"
	"github.com/railhead-hub/railhead/engine/replay"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	opsv1 "github.com/railhead-hub/railhead/opsd/v1"
)

// life is a payment as it was recorded, with the flows it may need to be run again:
// what --save writes and --from reads.
type life struct {
	Payment string      `json:"payment"`
	Tenant  string      `json:"tenant"`
	Flows   []savedFlow `json:"flows"`  // the payment's own first, then those it may call
	Events  [][]byte    `json:"events"` // engine.v1.Event, encoded
}

type savedFlow struct {
	ID         string     `json:"id"`
	Version    uint32     `json:"version"`
	File       string     `json:"file"`
	XML        string     `json:"xml"`
	Ends       []savedEnd `json:"ends,omitempty"`
	DeployedMS int64      `json:"deployedMs"`
}

type savedEnd struct {
	Element string `json:"element"`
	Result  int32  `json:"result"`
	Code    string `json:"code"`
}

func (a *app) paymentReplay() *cobra.Command {
	var version uint32
	var file, from, save string
	cmd := &cobra.Command{
		Use:   "replay [PAYMENT]",
		Short: "Run a payment again from its events, in its own flow version or another",
		Long: `Run a payment again on this machine, from what came to it from outside: its first
variables, the outcomes of its jobs, messages, timers and acts. Nothing outside is
touched. The same version must live the same life; if it does not, the difference is
shown and the exit code is 1. --flow-version or --file shows what another version would
have done with the same answers, and what it would have asked that nobody was asked.

The events come from opsd, unmasked, which needs --reason and leaves an audit entry; the
flows come from the node. --save keeps both in a file, --from reads one instead. PAYMENT
is the UUID or the hub's number.

"=" marks an event of both lives, "-" one that does not happen any more, "+" one that is
new. What connectors did inside their jobs is not run again and not shown. A payment
that went on in another version (migrate) is run up to there.`,
		Example: `  railhead payment replay 7f0c… --reason 'ticket 4711'
  railhead payment replay 7f0c… --flow-version 3 --reason 'would the new version have held?'
  railhead payment replay 7f0c… --file draft.bpmn --reason 'ticket 4711'`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if version != 0 && file != "" {
				return usagef("--flow-version and --file name two flows; give one of them")
			}
			ctx, cancel := a.call(cmd.Context())
			defer cancel()
			l, err := a.lifeOf(ctx, args, from, false)
			if err != nil {
				return err
			}
			c, err := l.replayed()
			if err != nil {
				return err
			}
			if save != "" {
				if err := l.save(save); err != nil {
					return err
				}
			}
			recorded := c.Flow.Version
			switch {
			case file != "":
				text, err := os.ReadFile(file)
				if err != nil {
					return usagef("--file: %w", err)
				}
				c.Flow.XML, c.Flow.Version, c.Flow.File = bpmn.ForTenant(file, text, l.Tenant), 0, file
			case version != 0 && version != recorded:
				if c.Flow, err = a.otherVersion(ctx, l, c.Flow.ID, version); err != nil {
					return err
				}
			}
			r, err := replay.Run(c)
			if errors.Is(err, replay.ErrIncomplete) || errors.Is(err, replay.ErrFlow) {
				return refusedf("%w", err)
			}
			if err != nil {
				return err
			}
			if a.json {
				err = printJSON(a.out, replayJSON(l, c, recorded, r))
			} else {
				err = a.printReplay(l, c, recorded, r)
			}
			if err == nil && c.Flow.Version == recorded && !r.Agrees() {
				err = errors.New("the same version did not live the same life")
			}
			return err
		},
	}
	cmd.ValidArgsFunction = a.completes(a.standing)
	flags := cmd.Flags()
	flags.Uint32Var(&version, "flow-version", 0, "run this version; the recorded one unless set")
	flags.StringVar(&file, "file", "", "run the flow in this BPMN `file` instead of a deployed version")
	flags.StringVar(&from, "from", "", "read the payment from a `file` that --save wrote")
	flags.StringVar(&save, "save", "", "keep events and flows in a `file`, with personal data unmasked")
	flags.StringVar(&a.reason, "reason", "", "why you look, for the audit")
	return cmd
}

// lifeOf reads a payment from a file, or from opsd and the node.
// exchanges asks for what connectors were answered, too.
func (a *app) lifeOf(ctx context.Context, args []string, from string, exchanges bool) (*life, error) {
	if from != "" {
		if len(args) > 0 {
			return nil, usagef("--from names a file; a PAYMENT besides means nothing")
		}
		text, err := os.ReadFile(from)
		if err != nil {
			return nil, usagef("--from: %w", err)
		}
		l := &life{}
		if err := json.Unmarshal(text, l); err != nil {
			return nil, usagef("--from: %s is no file that --save wrote: %w", from, err)
		}
		return l, nil
	}
	if len(args) == 0 {
		return nil, usagef("which payment? Give its UUID or number, or --from FILE")
	}
	if a.reason == "" {
		return nil, usagef("--reason is missing: a replay needs the payment's variables unmasked, and the audit says why")
	}
	l := &life{}
	request := &opsv1.RevealEventsRequest{Actor: a.actor().GetName(), Reason: a.reason, Exchanges: exchanges}
	switch ref := paymentRef(args[0]).GetBy().(type) {
	case *corev1.GetPaymentRequest_Key:
		request.Name = &opsv1.RevealEventsRequest_Key{Key: ref.Key}
	case *corev1.GetPaymentRequest_Payment:
		request.Name = &opsv1.RevealEventsRequest_Uuid{Uuid: ref.Payment}
	}
	for {
		page, err := a.ops().RevealEvents(ctx, request)
		if err != nil {
			return nil, err
		}
		l.Payment, l.Tenant = page.GetPayment().GetUuid(), page.GetPayment().GetTenant()
		l.Events = append(l.Events, page.GetEvents()...)
		if request.PageToken = page.GetNextPageToken(); request.PageToken == "" {
			break
		}
	}
	return l, a.flowsOf(ctx, l)
}

// flowsOf adds the flow of a life and every version of the flows it may call.
func (a *app) flowsOf(ctx context.Context, l *life) error {
	events, err := l.events()
	if err != nil {
		return err
	}
	first := events[0]
	own, err := a.savedFlow(ctx, l.Tenant, first.Type, first.Number)
	if err != nil {
		return err
	}
	l.Flows = append(l.Flows, own)
	deployed, err := a.control().ListFlows(ctx, &corev1.ListFlowsRequest{Tenant: l.Tenant})
	if err != nil {
		return err
	}
	have := map[string]bool{own.ID: true}
	for wanted := append(calledBy(own.XML), calledIn(events)...); len(wanted) > 0; wanted = wanted[1:] {
		if have[wanted[0]] {
			continue
		}
		have[wanted[0]] = true
		for _, info := range deployed.GetFlows() {
			if info.GetFlow() != wanted[0] {
				continue
			}
			f, err := a.savedFlow(ctx, l.Tenant, info.GetFlow(), info.GetVersion())
			if err != nil {
				return err
			}
			l.Flows = append(l.Flows, f)
			wanted = append(wanted, calledBy(f.XML)...)
		}
	}
	return nil
}

// calledBy are the flows that a file names in call activities.
func calledBy(xml string) []string {
	var ids []string
	processes, _ := bpmn.Parse([]byte(xml))
	for _, p := range processes {
		for i := range p.Elements {
			if id := p.Elements[i].CalledElement.Static; id != "" {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// calledIn are the flows that a payment called, whatever names them.
func calledIn(events []*enginev1.Event) []string {
	var ids []string
	for _, ev := range events {
		if ev.Kind == enginev1.EventKind_EVENT_KIND_CALL_RETURNED || ev.Kind == enginev1.EventKind_EVENT_KIND_ELEMENT_ENTERED && ev.Type != "" {
			ids = append(ids, ev.Type)
		}
	}
	return ids
}

func (a *app) savedFlow(ctx context.Context, tenant, id string, version uint32) (savedFlow, error) {
	got, err := a.control().GetFlow(ctx, &corev1.GetFlowRequest{Tenant: tenant, Flow: id, Version: version})
	if err != nil {
		return savedFlow{}, err
	}
	info := got.GetFlow()
	f := savedFlow{ID: info.GetFlow(), Version: info.GetVersion(), File: info.GetFile(), XML: string(got.GetXml()), DeployedMS: info.GetDeployedMs()}
	for _, e := range got.GetEnds() {
		f.Ends = append(f.Ends, savedEnd{e.GetElement(), int32(e.GetResult()), e.GetCode()})
	}
	return f, nil
}

// otherVersion is another deployed version of the payment's flow: from the file the
// life was read from, if it is there, else from the node.
func (a *app) otherVersion(ctx context.Context, l *life, id string, version uint32) (replay.Flow, error) {
	for _, f := range l.Flows {
		if f.ID == id && f.Version == version {
			return f.flow(), nil
		}
	}
	f, err := a.savedFlow(ctx, l.Tenant, id, version)
	return f.flow(), err
}

func (f savedFlow) flow() replay.Flow {
	out := replay.Flow{ID: f.ID, Version: f.Version, File: f.File, XML: []byte(f.XML), DeployedMS: f.DeployedMS}
	for _, e := range f.Ends {
		out.Ends = append(out.Ends, &enginev1.EndResult{Element: e.Element, Result: enginev1.Result(e.Result), Code: e.Code})
	}
	return out
}

func (l *life) events() ([]*enginev1.Event, error) {
	var events []*enginev1.Event
	for i, raw := range l.Events {
		ev := &enginev1.Event{}
		if err := ev.UnmarshalVT(raw); err != nil {
			return nil, fmt.Errorf("event %d of the payment cannot be read: %w", i+1, err)
		}
		events = append(events, ev)
	}
	if len(events) == 0 {
		return nil, refusedf("no event of the payment is there")
	}
	return events, nil
}

// replayed is the life as it can be run again.
func (l *life) replayed() (replay.Case, error) {
	events, err := l.events()
	if err != nil {
		return replay.Case{}, err
	}
	if len(l.Flows) == 0 {
		return replay.Case{}, refusedf("the payment's flow is not there")
	}
	c := replay.Case{Events: events, Flow: l.Flows[0].flow()}
	for _, f := range l.Flows[1:] {
		c.Called = append(c.Called, f.flow())
	}
	return c, nil
}

// save writes the life for nobody but its owner: its variables are not masked.
func (l *life) save(path string) error {
	text, err := json.MarshalIndent(l, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o600)
}

func (a *app) printReplay(l *life, c replay.Case, recorded uint32, r *replay.Result) error {
	fmt.Fprintf(a.out, "%s  %s  recorded in version %d, run in %s\n", l.Payment, c.Flow.ID, recorded, versionText(c.Flow))
	t := newTable(a.out, " ", "after", "event", "where", "what")
	for _, s := range r.Steps {
		mark, ev := s.Mark()
		after := time.Duration(ev.TimeMs-c.Events[0].TimeMs) * time.Millisecond
		t.row(mark, fmt.Sprintf("%.3fs", after.Seconds()), kindText(ev), ev.Element, eventText(ev))
	}
	if err := t.flush(); err != nil {
		return err
	}
	for _, line := range replayRemarks(r) {
		fmt.Fprintln(a.out, line)
	}
	return nil
}

func versionText(f replay.Flow) string {
	if f.Version == 0 {
		return f.File
	}
	return fmt.Sprintf("version %d", f.Version)
}

// replayRemarks say in sentences what came of a replay.
func replayRemarks(r *replay.Result) []string {
	differ := 0
	for _, s := range r.Steps {
		if s.Was == nil || s.Is == nil {
			differ++
		}
	}
	lines := []string{fmt.Sprintf("the same life: %d events", len(r.Steps))}
	if differ > 0 {
		lines = []string{fmt.Sprintf("another life: %d of %d events differ", differ, len(r.Steps))}
	}
	if r.Until != nil {
		lines = append(lines, fmt.Sprintf("run up to event %d, %s: what led to it left no event to run again", r.Until.Seq, kindText(r.Until)))
	}
	for _, ev := range r.Refused {
		lines = append(lines, "refused: "+ev.Text+" ("+ev.Code+")")
	}
	for _, ev := range r.Unused {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("not asked for: %s of %s %s", kindText(ev), ev.Element, ev.Type)))
	}
	for _, w := range r.Wants {
		of := w.Of
		if w.DueMS != 0 {
			of = "due " + clockTime(w.DueMS)
		}
		lines = append(lines, fmt.Sprintf("stands at %s: %s %s", w.Element, w.What, of))
	}
	return lines
}

func kindText(ev *enginev1.Event) string {
	return strings.ToLower(strings.TrimPrefix(ev.Kind.String(), "EVENT_KIND_"))
}

// eventText puts an event's particulars in one line, variables by name only.
func eventText(ev *enginev1.Event) string {
	var parts []string
	for _, s := range []string{ev.Type, ev.Key, enumText(ev.Result.String(), "RESULT_"), ev.Code, ev.Text} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	if ev.DueMs != 0 {
		parts = append(parts, "due "+clockTime(ev.DueMs))
	}
	if len(ev.Variables) > 0 {
		names := make([]string, 0, len(ev.Variables))
		for _, v := range ev.Variables {
			names = append(names, v.Name)
		}
		parts = append(parts, "sets "+strings.Join(names, " "))
	}
	return oneLine(parts)
}

// replayJSON is what came of a replay for programs.
func replayJSON(l *life, c replay.Case, recorded uint32, r *replay.Result) any {
	type variable struct {
		Name string          `json:"name"`
		JSON json.RawMessage `json:"json"`
	}
	type event struct {
		Seq       uint32     `json:"seq"`
		Time      string     `json:"time"`
		Kind      string     `json:"kind"`
		Element   string     `json:"element,omitempty"`
		Type      string     `json:"type,omitempty"`
		Key       string     `json:"key,omitempty"`
		Result    string     `json:"result,omitempty"`
		Code      string     `json:"code,omitempty"`
		Text      string     `json:"text,omitempty"`
		Due       string     `json:"due,omitempty"`
		Variables []variable `json:"variables,omitempty"`
	}
	type step struct {
		Was *event `json:"was,omitempty"`
		Is  *event `json:"is,omitempty"`
	}
	type want struct {
		Element string `json:"element"`
		What    string `json:"what"`
		Of      string `json:"of,omitempty"`
		Due     string `json:"due,omitempty"`
	}
	one := func(ev *enginev1.Event) *event {
		if ev == nil {
			return nil
		}
		out := &event{
			Seq: ev.Seq, Time: clockTime(ev.TimeMs), Kind: kindText(ev), Element: ev.Element, Type: ev.Type, Key: ev.Key,
			Result: enumText(ev.Result.String(), "RESULT_"), Code: ev.Code, Text: ev.Text,
		}
		if ev.DueMs != 0 {
			out.Due = clockTime(ev.DueMs)
		}
		for _, v := range ev.Variables {
			if json.Valid(v.Json) {
				out.Variables = append(out.Variables, variable{v.Name, v.Json})
			}
		}
		return out
	}
	out := struct {
		Payment  string   `json:"payment"`
		Flow     string   `json:"flow"`
		Recorded uint32   `json:"recordedVersion"`
		Version  uint32   `json:"version"` // 0: a file
		Agrees   bool     `json:"agrees"`
		Ended    bool     `json:"ended"`
		Steps    []step   `json:"steps"`
		Until    *event   `json:"until,omitempty"`
		Unused   []*event `json:"unused,omitempty"`
		Refused  []*event `json:"refused,omitempty"`
		Wants    []want   `json:"wants,omitempty"`
	}{Payment: l.Payment, Flow: c.Flow.ID, Recorded: recorded, Version: c.Flow.Version, Agrees: r.Agrees(), Ended: r.Ended, Until: one(r.Until)}
	for _, s := range r.Steps {
		out.Steps = append(out.Steps, step{one(s.Was), one(s.Is)})
	}
	for _, ev := range r.Unused {
		out.Unused = append(out.Unused, one(ev))
	}
	for _, ev := range r.Refused {
		out.Refused = append(out.Refused, one(ev))
	}
	for _, w := range r.Wants {
		x := want{Element: w.Element, What: w.What, Of: w.Of}
		if w.DueMS != 0 {
			x.Due = clockTime(w.DueMS)
		}
		out.Wants = append(out.Wants, x)
	}
	return out
}
