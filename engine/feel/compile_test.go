package feel

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

// TestSyntaxErrors: where each text stops being FEEL.
func TestSyntaxErrors(t *testing.T) {
	for _, row := range []struct {
		src    string
		offset int
	}{
		{``, 0},
		{`   `, 3},
		{`1 +`, 3},
		{`(1`, 2},
		{`[1, 2`, 5},
		{`{a: 1`, 5},
		{`{a 1}`, 4},
		{`"abc`, 4},
		{`a == true`, 3},
		{`a && b`, 2},
		{`a b`, 2},
		{`if a then b`, 11},
		{`for x in`, 8},
		{`some x in xs`, 12},
		{`@date`, 1},
		{`1 /* open`, 2},
		{`x in`, 4},
		{`a..b`, 1},
		{`[1..2`, 5},
		{`and`, 0},
		{`1e7000`, 0},
		{`a.1`, 2},
		{`x instance of`, 13},
		{`${approved}`, 0},
		{`1 + random number()`, 18},
		{`uuid() = "x"`, 5},
		{strings.Repeat("(", 200), maxDepth / 2},
		{strings.Repeat("1+", 5000) + "1", 0},
	} {
		_, err := Compile(row.src)
		var syntax *SyntaxError
		if !errors.As(err, &syntax) {
			t.Errorf("%.40s: error %v", row.src, err)
			continue
		}
		if syntax.Offset != row.offset && len(row.src) < 100 {
			t.Errorf("%.40s: %v, want offset %d", row.src, err, row.offset)
		}
	}
	if _, err := Compile(strings.Repeat(" ", maxSource+1)); err == nil {
		t.Error("a text that is too long compiles")
	}
}

func TestStaticInformation(t *testing.T) {
	for _, row := range []struct {
		src       string
		variables []string
		unknown   []string
	}{
		{`a = 1 and b.c > a`, []string{"a", "b"}, nil},
		{`some x in phases satisfies x <= rate`, []string{"phases", "rate"}, nil},
		{`{a: 1, b: a + c}.b`, []string{"c"}, nil},
		{`items[price > limit]`, []string{"items", "price", "limit"}, nil},
		{`(function(x) x + y)(1)`, []string{"y"}, nil},
		{`string length(name) > 3`, []string{"name"}, nil},
		{`isOk(a)`, []string{"isOk", "a"}, []string{"isOk"}},
		{`x in (? > y)`, []string{"x", "y"}, nil},
		{`count(count)`, []string{"count"}, nil},
	} {
		x, err := Compile(row.src)
		if err != nil {
			t.Errorf("%s: %v", row.src, err)
			continue
		}
		if got := x.Variables(); !reflect.DeepEqual(got, row.variables) {
			t.Errorf("%s takes %v, want %v", row.src, got, row.variables)
		}
		if got := x.UnknownFunctions(); !reflect.DeepEqual(got, row.unknown) {
			t.Errorf("%s calls %v, want %v", row.src, got, row.unknown)
		}
	}
}

// TestLiterals: whatever an expression compares with can be asked of it, so that a
// test can find the values that decide a flow.
func TestLiterals(t *testing.T) {
	for src, want := range map[string]string{
		`state = "COMMITTED"`:                `["COMMITTED"]`,
		`"COMMITTED" != state`:               `["COMMITTED"]`,
		`failed = true or n < -3`:            `[true, -3]`,
		`rate in [0.5..1]`:                   `[0.5, 1]`,
		`x in ("A", "B")`:                    `["A", "B"]`,
		`n between 1 and 9`:                  `[1, 9]`,
		`some x in xs satisfies x = 7`:       `[7]`,
		`if a = null then b else c[k = "L"]`: `[null, "L"]`,
		`a = b`:                              `[]`,
	} {
		x, err := Compile(src)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		if got := List(x.Literals()...).String(); got != want {
			t.Errorf("%s has the literals %s, want %s", src, got, want)
		}
	}
}

// TestNames: words run together into a name only where that name is known.
func TestNames(t *testing.T) {
	x, err := CompileWith(`monthly rate * 2 + rate-to-go`, "monthly   rate", "rate-to-go")
	if err != nil {
		t.Fatal(err)
	}
	if got := x.Eval(Variables{"monthly rate": Int(3), "rate-to-go": Int(1)}); got.String() != "7" {
		t.Errorf("= %s", got)
	}
	if _, err := Compile(`monthly rate * 2`); err == nil {
		t.Error("two words in a row are no name if nothing says so")
	}
	x, err = Compile(`rate-to-go`)
	if err != nil {
		t.Fatal(err)
	}
	if got := x.Eval(Variables{"rate": Int(9), "to": Int(2), "go": Int(3)}); got.String() != "4" {
		t.Errorf("without the name known it is a subtraction: %s", got)
	}
}

// TestWarnings: an incident says what was missing, never a value.
func TestWarnings(t *testing.T) {
	for _, row := range []struct{ src, want string }{
		{`secret < limit`, "there is no variable limit; a string and a null have no order"},
		{`secret = 1`, "comparing a string with a number"},
		{`secret + 1`, "string + number has no meaning"},
		{`secret.part`, "a string has no property part"},
		{`1 / 0`, "a number that cannot be computed (/)"},
		{`substring("a")`, "the arguments of substring do not fit"},
		{`nothing()`, "there is no variable nothing; calling what is no function"},
		{`now()`, "now() where there is no clock"},
		{`1 = 1`, ""},
	} {
		x, err := Compile(row.src)
		if err != nil {
			t.Errorf("%s: %v", row.src, err)
			continue
		}
		_, warnings := x.EvalWithWarnings(Variables{"secret": String("hunter2")})
		if got := strings.Join(warnings, "; "); got != row.want || strings.Contains(got, "hunter2") {
			t.Errorf("%s: %q, want %q", row.src, got, row.want)
		}
	}
}
