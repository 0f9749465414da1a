package bank

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// FuzzDecode reads request bodies of any kind: what is taken is one JSON object,
// and everything else is refused with a code.
func FuzzDecode(f *testing.F) {
	for _, body := range []string{
		holdBody("1.00", "r"), `{}`, `{} {}`, `null`, `{"account":{"ID":"x","id":"y"}}`, `{"amount":1}`, "{\"reference\":\"\xff\"}",
		`{"account":` + strings.Repeat(`{"a":`, 40), strings.Repeat("[", 100_000),
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		r := httptest.NewRequest(http.MethodPost, "/holds", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json; charset=utf-8")
		var into PlaceHold
		err := decode(httptest.NewRecorder(), r, &into)
		if _, refused := refusal(err); err != nil && !refused {
			t.Fatalf("%q: %v has no code", body, err)
		}
		if err == nil && !json.Valid([]byte(body)) {
			t.Fatalf("%q was taken", body)
		}
	})
}
