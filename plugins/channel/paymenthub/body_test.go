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

// TestRepeatedField holds that what a request means is what its digest is taken of:
// two bodies that differ only in a field they overwrite are the same request.
func TestRepeatedField(t *testing.T) {
	last := `,"amount":{"amount":"3","currency":"USD"}}`
	var first *transfer
	for _, overwritten := range []string{`{"amount":"1","currency":"USD"}`, `{"amount":"2"}`, `{"amount":"2","currency":"EUR"}`} {
		body := strings.Replace(good, `{"amount":"1","currency":"USD"}}`, overwritten+last, 1)
		read, no := parseTransfer([]byte(body))
		if no != nil {
			t.Fatalf("%s: %+v", body, no)
		}
		if first == nil {
			first = read
		}
		if read.money != first.money || !bytes.Equal(read.canonical, first.canonical) {
			t.Errorf("%s means %v, canonical %s", body, read.money, read.canonical)
		}
	}
	// Of an amount that comes in halves the last half is not enough.
	halves := strings.Replace(good, `{"amount":"1","currency":"USD"}}`, `{"amount":"1"},"amount":{"currency":"USD"}}`, 1)
	if read, no := parseTransfer([]byte(halves)); no == nil || no.field != "amount.amount" {
		t.Errorf("%s is taken for %+v, %+v", halves, read, no)
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
