package bank

import (
	"database/sql"
	"errors"
)

// Tariff is what an institution charges per direction and currency: a fixed
// amount and a share of the amount in basis points, rounded half up.
type Tariff struct {
	Institution string `json:"institution"`
	Direction   string `json:"direction"` // outgoing, incoming
	Currency    string `json:"currency"`
	Fixed       string `json:"fixed"`
	BasisPoints int64  `json:"basis_points"`
}

// AskQuote asks what a payment would cost. It changes nothing.
type AskQuote struct {
	Account   AccountRef `json:"account"`
	Direction string     `json:"direction"` // outgoing: the account pays; incoming: it is paid
	Amount    string     `json:"amount"`
	Currency  string     `json:"currency"`
}

// Quote is the answer. Total is what leaves the account when it pays, or what
// arrives when it is paid.
type Quote struct {
	Account   string `json:"account"`
	Direction string `json:"direction"`
	Amount    string `json:"amount"`
	Fee       string `json:"fee"`
	Total     string `json:"total"`
	Currency  string `json:"currency"`
}

func (t *tx) setTariff(f Tariff) error {
	fixed, err := parseAmount(f.Fixed, f.Currency, true)
	if err != nil {
		return err
	}
	if f.Direction != "outgoing" && f.Direction != "incoming" || f.BasisPoints < 0 || f.BasisPoints > 10_000 {
		return refuse(BadRequest, "a tariff is outgoing or incoming and has 0 to 10000 basis points")
	}
	_, err = t.exec(`INSERT INTO tariffs (institution, direction, currency, fixed, basis_points) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (institution, direction, currency) DO UPDATE SET fixed = excluded.fixed, basis_points = excluded.basis_points`,
		f.Institution, f.Direction, f.Currency, fixed, f.BasisPoints)
	return err
}

func (t *tx) quote(q AskQuote) (Quote, error) {
	if q.Direction != "outgoing" && q.Direction != "incoming" {
		return Quote{}, refuse(BadRequest, "direction %q is not outgoing or incoming", clip(q.Direction))
	}
	amount, err := parseAmount(q.Amount, q.Currency, false)
	if err != nil {
		return Quote{}, err
	}
	id, err := t.resolve(q.Account, q.Currency)
	if err != nil {
		return Quote{}, err
	}
	a, err := t.account(id, false)
	if err != nil {
		return Quote{}, err
	}
	if a.state != "open" {
		return Quote{}, refuse(AccountBlocked, "the account is %s", a.state)
	}
	var fixed, points int64
	err = t.one("SELECT fixed, basis_points FROM tariffs WHERE institution = $1 AND direction = $2 AND currency = $3",
		a.institution, q.Direction, q.Currency).Scan(&fixed, &points)
	if err != nil && !errors.Is(err, sql.ErrNoRows) { // no tariff: free
		return Quote{}, err
	}
	fee := fixed + share(amount, points)
	total := amount + fee
	if q.Direction == "incoming" {
		if fee >= amount {
			return Quote{}, refuse(BadRequest, "the fee is not below the amount")
		}
		total = amount - fee
	}
	return Quote{
		Account: a.id, Direction: q.Direction, Currency: q.Currency,
		Amount: formatAmount(amount, q.Currency), Fee: formatAmount(fee, q.Currency), Total: formatAmount(total, q.Currency),
	}, nil
}

// share is points ten-thousandths of amount, rounded half up. It splits the
// amount first, so that the product stays within 64 bits.
func share(amount, points int64) int64 {
	const whole = 10_000
	return amount/whole*points + (amount%whole*points+whole/2)/whole
}
