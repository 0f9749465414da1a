package exchange

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/railhead-hub/railhead/core/connector"
	"github.com/railhead-hub/railhead/core/keys"
	"github.com/railhead-hub/railhead/core/replica"
	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	"github.com/railhead-hub/railhead/sdk/abi"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// Log is where commands go and rows come from: this node's replica, or the
// leader's behind it.
type Log interface {
	// Propose proposes the command here or, on a follower, at the leader. Its
	// errors are replica's.
	Propose(context.Context, *enginev1.Command) (*enginev1.Event, error)
	View(func(engine.Tx) error) error
	// CatchUp returns when View shows everything that was acknowledged before the
	// call; its error says that it cannot be known.
	CatchUp(context.Context) error
	// Await returns a channel that is closed when the payment has ended here.
	Await(payment uint64) (ended <-chan struct{}, cancel func())
}

// Config is what a Host works with; all fields but AwaitMax must be set.
type Config struct {
	Log Log
	Now func() int64 // milliseconds since 1970-01-01 UTC
	// AwaitMax bounds one AwaitResult. 0: 20 s.
	AwaitMax time.Duration
}

// Host runs exchanges. It is safe for concurrent use.
type Host struct {
	Config
	meta atomic.Pointer[enginev1.Meta] // of the cluster; see exchange.payment
}

// New returns a Host.
func New(c Config) *Host {
	if c.AwaitMax <= 0 {
		c.AwaitMax = 20 * time.Second
	}
	return &Host{Config: c}
}

// CatchUpMax bounds the wait for this node to be as far as the leader.
const CatchUpMax = 2 * time.Second

// Party is who is asked: one tenant's connector, as a module and a version of its
// configuration have it.
type Party struct {
	Tenant, Connector string
	Module            *connector.Module
	Binding           *connector.Binding
}

// exchange is one request or frame while its connector works on it.
type exchange struct {
	*Host
	Party
	request *sdkv1.StepRequest
	veil    keys.Veil
	asked   []*sdkv1.Effect
}

// Run steps the connector until it has an outcome. The trigger needs its kind only.
// An error says that the connector cannot answer: it failed, or the fate of a
// command is unknown, and then the error is one of replica's.
func (h *Host) Run(ctx context.Context, of Party, trigger *sdkv1.Trigger) (*sdkv1.Outcome, error) {
	trigger.TimeMs, trigger.Tenant = h.Now(), of.Tenant
	e := &exchange{
		Host: h, Party: of,
		request: &sdkv1.StepRequest{Config: of.Binding.Config, Seed: seed(), Trigger: trigger},
	}
	outcome, err := e.run(ctx)
	_, guests := errors.AsType[*guestFault](err)
	of.Binding.Tally.Ended(guests)
	if guests {
		of.Binding.Tally.Trapped()
	}
	return outcome, err
}

// Once is Run for a trigger that takes one step and no effect.
func (h *Host) Once(ctx context.Context, of Party, trigger *sdkv1.Trigger) (*sdkv1.Outcome, error) {
	trigger.TimeMs, trigger.Tenant = h.Now(), of.Tenant
	reply, err := of.Module.Step(ctx, of.Tenant, &sdkv1.StepRequest{Config: of.Binding.Config, Seed: seed(), Trigger: trigger})
	if err == nil {
		err = check(reply)
	}
	switch {
	case err != nil:
		return nil, err
	case reply.Outcome == nil:
		return nil, errors.New("the connector asked for an effect where none is allowed")
	}
	return reply.Outcome, nil
}

// check says why a reply cannot be followed, if it cannot.
func check(reply *sdkv1.StepReply) error {
	switch {
	case reply.Error != "":
		return faulty("the connector reports: %s", reply.Error)
	case reply.Mismatch != nil:
		return faulty("the connector is not deterministic at ordinal %d", reply.Mismatch.Ordinal)
	case reply.Outcome == nil && (len(reply.Effects) == 0 || len(reply.Effects) > abi.EffectsMax):
		return faulty("the connector asked for %d effects at once", len(reply.Effects))
	}
	return nil
}

// guestFault is an error of the guest's making, by which its version is judged.
type guestFault struct{ text string }

func (f *guestFault) Error() string { return f.text }

// failed is why a step gave no reply: the guest's fault, unless its time was up or its
// version is revoked.
func failed(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.Is(err, connector.ErrRevoked) {
		return fmt.Errorf("the step failed: %w", err)
	}
	return faulty("the step failed: %v", err)
}

func faulty(format string, args ...any) error { return &guestFault{fmt.Sprintf(format, args...)} }

// seed is what a guest's randomness begins with. Seeds must differ and be hard to
// guess, and are no keys: the generator of the runtime, which the system seeds,
// spares a call to the system.
func seed() []byte {
	seed := make([]byte, 0, abi.SeedBytes)
	for len(seed) < abi.SeedBytes {
		seed = binary.LittleEndian.AppendUint64(seed, rand.Uint64())
	}
	return seed
}

func (e *exchange) run(ctx context.Context) (*sdkv1.Outcome, error) {
	for len(e.request.History) < abi.StepsMax {
		reply, err := e.Module.Step(ctx, e.Tenant, e.request)
		if err != nil {
			return nil, failed(ctx, err)
		}
		if reply.Mismatch != nil {
			return nil, e.mismatch(reply.Mismatch)
		}
		if err := check(reply); err != nil {
			return nil, err
		}
		if reply.Outcome != nil {
			return reply.Outcome, nil
		}
		for _, effect := range reply.Effects {
			e.asked = append(e.asked, effect)
			answer, err := e.perform(ctx, effect)
			if err != nil {
				return nil, err
			}
			e.request.History = append(e.request.History, &sdkv1.Entry{
				Ordinal: effect.Ordinal, Digest: abi.EffectDigest(effect), TimeMs: e.Now(), Answer: answer,
			})
		}
	}
	return nil, faulty("the connector took more than %d steps", abi.StepsMax)
}

// perform does one effect. An error means that the request cannot be answered
// by the connector: the command's fate is unknown, or nothing can be proposed.
func (e *exchange) perform(ctx context.Context, effect *sdkv1.Effect) (*sdkv1.Answer, error) {
	switch k := effect.Kind.(type) {
	case *sdkv1.Effect_Http:
		return e.http(ctx, k.Http)
	case *sdkv1.Effect_Query:
		answer, err := e.query(ctx, k.Query)
		return &sdkv1.Answer{Kind: &sdkv1.Answer_Query{Query: answer}}, err
	case *sdkv1.Effect_AwaitResult:
		answer, err := e.await(ctx, k.AwaitResult)
		return &sdkv1.Answer{Kind: &sdkv1.Answer_Query{Query: answer}}, err
	}
	if answer := e.keyed(ctx, effect); answer != nil {
		return answer, nil
	}
	cmd, failure := connector.Command(effect, e.Tenant, e.Connector, nil)
	switch {
	case failure != nil:
		return failure, nil
	case cmd == nil:
		return connector.Failure(abi.FailureUnsupported,
			"a request from outside may not use this effect; start a payment to do more"), nil
	}
	reply, err := e.Log.Propose(ctx, cmd)
	if err != nil {
		return nil, err
	}
	return connector.ReplyAnswer(reply), nil
}

func (e *exchange) http(ctx context.Context, call *sdkv1.Http) (*sdkv1.Answer, error) {
	endpoint, err := e.Binding.Endpoint(call.Endpoint)
	if err != nil {
		return connector.Failure(abi.FailureEndpoint, err.Error()), nil
	}
	if call.Key != "" || call.Terms != nil || endpoint.Mode() != enginev1.Mode_MODE_SAFE {
		return connector.Failure(abi.FailureUnsupported,
			"a request from outside may only call safe endpoints; start a payment to do more"), nil
	}
	seen := e.veil.Clone()
	if call, err = e.Binding.Keys.Expand(call, &seen); err != nil {
		failure := keys.AsFailure(err)
		return connector.Failure(failure.Code, failure.Text), nil
	}
	out := endpoint.Do(ctx, call, "", false)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return seen.Scrub(out.Answer), nil
}

// query looks, and once more when it has found nothing and this node may be
// behind the leader that started the payment a moment ago.
func (e *exchange) query(ctx context.Context, q *sdkv1.Query) (*sdkv1.QueryAnswer, error) {
	answer, err := e.look(q)
	if err != nil || answer.Found {
		return answer, err
	}
	ctx, cancel := context.WithTimeout(ctx, CatchUpMax)
	defer cancel()
	if err := e.Log.CatchUp(ctx); err != nil {
		return nil, fmt.Errorf("%w: %w", replica.ErrNotLeader, err)
	}
	return e.look(q)
}

func (e *exchange) look(q *sdkv1.Query) (answer *sdkv1.QueryAnswer, err error) {
	err = e.Log.View(func(tx engine.Tx) error {
		answer = connector.Query(tx, e.Tenant, e.Connector, q)
		return nil
	})
	return answer, err
}

// await waits on this node's apply stream. A node that has not heard of the
// payment yet waits as well: it may be behind the leader that started it.
func (e *exchange) await(ctx context.Context, a *sdkv1.AwaitResult) (*sdkv1.QueryAnswer, error) {
	uuid := strings.ToLower(a.Payment)
	payment, ok, err := e.payment(uuid)
	if err != nil {
		return nil, err
	}
	if !ok {
		return &sdkv1.QueryAnswer{}, nil
	}
	ended, cancel := e.Log.Await(payment)
	defer cancel()
	wait := time.NewTimer(min(max(0, time.Duration(a.TimeoutMs)*time.Millisecond), e.AwaitMax))
	defer wait.Stop()
	select {
	case <-ended:
	case <-wait.C:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	var answer *sdkv1.QueryAnswer
	err = e.Log.View(func(tx engine.Tx) error {
		answer = connector.ReadPayment(tx, uuid, e.Tenant, payment, nil)
		return nil
	})
	if err == nil {
		answer.Pending = answer.State != "ended"
	}
	return answer, err
}

// payment is the key of the payment with that UUID. The row by which it is read
// never changes in what this needs, and is kept.
func (e *exchange) payment(uuid string) (payment uint64, ok bool, err error) {
	meta := e.meta.Load()
	if meta == nil {
		err = e.Log.View(func(tx engine.Tx) error {
			if row, found := tx.Get(engine.Key{Table: engine.TableMeta}); found {
				meta = row.(*enginev1.Meta)
				e.meta.Store(meta)
			}
			return nil
		})
		if meta == nil {
			return 0, false, err
		}
	}
	u, known := engine.ParseUUID(meta, uuid)
	return u.Payment, known && u.Kind == engine.UUIDPayment, nil
}
