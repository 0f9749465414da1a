package feel

import (
	"strings"
	"testing"
)

// TestExpressions reads: expression → value, as the string function writes it, with
// strings quoted. The scope of all rows is testScope.
func TestExpressions(t *testing.T) {
	for _, row := range expressions {
		x, err := Compile(row.src)
		if err != nil {
			t.Errorf("%s: %v", row.src, err)
			continue
		}
		var b strings.Builder
		x.Eval(testScope).write(&b)
		if got := b.String(); got != row.want {
			_, warnings := x.EvalWithWarnings(testScope)
			t.Errorf("%s = %s, want %s (%s)", row.src, got, row.want, strings.Join(warnings, "; "))
		}
	}
}

var testScope = Variables{
	"yes":     Bool(true),
	"no":      Bool(false),
	"n":       Int(2),
	"amount":  mustJSON(`100.50`),
	"state":   String("COMMITTED"),
	"phases":  mustJSON(`[20,40,60]`),
	"party":   mustJSON(`{"fspId":"greenbank","id":{"type":"MSISDN","value":"27710101999"}}`),
	"nothing": Null,
}

func mustJSON(text string) Value {
	v, err := FromJSON([]byte(text))
	if err != nil {
		panic(err)
	}
	return v
}

var expressions = []struct{ src, want string }{
	{`1 + 2 * 3`, `7`},
	{`(1 + 2) * 3`, `9`},
	{`10 / 4`, `2.5`},
	{`1 / 3`, `0.3333333333333333333333333333333333`},
	{`0.1 + 0.2 = 0.3`, `true`},
	{`1 / 0`, `null`},
	{`2 ** 10`, `1024`},
	{`-2 ** 2`, `4`},
	{`2 ** -1`, `0.5`},
	{`5 - -3`, `8`},
	{`9223372036854775807 + 1`, `9223372036854775808`},
	{`9223372036854775807 * 10`, `92233720368547758070`},
	{`amount + 1`, `101.50`},
	{`"a" + "b"`, `"ab"`},
	{`"a" + 1`, `null`},
	{`yes`, `true`},
	{`yes = true`, `true`},
	{`missing = true`, `false`},
	{`missing = null`, `true`},
	{`missing < 3`, `null`},
	{`missing != "x"`, `true`},
	{`n = "2"`, `null`},
	{`yes and missing`, `null`},
	{`no and missing`, `false`},
	{`yes or missing`, `true`},
	{`n between 1 and 3`, `true`},
	{`n in [1..3]`, `true`},
	{`n in (2..3]`, `false`},
	{`n in ]1..3[`, `true`},
	{`n in (1, 2)`, `true`},
	{`n in (> 5, < 3)`, `true`},
	{`n in > 5`, `false`},
	{`n in [1, 2, 3]`, `true`},
	{`n in not(1, 2)`, `false`},
	{`state in ("COMMITTED", "RESERVED")`, `true`},
	{`n in (? > 1)`, `true`},
	{`some x in phases satisfies x <= 20`, `true`},
	{`every x in phases satisfies x <= 20`, `false`},
	{`for x in phases return x + 1`, `[21, 41, 61]`},
	{`for i in 1..3, j in [10, 20] return i * j`, `[10, 20, 20, 40, 30, 60]`},
	{`for i in 3..1 return i`, `[3, 2, 1]`},
	{`for i in 1..5 return if i = 1 then 1 else i * partial[-1]`, `[1, 2, 6, 24, 120]`},
	{`phases[1]`, `20`},
	{`phases[-1]`, `60`},
	{`phases[4]`, `null`},
	{`phases[item > 20]`, `[40, 60]`},
	{`[{a: 1}, {a: 2}][a > 1]`, `[{a: 2}]`},
	{`[{a: 1}, {a: 2}].a`, `[1, 2]`},
	{`party.fspId`, `"greenbank"`},
	{`party.id.type = "MSISDN"`, `true`},
	{`party.none`, `null`},
	{`{a: 1, b: a + 1}.b`, `2`},
	{`{first name: "x"}.first name`, `"x"`},
	{`{monthly rate: 2, "y": monthly rate * 2}.y`, `4`},
	{`if n > 1 then "many" else "one"`, `"many"`},
	{`if missing then 1 else 2`, `2`},
	{`(function(x, y) x + y)(1, 2)`, `3`},
	{`{f: function(x: number) x * 2, r: f(x: 4)}.r`, `8`},
	{`1 instance of number`, `true`},
	{`"x" instance of date and time`, `false`},
	{`[1] instance of list<number>`, `true`},
	{`date("2026-11-20").year`, `2026`},
	{`@"2026-01-31" + @"P1M"`, `2026-02-28`},
	{`date and time("2026-11-20T10:00:00Z") + duration("PT90M")`, `2026-11-20T11:30:00Z`},
	{`@"2026-11-20" - @"2026-11-01"`, `P19D`},
	{`duration("P1D") * 1.5`, `P1DT12H`},
	{`@"PT1H" > @"PT59M59.5S"`, `true`},
	{`@"2026-11-20T10:00:00+02:00" = @"2026-11-20T08:00:00Z"`, `true`},
	{`not(yes)`, `false`},
	{`is defined(missing)`, `false`},
	{`is defined(n)`, `true`},
	{`is blank("  ")`, `true`},
	{`get or else(missing, 3)`, `3`},
	{`assert(n, n > 1)`, `2`},
	{`assert(n, n > 2, "too few")`, `null`},
	{`duplicate values([1, 2, 3, 2, 1, 1])`, `[1, 2]`},
	{`partition([1, 2, 3, 4, 5], 2)`, `[[1, 2], [3, 4], [5]]`},
	{`extract("a1, b2", "[a-z]\d")`, `["a1", "b2"]`},
	{`to base64("FEEL")`, `"RkVFTA=="`},
	{`to json({a: [1.50, "x"], d: @"2026-11-20"})`, `"{\"a\":[1.50,\"x\"],\"d\":\"2026-11-20\"}"`},
	{`from json("{\"a\": [1, null]}").a`, `[1, null]`},
	{`from json("{")`, `null`},
	{`string join(["a", null, "b"], "-", "<", ">")`, `"<a-b>"`},
	{`context put({a: 1}, "b", 2)`, `{a: 1, b: 2}`},
	{`context merge([{a: 1}, {a: 2, b: 3}])`, `{a: 2, b: 3}`},
	{`date and time(2026, 11, 20, 7, 30, 0.5, @"PT1H")`, `2026-11-20T07:30:00.5+01:00`},
	{`date and time(2026, 7, 1, 12, 0, 0, "Europe/Paris")`, `2026-07-01T12:00:00@Europe/Paris`},
	{`date and time(@"2026-07-01T12:00:00Z", "America/New_York")`, `2026-07-01T08:00:00@America/New_York`},
	{`matches(state, "^[A-Z]{9}$")`, `true`},
	{`matches("abc", "ABC", "i")`, `true`},
	{`matches("aA", "(a)\\1", "i")`, `true`},
	{`matches("abcabd", "(ab)(c|d)\\1\\2")`, `false`},
	{`matches("abcabc", "^(?:x|(ab)(c|d))\\1\\2$")`, `true`},
	{`matches("ab", "\\1(a)")`, `null`},
	{`matches("ab", "(a\\1)")`, `null`},
	{`replace("hello  wwworld", "(.)\\1+", "<$1>")`, `"he<l>o< ><w>orld"`},
	{`split("a--b-c__d", "([-_])\\1")`, `["a", "b-c", "d"]`},
	{`extract("xx y zzz", "(\\w)\\1+")`, `["xx", "zzz"]`},
	{`replace("banana", "(an)", "<$1>")`, `"b<an><an>a"`},
	{`"\u00e9\n" = "é
"`, `true`},
	{`// a comment
	1 /* another */ + 1`, `2`},
}
