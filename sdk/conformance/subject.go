package conformance

import (
	"context"
	"fmt"

	"github.com/railhead-hub/railhead/sdk/abi"
	"github.com/railhead-hub/railhead/sdk/host"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// Subject is the connector under test.
type Subject struct {
	Manifest *sdkv1.Manifest
	// Open makes an instance that has run nothing yet.
	Open func(context.Context) (Instance, error)
	// Logged takes the log lines since it was last called; nil if nobody listens.
	Logged func() []string
}

// Instance runs steps.
type Instance interface {
	Step(context.Context, *sdkv1.StepRequest) (*sdkv1.StepReply, error)
	Close(context.Context) error
}

// Native is a Go connector run in process: step takes an encoded StepRequest and
// returns an encoded StepReply. Its instances share one memory, so only the
// compiled module can show state that leaks from step to step.
func Native(m *sdkv1.Manifest, step func([]byte) []byte) Subject {
	return Subject{
		Manifest: m,
		Open:     func(context.Context) (Instance, error) { return native(step), nil },
	}
}

type native func([]byte) []byte

func (n native) Step(_ context.Context, request *sdkv1.StepRequest) (*sdkv1.StepReply, error) {
	encoded, err := request.MarshalVTStrict()
	if err != nil {
		return nil, fmt.Errorf("conformance: encoding the request: %w", err)
	}
	reply := new(sdkv1.StepReply)
	if err := reply.UnmarshalVT(n(encoded)); err != nil {
		return nil, fmt.Errorf("conformance: the reply does not decode: %w", err)
	}
	return reply, nil
}

func (n native) Close(context.Context) error { return nil }

// Module is a compiled connector.
func Module(m *host.Module) Subject {
	return Subject{
		Manifest: m.Manifest,
		Open:     func(ctx context.Context) (Instance, error) { return m.NewInstance(ctx) },
	}
}

// conversation is a vector in progress, or one with made-up answers.
type conversation struct {
	request *sdkv1.StepRequest
	pending []*sdkv1.Effect
	// last is the newest reply.
	last *sdkv1.StepReply
}

// begin copies what a conversation changes.
func begin(request *sdkv1.StepRequest) *conversation {
	return &conversation{request: &sdkv1.StepRequest{
		Config: request.Config, Trigger: request.Trigger, Seed: request.Seed,
	}}
}

// ended reports whether there is nothing left to answer.
func (c *conversation) ended() bool { return c.last != nil && len(c.pending) == 0 }

func (c *conversation) step(ctx context.Context, instance Instance) error {
	reply, err := instance.Step(ctx, c.request)
	if err != nil {
		return err
	}
	c.last = reply
	c.pending = reply.GetEffects()
	if reply.GetOutcome() != nil || reply.GetMismatch() != nil || reply.GetError() != "" {
		c.pending = nil
	}
	return nil
}

// answer puts the answer to the first pending effect into the history.
func (c *conversation) answer(a timedAnswer) {
	effect := c.pending[0]
	c.pending = c.pending[1:]
	at := c.request.Trigger.TimeMs
	if n := len(c.request.History); n > 0 {
		at = c.request.History[n-1].TimeMs
	}
	entry := &sdkv1.Entry{
		Ordinal: effect.GetOrdinal(),
		Digest:  abi.EffectDigest(effect),
		TimeMs:  at + a.after.Milliseconds(),
		Answer:  a.answer,
	}
	if checkpoint := effect.GetCheckpoint(); checkpoint != nil && a.answer.GetDone() != nil {
		c.request.State = checkpoint.State
		c.request.History = []*sdkv1.Entry{entry}
		return
	}
	c.request.History = append(c.request.History, entry)
}
