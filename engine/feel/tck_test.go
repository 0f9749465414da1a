package feel

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/cockroachdb/apd/v3"
)

// The bar for the DMN Technology Compatibility Kit: the share of its results whose
// decision is a literal FEEL expression that must be right, and how many are. The
// count may only rise.
const (
	tckShare = 0.97
	tckFloor = 2950
)

var tckVerbose = flag.Bool("tck", false, "print every result of the compatibility kit that is wrong")

// result is one result node of the kit whose decision is a literal expression.
type result struct {
	file, test, node string
	text             string
	got, want        Value
	right            bool
	panicked         any
}

func (r *result) String() string { return r.file + "\t" + r.test + "\t" + r.node }

// TestCompatibilityKit runs every decision of the kit that is a literal expression
// and prints the score. The results that are wrong must be those of
// testdata/tck-failures.txt, each with its reason, neither more nor fewer.
// Decisions that are tables or boxed expressions are no FEEL texts and do not count.
func TestCompatibilityKit(t *testing.T) {
	root := os.Getenv("RAILHEAD_SHARED")
	if root == "" {
		t.Skip("needs RAILHEAD_SHARED, the folder of shared test data")
	}
	var files []string
	err := filepath.WalkDir(filepath.Join(root, "feel-tck"), func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".xml") {
			files = append(files, path)
		}
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("RAILHEAD_SHARED is %s, and there is no feel-tck (%v)", root, err)
	}
	sort.Strings(files)
	known := knownFailures(t)
	passed, total, panics := 0, 0, 0
	for _, file := range files {
		for _, r := range runKit(t, file) {
			total++
			if r.panicked != nil {
				panics++
				t.Errorf("%s: panic: %v", &r, r.panicked)
			}
			reason, listed := known[r.String()]
			delete(known, r.String())
			switch {
			case r.right:
				passed++
				if listed {
					t.Errorf("%s is right now: take it off the list (%s)", &r, reason)
				}
			case !listed:
				t.Errorf("%s is wrong and not on the list: %s = %s, want %s", &r, r.text, r.got, r.want)
			case *tckVerbose:
				t.Logf("%s: %s = %s, want %s (%s)", &r, r.text, r.got, r.want, reason)
			}
		}
	}
	for row := range known {
		t.Errorf("%s is on the list of failures but not in the kit", row)
	}
	t.Logf("FEEL compatibility kit: %d of %d results right (%.2f %%), %d panics", passed, total, 100*float64(passed)/float64(total), panics)
	if passed < tckFloor || float64(passed) < tckShare*float64(total) {
		t.Errorf("%d of %d results right: the bar is %d and %.0f %%", passed, total, tckFloor, 100*tckShare)
	}
}

// knownFailures reads testdata/tck-failures.txt: file, case, node, reason, parted by
// tabs.
func knownFailures(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("testdata/tck-failures.txt")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]string{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		columns := strings.Split(line, "\t")
		if len(columns) != 4 || columns[3] == "" {
			t.Fatalf("testdata/tck-failures.txt: want file, case, node and reason: %q", line)
		}
		known[strings.Join(columns[:3], "\t")] = columns[3]
	}
	return known
}

// runKit runs one file of test cases.
func runKit(t *testing.T, file string) []result {
	t.Helper()
	cases := readXML(t, file)
	m := readModel(t, filepath.Join(filepath.Dir(file), strings.TrimSpace(cases.first("modelName").Text)))
	var results []result
	for _, c := range cases.all("testCase") {
		inputs := Variables{}
		for _, in := range c.all("inputNode") {
			inputs[in.attr("name")] = tckValue(in)
		}
		for _, node := range c.all("resultNode") {
			decision := m.decisions[node.attr("name")]
			literal := decision.first("literalExpression")
			if literal == nil {
				continue
			}
			r := result{
				file: filepath.Base(file), test: c.attr("id"), node: node.attr("name"),
				text: strings.TrimSpace(literal.first("text").Text),
			}
			if expected := node.first("expected"); expected != nil {
				r.want = tckValue(expected)
			}
			run := sitting{model: m, inputs: inputs}
			if c.attr("type") == "decisionService" {
				run = run.within(m.services[c.attr("invocableName")], inputs)
			}
			r.got, r.panicked = run.safely(decision)
			r.right = r.panicked == nil && tckEqual(r.got, r.want)
			results = append(results, r)
		}
	}
	return results
}

// tckValue reads an input or expected value.
func tckValue(e *element) Value {
	if components := e.all("component"); len(components) > 0 {
		var entries []Entry
		for _, c := range components {
			entries = append(entries, Entry{c.attr("name"), tckValue(c)})
		}
		return NewContext(entries...)
	}
	if list := e.first("list"); list != nil {
		var items []Value
		for _, item := range list.all("item") {
			items = append(items, tckValue(item))
		}
		return List(items...)
	}
	value := e.first("value")
	if value == nil || value.attr("nil") == "true" {
		return Null
	}
	text := value.Text
	_, kind, _ := strings.Cut(value.attr("type"), ":")
	if kind != "string" && kind != "" {
		text = strings.TrimSpace(text)
	}
	switch kind {
	case "decimal", "double", "integer":
		v, _ := parseNumber(text)
		return v
	case "boolean":
		return Bool(text == "true")
	case "date":
		return parseDate(text)
	case "time":
		return parseTime(text)
	case "dateTime":
		return parseDateTime(text)
	case "duration":
		return parseDuration(text)
	case "":
		// A value without a type is what it looks like.
		if v, err := FromJSON([]byte(strings.TrimSpace(text))); err == nil {
			return v
		}
	}
	return String(text)
}

// tckEqual compares as the kit's own runner does: numbers to eight places.
func tckEqual(got, want Value) bool {
	if got.Kind() != want.Kind() {
		return false
	}
	switch got.Kind() {
	case KindNumber:
		d := new(apd.Decimal)
		if _, err := decimals.Sub(d, got.decimal(), want.decimal()); err != nil {
			return false
		}
		return d.Abs(d).Cmp(apd.New(1, -8)) < 0
	case KindList:
		if len(got.Items()) != len(want.Items()) {
			return false
		}
		for i := range got.Items() {
			if !tckEqual(got.Items()[i], want.Items()[i]) {
				return false
			}
		}
		return true
	case KindContext:
		if len(got.Entries()) != len(want.Entries()) {
			return false
		}
		for _, entry := range got.Entries() {
			other, ok := want.Get(entry.Key)
			if !ok || !tckEqual(entry.Value, other) {
				return false
			}
		}
		return true
	}
	return fmt.Sprint(got) == fmt.Sprint(want) || areEqual(&run{budget: maxBudget}, got, want)
}
