package engine_test

import (
	"fmt"
	"testing"

	"github.com/railhead-hub/railhead/engine"
	"github.com/railhead-hub/railhead/engine/enginetest"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// TestCanaryShare: of many payments a canary gets its share, about, and with several
// connectors each gets its own.
func TestCanaryShare(t *testing.T) {
	e := enginetest.NewEnv(enginetest.NewMemTx())
	digest := func(n byte) []byte { d := [32]byte{n}; return d[:] }
	must := func(cmd *enginev1.Command) *enginev1.Event {
		t.Helper()
		reply := e.Apply(cmd).Reply
		if reply.Kind == enginev1.EventKind_EVENT_KIND_REJECTED {
			t.Fatal(reply.Text)
		}
		return reply
	}
	must(&enginev1.Command{Verb: &enginev1.Command_PutTenant{PutTenant: &enginev1.PutTenant{Tenant: &enginev1.Tenant{Id: "t"}}}})
	for _, name := range []string{"a", "b"} {
		for n, weight := range []uint32{0, 1000} {
			must(&enginev1.Command{Verb: &enginev1.Command_InstallConnector{InstallConnector: &enginev1.InstallConnector{
				Connector: &enginev1.Connector{Name: name, Digest: digest(byte(n + 1)), JobTypes: []string{name}},
			}}})
			must(&enginev1.Command{Verb: &enginev1.Command_ActivateConnector{ActivateConnector: &enginev1.ActivateConnector{
				Tenant: "t", Connector: name, Digest: digest(byte(n + 1)), Weight: weight,
			}}})
		}
	}
	xml, err := enginetest.Model("f", "start s\ntask one type=a\ntask two type=b\nend done result=completed code=ok\nparallel p\ns -> p\np -> one -> done\np -> two -> done")
	if err != nil {
		t.Fatal(err)
	}
	must(&enginev1.Command{Verb: &enginev1.Command_Deploy{Deploy: &enginev1.Deploy{Tenant: "t", File: "f.bpmn", Xml: []byte(xml)}}})
	const payments = 20_000
	for range payments {
		must(&enginev1.Command{Verb: &enginev1.Command_StartPayment{StartPayment: &enginev1.StartPayment{Tenant: "t", Flow: "f"}}})
	}
	both := 0
	count := make(map[string]int)
	e.Tx.Ascend(engine.Key{Table: engine.TableInstance}, func(_ engine.Key, row engine.Row) bool {
		canaries := 0
		for _, pin := range row.(*enginev1.Instance).Pins {
			if pin.Digest[0] == 2 {
				canaries++
				count[pin.Connector]++
			}
		}
		if canaries == 2 {
			both++
		}
		return true
	})
	for _, name := range []string{"a", "b"} {
		if n := count[name]; n < payments/10-300 || n > payments/10+300 {
			t.Errorf("the canary of %s has %d of %d payments, not about a tenth", name, n, payments)
		}
		row, found := e.Tx.Get(engine.Key{Table: engine.TablePins, S: "t\x00" + name + "\x00" + string(digest(2))})
		if !found || row.(*enginev1.Pins).Payments != uint64(count[name]) {
			t.Errorf("%v are counted, not %d", row, count[name])
		}
	}
	if both < payments/100-100 || both > payments/100+100 {
		t.Errorf("%d payments have both canaries; the two are not independent", both)
	}
}

// TestPinsAreCountedFromTheSecondVersionOn: a cluster of an earlier version counts
// none, and counts all of them when it goes on to this one.
func TestPinsAreCountedFromTheSecondVersionOn(t *testing.T) {
	tx, e, index := enginetest.NewMemTx(), engine.New(), uint64(0)
	apply := func(cmd *enginev1.Command) {
		t.Helper()
		index++
		if reply := e.Apply(tx, engine.Stamp{Index: index, TimeMS: 1}, cmd).Reply; reply.Kind == enginev1.EventKind_EVENT_KIND_REJECTED {
			t.Fatal(reply.Text)
		}
		if err := enginetest.Check(tx); err != nil {
			t.Fatal(err)
		}
	}
	pinned := func() (n uint64) {
		tx.Ascend(engine.Key{Table: engine.TablePins}, func(_ engine.Key, row engine.Row) bool {
			n += row.(*enginev1.Pins).Payments
			return true
		})
		return n
	}
	digest := make([]byte, 32)
	xml, err := enginetest.Model("f", "start s\ntask one type=a\nend done result=completed code=ok\ns -> one -> done")
	if err != nil {
		t.Fatal(err)
	}
	for _, cmd := range []*enginev1.Command{
		{Verb: &enginev1.Command_Bootstrap{Bootstrap: &enginev1.Bootstrap{Cluster: 1, Secret: digest}}},
		{Verb: &enginev1.Command_PutTenant{PutTenant: &enginev1.PutTenant{Tenant: &enginev1.Tenant{Id: "t"}}}},
		{Verb: &enginev1.Command_InstallConnector{InstallConnector: &enginev1.InstallConnector{Connector: &enginev1.Connector{Name: "c", Digest: digest, JobTypes: []string{"a"}}}}},
		{Verb: &enginev1.Command_ActivateConnector{ActivateConnector: &enginev1.ActivateConnector{Tenant: "t", Connector: "c", Digest: digest}}},
		{Verb: &enginev1.Command_Deploy{Deploy: &enginev1.Deploy{Tenant: "t", File: "f.bpmn", Xml: []byte(xml)}}},
	} {
		apply(cmd)
	}
	for i := range 3 {
		apply(&enginev1.Command{Verb: &enginev1.Command_StartPayment{StartPayment: &enginev1.StartPayment{Tenant: "t", Flow: "f", ClientKey: fmt.Sprint(i)}}})
	}
	if n := pinned(); n != 0 {
		t.Errorf("%d pins are counted by the first version", n)
	}
	apply(&enginev1.Command{Verb: &enginev1.Command_SetVersion{SetVersion: &enginev1.SetVersion{
		Version: 2, Actor: &enginev1.Actor{Name: "ada", Reason: "all nodes know it"},
	}}})
	if n := pinned(); n != 3 {
		t.Errorf("%d pins are counted, not 3", n)
	}
}
