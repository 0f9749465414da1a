package connector

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/railhead-hub/railhead/engine"
	"github.com/railhead-hub/railhead/engine/enginetest"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

type still struct{}

func (still) Manifest() *sdkv1.Manifest {
	return &sdkv1.Manifest{Name: "bank", Version: "1.0.0", Jobs: []*sdkv1.JobType{{Type: "book-{tenant}"}}}
}
func (still) Close(context.Context) error { return nil }
func (still) Step(context.Context, string, *sdkv1.StepRequest) (*sdkv1.StepReply, error) {
	return nil, errors.New("never stepped")
}

func testRegistry(t *testing.T, dir string, fetch func(context.Context, Digest) ([]byte, error)) (*Registry, *atomic.Int32) {
	t.Helper()
	loads := new(atomic.Int32)
	tx := enginetest.NewMemTx()
	r, err := Open(Config{
		Dir: dir, Fetch: fetch, Logger: slog.New(slog.DiscardHandler),
		View: func(read func(engine.Tx) error) error { return read(tx) },
		Load: func(context.Context, []byte) (Stepper, error) { loads.Add(1); return still{}, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return r, loads
}

func TestModulesAreLoadedOnceAndFetchedFromPeers(t *testing.T) {
	module := []byte("a module")
	digest := Digest(sha256.Sum256(module))
	var fetched atomic.Int32
	r, loads := testRegistry(t, t.TempDir(), func(context.Context, Digest) ([]byte, error) {
		fetched.Add(1)
		return module, nil
	})
	var asking sync.WaitGroup
	for range 20 {
		asking.Go(func() {
			m, err := r.Module(t.Context(), digest)
			if err != nil {
				t.Error(err)
				return
			}
			if b, err := r.bind("green", 1, nil, m); err != nil || b.Job("book-green") == nil || b.Job("book-blue") != nil {
				t.Error(b, err)
			}
		})
	}
	asking.Wait()
	if loads.Load() != 1 || fetched.Load() != 1 {
		t.Fatalf("loaded %d times, fetched %d times", loads.Load(), fetched.Load())
	}
	if blob, err := r.Blob(digest); err != nil || string(blob) != "a module" {
		t.Fatalf("%q %v", blob, err)
	}
}

// closing counts how often it is closed.
type closing struct {
	still
	closed *atomic.Int32
}

func (c closing) Close(context.Context) error { c.closed.Add(1); return nil }

// TestOneModuleInstalledBySeveralAtOnce: one is kept, and what was compiled in
// vain is let go; no two are compiled at once.
func TestOneModuleInstalledBySeveralAtOnce(t *testing.T) {
	r, _ := testRegistry(t, t.TempDir(), nil)
	var loads, now, most, closed atomic.Int32
	r.Load = func(context.Context, []byte) (Stepper, error) {
		loads.Add(1)
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer now.Add(-1)
		runtime.Gosched()
		return closing{closed: &closed}, nil
	}
	module := []byte("a module")
	digest := Digest(sha256.Sum256(module))
	var installing sync.WaitGroup
	for i := range 40 {
		installing.Go(func() {
			if i%2 == 0 {
				if _, err := r.Install(t.Context(), module, digest, "", nil); err != nil {
					t.Error(err)
				}
			} else if _, err := r.Module(t.Context(), digest); err != nil && !errors.Is(err, ErrNoBlob) {
				t.Error(err)
			}
		})
	}
	installing.Wait()
	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if closed.Load() != loads.Load() {
		t.Errorf("%d were loaded and %d closed", loads.Load(), closed.Load())
	}
	if most.Load() > 2 { // one is installed while another is fetched
		t.Errorf("%d were loaded at once", most.Load())
	}
}

func TestAPeerThatSendsAnotherModule(t *testing.T) {
	r, loads := testRegistry(t, t.TempDir(), func(context.Context, Digest) ([]byte, error) { return []byte("another"), nil })
	if _, err := r.Module(t.Context(), Digest{1}); err == nil || loads.Load() != 0 {
		t.Fatalf("%v, %d loads", err, loads.Load())
	}
}

func TestADamagedBlobIsNotUsed(t *testing.T) {
	dir := t.TempDir()
	r, _ := testRegistry(t, dir, nil)
	module := []byte("a module")
	digest := Digest(sha256.Sum256(module))
	if _, err := r.Install(t.Context(), module, digest, "", nil); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, digest.String()+".wasm"), []byte("a modulf"), 0o600); err != nil {
		t.Fatal(err)
	}
	again, loads := testRegistry(t, dir, nil)
	if _, err := again.Module(t.Context(), digest); !errors.Is(err, ErrNoBlob) || loads.Load() != 0 {
		t.Fatalf("%v, %d loads", err, loads.Load())
	}
}

// TestQuery asks for a payment by its UUID and by its client key, as its tenant
// and as another.
func TestQuery(t *testing.T) {
	tx := enginetest.NewMemTx()
	e := engine.New()
	index := uint64(0)
	apply := func(cmd *enginev1.Command) *enginev1.Event {
		index++
		reply := e.Apply(tx, engine.Stamp{Index: index, TimeMS: 1}, cmd).Reply
		if reply.Kind == enginev1.EventKind_EVENT_KIND_REJECTED {
			t.Fatal(reply.Text)
		}
		return reply
	}
	apply(&enginev1.Command{Verb: &enginev1.Command_Bootstrap{Bootstrap: &enginev1.Bootstrap{Cluster: 1, Secret: make([]byte, 32)}}})
	apply(&enginev1.Command{Verb: &enginev1.Command_PutTenant{PutTenant: &enginev1.PutTenant{Tenant: &enginev1.Tenant{Id: "green"}}}})
	apply(&enginev1.Command{Verb: &enginev1.Command_Deploy{Deploy: &enginev1.Deploy{Tenant: "green", File: "f.bpmn", Xml: []byte(
		`<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" id="d" targetNamespace="t"><process id="f" isExecutable="true">
		<startEvent id="s"/><sequenceFlow id="x" sourceRef="s" targetRef="e"/><endEvent id="e"/></process></definitions>`)}}})
	started := apply(&enginev1.Command{Verb: &enginev1.Command_StartPayment{StartPayment: &enginev1.StartPayment{
		Tenant: "green", Flow: "f", Channel: "ch", ClientKey: "k"}}})
	for _, q := range []*sdkv1.Query{{ClientKey: "k"}, {Payment: started.Uuid}} {
		if a := Query(tx, "green", "ch", q); !a.Found || a.State != "ended" || a.Payment != started.Uuid {
			t.Errorf("%v: %v", q, a)
		}
		if a := Query(tx, "blue", "ch", q); a.Found {
			t.Errorf("another tenant sees %v", a)
		}
	}
	if a := Query(tx, "green", "other", &sdkv1.Query{ClientKey: "k"}); a.Found {
		t.Errorf("another channel sees %v", a)
	}
}

func TestCheckVariables(t *testing.T) {
	got, err := CheckVariables([]*sdkv1.Variable{{Name: "a", Json: []byte(" { \"x\" : 1 } ")}})
	if err != nil || string(got[0].Json) != `{"x":1}` {
		t.Fatalf("%v %v", got, err)
	}
	for _, bad := range []*sdkv1.Variable{{Json: []byte("1")}, {Name: "a"}, {Name: "a", Json: []byte("1 2")}, {Name: "a", Json: []byte("{")}} {
		if _, err := CheckVariables([]*sdkv1.Variable{bad}); err == nil {
			t.Errorf("%v was accepted", bad)
		}
	}
}
