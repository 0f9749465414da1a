package core

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"github.com/railhead-hub/railhead/core/control"
	"github.com/railhead-hub/railhead/core/replica"
	corev1 "github.com/railhead-hub/railhead/core/v1"
	"github.com/railhead-hub/railhead/core/v1/corev1connect"
	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// first is the engine of a program that knew one version.
type first struct{ *engine.Engine }

func (f first) Apply(tx engine.Tx, stamp engine.Stamp, cmd *enginev1.Command) engine.Result {
	if b := cmd.GetBootstrap(); b != nil {
		b.Version = 1
	}
	return f.Engine.Apply(tx, stamp, cmd)
}

// bootstrapFirst leaves a node's folder as that program would.
func bootstrapFirst(t *testing.T, c *Config) {
	r, err := replica.Open(replica.Config{
		ID: c.ID, Dir: filepath.Join(c.Dir, "replica"), Bind: c.Raft, Cluster: c.Cluster, Machine: first{engine.New()},
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the bootstrap", func() bool {
		found := false
		err := r.View(func(tx engine.Tx) error {
			_, found = tx.Get(engine.Key{Table: engine.TableMeta})
			return nil
		})
		return err == nil && found
	})
	if err := errors.Join(r.Checkpoint(), r.Close()); err != nil {
		t.Fatal(err)
	}
}

// program is a node of which only the program is known; 0: one from before versions
// were asked for.
type program struct {
	corev1connect.NodeServiceClient
	version uint32
}

func (p program) KnownVersion(context.Context, *corev1.KnownVersionRequest) (*corev1.KnownVersionResponse, error) {
	if p.version == 0 {
		return nil, connect.NewError(connect.CodeUnimplemented, errors.New("no such procedure"))
	}
	return &corev1.KnownVersionResponse{Version: p.version, Build: "earlier"}, nil
}

// TestUpgrade: a cluster from an earlier program stays as it is until somebody says
// that it may go on, and that is refused while a node could not follow.
func TestUpgrade(t *testing.T) {
	s := newSite(t, 1, func(c *Config) { bootstrapFirst(t, c) })
	version := func() (is, known uint32) {
		status, err := s.control(0).Status(t.Context(), &corev1.StatusRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return status.Version, status.KnownVersion
	}
	refused := func(want, text string, r *corev1.SetVersionRequest) {
		t.Helper()
		_, err := s.control(0).SetVersion(t.Context(), r)
		if reasonOf(err) != want || !strings.Contains(err.Error(), text) {
			t.Errorf("%v: %v, want %s with %q", r, err, want, text)
		}
		if is, _ := version(); is != 1 {
			t.Fatalf("the cluster is at version %d", is)
		}
	}
	if is, known := version(); is != 1 || known != engine.Version {
		t.Fatalf("the cluster is at version %d of %d", is, known)
	}
	ada := &corev1.Actor{Name: "ada", Reason: "all nodes run it"}
	refused("ACTOR_MISSING", "who wants it and why", &corev1.SetVersionRequest{Actor: &corev1.Actor{Name: "ada"}})
	refused("VERSION_UNKNOWN", "up to version 2, not 3", &corev1.SetVersionRequest{Version: engine.Version + 1, Actor: ada})
	peers := s.nodes[0].commands.Peers
	peers["n8"] = control.Peer{ID: "n8", Client: program{version: 1}}
	peers["n9"] = control.Peer{ID: "n9", Client: program{}}
	refused("VERSION_UNKNOWN", "n8 runs railhead earlier, which knows version 1; n9 runs a railhead from before", &corev1.SetVersionRequest{Actor: ada})
	peers["n8"] = control.Peer{ID: "n8", Client: program{version: engine.Version}}
	delete(peers, "n9")

	done, err := s.control(0).SetVersion(t.Context(), &corev1.SetVersionRequest{Actor: ada})
	if err != nil || done.Version != engine.Version || done.Before != 1 {
		t.Fatalf("%v, %v", done, err)
	}
	if is, _ := version(); is != engine.Version {
		t.Fatalf("the cluster is at version %d", is)
	}
	done, err = s.control(0).SetVersion(t.Context(), &corev1.SetVersionRequest{Actor: ada})
	if err != nil || done.Before != done.Version {
		t.Fatalf("again: %v, %v", done, err)
	}
	_, err = s.control(0).SetVersion(t.Context(), &corev1.SetVersionRequest{Version: 1, Actor: ada})
	if reasonOf(err) != "STALE" {
		t.Errorf("going back: %v", err)
	}
}
