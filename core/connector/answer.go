package connector

import (
	"strings"

	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	"github.com/railhead-hub/railhead/sdk/abi"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// This file turns what the engine says into the answers that connectors get, and
// back. core/leader does it for jobs, core/ingress for requests.

// Failure is the answer that an effect certainly did not happen, with a code of
// sdk/abi.
func Failure(code, text string) *sdkv1.Answer {
	return &sdkv1.Answer{Kind: &sdkv1.Answer_Failure{Failure: &sdkv1.Failure{Code: code, Text: text}}}
}

// Done is the answer of an effect that has no more to say.
func Done() *sdkv1.Answer { return &sdkv1.Answer{Kind: &sdkv1.Answer_Done{Done: &sdkv1.Done{}}} }

// ReplyAnswer is the answer of an effect that is a command: StartPayment,
// Publish, Sequence, Emit or Sleep.
func ReplyAnswer(reply *enginev1.Event) *sdkv1.Answer {
	switch reply.Kind {
	case enginev1.EventKind_EVENT_KIND_PAYMENT_STARTED, enginev1.EventKind_EVENT_KIND_START_REPEATED:
		return &sdkv1.Answer{Kind: &sdkv1.Answer_Start{Start: &sdkv1.StartAnswer{
			Payment:       reply.Uuid,
			RepeatedStart: reply.Kind == enginev1.EventKind_EVENT_KIND_START_REPEATED,
		}}}
	case enginev1.EventKind_EVENT_KIND_MESSAGE_PUBLISHED:
		return &sdkv1.Answer{Kind: &sdkv1.Answer_Publish{Publish: &sdkv1.PublishAnswer{
			Duplicate: reply.Code == "duplicate",
		}}}
	case enginev1.EventKind_EVENT_KIND_SEQUENCE_TAKEN:
		return &sdkv1.Answer{Kind: &sdkv1.Answer_Sequence{Sequence: &sdkv1.SequenceAnswer{Value: reply.Value}}}
	case enginev1.EventKind_EVENT_KIND_REJECTED:
		return Failure(failureCode(reply.Code), reply.Text)
	}
	return Done()
}

// failureCode says in the connector's words why the engine refused.
func failureCode(code string) string {
	switch code {
	case engine.CodeConflict:
		return abi.FailureConflict
	case engine.CodeTermsDiffer:
		return abi.FailureTerms
	case engine.CodeFlowUnknown, engine.CodeTenantUnknown, engine.CodePaymentUnknown:
		return abi.FailureNotFound
	case engine.CodeTooLarge:
		return abi.FailureTooLarge
	case engine.CodeBufferFull, engine.CodeQueueFull:
		return abi.FailureBusy
	case engine.CodeEffectsHeld, engine.CodeInternal, engine.CodeNotBootstrapped:
		return abi.FailureUnavailable
	}
	return abi.FailureInvalid
}

// ToEngine and FromEngine carry variables over the contract's border.
func ToEngine(vars []*sdkv1.Variable) []*enginev1.Variable {
	out := make([]*enginev1.Variable, 0, len(vars))
	for _, v := range vars {
		out = append(out, &enginev1.Variable{Name: v.Name, Json: v.Json})
	}
	return out
}

// FromEngine is the inverse of ToEngine.
func FromEngine(vars []*enginev1.Variable) []*sdkv1.Variable {
	out := make([]*sdkv1.Variable, 0, len(vars))
	for _, v := range vars {
		out = append(out, &sdkv1.Variable{Name: v.Name, Json: v.Json})
	}
	return out
}

// Query reads a payment of the tenant by UUID or by the channel's client key. A
// payment of another tenant is not found.
func Query(tx engine.Tx, tenant, channel string, q *sdkv1.Query) *sdkv1.QueryAnswer {
	none := &sdkv1.QueryAnswer{}
	row, ok := tx.Get(engine.Key{Table: engine.TableMeta})
	if !ok {
		return none
	}
	meta := row.(*enginev1.Meta)
	var payment uint64
	name := strings.ToLower(q.Payment)
	switch {
	case name != "":
		uuid, ok := engine.ParseUUID(meta, name)
		if !ok || uuid.Kind != engine.UUIDPayment {
			return none
		}
		payment = uuid.Payment
	case q.ClientKey != "":
		id, ok := tx.Get(engine.StartIndexKey(tenant, channel, q.ClientKey))
		if !ok {
			return none
		}
		payment = id.(*enginev1.StartID).Payment
		name = engine.PaymentUUID(meta, payment)
	default:
		return none
	}
	return ReadPayment(tx, name, tenant, payment, q.Variables)
}

// ReadPayment is Query for one whose key and UUID the caller has read.
func ReadPayment(tx engine.Tx, uuid, tenant string, payment uint64, variables []string) *sdkv1.QueryAnswer {
	if row, ok := tx.Get(engine.Key{Table: engine.TableInstance, A: payment}); ok {
		instance := row.(*enginev1.Instance)
		if instance.Tenant != tenant {
			return &sdkv1.QueryAnswer{}
		}
		a := &sdkv1.QueryAnswer{
			Found: true, Payment: uuid, State: "running",
			StartedMs: instance.StartedMs, Flow: instance.Flow, ClientKey: instance.ClientKey,
		}
		if len(instance.Incidents) > 0 {
			a.State = "incident"
		}
		if len(instance.Scopes) > 0 && len(variables) > 0 {
			wanted := make(map[string]bool, len(variables))
			for _, name := range variables {
				wanted[name] = true
			}
			for _, v := range instance.Scopes[0].Variables {
				if wanted[v.Name] {
					a.Variables = append(a.Variables, &sdkv1.Variable{Name: v.Name, Json: v.Json})
				}
			}
		}
		return a
	}
	row, ok := tx.Get(engine.Key{Table: engine.TableReceipt, A: payment})
	if !ok || row.(*enginev1.Receipt).Tenant != tenant {
		return &sdkv1.QueryAnswer{}
	}
	receipt := row.(*enginev1.Receipt)
	return &sdkv1.QueryAnswer{
		Found: true, Payment: uuid, State: "ended",
		Result: ResultName(receipt.Result), Code: receipt.Code,
		StartedMs: receipt.StartedMs, EndedMs: receipt.EndedMs,
		Flow: receipt.Flow, ClientKey: receipt.ClientKey,
	}
}

// ResultName is a result as connectors and people read it.
func ResultName(r enginev1.Result) string {
	return strings.ToLower(strings.TrimPrefix(r.String(), "RESULT_"))
}
