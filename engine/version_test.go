package engine_test

import (
	"bytes"
	"testing"

	"github.com/railhead-hub/railhead/engine"
	"github.com/railhead-hub/railhead/engine/enginetest"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// TestTheFirstVersionKnowsNoSwaps: in a cluster that has not gone on to the second
// version, the commands of the first make the rows that its programs make, and what the
// second adds is off, until it comes.
func TestTheFirstVersionKnowsNoSwaps(t *testing.T) {
	tx, e, index, nowMS := enginetest.NewMemTx(), engine.New(), uint64(0), int64(1)
	apply := func(cmd *enginev1.Command) *enginev1.Event {
		t.Helper()
		index++
		reply := e.Apply(tx, engine.Stamp{Index: index, TimeMS: nowMS}, cmd).Reply
		if err := enginetest.Check(tx); err != nil {
			t.Fatal(err)
		}
		return reply
	}
	must := func(cmd *enginev1.Command) {
		t.Helper()
		if reply := apply(cmd); reply.Kind == enginev1.EventKind_EVENT_KIND_REJECTED {
			t.Fatal(reply.Text)
		}
	}
	payments := func() (n int) {
		tx.Ascend(engine.Key{Table: engine.TableInstance}, func(engine.Key, engine.Row) bool { n++; return true })
		return n
	}
	ada := &enginev1.Actor{Name: "ada", Reason: "all nodes know it"}
	first, second := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	install := func(digest []byte, signatures ...*enginev1.Signature) *enginev1.Command {
		return &enginev1.Command{Verb: &enginev1.Command_InstallConnector{InstallConnector: &enginev1.InstallConnector{Actor: ada, Connector: &enginev1.Connector{
			Name: "c", Digest: digest, JobTypes: []string{"a"}, Signatures: signatures, Schedules: []*enginev1.Schedule{{Name: "rates", Cycle: "R/PT1H"}},
		}}}}
	}
	activate := func(digest []byte, weight uint32) *enginev1.Command {
		return &enginev1.Command{Verb: &enginev1.Command_ActivateConnector{ActivateConnector: &enginev1.ActivateConnector{
			Tenant: "t", Connector: "c", Digest: digest, Weight: weight, Actor: ada, Guard: &enginev1.Guard{},
		}}}
	}
	must(&enginev1.Command{Verb: &enginev1.Command_Bootstrap{Bootstrap: &enginev1.Bootstrap{Cluster: 1, Secret: first}}})
	must(&enginev1.Command{Verb: &enginev1.Command_PutTenant{PutTenant: &enginev1.PutTenant{Tenant: &enginev1.Tenant{Id: "t"}}}})
	for _, digest := range [][]byte{first, second} {
		must(install(digest))
		must(activate(digest, 0))
	}
	must(install(second, &enginev1.Signature{Signer: "bo"}))
	row, _ := tx.Get(engine.Key{Table: engine.TableActivation, S: "t\x00c"})
	if act := row.(*enginev1.Activation); act.ActivatedBy != "" || act.Guard != nil || !bytes.Equal(act.Previous, first) {
		t.Errorf("the activation is %v", act)
	}
	row, _ = tx.Get(engine.Key{Table: engine.TableConnector, S: "c\x00" + string(second)})
	if module := row.(*enginev1.Connector); module.InstalledBy != "" || len(module.Signatures) != 0 {
		t.Errorf("the module is %v", module)
	}
	for name, cmd := range map[string]*enginev1.Command{
		"canary":   activate(first, 100),
		"rollback": {Verb: &enginev1.Command_RollbackConnector{RollbackConnector: &enginev1.RollbackConnector{Tenant: "t", Connector: "c", Actor: ada}}},
		"revoke":   {Verb: &enginev1.Command_RevokeConnector{RevokeConnector: &enginev1.RevokeConnector{Connector: "c", Digest: second, Actor: ada}}},
	} {
		if reply := apply(cmd); reply.Code != engine.CodeBadCommand {
			t.Errorf("%s: %s %s", name, reply.Kind, reply.Code)
		}
	}
	// Somebody's own flow that is called as those of schedules are.
	xml, err := enginetest.Model("schedule.payout", "start s cycle=R/PT1H\nend done result=completed code=ok\ns -> done")
	if err != nil {
		t.Fatal(err)
	}
	must(&enginev1.Command{Verb: &enginev1.Command_Deploy{Deploy: &enginev1.Deploy{Tenant: "t", File: "f.bpmn", Xml: []byte(xml)}}})
	started := func() (n int) {
		tx.Ascend(engine.Key{Table: engine.TableReceipt}, func(engine.Key, engine.Row) bool { n++; return true })
		return n
	}
	hour := func() {
		nowMS += 3_600_000
		must(&enginev1.Command{Verb: &enginev1.Command_FireTimers{FireTimers: &enginev1.FireTimers{Limit: 10}}})
	}
	hour()
	if started() != 1 || payments() != 0 {
		t.Errorf("%d own flows and %d schedules have run", started(), payments())
	}
	must(&enginev1.Command{Verb: &enginev1.Command_SetVersion{SetVersion: &enginev1.SetVersion{Version: 2, Actor: ada}}})
	hour()
	if started() != 2 || payments() != 1 {
		t.Errorf("in the second version %d own flows and %d schedules have run", started(), payments())
	}
	must(&enginev1.Command{Verb: &enginev1.Command_RollbackConnector{RollbackConnector: &enginev1.RollbackConnector{Tenant: "t", Connector: "c", Actor: ada}}})
}
