package ingress

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

func dial(t *testing.T, s *site) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// asked sends a request over a connection and returns the status; 0: the connection
// was ended.
func asked(c net.Conn, path string) int {
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\nT: green\r\nContent-Length: 0\r\n\r\n", path); err != nil {
		return 0
	}
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0
	}
	_, _ = io.Copy(io.Discard, r.Body)
	_ = r.Body.Close()
	return r.StatusCode
}

func waitFor(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(what + " did not come")
		}
	}
}

// TestCrowdOfIdlers: connections on which nothing comes, or half a request, keep
// nobody out.
func TestCrowdOfIdlers(t *testing.T) {
	const room = 32
	for name, begin := range map[string]string{"nothing": "", "half a head": "POST /r HTTP/1.1\r\nHost: x\r\n", "half a body": "POST /r HTTP/1.1\r\nHost: x\r\nT: green\r\nContent-Length: 9\r\n\r\nhalf"} {
		t.Run(name, func(t *testing.T) {
			s := newCrowdedSite(t, room, echo, nil, nil)
			for range 4 * room {
				c := dial(t, s)
				_, _ = io.WriteString(c, begin)
			}
			for range 3 {
				if status := asked(dial(t, s), "/r"); status != 200 {
					t.Errorf("one who asks gets %d", status)
				}
			}
			if n := s.open.Load(); n > room {
				t.Errorf("%d connections are open, with room for %d", n, room)
			}
		})
	}
}

// TestCrowdOfServed: a connection whose request is served is not ended for another.
func TestCrowdOfServed(t *testing.T) {
	const room = 4
	hold := make(chan struct{})
	s := newCrowdedSite(t, room, func(*sdkv1.StepRequest) (*sdkv1.StepReply, error) {
		<-hold
		return reply(&sdkv1.Reply{Status: 200})
	}, nil, nil)
	got := make(chan int, room)
	for range room {
		c := dial(t, s)
		go func() { got <- asked(c, "/r") }()
	}
	waitFor(t, "the last request", func() bool {
		n := 0
		for _, c := range s.all() {
			c.mu.Lock()
			if c.phase == serving {
				n++
			}
			c.mu.Unlock()
		}
		return n == room
	})
	if status := asked(dial(t, s), "/r"); status != 0 {
		t.Errorf("one too many gets %d", status)
	}
	close(hold)
	for range room {
		if status := <-got; status != 200 {
			t.Errorf("one who is served gets %d", status)
		}
	}
	waitFor(t, "room again", func() bool { return asked(dial(t, s), "/r") == 200 })
}

// TestCrowdInNetHTTP: connections that net/http has, whose limits of time are longer,
// take half of the room at most.
func TestCrowdInNetHTTP(t *testing.T) {
	const room = 8
	s := newCrowdedSite(t, room, echo, nil, nil)
	for range 3 * room {
		_, _ = io.WriteString(dial(t, s), "GET /r HTTP/1.0\r\n")
	}
	for range 3 {
		if status := asked(dial(t, s), "/r"); status != 200 {
			t.Errorf("one who asks gets %d", status)
		}
	}
	if n := s.handed.Load(); n > room/2 {
		t.Errorf("net/http has %d connections", n)
	}
}
