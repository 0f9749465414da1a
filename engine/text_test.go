package engine_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/railhead-hub/railhead/engine/enginetest"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// TestTextsStayText gives the engine long texts and texts that are no UTF-8, as an
// angry peer's answer may hold: every text it tells can be stored as text.
func TestTextsStayText(t *testing.T) {
	for _, reason := range []string{strings.Repeat("é", 1500), "x" + strings.Repeat("é", 1500), "\xff\xfe", "e" + strings.Repeat("€", 999)} {
		w := enginetest.NewWorkload(enginetest.NewMemTx(), 1)
		started := w.Apply(&enginev1.Command{Verb: &enginev1.Command_StartPayment{StartPayment: &enginev1.StartPayment{
			Tenant: "t", Flow: "payer",
		}}}).Reply
		res := w.Apply(&enginev1.Command{Verb: &enginev1.Command_FinishJob{FinishJob: &enginev1.FinishJob{
			Origin:  &enginev1.Origin{Payment: started.Payment, Job: 3, Attempt: 1, Epoch: 1},
			Outcome: &enginev1.FinishJob_BpmnError{BpmnError: &enginev1.BpmnError{Code: reason, Message: reason}},
		}}})
		if len(res.Events) != 2 {
			t.Fatalf("the error was not told: %v", res.Reply)
		}
		for _, ev := range res.Events {
			if !utf8.ValidString(ev.Text) || !utf8.ValidString(ev.Code) {
				t.Errorf("%v tells %q %q", ev.Kind, ev.Code, ev.Text)
			}
		}
	}
}
