package feel

import (
	"os"
	"strings"
	"testing"
)

// TestConditions runs testdata/conditions.txt.
func TestConditions(t *testing.T) {
	text, err := os.ReadFile("testdata/conditions.txt")
	if err != nil {
		t.Fatal(err)
	}
	sets := []Scope{nil, nil, Variables{}}
	count := 0
	for line := range strings.SplitSeq(string(text), "\n") {
		columns := strings.Split(line, "\t")
		switch {
		case line == "" || strings.HasPrefix(line, "# "), line == "#":
			continue
		case columns[0] == "A" || columns[0] == "B":
			sets[columns[0][0]-'A'] = contextScope(mustJSON(columns[1]))
			continue
		}
		count++
		src, marked := strings.CutPrefix(columns[0], "=")
		values := columns[1:]
		if !marked {
			if values[0] != "refused" {
				t.Errorf("%s: plain text must be refused", columns[0])
			}
			values = values[1:]
		}
		x, err := Compile(src)
		if values[0] == "not FEEL" {
			if err == nil {
				t.Errorf("%s: compiles", columns[0])
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", columns[0], err)
			continue
		}
		for i, want := range values {
			got := x.Eval(sets[i])
			if got.String() != want {
				t.Errorf("%s in set %d = %s, want %s", columns[0], i, got, want)
			}
			if holds, isBool := x.EvalBool(sets[i]); isBool != (want != "null") || holds != (want == "true") {
				t.Errorf("%s in set %d: EvalBool %v %v, want %s", columns[0], i, holds, isBool, want)
			}
		}
	}
	if count < 180 {
		t.Errorf("only %d conditions", count)
	}
}

// contextScope is a Scope of a context's entries.
type contextScope Value

func (c contextScope) Lookup(name string) (Value, bool) { return Value(c).Get(name) }
