package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/railhead-hub/railhead/plugins/money"
	connector "github.com/railhead-hub/railhead/sdk/go"
)

const (
	bodyMax = 64 << 10
	listMax = 16 // entries of customData and of an extension list
)

// transfer is the body of POST /channel/transfer. Unknown fields are ignored, but
// count for the question whether two requests are the same.
type transfer struct {
	ClientRefID   string `json:"clientRefId"`
	Payer         *party `json:"payer"`
	Payee         *party `json:"payee"`
	AmountType    string `json:"amountType"`
	Amount        *sum   `json:"amount"`
	Note          string `json:"note"`
	ExtensionList struct {
		Extension []pair `json:"extension"`
	} `json:"extensionList"`
	CustomData []pair `json:"customData"`

	money     money.Amount
	canonical []byte
}

type party struct {
	PartyIDInfo *partyIDInfo `json:"partyIdInfo"`
}

type partyIDInfo struct {
	Type  string `json:"partyIdType"`
	ID    string `json:"partyIdentifier"`
	SubID string `json:"partySubIdOrType"`
}

type sum struct {
	Amount   string `json:"amount"`
	Currency string `json:"currency"`
}

type pair struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// idTypes are FSPIOP's, which Payment Hub EE's are.
const idTypes = " MSISDN EMAIL PERSONAL_ID BUSINESS DEVICE ACCOUNT_ID IBAN ALIAS "

// parseTransfer reads and checks a body. It accepts one JSON object, no more.
func parseTransfer(body []byte) (*transfer, *refusal) {
	switch {
	case len(body) == 0:
		return nil, invalid(codeMissing, "body", "the body is empty")
	case len(body) > bodyMax:
		return nil, &refusal{status: 413, category: "Validation", code: codeLength, description: "the body is larger than 64 KiB", field: "body"}
	case !utf8.Valid(body):
		return nil, invalid(codeFormat, "body", "the body is not UTF-8")
	}
	// What is read is the canonical form, whose digest tells requests apart: of a
	// field that comes twice both see the last.
	text, err := canonical(body)
	if err != nil {
		return nil, invalid(codeFormat, "body", "the body is not one JSON object")
	}
	t := &transfer{canonical: text}
	if err := json.Unmarshal(text, t); err != nil {
		field := "body"
		if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) && wrong.Field != "" {
			field = wrong.Field
		}
		return nil, invalid(codeFormat, field, field+" is not JSON of the right type")
	}
	if no := t.check(); no != nil {
		return nil, no
	}
	return t, nil
}

// canonical is the body compact and with sorted keys, numbers as they were written.
func canonical(body []byte) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var whole map[string]any
	if err := d.Decode(&whole); err != nil {
		return nil, err
	}
	if _, err := d.Token(); whole == nil || err != io.EOF {
		return nil, errors.New("not one object")
	}
	return json.Marshal(whole)
}

func (t *transfer) check() *refusal {
	if no := t.Payer.check("payer"); no != nil {
		return no
	}
	if no := t.Payee.check("payee"); no != nil {
		return no
	}
	switch {
	case t.Amount == nil:
		return invalid(codeMissing, "amount", "amount is missing")
	case t.Amount.Currency == "":
		return invalid(codeMissing, "amount.currency", "amount.currency is missing")
	case t.Amount.Amount == "":
		return invalid(codeMissing, "amount.amount", "amount.amount is missing")
	}
	var err error
	switch t.money, err = money.Parse(t.Amount.Amount, t.Amount.Currency); {
	case errors.Is(err, money.ErrCurrency):
		return invalid(codeFormat, "amount.currency", err.Error())
	case errors.Is(err, money.ErrRange):
		return invalid(codeRange, "amount.amount", err.Error())
	case err != nil:
		return invalid(codeFormat, "amount.amount", err.Error())
	case t.money.Minor == 0:
		return invalid(codeRange, "amount.amount", "amount is zero")
	}
	if t.AmountType != "" && t.AmountType != "SEND" && t.AmountType != "RECEIVE" {
		return invalid(codeFormat, "amountType", "amountType is neither SEND nor RECEIVE")
	}
	if utf8.RuneCountInString(t.ClientRefID) > 128 {
		return invalid(codeLength, "clientRefId", "clientRefId is longer than 128 characters")
	}
	if utf8.RuneCountInString(t.Note) > 128 {
		return invalid(codeLength, "note", "note is longer than 128 characters")
	}
	if no := checkPairs("extensionList.extension", t.ExtensionList.Extension); no != nil {
		return no
	}
	return checkPairs("customData", t.CustomData)
}

func (p *party) check(who string) *refusal {
	field := who + ".partyIdInfo"
	if p == nil || p.PartyIDInfo == nil {
		return invalid(codeMissing, field, field+" is missing")
	}
	info := p.PartyIDInfo
	switch {
	case info.Type == "":
		return invalid(codeMissing, field+".partyIdType", field+".partyIdType is missing")
	case strings.Contains(info.Type, " ") || !strings.Contains(idTypes, " "+info.Type+" "):
		return invalid(codeFormat, field+".partyIdType", field+".partyIdType is none of"+strings.TrimRight(idTypes, " "))
	case info.ID == "":
		return invalid(codeMissing, field+".partyIdentifier", field+".partyIdentifier is missing")
	case utf8.RuneCountInString(info.ID) > 128:
		return invalid(codeLength, field+".partyIdentifier", field+".partyIdentifier is longer than 128 characters")
	case utf8.RuneCountInString(info.SubID) > 128:
		return invalid(codeLength, field+".partySubIdOrType", field+".partySubIdOrType is longer than 128 characters")
	case control(info.ID) || control(info.SubID):
		return invalid(codeFormat, field+".partyIdentifier", field+" has control characters")
	}
	return nil
}

func control(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

func checkPairs(field string, pairs []pair) *refusal {
	if len(pairs) > listMax {
		return invalid(codeLength, field, field+" has more than 16 entries")
	}
	for _, p := range pairs {
		switch {
		case p.Key == "":
			return invalid(codeMissing, field+".key", field+".key is missing")
		case utf8.RuneCountInString(p.Key) > 32 || utf8.RuneCountInString(p.Value) > 128:
			return invalid(codeLength, field, field+" has a key above 32 or a value above 128 characters")
		}
	}
	return nil
}

// channelRequest is the request as the flow's workers read it, in Payment Hub EE's
// form: with both FSPs and the transaction's type filled in.
func (t *transfer) channelRequest(payerFSP, payeeFSP string) []byte {
	party := func(p *party, fsp string) connector.Vars {
		info := connector.Vars{"partyIdType": p.PartyIDInfo.Type, "partyIdentifier": p.PartyIDInfo.ID}
		if p.PartyIDInfo.SubID != "" {
			info["partySubIdOrType"] = p.PartyIDInfo.SubID
		}
		if fsp != "" {
			info["fspId"] = fsp
		}
		return connector.Vars{"partyIdInfo": info}
	}
	body := connector.Vars{
		"payer": party(t.Payer, payerFSP), "payee": party(t.Payee, payeeFSP),
		"amount":          connector.Vars{"amount": t.money.String(), "currency": t.money.Currency},
		"transactionType": connector.Vars{"initiator": "PAYER", "initiatorType": "CONSUMER", "scenario": "TRANSFER"},
	}
	for name, value := range map[string]string{"clientRefId": t.ClientRefID, "amountType": t.AmountType, "note": t.Note} {
		if value != "" {
			body[name] = value
		}
	}
	if len(t.ExtensionList.Extension) > 0 {
		body["extensionList"] = connector.Vars{"extension": pairVars(t.ExtensionList.Extension)}
	}
	if len(t.CustomData) > 0 {
		body["customData"] = pairVars(t.CustomData)
	}
	return body.JSON()
}

// customData is the list as text, or nothing.
func (t *transfer) customData() string {
	if len(t.CustomData) == 0 {
		return ""
	}
	return string(connector.Value(t.CustomData))
}

func pairVars(pairs []pair) []connector.Vars {
	out := make([]connector.Vars, 0, len(pairs))
	for _, p := range pairs {
		out = append(out, connector.Vars{"key": p.Key, "value": p.Value})
	}
	return out
}
