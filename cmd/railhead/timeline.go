package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	corev1 "github.com/railhead-hub/railhead/core/v1"
	opsv1 "github.com/railhead-hub/railhead/opsd/v1"
)

// asJSON takes a value as JSON when it is JSON, and as a text otherwise.
func asJSON(value string) string {
	if json.Valid([]byte(value)) {
		var out bytes.Buffer
		if json.Compact(&out, []byte(value)) == nil {
			return out.String()
		}
	}
	quoted, _ := json.Marshal(value)
	return string(quoted)
}

// enumText is an enum's value as people write it: PAYMENT_STATE_ENDED is ended,
// and the unspecified one is nothing.
func enumText(name, prefix string) string {
	name = strings.ToLower(strings.TrimPrefix(name, prefix))
	if name == "unspecified" {
		return ""
	}
	return name
}

// enumValue reads what enumText writes.
func enumValue[E ~int32](values map[string]int32, prefix, flag, text string) (E, error) {
	if text == "" {
		return 0, nil
	}
	if v, ok := values[prefix+strings.ToUpper(text)]; ok && v != 0 {
		return E(v), nil
	}
	var known []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if t := enumText(name, prefix); t != "" {
			known = append(known, t)
		}
	}
	return 0, usagef("%s: %q is none of %s", flag, text, strings.Join(known, ", "))
}

// paymentName resolves a client key or number to what opsd knows a payment by.
func (a *app) paymentName(ctx context.Context, ref *corev1.GetPaymentRequest) (*opsv1.GetPaymentRequest, error) {
	switch by := ref.GetBy().(type) {
	case *corev1.GetPaymentRequest_Key:
		return &opsv1.GetPaymentRequest{Name: &opsv1.GetPaymentRequest_Key{Key: by.Key}}, nil
	case *corev1.GetPaymentRequest_Payment:
		return &opsv1.GetPaymentRequest{Name: &opsv1.GetPaymentRequest_Uuid{Uuid: by.Payment}}, nil
	}
	p, err := a.control().GetPayment(ctx, ref)
	if err != nil {
		return nil, err
	}
	return &opsv1.GetPaymentRequest{Name: &opsv1.GetPaymentRequest_Uuid{Uuid: p.GetPayment().GetPayment()}}, nil
}

func (a *app) printTimeline(ctx context.Context, name *opsv1.GetPaymentRequest) error {
	p, err := a.ops().GetPayment(ctx, name)
	if err != nil {
		return err
	}
	// The last events matter most, and they are on the last page.
	for p.GetNextPageToken() != "" {
		name.PageToken = p.GetNextPageToken()
		next, err := a.ops().GetPayment(ctx, name)
		if err != nil {
			return err
		}
		next.Timeline = append(p.GetTimeline(), next.GetTimeline()...)
		known := p.GetIdentifiers()
		for _, id := range next.GetIdentifiers() {
			if !slices.ContainsFunc(known, func(k *opsv1.Identifier) bool { return proto.Equal(k, id) }) {
				known = append(known, id)
			}
		}
		next.Identifiers = known
		p = next
	}
	if a.json {
		return printProto(a.out, p)
	}
	writeTimeline(a.out, p)
	return nil
}

// writeTimeline tells what happened to a payment, one line per event: how long
// after the start, what, where, and what was said.
func writeTimeline(w io.Writer, p *opsv1.GetPaymentResponse) {
	head := p.GetPayment()
	result := enumText(head.GetResult().String(), "PAYMENT_RESULT_")
	if result == "" {
		result = enumText(head.GetState().String(), "PAYMENT_STATE_")
	}
	fmt.Fprintf(w, "%s  %s  %s  %s\n", head.GetUuid(), head.GetFlow(),
		strings.TrimSpace(head.GetAmount()+" "+head.GetCurrency()), strings.TrimSpace(result+" "+head.GetCode()))
	t := newTable(w, "after", "event", "where", "what")
	start := head.GetStartedTime().AsTime()
	for _, e := range p.GetTimeline() {
		after := "" // events that have not arrived have no time
		if e.GetTime() != nil {
			after = fmt.Sprintf("%.3fs", e.GetTime().AsTime().Sub(start).Seconds())
		}
		t.row(after, e.GetKind(), e.GetElement(), timelineText(e))
	}
	_ = t.flush()
}

// timelineText puts an entry's particulars in one line.
func timelineText(e *opsv1.TimelineEntry) string {
	var parts []string
	add := func(format string, value any) {
		if s := fmt.Sprint(value); s != "" && s != "0" {
			parts = append(parts, fmt.Sprintf(format, value))
		}
	}
	add("%s", e.GetType())
	add("%s", exchangeText(e.GetRequest()))
	add("→ %s", exchangeText(e.GetAnswer()))
	if l := e.GetLatency(); l != nil {
		add("in %s", l.AsDuration().Round(time.Millisecond))
	}
	switch e.GetKind() {
	case "user_task_created", "user_task_completed", "user_task_cancelled":
		add("for %s", e.GetKey())
	case "user_task_changed": // its text names the person
	default:
		add("key %s", e.GetKey())
	}
	add("%s", enumText(e.GetResult().String(), "PAYMENT_RESULT_"))
	add("%s", e.GetCode())
	add("%s", e.GetText())
	if due := e.GetDueTime(); due != nil {
		add("due %s", clockTime(due.AsTime().UnixMilli()))
	}
	switch e.GetKind() {
	case "token_moved":
		add("from %s", e.GetName())
	case "payment_migrated":
		add("to version %d", e.GetNumber())
	case "job_retried":
		add("attempt %d", e.GetAttempt())
	case "compensation_started":
		add("handlers: %d", e.GetNumber())
	case "compensating":
		add("undoes %s", e.GetName())
	}
	if e.GetActor() != "" {
		add("by %s", e.GetActor()+reasonText(e.GetReason()))
	}
	if len(e.GetVariables()) > 0 {
		names := make([]string, 0, len(e.GetVariables()))
		for _, v := range e.GetVariables() {
			names = append(names, v.GetName())
		}
		add("sets %s", strings.Join(names, " "))
	}
	if to := e.GetMissingTo(); to != 0 {
		add("events %d", e.GetSeq())
		add("to %d have not arrived", to)
	}
	return oneLine(parts)
}

// oneLine joins particulars and cuts what would wrap on most screens.
func oneLine(parts []string) string {
	text := strings.Join(parts, "  ")
	if r := []rune(text); len(r) > 110 {
		text = string(r[:109]) + "…"
	}
	return text
}

func reasonText(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

func exchangeText(x *opsv1.Exchange) string {
	switch {
	case x == nil:
		return ""
	case x.GetMethod() != "":
		return x.GetEndpoint() + " " + x.GetMethod() + " " + x.GetPath()
	case x.GetStatus() != 0:
		return fmt.Sprint(x.GetStatus())
	}
	return strings.TrimSpace(x.GetKind() + " " + x.GetCode() + " " + x.GetText())
}

// printPayment shows a payment's rows.
func printPayment(w io.Writer, p *corev1.GetPaymentResponse) error {
	info := p.GetPayment()
	fmt.Fprintf(w, "payment  %s (%d)\nflow     %s version %d, tenant %s\nstate    %s", info.GetPayment(), info.GetKey(),
		info.GetFlow(), info.GetFlowVersion(), info.GetTenant(), info.GetState())
	if info.GetResult() != corev1.Result_RESULT_UNSPECIFIED {
		fmt.Fprintf(w, ", %s", strings.TrimSpace(enumText(info.GetResult().String(), "RESULT_")+" "+info.GetCode()))
		if end := info.GetEndElement(); end != "" { // a cancelled payment has none
			fmt.Fprintf(w, " at %s", end)
		}
	}
	fmt.Fprintf(w, "\nstarted  %s\nended    %s\n", clockTime(info.GetStartedMs()), clockTime(info.GetEndedMs()))
	if info.GetClientKey() != "" {
		fmt.Fprintf(w, "client   %s %s\n", info.GetChannel(), info.GetClientKey())
	}
	section := func(n int, rows func(*table), head ...string) error {
		if n == 0 {
			return nil
		}
		fmt.Fprintln(w)
		t := newTable(w, head...)
		rows(t)
		return t.flush()
	}
	return firstError(
		section(len(p.GetIncidents()), func(t *table) {
			for _, i := range p.GetIncidents() {
				t.row(i.GetN(), i.GetElement(), i.GetCode(), i.GetText(), clockTime(i.GetOpenedMs()), strings.Join(i.GetRepairs(), " "))
			}
		}, "incident", "element", "code", "text", "opened", "may be"),
		section(len(p.GetTokens()), func(t *table) {
			for _, token := range p.GetTokens() {
				var waits []string
				for _, wait := range token.GetWaits() {
					waits = append(waits, waitText(wait))
				}
				t.row(token.GetN(), token.GetElement(), token.GetScope(), strings.Join(waits, ", "))
			}
		}, "token", "at", "scope", "waits for"),
		section(len(p.GetScopes()), func(t *table) {
			for _, s := range p.GetScopes() {
				var holds []string
				for _, v := range s.GetVariables() {
					holds = append(holds, v.GetName()+"="+v.GetJson())
				}
				for _, wait := range s.GetWaits() {
					holds = append(holds, waitText(wait))
				}
				t.row(s.GetN(), s.GetParent(), scopeText(s), strings.Join(holds, ", "))
			}
		}, "scope", "in", "of", "holds"),
		section(len(p.GetUserTasks()), func(t *table) {
			for _, task := range p.GetUserTasks() {
				t.row(task.GetTask(), task.GetName(), task.GetAssignee(), strings.Join(task.GetCandidateGroups(), " "), clockTime(task.GetDueMs()))
			}
		}, "user task", "name", "assignee", "groups", "due"),
		section(len(p.GetJobs()), func(t *table) {
			for _, j := range p.GetJobs() {
				t.row(j.GetN(), j.GetType(), j.GetState(), j.GetAttempt(), j.GetRetries(), j.GetConnector(), shortDigest(j.GetDigest()), j.GetReason())
			}
		}, "job", "type", "state", "attempt", "retries left", "connector", "digest", "reason"),
		section(len(p.GetEffects()), func(t *table) {
			for _, e := range p.GetEffects() {
				t.row(e.GetKey(), e.GetNumber(), e.GetState(), e.GetEndpoint(), e.GetMode(), e.GetIdempotencyKey())
			}
		}, "money effect", "number", "state", "endpoint", "mode", "on the wire"),
		section(len(p.GetVariables()), func(t *table) {
			for _, v := range p.GetVariables() {
				t.row(v.GetName(), v.GetJson())
			}
		}, "variable", "value"),
	)
}

// waitText says what is waited for.
func waitText(w *corev1.WaitInfo) string {
	switch {
	case w.GetMessage() != "":
		return "message " + w.GetMessage() + " " + w.GetKey()
	case w.GetSignal() != "":
		return "signal " + w.GetSignal()
	}
	return "timer " + clockTime(w.GetDueMs())
}

// scopeText says what a scope is the inside of.
func scopeText(s *corev1.ScopeInfo) string {
	switch {
	case s.GetFlow() != "":
		return fmt.Sprintf("%s: flow %s version %d", s.GetElement(), s.GetFlow(), s.GetFlowVersion())
	case s.GetCompensation():
		return strings.TrimSpace(s.GetElement() + " compensation")
	case s.GetRound() != 0:
		return fmt.Sprintf("%s: round %d", s.GetElement(), s.GetRound())
	}
	return s.GetElement()
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *app) listInFlight(ctx context.Context, tenant string, incidents bool, size int32) error {
	list, err := a.control().ListInFlight(ctx, &corev1.ListInFlightRequest{
		Tenant: tenant, IncidentsOnly: incidents, PageSize: uint32(max(size, 0)),
	})
	if err != nil {
		return err
	}
	if a.json {
		return printProto(a.out, list)
	}
	t := newTable(a.out, "payment", "key", "tenant", "flow", "state", "started")
	for _, p := range list.GetPayments() {
		t.row(p.GetPayment(), p.GetKey(), p.GetTenant(), p.GetFlow(), p.GetState(), clockTime(p.GetStartedMs()))
	}
	if err := t.flush(); err != nil {
		return err
	}
	if list.GetNextAfter() != 0 {
		fmt.Fprintln(a.err, "there may be more: raise --limit or narrow the filter")
	}
	return nil
}

// waitEnded polls a payment until it has ended, and reports what became of it.
func (a *app) waitEnded(ctx context.Context, payment string) error {
	for {
		p, err := a.control().GetPayment(ctx, paymentRef(payment))
		if err != nil {
			return err
		}
		info := p.GetPayment()
		if info.GetState() == "running" {
			select {
			case <-ctx.Done():
				return unavailableError{fmt.Errorf("payment %s still runs after %s: wait longer with --timeout", payment, a.timeout)}
			case <-time.After(50 * time.Millisecond):
				continue
			}
		}
		if a.json {
			err = printProto(a.out, p)
		} else {
			err = printPayment(a.out, p)
		}
		if err == nil && info.GetResult() != corev1.Result_RESULT_COMPLETED {
			return errQuiet
		}
		return err
	}
}

func (a *app) paymentWatch() *cobra.Command {
	var tenant, token string
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Print payments as they change, until interrupted",
		Example: `  railhead payment watch --tenant greenbank
  railhead payment watch --json | jq .payment.uuid`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// The server ends a stream now and then; the token goes on from there.
			for cmd.Context().Err() == nil {
				if err := a.watch(cmd.Context(), tenant, &token); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&tenant, "tenant", "", "of this tenant")
	cmd.Flags().StringVar(&token, "resume", "", "go on after this `token` of an earlier watch")
	return cmd
}

// watch prints one stream's payments and keeps the token to resume after it. Being
// interrupted is its ordinary end.
func (a *app) watch(ctx context.Context, tenant string, token *string) error {
	stream, err := a.ops().Watch(ctx, &opsv1.WatchRequest{Filter: &opsv1.PaymentFilter{Tenant: tenant}, ResumeToken: *token})
	if err != nil {
		return err
	}
	for stream.Receive() {
		msg := stream.Msg()
		*token = msg.GetResumeToken()
		p := msg.GetPayment()
		switch {
		case p == nil: // a heartbeat
		case a.json:
			if err := printProto(a.out, msg); err != nil {
				return err
			}
		default:
			fmt.Fprintf(a.out, "%s  %s  %s  %-8s %s %s\n", clockTime(p.GetUpdatedTime().AsTime().UnixMilli()), p.GetUuid(), p.GetFlow(),
				enumText(p.GetState().String(), "PAYMENT_STATE_"), enumText(p.GetResult().String(), "PAYMENT_RESULT_"), p.GetCode())
		}
	}
	if ctx.Err() == nil {
		return stream.Err()
	}
	return nil
}
