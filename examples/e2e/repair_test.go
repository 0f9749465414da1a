//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	corev1 "github.com/railhead-hub/railhead/core/v1"
)

// TestOperatorsRepair lets payments hold money and stand still, and mends them by the
// command line: one by a variable, one by the flow's next version, one by undoing it.
// Ledgers, timeline and audit tell the same of each.
func TestOperatorsRepair(t *testing.T) {
	h := startHub(t, options{})
	h.railhead("flow", "deploy", "testdata/assisted-1.bpmn", "--strict", "--tenant", tenant)
	h.railhead("flow", "deploy", "testdata/assisted-2.bpmn", "--strict", "--tenant", tenant)

	t.Run("a variable", func(t *testing.T) {
		h := h.in(t)
		payment, incident := h.standsStill()
		// The money is held: cancelling would leave it behind.
		h.refused([]string{"MONEY_MOVED"}, "payment", "cancel", payment, "--reason", "give up")
		h.railhead("payment", "set", payment, "helped=true", "--actor", "ada", "--reason", "asked the payer")
		h.railhead("payment", "resolve", payment, fmt.Sprint(incident), "--actor", "ada", "--reason", "it is set now")
		task := fmt.Sprint(h.waitsForPerson(payment).GetTask())
		if got := h.railhead("task", "list", "--tenant", tenant, "--group", "tellers", "--unassigned"); !strings.Contains(got, payment) {
			t.Errorf("the list of tasks lacks it: %s", got)
		}
		h.railhead("task", "claim", payment, task, "--actor", "bob")
		h.refused([]string{"TASK_TAKEN", "bob"}, "task", "claim", payment, task, "--actor", "eve")
		h.railhead("task", "update", payment, task, "--priority", "90", "--actor", "bob")
		h.railhead("task", "complete", payment, task, "--var", "approvedBy=bob", "--actor", "bob", "--reason", "looks right")
		h.ends(payment, corev1.Result_RESULT_COMPLETED, "approved", books{Bookings: 1})
		for _, act := range [][]string{
			{"set-variables", "ada", "asked the payer"}, {"resolve-incident", "ada", "it is set now"},
			{"claim-user-task", "bob", ""}, {"update-user-task", "bob", ""}, {"complete-user-task", "bob", "looks right"},
		} {
			h.acted(payment, act[0], act[1], act[2])
		}
		h.tells(payment, "incident_opened", "variables_set", "incident_resolved", "user_task_created", "user_task_changed", "user_task_completed")
	})

	t.Run("another version", func(t *testing.T) {
		h := h.in(t)
		payment, incident := h.standsStill()
		h.refused([]string{"MIGRATION_REFUSED", "choose: token", "map it to one"}, "payment", "migrate", payment, "2", "--reason", "mended")
		h.railhead("payment", "migrate", payment, "2", "--map", "choose=decide", "--actor", "ada", "--reason", "the gateway is mended")
		h.railhead("payment", "resolve", payment, fmt.Sprint(incident), "--actor", "ada", "--reason", "mended")
		task := h.waitsForPerson(payment)
		// What is open survives the node.
		h.nodes[0].kill()
		h.restart(h.nodes[0])
		h.railhead("task", "complete", payment, fmt.Sprint(task.GetTask()), "--actor", "bob")
		h.ends(payment, corev1.Result_RESULT_COMPLETED, "approved", books{Bookings: 1})
		h.acted(payment, "migrate-payment", "ada", "the gateway is mended")
		h.tells(payment, "payment_migrated", "user_task_completed")
		if shown := h.shown(payment); shown.GetPayment().GetFlowVersion() != 2 {
			t.Errorf("opsd shows version %d of the flow", shown.GetPayment().GetFlowVersion())
		}
	})

	t.Run("undone", func(t *testing.T) {
		h := h.in(t)
		payment, _ := h.standsStill()
		h.railhead("payment", "cancel", payment, "--compensate", "--actor", "ada", "--reason", "sent in error")
		h.ends(payment, corev1.Result_RESULT_CANCELLED, "compensated", unpaid)
		h.acted(payment, "cancel-payment", "ada", "sent in error")
		h.tells(payment, "payment_cancelling", "compensating", "compensated")
	})

	t.Run("moved", func(t *testing.T) {
		h := h.in(t)
		payment, _ := h.standsStill()
		p, err := h.look(payment)
		if err != nil {
			t.Fatal(err)
		}
		token := fmt.Sprint(p.GetTokens()[0].GetN())
		h.refused([]string{"MOVE_REFUSED"}, "payment", "move", payment, token, "release", "--reason", "a handler is not entered")
		h.railhead("payment", "move", payment, token, "book", "--actor", "ada", "--reason", "approved by telephone")
		h.ends(payment, corev1.Result_RESULT_COMPLETED, "approved", books{Bookings: 1})
		h.acted(payment, "move-token", "ada", "approved by telephone")
		h.tells(payment, "token_moved")
	})
	h.balanced()
}

// standsStill starts a payment that holds money and stops at its gateway.
func (h *hub) standsStill() (payment string, incident uint32) {
	h.t.Helper()
	request, err := json.Marshal(request(amount))
	if err != nil {
		h.t.Fatal(err)
	}
	payment = strings.TrimSpace(h.railhead("payment", "start", tenant, "assisted", "--flow-version", "1",
		"--var", "channelRequest="+string(request), "--var", fmt.Sprintf(`amount={"amount":%q,"currency":%q}`, amount, currency)))
	until(h.t, patience, func() error {
		p, err := h.look(payment)
		if err != nil {
			return err
		}
		for _, i := range p.GetIncidents() {
			if incident = i.GetN(); i.GetElement() == "choose" {
				return nil
			}
		}
		return fmt.Errorf("payment %s is at %v with the incidents %v", payment, places(p), p.GetIncidents())
	})
	if got := h.books(payment); got != (books{HoldsOpen: 1}) {
		h.t.Errorf("payment %s: the ledgers show %+v, want a hold", payment, got)
	}
	return payment, incident
}

// waitsForPerson waits until a payment has a user task.
func (h *hub) waitsForPerson(payment string) (task *corev1.UserTask) {
	h.t.Helper()
	until(h.t, patience, func() error {
		p, err := h.look(payment)
		if err != nil {
			return err
		}
		if len(p.GetUserTasks()) != 1 {
			return fmt.Errorf("payment %s is at %v", payment, places(p))
		}
		task = p.GetUserTasks()[0]
		return nil
	})
	return task
}

// tells demands that opsd's timeline has events of these kinds, in this order.
func (h *hub) tells(payment string, kinds ...string) {
	h.t.Helper()
	rest := kinds
	var all []string
	for _, e := range h.shown(payment).GetTimeline() {
		all = append(all, e.GetKind())
		if len(rest) > 0 && e.GetKind() == rest[0] {
			rest = rest[1:]
		}
	}
	if len(rest) > 0 {
		h.t.Errorf("the timeline lacks %v after those before it: %v", rest, all)
	}
}
