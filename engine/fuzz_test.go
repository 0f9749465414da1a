package engine_test

import (
	"bytes"
	"testing"

	"github.com/railhead-hub/railhead/engine"
	"github.com/railhead-hub/railhead/engine/enginetest"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// busy is a cluster at work, kept as bytes.
type busy struct {
	image enginetest.Image
	last  engine.Stamp
	log   []enginetest.Logged
}

// busyClusters are what the fuzzers start from: flows that use every element, and
// generated ones.
func busyClusters() []busy {
	var all []busy
	for seed := range uint64(5) {
		tx := enginetest.NewMemTx()
		w := enginetest.NewWorkload(tx, seed)
		if seed > 0 {
			tx = enginetest.NewMemTx()
			w = enginetest.NewRandomWorkload(tx, seed, enginetest.Shape{Flows: 2, Elements: 12})
		}
		for range 200 {
			w.Step()
		}
		log := w.Log()
		all = append(all, busy{enginetest.TakeImage(tx), log[len(log)-1].Stamp, log})
	}
	return all
}

// FuzzApply feeds whatever decodes as a log entry into a cluster at work: its
// commands are applied or refused, nothing panics, and the rows still agree with
// each other.
func FuzzApply(f *testing.F) {
	clusters := busyClusters()
	for i, c := range clusters {
		for n := len(c.log) - 40; n < len(c.log); n += 2 {
			b, err := (&enginev1.Entry{TimeMs: int64(n), Commands: []*enginev1.Command{c.log[n].Command, c.log[n+1].Command}}).MarshalVTStrict()
			if err != nil {
				f.Fatal(err)
			}
			f.Add(byte(i), b)
		}
	}
	f.Fuzz(func(t *testing.T, which byte, b []byte) {
		entry := &enginev1.Entry{}
		if entry.UnmarshalVT(b) != nil {
			return
		}
		c := clusters[int(which)%len(clusters)]
		tx, e := enginetest.NewMemTx(), engine.New()
		if err := c.image.Load(tx); err != nil {
			t.Fatal(err)
		}
		stamp := engine.Stamp{Index: c.last.Index + 1, TimeMS: c.last.TimeMS + max(entry.TimeMs%3_600_000, 0)}
		for _, cmd := range entry.Commands[:min(len(entry.Commands), 20)] {
			res := e.Apply(tx, stamp, cmd)
			if res.Reply == nil {
				t.Fatal("a command got no reply")
			}
			if res.Reply.Code == engine.CodeInternal {
				t.Fatalf("the engine failed: %s", res.Reply.Text)
			}
			for i, ev := range res.Events {
				if ev.N != stamp.N+uint32(i) {
					t.Fatalf("event %d is numbered %d", i, ev.N)
				}
				if ev.Kind == enginev1.EventKind_EVENT_KIND_INCIDENT_OPENED && ev.Code == engine.IncidentQuarantined {
					t.Fatalf("the engine cannot explain its rows: %s", ev.Text)
				}
			}
			stamp.N += uint32(len(res.Events))
			if err := enginetest.Check(tx); err != nil {
				t.Fatalf("after %v: %v", cmd, err)
			}
		}
	})
}

// FuzzRow decodes any bytes as a row of any table: they are refused, or stand for a
// row whose encoding comes back as itself.
func FuzzRow(f *testing.F) {
	for _, c := range busyClusters() {
		seen := make(map[byte]int)
		for _, r := range c.image {
			if seen[r.Key[0]]++; seen[r.Key[0]] < 4 && len(r.Value) < 2000 {
				f.Add(r.Key[0], r.Value)
			}
		}
	}
	for table := range engine.Layouts {
		f.Add(byte(table), []byte{})
	}
	f.Fuzz(func(t *testing.T, table byte, b []byte) {
		layout, holds := engine.Layouts[engine.Table(table)]
		if !holds {
			return
		}
		encode := func(row engine.Row) []byte {
			body := make([]byte, row.SizeVT())
			n, err := row.MarshalToSizedBufferVTStrict(body)
			if err != nil || n != len(body) {
				t.Fatalf("a row of table %s took %d of %d bytes: %v", layout.Name, n, len(body), err)
			}
			return body
		}
		row := layout.New()
		if row.UnmarshalVT(b) != nil {
			return
		}
		if layout.Index != nil {
			layout.Index(row)
		}
		canonical, again := encode(row), layout.New()
		if err := again.UnmarshalVT(canonical); err != nil {
			t.Fatalf("a row of table %s does not come back: %v", layout.Name, err)
		}
		if back := encode(again); !bytes.Equal(back, canonical) {
			t.Fatalf("a row of table %s has two encodings:\n%x\n%x", layout.Name, canonical, back)
		}
	})
}

// FuzzKey parses any bytes as a key: they are refused, or are the only encoding of
// their key, whose order is theirs.
func FuzzKey(f *testing.F) {
	for _, c := range busyClusters() {
		for i := 0; i+7 < len(c.image); i += 7 {
			f.Add(c.image[i].Key, c.image[i+7].Key)
		}
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		x, err := engine.ParseKey(a)
		if err != nil {
			return
		}
		if back := x.Append(nil); !bytes.Equal(back, a) {
			t.Fatalf("%x is the key %v, which is %x", a, x, back)
		}
		y, err := engine.ParseKey(b)
		if err != nil {
			return
		}
		if got, want := bytes.Compare(a, b), x.Compare(y); got != want {
			t.Fatalf("encoded, %v against %v is %d; as keys %d", x, y, got, want)
		}
	})
}
