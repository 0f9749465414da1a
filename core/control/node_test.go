package control

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// TestWhatIsForwarded: whatever a person or a route asks of a follower reaches the
// leader; what only a leader may say does not come from afar.
func TestWhatIsForwarded(t *testing.T) {
	leaders := []string{
		"Bootstrap", "LeaderStarted", "Intend", "Answer", "FinishJob", "FireTimers", "Sleep", "Exported",
		"Expire", "RaiseIncarnation", "Checkpoint", "Count", "Forward", "Forwarded",
	}
	verbs := 0
	for field := uint64(1); field < 200; field++ {
		cmd := new(enginev1.Command) // with an empty verb of that number
		if err := cmd.UnmarshalVT(append(binary.AppendUvarint(nil, field<<3|2), 0)); err != nil || cmd.Verb == nil {
			continue
		}
		verbs++
		_, name, _ := strings.Cut(fmt.Sprintf("%T", cmd.Verb), "_")
		if got, own := forwardable(cmd), slices.Contains(leaders, name); got == own {
			t.Errorf("%s is forwarded: %v", name, got)
		}
	}
	if verbs < 32 {
		t.Errorf("a command has only %d verbs", verbs)
	}
	// The effect of a job is its own leader's.
	for _, cmd := range []*enginev1.Command{
		{Verb: &enginev1.Command_StartPayment{StartPayment: &enginev1.StartPayment{Origin: &enginev1.Origin{}}}},
		{Verb: &enginev1.Command_Publish{Publish: &enginev1.Publish{Origin: &enginev1.Origin{}}}},
		{Verb: &enginev1.Command_Sequence{Sequence: &enginev1.Sequence{Origin: &enginev1.Origin{}}}},
		{Verb: &enginev1.Command_Emit{Emit: &enginev1.Emit{Origin: &enginev1.Origin{}}}},
	} {
		if forwardable(cmd) {
			t.Errorf("%T with an origin is forwarded", cmd.Verb)
		}
	}
}
