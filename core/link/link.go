package link

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/railhead-hub/railhead/core/connector"
	"github.com/railhead-hub/railhead/core/egress"
)

// link is one link while it is open or being opened. Who waits for an answer waits at
// the link, not at a connection: an answer that comes over the next one is as good.
type link struct {
	*Links
	place  Place
	config *connector.Link
	log    *slog.Logger
	cancel context.CancelFunc
	done   sync.WaitGroup
	// active says which module works on frames and under which configuration.
	active atomic.Pointer[connector.ActiveLink]
	// slots are held by frames that are worked on.
	slots  chan struct{}
	queued chan struct{} // the queue of forwarded frames may have changed

	framesIn, framesOut atomic.Uint64

	mu            sync.Mutex
	state, reason string
	sinceMS       int64
	session       *session      // nil: not open
	changed       chan struct{} // closed and replaced when session changes
	waiting       map[string]*waiter
}

func (l *Links) newLink(ctx context.Context, at Place, a connector.ActiveLink) *link {
	ctx, cancel := context.WithCancel(ctx)
	k := &link{
		Links: l, place: at, config: a.Link, cancel: cancel,
		log:   l.Logger.With("tenant", at.Tenant, "connector", at.Connector, "link", at.Link),
		slots: make(chan struct{}, a.Link.Concurrent), queued: make(chan struct{}, 1),
		changed: make(chan struct{}), waiting: make(map[string]*waiter), state: StateConnecting, sinceMS: l.Now(),
	}
	k.active.Store(&a)
	if a.Link.Peer.Listens {
		k.done.Go(func() { k.listen(ctx) })
	} else {
		k.done.Go(func() { k.connect(ctx) })
	}
	k.done.Go(func() { k.forward(ctx) })
	return k
}

// close cuts the connection and waits until nothing of the link runs any more.
func (k *link) close() {
	k.cancel()
	k.done.Wait()
}

// Pauses between attempts to open a link: doubled each time, and drawn from the upper
// half, so that those whom one failure cut off do not come back all at once.
const (
	pauseMin = 100 * time.Millisecond
	pauseMax = 10 * time.Second
	// A connection that lasted so long was sound: the next pause is short again.
	soundAfter = 10 * time.Second
)

type pauses struct{ next time.Duration }

func (p *pauses) wait(ctx context.Context) bool {
	p.next = min(max(2*p.next, pauseMin), pauseMax)
	return sleep(ctx, p.next/2+rand.N(p.next/2))
}

// connect keeps a connection to the counterparty.
func (k *link) connect(ctx context.Context) {
	var p pauses
	for {
		conn, err := k.dial(ctx)
		if err == nil {
			begun := time.Now()
			err = k.serve(ctx, conn)
			if time.Since(begun) > soundAfter {
				p = pauses{}
			}
		}
		if ctx.Err() != nil {
			return
		}
		k.failed(StateConnecting, err)
		if !p.wait(ctx) {
			return
		}
	}
}

// failed notes why the link is not open, and logs it when it is news.
func (k *link) failed(state string, err error) {
	text := err.Error()
	k.mu.Lock()
	news := k.reason != text
	k.mu.Unlock()
	if news {
		k.log.Warn("the link is not open", "err", text)
	}
	k.set(state, text)
}

func (k *link) dial(ctx context.Context) (net.Conn, error) {
	peer, err := egress.NewPeer(k.config.Peer, k.Connectors.Egress)
	if err != nil {
		return nil, err
	}
	conn, err := peer.Dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", k.config.Peer.Address(), err)
	}
	return conn, nil
}

// listen takes the counterparty's connections, one at a time. The newest wins: a
// counterparty that lost its connection must not be locked out by one that is dead
// and that this side has not missed yet. Only those whom the allow list and, under
// TLS, a certificate admit can push it aside.
func (k *link) listen(ctx context.Context) {
	var p pauses
	for {
		err := k.accept(ctx)
		if ctx.Err() != nil {
			return
		}
		k.failed(StateClosed, err)
		if !p.wait(ctx) {
			return
		}
	}
}

// handshakesAtOnce bounds the connections that are not admitted yet.
const handshakesAtOnce = 16

func (k *link) accept(ctx context.Context) error {
	peer, err := egress.NewPeer(k.config.Peer, k.Connectors.Egress)
	if err != nil {
		return err
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", k.config.Peer.Address())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	running.Go(func() {
		<-ctx.Done()
		_ = listener.Close()
	})
	k.set(StateListening, "")
	admitted := make(chan net.Conn)
	running.Go(func() { k.serveNewest(ctx, admitted) })
	places := make(chan struct{}, handshakesAtOnce)
	for {
		conn, err := listener.Accept()
		if err != nil {
			return fmt.Errorf("listen on %s: %w", k.config.Peer.Address(), err)
		}
		if !peer.Admits(conn.RemoteAddr()) {
			k.log.Warn("a connection was refused: its address is not allowed", "address", conn.RemoteAddr().String())
			k.Metrics.dropped(k.place, dropRefused)
			_ = conn.Close()
			continue
		}
		select {
		case places <- struct{}{}:
		default:
			_ = conn.Close() // those that hang in their handshake take up all places
			continue
		}
		running.Go(func() {
			defer func() { <-places }()
			secured, err := peer.Admit(ctx, conn)
			if err != nil {
				k.log.Warn("a connection was refused", "address", conn.RemoteAddr().String(), "err", err)
				k.Metrics.dropped(k.place, dropRefused)
				return
			}
			select {
			case admitted <- secured:
			case <-ctx.Done():
				_ = conn.Close()
			}
		})
	}
}

// serveNewest serves one connection until it ends or a newer one comes.
func (k *link) serveNewest(ctx context.Context, admitted <-chan net.Conn) {
	end, ended := context.CancelFunc(func() {}), make(chan struct{})
	close(ended)
	defer func() {
		end()
		<-ended
	}()
	for {
		select {
		case conn := <-admitted:
			end()
			<-ended
			serving, cancel := context.WithCancel(ctx)
			over := make(chan struct{})
			end, ended = cancel, over
			go func() {
				defer close(over)
				err := k.serve(serving, conn)
				if ctx.Err() == nil {
					k.failed(StateListening, err)
				}
			}()
		case <-ctx.Done():
			return
		}
	}
}

// opened makes a session the link's; nil: there is none.
func (k *link) opened(s *session) {
	k.mu.Lock()
	k.session = s
	close(k.changed)
	k.changed = make(chan struct{})
	k.mu.Unlock()
	if s != nil {
		k.set(StateOpen, "")
		k.Metrics.opened(k.place)
	}
}

// current is the session, or, when there is none, what is closed when there may be.
func (k *link) current() (*session, <-chan struct{}) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.session, k.changed
}
