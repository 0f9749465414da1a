package explore

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
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
		r, err := Explore(Setup{Tenant: tenant, Flow: id[name], Files: withCalled(flows[name], flows), Unserved: jobs, NeverSet: variables})
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

const miwgHeader = `# The BPMN Model Interchange Working Group's models that need nothing to run here (see
# engine/bpmn/testdata/miwg.txt), driven to every end event as Payment Hub EE's are
# (paymenthub.txt). Those not marked executable are run as if they were.
`

// TestReferenceModels drives the models that can run.
func TestReferenceModels(t *testing.T) {
	var table strings.Builder
	table.WriteString(miwgHeader)
	files := shared(t, "miwg/*.bpmn")
	texts := make([][]byte, len(files))
	byID := make(map[string][]byte)
	for i, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts[i] = executable(text)
		processes, _ := bpmn.Parse(texts[i])
		for _, p := range processes {
			byID[p.ID] = texts[i]
		}
	}
	for i, file := range files {
		processes, _ := bpmn.Parse(texts[i])
		for _, p := range processes {
			r, err := Explore(Setup{Tenant: tenant, Flow: p.ID, Files: withCalled(texts[i], byID)})
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&table, "\n%s %s", filepath.Base(file), r)
		}
	}
	if testing.Verbose() {
		fmt.Print(strings.TrimPrefix(table.String(), miwgHeader))
	}
	compare(t, "testdata/miwg.txt", table.String())
}

var processTag = regexp.MustCompile(`<(?:\w+:)?process\s[^>]*>`)

// executable marks every process of a file as executable.
func executable(text []byte) []byte {
	return processTag.ReplaceAllFunc(text, func(tag []byte) []byte {
		tag = bytes.ReplaceAll(tag, []byte(` isExecutable="false"`), nil)
		if bytes.Contains(tag, []byte("isExecutable=")) {
			return tag
		}
		return bytes.Replace(tag, []byte("process "), []byte(`process isExecutable="true" `), 1)
	})
}

// withCalled is a file and those of the flows that its processes call.
func withCalled(file []byte, byID map[string][]byte) [][]byte {
	files := [][]byte{file}
	processes, _ := bpmn.Parse(file)
	for _, p := range processes {
		for i := range p.Elements {
			if text, deployed := byID[p.Elements[i].CalledElement.Static]; deployed {
				files = append(files, text)
			}
		}
	}
	return files
}

// unserved reads what nobody does.
func unserved(t *testing.T) (jobs, variables []string) {
	text, err := os.ReadFile("testdata/unserved.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(string(text), "\n") {
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
