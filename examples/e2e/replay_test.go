//go:build e2e

package e2e

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	opsv1 "github.com/railhead-hub/railhead/opsd/v1"
)

// TestReplay runs real payments again from what opsd has of them: one that went well,
// and one whose bank failed at first and whose node was killed. Both live the same
// life; the audit chain says who looked.
func TestReplay(t *testing.T) {
	h := startHub(t, options{})
	again := func(payment string) {
		t.Helper()
		h.shown(payment)
		out := h.railhead("payment", "replay", payment, "--ops", h.opsURL, "--reason", "e2e", "--json")
		var replayed struct {
			Agrees, Ended bool
			Steps         []json.RawMessage
		}
		if err := json.Unmarshal([]byte(out), &replayed); err != nil || !replayed.Agrees || !replayed.Ended || len(replayed.Steps) < 20 {
			t.Errorf("payment %s, run again: %v\n%s", payment, err, out)
		}
	}
	good := h.transfer("replay-good")
	h.completed(good)
	again(good)
	asVector(h, good)

	h.bankFault("POST /holds", "error-503", 0)
	troubled := h.transfer("replay-troubled")
	h.nodes[0].kill()
	h.restart(h.nodes[0])
	h.ended(troubled)
	again(troubled)

	entries, err := h.ops.ListAudit(t.Context(), &opsv1.ListAuditRequest{Tenant: tenant})
	if err != nil || len(entries.GetEntries()) == 0 {
		t.Fatalf("%v, %v", entries, err)
	}
	if last := entries.GetEntries()[0]; last.GetMethod() != "reveal-events" || last.GetReason() != "e2e" {
		t.Errorf("the audit's last entry is %v", last)
	}
}

// asVector exports the payment's first job that the bank's connector served, and runs
// the module once more on it.
func asVector(h *hub, payment string) {
	h.t.Helper()
	revealed, err := h.ops.RevealEvents(h.t.Context(), &opsv1.RevealEventsRequest{
		Name: &opsv1.RevealEventsRequest_Uuid{Uuid: payment}, Actor: "e2e", Reason: "which job?",
	})
	if err != nil {
		h.t.Fatal(err)
	}
	job := uint32(0)
	for _, raw := range revealed.GetEvents() {
		ev := new(enginev1.Event)
		if err := ev.UnmarshalVT(raw); err != nil {
			h.t.Fatal(err)
		}
		if ev.Kind == enginev1.EventKind_EVENT_KIND_JOB_COMPLETED && strings.HasPrefix(ev.Type, "block-funds") {
			job = ev.Job
		}
	}
	if job == 0 {
		h.t.Fatal("the payment holds no money")
	}
	text := h.railhead("connector", "vector", payment, "--job", strconv.FormatUint(uint64(job), 10), "--ops", h.opsURL,
		"--reason", "e2e", "--module", connector+"/ams-bank.wasm")
	for _, want := range []string{"job block-funds\n", " http ledger POST /", "key hold\n", "\nanswer 20", "\ncomplete\n"} {
		if !strings.Contains(text, want) {
			h.t.Errorf("%q is not in the vector:\n%s", want, text)
		}
	}
	if strings.Contains(text, "27710101999") {
		h.t.Errorf("the payer's number is not masked:\n%s", text)
	}
}
