package link_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/railhead-hub/railhead/core/replica"
	"github.com/railhead-hub/railhead/engine"
	"github.com/railhead-hub/railhead/engine/enginetest"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// payment starts one whose job forwards these frames; their keys are what follows the
// question mark.
func (h *hub) payment(n uint32, texts ...string) {
	h.t.Helper()
	xml, err := enginetest.Model("f", "start s\ntask undo type=reverse\nend done result=completed code=ok\ns -> undo -> done")
	if err != nil {
		h.t.Fatal(err)
	}
	h.must(&enginev1.Command{Verb: &enginev1.Command_Deploy{Deploy: &enginev1.Deploy{Tenant: "green", File: "f.bpmn", Xml: []byte(xml)}}})
	payment := h.must(&enginev1.Command{Verb: &enginev1.Command_StartPayment{StartPayment: &enginev1.StartPayment{
		Tenant: "green", Flow: "f", Channel: "test", ClientKey: fmt.Sprint(n),
	}}}).Payment
	for i, text := range texts {
		h.must(&enginev1.Command{Verb: &enginev1.Command_Forward{Forward: &enginev1.Forward{
			Link: "network", Key: text[1:], Data: []byte(text),
			Origin: &enginev1.Origin{Payment: payment, Job: 3, Attempt: 1, Epoch: h.epoch, Ordinal: uint32(i + 1), Digest: 1},
		}}})
	}
}

func (h *hub) queue() *enginev1.ForwardQueue {
	q := &enginev1.ForwardQueue{}
	_ = h.View(func(tx engine.Tx) error {
		if row, found := tx.Get(engine.ForwardQueueKey("green", "cards", "network")); found {
			q = row.(*enginev1.ForwardQueue)
		}
		return nil
	})
	return q
}

func TestForwardedFramesGoInOrderUntilAcknowledged(t *testing.T) {
	s := newStation(t)
	h := newHub(t, s.config())
	h.payment(1, "?1", "?2")
	c := s.accept()
	// The first is sent until it is acknowledged, the second waits behind it.
	c.hears("?1", "?1")
	c.says("!1 ok")
	c.hears("?2")
	// A connection that breaks and a leader that goes cost a sending, no frame.
	_ = c.conn.Close()
	c = s.accept()
	c.hears("?2")
	h.stop()
	c.closed()
	h.lead()
	c = s.accept()
	c.hears("?2")
	// While the log takes nothing, the acknowledgement is kept.
	h.mu.Lock()
	h.fail = replica.ErrUnknown
	h.mu.Unlock()
	c.says("!2 ok")
	until(t, "the answer", func() bool { return h.state().Outstanding == 0 })
	h.mu.Lock()
	h.fail = nil
	h.mu.Unlock()
	until(t, "the end of the queue", func() bool { return h.queue().Waiting == 0 })
	acknowledged := h.told(enginev1.EventKind_EVENT_KIND_FORWARD_ACKNOWLEDGED)
	if len(acknowledged) != 2 || string(acknowledged[0].Answer) != "!1 ok" || string(acknowledged[1].Answer) != "!2 ok" {
		t.Fatal(acknowledged)
	}
	// One more comes to a queue that was empty.
	h.payment(2, "?3")
	c.hears("?3")
}

func TestWhatCannotBeDeliveredIsParked(t *testing.T) {
	s := newStation(t)
	h := newHub(t, s.config()+`,"timeout_ms":50,"forward_tries":2`)
	h.payment(1, "?1", "?2")
	c := s.accept()
	c.hears("?1", "?1", "?2")
	c.says("!2 ok")
	until(t, "the queue's end", func() bool { q := h.queue(); return q.Waiting == 0 && q.Parked == 1 })
	// Lined up again it goes out again.
	h.must(&enginev1.Command{Verb: &enginev1.Command_ReleaseForward{ReleaseForward: &enginev1.ReleaseForward{
		Tenant: "green", Connector: "cards", Link: "network", N: 1, Actor: &enginev1.Actor{Name: "ada", Reason: "they are back"},
	}}})
	for text := ""; text != "?1"; { // the second may have been sent twice
		var err error
		if text, err = c.read(); err != nil {
			t.Fatal(err)
		}
	}
	c.says("!1 ok")
	until(t, "the queue's end", func() bool { q := h.queue(); return q.Waiting == 0 && q.Parked == 0 })
	// What the link cannot take does not hold up the next one.
	h.payment(2, "?"+strings.Repeat("x", 100), "?3")
	h.configure(strings.Replace(s.config(), ",", `,"framing":{"kind":"length","length_bytes":2,"length_encoding":"ascii"},`, 1))
	c = s.acceptRaw()
	buf := make([]byte, 100)
	for got := ""; !strings.Contains(got, "02?3"); {
		n, err := c.conn.Read(buf)
		if err != nil {
			t.Fatal(got, err)
		}
		got += string(buf[:n])
	}
	if q := h.queue(); q.Parked != 1 || q.Waiting != 1 {
		t.Fatal(q)
	}
}

func TestHeldEffectsAreNotForwarded(t *testing.T) {
	s := newStation(t)
	h := newHub(t, s.config())
	h.must(&enginev1.Command{Verb: &enginev1.Command_RaiseIncarnation{RaiseIncarnation: &enginev1.RaiseIncarnation{}}})
	h.payment(1, "?1")
	c := s.accept()
	c.says("?07")
	c.hears("!07 first 1", "!07 second")
	h.must(&enginev1.Command{Verb: &enginev1.Command_ReleaseEffects{ReleaseEffects: &enginev1.ReleaseEffects{}}})
	c.hears("?1")
}
