package enginetest

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// lifecycle is the verbs of a connector's life after its installation; nil when the
// verb is another. Digests are numbers, as in the verb connector.
func (e *Env) lifecycle(t *testing.T, d *datadriven.TestData) *enginev1.Command {
	digest := moduleDigest(integer(t, d, "digest"))
	switch d.Cmd {
	case "activate":
		// Activates an installed digest: for all payments, or weight of 10,000.
		// Example: activate tenant=t name=bank digest=2 weight=100
		return &enginev1.Command{Verb: &enginev1.Command_ActivateConnector{ActivateConnector: &enginev1.ActivateConnector{
			Tenant: arg(d, "tenant"), Connector: arg(d, "name"), Digest: digest,
			Weight: uint32(integer(t, d, "weight")), Actor: actor(d),
		}}}
	case "rollback":
		// Ends a canary, or goes back to the digest before.
		// Example: rollback tenant=t name=bank digest=2
		return &enginev1.Command{Verb: &enginev1.Command_RollbackConnector{RollbackConnector: &enginev1.RollbackConnector{
			Tenant: arg(d, "tenant"), Connector: arg(d, "name"), Digest: digest, Actor: actor(d),
		}}}
	case "revoke":
		// Takes a digest out of service for all tenants.
		// Example: revoke name=bank digest=2
		return &enginev1.Command{Verb: &enginev1.Command_RevokeConnector{RevokeConnector: &enginev1.RevokeConnector{
			Connector: arg(d, "name"), Digest: digest, Actor: actor(d),
		}}}
	case "version":
		// Switches the engine's behaviour.
		// Example: version 2
		n, err := strconv.Atoi(d.CmdArgs[0].Key)
		if err != nil {
			d.Fatalf(t, "%v", err)
		}
		return &enginev1.Command{Verb: &enginev1.Command_SetVersion{SetVersion: &enginev1.SetVersion{Version: uint32(n), Actor: actor(d)}}}
	}
	return nil
}

func moduleDigest(n int) []byte {
	if n == 0 {
		return nil
	}
	return bytes.Repeat([]byte{byte(n)}, 32)
}

// heirs are the digests whose histories a module understands: accepts=(1,2).
func heirs(d *datadriven.TestData) (digests [][]byte) {
	for _, a := range d.CmdArgs {
		if a.Key != "accepts" {
			continue
		}
		for _, text := range a.Vals {
			if n, err := strconv.Atoi(text); err == nil {
				digests = append(digests, moduleDigest(n))
			}
		}
	}
	return digests
}

func (e *Env) pins() string {
	var lines []string
	e.Tx.Ascend(engine.Key{Table: engine.TablePins}, func(k engine.Key, row engine.Row) bool {
		part := strings.SplitN(k.S, "\x00", 3)
		lines = append(lines, fmt.Sprintf("%s %s digest %d: %d", part[0], part[1], part[2][0], row.(*enginev1.Pins).Payments))
		return true
	})
	if len(lines) == 0 {
		return "none"
	}
	return strings.Join(lines, "\n")
}

// swap is something an operator may do to the connector's versions while payments
// run. What is revoked is replaced sooner or later.
func (w *Workload) swap(actor *enginev1.Actor) engine.Result {
	some := func() []byte { return moduleDigest(1 + w.rand.IntN(w.versions+1)) }
	switch w.rand.IntN(8) {
	case 0, 1:
		if w.versions < 100 {
			w.versions++
			module := &enginev1.Connector{Name: "c", Digest: moduleDigest(1 + w.versions), JobTypes: EveryJobType}
			if w.rand.IntN(2) == 0 {
				module.AcceptsHistoryOf = [][]byte{some()}
			}
			w.Apply(&enginev1.Command{Verb: &enginev1.Command_InstallConnector{InstallConnector: &enginev1.InstallConnector{Connector: module}}})
			return w.activate(module.Digest, 0)
		}
	case 2, 3:
		return w.activate(some(), uint32(w.rand.IntN(3))*4000)
	case 4, 5:
		return w.Apply(&enginev1.Command{Verb: &enginev1.Command_RollbackConnector{RollbackConnector: &enginev1.RollbackConnector{
			Tenant: "t", Connector: "c", Actor: actor,
		}}})
	case 6:
		return w.Apply(&enginev1.Command{Verb: &enginev1.Command_RevokeConnector{RevokeConnector: &enginev1.RevokeConnector{
			Connector: "c", Digest: some(), Actor: actor,
		}}})
	}
	return w.activate(some(), 0)
}

func (w *Workload) activate(digest []byte, weight uint32) engine.Result {
	return w.Apply(&enginev1.Command{Verb: &enginev1.Command_ActivateConnector{ActivateConnector: &enginev1.ActivateConnector{
		Tenant: "t", Connector: "c", Digest: digest, Weight: weight,
	}}})
}

// pins checks that rows count the payments that keep a digest, if the engine counts.
func (c *checker) pins() {
	row, found := c.tx.Get(engine.Key{Table: engine.TableMeta})
	if !found || row.(*enginev1.Meta).Version < 2 {
		return
	}
	kept := make(map[string]uint64)
	for _, in := range c.instances {
		for _, pin := range in.Pins {
			kept[in.Tenant+"\x00"+pin.Connector+"\x00"+string(pin.Digest)]++
		}
	}
	c.each(engine.TablePins, func(k engine.Key, row engine.Row) {
		if counted := row.(*enginev1.Pins).Payments; counted != kept[k.S] || counted == 0 {
			c.fail("%d payments keep a digest of %q and %d are counted", kept[k.S], k.S, counted)
		}
		delete(kept, k.S)
	})
	for k, n := range kept {
		c.fail("%d payments keep a digest of %q and none are counted", n, k)
	}
}
