package replica

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// What may become of a proposal; callers switch on these with errors.Is.
var (
	// ErrNotLeader: this node does not lead, or does not lead yet. Nothing was
	// proposed; Leader says whom to ask.
	ErrNotLeader = errors.New("replica: this node is not the leader")
	// ErrOverloaded: too much is waiting. Nothing was proposed; try again later.
	ErrOverloaded = errors.New("replica: overloaded")
	// ErrTooLarge: the command is longer than an entry may be. Nothing was proposed.
	ErrTooLarge = errors.New("replica: the command is too large")
	// ErrUnknown: leadership or the connection was lost while the command was on
	// its way. It may or may not be applied.
	ErrUnknown = errors.New("replica: the outcome is unknown")
)

// proposal is one encoded command and who waits for it.
type proposal struct {
	bytes []byte
	reply func(*enginev1.Event, error)
}

// parcel is the commands of one log entry on its way.
type parcel struct {
	proposals []proposal
	future    raft.ApplyFuture
	since     time.Time
}

// proposer packs the commands that arrive at the same time into one log entry,
// so that they share a disk write and a round trip. A command that arrives alone
// goes at once: packs only form while all slots for entries on their way are
// taken.
type proposer struct {
	cfg     *Config
	raft    *raft.Raft
	leading *atomic.Uint64
	contact *contact
	refuse  func() error // says why new proposals cannot be taken now
	failed  <-chan struct{}
	metrics *metrics

	mu     sync.Mutex
	queue  []proposal
	bytes  int64
	wake   chan struct{}
	slots  chan struct{}
	sent   chan parcel
	stop   chan struct{}
	closed bool
	done   sync.WaitGroup
}

func startProposer(cfg *Config, r *raft.Raft, leading *atomic.Uint64, c *contact, refuse func() error, failed <-chan struct{}, m *metrics) *proposer {
	p := &proposer{
		cfg: cfg, raft: r, leading: leading, contact: c, refuse: refuse, failed: failed, metrics: m,
		wake:  make(chan struct{}, 1),
		slots: make(chan struct{}, cfg.InFlight),
		sent:  make(chan parcel, cfg.InFlight),
		stop:  make(chan struct{}),
	}
	p.done.Add(2)
	go p.send()
	go p.deliver()
	return p
}

// enqueue takes a command over. It calls reply exactly once: from another
// goroutine, in log order, if it returns nil; never if it returns an error.
func (p *proposer) enqueue(cmd *enginev1.Command, reply func(*enginev1.Event, error)) error {
	if p.leading.Load() == 0 {
		return ErrNotLeader
	}
	if err := p.refuse(); err != nil {
		return err
	}
	size := cmd.SizeVT()
	if size > p.cfg.CommandBytes {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, size, p.cfg.CommandBytes)
	}
	// Encoding here spreads it over the callers and leaves the proposer with
	// copying; the entry's bytes are those that Entry.MarshalVTStrict would give.
	bytes := make([]byte, size)
	if _, err := cmd.MarshalToSizedBufferVTStrict(bytes); err != nil {
		return fmt.Errorf("replica: encode a command: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return ErrNotLeader
	}
	if p.bytes+int64(size) > p.cfg.QueueBytes {
		return fmt.Errorf("%w: %d bytes of commands are waiting", ErrOverloaded, p.bytes)
	}
	p.queue = append(p.queue, proposal{bytes, reply})
	p.bytes += int64(size)
	select {
	case p.wake <- struct{}{}:
	default:
	}
	return nil
}

// send is the one goroutine that hands entries to Raft.
func (p *proposer) send() {
	defer p.done.Done()
	defer close(p.sent)
	for {
		select {
		case <-p.wake:
		case <-p.stop:
			return
		}
		for {
			select {
			case p.slots <- struct{}{}:
			case <-p.stop:
				return
			}
			batch := p.take()
			if len(batch) == 0 {
				<-p.slots
				break
			}
			since := time.Now() // before a follower can have heard of the entry: see contact
			p.sent <- parcel{proposals: batch, future: p.raft.Apply(pack(p.cfg.Clock(), batch), 0), since: since}
		}
	}
}

// take removes what fits into one entry from the queue.
func (p *proposer) take() []proposal {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, size := 0, 0
	for n < len(p.queue) && n < p.cfg.EntryCommands && (n == 0 || size+len(p.queue[n].bytes) <= p.cfg.EntryBytes) {
		size += len(p.queue[n].bytes)
		n++
	}
	batch := p.queue[:n:n]
	p.queue = p.queue[n:]
	p.bytes -= int64(size)
	if len(p.queue) == 0 {
		p.queue = nil
	}
	return batch
}

// pack encodes engine.v1.Entry{time_ms: 1, commands: 2}.
func pack(timeMS int64, batch []proposal) []byte {
	size := 1 + binary.MaxVarintLen64
	for _, c := range batch {
		size += 1 + binary.MaxVarintLen32 + len(c.bytes)
	}
	entry := make([]byte, 0, size)
	if timeMS != 0 {
		entry = binary.AppendUvarint(append(entry, 1<<3), uint64(timeMS))
	}
	for _, c := range batch {
		entry = binary.AppendUvarint(append(entry, 2<<3|2), uint64(len(c.bytes)))
		entry = append(entry, c.bytes...)
	}
	return entry
}

// deliver hands out the replies, entry by entry, in log order. One goroutine
// does it so that the order holds, and it is not the apply loop so that a slow
// caller holds up callers only.
func (p *proposer) deliver() {
	defer p.done.Done()
	for parcel := range p.sent {
		err := p.wait(parcel.future)
		<-p.slots
		if err != nil {
			err = outcome(err)
			for _, c := range parcel.proposals {
				c.reply(nil, err)
			}
			continue
		}
		p.contact.note(parcel.since)
		p.metrics.commit.Observe(time.Since(parcel.since).Seconds())
		result := parcel.future.Response().(*applied)
		for i, c := range parcel.proposals {
			c.reply(result.replies[i], nil)
		}
	}
}

// wait waits for the entry. Raft leaves some futures unanswered when it is shut
// down; what became of those entries is unknown.
func (p *proposer) wait(future raft.ApplyFuture) error {
	answer := make(chan error, 1)
	go func() { answer <- future.Error() }()
	select {
	case err := <-answer:
		return err
	case <-p.failed:
	case <-p.stop:
	}
	return raft.ErrRaftShutdown
}

// outcome says what Raft's refusal means for the one who proposed.
func outcome(err error) error {
	switch {
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrLeadershipTransferInProgress):
		return ErrNotLeader
	default:
		return fmt.Errorf("%w: %w", ErrUnknown, err)
	}
}

// close ends the goroutines. Raft must have been shut down, so that every entry
// on its way is answered.
func (p *proposer) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	close(p.stop)
	p.done.Wait()
	p.mu.Lock()
	left := p.queue
	p.queue, p.bytes = nil, 0
	p.mu.Unlock()
	for _, c := range left {
		c.reply(nil, ErrNotLeader)
	}
}

// Enqueue proposes the command and returns. Unless it returns an error, reply is
// called exactly once, after the command has been committed and applied here, in
// log order; it must not block for long, since the next reply waits for it. The
// errors are those of Propose.
func (r *Replica) Enqueue(cmd *enginev1.Command, reply func(*enginev1.Event, error)) error {
	return r.proposer.enqueue(cmd, reply)
}

// Propose proposes the command and returns what became of it, after it has been
// committed by a majority and applied here. A refusal by the engine is a reply
// of kind REJECTED and no error. The errors are ErrNotLeader, ErrOverloaded,
// ErrTooLarge and ErrUnknown; also when ctx ends first, the outcome is unknown.
func (r *Replica) Propose(ctx context.Context, cmd *enginev1.Command) (*enginev1.Event, error) {
	type result struct {
		reply *enginev1.Event
		err   error
	}
	done := make(chan result, 1)
	if err := r.Enqueue(cmd, func(reply *enginev1.Event, err error) { done <- result{reply, err} }); err != nil {
		return nil, err
	}
	select {
	case res := <-done:
		return res.reply, res.err
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrUnknown, context.Cause(ctx))
	}
}
