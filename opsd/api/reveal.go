package api

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/railhead-hub/railhead/opsd/audit"
	"github.com/railhead-hub/railhead/opsd/store"
	opsv1 "github.com/railhead-hub/railhead/opsd/v1"
)

// RevealEvents implements opsv1connect.OpsServiceHandler. The entry in the audit chain
// is written first: if it cannot be, nothing is revealed.
func (s *Service) RevealEvents(ctx context.Context, r *opsv1.RevealEventsRequest) (*opsv1.RevealEventsResponse, error) {
	p, err := s.named(ctx, r.GetUuid(), r.GetKey())
	if err != nil {
		return nil, err
	}
	within := scope(nil, p.Key)
	place, err := readPlace(r.PageToken, within)
	if err != nil {
		return nil, invalid(err)
	}
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(r)
	if err != nil {
		return nil, s.failed(ctx, err)
	}
	method := "reveal-events"
	if r.Exchanges {
		method = "reveal-exchanges"
	}
	if _, err := s.store.Act(ctx, audit.Entry{
		Actor: r.Actor, Reason: r.Reason, Method: method, Tenant: p.Tenant, Result: "ok",
		Target: fmt.Sprintf("payment %d from event %d", p.Key, place.Seq+1),
	}, time.Now().UnixMilli(), raw); err != nil {
		return nil, s.failed(ctx, err)
	}
	events, more, err := s.store.Events(ctx, p.Key, place, pageSize(r.PageSize, timelineDefault))
	if err != nil {
		return nil, s.failed(ctx, err)
	}
	out := &opsv1.RevealEventsResponse{Payment: s.mask.payment(p)}
	for _, e := range events {
		if e.Decoded == nil {
			return nil, connect.NewError(connect.CodeDataLoss, fmt.Errorf("event %d of the payment cannot be read", e.Seq))
		}
		if !r.Exchanges {
			// What went over the wire is not needed to see where the payment went.
			e.Decoded.Request, e.Decoded.Answer, e.Decoded.History = nil, nil, nil
		}
		raw, err := e.Decoded.MarshalVTStrict()
		if err != nil {
			return nil, s.failed(ctx, err)
		}
		out.Events = append(out.Events, raw)
	}
	if more {
		last := events[len(events)-1]
		out.NextPageToken = placeToken(within, store.Place{Seq: last.Seq, ID: last.ID})
	}
	return out, nil
}

// named finds a payment by its UUID, or by its key if there is none.
func (s *Service) named(ctx context.Context, uuid string, key uint64) (*store.Payment, error) {
	var p *store.Payment
	var err error
	if uuid != "" {
		p, err = s.store.PaymentByUUID(ctx, uuid)
	} else {
		p, err = s.store.Payment(ctx, key)
	}
	if errors.Is(err, store.ErrNotFound) {
		return nil, connect.NewError(connect.CodeNotFound, errors.New("opsd knows no such payment; it may not have arrived yet"))
	}
	if err != nil {
		return nil, s.failed(ctx, err)
	}
	return p, nil
}
