package ingress

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// conn is one connection of a Front. One goroutine serves it, request by request;
// the front's looks at its clock.
type conn struct {
	net.Conn
	raw   *counted // below TLS
	front *Front
	// ctx is of all its requests: when it ends, so does the connection.
	ctx    context.Context
	cancel context.CancelCauseFunc

	state func() *tls.ConnectionState // nil without TLS

	buf      []byte
	from, to int // what of buf has been read from the peer and not used
	out      []byte

	mu    sync.Mutex
	phase phase
	since int64 // by the front's clock
	limit int64 // milliseconds
	watch *watch
	ended bool // for want of room
}

// phase is what a connection waits for.
type phase int

const (
	idle    phase = iota // the first byte of a request
	reading              // the rest of it
	serving              // the handler
	writing              // the peer to take the answer
)

// A connection keeps a buffer of bufSmall bytes; one for a longer request, of up
// to bufLarge, it gives back.
const (
	bufSmall = 4 << 10
	bufLarge = 64 << 10
)

func newConn(f *Front, raw *counted) *conn {
	c := &conn{Conn: raw, raw: raw, front: f, buf: make([]byte, bufSmall)}
	c.ctx, c.cancel = context.WithCancelCause(f.ctx)
	c.enter(idle, headLimit)
	return c
}

// serve serves requests until the connection ends or is handed on.
func (c *conn) serve() {
	defer c.front.leave(c)
	if c.front.tls != nil {
		c.mu.Lock()
		secured := tls.Server(c.Conn, c.front.tls)
		c.Conn = secured
		c.mu.Unlock()
		c.state = func() *tls.ConnectionState {
			state := secured.ConnectionState()
			return &state
		}
	}
	if c.front.handler.Load() == nil || !c.shake() {
		c.handOn()
		return
	}
	for c.one() {
	}
}

// shake reports whether the peer speaks this server's protocol. If it speaks
// another, or the handshake fails, that is net/http's to know and to say.
func (c *conn) shake() bool {
	secured, ok := c.Conn.(*tls.Conn)
	return !ok || secured.Handshake() == nil && secured.ConnectionState().NegotiatedProtocol != "h2"
}

// one serves a request and reports whether there may be another.
func (c *conn) one() bool {
	head, ok := c.head()
	if !ok {
		return false
	}
	handler := c.front.handler.Load()
	if head.length > bufLarge-c.from {
		c.from = 0 // every request begins there; see rewind
		c.handOn()
		return false
	}
	c.enter(reading, handler.Timeout.Milliseconds())
	for c.to-c.from < head.length {
		if !c.read() {
			c.tooSlow(handler)
			return false
		}
	}
	body := c.buf[c.from : c.from+head.length]
	c.from += head.length

	c.goOn(serving)
	in := &incoming{
		method: head.method, path: head.path, query: head.query, lines: head.lines,
		body: func(most int) ([]byte, error) {
			if len(body) > most {
				return nil, tooLarge
			}
			return body, nil
		},
		tls: c.state,
	}
	reply := handler.answer(c.ctx, in)
	stray, alive := c.unwatch()
	if !alive {
		_ = c.Conn.Close()
		return false
	}
	last := c.ctx.Err() != nil || c.front.isClosed()
	if !c.write(reply, last) || last {
		c.end()
		return false
	}
	c.rewind(stray)
	c.enter(idle, idleLimit)
	return true
}

// head reads the next request's head. It is not ok when the connection has ended,
// or was handed on.
func (c *conn) head() (head, bool) {
	for {
		if c.to > c.from {
			h, size, v := parse(c.buf[c.from:c.to])
			if v == plain {
				c.from += size
				return h, true
			}
			if v == other || c.to-c.from >= 32<<10 {
				c.handOn()
				return head{}, false
			}
			if c.phase == idle {
				c.enter(reading, headLimit)
			}
		}
		if !c.read() {
			_ = c.Conn.Close()
			return head{}, false
		}
	}
}

// read reads once more into the buffer, which grows if it must.
func (c *conn) read() bool {
	if c.to == len(c.buf) {
		larger := make([]byte, min(2*len(c.buf), bufLarge))
		c.to = copy(larger, c.buf[:c.to])
		c.buf = larger
	}
	n, _ := c.Conn.Read(c.buf[c.to:])
	c.to += n
	return n > 0
}

// rewind makes room for the next request behind what has come of it already.
func (c *conn) rewind(stray []byte) {
	rest := append(c.buf[c.from:c.to:c.to], stray...)
	if len(c.buf) > bufSmall && len(rest) < bufSmall || len(rest) > len(c.buf) {
		c.buf = make([]byte, max(bufSmall, len(rest)))
	}
	c.from, c.to = 0, copy(c.buf, rest)
	if cap(c.out) > bufLarge {
		c.out = nil
	}
}

// handOn leaves the connection to net/http.
func (c *conn) handOn() {
	c.enter(serving, 1<<62) // net/http has limits of its own
	_ = c.Conn.SetDeadline(time.Time{})
	if !c.raw.takeOver() {
		_ = c.raw.Close()
		return
	}
	if c.to == c.from {
		c.front.hand(c.Conn)
		return
	}
	c.front.hand(&handed{Conn: c.Conn, read: bytes.NewReader(c.buf[c.from:c.to])})
}

// handed is a connection of which something has been read.
type handed struct {
	net.Conn
	read *bytes.Reader
}

func (h *handed) Read(p []byte) (int, error) {
	if h.read.Len() > 0 {
		return h.read.Read(p)
	}
	return h.Conn.Read(p)
}

// tooSlow ends a connection whose request's body did not come.
func (c *conn) tooSlow(h *Handler) {
	_ = c.Conn.SetDeadline(time.Time{})
	c.enter(writing, writeLimit)
	c.write(slow.reply(), true)
	c.end()
	h.Metrics.served("none", slow.status, h.Timeout)
}

// write writes the reply in one piece.
func (c *conn) write(reply *sdkv1.Reply, last bool) bool {
	out := append(c.out[:0], "HTTP/1.1 "...)
	out = strconv.AppendUint(out, uint64(reply.Status), 10)
	out = append(out, ' ')
	out = append(out, http.StatusText(int(reply.Status))...)
	out = append(out, "\r\n"...)
	out = append(out, *c.front.date.Load()...)
	for _, h := range reply.Headers {
		out = append(out, h.Key...)
		out = append(out, ": "...)
		out = append(out, h.Value...)
		out = append(out, "\r\n"...)
	}
	if reply.Status != http.StatusNoContent && reply.Status != http.StatusNotModified {
		out = append(out, "Content-Length: "...)
		out = strconv.AppendInt(out, int64(len(reply.Body)), 10)
		out = append(out, "\r\n"...)
	}
	if last {
		out = append(out, "Connection: close\r\n"...)
	}
	out = append(out, "\r\n"...)
	out = append(out, reply.Body...)
	c.out = out
	_, err := c.Conn.Write(out)
	return err == nil
}

// end closes the connection so that the peer can read the last answer: a close
// with bytes unread would take it from it.
func (c *conn) end() {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		_ = c.Conn.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
		_, _ = io.CopyN(io.Discard, c.Conn, 256<<10)
	}
	_ = c.Conn.Close()
}

// enter says what the connection waits for now, and how long it may.
func (c *conn) enter(p phase, limit int64) {
	c.mu.Lock()
	c.phase, c.limit, c.since = p, limit, c.front.now.Load()
	c.mu.Unlock()
}

// goOn says what the connection waits for now, within the time it had.
func (c *conn) goOn(p phase) {
	c.mu.Lock()
	c.phase = p
	c.mu.Unlock()
}

// past is a deadline that makes whoever reads or writes come back.
var past = time.Unix(1, 0)

// look does what is due: it is called by the front's goroutine.
func (c *conn) look(now int64, closing bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	age := now - c.since
	switch {
	case c.phase == serving && age > c.limit:
		c.cancel(context.DeadlineExceeded)
	case c.phase == serving:
		if c.watch == nil && age > watchAfter && c.limit < 1<<62 {
			c.watch = &watch{done: make(chan struct{})}
			go c.watch.wait(c)
		}
	case c.phase == writing && age > c.limit:
		_ = c.Conn.SetDeadline(past)
	case age > c.limit, closing && c.phase == idle:
		_ = c.Conn.SetReadDeadline(past)
	}
}

// cut ends the connection whatever it does.
func (c *conn) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cancel(net.ErrClosed)
	_ = c.Conn.Close()
}

// watch reads from a connection whose request takes long: if the peer has gone,
// nobody needs the answer.
type watch struct {
	done  chan struct{}
	stray [1]byte // of the next request
	read  int
	gone  bool
}

func (w *watch) wait(c *conn) {
	defer close(w.done)
	var err error
	if w.read, err = c.Conn.Read(w.stray[:]); w.read == 0 && !timedOut(err) {
		w.gone = true
		c.cancel(net.ErrClosed)
	}
}

func timedOut(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// unwatch ends the watch, if there is one, and returns what it has read.
func (c *conn) unwatch() (stray []byte, alive bool) {
	c.mu.Lock()
	c.phase, c.limit, c.since = writing, writeLimit, c.front.now.Load() // no watch begins from here on
	w := c.watch
	c.watch = nil
	c.mu.Unlock()
	if w == nil {
		return nil, true
	}
	_ = c.Conn.SetReadDeadline(past)
	<-w.done
	_ = c.Conn.SetReadDeadline(time.Time{})
	return w.stray[:w.read], !w.gone
}
