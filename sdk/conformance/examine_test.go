package conformance

import (
	"strings"
	"testing"
)

// The engines are held against each other by what they return and by what they use.
func TestAgreement(t *testing.T) {
	v := &Vector{File: "a.txt", Line: 1}
	step := taken{"complete", 100, 65536}
	for what, other := range map[string][]taken{
		"the same":      {step},
		"another reply": {{"fail NO", 100, 65536}},
		"more fuel":     {{"complete", 101, 65536}},
		"more memory":   {{"complete", 100, 131072}},
		"another step":  {step, step},
	} {
		e := &examination{vectors: []*Vector{v}}
		got := e.agreement(map[*Vector][]taken{v: {step}}, map[*Vector][]taken{v: other})
		if want := what == "the same"; len(got) != 1 || (got[0].Status == Passed) != want {
			t.Errorf("%s: %v", what, got)
		}
		if got[0].Status == Failed && !strings.Contains(got[0].Text, "compiler") {
			t.Errorf("%s: %v", what, got)
		}
	}
}
