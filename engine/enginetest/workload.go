package enginetest

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// Workload drives a cluster at random from a seed: it deploys flows that use
// every element there is, starts payments, finishes, fails and doubts their jobs,
// publishes, lets time pass, changes leaders, resolves and cancels.
type Workload struct {
	*Env
	rand dice
}

// workloadFlows use between them every element and every way to wait.
var workloadFlows = map[string]string{
	"payer": `start s
task lookup type=a
receive found message=party key=transactionId
boundary tired on=found timer=PT60S
exclusive again default=stop
task hold type=b retries=2
boundary slow on=hold cycle=R3/PT10S interrupting=false
task nag type=c
end nagged result=completed code=nagged
exclusive held default=no
event race
catch yes message=yes key=transactionId
catch nope message=nope key=transactionId
catch late timer=PT30S
end paid result=completed code=paid
end failed result=failed code=failed
end stopped result=failed code=stopped
s -> lookup -> found -> hold -> held
tired -> again
again -> lookup if x < 3
again -> stopped as stop
slow -> nag -> nagged
held -> race if ok = true
held -> failed as no
race -> yes -> paid
race -> nope -> failed
race -> late -> failed`,
	"fork": `start s
parallel split
task one type=a in=n:x+1 out=sum:n+1
call sub flow=child in=n:x
boundary cut on=sub timer=PT20S
parallel join
terminate over result=rejected code=cut
end done result=completed code=done
s -> split
split -> one -> join
split -> sub -> join
join -> done
cut -> over`,
	"child": `start s
pass note out=noted:x
task work type=c in=n:x
receive wait message=yes key=transactionId
boundary late on=wait timer=PT40S
boundary also on=wait message=nope key=transactionId interrupting=false out=ok:ok
end done result=completed code=child
end gone result=failed code=child-late
end noted result=completed code=noted
s -> note -> work -> wait -> done
late -> gone
also -> noted`,
	// With x under 2 it goes round without end, which quarantines the payment.
	"spin": `start s
parallel split
receive wait message=go key=transactionId
boundary soon on=wait timer=PT15S
task work type=a
exclusive g default=on
exclusive h default=back
end done result=completed code=ok
s -> split
split -> wait -> g
split -> work -> done
soon -> g
g -> h if x < 2
g -> done as on
h -> done if x = 9
h -> g as back`,
	"started": `start s message=order
task work type=b
end done result=completed code=ok
s -> work -> done`,
}

// NewWorkload prepares a cluster with a tenant, a connector and the flows.
func NewWorkload(tx engine.Tx, seed uint64) *Workload {
	w := &Workload{Env: NewEnv(tx), rand: dice(seed)}
	w.Apply(&enginev1.Command{Verb: &enginev1.Command_PutTenant{PutTenant: &enginev1.PutTenant{
		Tenant: &enginev1.Tenant{Id: "t", RetentionMs: 120_000, BufferedMax: 50},
	}}})
	digest := bytes.Repeat([]byte{1}, 32)
	w.Apply(&enginev1.Command{Verb: &enginev1.Command_InstallConnector{InstallConnector: &enginev1.InstallConnector{
		Connector: &enginev1.Connector{Name: "c", Digest: digest, JobTypes: []string{"a", "b", "c"}},
	}}})
	w.Apply(&enginev1.Command{Verb: &enginev1.Command_ActivateConnector{ActivateConnector: &enginev1.ActivateConnector{
		Tenant: "t", Connector: "c", Digest: digest,
	}}})
	for _, id := range []string{"payer", "fork", "child", "started", "spin"} {
		xml, err := Model(id, workloadFlows[id])
		if err != nil {
			panic(err)
		}
		res := w.Apply(&enginev1.Command{Verb: &enginev1.Command_Deploy{Deploy: &enginev1.Deploy{
			Tenant: "t", File: id + ".bpmn", Xml: []byte(xml),
		}}})
		if res.Reply.Kind != enginev1.EventKind_EVENT_KIND_FLOW_DEPLOYED {
			panic(fmt.Sprintf("flow %s is refused: %s", id, res.Reply.Text))
		}
	}
	return w
}

// Step applies one random command and returns what became of it.
func (w *Workload) Step() engine.Result {
	switch n := w.rand.IntN(100); {
	case n < 20:
		return w.Apply(&enginev1.Command{Verb: &enginev1.Command_StartPayment{StartPayment: w.someStart()}})
	case n < 60:
		if job := w.someJob(); job != nil {
			return w.jobCommand(job)
		}
	case n < 78:
		return w.Apply(&enginev1.Command{Verb: &enginev1.Command_Publish{Publish: w.someMessage(nil)}})
	case n < 90:
		w.nowMS += int64(w.rand.IntN(15_000))
	case n < 94:
		if row := w.someRow(engine.TableIncident); row != nil {
			in := row.(*enginev1.Incident)
			return w.Apply(&enginev1.Command{Verb: &enginev1.Command_ResolveIncident{ResolveIncident: &enginev1.ResolveIncident{
				Payment: in.Payment, Incident: in.N, Variables: w.someVariables(),
			}}})
		}
	case n < 96:
		if row := w.someRow(engine.TableInstance); row != nil {
			return w.Apply(&enginev1.Command{Verb: &enginev1.Command_CancelPayment{CancelPayment: &enginev1.CancelPayment{
				Payment: row.(*enginev1.Instance).Payment,
			}}})
		}
	case n < 97:
		switch w.rand.IntN(6) {
		case 0:
			return w.Apply(&enginev1.Command{Verb: &enginev1.Command_RaiseIncarnation{RaiseIncarnation: &enginev1.RaiseIncarnation{}}})
		case 1, 2:
			return w.Apply(&enginev1.Command{Verb: &enginev1.Command_ReleaseEffects{ReleaseEffects: &enginev1.ReleaseEffects{}}})
		}
		return w.lead()
	case n < 98:
		return w.Apply(&enginev1.Command{Verb: &enginev1.Command_Expire{Expire: &enginev1.Expire{Limit: 10}}})
	}
	return w.Apply(&enginev1.Command{Verb: &enginev1.Command_FireTimers{FireTimers: &enginev1.FireTimers{Limit: uint32(1 + w.rand.IntN(20))}}})
}

func (w *Workload) someStart() *enginev1.StartPayment {
	flows := []string{"payer", "payer", "fork", "fork", "child", "child", "spin", "started", "nowhere"}
	key := ""
	if w.rand.IntN(3) > 0 {
		key = fmt.Sprint("client-", w.rand.IntN(200))
	}
	return &enginev1.StartPayment{
		Tenant: "t", Flow: flows[w.rand.IntN(len(flows))], Channel: "w", ClientKey: key,
		RequestDigest: []byte{byte(w.rand.IntN(2))}, Variables: w.someVariables(), UuidVariable: "transactionId",
	}
}

func (w *Workload) someVariables() []*enginev1.Variable {
	return []*enginev1.Variable{
		{Name: "ok", Json: []byte([]string{"true", "false", "null", `"yes"`}[w.rand.IntN(4)])},
		{Name: "x", Json: []byte(fmt.Sprint(w.rand.IntN(6)))},
	}
}

// someRow picks a row of a table, nil when it is empty.
func (w *Workload) someRow(table engine.Table) engine.Row {
	var rows []engine.Row
	w.Tx.Ascend(engine.Key{Table: table}, func(_ engine.Key, row engine.Row) bool {
		rows = append(rows, row)
		return len(rows) < 200
	})
	if len(rows) == 0 {
		return nil
	}
	return rows[w.rand.IntN(len(rows))]
}

func (w *Workload) someJob() *enginev1.Job {
	row := w.someRow(engine.TableJob)
	if row == nil {
		return nil
	}
	return row.(*enginev1.Job)
}

func (w *Workload) someMessage(o *enginev1.Origin) *enginev1.Publish {
	names := []string{"party", "party", "yes", "nope", "go", "order", "unknown"}
	key := "k"
	if row := w.someRow(engine.TableCorrelation); row != nil && w.rand.IntN(4) > 0 {
		w.Tx.Ascend(engine.Key{Table: engine.TableCorrelation}, func(k engine.Key, r engine.Row) bool {
			if r == row {
				parts := strings.Split(k.S, "\x00")
				names, key = []string{parts[1]}, parts[2]
				return false
			}
			return true
		})
	}
	id := ""
	if w.rand.IntN(3) == 0 {
		id = fmt.Sprint("m", w.rand.IntN(50))
	}
	return &enginev1.Publish{
		Tenant: "t", Name: names[w.rand.IntN(len(names))], Key: key, MessageId: id,
		TtlMs: int64(w.rand.IntN(3)) * 10_000, Variables: w.someVariables(), Origin: o,
	}
}

func (w *Workload) jobCommand(job *enginev1.Job) engine.Result {
	o := &enginev1.Origin{
		Payment: job.Payment, Job: job.N, Attempt: job.Attempt, Epoch: w.epoch,
		Ordinal: uint32(len(job.History)) + 1, Digest: 1,
	}
	if w.rand.IntN(20) == 0 {
		o.Epoch--
	}
	keys := []string{"", "hold", "book"}
	states := []enginev1.EffectState{
		enginev1.EffectState_EFFECT_STATE_OPEN, enginev1.EffectState_EFFECT_STATE_DONE, enginev1.EffectState_EFFECT_STATE_REFUSED,
	}
	switch n := w.rand.IntN(23); {
	case n >= 22:
		return w.Apply(&enginev1.Command{Verb: &enginev1.Command_Checkpoint{Checkpoint: &enginev1.Checkpoint{State: []byte("s"), Origin: o}}})
	case n >= 21:
		return w.Apply(&enginev1.Command{Verb: &enginev1.Command_Emit{Emit: &enginev1.Emit{Name: "seen", Json: []byte("1"), Origin: o}}})
	case n >= 20:
		return w.Apply(&enginev1.Command{Verb: &enginev1.Command_Sequence{Sequence: &enginev1.Sequence{Name: "stan", Origin: o}}})
	case n < 4:
		return w.Apply(&enginev1.Command{Verb: &enginev1.Command_Intend{Intend: &enginev1.Intend{
			Origin: o, Key: keys[w.rand.IntN(3)], Terms: []byte{byte(w.rand.IntN(2))}, Request: []byte("r"),
		}}})
	case n < 7:
		o.Ordinal = uint32(len(job.History))
		return w.Apply(&enginev1.Command{Verb: &enginev1.Command_Answer{Answer: &enginev1.Answer{
			Origin: o, Answer: []byte("a"), State: states[w.rand.IntN(3)],
		}}})
	case n < 8:
		return w.Apply(&enginev1.Command{Verb: &enginev1.Command_Publish{Publish: w.someMessage(o)}})
	case n < 9:
		return w.Apply(&enginev1.Command{Verb: &enginev1.Command_Sleep{Sleep: &enginev1.Sleep{DurationMs: 5000, Origin: o}}})
	case n < 10:
		s := w.someStart()
		s.Origin = o
		return w.Apply(&enginev1.Command{Verb: &enginev1.Command_StartPayment{StartPayment: s}})
	}
	c := &enginev1.FinishJob{Origin: o}
	switch n := w.rand.IntN(10); {
	case n < 6:
		c.Outcome = &enginev1.FinishJob_Complete{Complete: &enginev1.Complete{Variables: w.someVariables()}}
	case n < 8:
		c.Outcome = &enginev1.FinishJob_Fail{Fail: &enginev1.Fail{
			Retryable: w.rand.IntN(3) > 0, BackoffMs: int64(w.rand.IntN(2)) * 1000, Reason: "random",
		}}
	case n < 9:
		c.Outcome = &enginev1.FinishJob_BpmnError{BpmnError: &enginev1.BpmnError{Code: "E"}}
	default:
		c.Outcome = &enginev1.FinishJob_Doubt{Doubt: &enginev1.Doubt{Key: "hold", Reason: "random"}}
	}
	if w.rand.IntN(3) == 0 {
		c.Settlements = append(c.Settlements, &enginev1.Settlement{Key: "hold", State: states[w.rand.IntN(3)]})
	}
	return w.Apply(&enginev1.Command{Verb: &enginev1.Command_FinishJob{FinishJob: c}})
}
