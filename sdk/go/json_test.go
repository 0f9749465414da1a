package connector

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
)

// encoding/json is the twin that the hand-written code is held against.

func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "plain", "\"\\\n\r\t\x00\x1f\x7f", "Ω ∞ 🚂", "\xff broken \xc3", "\u2028"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		written := appendString(nil, s)
		var got string
		if err := json.Unmarshal(written, &got); err != nil {
			t.Fatalf("%q becomes %s: %v", s, written, err)
		}
		if want := strings.ToValidUTF8(s, "\ufffd"); got != want && got != each(s) {
			t.Fatalf("%q comes back as %q", s, got)
		}
		if back, ok := unquote(string(written)); !ok || back != got {
			t.Fatalf("%s is read as %q", written, back)
		}
	})
}

// each replaces every broken byte by one U+FFFD, as encoding/json does.
func each(s string) string {
	var out strings.Builder
	for _, r := range s {
		out.WriteRune(r)
	}
	return out.String()
}

func FuzzUnquote(f *testing.F) {
	for _, s := range []string{`""`, `"a\u00e9\ud83d\ude82\/\b\f"`, `"\ud83d"`, `"\ud83d\u0041"`, `"\x"`, `"`, `"a"b"`, "\"\n\""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var want string
		errWant := json.Unmarshal([]byte(s), &want)
		if strings.TrimSpace(s) != s || s == "null" {
			return // JSON texts are given without surrounding blanks
		}
		got, ok := unquote(s)
		if ok != (errWant == nil) {
			t.Fatalf("%q: ok is %v, encoding/json says %v", s, ok, errWant)
		}
		if ok && each(got) != want {
			t.Fatalf("%q: got %q, want %q", s, got, want)
		}
	})
}

func TestVars(t *testing.T) {
	got := Vars{
		"a": nil, "b": "x", "c": true, "d": -1, "e": int64(math.MinInt64), "f": uint64(math.MaxUint64),
		"g": 1.5, "h": RawJSON(`{"z":1}`), "i": Vars{"b": 1, "a": 2}, "j": map[string]any{"k": []any{1, "2"}},
		"k": []string{"x"}, "l": []Vars{{"a": 1}}, "m": map[string]string{"n": "o"}, "n": json.Number("12.50"),
		"o": RawJSON(nil), "p": Value(struct{ A string }{"b"}),
	}.JSON()
	want := `{"a":null,"b":"x","c":true,"d":-1,"e":-9223372036854775808,"f":18446744073709551615,"g":1.5,"h":{"z":1},` +
		`"i":{"a":2,"b":1},"j":{"k":[1,"2"]},"k":["x"],"l":[{"a":1}],"m":{"n":"o"},"n":12.50,"o":null,"p":{"A":"b"}}`
	if string(got) != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
}

func TestVarsRefuse(t *testing.T) {
	for what, v := range map[string]any{"struct": struct{}{}, "NaN": math.NaN(), "infinity": math.Inf(1), "channel": make(chan int)} {
		func() {
			defer func() {
				if p := recover(); p == nil || !strings.Contains(p.(string), `"key"`) {
					t.Errorf("%s: got %v", what, p)
				}
			}()
			Vars{"key": v}.JSON()
		}()
	}
}

func TestJobVariables(t *testing.T) {
	job := new(Job)
	with := func(json string) {
		var w writer
		at := w.begin(jobVariables)
		w.text(1, "v")
		w.text(2, json)
		w.end(at)
		*job = Job{}
		job.decode(new(rooms), string(w))
	}
	for _, row := range []struct {
		json string
		text string
		n    int64
		isN  bool
		yes  bool
		has  bool
	}{
		{`"12.50"`, "12.50", 0, false, false, true},
		{`"7"`, "7", 7, true, false, true},
		{`7`, "7", 7, true, false, true},
		{`7.5`, "7.5", 0, false, false, true},
		{`99999999999999999999`, "99999999999999999999", 0, false, false, true},
		{`true`, "true", 0, false, true, true},
		{`"true"`, "true", 0, false, false, true},
		{`null`, "", 0, false, false, false},
		{``, "", 0, false, false, false},
	} {
		with(row.json)
		n, isN := job.Int("v")
		if job.String("v") != row.text || n != row.n || isN != row.isN || job.Bool("v") != row.yes || job.Has("v") != row.has {
			t.Errorf("%s: %q, %d %v, %v, %v", row.json, job.String("v"), n, isN, job.Bool("v"), job.Has("v"))
		}
	}
	with(`{"a":1}`)
	var v struct{ A int }
	if err := job.Decode("v", &v); err != nil || v.A != 1 {
		t.Errorf("%+v, %v", v, err)
	}
	if err := job.Decode("missing", &v); err != nil || !reflect.DeepEqual(v, struct{ A int }{1}) {
		t.Errorf("%+v, %v", v, err)
	}
	with(`"text"`)
	if err := job.Decode("v", &v); err == nil || !strings.Contains(err.Error(), `"v"`) {
		t.Errorf("%v", err)
	}
}
