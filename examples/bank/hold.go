package bank

import (
	"database/sql"
	"errors"
)

// PlaceHold asks to set money aside: amount and fee stay in the account but are
// no longer available.
type PlaceHold struct {
	Account  AccountRef `json:"account"`
	Amount   string     `json:"amount"`
	Fee      string     `json:"fee,omitempty"` // empty: none
	Currency string     `json:"currency"`
	Cause
}

// Cause says which payment of the client's a movement belongs to and which of
// its deeds it is. Together they are the business reference of an enquiry.
type Cause struct {
	Reference string `json:"reference"`         // the payment, e.g. its UUID
	Purpose   string `json:"purpose,omitempty"` // e.g. hold, book, credit
}

func (c Cause) check() error {
	return errors.Join(checkText("reference", c.Reference, 1, 128), checkText("purpose", c.Purpose, 0, 64))
}

// Hold is money set aside.
type Hold struct {
	ID       string `json:"id"`
	Account  string `json:"account"`
	Amount   string `json:"amount"`
	Fee      string `json:"fee"`
	Currency string `json:"currency"`
	State    string `json:"state"` // open, booked, released
	Cause
	PlacedAt string `json:"placed_at"`
	ClosedAt string `json:"closed_at,omitempty"`
}

// hold is the row, with its account's currency.
type hold struct {
	id, account, currency, state string
	amount, fee                  int64
	cause                        Cause
	placedMS, closedMS           int64
}

func (h *hold) total() int64 { return h.amount + h.fee }

func (h *hold) show() Hold {
	return Hold{
		ID: h.id, Account: h.account, State: h.state, Cause: h.cause, Currency: h.currency,
		Amount: formatAmount(h.amount, h.currency), Fee: formatAmount(h.fee, h.currency),
		PlacedAt: stamp(h.placedMS), ClosedAt: stamp(h.closedMS),
	}
}

const holdColumns = `h.id, h.account_id, h.amount, h.fee, h.state, h.reference, h.purpose, h.placed_ms, h.closed_ms,
	(SELECT a.currency FROM accounts a WHERE a.id = h.account_id)`

func (h *hold) scan(row interface{ Scan(...any) error }) error {
	return row.Scan(&h.id, &h.account, &h.amount, &h.fee, &h.state, &h.cause.Reference, &h.cause.Purpose, &h.placedMS, &h.closedMS, &h.currency)
}

func (t *tx) placeHold(p PlaceHold) (Hold, error) {
	if err := p.Cause.check(); err != nil {
		return Hold{}, err
	}
	amount, fee, err := parseMoney(p.Amount, p.Fee, p.Currency)
	if err != nil {
		return Hold{}, err
	}
	id, err := t.resolve(p.Account, p.Currency)
	if err != nil {
		return Hold{}, err
	}
	a, err := t.account(id, true)
	if err != nil {
		return Hold{}, err
	}
	h := hold{id: mint("hold"), account: a.id, currency: a.currency, state: "open", amount: amount, fee: fee, cause: p.Cause, placedMS: t.now}
	switch {
	case a.role != Customer:
		return Hold{}, refuse(BadRequest, "only a customer's account can be held")
	case a.state != "open":
		return Hold{}, refuse(AccountBlocked, "the account is %s", a.state)
	case a.available() < h.total():
		return Hold{}, refuse(InsufficientFunds, "the account has not enough available")
	}
	if _, err := t.exec("INSERT INTO holds (id, account_id, amount, fee, state, reference, purpose, placed_ms) VALUES ($1, $2, $3, $4, 'open', $5, $6, $7)",
		h.id, h.account, h.amount, h.fee, h.cause.Reference, h.cause.Purpose, h.placedMS); err != nil {
		return Hold{}, err
	}
	if _, err := t.exec("UPDATE accounts SET held = held + $1 WHERE id = $2", h.total(), h.account); err != nil {
		return Hold{}, err
	}
	return h.show(), nil
}

// parseMoney reads an amount above zero and a fee that may be absent.
func parseMoney(amount, fee, currency string) (a, f int64, err error) {
	if a, err = parseAmount(amount, currency, false); err != nil || fee == "" {
		return a, 0, err
	}
	f, err = parseAmount(fee, currency, true)
	return a, f, err
}

// hold reads a row; lock holds it until the transaction ends. Whoever locks both
// a hold and accounts locks the hold first.
func (t *tx) hold(id string, lock bool) (hold, error) {
	if err := checkText("hold", id, 1, 64); err != nil {
		return hold{}, err
	}
	query := "SELECT " + holdColumns + " FROM holds h WHERE h.id = $1"
	if lock {
		query += t.lock
	}
	var h hold
	err := h.scan(t.one(query, id))
	if errors.Is(err, sql.ErrNoRows) {
		return h, refuse(HoldNotFound, "there is no hold %q", clip(id))
	}
	return h, err
}

func (t *tx) getHold(id string) (Hold, error) {
	h, err := t.hold(id, false)
	if err != nil {
		return Hold{}, err
	}
	return h.show(), nil
}

// listHolds finds holds by business reference; an empty purpose is any.
func (t *tx) listHolds(c Cause) ([]Hold, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	out := []Hold{}
	err := t.each(func(r *sql.Rows) error {
		var h hold
		err := h.scan(r)
		out = append(out, h.show())
		return err
	}, "SELECT "+holdColumns+" FROM holds h WHERE h.reference = $1 AND ($2 = '' OR h.purpose = $2) ORDER BY h.placed_ms, h.id LIMIT 1000", c.Reference, c.Purpose)
	return out, err
}

// ReleaseHold makes held money available again.
type ReleaseHold struct {
	Reason string `json:"reason,omitempty"`
}

func (t *tx) releaseHold(id string, r ReleaseHold) (Hold, error) {
	if err := checkText("reason", r.Reason, 0, 256); err != nil {
		return Hold{}, err
	}
	h, err := t.closeHold(id, "released")
	if err != nil {
		return Hold{}, err
	}
	return h.show(), nil
}

// closeHold ends an open hold and makes its money available.
func (t *tx) closeHold(id, state string) (hold, error) {
	h, err := t.hold(id, true)
	if err != nil {
		return h, err
	}
	if h.state != "open" {
		return h, refuse(HoldNotOpen, "the hold is %s", h.state)
	}
	h.state, h.closedMS = state, t.now
	if _, err := t.account(h.account, true); err != nil {
		return h, err
	}
	if _, err := t.exec("UPDATE holds SET state = $1, closed_ms = $2 WHERE id = $3", h.state, h.closedMS, h.id); err != nil {
		return h, err
	}
	_, err = t.exec("UPDATE accounts SET held = held - $1 WHERE id = $2", h.total(), h.account)
	return h, err
}
