package store

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// State is where a payment stands. The numbers are in the database and in the
// API: append only.
type State int32

const (
	StateRunning  State = 1
	StateIncident State = 2 // stands still until somebody acts
	StateEnded    State = 3
)

func (s State) String() string {
	switch s {
	case StateRunning:
		return "running"
	case StateIncident:
		return "incident"
	case StateEnded:
		return "ended"
	}
	return "unknown"
}

// Payment is the projection of a payment: what its events so far add up to.
// Times are ms since 1970 UTC; 0 means not yet.
type Payment struct {
	Key         uint64
	UUID        string
	Tenant      string
	Channel     string
	Flow        string // BPMN process id
	FlowVersion uint32
	ClientKey   string
	State       State
	Result      enginev1.Result
	Code        string
	Amount      *int64 // minor units of Currency; nil: none, or not in minor units
	Currency    string
	StartedMS   int64
	EndedMS     int64
	UpdatedMS   int64
	LastSeq     uint32
	Last        ID // of the newest event
	Missing     uint32
	Incidents   []Incident // open ones, in the order they opened
	Change      uint64     // grows with every change of any payment
}

// Incident is why a payment stands still.
type Incident struct {
	Number   uint32 `json:"number"`
	Element  string `json:"element,omitempty"`
	Code     string `json:"code,omitempty"`
	Text     string `json:"text,omitempty"`
	OpenedMS int64  `json:"opened_ms"`
}

// Bounds of what the projection keeps of an event's texts, in bytes; the raw
// event keeps everything. Index entries of both databases stay well below their
// limits.
const (
	tenantMax   = 128
	wordMax     = 256
	textMax     = 1024
	incidentMax = 100 // open incidents of one payment
)

// Correlation is one identifier a payment can be found by.
type Correlation struct {
	Kind    string
	Value   string
	Payment uint64
}

// correlating are the variables whose values identify a payment to somebody:
// Payment Hub EE's names. None of them names a person.
var correlating = map[string]bool{
	"transactionId": true, "clientCorrelationId": true, "clientRefId": true,
	"quoteId": true, "transferId": true, "transactionRequestId": true, "batchId": true,
	"subBatchId": true, "requestId": true, "externalId": true, "endToEndId": true, "uetr": true,
	"transferCode": true, "bulkTransferId": true, "conversionRequestId": true,
}

// Kinds of correlations that do not come from variables.
const (
	KindTransactionID  = "transactionId" // the payment's UUID
	KindClientKey      = "clientKey"
	KindIdempotencyKey = "idempotencyKey" // of a money effect, as on the wire
)

// Correlations are the identifiers an event adds to its payment.
func Correlations(e *enginev1.Event) []Correlation {
	var out []Correlation
	add := func(kind, value string) {
		c := Correlation{kind, value, e.Payment}
		if value == "" || len(value) > wordMax || clean(value, wordMax) != value || slices.Contains(out, c) {
			return
		}
		out = append(out, c)
	}
	switch e.Kind {
	case enginev1.EventKind_EVENT_KIND_PAYMENT_STARTED:
		add(KindTransactionID, e.Uuid)
		add(KindClientKey, e.Key)
	case enginev1.EventKind_EVENT_KIND_EFFECT_INTENDED:
		if e.Key != "" {
			add(KindIdempotencyKey, e.Uuid)
		}
	}
	for _, v := range e.Variables {
		if !correlating[v.Name] || len(v.Json) == 0 || v.Json[0] != '"' {
			continue
		}
		var s string
		if json.Unmarshal(v.Json, &s) == nil {
			add(v.Name, s)
		}
	}
	return out
}

// newPayment is the projection before any event.
func newPayment(e *enginev1.Event) *Payment {
	return &Payment{Key: e.Payment, State: StateRunning, StartedMS: e.TimeMs, Tenant: clean(e.Tenant, tenantMax)}
}

// fold adds one event that was not there before. Events of a payment arrive in
// order; one that arrives late (a replayed dead letter) fills its hole and only
// adds what later events cannot have overtaken.
func (p *Payment) fold(e *enginev1.Event) {
	id := EventID(e)
	late := p.Last != (ID{}) && p.Last.Cluster == id.Cluster && id.Compare(p.Last) < 0
	switch {
	case e.Seq == 0: // not counted by the engine
	case late:
		if e.Seq < p.LastSeq && p.Missing > 0 {
			p.Missing--
		}
	case e.Seq > p.LastSeq:
		p.Missing += e.Seq - p.LastSeq - 1
		p.LastSeq = e.Seq
	default:
		// The cluster lost its newest entries and went on under a new incarnation:
		// what it says now is what holds.
		p.LastSeq = e.Seq
		p.State, p.Result, p.Code, p.EndedMS = StateRunning, 0, "", 0
		if len(p.Incidents) > 0 {
			p.State = StateIncident
		}
	}
	if !late {
		p.Last = id
		p.UpdatedMS = max(p.UpdatedMS, e.TimeMs)
	}
	if p.Tenant == "" {
		p.Tenant = clean(e.Tenant, tenantMax)
	}
	switch e.Kind {
	case enginev1.EventKind_EVENT_KIND_PAYMENT_STARTED:
		p.UUID = clean(e.Uuid, wordMax)
		p.Flow, p.FlowVersion = clean(e.Type, wordMax), e.Number
		p.ClientKey, p.Channel = clean(e.Key, wordMax), clean(e.Name, wordMax)
		p.StartedMS = e.TimeMs
	case enginev1.EventKind_EVENT_KIND_PAYMENT_ENDED:
		p.State, p.Result, p.Code, p.EndedMS = StateEnded, e.Result, clean(e.Code, wordMax), e.TimeMs
		p.Incidents = nil
	case enginev1.EventKind_EVENT_KIND_PAYMENT_MIGRATED:
		if !late {
			p.FlowVersion = e.Number
		}
	case enginev1.EventKind_EVENT_KIND_INCIDENT_OPENED:
		if !late && p.State != StateEnded && len(p.Incidents) < incidentMax {
			p.Incidents = append(slices.Clip(p.Incidents), Incident{
				Number: e.Number, Element: clean(e.Element, wordMax), Code: clean(e.Code, wordMax),
				Text: clean(e.Text, textMax), OpenedMS: e.TimeMs,
			})
			p.State = StateIncident
		}
	case enginev1.EventKind_EVENT_KIND_INCIDENT_RESOLVED:
		p.Incidents = slices.DeleteFunc(slices.Clone(p.Incidents), func(i Incident) bool { return i.Number == e.Number })
		if len(p.Incidents) == 0 && p.State == StateIncident {
			p.State = StateRunning
		}
	}
	if p.Amount == nil {
		p.foldAmount(e.Variables)
	}
}

// foldAmount takes the first amount the payment shows: the variables amount and
// currency, or an object {amount, currency} as schemes write it.
func (p *Payment) foldAmount(vars []*enginev1.Variable) {
	var amount, currency string
	for _, v := range vars {
		switch v.Name {
		case "amount":
			amount, currency = readAmount(v.Json, currency)
		case "currency":
			var s string
			if json.Unmarshal(v.Json, &s) == nil {
				currency = s
			}
		}
	}
	if amount == "" || len(currency) != 3 || strings.Trim(currency, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return
	}
	if minor, ok := ParseAmount(amount, currency); ok {
		p.Amount, p.Currency = &minor, currency
	}
}

func readAmount(text []byte, currency string) (string, string) {
	if len(text) == 0 {
		return "", currency
	}
	switch text[0] {
	case '"':
		var s string
		_ = json.Unmarshal(text, &s)
		return s, currency
	case '{':
		var money struct {
			Amount   json.RawMessage `json:"amount"`
			Currency string          `json:"currency"`
		}
		if json.Unmarshal(text, &money) != nil || len(money.Amount) == 0 || money.Amount[0] == '{' {
			return "", currency
		}
		amount, _ := readAmount(money.Amount, "")
		return amount, money.Currency
	}
	return string(text), currency
}

// clean makes a text fit for both databases: valid UTF-8, no NUL, at most max
// bytes.
func clean(s string, max int) string {
	plain := len(s) <= max
	for i := 0; plain && i < len(s); i++ {
		plain = s[i] != 0 && s[i] < utf8.RuneSelf
	}
	if plain {
		return s
	}
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
	if len(s) > max {
		for max > 0 && !utf8.RuneStart(s[max]) {
			max--
		}
		s = s[:max]
	}
	return s
}
