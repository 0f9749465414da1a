package link_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/railhead-hub/railhead/core/egress"
	"github.com/railhead-hub/railhead/core/link"
	"github.com/railhead-hub/railhead/core/replica"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

const (
	keyed = enginev1.Mode_MODE_KEYED
	ask   = enginev1.Mode_MODE_ASK

	done    = enginev1.EffectState_EFFECT_STATE_DONE
	refused = enginev1.EffectState_EFFECT_STATE_REFUSED
	open    = enginev1.EffectState_EFFECT_STATE_OPEN
)

func TestFramesThatCome(t *testing.T) {
	s := newStation(t)
	h := newHub(t, s.config())
	c := s.accept()
	// The frames of one reply come one after the other.
	c.says("?07")
	c.hears("!07 first 1", "!07 second")
	// A frame that fails is dropped, and the link stays.
	c.says("panic", "key-panic", "nothing to say", "", "?08")
	c.hears("!08 first 2", "!08 second")
	// An answer that nobody waits for is the connector's.
	c.says("!99 much later")
	c.hears("late !99 much later")
	// What would need a log of its own is not for frames.
	c.says("forbidden")
	if text, err := c.read(); err != nil || !strings.HasPrefix(text, "UNSUPPORTED") {
		t.Fatal(text, err)
	}
	if state := h.state(); state.State != link.StateOpen || state.FramesIn != 8 || state.FramesOut != 7 {
		t.Fatalf("%+v", state)
	}
}

func TestGarbageClosesTheConnectionAndItComesBack(t *testing.T) {
	s := newStation(t)
	h := newHub(t, s.config())
	c := s.accept()
	if _, err := c.conn.Write([]byte("\xff\xffGET / HTTP/1.1")); err != nil {
		t.Fatal(err)
	}
	c.closed()
	c = s.accept()
	c.says("?01")
	c.hears("!01 first 1", "!01 second")
	if state := h.state(); state.State != link.StateOpen {
		t.Fatalf("%+v", state)
	}
}

func TestSilenceIsTested(t *testing.T) {
	s := newStation(t)
	newHub(t, s.config()+`,"idle_ms":50`)
	c := s.accept()
	c.hears("echo")
	c.says("echoed")
	// Who never says anything is left.
	c.hears("echo", "echo", "echo")
	c.closed()
	s.accept()
}

func TestRoundTrips(t *testing.T) {
	s := newStation(t)
	h := newHub(t, s.config())
	c := s.accept()
	until(t, "the link", func() bool { return h.state().State == link.StateOpen })
	answers := make(chan egress.Outcome, 3)
	for _, key := range []string{"01", "02"} {
		go func() { answers <- h.roundTrip(t.Context(), "?"+key, ask) }()
	}
	first, err := c.read()
	if err != nil {
		t.Fatal(err)
	}
	second, err := c.read()
	if err != nil {
		t.Fatal(err)
	}
	// Neither a key that is taken nor more than may wait: certainly not sent.
	if out := h.roundTrip(t.Context(), first, ask); out.State != refused || out.Answer.GetFailure().GetCode() != "CONFLICT" {
		t.Fatalf("%+v", out)
	}
	if out := h.roundTrip(t.Context(), "?03", ask); out.State != refused || out.Answer.GetFailure().GetCode() != "BUSY" {
		t.Fatalf("%+v", out)
	}
	// Answers find their questions in whatever order they come.
	c.says("!"+second[1:]+" yes", "!"+first[1:]+" yes")
	got := map[string]bool{}
	for range 2 {
		out := <-answers
		if out.State != done {
			t.Fatalf("%+v", out)
		}
		got[string(out.Answer.GetBytes().GetData())] = true
	}
	if !got["!01 yes"] || !got["!02 yes"] {
		t.Fatal(got)
	}
	// Silence is doubt. A late answer goes to the connector.
	if out := h.roundTrip(t.Context(), "?04", ask); out.State != open || out.Answer != nil {
		t.Fatalf("%+v", out)
	}
	c.hears("?04")
	c.says("!04 too late")
	c.hears("late !04 too late")
	// What cannot be framed is not sent.
	if out := h.roundTrip(t.Context(), "?05"+strings.Repeat("x", 70_000), ask); out.State != refused || out.Answer.GetFailure().GetCode() != "TOO_LARGE" {
		t.Fatalf("%+v", out)
	}
	if state := h.state(); state.Outstanding != 0 {
		t.Fatalf("%+v", state)
	}
}

func TestABrokenConnectionLeavesDoubt(t *testing.T) {
	s := newStation(t)
	h := newHub(t, s.config()+`,"timeout_ms":20000`)
	c := s.accept()
	until(t, "the link", func() bool { return h.state().State == link.StateOpen })
	answers := make(chan egress.Outcome, 1)
	// Under ask it is sent once; the answer may come over the next connection.
	go func() { answers <- h.roundTrip(t.Context(), "?01", ask) }()
	c.hears("?01")
	_ = c.conn.Close()
	c = s.accept()
	c.says("!01 from before")
	if out := <-answers; out.State != done || string(out.Answer.GetBytes().GetData()) != "!01 from before" {
		t.Fatalf("%+v", out)
	}
	// Under keyed the very same bytes go over the next one.
	go func() { answers <- h.roundTrip(t.Context(), "?02", keyed) }()
	c.hears("?02")
	_ = c.conn.Close()
	c = s.accept()
	c.hears("?02")
	c.says("!02 again")
	if out := <-answers; out.State != done || string(out.Answer.GetBytes().GetData()) != "!02 again" {
		t.Fatalf("%+v", out)
	}
	// Whoever gives up in the middle leaves it open.
	ctx, cancel := context.WithCancel(t.Context())
	go func() { answers <- h.roundTrip(ctx, "?03", ask) }()
	c.hears("?03")
	cancel()
	if out := <-answers; out.State != open {
		t.Fatalf("%+v", out)
	}
}

func TestSilenceUnderKeyedIsAskedOnceMore(t *testing.T) {
	s := newStation(t)
	h := newHub(t, s.config())
	c := s.accept()
	until(t, "the link", func() bool { return h.state().State == link.StateOpen })
	answers := make(chan egress.Outcome, 1)
	go func() { answers <- h.roundTrip(t.Context(), "?01", keyed) }()
	c.hears("?01", "?01")
	if out := <-answers; out.State != open {
		t.Fatalf("%+v", out)
	}
}

func TestAClosedLinkSendsNothing(t *testing.T) {
	s := newStation(t)
	address := s.config()
	_ = s.listener.Close()
	h := newHub(t, address)
	until(t, "the refusal", func() bool { return strings.Contains(h.state().Reason, "refused") })
	for _, out := range []egress.Outcome{
		h.roundTrip(t.Context(), "?01", keyed),
		h.links.Send(t.Context(), place, []byte("x"), leads),
		h.links.Send(t.Context(), link.Place{Tenant: "green", Connector: "cards", Link: "other"}, []byte("x"), leads),
		(*link.Links)(nil).Send(t.Context(), place, []byte("x"), leads),
	} {
		if out.State != refused || out.Answer.GetFailure().GetCode() != "UNREACHABLE" {
			t.Fatalf("%+v", out)
		}
	}
	if state := h.state(); state.State != link.StateConnecting {
		t.Fatalf("%+v", state)
	}
	// Nor does a node that does not lead.
	h.stop()
	if out := h.roundTrip(t.Context(), "?01", keyed); out.State != refused {
		t.Fatalf("%+v", out)
	}
}

func TestSend(t *testing.T) {
	s := newStation(t)
	h := newHub(t, s.config())
	until(t, "the frame to be sent", func() bool {
		// Until the leader has looked at its links there are none.
		out := h.links.Send(t.Context(), place, []byte("hello"), leads)
		return out.State == done && out.Answer.GetDone() != nil
	})
	c := s.accept()
	c.hears("hello")
}

func TestAnAddressThatIsNotAllowed(t *testing.T) {
	s := newStation(t)
	h := newHub(t, strings.Replace(s.config(), `"127.0.0.1:`, `"localhost:`, 1)+`,"allow":["10.0.0.0/8"]`)
	until(t, "the refusal", func() bool { return strings.Contains(h.state().Reason, "not allowed") })
}

func TestListening(t *testing.T) {
	// The port is free when the hub takes it, unless the machine is unlucky.
	probe, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := probe.Addr().String()
	_ = probe.Close()
	h := newHub(t, fmt.Sprintf(`"listen":%q,"allow":["127.0.0.1"]`, address))
	until(t, "the link", func() bool { return h.state().State == link.StateListening })
	connect := func(from string) *counterparty {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		conn, err := dialer.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		return newCounterparty(t, conn)
	}
	first := connect("127.0.0.1")
	first.hears("sign on")
	// Others are not let in and disturb nobody.
	connect("127.0.0.2").closed()
	first.says("?01")
	first.hears("!01 first 1", "!01 second")
	// The newest connection wins.
	second := connect("127.0.0.1")
	first.closed()
	second.hears("sign on")
	second.says("?02")
	second.hears("!02 first 2", "!02 second")
	// A leader that steps down lets go of the port, and the next one takes it.
	h.stop()
	second.closed()
	h.lead()
	until(t, "the link", func() bool { return h.state().State == link.StateListening })
	connect("127.0.0.1").hears("sign on")
}

func TestTooManyFramesMakeTheOtherSideWait(t *testing.T) {
	s := newStation(t)
	h := newHub(t, s.config()+`,"concurrent":1`)
	c := s.accept()
	c.says("hold", "?01")
	// The second is read and waits for the first's place; the third is not even read.
	until(t, "the second frame", func() bool { return h.state().FramesIn == 2 })
	sent := make(chan error, 1)
	go func() {
		wire, err := c.framing.Append(nil, []byte(strings.Repeat("x", 1000)))
		for i := 0; i < 20_000 && err == nil; i++ {
			_, err = c.conn.Write(wire)
		}
		sent <- err
	}()
	// 20 MB are more than a connection holds on its way.
	select {
	case err := <-sent:
		t.Fatalf("everything was taken: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	if state := h.state(); state.FramesIn != 2 {
		t.Fatalf("%+v", state)
	}
	close(held)
	c.hears("held", "!01 first 1", "!01 second")
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
}

func TestOverloadIsWaitedOut(t *testing.T) {
	s := newStation(t)
	h := newHub(t, s.config())
	c := s.accept()
	h.mu.Lock()
	h.fail = replica.ErrOverloaded
	h.mu.Unlock()
	c.says("?01")
	until(t, "the frame", func() bool { return h.state().FramesIn == 1 })
	h.mu.Lock()
	h.fail = nil
	h.mu.Unlock()
	c.hears("!01 first 1", "!01 second")
}

func TestSwappingAModuleKeepsTheConnection(t *testing.T) {
	s := newStation(t)
	h := newHub(t, s.config())
	c := s.accept()
	h.activate("two")
	c.says("?01")
	c.hears("!01 first 1", "!01 second")
	// Another configuration opens it anew.
	h.configure(s.config() + `,"concurrent":7`)
	c.closed()
	s.accept()
	// Without one it is closed, and says why.
	h.must(&enginev1.Command{Verb: &enginev1.Command_PutTenant{PutTenant: &enginev1.PutTenant{Tenant: &enginev1.Tenant{Id: "green"}}}})
	until(t, "the end", func() bool {
		return h.state().State == link.StateClosed && strings.Contains(h.state().Reason, "not bound")
	})
}

// A frame that waited for its link does not leave when the term may be over by then: the
// next leader may have enquired.
func TestAFrameThatWaitedTooLong(t *testing.T) {
	s := newStation(t)
	h := newHub(t, s.config())
	until(t, "the link", func() bool { return h.state().State == link.StateOpen })
	c := s.accept()
	over := func(context.Context) error { return errors.New("the term is over") }
	const open = enginev1.EffectState_EFFECT_STATE_OPEN
	trip := &sdkv1.RoundTrip{Link: "network", Data: []byte("?01"), MatchKey: "01"}
	if out := h.links.RoundTrip(t.Context(), place, trip, enginev1.Mode_MODE_ASK, false, over); out.State != open || out.Answer != nil {
		t.Fatalf("%+v", out)
	}
	if out := h.links.Send(t.Context(), place, []byte("x"), over); out.State != open {
		t.Fatalf("%+v", out)
	}
	if out := h.links.Send(t.Context(), place, []byte("hello"), leads); out.State != done {
		t.Fatalf("%+v", out)
	}
	c.hears("hello") // and nothing before
}
