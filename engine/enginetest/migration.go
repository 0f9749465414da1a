package enginetest

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/railhead-hub/railhead/engine"
	"github.com/railhead-hub/railhead/engine/bpmn"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// Migrations is a random history of generated flows, each deployed in two versions
// that differ only in the ids and positions of their elements, in which payments
// migrate back and forth all the time. No such migration may be refused, whatever a
// payment is doing, and none may change where it stands.
type Migrations struct {
	*Workload
	mappings map[string][2][]*enginev1.ElementMapping // by flow: from version 1, from 2
}

// NewMigrations prepares a cluster with generated flows in two versions.
func NewMigrations(tx engine.Tx, seed uint64, shape Shape) *Migrations {
	m := &Migrations{Workload: NewRandomWorkload(tx, seed, shape), mappings: make(map[string][2][]*enginev1.ElementMapping)}
	for _, f := range m.generated {
		m.deploy(Flow{ID: f.ID, XML: m.renamed(f)})
	}
	m.generated = nil // no versions that differ in more
	return m
}

// renamed is the flow with other ids, and with elements before all others that no
// token comes to.
func (m *Migrations) renamed(f Flow) string {
	processes, _ := bpmn.Parse([]byte(f.XML))
	xml := f.XML
	var both [2][]*enginev1.ElementMapping
	rename := func(id string) {
		to := id + "-2"
		// Names of variables, which may be the same, stay as they are.
		for _, attribute := range []string{"id", "sourceRef", "targetRef", "attachedToRef", "default", "activityRef"} {
			xml = strings.ReplaceAll(xml, " "+attribute+`="`+id+`"`, " "+attribute+`="`+to+`"`)
		}
		both[0] = append(both[0], &enginev1.ElementMapping{From: id, To: to})
		both[1] = append(both[1], &enginev1.ElementMapping{From: to, To: id})
	}
	for _, e := range processes[0].Elements {
		rename(e.ID)
	}
	for _, s := range processes[0].Flows {
		rename(s.ID)
	}
	m.mappings[f.ID] = both
	at := strings.Index(xml, "<process ")
	at += strings.Index(xml[at:], ">") + 1
	return xml[:at] + `<task id="first-2"/><sequenceFlow id="nowhere-2" sourceRef="first-2" targetRef="second-2"/><endEvent id="second-2"/>` + xml[at:]
}

// Migrate lets some payment go on in the other version of its flow, and now and then
// back again, which leaves its row as it was. It reports false when no payment runs;
// the error is a refusal, or says that the row has changed.
func (m *Migrations) Migrate() (engine.Result, bool, error) {
	row := m.someRow(engine.TableInstance)
	if row == nil {
		return engine.Result{}, false, nil
	}
	before := row.(*enginev1.Instance)
	res, err := m.migrate(before)
	if err != nil || m.rand.IntN(3) > 0 {
		return res, true, err
	}
	key := engine.Key{Table: engine.TableInstance, A: before.Payment}
	if row, _ = m.Tx.Get(key); row == nil {
		return res, true, fmt.Errorf("payment %x has ended by a migration", before.Payment)
	}
	if res, err = m.migrate(row.(*enginev1.Instance)); err != nil {
		return res, true, err
	}
	row, _ = m.Tx.Get(key)
	if after := row.(*enginev1.Instance); !bytes.Equal(standing(before), standing(after)) {
		return res, true, fmt.Errorf("payment %x of flow %s has changed from %s to %s", before.Payment, before.Flow, m.where(before), m.where(after))
	}
	return res, true, nil
}

// standing is a payment's row but for the count of its events.
func standing(row *enginev1.Instance) []byte {
	in := *row
	in.LastSeq = 0
	b, err := in.MarshalVTStrict()
	if err != nil {
		panic(err) // every row has an encoding
	}
	return b
}

func (m *Migrations) migrate(in *enginev1.Instance) (engine.Result, error) {
	res := m.Apply(&enginev1.Command{Verb: &enginev1.Command_MigratePayment{MigratePayment: &enginev1.MigratePayment{
		Payment: in.Payment, FlowVersion: 3 - in.FlowVersion, Mappings: m.mappings[in.Flow][in.FlowVersion-1], Actor: operator,
	}}})
	if res.Reply.Kind != enginev1.EventKind_EVENT_KIND_PAYMENT_MIGRATED {
		return res, fmt.Errorf("payment %x of flow %s: the migration from version %d is refused: %s: %s",
			in.Payment, in.Flow, in.FlowVersion, res.Reply.Code, res.Reply.Text)
	}
	return res, nil
}
