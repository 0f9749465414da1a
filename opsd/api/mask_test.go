package api

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestMaskedJSON(t *testing.T) {
	m := newMasker([]string{"loyalty_number"})
	cases := []struct{ name, in, want string }{
		{"", `{"msisdn":"+27710101999","amount":"12.50"}`, `{"msisdn":"***1999","amount":"12.50"}`},
		{"", `{"firstName":"Ada","last_name":"Lovelace","NAME":"Ada L"}`, `{"firstName":"***","last_name":"***","NAME":"***"}`},
		{"partyId", `"27710101999"`, `"***1999"`},
		{"partyIdType", `"MSISDN"`, `"MSISDN"`},
		{"", `{"partyIdInfo":{"partyIdType":"MSISDN","partyIdentifier":"27710101999","fspId":"bluebank"}}`,
			`{"partyIdInfo":{"partyIdType":"MSISDN","partyIdentifier":"***1999","fspId":"bluebank"}}`},
		{"", `{"account":{"id":"1","owner":"Ada"}}`, `{"account":{"id":"***","owner":"***"}}`},
		{"accounts", `["12","34"]`, `["***","***"]`},
		{"", `{"loyaltyNumber":"7"}`, `{"loyaltyNumber":"***"}`},
		{"", `{"remark":"card 4111 1111 1111 1111 thanks"}`, `{"remark":"card ***1111 thanks"}`},
		{"", `{"x":4111111111111111}`, `{"x":"***1111"}`},
		{"", `{"startedMs":1700000000001,"count":17}`, `{"startedMs":1700000000001,"count":17}`},
		{"", `{"x":"GB82 WEST 1234 5698 7654 32"}`, `{"x":"***"}`},
		{"", `{"x":"DE89370400440532013000"}`, `{"x":"***3000"}`},
		{"quoteId", `"11111111-2222-4333-8444-555555555555"`, `"11111111-2222-4333-8444-555555555555"`},
		{"other", `"11111111-2222-4333-8444-555555555555"`, `"11111111-2222-4333-8444-555555555555"`},
		{"clientCorrelationId", `"123456789012"`, `"123456789012"`},
		{"clientCorrelationId", `"4111111111111111"`, `"***1111"`},
		{"originDate", `"2026-11-20T07:13:41.123Z"`, `"2026-11-20T07:13:41.123Z"`},
		{"channelRequest", `"{\"payer\":{\"partyIdInfo\":{\"partyIdentifier\":\"27710101999\"}},\"amount\":{\"amount\":\"1\"}}"`,
			`"{\"payer\":{\"partyIdInfo\":{\"partyIdentifier\":\"***1999\"}},\"amount\":{\"amount\":\"1\"}}"`},
		{"channelRequest", `"{\"payer\":"`, `"***"`},
		// What a channel puts into its own fields is anybody's guess.
		{"customData", `"[{\"key\":\"memo\",\"value\":\"for Ada\"}]"`, `"[{\"key\":\"***\",\"value\":\"***\"}]"`},
		{"", `{"extensionList":{"extension":[{"key":"k","value":"Ada"}]}}`, `{"extensionList":{"extension":[{"key":"***","value":"***"}]}}`},
		{"", `{"partyIdInfo":{"partySubIdOrType":"Jane"}}`, `{"partyIdInfo":{"partySubIdOrType":"***"}}`},
		{"transferFailed", `false`, `false`},
		{"name", `null`, `null`},
		{"ilpPacket", `"AYIC9AAAAAAAABdwHWcucGF5ZWVmc3AubXNpc2Ru"`, `"***"`},
		{"", `{"27710101999":{"seen":true}}`, `{"***1999":{"seen":true}}`},
		{"", `[]`, `[]`},
	}
	for _, tc := range cases {
		got, ok := m.json(tc.name, []byte(tc.in))
		if !ok || got != tc.want {
			t.Errorf("%s = %s\n got %s, %v\nwant %s", tc.name, tc.in, got, ok, tc.want)
		}
	}
	for _, bad := range []string{``, `{`, `{"a":}`, `{} {}`, `[1,]`, strings.Repeat("[", 200) + strings.Repeat("]", 200)} {
		if got, ok := m.json("", []byte(bad)); ok {
			t.Errorf("%.20q is shown as %q", bad, got)
		}
	}
}

func TestMaskedPathsAndTexts(t *testing.T) {
	m := newMasker(nil)
	for in, want := range map[string]string{
		"/parties/MSISDN/27710101999":                              "/parties/MSISDN/***1999",
		"/parties/EMAIL/ada%40example.org":                         "/parties/EMAIL/***",
		"/parties/BUSINESS/Shoes/Jane/error":                       "/parties/BUSINESS/***/***/error",
		"/parties/MSISDN/27710101999/error":                        "/parties/MSISDN/***1999/error",
		"/transfers/11111111-2222-4333-8444-555555555555":          "/transfers/11111111-2222-4333-8444-555555555555",
		"/accounts/A17/holds":                                      "/accounts/***/holds",
		"/interop/27710101999?iban=DE89370400440532013000&limit=5": "/interop/***1999?iban=***3000&limit=5",
		"/x?%zz": "/x?***",
	} {
		if got := m.path(in); got != want {
			t.Errorf("path %s = %s, want %s", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"The payee +27 71 010 1999 is unknown.":  "The payee ***1999 is unknown.",
		"attempt 3 of 4 at 2026-11-20T07:13:41Z": "attempt 3 of 4 at 2026-11-20T07:13:41Z",
		"":                                       "",
		"bad \xff 1":                             "bad \uFFFD 1",
	} {
		if got := m.text(in); got != want {
			t.Errorf("text %q = %q, want %q", in, got, want)
		}
	}
}

func TestBodiesThatCannotBeWalkedAreNotShown(t *testing.T) {
	m := newMasker(nil)
	for _, tc := range []struct{ contentType, in, want string }{
		{"application/xml", "<Document><Nm>Ada</Nm></Document>", "(33 bytes, not shown)"},
		{"text/plain", "Ada owes", "(8 bytes, not shown)"},
		{"application/x-www-form-urlencoded", "msisdn=27710101999&amount=5", "amount=5&msisdn=%2A%2A%2A1999"},
		{"application/json", `{"name":"Ada"`, "(13 bytes, not shown)"},
		{"", "", ""},
	} {
		if got := m.body(tc.contentType, []byte(tc.in)); got != tc.want {
			t.Errorf("%s: %s", tc.in, got)
		}
	}
}

// Whatever is shown of JSON is JSON, and no card number gets through.
func FuzzMaskJSON(f *testing.F) {
	f.Add("name", `{"a":["4111111111111111",{"msisdn":1}]}`)
	f.Add("", `"{\"a\":\"DE89370400440532013000\"}"`)
	m := newMasker(nil)
	f.Fuzz(func(t *testing.T, name, in string) {
		out, ok := m.json(name, []byte(in))
		if ok && !json.Valid([]byte(out)) {
			t.Errorf("%q becomes %q", in, out)
		}
		if strings.Contains(out, "4111111111111111") {
			t.Errorf("%q shows a card number: %q", in, out)
		}
		m.path(in)
		m.body("application/x-www-form-urlencoded", []byte(in))
	})
}
