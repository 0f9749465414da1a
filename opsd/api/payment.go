package api

import (
	"fmt"

	"google.golang.org/protobuf/types/known/timestamppb"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	"github.com/railhead-hub/railhead/opsd/store"
	opsv1 "github.com/railhead-hub/railhead/opsd/v1"
)

// payment renders a projection. State and result carry the same numbers in store,
// engine and API; a test holds them to it.
func (m *masker) payment(p *store.Payment) *opsv1.Payment {
	out := &opsv1.Payment{
		Key: p.Key, Uuid: p.UUID, Cluster: p.Last.Cluster, Tenant: p.Tenant, Flow: p.Flow, FlowVersion: p.FlowVersion,
		ClientKey: m.identifier(p.ClientKey), State: opsv1.PaymentState(p.State), Result: opsv1.PaymentResult(p.Result), Code: p.Code,
		StartedTime: at(p.StartedMS), UpdatedTime: at(p.UpdatedMS), LastSeq: p.LastSeq, MissingEvents: p.Missing,
	}
	if p.Amount != nil {
		out.Amount, out.Currency = store.FormatAmount(*p.Amount, p.Currency), p.Currency
	}
	if p.EndedMS != 0 {
		out.EndedTime = at(p.EndedMS)
	}
	for _, i := range p.Incidents {
		out.Incidents = append(out.Incidents, &opsv1.Incident{
			Number: i.Number, Element: i.Element, Code: i.Code, Text: m.text(i.Text), OpenedTime: at(i.OpenedMS),
		})
	}
	return out
}

// filter reads a validated filter; what is left to refuse is an amount that its
// currency cannot express.
func filter(f *opsv1.PaymentFilter) (*store.Filter, error) {
	if f == nil {
		return &store.Filter{}, nil
	}
	out := &store.Filter{
		Tenant: f.Tenant, State: store.State(f.State), Result: enginev1.Result(f.Result), Flow: f.Flow, ClientKey: f.ClientKey,
		TransactionID: f.TransactionId, Currency: f.Currency, Text: f.Text,
	}
	for _, bound := range []struct {
		text string
		into **int64
		name string
	}{{f.AmountMin, &out.AmountMin, "amount_min"}, {f.AmountMax, &out.AmountMax, "amount_max"}} {
		if bound.text == "" {
			continue
		}
		minor, ok := store.ParseAmount(bound.text, f.Currency)
		if !ok {
			return nil, fmt.Errorf("%s: %s has more decimals than %s knows", bound.name, bound.text, f.Currency)
		}
		*bound.into = &minor
	}
	for _, bound := range []struct {
		time *timestamppb.Timestamp
		into *int64
		name string
	}{{f.StartedFrom, &out.StartedFromMS, "started_from"}, {f.StartedTo, &out.StartedToMS, "started_to"}} {
		if bound.time == nil {
			continue
		}
		if err := bound.time.CheckValid(); err != nil {
			return nil, fmt.Errorf("%s: %w", bound.name, err)
		}
		// 0 means open in a filter; nothing started in 1970.
		*bound.into = max(bound.time.AsTime().UnixMilli(), 1)
	}
	return out, nil
}
