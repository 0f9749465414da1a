// Command testcount reads the output of "go test -json", shows what go test
// would show, and ends with how many tests passed, failed and were skipped, so
// that a skip is never overlooked.
//
//	go test -json ./... | go run ./tools/testcount
//	go run ./tools/testcount -sum FILE     the totals of several runs
//
// It exits 1 when a test or a build failed, or when no test ran at all.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// event is a line of test2json; see "go doc test2json". Build output has
// ImportPath in place of Package.
type event struct {
	Action, Package, Test, Output, ImportPath string
	Elapsed                                   float64
}

// totals counts tests and subtests that have no subtests of their own, and
// packages that failed outside any test.
type totals struct {
	Passed  int `json:"passed"`
	Failed  int `json:"failed"`
	Skipped int `json:"skipped"`
}

func main() {
	tally := flag.String("tally", "", "append the totals to this `file`, for -sum")
	sum := flag.String("sum", "", "print the totals gathered in this `file` and exit")
	flag.Parse()
	if *sum != "" {
		t, err := readTally(*sum)
		if err != nil {
			fmt.Fprintln(os.Stderr, "testcount:", err)
			os.Exit(1)
		}
		fmt.Fprintf(os.Stdout, "%d passed, %d failed\n", t.Passed, t.Failed)
		exit(t)
		return
	}
	c := newCounter(os.Stdout)
	if err := c.read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "testcount:", err)
		os.Exit(1)
	}
	c.report()
	if *tally != "" {
		if err := appendTally(*tally, c.totals); err != nil {
			fmt.Fprintln(os.Stderr, "testcount:", err)
			os.Exit(1)
		}
	}
	exit(c.totals)
}

// exit ends the process if the totals are no success.
func exit(t totals) {
	if t.Failed > 0 || t.Passed == 0 {
		os.Exit(1)
	}
}

type key struct{ pkg, test string }

type counter struct {
	out     io.Writer
	totals  totals
	output  map[key][]string // of tests still running
	parents map[key]bool     // tests that have subtests
	failed  map[string]bool  // packages with a failed test
	reasons map[string]int   // why tests were skipped
}

func newCounter(out io.Writer) *counter {
	return &counter{
		out: out, output: map[key][]string{}, parents: map[key]bool{}, failed: map[string]bool{}, reasons: map[string]int{},
	}
}

func (c *counter) read(r io.Reader) error {
	lines := bufio.NewReaderSize(r, 1<<20)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil || e.Action == "" {
				fmt.Fprintf(c.out, "%s", line) // not from test2json: go's own words
			} else {
				c.take(e)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (c *counter) take(e event) {
	k := key{e.Package, e.Test}
	switch e.Action {
	case "run":
		if i := strings.LastIndex(e.Test, "/"); i > 0 {
			c.parents[key{e.Package, e.Test[:i]}] = true
		}
	case "output":
		c.output[k] = append(c.output[k], e.Output)
	case "build-output":
		fmt.Fprint(c.out, e.Output)
	case "pass", "fail", "skip":
		c.end(k, e)
		delete(c.output, k)
	}
}

func (c *counter) end(k key, e event) {
	if k.test == "" {
		// Of a package go test shows its last line; all of it when it failed,
		// for then it may have died outside a test.
		output := c.output[k]
		if e.Action == "fail" {
			fmt.Fprint(c.out, strings.Join(output, ""))
			if !c.failed[k.pkg] {
				c.totals.Failed++
			}
		} else if len(output) > 0 && !strings.Contains(output[len(output)-1], "[no test files]") {
			fmt.Fprint(c.out, output[len(output)-1])
		}
		return
	}
	if e.Action == "fail" {
		fmt.Fprint(c.out, strings.Join(c.output[k], ""))
	}
	if c.parents[k] && e.Action != "fail" {
		return // its subtests are counted
	}
	switch e.Action {
	case "pass":
		c.totals.Passed++
	case "fail":
		c.totals.Failed++
		c.failed[k.pkg] = true
	case "skip":
		c.totals.Skipped++
		c.reasons[reason(c.output[k])]++
	}
}

// reason is what a skipped test said: the text after file and line.
func reason(output []string) string {
	for _, line := range output {
		if _, text, ok := strings.Cut(line, ".go:"); ok {
			if _, text, ok = strings.Cut(text, ": "); ok {
				return strings.TrimSpace(text)
			}
		}
	}
	return "no reason given"
}

func (c *counter) report() {
	reasons := make([]string, 0, len(c.reasons))
	for r := range c.reasons {
		reasons = append(reasons, r)
	}
	slices.Sort(reasons)
	fmt.Fprintln(c.out)
	for _, r := range reasons {
		fmt.Fprintf(c.out, "skipped %d: %s\n", c.reasons[r], r)
	}
	fmt.Fprintf(c.out, "%d passed, %d failed, %d skipped\n", c.totals.Passed, c.totals.Failed, c.totals.Skipped)
}

func appendTally(file string, t totals) error {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(f).Encode(t); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}

func readTally(file string) (sum totals, err error) {
	f, err := os.Open(file)
	if err != nil {
		return sum, err
	}
	defer f.Close()
	for d := json.NewDecoder(f); ; {
		var t totals
		if err := d.Decode(&t); err == io.EOF {
			return sum, nil
		} else if err != nil {
			return sum, fmt.Errorf("%s: %w", file, err)
		}
		sum.Passed += t.Passed
		sum.Failed += t.Failed
		sum.Skipped += t.Skipped
	}
}
