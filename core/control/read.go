package control

import (
	"context"
	"math"
	"slices"
	"strings"
	"sync"

	"connectrpc.com/connect"

	corev1 "github.com/railhead-hub/railhead/core/v1"
	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// GetPayment reads a payment from this node's rows.
func (s *Service) GetPayment(ctx context.Context, r *corev1.GetPaymentRequest) (*corev1.GetPaymentResponse, error) {
	var payment uint64
	switch by := r.By.(type) {
	case *corev1.GetPaymentRequest_Payment:
		var err error
		if payment, err = s.payment(by.Payment); err != nil {
			return nil, err
		}
	case *corev1.GetPaymentRequest_Key:
		payment = by.Key
	}
	answer, err := s.readPayment(r, payment)
	if err == nil && answer == nil && s.Commands.CatchUp(ctx) == nil {
		answer, err = s.readPayment(r, payment)
	}
	if err == nil && answer == nil {
		err = refuse(connect.CodeNotFound, "PAYMENT_UNKNOWN", "There is no such payment, or it is past its retention.")
	}
	return answer, err
}

// readPayment is nil when these rows do not have the payment.
func (s *Service) readPayment(r *corev1.GetPaymentRequest, payment uint64) (answer *corev1.GetPaymentResponse, err error) {
	err = s.Replica.View(func(tx engine.Tx) error {
		row, found := tx.Get(engine.Key{Table: engine.TableMeta})
		if !found {
			return nil
		}
		meta := row.(*enginev1.Meta)
		if c := r.GetClient(); c != nil {
			if id, found := tx.Get(engine.StartIndexKey(c.Tenant, c.Channel, c.Key)); found {
				payment = id.(*enginev1.StartID).Payment
			}
		}
		if row, found := tx.Get(engine.Key{Table: engine.TableInstance, A: payment}); found {
			answer = s.running(tx, meta, row.(*enginev1.Instance))
		} else if row, found := tx.Get(engine.Key{Table: engine.TableReceipt, A: payment}); found {
			answer = ended(meta, row.(*enginev1.Receipt))
		}
		return nil
	})
	return answer, err
}

func ended(meta *enginev1.Meta, r *enginev1.Receipt) *corev1.GetPaymentResponse {
	answer := &corev1.GetPaymentResponse{Payment: &corev1.PaymentInfo{
		Payment: engine.PaymentUUID(meta, r.Payment), Key: r.Payment, Tenant: r.Tenant,
		Flow: r.Flow, FlowVersion: r.FlowVersion, State: "ended",
		Result: corev1.Result(r.Result), Code: r.Code, Channel: r.Channel, ClientKey: r.ClientKey,
		StartedMs: r.StartedMs, EndedMs: r.EndedMs, EndElement: r.EndElement, LastSeq: r.LastSeq,
	}}
	for i, e := range r.Effects {
		answer.Effects = append(answer.Effects, effectInfo(meta, e, uint32(i)))
	}
	return answer
}

func inFlight(meta *enginev1.Meta, i *enginev1.Instance) *corev1.PaymentInfo {
	info := &corev1.PaymentInfo{
		Payment: engine.PaymentUUID(meta, i.Payment), Key: i.Payment, Tenant: i.Tenant,
		Flow: i.Flow, FlowVersion: i.FlowVersion, State: "running",
		Channel: i.Channel, ClientKey: i.ClientKey, StartedMs: i.StartedMs, LastSeq: i.LastSeq,
	}
	if len(i.Incidents) > 0 {
		info.State = "incident"
	}
	return info
}

func (s *Service) running(tx engine.Tx, meta *enginev1.Meta, i *enginev1.Instance) *corev1.GetPaymentResponse {
	answer := &corev1.GetPaymentResponse{Payment: inFlight(meta, i)}
	if len(i.Scopes) > 0 {
		answer.Variables = variableInfos(i.Scopes[0].Variables)
	}
	places := places{tx: tx, flows: &s.flows, instance: i}
	for _, t := range i.Tokens {
		answer.Tokens = append(answer.Tokens, &corev1.TokenInfo{
			N: t.N, Scope: t.Scope, Job: t.Job, Incident: t.Incident, UserTask: t.UserTask,
			Element: places.element(t.Scope, t.Element), Waits: places.waits(t.Scope, t.Waits),
		})
		if t.Job != 0 {
			if row, found := tx.Get(engine.Key{Table: engine.TableJob, A: i.Payment, B: uint64(t.Job)}); found {
				answer.Jobs = append(answer.Jobs, jobInfo(row.(*enginev1.Job)))
			}
		}
	}
	for n, scope := range i.Scopes {
		if n > 0 {
			answer.Scopes = append(answer.Scopes, places.scope(scope))
		}
	}
	for _, t := range i.Tokens {
		if row, found := tx.Get(engine.Key{Table: engine.TableUserTask, A: i.Payment, B: uint64(t.UserTask)}); t.UserTask != 0 && found {
			answer.UserTasks = append(answer.UserTasks, userTask(tx, meta, row.(*enginev1.UserTask)))
		}
	}
	for _, n := range i.Incidents {
		if row, found := tx.Get(engine.Key{Table: engine.TableIncident, A: i.Payment, B: uint64(n)}); found {
			incident := row.(*enginev1.Incident)
			answer.Incidents = append(answer.Incidents, &corev1.IncidentInfo{
				N: incident.N, Element: incident.Element, Code: incident.Code, Text: incident.Text,
				OpenedMs: incident.OpenedMs, Repairs: s.reader.repairs(tx, incident), Job: incident.Job, Token: incident.Token,
			})
		}
	}
	for index, key := range i.EffectKeys {
		if row, found := tx.Get(engine.Key{Table: engine.TableEffect, S: key, A: i.Payment}); found {
			answer.Effects = append(answer.Effects, effectInfo(meta, row.(*enginev1.Effect), uint32(index)))
		}
	}
	return answer
}

func variableInfos(vars []*enginev1.Variable) []*corev1.Variable {
	out := make([]*corev1.Variable, 0, len(vars))
	for _, v := range vars {
		out = append(out, &corev1.Variable{Name: v.Name, Json: string(v.Json)})
	}
	return out
}

// places tells where things of a payment stand, by the ids of its flows' elements.
type places struct {
	tx       engine.Tx
	flows    *flowCache
	instance *enginev1.Instance
}

// flow is the scope of the flow that a scope belongs to; nil: the row is damaged.
func (p places) flow(scope uint32) *enginev1.Scope {
	for {
		i := slices.IndexFunc(p.instance.Scopes, func(s *enginev1.Scope) bool { return s.N == scope })
		if i < 0 {
			return nil
		}
		if s := p.instance.Scopes[i]; s.Flow != "" {
			return s
		}
		scope = p.instance.Scopes[i].Parent
	}
}

func (p places) element(scope, index uint32) string {
	flow := p.flow(scope)
	if flow == nil {
		return ""
	}
	return p.flows.element(p.tx, p.instance.Tenant, flow.Flow, flow.FlowVersion, index)
}

func (p places) waits(scope uint32, waits []*enginev1.Wait) (out []*corev1.WaitInfo) {
	for _, w := range waits {
		out = append(out, &corev1.WaitInfo{
			DueMs: w.DueMs, Message: w.Name, Key: w.Key, Signal: w.Signal, Element: p.element(scope, w.Element),
		})
	}
	return out
}

func (p places) scope(s *enginev1.Scope) *corev1.ScopeInfo {
	info := &corev1.ScopeInfo{
		N: s.N, Parent: s.Parent, Token: s.Token, Flow: s.Flow, FlowVersion: s.FlowVersion, Round: s.Round,
		Variables: variableInfos(s.Variables), Waits: p.waits(s.N, s.Waits), Compensation: s.Compensation,
	}
	for _, t := range p.instance.Tokens {
		if t.N == s.Token {
			info.Element = p.element(t.Scope, t.Element)
		}
	}
	return info
}

// reader is an engine that is asked about rows and applies nothing; its caches want
// one caller at a time.
type reader struct {
	mu     sync.Mutex
	engine *engine.Engine
}

func (r *reader) repairs(tx engine.Tx, in *enginev1.Incident) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.engine == nil {
		r.engine = engine.New()
	}
	return r.engine.Repairs(tx, in)
}

func jobInfo(j *enginev1.Job) *corev1.JobInfo {
	return &corev1.JobInfo{
		N: j.N, Type: j.Type, Connector: j.Connector, Digest: j.Digest, Element: j.Element,
		Attempt: j.Attempt, Retries: j.Retries, State: enumName(j.State.String(), "JOB_STATE_"),
		DueMs: j.DueMs, Reason: j.Reason, Prior: slices.Clone(j.Prior), History: uint32(len(j.History)),
	}
}

func effectInfo(meta *enginev1.Meta, e *enginev1.Effect, index uint32) *corev1.EffectInfo {
	return &corev1.EffectInfo{
		Key: e.Key, Number: e.Number, IdempotencyKey: engine.EffectUUID(meta, e.Payment, index, e.Number),
		State: enumName(e.State.String(), "EFFECT_STATE_"), Endpoint: e.Endpoint, Mode: enumName(e.Mode.String(), "MODE_"),
	}
}

func enumName(name, prefix string) string { return strings.ToLower(strings.TrimPrefix(name, prefix)) }

// ListInFlight lists running payments, a page at a time.
func (s *Service) ListInFlight(_ context.Context, r *corev1.ListInFlightRequest) (*corev1.ListInFlightResponse, error) {
	size := int(r.PageSize)
	if size == 0 {
		size = 100
	}
	answer := &corev1.ListInFlightResponse{}
	if r.After == math.MaxUint64 {
		return answer, nil // nothing comes after it
	}
	err := s.Replica.View(func(tx engine.Tx) error {
		row, found := tx.Get(engine.Key{Table: engine.TableMeta})
		if !found {
			return nil
		}
		meta := row.(*enginev1.Meta)
		tx.Ascend(engine.Key{Table: engine.TableInstance, A: r.After + 1}, func(_ engine.Key, row engine.Row) bool {
			i := row.(*enginev1.Instance)
			if r.Tenant != "" && r.Tenant != i.Tenant || r.IncidentsOnly && len(i.Incidents) == 0 {
				return true
			}
			if len(answer.Payments) == size {
				answer.NextAfter = answer.Payments[size-1].Key
				return false
			}
			answer.Payments = append(answer.Payments, inFlight(meta, i))
			return true
		})
		return nil
	})
	return answer, err
}
