package explore

import (
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/railhead-hub/railhead/engine/enginetest"
)

// TestExplore runs the small flows of testdata/explore.txt.
func TestExplore(t *testing.T) { explores(t, "testdata/explore.txt") }

// TestElements runs those of testdata/elements.txt.
func TestElements(t *testing.T) { explores(t, "testdata/elements.txt") }

func explores(t *testing.T, script string) {
	datadriven.RunTest(t, script, func(t *testing.T, d *datadriven.TestData) string {
		text, err := enginetest.Model("flow", d.Input)
		if err != nil {
			d.Fatalf(t, "%v", err)
		}
		setup := Setup{Tenant: "greenbank", Flow: "flow", Files: [][]byte{[]byte(text)}}
		for _, arg := range d.CmdArgs {
			if arg.Key == "unserved" {
				setup.Unserved = arg.Vals
			}
		}
		r, err := Explore(setup)
		if err != nil {
			return err.Error() + "\n"
		}
		return r.String()
	})
}
