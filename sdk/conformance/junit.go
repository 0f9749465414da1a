package conformance

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

// The JUnit format, as far as build servers agree on it.
type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Skipped  int          `xml:"skipped,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name       string          `xml:"name,attr"`
	Tests      int             `xml:"tests,attr"`
	Failures   int             `xml:"failures,attr"`
	Errors     int             `xml:"errors,attr"`
	Skipped    int             `xml:"skipped,attr"`
	Properties []junitProperty `xml:"properties>property"`
	Cases      []junitCase     `xml:"testcase"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	Class   string       `xml:"classname,attr"`
	Name    string       `xml:"name,attr"`
	Failure *junitText   `xml:"failure"`
	Skipped *junitReason `xml:"skipped"`
	Output  string       `xml:"system-out,omitempty"`
}

type junitText struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

type junitReason struct {
	Message string `xml:"message,attr"`
}

// JUnit writes the report for build servers: a suite for each group, in which a case
// that is not applicable is skipped, with the reason. What a vector costs stands in
// the output of its case of the group crash.
func (r *Report) JUnit(w io.Writer) error {
	out := junitSuites{Name: r.Connector + " " + r.Version}
	costs := map[string]string{}
	for _, c := range r.Costs {
		costs[groupCrash+"/"+c.Vector] = fmt.Sprintf("steps %d, fuel %d, dearest step %d of %d, memory %d bytes",
			c.Steps, c.Fuel, c.FuelDearest, r.FuelMax, c.MemoryBytes)
	}
	for _, v := range r.Verdicts {
		group, rest, _ := strings.Cut(v.Case, "/")
		if n := len(out.Suites); n == 0 || out.Suites[n-1].Name != group {
			out.Suites = append(out.Suites, junitSuite{Name: group, Properties: []junitProperty{
				{"connector", r.Connector}, {"version", r.Version}, {"kind", r.Kind}, {"sha256", r.Digest},
			}})
		}
		s := &out.Suites[len(out.Suites)-1]
		c := junitCase{Class: r.Connector + "." + group, Name: rest, Output: costs[v.Case]}
		if group == r.Kind {
			if at := strings.LastIndexByte(rest, '/'); at > 0 {
				c.Class, c.Name = c.Class+"."+strings.ReplaceAll(rest[:at], "/", "."), rest[at+1:]
			}
		}
		switch v.Status {
		case Failed:
			first, _, _ := strings.Cut(v.Text, "\n")
			c.Failure = &junitText{Message: first, Text: v.Text}
			s.Failures++
			out.Failures++
		case NotApplicable:
			c.Skipped = &junitReason{Message: v.Text}
			s.Skipped++
			out.Skipped++
		case Passed:
		}
		s.Tests++
		out.Tests++
		s.Cases = append(s.Cases, c)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return fmt.Errorf("conformance: writing the report: %w", err)
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(out); err != nil {
		return fmt.Errorf("conformance: writing the report: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}
