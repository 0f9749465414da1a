package leader

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"runtime/debug"
	"time"

	"github.com/railhead-hub/railhead/core/connector"
	"github.com/railhead-hub/railhead/core/replica"
	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// stepper takes jobs in batches and gives each its first step. Most jobs end
// there: their outcome is proposed, and nobody waits for it but the callback that
// is told of it. Only an attempt that asks for effects, or has to wait, gets a
// goroutine of its own. There is one stepper per processor, since what it does is
// to calculate.
type stepper struct {
	*term
	tasks    []task
	attempts []*attempt
	ended    []task // of the batch: they need their worker no more

	// What belongs to the cluster's secret, and is dear to make.
	secret []byte
	minter engine.Minter
	mac    hash.Hash

	// The binding of the job before, which is mostly that of the next.
	binding       *connector.Binding
	tenant        string
	configVersion uint64
	digest        connector.Digest
}

// run works until the lanes are closed.
func (s *stepper) run() {
	for {
		s.tasks = s.lanes.take(s.tasks[:0])
		if len(s.tasks) == 0 {
			return
		}
		s.serve()
		if s.tasks[0].slow {
			s.lanes.stepped()
		}
	}
}

// batchFor is how long a batch may take before what is left of it goes back into
// its lanes: one slow connector's jobs do not hold up the others'.
const batchFor = 20 * time.Millisecond

// serve works on a batch that was read in one view of the rows.
func (s *stepper) serve() {
	s.attempts, s.ended = s.attempts[:0], s.ended[:0]
	err := s.Log.View(func(tx engine.Tx) error {
		for _, t := range s.tasks {
			s.attempts = append(s.attempts, s.attempt(tx, t))
		}
		return nil
	})
	if err != nil {
		for _, t := range s.tasks {
			s.settle(t, err)
		}
		s.lanes.release(s.tasks...)
		return
	}
	// A registry forgets bindings, so nothing is kept from batch to batch.
	s.binding = nil
	nowMS := s.Clock.NowMS()
	since := time.Now()
	for i, last := 0, since; i < len(s.attempts); i++ {
		if last.Sub(since) > batchFor || s.ctx.Err() != nil {
			s.lanes.giveBack(s.tasks[i:])
			break
		}
		a := s.attempts[i]
		if a == nil {
			s.settle(s.tasks[i], nil)
			s.ended = append(s.ended, s.tasks[i])
			continue
		}
		s.begin(a, nowMS)
		now := time.Now()
		s.tasks[i].lane.stepped(now.Sub(last))
		last = now
	}
	s.lanes.release(s.ended...)
	clear(s.attempts)
}

// attempt takes down the rows of an attempt; nil when the job is not to be worked on.
func (t *term) attempt(tx engine.Tx, of task) *attempt {
	row, found := tx.Get(engine.Key{Table: engine.TableJob, A: of.id.payment, B: uint64(of.id.n)})
	if !found || row.(*enginev1.Job).State != enginev1.JobState_JOB_STATE_READY {
		return nil
	}
	job := row.(*enginev1.Job)
	row, found = tx.Get(engine.Key{Table: engine.TableInstance, A: of.id.payment})
	if !found || row.(*enginev1.Instance).Quarantined {
		return nil
	}
	a := attempts.Get().(*attempt)
	a.term, a.task, a.job, a.instance = t, of, job, row.(*enginev1.Instance)
	a.keys = a.instance.EffectKeys
	row, _ = tx.Get(engine.Key{Table: engine.TableMeta})
	a.meta = row.(*enginev1.Meta)
	for _, key := range a.job.Prior {
		number := uint32(0)
		if row, found := tx.Get(engine.Key{Table: engine.TableEffect, S: key, A: of.id.payment}); found {
			number = row.(*enginev1.Effect).Number
		}
		a.priorNumbers = append(a.priorNumbers, number)
	}
	return a
}

// begin gives an attempt its first step, and sees to it that whatever comes of
// that is done.
func (s *stepper) begin(a *attempt, nowMS int64) {
	task := a.task // the attempt may be another's before the step is over
	// A fault of this host's takes one job's attempt with it, not the node.
	defer func() {
		if p := recover(); p != nil {
			s.panicked(task, p)
			s.lanes.forget(task)
			s.ended = append(s.ended, task)
		}
	}()
	if !bytes.Equal(s.secret, a.meta.Secret) {
		s.secret, s.minter, s.mac = a.meta.Secret, engine.NewMinter(a.meta), hmac.New(sha256.New, a.meta.Secret)
	}
	a.minter = s.minter
	a.uuid = a.minter.Payment(a.id.payment)
	a.seed = appendSeed(a.room.seed[:0], s.mac, a.id, a.job.Attempt)
	if !s.bind(a) {
		// A module is fetched and compiled, or a configuration read, for the first
		// time: the other jobs need not wait for it.
		s.detach(a, a.runBound)
		return
	}
	if err := a.open(nowMS); err != nil {
		s.detach(a, func() error { return a.conclude(err) })
		return
	}
	reply, err := a.step()
	if err != nil || reply.Outcome == nil || reply.Error != "" || reply.Mismatch != nil {
		s.detach(a, func() error { return a.goOn(reply, err) })
		return
	}
	s.propose(a, reply.Outcome)
}

// bind finds the module and the configuration that the job is pinned to, if both
// are at hand.
func (s *stepper) bind(a *attempt) bool {
	if s.binding == nil || s.configVersion != a.job.ConfigVersion || s.tenant != a.job.Tenant ||
		!bytes.Equal(s.digest[:], a.job.Digest) {
		digest, ok := connector.ToDigest(a.job.Digest)
		if !ok {
			return false
		}
		binding := s.Connectors.Bound(a.job.Tenant, a.job.ConfigVersion, digest)
		if binding == nil {
			return false
		}
		s.binding, s.tenant, s.configVersion, s.digest = binding, a.job.Tenant, a.job.ConfigVersion, digest
	}
	a.binding = s.binding
	return true
}

// propose proposes the outcome of an attempt's first step. The worker is free as
// soon as the command is on its way.
func (s *stepper) propose(a *attempt, outcome *sdkv1.Outcome) {
	task := a.task // the attempt may be another's before Enqueue returns
	cmd, err := a.result(outcome)
	if err == nil {
		err = s.Log.Enqueue(cmd, func(reply *enginev1.Event, err error) {
			if err == nil && reply.Kind != enginev1.EventKind_EVENT_KIND_REJECTED {
				a.count(outcomeOf(cmd.GetFinishJob()))
				a.lanes.forget(a.task)
				a.recycle()
				return
			}
			// Whoever calls back must not be held up, and this is rare.
			go a.guard(a.task, func() error {
				if err != nil {
					return err
				}
				return a.finished(cmd.GetFinishJob(), reply)
			})
		})
	}
	if err != nil {
		s.detach(a, func() error { return a.conclude(a.finish(outcome)) })
		return
	}
	s.ended = append(s.ended, task)
}

// detach goes on with an attempt in a goroutine, which holds the job's worker
// until it is done.
func (s *stepper) detach(a *attempt, work func() error) {
	s.detached.Go(func() {
		defer s.lanes.release(a.task)
		a.guard(a.task, work)
	})
}

// guard works on an attempt to its end and settles what became of it.
func (t *term) guard(of task, work func() error) {
	defer func() {
		if p := recover(); p != nil {
			t.panicked(of, p)
			t.lanes.forget(of)
		}
	}()
	t.settle(of, work())
}

func (t *term) panicked(of task, p any) {
	t.log.Error("working on an attempt panicked", "payment_key", of.id.payment, "job", of.id.n,
		"panic", p, "stack", string(debug.Stack()))
	t.later(of.id, time.Minute)
}

// settle ends the work on an attempt, and lines it up again where that was not
// the end of it.
func (t *term) settle(of task, err error) {
	t.lanes.forget(of)
	switch {
	case err == nil, errors.Is(err, errDropped), t.ctx.Err() != nil:
	case errors.Is(err, errParked), errors.Is(err, replica.ErrUnknown), errors.Is(err, replica.ErrNotLeader):
		// After an unknown result the row says what happened. If an effect was
		// intended and not performed it is taken for in doubt, which is safe. A leader
		// that hands over proposes nothing, and stays if that fails.
		t.later(of.id, time.Second)
	default:
		t.log.Error("an attempt could not be worked on", "payment_key", of.id.payment, "job", of.id.n, "err", err)
		t.later(of.id, 5*time.Second)
	}
}

// appendSeed appends what the guest's randomness begins with. It belongs to (job,
// attempt): whichever leader continues an attempt, its guest draws the same
// numbers.
func appendSeed(seed []byte, mac hash.Hash, id jobID, attempt uint32) []byte {
	const domain = "railhead seed\x00"
	var b [len(domain) + 16]byte
	copy(b[:], domain)
	binary.BigEndian.PutUint64(b[len(domain):], id.payment)
	binary.BigEndian.PutUint32(b[len(domain)+8:], id.n)
	binary.BigEndian.PutUint32(b[len(domain)+12:], attempt)
	mac.Reset()
	mac.Write(b[:])
	return mac.Sum(seed)
}
