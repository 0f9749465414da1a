package ingress

import (
	"context"
	"crypto/tls"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Front listens for a net/http server and serves the plain requests itself, of
// which there are thousands a second: those that parse understands, with a body
// that fits into a buffer. A connection on which anything else arrives it hands on
// through Accept, with the bytes that were read, and that is where the connection
// stays. A request served here costs about a third of the processor time that it
// costs in net/http: it needs no goroutine that waits for the connection to break,
// no timers, no maps, and one buffer.
//
// Limits of time are kept by one goroutine that looks over the connections a few
// times a second; so they are exact to half a second only.
type Front struct {
	// Connections is how many there is room for. 0: ConnectionsDefault. It is set
	// before Accept is called.
	Connections int

	inner   net.Listener
	tls     *tls.Config // nil: none
	handler atomic.Pointer[Handler]

	others chan net.Conn // for Accept
	faults chan error    // of the inner listener's Accept
	begin  sync.Once
	ctx    context.Context // of all requests
	cancel context.CancelFunc

	now  atomic.Int64           // milliseconds since the front began, as of the last look
	date atomic.Pointer[[]byte] // the header line

	open, handed atomic.Int64 // connections, and those of them that net/http has

	mu     sync.Mutex
	conns  map[*conn]struct{}
	closed chan struct{} // by Close
	empty  chan struct{} // closed when no connection is left after that
}

// The limits of net/http's server in core, in milliseconds where they are looked
// at by the clock of the front.
const (
	headLimit  = 10_000
	idleLimit  = 120_000
	writeLimit = 60_000
	lookEvery  = 500 * time.Millisecond
	// watchAfter is how long a request is served until its connection is watched for
	// the peer's going away.
	watchAfter = 1_000
)

// NewFront returns a Front on the listener, with TLS if there are certificates.
// Until it is given a handler it hands every connection on.
func NewFront(inner net.Listener, certificates *tls.Config) *Front {
	f := &Front{
		inner: inner, others: make(chan net.Conn), faults: make(chan error),
		conns: make(map[*conn]struct{}), closed: make(chan struct{}), empty: make(chan struct{}),
	}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	if certificates != nil {
		f.tls = certificates.Clone()
		f.tls.NextProtos = []string{"h2", "http/1.1"}
	}
	return f
}

// Handle gives the front a handler, once.
func (f *Front) Handle(h *Handler) {
	f.tick(time.Now(), 0)
	f.handler.Store(h)
	go f.look(min(lookEvery, h.Timeout/4))
}

// Addr implements net.Listener.
func (f *Front) Addr() net.Addr { return f.inner.Addr() }

// Accept returns the next connection that is left to net/http.
func (f *Front) Accept() (net.Conn, error) {
	f.begin.Do(func() { go f.accept() })
	select {
	case c := <-f.others:
		return c, nil
	case err := <-f.faults:
		return nil, err
	case <-f.closed:
		return nil, net.ErrClosed
	}
}

// accept takes connections until the listener is closed. What goes wrong is for
// net/http to judge: it tries again after some time, or gives up.
func (f *Front) accept() {
	for {
		c, err := f.inner.Accept()
		if err == nil {
			f.take(c)
			continue
		}
		select {
		case f.faults <- err:
		case <-f.closed:
			return
		}
	}
}

// take begins to serve a connection.
func (f *Front) take(raw net.Conn) {
	admitted := f.admit(raw)
	if admitted == nil {
		_ = raw.Close()
		return
	}
	c := newConn(f, admitted)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.isClosed() {
		_ = admitted.Close()
		return
	}
	f.conns[c] = struct{}{}
	go c.serve()
}

func (f *Front) isClosed() bool {
	select {
	case <-f.closed:
		return true
	default:
		return false
	}
}

// leave takes a connection out; it may live on in net/http.
func (f *Front) leave(c *conn) {
	c.cancel(net.ErrClosed)
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.conns, c)
	if f.isClosed() && len(f.conns) == 0 {
		close(f.empty)
	}
}

// hand gives a connection to net/http.
func (f *Front) hand(c net.Conn) {
	select {
	case f.others <- c:
	case <-f.closed:
		_ = c.Close()
	}
}

// look keeps the limits of time, and the clock, until the front is shut down.
func (f *Front) look(every time.Duration) {
	begun := time.Now()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			f.tick(now, now.Sub(begun))
		case <-f.ctx.Done():
			return
		}
		for _, c := range f.all() {
			c.look(f.now.Load(), f.isClosed())
		}
	}
}

func (f *Front) all() []*conn {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Collect(maps.Keys(f.conns))
}

func (f *Front) tick(now time.Time, since time.Duration) {
	line := append(now.UTC().AppendFormat([]byte("Date: "), http.TimeFormat), "\r\n"...)
	f.date.Store(&line)
	f.now.Store(since.Milliseconds())
}

// Close takes no more connections and ends those on which nothing happens;
// requests that are served get their answers. It implements net.Listener.
func (f *Front) Close() error {
	f.mu.Lock()
	if f.isClosed() {
		f.mu.Unlock()
		return net.ErrClosed
	}
	close(f.closed)
	if len(f.conns) == 0 {
		close(f.empty)
	}
	f.mu.Unlock()
	for _, c := range f.all() {
		c.look(f.now.Load(), true)
	}
	return f.inner.Close()
}

// Shutdown is Close, and waits until all requests have their answers; those that
// have none when ctx ends are cut off.
func (f *Front) Shutdown(ctx context.Context) {
	_ = f.Close() // by now the listener is closed, whoever has done it
	defer f.cancel()
	select {
	case <-f.empty:
		return
	case <-ctx.Done():
	}
	for _, c := range f.all() {
		c.cut()
	}
}
