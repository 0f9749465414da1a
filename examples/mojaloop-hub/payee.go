package mojaloophub

import (
	"fmt"
	"math/big"
	"net/url"
	"slices"
	"strings"
)

// Payee is a customer of the built-in DFSP.
type Payee struct {
	Type  string `json:"type"` // MSISDN, …
	ID    string `json:"id"`
	SubID string `json:"sub_id,omitempty"`
	Name  string `json:"name,omitempty"`
}

// Credit is one entry of the payee's ledger.
type Credit struct {
	TransferID string `json:"transfer_id"`
	Currency   string `json:"currency"`
	Amount     string `json:"amount"`
	At         string `json:"at"`
}

// PayeeView is a payee with what was credited to it.
type PayeeView struct {
	Payee
	Balance map[string]string `json:"balance"` // by currency
	Credits []Credit          `json:"credits"`
}

type account struct {
	payee   Payee
	balance map[string]*big.Int // minor units by currency
	credits []Credit
}

func payeeKey(idType, id, sub string) string {
	return idType + "\x00" + strings.TrimPrefix(id, "+") + "\x00" + sub
}

func (s *Server) enrol(p Payee) error {
	if !slices.Contains(idTypes, p.Type) || p.ID == "" || len(p.ID) > 128 || len(p.SubID) > 128 {
		return fmt.Errorf("payee %s %q is not a party", p.Type, p.ID)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.payees[payeeKey(p.Type, p.ID, p.SubID)] = &account{payee: p, balance: map[string]*big.Int{}}
	return nil
}

// account finds a payee; the caller holds the lock.
func (s *Server) account(info partyIDInfo) *account {
	key := payeeKey(info.Type, info.ID, info.SubID)
	a := s.payees[key]
	if a == nil && s.config.AnyPayee && info.Type == "MSISDN" {
		a = &account{payee: Payee{Type: info.Type, ID: info.ID, SubID: info.SubID, Name: "Customer"}, balance: map[string]*big.Int{}}
		s.payees[key] = a
	}
	return a
}

// Payee is the ledger of all payees with this identifier.
func (s *Server) Payee(id string) (PayeeView, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.payees {
		if a.payee.ID != id {
			continue
		}
		view := PayeeView{Payee: a.payee, Balance: map[string]string{}, Credits: slices.Clone(a.credits)}
		if view.Credits == nil {
			view.Credits = []Credit{}
		}
		for currency, minor := range a.balance {
			view.Balance[currency] = decimal(minor, currency)
		}
		return view, true
	}
	return PayeeView{}, false
}

// getParty looks a party up. The answer depends on nothing but the ledger's
// customers, so a repeated request simply gets it again.
func (s *Server) getParty(c *call) (*answer, *refusal) {
	info := partyIDInfo{
		Type: c.request.PathValue("type"), ID: c.request.PathValue("id"), SubID: c.request.PathValue("sub"), FSP: s.config.FSP,
	}
	if no := apply(partyRules("party", party{IDInfo: info})...); no != nil {
		return nil, no
	}
	path := "/parties/" + url.PathEscape(info.Type) + "/" + url.PathEscape(info.ID)
	if info.SubID != "" {
		path += "/" + url.PathEscape(info.SubID)
	}
	s.mu.Lock()
	a := s.account(info)
	s.mu.Unlock()
	if c.fault.Kind == Error {
		return s.failed(path, c.fault.code("3204"), "party not found"), nil
	}
	if a == nil {
		return s.failed(path, "3204", "party not found"), nil
	}
	return &answer{path: path, from: s.config.FSP, body: encode(map[string]any{
		"party": party{IDInfo: info, Name: a.payee.Name},
	})}, nil
}
