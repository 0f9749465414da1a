package feel

import "testing"

// rows is a Scope as the engine has it: variables as JSON texts, read when asked for.
type rows map[string]string

func (r rows) Lookup(name string) (Value, bool) {
	text, ok := r[name]
	if !ok {
		return Null, false
	}
	v, err := FromJSON([]byte(text))
	return v, err == nil
}

func BenchmarkCondition(b *testing.B) {
	scope := rows{"transferFailed": "false", "transferState": `"COMMITTED"`, "quoteRetryCount": "2",
		"phases": "[20,40,60,80,100]", "completionRate": "55", "amount": "100.50"}
	for _, src := range []string{
		`transferFailed = true`,
		`quoteRetryCount < 3`,
		`transferState != "COMMITTED"`,
		`transferFailed = true or transferState != "COMMITTED"`,
		`amount >= 100.5`,
		`some x in phases satisfies x <= completionRate`,
	} {
		x, err := Compile(src)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(src, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				x.EvalBool(scope)
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		if _, err := Compile(`transferFailed = true or transferState != "COMMITTED"`); err != nil {
			b.Fatal(err)
		}
	}
}
