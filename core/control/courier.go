package control

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"connectrpc.com/connect"

	"github.com/railhead-hub/railhead/core/replica"
	corev1 "github.com/railhead-hub/railhead/core/v1"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// courier carries commands to another node. Those that come while calls are on
// their way go together with the next one, as commands share an entry of the log;
// one that comes alone goes at once.
type courier struct {
	peer Peer

	mu      sync.Mutex
	waiting []*errand
	bytes   int // of them
	calls   int // on their way
}

// errand is a command and who waits for what became of it.
type errand struct {
	command []byte
	timeout time.Duration
	done    chan delivered
}

type delivered struct {
	reply *enginev1.Event
	err   error
}

const (
	// callsMax is how many calls are on their way to a node at once.
	callsMax = 4
	// callCommands and callBytes bound a call; its message may have messageMax bytes.
	callCommands, callBytes = 1000, 1 << 20
	// waitingBytes bounds what waits.
	waitingBytes = 64 << 20
	// commandBytes bounds a command: what the leader's log and ProposeRequest take.
	commandBytes = 8 << 20
)

// carry hands the command over and returns what became of it. Its errors are
// replica's.
func (c *courier) carry(ctx context.Context, command []byte, timeout time.Duration) (*enginev1.Event, error) {
	if len(command) > commandBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", replica.ErrTooLarge, len(command), commandBytes)
	}
	e := &errand{command: command, timeout: timeout, done: make(chan delivered, 1)}
	c.mu.Lock()
	if c.bytes+len(command) > waitingBytes {
		c.mu.Unlock()
		return nil, fmt.Errorf("%w: too many commands wait for node %s", replica.ErrOverloaded, c.peer.ID)
	}
	c.waiting = append(c.waiting, e)
	c.bytes += len(command)
	if c.calls < callsMax {
		c.calls++
		go c.run()
	}
	c.mu.Unlock()
	reply, err := await(ctx, e.done, timeout)
	if errors.Is(err, errGivenUp) && c.takeBack(e) {
		err = fmt.Errorf("%w: node %s does not answer", replica.ErrNotLeader, c.peer.ID)
	}
	return reply, err
}

// errGivenUp is an ErrUnknown of one who did not wait to the end.
var errGivenUp = fmt.Errorf("%w: not waited for", replica.ErrUnknown)

// await waits for what became of a command, which is unknown when ctx ends or the
// timeout is over first.
func await(ctx context.Context, done <-chan delivered, timeout time.Duration) (*enginev1.Event, error) {
	limit := time.NewTimer(timeout)
	defer limit.Stop()
	select {
	case d := <-done:
		return d.reply, d.err
	case <-limit.C:
		return nil, fmt.Errorf("%w: %w", errGivenUp, context.DeadlineExceeded)
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", errGivenUp, context.Cause(ctx))
	}
}

// takeBack reports whether the command had not left; it will not then.
func (c *courier) takeBack(e *errand) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, waits := range c.waiting {
		if waits == e {
			c.waiting = append(c.waiting[:i:i], c.waiting[i+1:]...)
			c.bytes -= len(e.command)
			return true
		}
	}
	return false
}

// run calls until nothing waits.
func (c *courier) run() {
	for {
		batch := c.take()
		if batch == nil {
			return
		}
		c.call(batch)
	}
}

// take removes what goes with one call; nil ends the caller.
func (c *courier) take() []*errand {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, size := 0, 0
	for n < len(c.waiting) && n < callCommands && (n == 0 || size+len(c.waiting[n].command) <= callBytes) {
		size += len(c.waiting[n].command)
		n++
	}
	if n == 0 {
		c.calls--
		c.waiting = nil
		return nil
	}
	batch := c.waiting[:n:n]
	c.waiting = c.waiting[n:]
	c.bytes -= size
	return batch
}

// call proposes the batch at the other node and tells everyone what became of
// theirs.
func (c *courier) call(batch []*errand) {
	// Every command has as much time as it asked for: those of one node ask alike.
	ctx, cancel := context.WithTimeout(context.Background(), batch[0].timeout)
	defer cancel()
	r := &corev1.ProposeRequest{Commands: make([][]byte, len(batch))}
	for i, e := range batch {
		r.Commands[i] = e.command
	}
	answer, err := c.peer.Client.Propose(ctx, r)
	switch code := connect.CodeOf(err); {
	case err == nil && len(answer.Results) != len(batch):
		err = fmt.Errorf("%w: the leader answered %d commands instead of %d", replica.ErrUnknown, len(answer.Results), len(batch))
	case err == nil:
		for i, e := range batch {
			e.done <- received(answer.Results[i])
		}
		return
	case code == connect.CodeInvalidArgument && len(batch) > 1:
		// The leader has looked at all and proposed none; the one that it minds does
		// not take the others with it.
		for _, e := range batch {
			c.call([]*errand{e})
		}
		return
	case code == connect.CodeInvalidArgument, code == connect.CodePermissionDenied:
		err = fmt.Errorf("the leader does not take the command: %w", err)
	default:
		err = fmt.Errorf("%w: %w", replica.ErrUnknown, err)
	}
	for _, e := range batch {
		e.done <- delivered{err: err}
	}
}

// received is what the leader says of one command.
func received(result *corev1.Proposed) delivered {
	if err, known := reasons[result.Reason]; known {
		return delivered{err: err}
	}
	if result.Reason != "" {
		return delivered{err: fmt.Errorf("%w: %s", replica.ErrUnknown, result.Reason)}
	}
	reply := new(enginev1.Event)
	if err := reply.UnmarshalVT(result.Reply); err != nil {
		return delivered{err: fmt.Errorf("%w: the leader's reply: %w", replica.ErrUnknown, err)}
	}
	return delivered{reply: reply}
}
