package mojaloophub

import (
	"bytes"
	"encoding/json"
	"math/big"
	"strings"
	"time"

	"github.com/railhead-hub/railhead/examples/mojaloop-hub/ilp"
)

// quote is a quote the payee has given or refused.
type quote struct {
	digest  string
	owner   string // the payer's FSP
	request quoteRequest
	amount  *big.Int // minor units
	packet  string
	fails   time.Time // when it expires
	answer  *answer
	refused bool
}

// quotedTransaction is what the packet carries: the terms both sides agree on.
type quotedTransaction struct {
	QuoteID         string          `json:"quoteId"`
	TransactionID   string          `json:"transactionId"`
	TransactionType transactionType `json:"transactionType"`
	Payee           party           `json:"payee"`
	Payer           party           `json:"payer"`
	Expiration      string          `json:"expiration"`
	Amount          money           `json:"amount"`
	Note            string          `json:"note,omitempty"`
}

func (s *Server) postQuote(c *call) (*answer, *refusal) {
	var q quoteRequest
	canonical, no := decode(c.body, &q)
	if no == nil {
		no = q.check()
	}
	if no == nil && q.Payer.IDInfo.FSP != "" && q.Payer.IDInfo.FSP != c.source {
		no = malformed("3101", "payer.partyIdInfo.fspId is not FSPIOP-Source")
	}
	if no != nil {
		return nil, no
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := digest(canonical)
	if known := s.quotes[q.QuoteID]; known != nil {
		if known.digest != sum || known.owner != c.source {
			return s.failed("/quotes/"+q.QuoteID, "3106", "quote "+q.QuoteID+" was sent with other content"), nil
		}
		return known.answer, nil
	}
	made := &quote{digest: sum, owner: c.source, request: q}
	made.answer = s.decideQuote(c, made)
	s.quotes[q.QuoteID] = made
	return made.answer, nil
}

func (s *Server) decideQuote(c *call, made *quote) *answer {
	q, path := made.request, "/quotes/"+made.request.QuoteID
	refuse := func(code, description string) *answer {
		made.refused = true
		return s.failed(path, code, description)
	}
	if c.fault.Kind == Error {
		return refuse(c.fault.code("5103"), "payee FSP refused the quote")
	}
	if d := c.request.Header.Get("FSPIOP-Destination"); d != s.config.FSP {
		return refuse("3201", "no participant "+d)
	}
	if q.Payee.IDInfo.FSP != "" && q.Payee.IDInfo.FSP != s.config.FSP {
		return refuse("3203", "no participant "+q.Payee.IDInfo.FSP)
	}
	if s.account(q.Payee.IDInfo) == nil {
		return refuse("3204", "party not found")
	}
	now := time.Now()
	if expires, ok := parseTime(q.Expiration); ok && !expires.After(now) {
		return refuse("3302", "quote request expired")
	}
	minor, err := q.Amount.minor()
	if err != nil || !minor.IsUint64() || minor.Sign() == 0 {
		return refuse("5103", "amount cannot be quoted")
	}
	made.amount, made.fails = minor, now.Add(s.config.QuoteFor)

	promised := q.Amount
	if c.fault.Kind == WrongTerms {
		minor = new(big.Int).Lsh(minor, 1)
		promised.Amount = decimal(minor, q.Amount.Currency)
	}
	payee, payer := q.Payee, q.Payer
	payee.IDInfo.FSP, payer.IDInfo.FSP = s.config.FSP, c.source
	made.packet = ilp.Encode(ilp.Packet{
		Amount: minor.Uint64(), Destination: address(payee.IDInfo),
		Data: encode(quotedTransaction{
			QuoteID: q.QuoteID, TransactionID: q.TransactionID, TransactionType: q.TransactionType,
			Payee: payee, Payer: payer, Expiration: formatTime(made.fails), Amount: promised, Note: q.Note,
		}),
	})
	_, condition := ilp.Derive(s.config.Secret, made.packet)
	zero := money{Currency: q.Amount.Currency, Amount: "0"}
	return &answer{path: path, from: s.config.FSP, body: encode(map[string]any{
		"transferAmount": q.Amount, "payeeReceiveAmount": q.Amount, "payeeFspFee": zero, "payeeFspCommission": zero,
		"expiration": formatTime(made.fails), "ilpPacket": made.packet, "condition": condition,
	})}
}

func (s *Server) getQuote(c *call) (*answer, *refusal) {
	id := c.request.PathValue("id")
	if no := apply(matches("quoteId", id, uuidPattern)); no != nil {
		return nil, no
	}
	path := "/quotes/" + id
	if c.fault.Kind == Error {
		return s.failed(path, c.fault.code("3205"), "quote not found"), nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.quotes[id]
	if known == nil || known.owner != c.source {
		return s.failed(path, "3205", "quote not found"), nil
	}
	return known.answer, nil
}

// address is the payee's ILP address.
func address(p partyIDInfo) string {
	a := "g." + p.FSP + "." + strings.ToLower(p.Type) + "." + strings.ToLower(p.ID)
	if p.SubID != "" {
		a += "." + strings.ToLower(p.SubID)
	}
	return a
}

// failed is an /error callback of the hub.
func (s *Server) failed(path, code, description string) *answer {
	return &answer{path: path + "/error", from: s.config.Hub, body: encode(errorInformation(code, description))}
}

// encode writes compact JSON as other languages do, without Go's HTML escapes.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // only types of this package come here
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
