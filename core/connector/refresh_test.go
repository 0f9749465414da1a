package connector

import (
	"testing"

	"github.com/railhead-hub/railhead/engine"
	"github.com/railhead-hub/railhead/engine/enginetest"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// TestRefreshMakesATableOnlyOfWhatIsNew: an activation is followed by several Refreshes,
// and every node looks once a second; only a change costs a new table.
func TestRefreshMakesATableOnlyOfWhatIsNew(t *testing.T) {
	tx := enginetest.NewMemTx()
	r, _ := testRegistry(t, t.TempDir(), nil)
	r.View = func(read func(engine.Tx) error) error { return read(tx) }
	put := func(id string) {
		tx.Put(engine.Key{Table: engine.TableTenant, S: id}, &enginev1.Tenant{Id: id, Version: 1})
	}
	put("a")
	r.Refresh()
	first := r.table.Load()
	r.Refresh()
	if r.table.Load() != first {
		t.Error("the same rows made another table")
	}
	put("b")
	r.Refresh()
	if table := r.table.Load(); table == first || table.tenants["b"] != 1 {
		t.Error("a new tenant made no new table")
	}
	second := r.table.Load()
	put("a") // the row is another, if with the same content
	r.Refresh()
	if r.table.Load() == second {
		t.Error("a row that was put again made no new table")
	}
}
