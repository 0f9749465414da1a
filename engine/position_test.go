package engine_test

import (
	"testing"

	"github.com/railhead-hub/railhead/engine"
	"github.com/railhead-hub/railhead/engine/enginetest"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// TestPositions: messages and broadcasts of one log entry are told apart, however many
// events the commands before them in the entry made.
func TestPositions(t *testing.T) {
	tx := enginetest.NewMemTx()
	env := enginetest.NewEnv(tx)
	env.Apply(&enginev1.Command{Verb: &enginev1.Command_PutTenant{PutTenant: &enginev1.PutTenant{Tenant: &enginev1.Tenant{Id: "t"}}}})
	for _, n := range []uint32{3, 3 + 1<<16} {
		for _, cmd := range []*enginev1.Command{
			{Verb: &enginev1.Command_Publish{Publish: &enginev1.Publish{Tenant: "t", Name: "m", Key: "k", TtlMs: 1000}}},
			{Verb: &enginev1.Command_Broadcast{Broadcast: &enginev1.Broadcast{Tenant: "t", Name: "s"}}},
		} {
			if reply := env.Engine.Apply(tx, engine.Stamp{Index: 9, TimeMS: 1, N: n}, cmd).Reply; reply.Code != "" {
				t.Fatal(reply.Code, reply.Text)
			}
		}
	}
	if err := enginetest.Check(tx); err != nil {
		t.Error(err)
	}
	deliveries := 0
	tx.Ascend(engine.Key{Table: engine.TableDelivery}, func(engine.Key, engine.Row) bool {
		deliveries++
		return true
	})
	if deliveries != 2 {
		t.Errorf("%d of 2 broadcasts are on their way", deliveries)
	}
}
