package main

import (
	"bytes"
	"strings"
	"testing"
)

const good = `{"payer":{"partyIdInfo":{"partyIdType":"MSISDN","partyIdentifier":"1"}},` +
	`"payee":{"partyIdInfo":{"partyIdType":"MSISDN","partyIdentifier":"2"}},"amount":{"amount":"1","currency":"USD"}}`

func TestHugeBody(t *testing.T) {
	huge := strings.Replace(good, "{", `{"junk":"`+strings.Repeat("x", bodyMax)+`",`, 1)
	if _, no := parseTransfer([]byte(huge)); no == nil || no.status != 413 {
		t.Errorf("a body of %d bytes: %+v", len(huge), no)
	}
	deep := `{"junk":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + "}"
	if _, no := parseTransfer([]byte(deep)); no == nil || no.status != 400 {
		t.Errorf("a body 20,000 deep: %+v", no)
	}
}

// FuzzParseTransfer holds that no body makes the channel panic, and that what it
// takes can be taken again from the flow's own variable.
func FuzzParseTransfer(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(`{"amount":{"amount":"1e5"}}`))
	f.Add([]byte(`[{}]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		first, no := parseTransfer(body)
		if no != nil {
			if no.status < 400 || no.code == "" || no.description == "" {
				t.Fatalf("refused as %+v", no)
			}
			return
		}
		again, no := parseTransfer(first.channelRequest("greenbank", ""))
		if no != nil || again.money != first.money || *again.Payee.PartyIDInfo != *first.Payee.PartyIDInfo {
			t.Fatalf("the flow's copy reads %+v, %+v", again, no)
		}
		if !bytes.Equal(first.channelRequest("a", "b"), again.channelRequest("a", "b")) {
			t.Fatal("the flow's copy is another request")
		}
	})
}
