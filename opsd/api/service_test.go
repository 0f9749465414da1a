package api_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	"github.com/railhead-hub/railhead/opsd/api"
	"github.com/railhead-hub/railhead/opsd/store"
	opsv1 "github.com/railhead-hub/railhead/opsd/v1"
	"github.com/railhead-hub/railhead/opsd/v1/opsv1connect"
)

// backOffice is the service over a store in a file, behind real HTTP.
type backOffice struct {
	t       testing.TB
	store   *store.Store
	claim   *store.Claim
	service *api.Service
	client  opsv1connect.OpsServiceClient
	next    int64
	seq     map[uint64]uint32
	index   uint64
}

func newBackOffice(t testing.TB, cfg api.Config) *backOffice {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{Driver: "sqlite", Path: filepath.Join(t.TempDir(), "opsd.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	claim, err := s.Claim(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	service := api.New(cfg, s, slog.New(slog.DiscardHandler))
	server := httptest.NewServer(api.Handler(service))
	t.Cleanup(server.Close)
	return &backOffice{
		t: t, store: s, claim: claim, service: service, next: store.Beginning, seq: map[uint64]uint32{},
		client: opsv1connect.NewOpsServiceClient(server.Client(), server.URL),
	}
}

func (b *backOffice) event(payment uint64, kind enginev1.EventKind, with ...func(*enginev1.Event)) *enginev1.Event {
	b.index++
	e := &enginev1.Event{
		Cluster: 1, Incarnation: 1, Index: b.index, TimeMs: 1_700_000_000_000 + int64(b.index), Kind: kind, Tenant: "greenbank", Payment: payment,
	}
	if payment != 0 {
		b.seq[payment]++
		e.Seq = b.seq[payment]
	}
	if kind == enginev1.EventKind_EVENT_KIND_PAYMENT_STARTED {
		e.Uuid, e.Type, e.Key = uuid(payment), "flow", fmt.Sprintf("client-%d", payment)
		e.Variables = []*enginev1.Variable{{Name: "amount", Json: []byte(fmt.Sprintf(`"%d"`, payment))}, {Name: "currency", Json: []byte(`"USD"`)}}
	}
	for _, f := range with {
		f(e)
	}
	return e
}

func (b *backOffice) started(payment uint64) *enginev1.Event {
	return b.event(payment, enginev1.EventKind_EVENT_KIND_PAYMENT_STARTED)
}

func (b *backOffice) ended(payment uint64) *enginev1.Event {
	return b.event(payment, enginev1.EventKind_EVENT_KIND_PAYMENT_ENDED, func(e *enginev1.Event) { e.Result = enginev1.Result_RESULT_COMPLETED })
}

func (b *backOffice) apply(audit bool, events ...*enginev1.Event) {
	b.t.Helper()
	batch := &store.Batch{}
	from := b.next
	b.next = max(b.next, 0)
	for _, e := range events {
		raw, err := e.MarshalVTStrict()
		if err != nil {
			b.t.Fatal(err)
		}
		batch.Records = append(batch.Records, store.Record{Topic: "t", Offset: b.next, Value: raw, Event: e, Audit: audit})
		b.next++
	}
	batch.Spans = []store.Span{{Topic: "t", From: from, To: b.next}}
	if _, err := b.store.Apply(b.t.Context(), b.claim, batch); err != nil {
		b.t.Fatal(err)
	}
	b.service.Changed()
}

func uuid(payment uint64) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", payment) }

func code(err error) connect.Code {
	if err == nil {
		return 0
	}
	return connect.CodeOf(err)
}

func TestListPaymentsByPages(t *testing.T) {
	b := newBackOffice(t, api.Config{})
	for p := uint64(1); p <= 25; p++ {
		b.apply(false, b.started(p))
	}
	b.apply(false, b.ended(3))
	var got []uint64
	request := &opsv1.ListPaymentsRequest{PageSize: 10, Filter: &opsv1.PaymentFilter{State: opsv1.PaymentState_PAYMENT_STATE_RUNNING, Currency: "USD", AmountMin: "2"}}
	for pages := 0; ; pages++ {
		page, err := b.client.ListPayments(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range page.Payments {
			got = append(got, p.Key)
		}
		if request.PageToken = page.NextPageToken; request.PageToken == "" {
			break
		}
		// What starts meanwhile comes before the first page and moves nothing.
		b.apply(false, b.started(uint64(100+pages)))
	}
	if want := "[25 24 23 22 21 20 19 18 17 16 15 14 13 12 11 10 9 8 7 6 5 4 2]"; fmt.Sprint(got) != want {
		t.Errorf("got %v\nwant %s", got, want)
	}
}

func TestGetPayment(t *testing.T) {
	b := newBackOffice(t, api.Config{})
	b.apply(false, b.started(7), b.event(7, enginev1.EventKind_EVENT_KIND_JOB_CREATED))
	b.seq[7]++ // lost
	b.apply(false, b.ended(7))
	for _, request := range []*opsv1.GetPaymentRequest{
		{Name: &opsv1.GetPaymentRequest_Uuid{Uuid: uuid(7)}}, {Name: &opsv1.GetPaymentRequest_Key{Key: 7}},
	} {
		got, err := b.client.GetPayment(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		p := got.Payment
		if p.Uuid != uuid(7) || p.State != opsv1.PaymentState_PAYMENT_STATE_ENDED || p.Result != opsv1.PaymentResult_PAYMENT_RESULT_COMPLETED ||
			p.Amount != "7.00" || p.Currency != "USD" || p.MissingEvents != 1 {
			t.Errorf("%v", p)
		}
		var kinds []string
		for _, e := range got.Timeline {
			kinds = append(kinds, e.Kind)
		}
		if strings.Join(kinds, " ") != "payment_started job_created missing payment_ended" {
			t.Errorf("timeline %v", kinds)
		}
		if len(got.Identifiers) != 2 || got.Identifiers[0].Kind != "transactionId" {
			t.Errorf("identifiers %v", got.Identifiers)
		}
	}
	first, err := b.client.GetPayment(t.Context(), &opsv1.GetPaymentRequest{Name: &opsv1.GetPaymentRequest_Key{Key: 7}, PageSize: 2})
	if err != nil || len(first.Timeline) != 2 || first.NextPageToken == "" {
		t.Fatalf("%v, %v", first, err)
	}
	rest, err := b.client.GetPayment(t.Context(), &opsv1.GetPaymentRequest{Name: &opsv1.GetPaymentRequest_Key{Key: 7}, PageSize: 2, PageToken: first.NextPageToken})
	if err != nil || len(rest.Timeline) != 2 || rest.Timeline[0].Kind != "missing" || rest.NextPageToken != "" {
		t.Errorf("%v, %v", rest, err)
	}
	if _, err := b.client.GetPayment(t.Context(), &opsv1.GetPaymentRequest{Name: &opsv1.GetPaymentRequest_Key{Key: 8}}); code(err) != connect.CodeNotFound {
		t.Errorf("an unknown payment: %v", err)
	}
}

// Bad requests are refused with a typed error before they reach the database.
func TestBadRequestsAreRefused(t *testing.T) {
	b := newBackOffice(t, api.Config{})
	for p := uint64(1); p <= 3; p++ {
		b.apply(false, b.started(p))
	}
	ctx := t.Context()
	page, err := b.client.ListPayments(ctx, &opsv1.ListPaymentsRequest{PageSize: 1})
	if err != nil || page.NextPageToken == "" {
		t.Fatal(page, err)
	}
	list := func(r *opsv1.ListPaymentsRequest) error { _, err := b.client.ListPayments(ctx, r); return err }
	get := func(r *opsv1.GetPaymentRequest) error { _, err := b.client.GetPayment(ctx, r); return err }
	by := func(f *opsv1.PaymentFilter) error { return list(&opsv1.ListPaymentsRequest{Filter: f}) }
	watch := func(r *opsv1.WatchRequest) error {
		stream, err := b.client.Watch(ctx, r)
		if err != nil {
			return err
		}
		defer stream.Close()
		for stream.Receive() {
		}
		return stream.Err()
	}
	for name, err := range map[string]error{
		"a page too large":          list(&opsv1.ListPaymentsRequest{PageSize: 1001}),
		"a negative page":           list(&opsv1.ListPaymentsRequest{PageSize: -1}),
		"a token from nowhere":      list(&opsv1.ListPaymentsRequest{PageToken: "AAAA"}),
		"a token that is no base64": list(&opsv1.ListPaymentsRequest{PageToken: "&&&"}),
		"a token of another filter": list(&opsv1.ListPaymentsRequest{PageToken: page.NextPageToken, Filter: &opsv1.PaymentFilter{Tenant: "x"}}),
		"a token of another method": get(&opsv1.GetPaymentRequest{Name: &opsv1.GetPaymentRequest_Key{Key: 1}, PageToken: page.NextPageToken}),
		"a token too long":          list(&opsv1.ListPaymentsRequest{PageToken: strings.Repeat("A", 600)}),
		"a tenant too long":         by(&opsv1.PaymentFilter{Tenant: strings.Repeat("x", 200)}),
		"a NUL":                     by(&opsv1.PaymentFilter{Text: "a\x00b"}),
		"a state unknown":           by(&opsv1.PaymentFilter{State: 17}),
		"a result unknown":          by(&opsv1.PaymentFilter{Result: 17}),
		"a currency in small":       by(&opsv1.PaymentFilter{Currency: "usd"}),
		"an amount no decimal":      by(&opsv1.PaymentFilter{Currency: "USD", AmountMin: "1e5"}),
		"an amount without money":   by(&opsv1.PaymentFilter{AmountMin: "1"}),
		"an amount too fine":        by(&opsv1.PaymentFilter{Currency: "JPY", AmountMax: "1.5"}),
		"a range backwards":         by(&opsv1.PaymentFilter{StartedFrom: &timestamppb.Timestamp{Seconds: 5}, StartedTo: &timestamppb.Timestamp{Seconds: 4}}),
		"a time that is none":       by(&opsv1.PaymentFilter{StartedFrom: &timestamppb.Timestamp{Seconds: 1 << 60}}),
		"no payment named":          get(&opsv1.GetPaymentRequest{}),
		"payment 0":                 get(&opsv1.GetPaymentRequest{Name: &opsv1.GetPaymentRequest_Key{}}),
		"a payment out of range":    get(&opsv1.GetPaymentRequest{Name: &opsv1.GetPaymentRequest_Key{Key: 1 << 63}}),
		"an empty UUID":             get(&opsv1.GetPaymentRequest{Name: &opsv1.GetPaymentRequest_Uuid{}}),
		"a resume token from afar":  watch(&opsv1.WatchRequest{ResumeToken: page.NextPageToken}),
		"a watch of no state":       watch(&opsv1.WatchRequest{Filter: &opsv1.PaymentFilter{State: -1}}),
	} {
		if code(err) != connect.CodeInvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
	large := by(&opsv1.PaymentFilter{Text: strings.Repeat("x", 2<<20)})
	if code(large) != connect.CodeResourceExhausted {
		t.Errorf("a request of two megabytes: %v", large)
	}
}

func TestStatusDeadLettersAndAudit(t *testing.T) {
	b := newBackOffice(t, api.Config{Version: "1.2.3"})
	b.apply(false, b.started(1), b.ended(1), b.started(2))
	for range 3 {
		b.apply(true, b.event(0, enginev1.EventKind_EVENT_KIND_TENANT_PUT, func(e *enginev1.Event) {
			e.Actor = &enginev1.Actor{Name: "ada", Reason: "new bank, ask 27710101999"}
		}))
	}
	batch := &store.Batch{Records: []store.Record{{Topic: "t", Offset: b.next, Value: []byte("?"), Cause: "no event"}},
		Spans: []store.Span{{Topic: "t", From: b.next, To: b.next + 1}}}
	if _, err := b.store.Apply(t.Context(), b.claim, batch); err != nil {
		t.Fatal(err)
	}
	status, err := b.client.GetStatus(t.Context(), &opsv1.GetStatusRequest{})
	if err != nil || status.DeadLetters != 1 || status.AuditEntries != 3 || status.Version != "1.2.3" || status.Store != "sqlite" ||
		len(status.Positions) != 1 || status.Positions[0].NextOffset != 7 || status.Positions[0].Lag != -1 {
		t.Errorf("%v, %v", status, err)
	}
	for _, c := range status.GetPayments() {
		if want := map[opsv1.PaymentState]uint64{1: 1, 2: 0, 3: 1}[c.State]; c.Count != want {
			t.Errorf("%v", c)
		}
	}
	dead, err := b.client.ListDeadLetters(t.Context(), &opsv1.ListDeadLettersRequest{})
	if err != nil || len(dead.DeadLetters) != 1 || dead.DeadLetters[0].Cause != "no event" || dead.DeadLetters[0].SizeBytes != 1 {
		t.Errorf("%v, %v", dead, err)
	}
	page, err := b.client.ListAudit(t.Context(), &opsv1.ListAuditRequest{PageSize: 2})
	if err != nil || len(page.Entries) != 2 || page.Entries[0].Seq != 3 || page.Entries[0].Actor != "ada" || page.Entries[0].Method != "tenant_put" ||
		page.Entries[0].Reason != "new bank, ask ***1999" {
		t.Fatalf("%v, %v", page, err)
	}
	rest, err := b.client.ListAudit(t.Context(), &opsv1.ListAuditRequest{PageSize: 2, PageToken: page.NextPageToken})
	if err != nil || len(rest.Entries) != 1 || rest.NextPageToken != "" {
		t.Errorf("%v, %v", rest, err)
	}
	verified, err := b.client.VerifyAudit(t.Context(), &opsv1.VerifyAuditRequest{ExpectHead: status.AuditHead})
	if err != nil || !verified.Ok || verified.Checked != 3 || verified.Head != status.AuditHead {
		t.Errorf("%v, %v", verified, err)
	}
	verified, err = b.client.VerifyAudit(t.Context(), &opsv1.VerifyAuditRequest{FromSeq: 9})
	if err != nil || verified.Ok || verified.Fault == "" {
		t.Errorf("behind the end: %v, %v", verified, err)
	}
}

func TestWatchSendsWhatChangesAndResumes(t *testing.T) {
	b := newBackOffice(t, api.Config{})
	b.apply(false, b.started(1))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	request := &opsv1.WatchRequest{Filter: &opsv1.PaymentFilter{Tenant: "greenbank", State: opsv1.PaymentState_PAYMENT_STATE_RUNNING}}
	stream, err := b.client.Watch(ctx, request)
	if err != nil {
		t.Fatal(err)
	}
	next := func() *opsv1.WatchResponse {
		t.Helper()
		if !stream.Receive() {
			t.Fatalf("the stream ended: %v", stream.Err())
		}
		return proto.CloneOf(stream.Msg())
	}
	if first := next(); first.Payment != nil || first.ResumeToken == "" {
		t.Errorf("first %v", first)
	}
	b.apply(false, b.started(2))
	second := next()
	if second.Payment.GetKey() != 2 || !second.Matches {
		t.Errorf("second %v", second)
	}
	b.apply(false, b.ended(1))
	if left := next(); left.Payment.GetKey() != 1 || left.Matches {
		t.Errorf("a payment that left the filter: %v", left)
	}
	cancel()
	_ = stream.Close()

	b.apply(false, b.started(3))
	request.ResumeToken = second.ResumeToken
	again, err := b.client.Watch(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	var seen []uint64
	for len(seen) < 2 && again.Receive() {
		if p := again.Msg().Payment; p != nil {
			seen = append(seen, p.Key)
		}
	}
	if fmt.Sprint(seen) != "[1 3]" {
		t.Errorf("resumed with %v, %v", seen, again.Err())
	}
}

func TestWatchBeatsAndEnds(t *testing.T) {
	b := newBackOffice(t, api.Config{WatchHeartbeat: 5 * time.Millisecond, WatchMax: 200 * time.Millisecond})
	stream, err := b.client.Watch(t.Context(), &opsv1.WatchRequest{})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	beats := 0
	for stream.Receive() {
		beats++
	}
	if err := stream.Err(); err != nil || beats < 2 {
		t.Errorf("%d heartbeats, then %v", beats, err)
	}
}

// Every method says who may call it and what it leaves in the audit, and every
// field of a request has its bounds.
func TestEveryMethodDeclaresItsAccess(t *testing.T) {
	methods := opsv1.File_opsd_v1_ops_proto.Services().ByName("OpsService").Methods()
	for i := range methods.Len() {
		method := methods.Get(i)
		access, _ := proto.GetExtension(method.Options(), opsv1.E_Access).(*opsv1.Access)
		if access.GetPermission() == "" || access.GetAudit() == opsv1.AuditClass_AUDIT_CLASS_UNSPECIFIED {
			t.Errorf("%s declares no permission or audit class", method.FullName())
		}
		if err := bounded(method.Input()); err != nil {
			t.Errorf("%s: %v", method.FullName(), err)
		}
	}
}

func bounded(m protoreflect.MessageDescriptor) error {
	var faults []error
	for i := range m.Fields().Len() {
		f := m.Fields().Get(i)
		if f.Message() != nil {
			if f.Message().ParentFile().Package() == "opsd.v1" {
				faults = append(faults, bounded(f.Message()))
			}
			continue
		}
		if f.Kind() == protoreflect.BoolKind {
			continue // has two values, and both are allowed
		}
		if !strings.Contains(fmt.Sprint(f.Options()), "buf.validate.field") {
			faults = append(faults, fmt.Errorf("%s has no rules", f.FullName()))
		}
	}
	return errors.Join(faults...)
}

// State and result carry the same numbers everywhere.
func TestNumbersAgree(t *testing.T) {
	for value, name := range enginev1.Result_name {
		if got := strings.TrimPrefix(opsv1.PaymentResult(value).String(), "PAYMENT_"); got != name {
			t.Errorf("result %d is %s in the engine and %s in the API", value, name, got)
		}
	}
	for _, state := range []store.State{store.StateRunning, store.StateIncident, store.StateEnded} {
		if got := opsv1.PaymentState(state).String(); got != "PAYMENT_STATE_"+strings.ToUpper(state.String()) {
			t.Errorf("state %d is %s in the store and %s in the API", state, state, got)
		}
	}
}
