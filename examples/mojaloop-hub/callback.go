package mojaloophub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// deliver sends a callback until it is accepted or given up, as its fault says. It
// frees the slot the caller holds and uncounts what the caller counted as pending.
func (s *Server) deliver(c *call, a *answer) {
	defer func() { <-s.slots }()
	defer s.count(func(n *Counts) { n.Pending-- })

	if c.fault.Kind == Delay && !s.wait(c.fault.delay()) {
		return
	}
	s.deliverOnce(c, a)
	if c.fault.Kind == Duplicate {
		if c.fault.DelayMS > 0 && !s.wait(c.fault.delay()) {
			return
		}
		s.deliverOnce(c, a)
	}
}

func (s *Server) deliverOnce(c *call, a *answer) {
	until := time.Now().Add(s.config.RetryFor)
	pause := s.config.RetryFirst
	for {
		again, err := s.put(c, a)
		if err == nil {
			s.count(func(n *Counts) { n.Delivered++ })
			return
		}
		if !again || time.Now().After(until) {
			s.count(func(n *Counts) { n.GivenUp++ })
			s.log.Warn("callback given up", "path", a.path, "destination", c.source, "error", err)
			return
		}
		s.count(func(n *Counts) { n.Retried++ })
		if !s.wait(pause) {
			return
		}
		pause = min(pause*2, s.config.RetryLast)
	}
}

// put makes one attempt. again says whether another can help: the peer is away or
// busy, as opposed to refusing.
func (s *Server) put(c *call, a *answer) (again bool, err error) {
	ctx, cancel := context.WithTimeout(s.running, 10*time.Second)
	defer cancel()
	base := strings.TrimSuffix(s.config.Callbacks[c.source], "/")
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, base+a.path, bytes.NewReader(a.body))
	if err != nil {
		return false, fmt.Errorf("callback address: %w", err)
	}
	r.Header.Set("Content-Type", fmt.Sprintf("application/vnd.interoperability.%s+json;version=%s", c.resource, c.version))
	r.Header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	r.Header.Set("FSPIOP-Source", a.from)
	r.Header.Set("FSPIOP-Destination", c.source)
	for _, name := range []string{"Traceparent", "Tracestate"} {
		if v := c.request.Header.Get(name); v != "" {
			r.Header.Set(name, v)
		}
	}
	response, err := s.client.Do(r)
	if err != nil {
		return !errors.Is(err, context.Canceled), err
	}
	defer response.Body.Close()
	// Read to the end, so that the connection can be used again.
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10))
	if response.StatusCode/100 == 2 {
		return false, nil
	}
	again = response.StatusCode >= 500 || response.StatusCode == http.StatusTooManyRequests
	return again, fmt.Errorf("answered %s", response.Status)
}

// wait reports false when the server closes first.
func (s *Server) wait(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.running.Done():
		return false
	}
}

func (s *Server) count(change func(*Counts)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.counts)
}
