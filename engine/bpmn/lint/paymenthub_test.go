package lint_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/railhead-hub/railhead/engine/bpmn"
	"github.com/railhead-hub/railhead/engine/bpmn/lint"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

var rewrite = flag.Bool("rewrite", false, "write testdata/paymenthub.txt anew; commit only differences you understand")

// TestPaymentHubFlows compares what is found in Payment Hub EE's flows with the
// committed table testdata/paymenthub.txt.
func TestPaymentHubFlows(t *testing.T) {
	root := os.Getenv("RAILHEAD_SHARED")
	if root == "" {
		t.Skip("needs RAILHEAD_SHARED, the folder of shared test data")
	}
	files, err := filepath.Glob(filepath.Join(root, "flows/paymenthub/*.bpmn"))
	if err != nil || len(files) == 0 {
		t.Fatalf("RAILHEAD_SHARED is %s, and there are no flows (%v)", root, err)
	}
	slices.Sort(files)
	var table strings.Builder
	table.WriteString(`# What the linter finds in Payment Hub EE's flows, for the tenant greenbank and the
# workers of paymenthub-workers.txt: by rule, the elements and sequence flows. None of
# the flows marks its ends, and notes are left out. The test compares this table;
# go test -run PaymentHubFlows -rewrite writes it.
`)
	for _, file := range files {
		processes := deployed(t, file)
		if len(processes) == 0 {
			continue
		}
		fmt.Fprintf(&table, "\n%s\n", filepath.Base(file))
		found := map[string][]string{}
		for _, p := range processes {
			for _, problem := range lint.Flow(p, lint.Known{Jobs: workers(t, tenantOf(p.ID))}) {
				if problem.Severity != bpmn.Note && problem.Code != "no-result" {
					found[problem.Code] = append(found[problem.Code], problem.Element)
				}
			}
		}
		for _, r := range lint.Rules {
			if elements := found[r.Code]; len(elements) > 0 {
				fmt.Fprintf(&table, "  %s: %s\n", r.Code, strings.Join(elements, " "))
			}
		}
	}
	const golden = "testdata/paymenthub.txt"
	if *rewrite {
		if err := os.WriteFile(golden, []byte(table.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	got, expected := strings.Split(table.String(), "\n"), strings.Split(string(want), "\n")
	for i := range max(len(got), len(expected)) {
		if i >= len(got) || i >= len(expected) || got[i] != expected[i] {
			t.Fatalf("line %d differs:\n got %s\nwant %s", i+1, slices.Concat(got, []string{"(end)"})[min(i, len(got))], slices.Concat(expected, []string{"(end)"})[min(i, len(expected))])
		}
	}
}

// deployed are the processes of a shared flow file as the tenant greenbank has it.
func deployed(t *testing.T, file string) []*bpmn.Process {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Base(file)
	processes, _ := bpmn.Parse(bpmn.ForTenant(name[strings.LastIndex(name, "__")+2:], text, "greenbank"))
	return processes
}

// tenantOf is the tenant a flow is for: some files are of one in particular.
func tenantOf(process string) string {
	for _, tenant := range []string{"gorilla", "rhino", "lion", "ibank-usa", "oaf"} {
		if strings.HasSuffix(process, "-"+tenant) {
			return tenant
		}
	}
	return "greenbank"
}

// workers reads testdata/paymenthub-workers.txt.
func workers(t *testing.T, tenant string) map[string]lint.Job {
	t.Helper()
	text, err := os.ReadFile("testdata/paymenthub-workers.txt")
	if err != nil {
		t.Fatal(err)
	}
	jobs := map[string]lint.Job{}
	for line := range strings.SplitSeq(string(text), "\n") {
		words := strings.Fields(strings.ReplaceAll(line, "{tenant}", tenant))
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		var job lint.Job
		for i, word := range words {
			switch word {
			case "money":
				job.Money = true
			case "undoes":
				job.Undoes = words[i+1:]
			case "settles":
				job.Settles = words[i+1:]
			}
		}
		jobs[words[0]] = job
	}
	return jobs
}

// TestNamedDefects: the defects of the shared flows that are known for years are
// found, each by the element that shows it.
func TestNamedDefects(t *testing.T) {
	root := os.Getenv("RAILHEAD_SHARED")
	if root == "" {
		t.Skip("needs RAILHEAD_SHARED, the folder of shared test data")
	}
	for _, row := range []struct{ file, element, code, text string }{
		// Fails exactly when the threshold is reached before the last retry.
		{"ph-ee-env-labs__bulk_processor-DFSPID", "Gateway_0lr9doe", "gateway-gap", "completionRate = "},
		// Branches that hang for want of a worker.
		{"ph-ee-env-labs__bulk_processor-DFSPID", "createFailureMsg", "unserved-job-type", "createFailureMsg"},
		{"ph-ee-env-labs__bulk_processor-DFSPID", "createSuccessMsg", "unserved-job-type", "createSuccessMsg"},
		{"ph-ee-env-labs__bulk_processor-DFSPID", "sendMessage", "unserved-job-type", "sendMessage"},
		{"ph-ee-env-labs__bulk_processor-DFSPID", "fetchDeliveryStatus", "unserved-job-type", "fetchDeliveryStatus"},
		{"ph-ee-env-labs__gsma-p2p", "Activity_1ndohag", "unserved-job-type", "sendFineractFailure"},
		// A text without quotes.
		{"ph-ee-env-labs__bulk_processor-DFSPID", "Flow_08i54z1", "unquoted-text", `"pending"`},
		// A hold that stays when the transfer's answer does not come, or booking fails.
		{"ph-ee-env-labs__gsma-p2p", "Activity_10hzppm", "money-not-undone", "release-block"},
	} {
		p := deployed(t, filepath.Join(root, "flows/paymenthub", row.file+".bpmn"))[0]
		problems := lint.Flow(p, lint.Known{Jobs: workers(t, "greenbank")})
		if !slices.ContainsFunc(problems, func(p bpmn.Problem) bool {
			return p.Element == row.element && p.Code == row.code && strings.Contains(p.Text, row.text)
		}) {
			t.Errorf("%s: no %s at %s about %s", row.file, row.code, row.element, row.text)
		}
	}
}

// TestMarkedPaymentHubFlow: with its ends marked as they are named, the flow is found
// to be right; with one of them marked completed that is not, it is refused.
func TestMarkedPaymentHubFlow(t *testing.T) {
	root := os.Getenv("RAILHEAD_SHARED")
	if root == "" {
		t.Skip("needs RAILHEAD_SHARED, the folder of shared test data")
	}
	p := deployed(t, filepath.Join(root, "flows/paymenthub/ph-ee-env-labs__gsma-p2p.bpmn"))[0]
	ends := map[string]enginev1.Result{
		"Event_1sh6bqo": enginev1.Result_RESULT_COMPLETED, "Event_0yilwue": enginev1.Result_RESULT_FAILED,
		"Event_1ih6ls7": enginev1.Result_RESULT_FAILED, "Event_1ullala": enginev1.Result_RESULT_UNKNOWN,
	}
	if problems := lint.Flow(p, lint.Known{Ends: ends}); bpmn.Refused(problems) {
		t.Error(problems)
	}
	ends["Event_0yilwue"] = enginev1.Result_RESULT_COMPLETED
	if problems := lint.Flow(p, lint.Known{Ends: ends}); !bpmn.Refused(problems) {
		t.Error("a failed payment looks completed, and nothing is said")
	}
}
