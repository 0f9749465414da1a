package bpmn

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestReferenceModels: the BPMN working group's models use every element there is and
// are made for people, not for Zeebe. All are read; what stands against running each
// process is compared with the committed table testdata/miwg.txt.
func TestReferenceModels(t *testing.T) {
	var table strings.Builder
	table.WriteString(`# The BPMN Model Interchange Working Group's models. Under each file its processes: how
# many elements, whether the file marks it executable, and what it would need to run here:
# nothing; details, such as job types, that a model for people leaves out; changes, where
# it contradicts itself or BPMN; another engine, where it has what this one does not
# execute. Then every error, with its element. The test compares this table;
# go test -run ReferenceModels -rewrite writes it.
`)
	tally := map[string]int{}
	lacking := map[string][]string{} // what is not executed, and in which files
	for _, file := range shared(t, "miwg/*.bpmn") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		verdicts, problems := Inspect(text)
		fmt.Fprintf(&table, "\n%s\n", filepath.Base(file))
		for _, p := range problems {
			fmt.Fprintf(&table, "  %s\n", p)
		}
		runs := len(verdicts) > 0 && !Refused(problems)
		for i := range verdicts {
			v := &verdicts[i]
			executable := "not executable"
			if v.Executable {
				executable = "executable"
			}
			fmt.Fprintf(&table, "  %s, %d elements, %s: needs %s\n", v.Process, v.Elements, executable, v.Needs())
			for _, p := range v.Problems {
				if p.Severity == Error {
					fmt.Fprintf(&table, "    %s at %s: %s\n", p.Code, p.Element, p.Text)
				}
				if name := filepath.Base(file); p.Unsupported() && !slices.Contains(lacking[p.Text], name) {
					lacking[p.Text] = append(lacking[p.Text], name)
				}
			}
			tally[v.Needs()]++
			runs = runs && (v.Runs() || !v.Executable)
		}
		processes, parsed := Parse(text)
		if Refused(parsed) == (len(processes) > 0) {
			t.Errorf("%s: %d processes, problems %v", filepath.Base(file), len(processes), parsed)
		}
		if len(processes) > 0 && !runs {
			t.Errorf("%s deploys, and its verdicts do not say so", filepath.Base(file))
		}
	}
	fmt.Fprintf(&table, "\nprocesses that need nothing: %d, details: %d, changes: %d, another engine: %d\n",
		tally["nothing"], tally["details"], tally["changes"], tally["another engine"])
	table.WriteString("\nwhat this engine does not execute, and which models have it:\n")
	for _, text := range slices.Sorted(maps.Keys(lacking)) {
		fmt.Fprintf(&table, "  %s (%s)\n", text, strings.Join(lacking[text], ", "))
	}
	compareTable(t, "testdata/miwg.txt", table.String())
}
