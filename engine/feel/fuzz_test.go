package feel

import (
	"bufio"
	"errors"
	"fmt"
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
		if slices.Contains(warnings, tooMuch) {
			return // it would take as long again
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

// FuzzEval: whatever the variables hold, the plain closures and the general ones
// agree, also where a variable is read as a text.
func FuzzEval(f *testing.F) {
	for _, src := range []string{`a = b`, `a < b`, `a != "x"`, `"x" = a`, `a and b`, `a or not(b)`, `a between 1 and b`,
		`a in (1, "x", null)`, `a in [1..5]`, `if a then b else a + 1`, `a * 2 >= b - 1`, `a`, `a[1].x = b`, `count(a) > 1`} {
		for _, text := range []string{`1`, `-0`, `1.50`, `1e400`, `"x"`, `"x\\u0000"`, `"\u212a"`, `true`, `null`, `[1,"x"]`, `{"x":1}`,
			`"` + strings.Repeat("x", 5000) + `"`} {
			f.Add(src, []byte(text), []byte(`"x"`))
			f.Add(src, []byte(text), []byte(text))
		}
	}
	f.Fuzz(func(t *testing.T, src string, a, b []byte) {
		x, err := Compile(src)
		if err != nil {
			return
		}
		scope := rows{"a": a, "b": b}
		want, _ := x.EvalWithWarnings(scope)
		text := string(want.AppendJSON(nil))
		if got := string(x.Eval(scope).AppendJSON(nil)); got != text {
			t.Fatalf("%q for %s and %s gives %s, and plainly %s", src, a, b, text, got)
		}
		holds, isBool := x.EvalBool(scope)
		if wantHolds, wantBool := want.Bool(); holds != wantHolds || isBool != wantBool {
			t.Fatalf("%q for %s and %s gives %s, and plainly %v %v", src, a, b, text, holds, isBool)
		}
	})
}

// FuzzTemporal: what a date, time or duration is written as is read back as the same,
// except that the second of two equal hours is read as the first; and any two of them
// can be combined.
func FuzzTemporal(f *testing.F) {
	for _, text := range []string{"2024-02-29", "-999999999-01-01", "23:59:59.999999999@Europe/Paris", "24:00:00Z", "2024-10-27T02:30:00@Europe/Paris",
		"999999999-12-31T24:00:00@Pacific/Kiritimati", "P999999999Y", "-P1125899906842624S", "PT0.000000001S", "P1Y2M3DT4H5M6.7S", "P2W",
		"2026-11-20T07:00:00-13:59:59", "2019-10-02T08:09:40+02:00[Europe/Berlin]"} {
		f.Add(text, "PT-1S")
		f.Add(text, text)
	}
	f.Add("PT1S", strings.Repeat("\x80", 81)) // no character begins here
	f.Fuzz(func(t *testing.T, one, other string) {
		a, b := parseTemporal(one), parseTemporal(other)
		for _, v := range []Value{a, b} {
			if v.IsNull() {
				continue
			}
			back := parseTemporal(v.String())
			if back.kind != v.kind || back.String() != v.String() {
				t.Fatalf("%s is read back as %s", v, back)
			}
		}
		r := &run{budget: maxBudget}
		for _, op := range []byte("+-*/^") {
			arithmetic(r, op, a, b)
			arithmetic(r, op, a, Int(7))
		}
		if order, ok := compare(a, b); ok {
			if reverse, _ := compare(b, a); reverse != -order {
				t.Fatalf("%s and %s have the orders %d and %d", a, b, order, reverse)
			}
		}
		for _, name := range []string{"year", "month", "day", "weekday", "hour", "minute", "second", "time offset", "timezone", "years", "months", "days"} {
			part(a, name)
		}
		for _, name := range []string{"date", "time", "date and time", "years and months duration", "day of week", "week of year", "last day of month", "string", "abs"} {
			args := []Value{a, b}
			if _, ok := builtins[name].order(nil, 2); !ok {
				args = args[:1]
			}
			builtins[name].call(r, args)
		}
		if ms, ok := InstantOf(String(one)); ok {
			if p, ok := PeriodOf(String(other)); ok && p.Months >= 0 && p.MS >= 0 && p.After(ms) < ms {
				t.Fatalf("%s after %s is before it", other, one)
			}
		}
	})
}

// FuzzPattern: no regular expression takes long or leaves what is no value, and where
// a search with backtracking ends it finds what Go's finds.
func FuzzPattern(f *testing.F) {
	f.Add("abracadabra", "(a)(b*)", "[$1$2]", "i")
	f.Add("x[Y-z]", "[A-Z-[OI]]", "", "qi")
	f.Add("aaaaaaaaaaaaaaaaaaaaaaaa!", "(a+)+$", "$0$0", "")
	f.Add("a\nb", `\p{IsBasicLatin}+`, `\$`, "smx")
	f.Add(strings.Repeat("a", 3000), strings.Repeat("(a?){30}", 20), strings.Repeat("$0", 50), "")
	f.Add("h", `(.)\1`, "$9", "")
	f.Add("aab abab", `((a|ab)(b|))*?b`, "", "")
	f.Fuzz(func(t *testing.T, input, text, replacement, flags string) {
		r := &run{budget: maxBudget}
		for name, args := range map[string][]Value{
			"matches": {String(input), String(text), String(flags)},
			"replace": {String(input), String(text), String(replacement), String(flags)},
			"split":   {String(input), String(text)},
		} {
			if v := builtins[name].call(r, args); v.weight() > maxWeight {
				t.Fatalf("%s gives a value of weight %d", name, v.weight())
			}
		}
		p := newPattern(text, flags)
		if p == nil || p.linear == nil {
			return
		}
		q := (&pattern{fold: p.fold}).searched(p.linear.String())
		want, _ := p.all(&run{budget: maxBudget}, input)
		got, ok := q.all(&run{budget: maxBudget}, input)
		if !ok {
			return
		}
		if len(got) != len(want) {
			t.Fatalf("%q in %q: %.200s, want %.200s", text, input, fmt.Sprint(got), fmt.Sprint(want))
		}
		for i := range got {
			if got[i][0] != want[i][0] || got[i][1] != want[i][1] {
				t.Fatalf("%q in %q: %.200s, want %.200s", text, input, fmt.Sprint(got), fmt.Sprint(want))
			}
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
	`{b: 1e6000 * n, r: for i in 1..1000000 return modulo(b, 1.37 * i)}.r`,
	`{b: 1e6000 * n, r: for i in 1..1000000 return b ** 0.3}.r`,
	`{b: 1.0000001 * n, r: for i in 1..1000000 return b ** 99999}.r`,
	`{b: 1e-6000 * n, r: for i in 1..1000000 return time(10, 10, b)}.r`,
	`{f: function(x) x + x, r: for i in 1..100000 return f("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")}.r`,
	`{f: function(n, g) if n = 0 then 1 else g(n - 1, g) + g(n - 1, g), r: f(30, f)}.r`,
	`{f: function(l) if count(l) > 500000 then l else f(concatenate(l, l)), r: f([1])}.r`,
	`{l: for i in 1..30000 return i, r: for j in 1..10000 return l instance of list<number>}.r`,
	`{l: for i in 1..30000 return i, r: for j in 1..10000 return to json(l)}.r`,
	`for i in 1..1000 return matches(string join(for j in 1..1000 return "a"), "((a?){100}){10}")`,
	`for i in 1..1000 return extract(string join(for j in 1..1000 return "a"), "")`,
	`replace(string join(for i in 1..2000 return "aaaaaaaaaaaaaaaaaaaaaaaa"), ".*", string join(for i in 1..20000 return "$0"))`,
	`matches(string join(for i in 1..20000 return "ab"), "(a|b|ab)*\\1c")`,
	`matches(string join(for i in 1..20000 return "a"), "(a*)*(a*)*\\2\\1b")`,
	`from json(string join(for j in 1..1000 return "["))`,
	`number("1e999999")`,
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
		strings.Repeat("for a in [1] return ", 100)+"partial", strings.Repeat("for a in [1, 2] return ", 60)+"1",
		"1e"+strings.Repeat("9", 10_000), "number(\"1e"+strings.Repeat("9", 10_000)+"\")", strings.Repeat("1/0+", 2000)+"1", strings.Repeat("function(a) ", 100)+"a") {
		x, err := Compile(src)
		if err != nil {
			continue
		}
		x.EvalWithWarnings(testScope)
	}
}
