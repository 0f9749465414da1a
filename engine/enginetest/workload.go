package enginetest

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/railhead-hub/railhead/engine"
	"github.com/railhead-hub/railhead/engine/bpmn"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// Workload drives a cluster at random from a seed: it deploys flows that use
// every element there is, starts payments, finishes, fails and doubts their jobs,
// publishes, lets time pass, changes leaders, resolves and cancels.
type Workload struct {
	*Env
	rand      dice
	forwards  dice     // for forwarded frames alone, which touch no payment
	flows     []string // to start
	generated []Flow
	moved     map[uint64]bool // payments whose tokens an operator has moved
	versions  int             // of the connector, installed

	// Swaps lets operators activate, roll back and revoke versions of the connector.
	Swaps bool

	parsed map[string]*bpmn.Process // by the digest of the file
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

// NewWorkload prepares a cluster with a tenant, a connector and flows that use every
// element there is.
func NewWorkload(tx engine.Tx, seed uint64) *Workload {
	w := prepare(tx, seed)
	for _, id := range []string{"payer", "fork", "child", "started", "spin"} {
		xml, err := Model(id, workloadFlows[id])
		if err != nil {
			panic(err)
		}
		w.deploy(Flow{ID: id, XML: xml})
	}
	w.flows = []string{"payer", "payer", "fork", "fork", "child", "child", "spin", "started", "nowhere"}
	return w
}

// NewRandomWorkload prepares a cluster with generated flows.
func NewRandomWorkload(tx engine.Tx, seed uint64, shape Shape) *Workload {
	w := prepare(tx, seed)
	w.generated = Generate(seed, shape)
	for _, f := range w.generated {
		w.deploy(f)
		w.flows = append(w.flows, f.ID)
	}
	return w
}

// newVersion deploys a generated flow again, with other jobs behind its tasks, so
// that what runs can migrate.
func (w *Workload) newVersion() engine.Result {
	f := w.generated[w.rand.IntN(len(w.generated))]
	xml := strings.Replace(f.XML, "<process ", fmt.Sprintf("<process name=\"%d\" ", w.rand.IntN(1000)), 1)
	xml = strings.ReplaceAll(xml, `taskDefinition type="`+w.rand.of(EveryJobType)+`"`, `taskDefinition type="`+w.rand.of(EveryJobType)+`"`)
	return w.deploy(Flow{ID: f.ID, XML: xml})
}

func prepare(tx engine.Tx, seed uint64) *Workload {
	w := &Workload{Env: NewEnv(tx), rand: dice(seed), forwards: dice(seed), moved: make(map[uint64]bool), parsed: make(map[string]*bpmn.Process)}
	w.Apply(&enginev1.Command{Verb: &enginev1.Command_PutTenant{PutTenant: &enginev1.PutTenant{
		Tenant: &enginev1.Tenant{Id: "t", RetentionMs: 120_000, BufferedMax: 50},
	}}})
	digest := bytes.Repeat([]byte{1}, 32)
	w.Apply(&enginev1.Command{Verb: &enginev1.Command_InstallConnector{InstallConnector: &enginev1.InstallConnector{
		Connector: &enginev1.Connector{Name: "c", Digest: digest, JobTypes: EveryJobType},
	}}})
	w.Apply(&enginev1.Command{Verb: &enginev1.Command_ActivateConnector{ActivateConnector: &enginev1.ActivateConnector{
		Tenant: "t", Connector: "c", Digest: digest,
	}}})
	return w
}

func (w *Workload) deploy(f Flow) engine.Result {
	res := w.Apply(&enginev1.Command{Verb: &enginev1.Command_Deploy{Deploy: &enginev1.Deploy{
		Tenant: "t", File: f.ID + ".bpmn", Xml: []byte(f.XML),
	}}})
	if res.Reply.Kind != enginev1.EventKind_EVENT_KIND_FLOW_DEPLOYED {
		panic(fmt.Sprintf("flow %s is refused: %s", f.ID, res.Reply.Text))
	}
	return res
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
	case n < 76:
		return w.Apply(&enginev1.Command{Verb: &enginev1.Command_Publish{Publish: w.someMessage(nil)}})
	case n < 86:
		w.nowMS += int64(w.rand.IntN(15_000))
	case n < 90:
		if row := w.someRow(engine.TableIncident); row != nil {
			in := row.(*enginev1.Incident)
			return w.Apply(&enginev1.Command{Verb: &enginev1.Command_ResolveIncident{ResolveIncident: &enginev1.ResolveIncident{
				Payment: in.Payment, Incident: in.N, Variables: w.someVariables(""), Actor: operator,
			}}})
		}
	case n < 96:
		if row := w.someRow(engine.TableInstance); row != nil {
			return w.act(row.(*enginev1.Instance))
		}
	case n < 97:
		switch w.rand.IntN(6) {
		case 0:
			return w.Apply(&enginev1.Command{Verb: &enginev1.Command_RaiseIncarnation{RaiseIncarnation: &enginev1.RaiseIncarnation{}}})
		case 1, 2:
			return w.Apply(&enginev1.Command{Verb: &enginev1.Command_ReleaseEffects{ReleaseEffects: &enginev1.ReleaseEffects{}}})
		}
		if w.rand.IntN(2) == 0 && w.generated != nil {
			return w.newVersion()
		}
		return w.lead()
	case n < 98:
		return w.Apply(&enginev1.Command{Verb: &enginev1.Command_Expire{Expire: &enginev1.Expire{Limit: 10}}})
	case n < 99:
		if log := w.Log(); len(log) > 20 {
			// Whatever was said lately is said again.
			if again := log[len(log)-1-w.rand.IntN(20)].Command; again.GetBootstrap() == nil {
				return w.Apply(again)
			}
		}
	default:
		if f := w.someForwarded(); f != nil {
			return w.forwardCommand(f)
		}
	}
	return w.Apply(&enginev1.Command{Verb: &enginev1.Command_FireTimers{FireTimers: &enginev1.FireTimers{Limit: uint32(1 + w.rand.IntN(20))}}})
}

func (w *Workload) someStart() *enginev1.StartPayment {
	key := ""
	if w.rand.IntN(3) > 0 {
		key = fmt.Sprint("client-", w.rand.IntN(200))
	}
	return &enginev1.StartPayment{
		Tenant: "t", Flow: w.rand.of(w.flows), Channel: "w", ClientKey: key,
		RequestDigest: []byte{byte(w.rand.IntN(2))}, UuidVariable: "transactionId",
		Variables: append(w.someVariables(""), &enginev1.Variable{Name: "k", Json: []byte(fmt.Sprintf(`"k%d"`, w.rand.IntN(3)))}),
	}
}

// someVariables are what conditions look at and, with the name of an element, what
// that element gives.
func (w *Workload) someVariables(element string) []*enginev1.Variable {
	vars := []*enginev1.Variable{
		{Name: "ok", Json: []byte([]string{"true", "false", "null", `"yes"`}[w.rand.IntN(4)])},
		{Name: "x", Json: []byte(fmt.Sprint(w.rand.IntN(6)))},
		{Name: "y", Json: []byte(fmt.Sprint(w.rand.IntN(6)))},
	}
	if element != "" {
		vars = append(vars, &enginev1.Variable{Name: element, Json: []byte(fmt.Sprint(w.rand.IntN(6)))})
	}
	return vars
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
	name := w.rand.of([]string{"party", "party", "yes", "nope", "go", "order", "unknown", w.rand.of(w.flows) + w.rand.of(someMessages)})
	key := fmt.Sprint("k", w.rand.IntN(3))
	if row := w.someRow(engine.TableCorrelation); row != nil && w.rand.IntN(4) > 0 {
		w.Tx.Ascend(engine.Key{Table: engine.TableCorrelation}, func(k engine.Key, r engine.Row) bool {
			if r == row {
				parts := strings.Split(k.S, "\x00")
				name, key = parts[1], parts[2]
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
		Tenant: "t", Name: name, Key: key, MessageId: id,
		TtlMs: int64(w.rand.IntN(3)) * 10_000, Variables: w.someVariables(strings.TrimPrefix(name, "m-")), Origin: o,
	}
}
