package engine_test

import (
	"testing"

	"github.com/railhead-hub/railhead/engine"
	"github.com/railhead-hub/railhead/engine/enginetest"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// TestSignalStorm: a payment that throws each signal it catches twice stops behind
// incidents, and the broadcasts on their way stay few.
func TestSignalStorm(t *testing.T) {
	xml, err := enginetest.Model("storm", `
start s
receive held message=never key=k
end done result=completed code=ok
s -> held -> done
eventsub again
start caught of=again signal=red interrupting=false
throw once of=again signal=red
throw twice of=again signal=red
end thrown of=again
caught -> once -> twice -> thrown
`)
	if err != nil {
		t.Fatal(err)
	}
	tx := enginetest.NewMemTx()
	env := enginetest.NewEnv(tx)
	for _, cmd := range []*enginev1.Command{
		{Verb: &enginev1.Command_PutTenant{PutTenant: &enginev1.PutTenant{Tenant: &enginev1.Tenant{Id: "t"}}}},
		{Verb: &enginev1.Command_Deploy{Deploy: &enginev1.Deploy{Tenant: "t", Xml: []byte(xml)}}},
		{Verb: &enginev1.Command_StartPayment{StartPayment: &enginev1.StartPayment{
			Tenant: "t", Flow: "storm", Variables: []*enginev1.Variable{{Name: "k", Json: []byte(`"k"`)}},
		}}},
		{Verb: &enginev1.Command_Broadcast{Broadcast: &enginev1.Broadcast{Tenant: "t", Name: "red"}}},
	} {
		if reply := env.Apply(cmd).Reply; reply.Kind == enginev1.EventKind_EVENT_KIND_REJECTED {
			t.Fatal(reply.Text)
		}
	}
	incidents := 0
	for range 30 {
		res := env.Apply(&enginev1.Command{Verb: &enginev1.Command_FireTimers{FireTimers: &enginev1.FireTimers{Limit: 200}}})
		for _, ev := range res.Events {
			if ev.Kind == enginev1.EventKind_EVENT_KIND_INCIDENT_OPENED {
				incidents++
			}
		}
	}
	if err := enginetest.Check(tx); err != nil {
		t.Fatal(err)
	}
	sent := 0
	tx.Ascend(engine.Key{Table: engine.TableDelivery}, func(engine.Key, engine.Row) bool {
		sent++
		return true
	})
	if sent > 1000 || incidents == 0 {
		t.Errorf("%d broadcasts are on their way, after %d incidents", sent, incidents)
	}
}
