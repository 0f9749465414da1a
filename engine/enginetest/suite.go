package enginetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	"pgregory.net/rapid"
)

// TestTx is what every engine.Tx must pass. open returns an empty one; it may
// register its closing with t.Cleanup.
func TestTx(t *testing.T, open func(t *testing.T) engine.Tx) {
	t.Run("GetPutDelete", func(t *testing.T) {
		tx := open(t)
		k := engine.Key{Table: engine.TableCounter, S: "a\x00b"}
		if _, found := tx.Get(k); found {
			t.Fatal("an empty key space has a row")
		}
		one, two := &enginev1.Counter{Value: 1}, &enginev1.Counter{Value: 2}
		if old := tx.Put(k, one); old != nil {
			t.Fatalf("the first row took the place of %v", old)
		}
		if old := tx.Put(k, two); old == nil || old.(*enginev1.Counter).Value != 1 {
			t.Fatalf("the second row took the place of %v, want the first", old)
		}
		if row, found := tx.Get(k); !found || row.(*enginev1.Counter).Value != 2 {
			t.Fatalf("got %v, want the last row put", row)
		}
		if one.Value != 1 {
			t.Fatal("a row that was put has been changed")
		}
		if old := tx.Delete(k); old == nil || old.(*enginev1.Counter).Value != 2 {
			t.Fatalf("the row deleted was %v, want the last row put", old)
		}
		if old := tx.Delete(k); old != nil {
			t.Fatalf("a row was deleted twice: %v", old)
		}
		if _, found := tx.Get(k); found {
			t.Fatal("a deleted row is still there")
		}
	})
	t.Run("AscendOrder", func(t *testing.T) {
		tx := open(t)
		keys := []engine.Key{
			{Table: engine.TableTimer, A: 1, B: 9}, {Table: engine.TableTimer, A: 2, B: 1},
			{Table: engine.TableTimer, A: 256, B: 0}, {Table: engine.TableTimer, A: 1 << 60, B: 3},
		}
		for _, i := range []int{2, 0, 3, 1} {
			tx.Put(keys[i], &enginev1.Timer{Due: []*enginev1.Due{{N: uint32(i)}}})
		}
		tx.Put(engine.Key{Table: engine.TableIncident, A: 1}, &enginev1.Incident{N: 7})
		tx.Delete(keys[2])
		var got []engine.Key
		tx.Ascend(engine.Key{Table: engine.TableTimer, A: 1, B: 10}, func(k engine.Key, _ engine.Row) bool {
			got = append(got, k)
			return true
		})
		if want := []engine.Key{keys[1], keys[3]}; !slices.Equal(got, want) {
			t.Fatalf("ascending gave %v, want %v", got, want)
		}
		got = nil
		tx.Ascend(engine.Key{Table: engine.TableTimer}, func(k engine.Key, _ engine.Row) bool {
			got = append(got, k)
			return false
		})
		if len(got) != 1 {
			t.Fatalf("ascending went on after the visitor said stop: %v", got)
		}
	})
	t.Run("Index", func(t *testing.T) {
		tx := open(t)
		k := engine.Key{Table: engine.TableStartID, A: 42}
		by := engine.Key{Table: engine.TableStartIndex, A: 7, B: 8}
		tx.Put(k, &enginev1.StartID{HashHigh: 7, HashLow: 8, Payment: 42})
		if row, found := tx.Get(by); !found || row.(*enginev1.StartID).Payment != 42 {
			t.Fatal("the index does not find the row")
		}
		tx.Put(k, &enginev1.StartID{HashHigh: 7, HashLow: 9, Payment: 42})
		if _, found := tx.Get(by); found {
			t.Fatal("the index still finds a row whose hash has changed")
		}
		tx.Delete(k)
		if _, found := tx.Get(engine.Key{Table: engine.TableStartIndex, A: 7, B: 9}); found {
			t.Fatal("the index finds a deleted row")
		}
	})
	t.Run("Random", func(t *testing.T) {
		rapid.Check(t, func(r *rapid.T) {
			tx, model := open(t), NewMemTx()
			tables := []engine.Table{engine.TableTimer, engine.TableReceipt, engine.TableCorrelation, engine.TableJob}
			for range rapid.IntRange(1, 60).Draw(r, "steps") {
				table := rapid.SampledFrom(tables).Draw(r, "table")
				k := engine.Key{
					Table: table, S: rapid.SampledFrom([]string{"", "a", "a\x00", "a\x00b", "b"}).Draw(r, "s"),
					A: rapid.Uint64Range(0, 4).Draw(r, "a"), B: rapid.Uint64Range(0, 2).Draw(r, "b"),
				}
				if rapid.IntRange(0, 3).Draw(r, "what") == 0 {
					tx.Delete(k)
					model.Delete(k)
					continue
				}
				row := someRow(table, rapid.Uint64().Draw(r, "value"))
				tx.Put(k, row)
				model.Put(k, row)
			}
			if got, want := Dump(tx), Dump(model); !slices.Equal(got, want) {
				r.Fatalf("the key space differs from the model:\n%x\n%x", got, want)
			}
		})
	})
}

func someRow(table engine.Table, value uint64) engine.Row {
	switch table {
	case engine.TableTimer:
		return &enginev1.Timer{Due: []*enginev1.Due{{N: uint32(value)}}}
	case engine.TableReceipt:
		return &enginev1.Receipt{Payment: value, Tenant: "t"}
	case engine.TableCorrelation:
		return &enginev1.Correlation{Subscriptions: []*enginev1.Subscription{{Payment: value}}}
	}
	return &enginev1.Job{Payment: value, Type: strings.Repeat("x", int(value%50))}
}

// TestKeys checks that the encoded order of keys is their order.
func TestKeys(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		draw := func(label string) engine.Key {
			return engine.Key{
				Table: engine.Table(rapid.IntRange(1, 20).Draw(r, label+" table")),
				S:     rapid.StringOfN(rapid.SampledFrom([]rune{0, 1, 'a', 0xff, 'é'}), 0, 6, -1).Draw(r, label),
				A:     rapid.Uint64().Draw(r, label+" a"), B: rapid.Uint64Range(0, 3).Draw(r, label+" b"),
			}
		}
		x, y := draw("x"), draw("y")
		bx, by := x.Append(nil), y.Append(nil)
		if got, want := slices.Compare(bx, by), x.Compare(y); got != want {
			r.Fatalf("%v against %v: encoded order %d, order %d", x, y, got, want)
		}
		back, err := engine.ParseKey(bx)
		if err != nil || back != x {
			r.Fatal(fmt.Sprintf("%v came back as %v (%v)", x, back, err))
		}
	})
}
