package control

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"

	corev1 "github.com/railhead-hub/railhead/core/v1"
	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// versionTimeout bounds the question to each node.
const versionTimeout = 3 * time.Second

// SetVersion lets the cluster behave as a later version of the engine does. Asked
// again, it says that nothing is left to do.
func (s *Service) SetVersion(ctx context.Context, r *corev1.SetVersionRequest) (*corev1.SetVersionResponse, error) {
	to := r.Version
	if to == 0 {
		to = engine.Version
	}
	if to > engine.Version {
		return nil, refuse(connect.CodeFailedPrecondition, "VERSION_UNKNOWN",
			"Node %s knows the engine up to version %d, not %d; run a later railhead on every node first.", s.Node, engine.Version, to)
	}
	if r.Actor.GetName() == "" || r.Actor.GetReason() == "" {
		return nil, refuse(connect.CodeInvalidArgument, upper(engine.CodeActorMissing), "A new version says who wants it and why.")
	}
	if err := s.Commands.CatchUp(ctx); err != nil {
		return nil, s.fromPropose(nil, err)
	}
	before := s.version()
	if to == before {
		return &corev1.SetVersionResponse{Version: to, Before: before}, nil
	}
	if behind := s.Commands.behind(ctx, to); len(behind) > 0 {
		return nil, refuse(connect.CodeFailedPrecondition, "VERSION_UNKNOWN",
			"Not every node is known to know version %d of the engine: %s. Run a later railhead there, and all nodes at once.",
			to, strings.Join(behind, "; "))
	}
	reply, err := s.Commands.Propose(ctx, &enginev1.Command{Verb: &enginev1.Command_SetVersion{
		SetVersion: &enginev1.SetVersion{Version: to, Actor: actor(r.Actor)},
	}})
	if err := s.fromPropose(reply, err); err != nil {
		return nil, err
	}
	return &corev1.SetVersionResponse{Version: to, Before: before}, nil
}

// version is the cluster's, as far as this node has applied; 0 before it is bootstrapped.
func (s *Service) version() (version uint32) {
	_ = s.Replica.View(func(tx engine.Tx) error {
		if row, found := tx.Get(engine.Key{Table: engine.TableMeta}); found {
			version = row.(*enginev1.Meta).Version
		}
		return nil
	})
	return version
}

// behind says of every other node that does not know a version, or does not say, why.
func (c *Commands) behind(ctx context.Context, version uint32) (why []string) {
	ctx, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()
	var mu sync.Mutex
	var asked sync.WaitGroup
	for id, peer := range c.Peers {
		asked.Go(func() {
			known, err := peer.Client.KnownVersion(ctx, &corev1.KnownVersionRequest{})
			text := fmt.Sprintf("%s runs railhead %s, which knows version %d", id, known.GetBuild(), known.GetVersion())
			switch {
			case connect.CodeOf(err) == connect.CodeUnimplemented && err != nil:
				text = id + " runs a railhead from before there were versions"
			case err != nil:
				text = id + " does not answer"
			case known.GetVersion() >= version:
				return
			}
			mu.Lock()
			defer mu.Unlock()
			why = append(why, text)
		})
	}
	asked.Wait()
	slices.Sort(why)
	return why
}

// KnownVersion is up to which version of the engine this program can go.
func (n *node) KnownVersion(context.Context, *corev1.KnownVersionRequest) (*corev1.KnownVersionResponse, error) {
	return &corev1.KnownVersionResponse{Version: engine.Version, Build: n.Build}, nil
}
