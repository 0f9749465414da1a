package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"sync"
	"time"

	"connectrpc.com/connect"

	"github.com/railhead-hub/railhead/opsd/audit"
	"github.com/railhead-hub/railhead/opsd/store"
	opsv1 "github.com/railhead-hub/railhead/opsd/v1"
)

// Config says how the service answers.
type Config struct {
	// Sensitive are further names of variables and JSON fields to mask.
	Sensitive []string
	// Version of the program, for GetStatus.
	Version string
	// Consumer, where set, tells what the consumer does; nil: this process only
	// reads.
	Consumer Consumer

	// Of Watch; 0: 15 s and 5 min.
	WatchHeartbeat time.Duration
	WatchMax       time.Duration
}

// Consumer is what the service asks of the consumer.
type Consumer interface {
	State() string
	End(topic string, partition int32) (int64, bool)
}

// Service answers opsd.v1.OpsService. It is safe for concurrent use.
type Service struct {
	cfg   Config
	store *store.Store
	log   *slog.Logger
	mask  *masker

	mu      sync.Mutex
	changed chan struct{} // closed and replaced at every change
}

// New makes a service over a store.
func New(cfg Config, s *store.Store, log *slog.Logger) *Service {
	if cfg.WatchHeartbeat == 0 {
		cfg.WatchHeartbeat = 15 * time.Second
	}
	if cfg.WatchMax == 0 {
		cfg.WatchMax = 5 * time.Minute
	}
	return &Service{cfg: cfg, store: s, log: log, mask: newMasker(cfg.Sensitive), changed: make(chan struct{})}
}

const (
	pageDefault     = 100
	timelineDefault = 1000
)

func pageSize(asked int32, otherwise int) int {
	if asked <= 0 {
		return otherwise
	}
	return int(asked)
}

// ListPayments implements opsv1connect.OpsServiceHandler.
func (s *Service) ListPayments(ctx context.Context, r *opsv1.ListPaymentsRequest) (*opsv1.ListPaymentsResponse, error) {
	f, err := filter(r.Filter)
	if err != nil {
		return nil, invalid(err)
	}
	within := scope(r.Filter)
	numbers, err := readToken(r.PageToken, tokenPayments, within, 2)
	if err != nil {
		return nil, invalid(err)
	}
	var after *store.Cursor
	if r.PageToken != "" {
		after = &store.Cursor{StartedMS: int64(numbers[0]), Key: numbers[1]}
	}
	limit := pageSize(r.PageSize, pageDefault)
	payments, err := s.store.Payments(ctx, f, after, limit+1)
	if err != nil {
		return nil, s.failed(ctx, err)
	}
	out := &opsv1.ListPaymentsResponse{}
	if len(payments) > limit {
		payments = payments[:limit]
		last := payments[limit-1]
		out.NextPageToken = writeToken(tokenPayments, within, uint64(last.StartedMS), last.Key)
	}
	for _, p := range payments {
		out.Payments = append(out.Payments, s.mask.payment(p))
	}
	return out, nil
}

// GetPayment implements opsv1connect.OpsServiceHandler.
func (s *Service) GetPayment(ctx context.Context, r *opsv1.GetPaymentRequest) (*opsv1.GetPaymentResponse, error) {
	p, err := s.named(ctx, r.GetUuid(), r.GetKey())
	if err != nil {
		return nil, err
	}
	within := scope(nil, p.Key)
	place, err := readPlace(r.PageToken, within)
	if err != nil {
		return nil, invalid(err)
	}
	events, more, err := s.store.Events(ctx, p.Key, place, pageSize(r.PageSize, timelineDefault))
	if err != nil {
		return nil, s.failed(ctx, err)
	}
	out := &opsv1.GetPaymentResponse{Payment: s.mask.payment(p)}
	if more {
		last := events[len(events)-1]
		out.NextPageToken = placeToken(within, store.Place{Seq: last.Seq, ID: last.ID})
	}
	out.Timeline = s.mask.timeline(events, place.Seq)
	out.Identifiers = s.identifiers(events)
	return out, nil
}

// identifiers are those that the events show, each once.
func (s *Service) identifiers(events []store.Event) []*opsv1.Identifier {
	var out []*opsv1.Identifier
	seen := map[store.Correlation]bool{}
	for _, e := range events {
		if e.Decoded == nil {
			continue
		}
		for _, c := range store.Correlations(e.Decoded) {
			if !seen[c] {
				seen[c] = true
				out = append(out, &opsv1.Identifier{Kind: c.Kind, Value: s.mask.identifier(c.Value)})
			}
		}
	}
	return out
}

// GetStatus implements opsv1connect.OpsServiceHandler.
func (s *Service) GetStatus(ctx context.Context, _ *opsv1.GetStatusRequest) (*opsv1.GetStatusResponse, error) {
	status, err := s.store.Status(ctx)
	if err != nil {
		return nil, s.failed(ctx, err)
	}
	positions, err := s.store.Positions(ctx)
	if err != nil {
		return nil, s.failed(ctx, err)
	}
	head, err := s.store.AuditHead(ctx)
	if err != nil {
		return nil, s.failed(ctx, err)
	}
	out := &opsv1.GetStatusResponse{
		GapPayments: uint64(status.GapPayments), GapEvents: uint64(status.GapEvents), DeadLetters: uint64(status.DeadLetters),
		AuditEntries: head.Seq, AuditHead: head.Hash.String(), Store: s.store.Driver(), Version: s.cfg.Version, Consumer: "stopped",
	}
	if s.cfg.Consumer != nil {
		out.Consumer = s.cfg.Consumer.State()
	}
	for _, state := range []store.State{store.StateRunning, store.StateIncident, store.StateEnded} {
		out.Payments = append(out.Payments, &opsv1.StateCount{State: opsv1.PaymentState(state), Count: uint64(status.Payments[state])})
	}
	for _, p := range positions {
		position := &opsv1.Position{Topic: p.Topic, Partition: p.Partition, NextOffset: p.Next, EndOffset: -1, Lag: -1, UpdatedTime: at(p.UpdatedMS)}
		if s.cfg.Consumer != nil {
			if end, ok := s.cfg.Consumer.End(p.Topic, p.Partition); ok {
				// The end was heard a moment ago and may be behind what is stored.
				position.EndOffset = max(end, p.Next)
				position.Lag = position.EndOffset - p.Next
			}
		}
		out.Positions = append(out.Positions, position)
	}
	return out, nil
}

// ListDeadLetters implements opsv1connect.OpsServiceHandler.
func (s *Service) ListDeadLetters(ctx context.Context, r *opsv1.ListDeadLettersRequest) (*opsv1.ListDeadLettersResponse, error) {
	numbers, err := readToken(r.PageToken, tokenDeadLetters, 0, 1)
	if err != nil {
		return nil, invalid(err)
	}
	limit := pageSize(r.PageSize, pageDefault)
	dead, err := s.store.DeadLetters(ctx, int64(numbers[0]), limit+1)
	if err != nil {
		return nil, s.failed(ctx, err)
	}
	out := &opsv1.ListDeadLettersResponse{}
	if len(dead) > limit {
		dead = dead[:limit]
		out.NextPageToken = writeToken(tokenDeadLetters, 0, uint64(dead[limit-1].Number))
	}
	for _, d := range dead {
		digest := sha256.Sum256(d.Record.Value)
		letter := &opsv1.DeadLetter{
			Number: d.Number, Topic: d.Record.Topic, Partition: d.Record.Partition, Offset: d.Record.Offset,
			Cause: s.mask.text(d.Record.Cause), Time: at(d.Record.TimeMS), SizeBytes: uint32(len(d.Record.Value)),
			Sha256: hex.EncodeToString(digest[:]), Id: d.Record.ID,
		}
		if d.ReplayedMS != 0 {
			letter.ReplayedTime = at(d.ReplayedMS)
		}
		out.DeadLetters = append(out.DeadLetters, letter)
	}
	return out, nil
}

// ListAudit implements opsv1connect.OpsServiceHandler.
func (s *Service) ListAudit(ctx context.Context, r *opsv1.ListAuditRequest) (*opsv1.ListAuditResponse, error) {
	within := scope(&opsv1.ListAuditRequest{Tenant: r.Tenant})
	numbers, err := readToken(r.PageToken, tokenAudit, within, 1)
	if err != nil {
		return nil, invalid(err)
	}
	limit := pageSize(r.PageSize, pageDefault)
	entries, err := s.store.AuditEntries(ctx, r.Tenant, numbers[0], limit+1)
	if err != nil {
		return nil, s.failed(ctx, err)
	}
	out := &opsv1.ListAuditResponse{}
	if len(entries) > limit {
		entries = entries[:limit]
		out.NextPageToken = writeToken(tokenAudit, within, entries[limit-1].Seq)
	}
	for _, e := range entries {
		out.Entries = append(out.Entries, &opsv1.AuditEntry{
			Seq: e.Seq, Time: at(e.TimeMS), Actor: e.Actor, Reason: s.mask.text(e.Reason), Method: e.Method, Target: e.Target, Tenant: e.Tenant,
			Result: e.Result, EventId: e.EventID, DetailSha256: e.Detail.String(), PrevHash: e.Prev.String(), Hash: e.Hash.String(),
		})
	}
	return out, nil
}

// VerifyAudit implements opsv1connect.OpsServiceHandler.
func (s *Service) VerifyAudit(ctx context.Context, r *opsv1.VerifyAuditRequest) (*opsv1.VerifyAuditResponse, error) {
	limit := r.Limit
	if limit == 0 {
		limit = 10_000_000
	}
	var expect *audit.Hash
	if r.ExpectHead != "" {
		h, err := audit.ParseHash(r.ExpectHead)
		if err != nil {
			return nil, invalid(err)
		}
		expect = &h
	}
	after := uint64(0)
	if r.FromSeq > 1 {
		after = r.FromSeq - 1
	}
	head, checked, err := s.store.VerifyAudit(ctx, after, limit, expect)
	out := &opsv1.VerifyAuditResponse{Ok: err == nil, Checked: checked, HeadSeq: head.Seq, Head: head.Hash.String()}
	var fault *audit.Fault
	switch {
	case errors.As(err, &fault):
		s.log.Error("the audit chain does not verify", "entry", fault.Seq, "fault", fault.Text)
		out.FaultSeq, out.Fault = fault.Seq, fault.Text
	case err != nil:
		return nil, s.failed(ctx, err)
	}
	return out, nil
}

func invalid(err error) error { return connect.NewError(connect.CodeInvalidArgument, err) }

// failed hides what went wrong inside; the log has it.
func (s *Service) failed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return connect.NewError(connect.CodeCanceled, ctx.Err())
	}
	s.log.Error("a request failed", "error", err)
	return connect.NewError(connect.CodeUnavailable, errors.New("opsd cannot read its database; try again, and see its log"))
}
