package explore

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/railhead-hub/railhead/engine/bpmn"
)

// rewriting tells whether the tables are to be written anew: the flag is the one that
// scripts use.
func rewriting() bool { return flag.Lookup("rewrite").Value.String() == "true" }

// shared lists the shared test data matching a pattern. It skips the test when the
// folder is not given and fails it when the data is not there.
func shared(t testing.TB, pattern string) []string {
	t.Helper()
	root := os.Getenv("RAILHEAD_SHARED")
	if root == "" {
		t.Skip("needs RAILHEAD_SHARED, the folder of shared test data")
	}
	files, err := filepath.Glob(filepath.Join(root, pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("RAILHEAD_SHARED is %s, and there is no %s (%v)", root, pattern, err)
	}
	return files
}

const tenant = "greenbank"

const paymentHubHeader = `# Payment Hub EE's flows that deploy, driven through the engine with every answer that
# its conditions tell apart: the file, the flow, the end events reached of those it
# has. Below it the end events that no payment reaches, with the reason; those that are
# reached only if somebody does what no component of Payment Hub EE does
# (unserved.txt); and the elements at which a payment may stand still. There "= null"
# means that a worker left the variable unset. The test compares this table;
# make flows REWRITE=1 writes it.
`

// TestPaymentHubFlows drives every flow of Payment Hub EE that deploys to every end
// event, and compares what came of it with testdata/paymenthub.txt.
func TestPaymentHubFlows(t *testing.T) {
	flows := make(map[string][]byte) // by process id
	var names []string
	id := make(map[string]string) // by file
	for _, file := range shared(t, "flows/paymenthub/*.bpmn") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(file)
		// The part before "__" says which repository the file is from.
		text = bpmn.ForTenant(name[strings.LastIndex(name, "__")+2:], text, tenant)
		if processes, _ := bpmn.Parse(text); len(processes) == 1 {
			names = append(names, name)
			id[name] = processes[0].ID
			flows[name] = text
			flows[processes[0].ID] = text
		} else if len(processes) > 1 {
			t.Fatalf("%s has %d processes", name, len(processes))
		}
	}
	jobs, variables := unserved(t)
	var table strings.Builder
	table.WriteString(paymentHubHeader)
	reached, ends := 0, 0
	for _, name := range names {
		files := [][]byte{flows[name]}
		for _, called := range calls(flows[name]) {
			if text, deployed := flows[called]; deployed {
				files = append(files, text)
			}
		}
		r, err := Explore(Setup{Tenant: tenant, Flow: id[name], Files: files, Unserved: jobs, NeverSet: variables})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&table, "\n%s %s", name, r)
		reached, ends = reached+r.Reached(), ends+len(r.Ends)
	}
	fmt.Fprintf(&table, "\n%d flows, %d of %d end events\n", len(names), reached, ends)
	if testing.Verbose() {
		fmt.Print(strings.TrimPrefix(table.String(), paymentHubHeader))
	}
	compare(t, "testdata/paymenthub.txt", table.String())
}

// calls are the flows that a file's processes call.
func calls(file []byte) []string {
	var ids []string
	processes, _ := bpmn.Parse(file)
	for _, p := range processes {
		for i := range p.Elements {
			if called := p.Elements[i].CalledElement.Static; called != "" {
				ids = append(ids, called)
			}
		}
	}
	return ids
}

// unserved reads what nobody does.
func unserved(t *testing.T) (jobs, variables []string) {
	text, err := os.ReadFile("testdata/unserved.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(text), "\n") {
		switch kind, name, _ := strings.Cut(line, " "); kind {
		case "job":
			jobs = append(jobs, name)
		case "variable":
			variables = append(variables, name)
		}
	}
	return jobs, variables
}

// compare holds a table against the committed one, or writes it.
func compare(t *testing.T, golden, table string) {
	t.Helper()
	if rewriting() {
		if err := os.WriteFile(golden, []byte(table), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	got, expected := strings.Split(table, "\n"), strings.Split(string(want), "\n")
	for i := range max(len(got), len(expected)) {
		g, w := "(end)", "(end)"
		if i < len(got) {
			g = got[i]
		}
		if i < len(expected) {
			w = expected[i]
		}
		if g != w {
			t.Fatalf("%s, line %d differs:\n got %s\nwant %s", golden, i+1, g, w)
		}
	}
}
