package mojaloophub

import (
	"encoding/base64"
	"encoding/json"
	"math/big"
	"time"

	"github.com/railhead-hub/railhead/examples/mojaloop-hub/ilp"
)

// The states of a transfer.
const (
	Committed = "COMMITTED"
	Aborted   = "ABORTED"
)

// transfer is a transfer the payee has taken or refused.
type transfer struct {
	digest     string
	owner      string
	state      string
	amount     money
	payee      partyIDInfo
	fulfilment string
	completed  time.Time
	answer     *answer
	requests   int
	enquiries  int
	credits    int
}

// TransferView is a transfer for tests and the admin API.
type TransferView struct {
	TransferID string `json:"transfer_id"`
	State      string `json:"state"`
	Currency   string `json:"currency"`
	Amount     string `json:"amount"`
	Payee      string `json:"payee,omitempty"`
	Requests   int    `json:"requests"`  // POSTs seen
	Enquiries  int    `json:"enquiries"` // GETs seen
	Credits    int    `json:"credits"`   // entries in the payee's ledger: 0 or 1
}

func (s *Server) postTransfer(c *call) (*answer, *refusal) {
	var t transferRequest
	canonical, no := decode(c.body, &t)
	if no == nil {
		no = t.check()
	}
	if no == nil && t.PayerFSP != c.source {
		no = malformed("3101", "payerFsp is not FSPIOP-Source")
	}
	if no != nil {
		return nil, no
	}
	if magic, ok := s.config.MagicAmounts[t.Amount.Amount]; ok && c.fault.Kind == "" {
		c.fault = magic
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := digest(canonical)
	if known := s.transfers[t.TransferID]; known != nil {
		known.requests++
		if known.digest != sum || known.owner != c.source {
			return s.failed("/transfers/"+t.TransferID, "3106", "transfer "+t.TransferID+" was sent with other content"), nil
		}
		return known.answer, nil
	}
	made := &transfer{digest: sum, owner: c.source, amount: t.Amount, requests: 1}
	s.transfers[t.TransferID] = made
	s.order = append(s.order, t.TransferID)
	s.decideTransfer(c, t, made)
	return made.answer, nil
}

// decideTransfer is the payee's part: check the terms against the quote, credit
// once, answer. The caller holds the lock.
func (s *Server) decideTransfer(c *call, t transferRequest, made *transfer) {
	path := "/transfers/" + t.TransferID
	refuse := func(code, description string) {
		made.state = Aborted
		made.answer = s.failed(path, code, description)
	}
	if c.fault.Kind == Error {
		refuse(c.fault.code("5105"), "payee FSP refused the transaction")
		return
	}
	code, description, q := s.checkTerms(c, t)
	if q == nil {
		refuse(code, description)
		return
	}
	payee := s.account(q.request.Payee.IDInfo)
	if payee == nil {
		refuse("3204", "party not found")
		return
	}
	made.completed = time.Now()
	s.settled[q.request.QuoteID] = t.TransferID
	s.credit(payee, t, q.amount, made.completed)
	made.credits++
	made.state, made.payee = Committed, q.request.Payee.IDInfo
	made.fulfilment, _ = ilp.Derive(s.config.Secret, t.IlpPacket)
	if c.fault.Kind == WrongFulfilment {
		made.fulfilment = base64.RawURLEncoding.EncodeToString(make([]byte, 32))
	}
	made.answer = &answer{path: path, from: s.config.FSP, body: made.report()}
}

// checkTerms compares a transfer with its quote, which the packet names.
func (s *Server) checkTerms(c *call, t transferRequest) (code, description string, _ *quote) {
	if d := c.request.Header.Get("FSPIOP-Destination"); d != s.config.FSP || t.PayeeFSP != s.config.FSP {
		return "3203", "no participant " + t.PayeeFSP, nil
	}
	if expires, _ := parseTime(t.Expiration); !expires.After(time.Now()) {
		return "3303", "transfer expired", nil
	}
	packet, err := ilp.Decode(t.IlpPacket)
	if err != nil {
		return "3101", "ilpPacket is not an ILP packet", nil
	}
	var terms quotedTransaction
	if json.Unmarshal(packet.Data, &terms) != nil {
		return "3101", "ilpPacket carries no transaction", nil
	}
	q := s.quotes[terms.QuoteID]
	switch _, condition := ilp.Derive(s.config.Secret, t.IlpPacket); {
	case q == nil || q.refused || q.owner != c.source:
		return "3205", "quote not found", nil
	case q.packet != t.IlpPacket || condition != t.Condition:
		return "5105", "condition or packet is not the quote's", nil
	case !q.fails.After(time.Now()):
		return "3302", "quote expired", nil
	case s.settled[terms.QuoteID] != "":
		return "5105", "quote is used up", nil
	}
	minor, err := t.Amount.minor()
	if err != nil || minor.Cmp(q.amount) != 0 || t.Amount.Currency != q.request.Amount.Currency {
		return "5105", "amount is not the quote's", nil
	}
	return "", "", q
}

func (s *Server) credit(a *account, t transferRequest, minor *big.Int, at time.Time) {
	balance := a.balance[t.Amount.Currency]
	if balance == nil {
		balance = new(big.Int)
		a.balance[t.Amount.Currency] = balance
	}
	balance.Add(balance, minor)
	a.credits = append(a.credits, Credit{TransferID: t.TransferID, Currency: t.Amount.Currency, Amount: t.Amount.Amount, At: formatTime(at)})
}

func (t *transfer) report() []byte {
	body := map[string]any{"transferState": t.state}
	if t.state == Committed {
		body["fulfilment"] = t.fulfilment
		body["completedTimestamp"] = formatTime(t.completed)
	}
	return encode(body)
}

func (s *Server) getTransfer(c *call) (*answer, *refusal) {
	id := c.request.PathValue("id")
	if no := apply(matches("transferId", id, uuidPattern)); no != nil {
		return nil, no
	}
	path := "/transfers/" + id
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.transfers[id]
	if known != nil {
		known.enquiries++
	}
	if c.fault.Kind == Error {
		return s.failed(path, c.fault.code("3208"), "transfer not found"), nil
	}
	if known == nil || known.owner != c.source {
		return s.failed(path, "3208", "transfer not found"), nil
	}
	return &answer{path: path, from: s.config.FSP, body: known.report()}, nil
}

// Transfers lists the transfers as they came, at most so many from the first.
func (s *Server) Transfers(most int) []TransferView {
	s.mu.Lock()
	defer s.mu.Unlock()
	views := []TransferView{}
	for _, id := range s.order[:min(most, len(s.order))] {
		views = append(views, s.transfers[id].view(id))
	}
	return views
}

// Transfer is one transfer.
func (s *Server) Transfer(id string) (TransferView, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.transfers[id]
	if t == nil {
		return TransferView{}, false
	}
	return t.view(id), true
}

func (t *transfer) view(id string) TransferView {
	return TransferView{
		TransferID: id, State: t.state, Currency: t.amount.Currency, Amount: t.amount.Amount, Payee: t.payee.ID,
		Requests: t.requests, Enquiries: t.enquiries, Credits: t.credits,
	}
}
