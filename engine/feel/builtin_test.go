package feel

import (
	"slices"
	"strings"
	"testing"
)

// standard are the functions of DMN 1.3, section 10.3.4, and below the line those of
// DMN 1.4 and 1.5.
const standard = `
conversion  date, date and time, time, number, string, duration, years and months duration
boolean     not
string      substring, string length, upper case, lower case, substring before, substring after, replace, contains, starts with, ends with, matches, split
list        list contains, count, min, max, sum, mean, all, any, sublist, append, concatenate, insert before, remove, reverse, index of, union, distinct values, flatten, product, median, stddev, mode
number      decimal, floor, ceiling, abs, modulo, sqrt, log, exp, odd, even
temporal    is, day of year, day of week, month of year, week of year
range       before, after, meets, met by, overlaps, overlaps before, overlaps after, finishes, finished by, includes, during, starts, started by, coincides
sort        sort
context     get value, get entries

later       string join, round up, round down, round half up, round half down, now, today, context, context put, context merge, range, list replace
`

// TestBuiltins: no function of the standard is missing, and what is there beyond it
// is meant.
func TestBuiltins(t *testing.T) {
	known := map[string]bool{}
	for line := range strings.Lines(standard) {
		_, names, _ := strings.Cut(strings.TrimSpace(line), "  ")
		for name := range strings.SplitSeq(strings.TrimSpace(names), ", ") {
			if known[name] = true; name != "" && builtins[name] == nil {
				t.Errorf("there is no function %s", name)
			}
		}
	}
	var more []string
	for name := range builtins {
		if !known[name] {
			more = append(more, name)
		}
	}
	slices.Sort(more)
	want := "assert, duplicate values, extract, from json, get or else, is blank, is defined, is empty, last day of month, partition, to base64, to json, trim"
	if got := strings.Join(more, ", "); got != want {
		t.Errorf("beyond the standard: %s\nwant %s", got, want)
	}
}
