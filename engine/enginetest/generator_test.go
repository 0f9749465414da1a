package enginetest

import (
	"testing"

	"github.com/railhead-hub/railhead/engine/bpmn"
)

// TestGeneratedFlowsAreValid parses what the generator writes.
func TestGeneratedFlowsAreValid(t *testing.T) {
	kinds := make(map[bpmn.Kind]int)
	for seed := range uint64(300) {
		for _, f := range Generate(seed, Shape{Flows: 1, Elements: 12}) {
			processes, problems := bpmn.Parse([]byte(f.XML))
			if len(processes) != 1 || len(problems) > 0 {
				t.Fatalf("seed %d, flow %s: %v\n%s", seed, f.ID, problems, f.XML)
			}
			for i := range processes[0].Elements {
				kinds[processes[0].Elements[i].Kind]++
			}
		}
	}
	for k := bpmn.KindStart; k <= bpmn.KindEventSub; k++ {
		if kinds[k] == 0 {
			t.Errorf("no flow has a %v", k)
		}
	}
	t.Log(kinds)
}
