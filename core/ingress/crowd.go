package ingress

import (
	"cmp"
	"net"
	"slices"
	"sync"
	"sync/atomic"
)

// This file bounds how many connections a Front has. A peer that opens connections
// and sends little or nothing on them costs memory and a descriptor each, and whoever
// opens them all would keep everybody else out. When there is no room, those on which
// nothing moves are ended: first those whose peer has been slow with a request or
// with taking its answer, then those that wait for their next request, the longest
// first. A connection whose request is served is never ended for another.
//
// Those that net/http has taken over cannot be told apart here and end by its limits
// of time; so they get half of the room only.

// ConnectionsDefault is how many connections a Front has room for.
const ConnectionsDefault = 8192

// slowAfter is for how long a peer may take over a request or an answer before its
// connection is among the first to be ended, in milliseconds.
const slowAfter = 2_000

// counted is a connection that a Front has room for until it is closed, whoever
// serves it by then.
type counted struct {
	net.Conn
	front  *Front
	handed atomic.Bool // to net/http
	closed sync.Once
}

func (c *counted) Close() error {
	c.closed.Do(func() {
		c.front.open.Add(-1)
		if c.handed.Load() {
			c.front.handed.Add(-1)
		}
	})
	return c.Conn.Close()
}

// CloseWrite ends the answers and leaves the requests to be read; see conn.end.
func (c *counted) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return net.ErrClosed
}

// admit makes room for a connection; nil when there is none.
func (f *Front) admit(raw net.Conn) *counted {
	if f.open.Add(1) > f.room() {
		f.thin()
		if f.open.Load() > f.room() {
			f.open.Add(-1)
			f.note("refused", 1)
			return nil
		}
	}
	return &counted{Conn: raw, front: f}
}

func (f *Front) room() int64 {
	if f.Connections > 0 {
		return int64(f.Connections)
	}
	return ConnectionsDefault
}

// thin ends some of the connections on which nothing moves: several at once, so that
// looking for them costs little per connection.
func (f *Front) thin() {
	type waiting struct {
		conn *conn
		slow bool
		age  int64
	}
	now := f.now.Load()
	var list []waiting
	for _, c := range f.all() {
		c.mu.Lock()
		w := waiting{c, (c.phase == reading || c.phase == writing) && now-c.since > slowAfter, now - c.since}
		if !c.ended && (w.slow || c.phase == idle || c.phase == reading) {
			list = append(list, w)
		}
		c.mu.Unlock()
	}
	slices.SortFunc(list, func(a, b waiting) int {
		if a.slow != b.slow {
			if a.slow {
				return -1
			}
			return 1
		}
		return cmp.Compare(b.age, a.age)
	})
	n := min(len(list), int(f.room()/64)+1)
	for _, w := range list[:n] {
		w.conn.cutIfWaiting()
	}
	f.note("ended", n)
}

// cutIfWaiting ends the connection unless a request has come to be served.
func (c *conn) cutIfWaiting() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase != serving {
		c.ended = true    // and is not counted on again before its goroutine has left
		_ = c.raw.Close() // not TLS's goodbye, which may have to wait
	}
}

// takeOver leaves the connection to net/http, unless that has too many.
func (c *counted) takeOver() bool {
	if c.front.handed.Add(1) > max(1, c.front.room()/2) {
		c.front.handed.Add(-1)
		c.front.note("refused", 1)
		return false
	}
	c.handed.Store(true)
	return true
}

func (f *Front) note(what string, n int) {
	if h := f.handler.Load(); h != nil && n > 0 {
		h.Metrics.crowded(what, n)
	}
}
