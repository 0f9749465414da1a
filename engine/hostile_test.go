package engine_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/railhead-hub/railhead/engine"
	"github.com/railhead-hub/railhead/engine/enginetest"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// siege is a cluster with an honest payment under way, against which a hostile one
// is let loose.
type siege struct {
	*enginetest.Env
	t      *testing.T
	honest uint64
}

func newSiege(t *testing.T, tx engine.Tx) *siege {
	s := &siege{Env: enginetest.NewEnv(tx), t: t}
	digest := bytes.Repeat([]byte{1}, 32)
	s.must(&enginev1.Command{Verb: &enginev1.Command_PutTenant{PutTenant: &enginev1.PutTenant{Tenant: &enginev1.Tenant{Id: "t"}}}})
	s.must(&enginev1.Command{Verb: &enginev1.Command_InstallConnector{InstallConnector: &enginev1.InstallConnector{
		Connector: &enginev1.Connector{Name: "c", Digest: digest, JobTypes: []string{"work"}},
	}}})
	s.must(&enginev1.Command{Verb: &enginev1.Command_ActivateConnector{ActivateConnector: &enginev1.ActivateConnector{
		Tenant: "t", Connector: "c", Digest: digest,
	}}})
	s.deploy("honest", "start s\ntask work type=work\nboundary slow on=work timer=PT1H interrupting=false\nend paid result=completed code=paid\nend noted result=completed code=noted\ns -> work -> paid\nslow -> noted")
	s.honest = s.start("honest").Reply.Payment
	return s
}

func (s *siege) must(cmd *enginev1.Command) engine.Result {
	s.t.Helper()
	res := s.Apply(cmd)
	if res.Reply.Kind == enginev1.EventKind_EVENT_KIND_REJECTED {
		s.t.Fatalf("refused: %s: %s", res.Reply.Code, res.Reply.Text)
	}
	return res
}

func (s *siege) deployXML(xml string) engine.Result {
	return s.Apply(&enginev1.Command{Verb: &enginev1.Command_Deploy{Deploy: &enginev1.Deploy{Tenant: "t", File: "f", Xml: []byte(xml)}}})
}

func (s *siege) deploy(id, notation string) {
	s.t.Helper()
	xml, err := enginetest.Model(id, notation)
	if err != nil {
		s.t.Fatal(err)
	}
	if res := s.deployXML(xml); res.Reply.Kind != enginev1.EventKind_EVENT_KIND_FLOW_DEPLOYED {
		s.t.Fatalf("refused: %s", res.Reply.Text)
	}
}

func (s *siege) start(flow string, vars ...*enginev1.Variable) engine.Result {
	return s.Apply(&enginev1.Command{Verb: &enginev1.Command_StartPayment{StartPayment: &enginev1.StartPayment{
		Tenant: "t", Flow: flow, Variables: vars,
	}}})
}

// complete finishes the payment's only job.
func (s *siege) complete(payment uint64, vars ...*enginev1.Variable) engine.Result {
	var job *enginev1.Job
	s.Tx.Ascend(engine.Key{Table: engine.TableJob, A: payment}, func(k engine.Key, row engine.Row) bool {
		if k.A == payment {
			job = row.(*enginev1.Job)
		}
		return false
	})
	if job == nil {
		s.t.Fatalf("payment %x has no job", payment)
	}
	return s.Apply(&enginev1.Command{Verb: &enginev1.Command_FinishJob{FinishJob: &enginev1.FinishJob{
		Origin:  &enginev1.Origin{Payment: payment, Job: job.N, Attempt: job.Attempt, Epoch: s.Epoch()},
		Outcome: &enginev1.FinishJob_Complete{Complete: &enginev1.Complete{Variables: vars}},
	}}})
}

func (s *siege) fire() engine.Result {
	return s.must(&enginev1.Command{Verb: &enginev1.Command_FireTimers{FireTimers: &enginev1.FireTimers{Limit: 10_000}}})
}

// incident expects that the payment stands behind an incident of the code, or, with
// a start, that there is none because the start was refused with that code.
func (s *siege) incident(res engine.Result, code string) {
	s.t.Helper()
	if res.Reply.Kind == enginev1.EventKind_EVENT_KIND_REJECTED && res.Reply.Code == code {
		return
	}
	if !slices.ContainsFunc(res.Events, func(ev *enginev1.Event) bool {
		return ev.Kind == enginev1.EventKind_EVENT_KIND_INCIDENT_OPENED && ev.Code == code
	}) {
		s.t.Fatalf("no incident %s, but %v %s: %s", code, res.Reply.Kind, res.Reply.Code, res.Reply.Text)
	}
}

// end expects that the honest payment has noticed nothing, that the state is sound
// and that no payment takes more than its bounds.
func (s *siege) end() {
	s.t.Helper()
	s.Later(3_600_000)
	s.fire()
	res := s.complete(s.honest)
	if !slices.ContainsFunc(res.Events, func(ev *enginev1.Event) bool {
		return ev.Kind == enginev1.EventKind_EVENT_KIND_PAYMENT_ENDED && ev.Payment == s.honest && ev.Code == "paid"
	}) {
		s.t.Fatalf("the honest payment did not end: %v", res.Reply)
	}
	if err := enginetest.Check(s.Tx); err != nil {
		s.t.Fatal(err)
	}
	for _, r := range enginetest.TakeImage(s.Tx) {
		if len(r.Value) > 6<<20 {
			s.t.Fatalf("a row of table %d takes %d bytes", r.Key[0], len(r.Value))
		}
	}
}

// hostile is a flow that waits for one job and then does its worst.
const hostile = `start s
task before type=work
s -> before -> a
end e result=completed code=ok
`

func TestHostileFlows(t *testing.T) {
	nested := func(open, shut string, deep int) string {
		return strings.Repeat(open, deep) + "1" + strings.Repeat(shut, deep)
	}
	for _, c := range []struct {
		name, flow, code string
		vars             []*enginev1.Variable
	}{
		{"a million loops without a wait", `pass a out=n:"if n = null then 1 else n + 1"
exclusive g default=stop
a -> g
g -> a if n < 1000000
g -> e as stop`, engine.IncidentLoop, nil},
		{"a variable that doubles", `pass a out=v:"v + v"
exclusive g default=stop
a -> g
g -> a if ok
g -> e as stop`, engine.IncidentLoop, []*enginev1.Variable{{Name: "v", Json: []byte(`"0123456789"`)}, {Name: "ok", Json: []byte("true")}}},
		{"a list that holds itself twice, again and again", `pass a out=v:"[v, v]"
exclusive g default=stop
a -> g
g -> a if ok
g -> e as stop`, engine.IncidentTooLarge, []*enginev1.Variable{{Name: "v", Json: []byte(`1`)}, {Name: "ok", Json: []byte("true")}}},
		{"ten million items from an expression", `task a type=work loop="for i in 1..10000000 return i:item"
a -> e`, engine.IncidentExpression, nil},
		{"a million items from a variable", `task a type=work loop=items:item
a -> e`, engine.IncidentTooLarge, []*enginev1.Variable{{Name: "items", Json: []byte("[" + strings.Repeat("1,", 1_000_000) + "1]")}}},
		{"two thousand items at once", `task a type=work loop="for i in 1..2000 return i:item"
a -> e`, engine.IncidentTooLarge, nil},
		{"tokens that multiply", `exclusive a
parallel g
a -> g
g -> a as one
g -> a as two`, engine.IncidentTooLarge, nil},
		{"a flow that calls itself", `call a flow=hostile
a -> e`, engine.IncidentCalledFlow, nil},
		{"ten thousand rounds to be undone", `pass a out=n:"if n = null then 1 else n + 1"
pass back undoes=a
exclusive g default=stop
throw u compensate=all
a -> g
g -> a if n < 4000
g -> u as stop
u -> e`, engine.IncidentTooLarge, nil},
		{"ten thousand rounds of a loop to be undone", `sub a loop="for i in 1..10000 return i:item" sequential=true
start is of=a
pass w of=a
pass back undoes=w of=a
end ie of=a
is -> w -> ie
throw u compensate=all
a -> u -> e`, engine.IncidentTooLarge, nil},
		{"two loops of seven hundred rounds to be undone", `sub a loop="for i in 1..700 return i:item" sequential=true
start is of=a
pass w of=a
pass back undoes=w of=a
end ie of=a
is -> w -> ie
sub b loop="for i in 1..700 return i:item" sequential=true
start js of=b
pass x of=b
pass forth undoes=x of=b
end je of=b
js -> x -> je
a -> b -> e`, engine.IncidentTooLarge, nil},
		{"an escalation that starts what throws it", `throw a escalation=E
a -> e
eventsub again
start es of=again escalation=E interrupting=false
throw et of=again escalation=E
end ee of=again
es -> et -> ee`, "", nil},
		{"escalations that start each other", `throw a escalation=E
a -> e
eventsub one
start os of=one escalation=E interrupting=false
throw ot of=one escalation=F
end oe of=one
os -> ot -> oe
eventsub two
start ts of=two escalation=F interrupting=false
throw tt of=two escalation=E
end te of=two
ts -> tt -> te`, engine.IncidentLoop, nil},
		{"an expression that takes all it may, ten thousand times", `pass a out=v:"count(for i in 1..1000000 return i)"
exclusive g default=stop
a -> g
g -> a if ok
g -> e as stop`, engine.IncidentTooLarge, []*enginev1.Variable{{Name: "ok", Json: []byte("true")}}},
		{"a large variable, read ten thousand times", `pass a out=n:"count(v)"
exclusive g default=stop
a -> g
g -> a if ok
g -> e as stop`, engine.IncidentTooLarge, []*enginev1.Variable{{Name: "v", Json: []byte("[" + strings.Repeat("1,", 1_000_000) + "1]")}, {Name: "ok", Json: []byte("true")}}},
		{"a text from an expression", `pass a out=v:"string join(for i in 1..10000000 return ""0123456789"")"
a -> g
exclusive g default=stop
g -> e if v = null
g -> e as stop`, "", nil},
		{"a value as deep as a hundred thousand lists", `pass a out=v:"count(deep)"
a -> e`, "", []*enginev1.Variable{{Name: "deep", Json: []byte(nested("[", "]", 100_000))}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSiege(t, enginetest.NewMemTx())
			s.deploy("hostile", hostile+c.flow)
			payment := s.start("hostile").Reply.Payment
			var res engine.Result
			for range 40 { // a flow that calls itself waits once at every depth
				if res = s.complete(payment, c.vars...); c.code != engine.IncidentCalledFlow || len(s.incidents()) > 0 {
					break
				}
			}
			if c.code != "" {
				s.incident(res, c.code)
			} else if res.Reply.Code == engine.CodeInternal {
				t.Fatalf("the engine failed: %s", res.Reply.Text)
			}
			s.end()
		})
	}
}

func (s *siege) incidents() []*enginev1.Incident {
	var all []*enginev1.Incident
	s.Tx.Ascend(engine.Key{Table: engine.TableIncident}, func(_ engine.Key, row engine.Row) bool {
		all = append(all, row.(*enginev1.Incident))
		return true
	})
	return all
}

// TestHostileVariables: what is too large is refused wherever it comes from, and
// changes nothing.
func TestHostileVariables(t *testing.T) {
	s := newSiege(t, enginetest.NewMemTx())
	huge := &enginev1.Variable{Name: "v", Json: append(append([]byte{'"'}, bytes.Repeat([]byte{'x'}, 100<<20)...), '"')}
	before := enginetest.TakeImage(s.Tx).Hash()
	for name, res := range map[string]engine.Result{
		"start":     s.start("honest", huge),
		"job":       s.complete(s.honest, huge),
		"message":   s.Apply(&enginev1.Command{Verb: &enginev1.Command_Publish{Publish: &enginev1.Publish{Tenant: "t", Name: "m", Variables: []*enginev1.Variable{huge}}}}),
		"broadcast": s.Apply(&enginev1.Command{Verb: &enginev1.Command_Broadcast{Broadcast: &enginev1.Broadcast{Tenant: "t", Name: "m", Variables: []*enginev1.Variable{huge}}}}),
		"set": s.Apply(&enginev1.Command{Verb: &enginev1.Command_SetVariables{SetVariables: &enginev1.SetVariables{
			Payment: s.honest, Variables: []*enginev1.Variable{huge}, Actor: &enginev1.Actor{Name: "a", Reason: "r"},
		}}}),
	} {
		if res.Reply.Kind != enginev1.EventKind_EVENT_KIND_REJECTED || res.Reply.Code != engine.CodeTooLarge {
			t.Errorf("%s: %v %s", name, res.Reply.Kind, res.Reply.Code)
		}
	}
	if enginetest.TakeImage(s.Tx).Hash() != before {
		t.Error("a refusal changed something")
	}
	s.end()
}

// TestHostileFiles: what cannot be read within bounds is refused at deployment.
func TestHostileFiles(t *testing.T) {
	s := newSiege(t, enginetest.NewMemTx())
	process := func(body string) string {
		return `<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0"><process id="p" isExecutable="true">` + body + `</process></definitions>`
	}
	deep := func(open, shut string, n int) string { return strings.Repeat(open, n) + strings.Repeat(shut, n) }
	subs := func(n int) string {
		var open, shut string
		for i := range n {
			open += fmt.Sprintf(`<subProcess id="s%d"><startEvent id="b%d"/>`, i, i)
			shut += `</subProcess>`
		}
		return process(`<startEvent id="a"/><sequenceFlow id="f" sourceRef="a" targetRef="s0"/>` + open + shut)
	}
	scripted := func(expression string) string {
		return process(`<startEvent id="a"/><scriptTask id="t"><extensionElements><zeebe:script expression="=` + expression +
			`" resultVariable="v"/></extensionElements></scriptTask><sequenceFlow id="f" sourceRef="a" targetRef="t"/>`)
	}
	for name, xml := range map[string]string{
		"tags":          deep("<x>", "</x>", 100_000),
		"sub-processes": subs(1000),
		"parentheses":   scripted(strings.Repeat("(", 100_000) + "1" + strings.Repeat(")", 100_000)),
		"lists":         scripted(strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000)),
		"minus signs":   scripted(strings.Repeat("-", 1_000_000) + "1"),
		"conditions":    scripted(strings.Repeat("if a then ", 100_000) + "1"),
		"size":          process(strings.Repeat(" ", 20<<20)),
		"entities":      `<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>` + process(""),
	} {
		if res := s.deployXML(xml); res.Reply.Code != engine.CodeFlowRefused {
			t.Errorf("%s: %v %s", name, res.Reply.Kind, res.Reply.Code)
		}
	}
	s.end()
}

// TestHostileTimer: a cycle of a millisecond fires once however late it is looked at,
// and what it starts is bounded.
func TestHostileTimer(t *testing.T) {
	s := newSiege(t, enginetest.NewMemTx())
	s.deploy("hostile", `start s
task a type=work
boundary tick on=a cycle=R/PT0.001S interrupting=false
task b type=work
end e result=completed code=ok
s -> a -> e
tick -> b -> e`)
	payment := s.start("hostile").Reply.Payment
	for n := 0; len(s.incidents()) == 0; n++ {
		if n > 2000 {
			t.Fatal("no incident")
		}
		s.Later(int64(1 + n*n)) // ever later
		fired := 0
		for _, ev := range s.fire().Events {
			if ev.Payment == payment && ev.Kind == enginev1.EventKind_EVENT_KIND_TIMER_FIRED {
				fired++
			}
		}
		if fired > 1 {
			t.Fatalf("an overdue cycle fired %d times", fired)
		}
	}
	if in := s.incidents()[0]; in.Payment != payment || in.Code != engine.IncidentTooLarge {
		t.Fatal(in)
	}
	// In quarantine it is looked at once a minute, not every millisecond.
	s.fire()
	s.Later(1000)
	if res := s.fire(); len(res.Events) > 0 {
		t.Fatal(res.Events)
	}
	s.end()
}

// TestHostileSignal: a signal that 100,000 payments wait for is taken in bounded
// parts, and between them others go on.
func TestHostileSignal(t *testing.T) {
	const waiting = 100_000
	tx := &inOrder{MemTx: enginetest.NewMemTx()}
	s := newSiege(t, tx)
	s.deploy("hostile", "start s\ncatch a signal=go\nend e result=completed code=ok\ns -> a -> e")
	for range waiting {
		s.start("hostile")
	}
	s.must(&enginev1.Command{Verb: &enginev1.Command_Broadcast{Broadcast: &enginev1.Broadcast{Tenant: "t", Name: "go", Actor: &enginev1.Actor{Name: "a", Reason: "r"}}}})
	ended, parts := 0, 0
	for ; ended < waiting; parts++ {
		if parts > waiting {
			t.Fatalf("only %d payments took the signal", ended)
		}
		part := 0
		for _, ev := range s.fire().Events {
			if ev.Kind == enginev1.EventKind_EVENT_KIND_PAYMENT_ENDED {
				part++
			}
		}
		if part > 1000 {
			t.Fatalf("one command delivered %d", part)
		}
		ended += part
		if parts == 3 {
			if res := s.start("honest"); res.Reply.Kind != enginev1.EventKind_EVENT_KIND_PAYMENT_STARTED {
				t.Fatal(res.Reply)
			}
		}
	}
	s.end()
}

// inOrder keeps the keys of waits for signals in order, which arrive so here: sorting
// 100,000 of them for every part would take longer than the test.
type inOrder struct {
	*enginetest.MemTx
	signals []engine.Key
}

func (x *inOrder) Put(k engine.Key, row engine.Row) engine.Row {
	if k.Table == engine.TableSignal {
		x.signals = append(x.signals, k)
	}
	return x.MemTx.Put(k, row)
}

func (x *inOrder) Ascend(from engine.Key, visit func(engine.Key, engine.Row) bool) {
	if from.Table != engine.TableSignal {
		x.MemTx.Ascend(from, visit)
		return
	}
	i, _ := slices.BinarySearchFunc(x.signals, from, engine.Key.Compare)
	for _, k := range x.signals[i:] {
		if row, found := x.Get(k); found && !visit(k, row) {
			return
		}
	}
}
