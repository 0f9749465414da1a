package feel

import (
	"bufio"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
)

// FuzzCompile: no text makes the compiler or an evaluation panic, take long or
// answer with something that is not a value; and what is printed as JSON is read back.
func FuzzCompile(f *testing.F) {
	for _, row := range expressions {
		f.Add(row.src)
	}
	for _, src := range hostile {
		f.Add(src)
	}
	file, err := os.Open("testdata/conditions.txt")
	if err != nil {
		f.Fatal(err)
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		f.Add(strings.TrimPrefix(lines.Text(), "="))
	}
	f.Fuzz(func(t *testing.T, src string) {
		x, err := Compile(src)
		if err != nil {
			var syntax *SyntaxError
			if !errors.As(err, &syntax) || syntax.Offset < 0 || syntax.Offset > len(src) {
				t.Fatalf("%q: %v", src, err)
			}
			return
		}
		v, warnings := x.EvalWithWarnings(testScope)
		if len(warnings) > maxWarnings {
			t.Fatalf("%q: %d warnings", src, len(warnings))
		}
		text := v.AppendJSON(nil)
		back, err := FromJSON(text)
		if err != nil {
			t.Fatalf("%q gives %s, which is not JSON: %v", src, clip(string(text)), err)
		}
		if again := back.AppendJSON(nil); string(again) != string(text) {
			t.Fatalf("%q gives %s, read back as %s", src, clip(string(text)), clip(string(again)))
		}
		if got := x.Eval(testScope).AppendJSON(nil); string(got) != string(text) {
			t.Fatalf("%q gives %s, and plainly %s", src, clip(string(text)), clip(string(got)))
		}
		// Without computing constants beforehand it gives the same, unless that exceeds
		// the budget.
		root, _ := parse(src, nil)
		slow, warnings := compile(src, root, -1).EvalWithWarnings(testScope)
		if slices.Contains(warnings, tooMuch) {
			return
		}
		if got := slow.AppendJSON(nil); string(got) != string(text) {
			t.Fatalf("%q gives %s, and with its constants computed late %s", src, clip(string(text)), clip(string(got)))
		}
	})
}

// hostile expressions want too much time, memory or stack.
var hostile = []string{
	`for a in 1..100000, b in 1..100000 return a`,
	`for a in 1..1000000000000 return a`,
	`every a in 1..1000000000000 satisfies true`,
	`{a: "0123456789", b: a+a+a+a+a+a+a+a+a+a, c: b+b+b+b+b+b+b+b+b+b, d: c+c+c+c+c+c+c+c+c+c, e: d+d+d+d+d+d+d+d+d+d, f: e+e+e+e+e+e+e+e+e+e, g: f+f+f+f+f+f+f+f+f+f, h: g+g+g+g+g+g+g}.h`,
	`{a: [1,1,1,1,1,1,1,1], b: [a,a,a,a,a,a,a,a], c: [b,b,b,b,b,b,b,b], d: [c,c,c,c,c,c,c,c], e: [d,d,d,d,d,d,d,d], f: [e,e,e,e,e,e,e,e], g: [f,f,f,f,f,f,f,f], h: [g,g,g,g,g,g,g,g], r: h = h}.r`,
	`(function(f) f(f))(function(f) f(f))`,
	`for i in 1..1000 return partial`,
	`10 ** 6144 * 10`,
	`10 ** -6143 / 10 ** 30`,
	`9 ** 99999`,
	`1.000000001 ** 99999`,
	`exp(14000)`,
	`exp(-100000000000)`,
	`log(10 ** 6000)`,
	`sqrt(2 ** 0.5)`,
	`2 ** 2 ** 2 ** 2 ** 2 ** 2`,
	`sort(for i in 1..1000 return modulo(i * 7919, 1000), function(a, b) true)`,
	`distinct values(for i in 1..10000 return i)`,
	`matches(string join(for i in 1..1000 return "a"), "(a*)*b")`,
	`replace(string join(for i in 1..1000 return "a"), "a", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")`,
	`date(999999999, 12, 31) + duration("P1D")`,
	`date(-999999999, 1, 1) - duration("P30000Y")`,
	`duration("P999999999999999D")`,
	`duration("P1D") * 10 ** 20`,
	`-9223372036854775808 / -1`,
	`-9223372036854775808 * -1`,
	`modulo(-9223372036854775808, -1)`,
	`abs(-9223372036854775808)`,
	`1e6144 - 1e-6143`,
	`1e6144 < 1e-6143`,
	`string(1e6144)`,
	`[1,2,3][9223372036854775807]`,
	`[1,2,3][-9223372036854775808]`,
	`sublist([1,2,3], -9223372036854775808, 9223372036854775807)`,
	`substring("abc", -9223372036854775808, 9223372036854775807)`,
	`{f: function(n) n, g: f(n: 1)}`,
	`((((((((((1))))))))))`,
	"\xff\xfe",
	`"\ud800"`,
	`@"` + "\x00" + `"`,
	`not(`, `[`, `{`, `"`, `/*`, `1..`, `a.`, `a[`, `f(`, `for`, `if`, `x in`, `@`, `-`, `?`,
}

// TestHostile: each of them ends, within its budget.
func TestHostile(t *testing.T) {
	for _, src := range append(hostile, strings.Repeat("(", 100_000), strings.Repeat("-", 60_000)+"1",
		strings.Repeat("[", 60)+strings.Repeat("]", 60), strings.Repeat("x in (", 1000), strings.Repeat("f(", 1000),
		strings.Repeat("1+", 30_000)+"1", strings.Repeat("{a:", 1000), strings.Repeat("a.", 20_000)+"a",
		"1"+strings.Repeat("[1]", 20_000), strings.Repeat("if a then b else ", 1000)+"c",
		strings.Repeat("for a in [1] return ", 100)+"partial", strings.Repeat("function(a) ", 100)+"a") {
		x, err := Compile(src)
		if err != nil {
			continue
		}
		x.EvalWithWarnings(testScope)
	}
}
