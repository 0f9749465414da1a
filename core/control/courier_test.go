package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/railhead-hub/railhead/core/replica"
	corev1 "github.com/railhead-hub/railhead/core/v1"
	"github.com/railhead-hub/railhead/core/v1/corev1connect"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// door is a leader's that answers each command with its own bytes, as soon as it
// is open; it does not take calls with a command "bad".
type door struct {
	corev1connect.NodeServiceClient
	open chan struct{}

	mu    sync.Mutex
	calls []int // how many commands each had
	took  int
}

func (d *door) Propose(ctx context.Context, r *corev1.ProposeRequest) (*corev1.ProposeResponse, error) {
	d.mu.Lock()
	d.calls = append(d.calls, len(r.Commands))
	d.mu.Unlock()
	select {
	case <-d.open:
	case <-ctx.Done():
		return nil, connect.NewError(connect.CodeDeadlineExceeded, ctx.Err())
	}
	answer := &corev1.ProposeResponse{}
	for _, command := range r.Commands {
		switch text := string(command); text {
		case "bad":
			return nil, connect.NewError(connect.CodeInvalidArgument, errors.New("bad"))
		case "busy":
			answer.Results = append(answer.Results, &corev1.Proposed{Reason: reasonOverloaded})
		default:
			reply, err := (&enginev1.Event{Text: text}).MarshalVTStrict()
			if err != nil {
				return nil, err
			}
			answer.Results = append(answer.Results, &corev1.Proposed{Reply: reply})
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.took += len(r.Commands)
	return answer, nil
}

func (d *door) counted() []int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.calls)
}

func until(t *testing.T, what string, met func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !met(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not so", what)
		}
	}
}

// TestCommandsOfAFollowerShareCalls: the first ones go at once; what comes while
// they are on their way goes together, and everyone hears of his own.
func TestCommandsOfAFollowerShareCalls(t *testing.T) {
	d := &door{open: make(chan struct{})}
	c := &courier{peer: Peer{ID: "n2", Client: d}}
	const commands = 500
	var all sync.WaitGroup
	carry := func(i int) {
		text := fmt.Sprint("command ", i)
		want := error(nil)
		switch i {
		case 100:
			text, want = "bad", nil
		case 200:
			text, want = "busy", replica.ErrOverloaded
		}
		reply, err := c.carry(t.Context(), []byte(text), time.Minute)
		switch {
		case text == "bad":
			if err == nil || errors.Is(err, replica.ErrUnknown) {
				t.Errorf("the bad one: %v %v", reply, err)
			}
		case !errors.Is(err, want) || err == nil && reply.Text != text:
			t.Errorf("%s: %v %v", text, reply, err)
		}
	}
	for i := range callsMax {
		all.Go(func() { carry(i) })
		until(t, "the call of one alone", func() bool { return len(d.counted()) == i+1 })
	}
	for i := callsMax; i < commands; i++ {
		all.Go(func() { carry(i) })
	}
	until(t, "all wait", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.waiting) == commands-callsMax
	})
	close(d.open)
	all.Wait()
	calls := d.counted()
	if !slices.Equal(calls[:callsMax+1], []int{1, 1, 1, 1, commands - callsMax}) || d.took != commands-1 {
		t.Errorf("calls of %v, %d commands taken", calls, d.took)
	}
	until(t, "nothing is left", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.bytes == 0 && c.calls == 0 && len(c.waiting) == 0
	})
}

// TestACommandThatHasNotLeft: while the leader hangs, what has gone to it is
// unknown, and what has not is not proposed and may go elsewhere.
func TestACommandThatHasNotLeft(t *testing.T) {
	d := &door{open: make(chan struct{})}
	c := &courier{peer: Peer{ID: "n2", Client: d}}
	var all sync.WaitGroup
	for i := range callsMax {
		all.Go(func() {
			if _, err := c.carry(t.Context(), []byte("gone"), 300*time.Millisecond); !errors.Is(err, replica.ErrUnknown) {
				t.Error(err)
			}
		})
		until(t, "the call", func() bool { return len(d.counted()) == i+1 })
	}
	if _, err := c.carry(t.Context(), []byte("here"), time.Millisecond); !errors.Is(err, replica.ErrNotLeader) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.carry(ctx, []byte("here"), time.Minute); !errors.Is(err, replica.ErrNotLeader) {
		t.Error(err)
	}
	all.Wait()
	until(t, "the end of the calls", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.calls == 0
	})
	if calls := d.counted(); len(calls) != callsMax {
		t.Errorf("calls of %v", calls)
	}
}

// TestACommandThatIsTooLarge is refused here as the leader's log would refuse it:
// a message that a node does not read leaves its sender in doubt.
func TestACommandThatIsTooLarge(t *testing.T) {
	d := &door{open: make(chan struct{})}
	close(d.open)
	c := &courier{peer: Peer{ID: "n2", Client: d}}
	if _, err := c.carry(t.Context(), make([]byte, commandBytes+1), time.Minute); !errors.Is(err, replica.ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	if calls := d.counted(); len(calls) != 0 {
		t.Errorf("the leader was called %d times", len(calls))
	}
}

// TestOneQuestionServesAllWhoWait: and nobody gets an answer to a question from
// before his time.
func TestOneQuestionServesAllWhoWait(t *testing.T) {
	var asked atomic.Uint64
	open := make(chan struct{})
	r := &round{ask: func(context.Context) (uint64, error) {
		n := asked.Add(1)
		<-open
		return n, nil
	}}
	var all sync.WaitGroup
	const waiting = 100
	var joined atomic.Int64
	for range waiting {
		all.Go(func() {
			before := asked.Load()
			joined.Add(1)
			if n, err := r.index(t.Context()); n <= before || err != nil {
				t.Errorf("answer %d for one who came after %d: %v", n, before, err)
			}
		})
	}
	until(t, "all wait", func() bool { return joined.Load() == waiting && asked.Load() == 1 })
	close(open)
	all.Wait()
	if n := asked.Load(); n >= waiting {
		t.Errorf("%d questions for %d who waited", n, waiting)
	}
}
