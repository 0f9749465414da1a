//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	corev1 "github.com/railhead-hub/railhead/core/v1"
	"github.com/railhead-hub/railhead/examples/links/network"
	opsv1 "github.com/railhead-hub/railhead/opsd/v1"
)

const (
	linkConnector = "example-network"
	linkName      = tenant + "/" + linkConnector + "/network"
)

// joinNetwork binds the tenant to a network by a TCP link, over which a forwarded frame
// is sent so many times before it is parked; 0: until its time is over.
func (h *hub) joinNetwork(tries int) *network.Network {
	h.t.Helper()
	net, err := network.Listen("127.0.0.1:0")
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = net.Close() })
	raw, err := json.Marshal(map[string]any{"id": tenant, "name": "Green Bank", "config": map[string]any{
		"connectors": map[string]any{linkConnector: map[string]any{"links": map[string]any{"network": map[string]any{
			"connect": net.Addr(), "allow": []string{"127.0.0.1"}, "timeout_ms": 1000, "forward_tries": tries,
		}}}},
	}})
	if err != nil {
		h.t.Fatal(err)
	}
	file, module := filepath.Join(h.dir, "network.json"), filepath.Join(h.dir, "network.wasm")
	if err := os.WriteFile(file, raw, 0o644); err != nil {
		h.t.Fatal(err)
	}
	h.railhead("tenant", "put", file, "--reason", "test")
	h.railhead("connector", "build", "../links/connector", "-o", module)
	h.railhead("connector", "install", "--activate", tenant, module)
	h.railhead("flow", "deploy", "testdata/authorize.bpmn", "--tenant", tenant)
	return net
}

// authorize starts a payment that asks the network.
func (h *hub) authorize(n int) string {
	h.t.Helper()
	var payment string
	until(h.t, patience, func() error {
		started, err := h.leader().control.StartPayment(h.t.Context(), &corev1.StartPaymentRequest{
			Tenant: tenant, Flow: "authorize", Channel: "test", ClientKey: unique(h.t, n),
			Variables: []*corev1.Variable{{Name: "amount", Json: `"12.50"`}},
		})
		payment = started.GetPayment()
		return err
	})
	return payment
}

// authorized demands that a payment ended well and that the network carried it out once.
func (h *hub) authorized(net *network.Network, payment string) {
	h.t.Helper()
	if info := h.ended(payment); info.GetResult() != corev1.Result_RESULT_COMPLETED {
		h.t.Errorf("payment %s is %s %s, want completed", payment, info.GetResult(), info.GetCode())
	}
	if got := net.Seen().Authorized[payment]; got != 1 {
		h.t.Errorf("payment %s was authorized %d times", payment, got)
	}
}

// TestALinkSurvivesItsLeaders kills leaders while an authorization is out and while
// advices wait for their acknowledgement. The next leader signs on again; what was out
// is enquired about and never sent again; the advices arrive in the order in which they
// were queued, and each is acknowledged once.
func TestALinkSurvivesItsLeaders(t *testing.T) {
	h := startHub(t, options{nodes: 3})
	net := h.joinNetwork(0)
	signedOn := func(times int) {
		t.Helper()
		until(t, patience, func() error {
			if got := net.Seen().SignOns; got < times {
				return fmt.Errorf("%d sign-ons, waiting for %d", got, times)
			}
			return nil
		})
	}
	signedOn(1)
	first := h.authorize(1)
	h.authorized(net, first)

	// An authorization is out, and the leader dies before its answer.
	net.Silence("AUTH", true)
	second := h.authorize(2)
	until(t, patience, func() error {
		if net.Seen().Kept == 0 {
			return errors.New("the network has not heard of the second payment")
		}
		return nil
	})
	signOns := net.Seen().SignOns
	fallen := h.leader()
	fallen.kill()
	net.Silence("AUTH", false)
	signedOn(signOns + 1)
	h.authorized(net, second)
	h.restart(fallen)

	// Advices wait for their acknowledgement, and the leader dies again.
	net.Silence("ADVICE", true)
	var payments []string
	for i := range 6 {
		payments = append(payments, h.authorize(10+i))
	}
	for _, p := range payments {
		h.authorized(net, p)
	}
	queued := h.queue()
	if len(queued) != len(payments) {
		t.Fatalf("%d frames are in the queue, want %d", len(queued), len(payments))
	}
	signOns = net.Seen().SignOns
	fallen = h.leader()
	fallen.kill()
	signedOn(signOns + 1)
	net.Silence("ADVICE", false)
	until(t, patience, func() error {
		if left := h.queue(); len(left) > 0 {
			return fmt.Errorf("%d frames are left in the queue", len(left))
		}
		return nil
	})
	h.restart(fallen)

	seen := net.Seen()
	if len(seen.Faults) > 0 {
		t.Errorf("the network complains: %q", seen.Faults)
	}
	if want := append([]string{first, second}, queued...); !slices.Equal(seen.Advices, want) {
		t.Errorf("the advices arrived as\n%q, want\n%q", seen.Advices, want)
	}
	for _, p := range append(payments, first, second) {
		h.acknowledged(p)
	}
	h.agree()
	t.Logf("%s", h.railhead("link", "list"))
}

// TestAParkedAdviceIsReleased lets the network be silent until an advice is parked. An
// operator lines it up again and drops another, each for a reason.
func TestAParkedAdviceIsReleased(t *testing.T) {
	h := startHub(t, options{})
	net := h.joinNetwork(1)
	net.Silence("ADVICE", true)
	kept, given := h.authorize(1), ""
	h.authorized(net, kept)
	given = h.authorize(2)
	h.authorized(net, given)
	until(t, patience, func() error {
		if got := len(h.queue("--parked")); got < 2 {
			return fmt.Errorf("%d advices are parked, waiting for 2", got)
		}
		return nil
	})
	net.Silence("ADVICE", false)
	h.railhead("link", "drop", linkName, "2", "--reason", "settled by telephone")
	h.railhead("link", "release", linkName, "1", "--reason", "the network is back")
	h.acknowledged(kept)
	if left := h.queue(); len(left) > 0 {
		t.Errorf("%q are left in the queue", left)
	}
	until(t, patience, func() error {
		p, err := h.ops.GetPayment(t.Context(), &opsv1.GetPaymentRequest{Name: &opsv1.GetPaymentRequest_Uuid{Uuid: given}})
		if err != nil {
			return err
		}
		for _, e := range p.GetTimeline() {
			if e.GetKind() == "forward_released" && e.GetCode() == "dropped" && e.GetReason() == "settled by telephone" {
				return nil
			}
		}
		return errors.New("opsd does not show that the advice was dropped")
	})
}

// queue is whose frames are in the link's queue, in order.
func (h *hub) queue(flags ...string) []string {
	h.t.Helper()
	var list struct {
		Frames []struct{ Payment string }
	}
	if err := json.Unmarshal([]byte(h.railhead(append([]string{"link", "queue", linkName, "--json"}, flags...)...)), &list); err != nil {
		h.t.Fatal(err)
	}
	var payments []string
	for _, f := range list.Frames {
		payments = append(payments, f.Payment)
	}
	return payments
}

// acknowledged waits until opsd shows the end of a payment's forwarded frame, which may
// come after the payment's own, and demands that there is one.
func (h *hub) acknowledged(payment string) {
	h.t.Helper()
	h.shown(payment)
	until(h.t, patience, func() error {
		p, err := h.ops.GetPayment(h.t.Context(), &opsv1.GetPaymentRequest{Name: &opsv1.GetPaymentRequest_Uuid{Uuid: payment}})
		if err != nil {
			return err
		}
		counted := map[string]int{}
		for _, e := range p.GetTimeline() {
			counted[e.GetKind()]++
		}
		switch {
		case p.GetPayment().GetMissingEvents() > 0 || counted["forward_acknowledged"] == 0:
			return fmt.Errorf("opsd shows payment %s without its acknowledgement: %v", payment, counted)
		case counted["forward_queued"] != 1 || counted["forward_acknowledged"] != 1:
			return stop{fmt.Errorf("payment %s: %v", payment, counted)}
		}
		return nil
	})
}
