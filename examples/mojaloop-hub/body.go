package mojaloophub

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"time"
	"unicode/utf8"
)

var (
	uuidPattern      = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	conditionPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)
	packetPattern    = regexp.MustCompile(`^[A-Za-z0-9_-]+={0,2}$`)
	timePattern      = regexp.MustCompile(`^[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}(Z|[+-][01][0-9]:[0-5][0-9])$`)
)

var idTypes = []string{"MSISDN", "EMAIL", "PERSONAL_ID", "BUSINESS", "DEVICE", "ACCOUNT_ID", "IBAN", "ALIAS"}

type partyIDInfo struct {
	Type  string `json:"partyIdType"`
	ID    string `json:"partyIdentifier"`
	SubID string `json:"partySubIdOrType,omitempty"`
	FSP   string `json:"fspId,omitempty"`
}

type party struct {
	IDInfo partyIDInfo `json:"partyIdInfo"`
	Name   string      `json:"name,omitempty"`
}

type transactionType struct {
	Scenario      string `json:"scenario"`
	Initiator     string `json:"initiator"`
	InitiatorType string `json:"initiatorType"`
}

type quoteRequest struct {
	QuoteID         string          `json:"quoteId"`
	TransactionID   string          `json:"transactionId"`
	Payee           party           `json:"payee"`
	Payer           party           `json:"payer"`
	AmountType      string          `json:"amountType"`
	Amount          money           `json:"amount"`
	TransactionType transactionType `json:"transactionType"`
	Note            string          `json:"note"`
	Expiration      string          `json:"expiration"`
}

type transferRequest struct {
	TransferID string `json:"transferId"`
	PayeeFSP   string `json:"payeeFsp"`
	PayerFSP   string `json:"payerFsp"`
	Amount     money  `json:"amount"`
	IlpPacket  string `json:"ilpPacket"`
	Condition  string `json:"condition"`
	Expiration string `json:"expiration"`
}

// decode reads a body into v and returns its canonical form for the duplicate check.
// Unknown fields are ignored, as FSPIOP demands.
func decode(body []byte, v any) (canonical []byte, no *refusal) {
	if len(body) == 0 {
		return nil, missing("body")
	}
	if !utf8.Valid(body) {
		return nil, malformed("3101", "body is not UTF-8")
	}
	var whole any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&whole); err != nil {
		return nil, malformed("3101", "body is not JSON")
	}
	if _, object := whole.(map[string]any); !object || d.More() {
		return nil, malformed("3101", "body is not one JSON object")
	}
	if err := json.Unmarshal(body, v); err != nil {
		return nil, malformed("3101", "body has a field of a wrong type")
	}
	canonical, err := json.Marshal(whole)
	if err != nil {
		return nil, malformed("3101", "body is not JSON")
	}
	return canonical, nil
}

// rule is one check of a body: the element, whether it is there, whether it is well
// formed.
type rule struct {
	element string
	there   bool
	good    bool
}

func apply(rules ...rule) *refusal {
	for _, r := range rules {
		if !r.there {
			return missing(r.element)
		}
		if !r.good {
			return malformed("3101", r.element+" is malformed")
		}
	}
	return nil
}

func text(element, v string, most int) rule {
	return rule{element, v != "", utf8.RuneCountInString(v) <= most}
}

func matches(element, v string, pattern *regexp.Regexp) rule {
	return rule{element, v != "", pattern.MatchString(v)}
}

func oneOf(element, v string, of ...string) rule {
	return rule{element, v != "", slices.Contains(of, v)}
}

func timestamp(element, v string, optional bool) rule {
	_, ok := parseTime(v)
	return rule{element, v != "" || optional, ok || v == "" && optional}
}

// parseTime accepts only FSPIOP's form with exactly three decimals of a second.
func parseTime(v string) (time.Time, bool) {
	if !timePattern.MatchString(v) {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339, v)
	return t, err == nil
}

func formatTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func partyRules(who string, p party) []rule {
	return []rule{
		oneOf(who+".partyIdInfo.partyIdType", p.IDInfo.Type, idTypes...),
		text(who+".partyIdInfo.partyIdentifier", p.IDInfo.ID, 128),
		{who + ".partyIdInfo.partySubIdOrType", true, utf8.RuneCountInString(p.IDInfo.SubID) <= 128},
		{who + ".partyIdInfo.fspId", true, utf8.RuneCountInString(p.IDInfo.FSP) <= 32},
		{who + ".name", true, utf8.RuneCountInString(p.Name) <= 128},
	}
}

func moneyRules(element string, m money) []rule {
	_, err := m.minor()
	return []rule{
		matches(element+".currency", m.Currency, currencyPattern),
		matches(element+".amount", m.Amount, amountPattern),
		{element, true, err == nil},
	}
}

func (q quoteRequest) check() *refusal {
	rules := []rule{
		matches("quoteId", q.QuoteID, uuidPattern),
		matches("transactionId", q.TransactionID, uuidPattern),
	}
	rules = append(rules, partyRules("payee", q.Payee)...)
	rules = append(rules, partyRules("payer", q.Payer)...)
	rules = append(rules, oneOf("amountType", q.AmountType, "SEND", "RECEIVE"))
	rules = append(rules, moneyRules("amount", q.Amount)...)
	rules = append(rules,
		oneOf("transactionType.scenario", q.TransactionType.Scenario, "DEPOSIT", "WITHDRAWAL", "TRANSFER", "PAYMENT", "REFUND"),
		oneOf("transactionType.initiator", q.TransactionType.Initiator, "PAYER", "PAYEE"),
		oneOf("transactionType.initiatorType", q.TransactionType.InitiatorType, "CONSUMER", "AGENT", "BUSINESS", "DEVICE"),
		rule{"note", true, utf8.RuneCountInString(q.Note) <= 128},
		timestamp("expiration", q.Expiration, true),
	)
	return apply(rules...)
}

func (t transferRequest) check() *refusal {
	rules := []rule{
		matches("transferId", t.TransferID, uuidPattern),
		text("payeeFsp", t.PayeeFSP, 32),
		text("payerFsp", t.PayerFSP, 32),
	}
	rules = append(rules, moneyRules("amount", t.Amount)...)
	rules = append(rules,
		rule{"ilpPacket", t.IlpPacket != "", len(t.IlpPacket) <= 32768 && packetPattern.MatchString(t.IlpPacket)},
		matches("condition", t.Condition, conditionPattern),
		timestamp("expiration", t.Expiration, false),
	)
	return apply(rules...)
}
