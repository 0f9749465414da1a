package explore

import (
	"bytes"

	"github.com/railhead-hub/railhead/engine"
	"github.com/railhead-hub/railhead/engine/enginetest"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

const (
	startMS = 1767225600000 // 2026-01-01T00:00:00Z
	epoch   = 1             // of the only leader
)

// world is a cluster with one payment, and how it came to stand as it does.
type world struct {
	engine  *engine.Engine // shared: it holds caches only
	tx      *enginetest.MemTx
	index   uint64
	nowMS   int64
	payment uint64 // 0: not started yet

	from *world // nil: the beginning
	step string // what was done to from
}

// newWorld bootstraps a cluster with one tenant.
func newWorld(tenant string) *world {
	w := &world{engine: engine.New(), tx: enginetest.NewMemTx(), nowMS: startMS}
	w.apply(&enginev1.Command{Verb: &enginev1.Command_Bootstrap{Bootstrap: &enginev1.Bootstrap{
		Cluster: 1, Secret: bytes.Repeat([]byte{7}, 32),
	}}})
	w.apply(&enginev1.Command{Verb: &enginev1.Command_LeaderStarted{LeaderStarted: &enginev1.LeaderStarted{Epoch: epoch, Node: "n1"}}})
	w.apply(&enginev1.Command{Verb: &enginev1.Command_PutTenant{PutTenant: &enginev1.PutTenant{Tenant: &enginev1.Tenant{Id: tenant}}}})
	return w
}

// connector serves the job types for the tenant.
func (w *world) connector(tenant string, jobTypes []string) {
	digest := bytes.Repeat([]byte{1}, 32)
	w.apply(&enginev1.Command{Verb: &enginev1.Command_InstallConnector{InstallConnector: &enginev1.InstallConnector{
		Connector: &enginev1.Connector{Name: "explorer", Kind: "ams", Version: "1.0.0", Digest: digest, JobTypes: jobTypes},
	}}})
	w.apply(&enginev1.Command{Verb: &enginev1.Command_ActivateConnector{ActivateConnector: &enginev1.ActivateConnector{
		Tenant: tenant, Connector: "explorer", Digest: digest,
	}}})
}

// fork copies the cluster. Rows are immutable, so copying is a matter of pointers.
func (w *world) fork(step string) *world {
	c := *w
	c.from, c.step = w, step
	c.tx = enginetest.NewMemTx()
	for table := range engine.Layouts {
		w.tx.Ascend(engine.Key{Table: table}, func(k engine.Key, row engine.Row) bool {
			c.tx.Put(k, row)
			return true
		})
	}
	return &c
}

func (w *world) apply(cmd *enginev1.Command) engine.Result {
	w.index++
	return w.engine.Apply(w.tx, engine.Stamp{Index: w.index, TimeMS: w.nowMS}, cmd).Keep()
}

// instance is the running payment; nil when it has not begun or has ended.
func (w *world) instance() *enginev1.Instance {
	row, found := w.tx.Get(engine.Key{Table: engine.TableInstance, A: w.payment})
	if !found {
		return nil
	}
	return row.(*enginev1.Instance)
}

// path is everything that was done, oldest first.
func (w *world) path() []string {
	if w.from == nil {
		return nil
	}
	return append(w.from.path(), w.step)
}

// ofPayment visits the payment's rows of a table whose keys begin with the payment.
func ofPayment[R engine.Row](w *world, table engine.Table, visit func(R)) {
	w.tx.Ascend(engine.Key{Table: table, A: w.payment}, func(k engine.Key, row engine.Row) bool {
		if k.A == w.payment {
			visit(row.(R))
		}
		return k.A == w.payment
	})
}
