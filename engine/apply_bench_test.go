package engine_test

import (
	"bytes"
	"testing"

	"github.com/railhead-hub/railhead/engine"
	"github.com/railhead-hub/railhead/engine/enginetest"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// BenchmarkOneTask is a payment with one job, start to receipt: two commands.
func BenchmarkOneTask(b *testing.B) {
	tx := enginetest.NewMemTx()
	env := enginetest.NewEnv(tx)
	apply := func(cmd *enginev1.Command) engine.Result { return env.Apply(cmd) }
	apply(&enginev1.Command{Verb: &enginev1.Command_PutTenant{PutTenant: &enginev1.PutTenant{Tenant: &enginev1.Tenant{Id: "t"}}}})
	digest := bytes.Repeat([]byte{1}, 32)
	apply(&enginev1.Command{Verb: &enginev1.Command_InstallConnector{InstallConnector: &enginev1.InstallConnector{
		Connector: &enginev1.Connector{Name: "c", Digest: digest, JobTypes: []string{"a"}},
	}}})
	apply(&enginev1.Command{Verb: &enginev1.Command_ActivateConnector{ActivateConnector: &enginev1.ActivateConnector{
		Tenant: "t", Connector: "c", Digest: digest,
	}}})
	xml, err := enginetest.Model("one", "start s\ntask work type=a\nend done result=completed code=ok\ns -> work -> done")
	if err != nil {
		b.Fatal(err)
	}
	apply(&enginev1.Command{Verb: &enginev1.Command_Deploy{Deploy: &enginev1.Deploy{Tenant: "t", Xml: []byte(xml)}}})
	vars := []*enginev1.Variable{{Name: "amount", Json: []byte(`"100.00"`)}, {Name: "currency", Json: []byte(`"USD"`)}}
	eng := engine.New()
	index := uint64(1000)
	b.ReportAllocs()
	for b.Loop() {
		index++
		started := eng.Apply(tx, engine.Stamp{Index: index, TimeMS: 1}, &enginev1.Command{Verb: &enginev1.Command_StartPayment{
			StartPayment: &enginev1.StartPayment{Tenant: "t", Flow: "one", Variables: vars},
		}})
		index++
		done := eng.Apply(tx, engine.Stamp{Index: index, TimeMS: 1}, &enginev1.Command{Verb: &enginev1.Command_FinishJob{
			FinishJob: &enginev1.FinishJob{
				Origin:  &enginev1.Origin{Payment: started.Reply.Payment, Job: 3, Attempt: 1, Epoch: 1},
				Outcome: &enginev1.FinishJob_Complete{Complete: &enginev1.Complete{}},
			},
		}})
		if done.Reply.Kind != enginev1.EventKind_EVENT_KIND_JOB_COMPLETED {
			b.Fatal(done.Reply)
		}
	}
}
