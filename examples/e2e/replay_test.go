//go:build e2e

package e2e

import (
	"encoding/json"
	"testing"

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
