package replica

import (
	"errors"
	"strings"
	"testing"

	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// later is the engine of a later program: it knows one version more.
type later struct{ *engine.Engine }

func (l later) Apply(tx engine.Tx, stamp engine.Stamp, cmd *enginev1.Command) engine.Result {
	if b := cmd.GetBootstrap(); b != nil {
		b.Version = engine.Version + 1
	}
	return l.Engine.Apply(tx, stamp, cmd)
}

// TestAVersionThatTheProgramDoesNotKnow: a node that somebody takes back to an earlier
// program does not open what the later one wrote, and one that was away while the
// cluster was upgraded stops at the log entry.
func TestAVersionThatTheProgramDoesNotKnow(t *testing.T) {
	dir := t.TempDir()
	cfg := testConfig(t, dir)
	cfg.Machine, cfg.Cluster = later{engine.New()}, 1
	r := open(t, cfg)
	eventually(t, func() error {
		return r.View(func(tx engine.Tx) error {
			if _, found := tx.Get(engine.Key{Table: engine.TableMeta}); !found {
				return errors.New("the cluster is not bootstrapped")
			}
			return nil
		})
	})
	if err := r.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	cfg.Machine = engine.New()
	r, err := Open(cfg)
	if err == nil || !strings.Contains(err.Error(), "run a later railhead") {
		if r != nil {
			r.Close()
		}
		t.Fatalf("an earlier program opened the rows: %v", err)
	}

	defer func() {
		if said, _ := recover().(string); !strings.Contains(said, "log entry 7: the cluster is at version") {
			t.Errorf("the node went on: %q", said)
		}
	}()
	mustKnow(6, &enginev1.Command{Verb: &enginev1.Command_SetVersion{SetVersion: &enginev1.SetVersion{Version: engine.Version}}})
	mustKnow(7, &enginev1.Command{Verb: &enginev1.Command_SetVersion{SetVersion: &enginev1.SetVersion{Version: engine.Version + 1}}})
}
