package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

const passing = `
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestA/one"}
{"Action":"pass","Package":"p","Test":"TestA/one"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestB"}
{"Action":"output","Package":"p","Test":"TestB","Output":"=== RUN   TestB\n"}
{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:7: needs RAILHEAD_SHARED, the folder of shared test data\n"}
{"Action":"skip","Package":"p","Test":"TestB"}
{"Action":"output","Package":"p","Output":"PASS\n"}
{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}
{"Action":"pass","Package":"p"}
`

const failing = `
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:3: got 1, want 2\n"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}
{"Action":"fail","Package":"p"}
`

const unbuildable = `
{"ImportPath":"p [p.test]","Action":"build-output","Output":"p/a.go:1: undefined: x\n"}
{"ImportPath":"p [p.test]","Action":"build-fail"}
{"Action":"output","Package":"p","Output":"FAIL\tp [build failed]\n"}
{"Action":"fail","Package":"p"}
`

func TestCount(t *testing.T) {
	cases := []struct {
		name, in string
		want     totals
		shows    []string
	}{
		{"passing", passing, totals{1, 0, 1}, []string{
			"ok  \tp\t0.1s", "skipped 1: needs RAILHEAD_SHARED, the folder of shared test data", "1 passed, 0 failed, 1 skipped\n",
		}},
		{"failing", failing, totals{0, 1, 0}, []string{"a_test.go:3: got 1, want 2", "FAIL\tp"}},
		{"unbuildable", unbuildable, totals{0, 1, 0}, []string{"undefined: x", "[build failed]"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			counter := newCounter(&out)
			if err := counter.read(strings.NewReader(strings.TrimPrefix(c.in, "\n"))); err != nil {
				t.Fatal(err)
			}
			counter.report()
			if counter.totals != c.want {
				t.Errorf("counted %+v, want %+v", counter.totals, c.want)
			}
			for _, s := range c.shows {
				if !strings.Contains(out.String(), s) {
					t.Errorf("output lacks %q:\n%s", s, out.String())
				}
			}
		})
	}
}

func TestTally(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tally")
	for _, t0 := range []totals{{1, 0, 2}, {3, 1, 0}} {
		if err := appendTally(file, t0); err != nil {
			t.Fatal(err)
		}
	}
	sum, err := readTally(file)
	if err != nil {
		t.Fatal(err)
	}
	if want := (totals{4, 1, 2}); sum != want {
		t.Errorf("sum %+v, want %+v", sum, want)
	}
}
