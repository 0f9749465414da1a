package feel

import "testing"

// rows is a Scope as the engine has it: variables as JSON texts, read when asked for.
type rows map[string][]byte

func (r rows) Lookup(name string) (Value, bool) {
	text, ok := r[name]
	if !ok {
		return Null, false
	}
	v, err := FromJSON(text)
	return v, err == nil
}

// LookupJSON implements Texts.
func (r rows) LookupJSON(name string) ([]byte, bool) {
	text, ok := r[name]
	return text, ok
}

var paymentRows = rows{
	"transferFailed": []byte("false"), "transferState": []byte(`"COMMITTED"`), "quoteRetryCount": []byte("2"),
	"phases": []byte("[20,40,60,80,100]"), "completionRate": []byte("55"), "amount": []byte("100.50"),
	"partyLookupFailed": []byte("false"), "isRtpRequest": []byte("true"), "transactionId": []byte("7000012345"),
	"payee": []byte(`{"partyIdInfo":{"partyIdType":"MSISDN","partyIdentifier":"27710101999"}}`),
}

// conditions are what Payment Hub EE's flows ask, and what others might.
var conditions = []struct {
	src   string
	plain bool // it needs neither an environment nor memory
}{
	{`transferFailed = true`, true},
	{`quoteRetryCount < 3`, true},
	{`partyLookupFailed and isRtpRequest`, true},
	{`transferState != "COMMITTED"`, true},
	{`transferFailed = true or transferState != "COMMITTED"`, true},
	{`not(partyLookupFailed) and quoteRetryCount between 1 and 3`, true},
	{`transactionId`, true},
	{`missing = null`, true},
	{`quoteRetryCount in (1, 2, 3)`, true},
	{`if partyLookupFailed then 1 else 2 * quoteRetryCount`, true},
	{`amount >= 100.5`, false},
	{`transferState in ("COMMITTED", "RESERVED")`, false},
	{`quoteRetryCount in [1..3]`, false},
	{`some x in phases satisfies x <= completionRate`, false},
	{`payee.partyIdInfo.partyIdType = "MSISDN"`, false},
	{`matches(transferState, "^[A-Z]+$")`, false},
}

// TestNoMemory: the usual conditions allocate nothing.
func TestNoMemory(t *testing.T) {
	for _, row := range conditions {
		x, err := Compile(row.src)
		if err != nil {
			t.Fatal(err)
		}
		if !row.plain {
			continue
		}
		if got := testing.AllocsPerRun(100, func() { x.EvalBool(paymentRows) }); got != 0 {
			t.Errorf("%s: EvalBool allocates %v times", row.src, got)
		}
		if got := testing.AllocsPerRun(100, func() { x.Eval(paymentRows) }); got != 0 {
			t.Errorf("%s: Eval allocates %v times", row.src, got)
		}
	}
}

// BenchmarkCondition compares the plain closures, where an expression has them, with
// the general ones.
func BenchmarkCondition(b *testing.B) {
	for _, row := range conditions {
		x, err := Compile(row.src)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(row.src, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				x.EvalBool(paymentRows)
			}
		})
		b.Run("general/"+row.src, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				x.evaluate(paymentRows, nil)
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
