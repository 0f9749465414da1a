package link

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// session is one connection of a link.
type session struct {
	link *link
	conn net.Conn
	done chan struct{} // closed when the connection has ended

	writing sync.Mutex
	buf     []byte
}

// errGone says that a session had ended before anything was written.
var errGone = errors.New("the connection has ended")

// serve works on a connection until it ends, and says why it did. The connector hears
// of the connection first, and what it answers, a sign-on, goes out before anything
// else does.
func (k *link) serve(ctx context.Context, conn net.Conn) error {
	s := &session{link: k, conn: conn, done: make(chan struct{})}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	defer conn.Close()
	defer close(s.done)
	frames, err := k.handle(ctx, &sdkv1.Frame{Event: sdkv1.LinkEvent_LINK_EVENT_OPENED})
	if err != nil {
		k.Metrics.dropped(k.place, dropFailed)
		return fmt.Errorf("the connector does not take the opened link: %w", err)
	}
	if err := s.write(frames...); err != nil {
		return fmt.Errorf("sign on: %w", err)
	}
	k.log.Info("the link is open", "address", conn.RemoteAddr().String())
	k.opened(s)
	defer k.opened(nil)
	return s.read(ctx)
}

const (
	readSize = 16 << 10
	// missedMax is how many echo tests in a row may stay without a byte in return.
	missedMax = 3
)

// read takes in what comes. It waits while all places for frames are taken, so that a
// counterparty which sends faster than it is served waits as well.
func (s *session) read(ctx context.Context) error {
	k := s.link
	decoder := k.config.Framing.NewDecoder()
	chunk := make([]byte, readSize)
	missed := 0
	for {
		if k.config.Idle > 0 {
			if err := s.conn.SetReadDeadline(time.Now().Add(k.config.Idle)); err != nil {
				return err
			}
		}
		n, err := s.conn.Read(chunk)
		if n > 0 {
			missed = 0
			decoder.Feed(chunk[:n])
			if err := s.take(ctx, decoder.Next); err != nil {
				return err
			}
		}
		switch {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded):
			if missed == missedMax {
				return fmt.Errorf("nothing came for %s, though the other side was asked", missedMax*k.config.Idle)
			}
			asked, err := s.idle(ctx)
			if err != nil {
				return err
			}
			if asked {
				missed++
			}
		case errors.Is(err, io.EOF):
			return errors.New("the other side has closed the connection")
		default:
			return fmt.Errorf("read: %w", err)
		}
	}
}

func (s *session) take(ctx context.Context, next func() ([]byte, bool, error)) error {
	for {
		data, ok, err := next()
		if err != nil {
			s.link.Metrics.dropped(s.link.place, dropGarbage)
			return err
		}
		if !ok {
			return nil
		}
		s.link.framesIn.Add(1)
		s.link.Metrics.in(s.link.place)
		if len(data) == 0 {
			continue // a sign of life
		}
		if err := s.inbound(ctx, data); err != nil {
			return err
		}
	}
}

// idle tells the connector that nothing was heard, and sends what it answers. It
// reports whether that was anything.
func (s *session) idle(ctx context.Context) (asked bool, err error) {
	k := s.link
	frames, err := k.handle(ctx, &sdkv1.Frame{Event: sdkv1.LinkEvent_LINK_EVENT_IDLE})
	if err != nil {
		if ctx.Err() != nil {
			return false, errGone
		}
		k.log.Error("the connector does not take the link's silence", "err", err)
		k.Metrics.dropped(k.place, dropFailed)
		return false, nil
	}
	return len(frames) > 0, s.write(frames...)
}

// write sends frames, one after the other with nothing in between. What cannot be
// framed sends none of them, and the error is framing's; with errGone nothing was sent
// either. After any other error something may have been, and the connection is closed.
func (s *session) write(frames ...[]byte) error {
	if len(frames) == 0 {
		return nil
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	select {
	case <-s.done:
		return errGone
	default:
	}
	s.buf = s.buf[:0]
	for _, data := range frames {
		var err error
		if s.buf, err = s.link.config.Framing.Append(s.buf, data); err != nil {
			return err
		}
	}
	err := s.conn.SetWriteDeadline(time.Now().Add(s.link.config.Timeout))
	if err == nil {
		_, err = s.conn.Write(s.buf)
	}
	if cap(s.buf) > 1<<20 {
		s.buf = nil
	}
	if err != nil {
		_ = s.conn.Close()
		return fmt.Errorf("write: %w", err)
	}
	s.link.framesOut.Add(uint64(len(frames)))
	s.link.Metrics.out(s.link.place, len(frames))
	return nil
}
