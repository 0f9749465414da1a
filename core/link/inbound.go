package link

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/railhead-hub/railhead/core/exchange"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// handleMax bounds the work on one frame, waiting for results included.
const handleMax = 30 * time.Second

// inbound deals with a frame that came. Which frame it answers is found out in the
// order in which frames came. One that answers nothing, or nothing that is still
// waited for, is the connector's to handle: up to as many at once as the link has
// places, so their replies may overtake each other, while the frames of one reply
// follow each other on the wire. The error ends the connection.
func (s *session) inbound(ctx context.Context, data []byte) error {
	k := s.link
	key, err := k.matchKey(ctx, data)
	switch {
	case ctx.Err() != nil:
		return errGone
	case err != nil:
		k.drop(err)
		return nil
	}
	if key != "" && k.answer(key, data) {
		return nil
	}
	select {
	case k.slots <- struct{}{}:
	case <-ctx.Done():
		return errGone
	}
	// It lives as long as the link, not the connection: what the connector does about
	// a frame need not end in the middle since the other side has hung up.
	k.done.Go(func() {
		defer func() { <-k.slots }()
		s.reply(ctx, data)
	})
	return nil
}

func (s *session) reply(ctx context.Context, data []byte) {
	k := s.link
	defer func() {
		// A fault of this host's is the frame's misfortune, not the node's.
		if p := recover(); p != nil {
			k.log.Error("working on a frame panicked", "panic", p, "stack", string(debug.Stack()))
			k.Metrics.dropped(k.place, dropFailed)
		}
	}()
	frames, err := k.handle(ctx, &sdkv1.Frame{Data: data})
	if err == nil {
		err = s.write(frames...)
	}
	if err != nil && ctx.Err() == nil {
		k.drop(err)
	}
}

// drop gives a frame up. The link stays: the next frame may be a better one.
func (k *link) drop(err error) {
	k.log.Error("a frame was dropped", "err", err)
	k.Metrics.dropped(k.place, dropFailed)
}

// party is who works on frames now.
func (k *link) party(ctx context.Context) (exchange.Party, error) {
	active := k.active.Load()
	module, err := k.Connectors.Module(ctx, active.Digest)
	if err != nil {
		return exchange.Party{}, err
	}
	binding, err := k.Connectors.Bind(active.Tenant, active.Version, module)
	if err != nil {
		return exchange.Party{}, err
	}
	return exchange.Party{Tenant: active.Tenant, Connector: active.Connector, Module: module, Binding: binding}, nil
}

// matchKey asks the connector what a frame answers: one step, without effects.
func (k *link) matchKey(ctx context.Context, data []byte) (string, error) {
	party, err := k.party(ctx)
	if err != nil {
		return "", err
	}
	outcome, err := k.exchanges.Once(ctx, party, &sdkv1.Trigger{Kind: &sdkv1.Trigger_FrameKey{
		FrameKey: &sdkv1.FrameKey{Link: k.place.Link, Data: data},
	}})
	if err != nil {
		return "", err
	}
	if outcome.GetMatchKey() == nil {
		return "", errors.New("the connector answered a frame's key with something else")
	}
	return outcome.GetMatchKey().GetKey(), nil
}

// handle lets the connector work on a frame or an event of the link.
func (k *link) handle(ctx context.Context, frame *sdkv1.Frame) ([][]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, handleMax, fmt.Errorf("the connector took more than %s", handleMax))
	defer cancel()
	party, err := k.party(ctx)
	if err != nil {
		return nil, err
	}
	frame.Link = k.place.Link
	outcome, err := k.exchanges.Run(ctx, party, &sdkv1.Trigger{Kind: &sdkv1.Trigger_Frame{Frame: frame}})
	if err != nil {
		return nil, err
	}
	if outcome.GetFrames() == nil {
		return nil, errors.New("the connector answered a frame with something else than frames")
	}
	return outcome.GetFrames().GetFrames(), nil
}
