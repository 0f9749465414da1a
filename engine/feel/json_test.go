package feel

import (
	"strings"
	"testing"
)

// TestJSON: what is read, and how it is written again.
func TestJSON(t *testing.T) {
	for _, row := range []struct{ text, want string }{
		{`true`, `true`},
		{`null`, `null`},
		{`0`, `0`},
		{`-0`, `0`},
		{`-17`, `-17`},
		{`123456789012345678`, `123456789012345678`},
		{`9223372036854775807`, `9223372036854775807`},
		{`9223372036854775808`, `9223372036854775808`},
		{`100.50`, `100.50`},
		{`-0.050`, `-0.050`},
		{`-0.0`, `0`},
		{`1.0`, `1.0`}, // a number keeps the places it was written with
		{`1e3`, `1000`},
		{`1E-3`, `0.001`},
		{`1e60`, `1` + strings.Repeat("0", 60)},
		{`1e6000`, `1E+6000`},
		{`0.1234567890123456789012345678901234567`, `0.1234567890123456789012345678901235`},
		{`"abc"`, `"abc"`},
		{`"a\"b\\c\/\n\u00e9\u0001"`, `"a\"b\\c/\né\u0001"`},
		{`"\ud83d\ude00"`, `"😀"`},
		{"\"\xff\"", `"�"`},
		{` [ 1 , [ ] , {"b" : 1, "a":[null]} ] `, `[1,[],{"b":1,"a":[null]}]`},
		{`{"a":1,"b":2,"a":3}`, `{"b":2,"a":3}`},
		{`{}`, `{}`},
	} {
		v, err := FromJSON([]byte(row.text))
		if err != nil {
			t.Errorf("%s: %v", row.text, err)
			continue
		}
		if got := string(v.AppendJSON(nil)); got != row.want {
			t.Errorf("%s is written %s, want %s", row.text, got, row.want)
		}
	}
	for _, text := range []string{``, ` `, `tru`, `01`, `-`, `1.`, `.5`, `"`, `"a`, "\"\n\"", `"a"b"`, `[1,]`, `{"a"}`, `{a:1}`, `[1] 2`,
		`NaN`, `Infinity`, `1e7000`, strings.Repeat("[", 200) + strings.Repeat("]", 200), `[` + strings.Repeat("1,", maxWeight) + `1]`} {
		if v, err := FromJSON([]byte(text)); err == nil {
			t.Errorf("%.40q is read as %.40s", text, v)
		}
	}
}

// TestValuesAsJSON: FEEL's other types become texts.
func TestValuesAsJSON(t *testing.T) {
	for _, row := range []struct{ src, want string }{
		{`date("2026-11-20")`, `"2026-11-20"`},
		{`@"2026-11-20T10:00:00.5+02:00"`, `"2026-11-20T10:00:00.5+02:00"`},
		{`@"10:00:00@Europe/Paris"`, `"10:00:00@Europe/Paris"`},
		{`duration("-P1DT1.5S")`, `"-P1DT1.5S"`},
		{`duration("P14M")`, `"P1Y2M"`},
		{`[1..3)`, `"[1..3)"`},
		{`function(a) a`, `null`},
		{`1/3`, `0.3333333333333333333333333333333333`},
	} {
		x, err := Compile(row.src)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(x.Eval(nil).AppendJSON(nil)); got != row.want {
			t.Errorf("%s is written %s, want %s", row.src, got, row.want)
		}
	}
}

// FuzzFromJSON: what is read can be written and read again to the same text.
func FuzzFromJSON(f *testing.F) {
	for _, text := range []string{`{"a":[1,-2.50,"x\n",null,true]}`, `-0.050`, `99999999999999999.9`, `999999999999999999.9`, `0.0`, `1e10`, `"\ud800"`, `[[[]]]`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := FromJSON(text)
		if err != nil {
			return
		}
		if v.kind == KindNumber { // the short way and the long one
			if want, ok := parseNumber(strings.TrimSpace(string(text))); !ok || want.String() != v.String() {
				t.Fatalf("%q is read as %s, want %s", text, v, want)
			}
		}
		written := v.AppendJSON(nil)
		again, err := FromJSON(written)
		if err != nil || string(again.AppendJSON(nil)) != string(written) {
			t.Fatalf("%q is written %q, which is read with %v as %q", text, written, err, again.AppendJSON(nil))
		}
	})
}
