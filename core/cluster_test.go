package core

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/railhead-hub/railhead/core/control"
	"github.com/railhead-hub/railhead/core/replica"
	corev1 "github.com/railhead-hub/railhead/core/v1"
	"github.com/railhead-hub/railhead/core/v1/corev1connect"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

func TestThreeNodesLoseTheirLeader(t *testing.T) {
	s := newSite(t, 3, nil)
	follower := (s.leader() + 1) % 3
	s.furnish(follower) // every command is handed to the leader
	s.ready()
	const payments = 60
	uuids := make([]string, payments)
	var calls sync.WaitGroup
	for i := range payments {
		calls.Go(func() {
			deadline := time.Now().Add(30 * time.Second)
			for time.Now().Before(deadline) {
				status, answer, err := s.try(follower, "POST", "/payments", start("book-greenbank", fmt.Sprint(i)), "")
				if err == nil && status == 202 {
					uuids[i] = answer["transactionId"]
					return
				}
				time.Sleep(20 * time.Millisecond)
			}
		})
		if i == payments/2 {
			s.close(s.leader())
		}
	}
	calls.Wait()
	s.ready()
	// A follower that has not applied the start yet still knows the payment.
	if status, answer := s.call(follower, "POST", "/payments", start("nothing", "late"), ""); status != 202 {
		t.Fatalf("%d %v", status, answer)
	} else if got := s.result(follower, answer["transactionId"]); got["state"] == "" {
		t.Fatalf("%v", got)
	}
	for i, uuid := range uuids {
		if uuid == "" {
			t.Fatalf("payment %d was never taken", i)
		}
		until(t, "payment "+uuid, func() bool {
			return s.result(follower, uuid)["result"] == "completed"
		})
	}
	if _, bookings := s.bank.seen(); bookings != payments {
		t.Fatalf("%d bookings", bookings)
	}
}

// silent is a node whose first answer never comes, and which may be busy then.
type silent struct {
	corev1connect.NodeServiceClient
	busy  bool
	asked atomic.Int32
}

func (s *silent) Propose(ctx context.Context, r *corev1.ProposeRequest) (*corev1.ProposeResponse, error) {
	if s.asked.Add(1) == 1 {
		<-ctx.Done()
		return nil, connect.NewError(connect.CodeDeadlineExceeded, ctx.Err())
	}
	if s.busy {
		return &corev1.ProposeResponse{Results: []*corev1.Proposed{{Reason: "OVERLOADED"}}}, nil
	}
	return s.NodeServiceClient.Propose(ctx, r)
}

// TestAKeyedCommandSurvivesALeaderThatHangs: it takes longer to find out than a
// command waits for a leader, and the command is proposed again all the same. One
// without a key is not, and of one that is refused the second time nobody knows
// what became of the first.
func TestAKeyedCommandSurvivesALeaderThatHangs(t *testing.T) {
	s := newSite(t, 3, nil)
	s.furnish(0)
	leader := s.leader()
	follower := s.nodes[(leader+1)%3]
	for _, c := range []struct {
		key   string
		busy  bool
		asked int32
	}{{"one", false, 2}, {"two", true, 2}, {"", false, 1}} {
		peer := follower.commands.Peers[s.configs[leader].ID]
		hung := &silent{NodeServiceClient: peer.Client, busy: c.busy}
		peer.Client = hung
		commands := &control.Commands{
			Replica: follower.replica, Peers: map[string]control.Peer{peer.ID: peer},
			Patience: time.Nanosecond, Timeout: 200 * time.Millisecond,
		}
		reply, err := commands.Propose(t.Context(), &enginev1.Command{Verb: &enginev1.Command_StartPayment{
			StartPayment: &enginev1.StartPayment{Tenant: "greenbank", Flow: "nothing", Channel: "test", ClientKey: c.key},
		}})
		if (c.key != "" && !c.busy) != (err == nil) || err != nil && !errors.Is(err, replica.ErrUnknown) || hung.asked.Load() != c.asked {
			t.Errorf("key %q: %v, %v after %d", c.key, reply, err, hung.asked.Load())
		}
	}
}

// TestLeadershipIsHandedOverWithoutPatience: requests that do not end use up the
// time for a stop, and not the time to hand leadership over.
func TestLeadershipIsHandedOverWithoutPatience(t *testing.T) {
	s := newSite(t, 3, nil)
	// A file, since Raft's goroutines may have a last word after the close.
	said := must(os.Create(filepath.Join(t.TempDir(), "log")))
	defer said.Close()
	s.log = slog.New(slog.NewTextHandler(said, &slog.HandlerOptions{Level: slog.LevelWarn}))
	s.close(0)
	s.open(0)
	s.ready()
	until(t, "n1 to lead", func() bool {
		if at := s.leader(); at > 0 {
			// It may be behind still, and then it is tried again.
			_ = s.nodes[at].replica.TransferLeadership(t.Context(), "n1")
		}
		return s.leader() == 0
	})
	s.close(0)
	if text := string(must(os.ReadFile(said.Name()))); strings.Contains(text, "handed over") {
		t.Error(text)
	}
	until(t, "another to lead", func() bool { return s.leader() > 0 })
}

// TestAFollowerAloneIsNotReady: without a majority a node is alive, says that it
// is not ready, and gives no wrong answers.
func TestAFollowerAloneIsNotReady(t *testing.T) {
	s := newSite(t, 3, nil)
	s.furnish(0)
	left := (s.leader() + 1) % 3
	for i := range s.nodes {
		if i != left {
			s.close(i)
		}
	}
	until(t, "the loss of the leader", func() bool { return s.nodes[left].unready() != "" })
	if status, answer := s.call(left, "POST", "/payments", start("nothing", "k"), ""); status != 503 || answer["code"] != "UNAVAILABLE" {
		t.Errorf("%d %v", status, answer)
	}
	if status, answer := s.call(left, "GET", "/nowhere", nil, ""); status != 503 || answer["code"] != "UNAVAILABLE" {
		t.Errorf("%d %v", status, answer)
	}
	_, err := s.control(left).StartPayment(t.Context(), &corev1.StartPaymentRequest{Tenant: "greenbank", Flow: "nothing"})
	if reasonOf(err) != "NOT_LEADER" {
		t.Errorf("%v", err)
	}
}
