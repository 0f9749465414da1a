package engine_test

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/railhead-hub/railhead/engine"
	"github.com/railhead-hub/railhead/engine/enginetest"
	"github.com/railhead-hub/railhead/engine/memtx"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// bench is a cluster with one flow, whose jobs are answered as the leader would.
type bench struct {
	*testing.B
	tx     engine.Tx
	engine *engine.Engine
	index  uint64
	job    engine.Hint // the job that became ready last
}

func newBench(b *testing.B, notation string) *bench {
	tx := memtx.New()
	env := enginetest.NewEnv(tx)
	digest := bytes.Repeat([]byte{1}, 32)
	xml, err := enginetest.Model("flow", notation)
	if err != nil {
		b.Fatal(err)
	}
	for _, cmd := range []*enginev1.Command{
		{Verb: &enginev1.Command_PutTenant{PutTenant: &enginev1.PutTenant{Tenant: &enginev1.Tenant{Id: "t"}}}},
		{Verb: &enginev1.Command_InstallConnector{InstallConnector: &enginev1.InstallConnector{
			Connector: &enginev1.Connector{Name: "c", Digest: digest, JobTypes: []string{"a"}},
		}}},
		{Verb: &enginev1.Command_ActivateConnector{ActivateConnector: &enginev1.ActivateConnector{
			Tenant: "t", Connector: "c", Digest: digest,
		}}},
		{Verb: &enginev1.Command_Deploy{Deploy: &enginev1.Deploy{Tenant: "t", Xml: []byte(xml)}}},
	} {
		if reply := env.Apply(cmd).Reply; reply.Kind == enginev1.EventKind_EVENT_KIND_REJECTED {
			b.Fatal(reply)
		}
	}
	return &bench{B: b, tx: tx, engine: engine.New(), index: 1000}
}

func (b *bench) apply(cmd *enginev1.Command) *enginev1.Event {
	b.index++
	res := b.engine.Apply(b.tx, engine.Stamp{Index: b.index, TimeMS: 1_767_225_600_000}, cmd)
	if res.Reply.Kind == enginev1.EventKind_EVENT_KIND_REJECTED {
		b.Fatal(res.Reply)
	}
	for _, h := range res.Hints {
		if h.Kind == engine.HintJob {
			b.job = h
		}
	}
	return res.Reply
}

func (b *bench) start(key string, vars []*enginev1.Variable) *enginev1.Event {
	return b.apply(&enginev1.Command{Verb: &enginev1.Command_StartPayment{StartPayment: &enginev1.StartPayment{
		Tenant: "t", Flow: "flow", Channel: "bench", ClientKey: key, Variables: vars, UuidVariable: "transactionId",
	}}})
}

func (b *bench) origin(ordinal uint32) *enginev1.Origin {
	return &enginev1.Origin{Payment: b.job.Payment, Job: b.job.N, Attempt: 1, Epoch: 1, Ordinal: ordinal}
}

func (b *bench) finish(answer *enginev1.Answer, vars []*enginev1.Variable) {
	b.apply(&enginev1.Command{Verb: &enginev1.Command_FinishJob{FinishJob: &enginev1.FinishJob{
		Origin: b.origin(0), LastAnswer: answer,
		Outcome: &enginev1.FinishJob_Complete{Complete: &enginev1.Complete{Variables: vars}},
	}}})
}

// BenchmarkOneTask is a payment with one job, start to receipt: two commands.
func BenchmarkOneTask(pb *testing.B) {
	b := newBench(pb, "start s\ntask work type=a\nend done result=completed code=ok\ns -> work -> done")
	vars := []*enginev1.Variable{{Name: "amount", Json: []byte(`"100.00"`)}, {Name: "currency", Json: []byte(`"USD"`)}}
	b.ReportAllocs()
	for b.Loop() {
		b.start("", vars)
		b.finish(nil, nil)
	}
}

// BenchmarkTransfer is a payment shaped like a transfer between two institutions:
// sixteen variables, six jobs with an outside effect and mappings each, three answers
// that come as messages guarded by timers, and gateways with conditions between them.
// It takes sixteen commands.
func BenchmarkTransfer(pb *testing.B) {
	var notation strings.Builder
	before := "s"
	for i := 1; i <= 6; i++ {
		if i%2 == 1 {
			fmt.Fprintf(&notation, `task work%[1]d type=a in=value:amount out=reply%[1]d:reply
				exclusive ok%[1]d default=go%[1]d
				%[2]s -> work%[1]d -> ok%[1]d
				ok%[1]d -> refused if reply%[1]d = "refused" and amount != null
				ok%[1]d -> answer%[1]d as go%[1]d
				receive answer%[1]d message=answer%[1]d key=transactionId
				boundary late%[1]d on=answer%[1]d timer=PT60S
				late%[1]d -> refused
			`, i, before)
			before = fmt.Sprintf("answer%d", i)
		} else {
			fmt.Fprintf(&notation, `task work%[1]d type=a in=value:payee out=reply%[1]d:reply
				%[2]s -> work%[1]d
			`, i, before)
			before = fmt.Sprintf("work%d", i)
		}
	}
	fmt.Fprintf(&notation, `start s
		end done result=completed code=paid
		end refused result=failed code=refused
		%s -> done`, before)
	b := newBench(pb, notation.String())
	var vars []*enginev1.Variable
	for i := range 12 {
		vars = append(vars, &enginev1.Variable{Name: fmt.Sprintf("field%02d", i), Json: []byte(`"some value of a field"`)})
	}
	vars = append(vars,
		&enginev1.Variable{Name: "amount", Json: []byte(`{"amount":"100.00","currency":"USD"}`)},
		&enginev1.Variable{Name: "payee", Json: []byte(`{"partyIdInfo":{"partyIdType":"MSISDN","partyIdentifier":"27713803912"}}`)},
		&enginev1.Variable{Name: "payer", Json: []byte(`{"partyIdInfo":{"partyIdType":"MSISDN","partyIdentifier":"27710101999"}}`)},
	)
	request, answer := bytes.Repeat([]byte("q"), 400), bytes.Repeat([]byte("a"), 200)
	results := []*enginev1.Variable{
		{Name: "code", Json: []byte(`"ok"`)}, {Name: "note", Json: []byte(`"done"`)}, {Name: "reply", Json: []byte(`"accepted"`)},
	}
	said := []*enginev1.Variable{{Name: "answered", Json: []byte(`true`)}, {Name: "state", Json: []byte(`"COMMITTED"`)}}
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		uuid := b.start(strconv.Itoa(n), vars).Uuid
		for i := 1; i <= 6; i++ {
			intend := &enginev1.Intend{Origin: b.origin(1), Endpoint: "ams", Mode: enginev1.Mode_MODE_KEYED, Request: request}
			if i == 2 {
				intend.Key, intend.Terms = "book", []byte("100.00 USD")
			}
			b.apply(&enginev1.Command{Verb: &enginev1.Command_Intend{Intend: intend}})
			b.finish(&enginev1.Answer{Origin: b.origin(1), Answer: answer, State: enginev1.EffectState_EFFECT_STATE_DONE}, results)
			if i%2 == 1 {
				b.apply(&enginev1.Command{Verb: &enginev1.Command_Publish{Publish: &enginev1.Publish{
					Tenant: "t", Name: fmt.Sprintf("answer%d", i), Key: uuid, MessageId: uuid + strconv.Itoa(i), TtlMs: 60_000, Variables: said,
				}}})
			}
		}
		if receipt, found := b.tx.Get(engine.Key{Table: engine.TableReceipt, A: b.job.Payment}); !found || receipt.(*enginev1.Receipt).Code != "paid" {
			b.Fatal("the payment has not been paid")
		}
	}
}
