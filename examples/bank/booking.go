package bank

import (
	"cmp"
	"database/sql"
	"errors"
	"strconv"
)

// Book asks to debit a customer for a payment. With a hold, the hold names the
// account, the amount and the fee, and is used up; amount and currency may be
// repeated as a check. Without one, debit, amount and currency say it.
type Book struct {
	Hold     string      `json:"hold,omitempty"`
	Debit    *AccountRef `json:"debit,omitempty"`
	Credit   *AccountRef `json:"credit,omitempty"` // absent: the settlement account of the debited one's institution
	Amount   string      `json:"amount,omitempty"`
	Fee      string      `json:"fee,omitempty"`
	Currency string      `json:"currency,omitempty"`
	Cause
}

// Deposit asks to credit an account with money that comes from outside. The fee
// is taken out of the amount.
type Deposit struct {
	Account  AccountRef  `json:"account"`
	From     *AccountRef `json:"from,omitempty"` // absent: the settlement account of the credited one's institution
	Amount   string      `json:"amount"`
	Fee      string      `json:"fee,omitempty"`
	Currency string      `json:"currency"`
	Cause
}

// Transfer asks to move money between two accounts of this ledger. The fee is
// paid by the debited one, on top of the amount.
type Transfer struct {
	Debit    AccountRef `json:"debit"`
	Credit   AccountRef `json:"credit"`
	Amount   string     `json:"amount"`
	Fee      string     `json:"fee,omitempty"`
	Currency string     `json:"currency"`
	Cause
}

// Booking is a balanced movement.
type Booking struct {
	ID   string `json:"id"`
	Kind string `json:"kind"` // payment, deposit, transfer, opening
	Hold string `json:"hold,omitempty"`
	Cause
	BookedAt string  `json:"booked_at"`
	Entries  []Entry `json:"entries"`
}

// Entry is one line of the journal. A positive amount is a credit.
type Entry struct {
	ID           int64  `json:"id"` // grows; the cursor of lists
	Booking      string `json:"booking"`
	Kind         string `json:"kind"`
	Account      string `json:"account"`
	Role         string `json:"role"` // of the account
	Amount       string `json:"amount"`
	Currency     string `json:"currency"`
	BalanceAfter string `json:"balance_after"`
	Cause
	BookedAt string `json:"booked_at"`
}

func (t *tx) book(b Book) (Booking, error) {
	if err := b.check(); err != nil {
		return Booking{}, err
	}
	if b.Hold != "" {
		return t.bookHold(b)
	}
	if b.Debit == nil {
		return Booking{}, refuse(BadRequest, "a booking needs a hold, or debit, amount and currency")
	}
	return t.move("payment", *b.Debit, b.Credit, b.Amount, b.Fee, b.Currency, b.Cause)
}

func (t *tx) bookHold(b Book) (Booking, error) {
	if b.Debit != nil || b.Fee != "" {
		return Booking{}, refuse(BadRequest, "with a hold, debit and fee are the hold's")
	}
	h, err := t.closeHold(b.Hold, "booked")
	if err != nil {
		return Booking{}, err
	}
	if b.Currency != "" && b.Currency != h.currency {
		return Booking{}, refuse(CurrencyMismatch, "the hold is in %s, not in %s", h.currency, clip(b.Currency))
	}
	if b.Amount != "" {
		amount, err := parseAmount(b.Amount, h.currency, false)
		if err != nil {
			return Booking{}, err
		}
		if amount != h.amount {
			return Booking{}, refuse(AmountMismatch, "the hold is for %s, not for %s", formatAmount(h.amount, h.currency), formatAmount(amount, h.currency))
		}
	}
	payer, err := t.account(h.account, false)
	if err != nil {
		return Booking{}, err
	}
	return t.pay("payment", payer, b.Credit, h.amount, h.fee, h.id, b.Cause)
}

// move pays from one account to another, fee on top.
func (t *tx) move(kind string, debit AccountRef, credit *AccountRef, amount, fee, currency string, c Cause) (Booking, error) {
	a, f, err := parseMoney(amount, fee, currency)
	if err != nil {
		return Booking{}, err
	}
	id, err := t.resolve(debit, currency)
	if err != nil {
		return Booking{}, err
	}
	payer, err := t.account(id, false)
	if err != nil {
		return Booking{}, err
	}
	return t.pay(kind, payer, credit, a, f, "", c)
}

func (t *tx) pay(kind string, payer account, credit *AccountRef, amount, fee int64, hold string, c Cause) (Booking, error) {
	to, err := t.resolve(orSettlement(credit, payer.institution), payer.currency)
	if err != nil {
		return Booking{}, err
	}
	legs := []leg{{payer.id, -(amount + fee)}, {to, amount}}
	if fee > 0 {
		income, err := t.own(payer.institution, Fees, payer.currency)
		if err != nil {
			return Booking{}, err
		}
		legs = append(legs, leg{income, fee})
	}
	return t.post(posting{kind: kind, currency: payer.currency, hold: hold, cause: c, legs: legs})
}

func (t *tx) transfer(r Transfer) (Booking, error) {
	if err := r.check(); err != nil {
		return Booking{}, err
	}
	return t.move("transfer", r.Debit, &r.Credit, r.Amount, r.Fee, r.Currency, r.Cause)
}

func (t *tx) deposit(d Deposit) (Booking, error) {
	if err := d.check(); err != nil {
		return Booking{}, err
	}
	amount, fee, err := parseMoney(d.Amount, d.Fee, d.Currency)
	if err != nil {
		return Booking{}, err
	}
	if fee >= amount {
		return Booking{}, refuse(BadRequest, "the fee is not below the amount")
	}
	id, err := t.resolve(d.Account, d.Currency)
	if err != nil {
		return Booking{}, err
	}
	payee, err := t.account(id, false)
	if err != nil {
		return Booking{}, err
	}
	from, err := t.resolve(orSettlement(d.From, payee.institution), d.Currency)
	if err != nil {
		return Booking{}, err
	}
	legs := []leg{{from, -amount}, {payee.id, amount - fee}}
	if fee > 0 {
		income, err := t.own(payee.institution, Fees, d.Currency)
		if err != nil {
			return Booking{}, err
		}
		legs = append(legs, leg{income, fee})
	}
	return t.post(posting{kind: "deposit", currency: d.Currency, cause: d.Cause, legs: legs})
}

func orSettlement(ref *AccountRef, institution string) AccountRef {
	return *cmp.Or(ref, &AccountRef{Institution: institution, Role: Settlement})
}

func (t *tx) getBooking(id string) (Booking, error) {
	b := Booking{ID: id}
	var ms int64
	err := t.one("SELECT kind, hold_id, reference, purpose, booked_ms FROM bookings WHERE id = $1", id).
		Scan(&b.Kind, &b.Hold, &b.Reference, &b.Purpose, &ms)
	if errors.Is(err, sql.ErrNoRows) {
		return b, refuse(BookingNotFound, "there is no booking %q", clip(id))
	}
	if err != nil {
		return b, err
	}
	b.BookedAt = stamp(ms)
	b.Entries, err = t.entries("e.booking_id = $1", 100, id)
	return b, err
}

// listBookings finds bookings by business reference; an empty purpose is any.
func (t *tx) listBookings(c Cause) ([]Booking, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	var ids []string
	err := t.each(func(r *sql.Rows) error {
		var id string
		err := r.Scan(&id)
		ids = append(ids, id)
		return err
	}, "SELECT id FROM bookings WHERE reference = $1 AND ($2 = '' OR purpose = $2) ORDER BY booked_ms, id LIMIT 1000", c.Reference, c.Purpose)
	out := make([]Booking, 0, len(ids))
	for _, id := range ids {
		if err != nil {
			break
		}
		var b Booking
		b, err = t.getBooking(id)
		out = append(out, b)
	}
	return out, err
}

// listEntries finds entries by reference or by account, those with an id above
// after. Both given means both must match.
func (t *tx) listEntries(reference, account string, after int64, limit int) ([]Entry, error) {
	switch {
	case reference == "" && account == "":
		return nil, refuse(BadRequest, "the query parameter reference or account is missing")
	case account == "":
		return t.entries("b.reference = $1 AND e.id > $2", limit, reference, after)
	case reference == "":
		return t.entries("e.account_id = $1 AND e.id > $2", limit, account, after)
	}
	return t.entries("b.reference = $1 AND e.account_id = $2 AND e.id > $3", limit, reference, account, after)
}

// statement returns an account's entries between two times, from the first after
// the cursor.
func (t *tx) statement(id string, fromMS, toMS, after int64, limit int) ([]Entry, error) {
	if _, err := t.account(id, false); err != nil {
		return nil, err
	}
	return t.entries("e.account_id = $1 AND b.booked_ms >= $2 AND b.booked_ms < $3 AND e.id > $4", limit, id, fromMS, toMS, after)
}

// entries reads up to limit entries in order of id; where is a condition of this
// package over e (entries) and b (bookings).
func (t *tx) entries(where string, limit int, args ...any) ([]Entry, error) {
	out := []Entry{}
	err := t.each(func(r *sql.Rows) error {
		var e Entry
		var amount, after, ms int64
		err := r.Scan(&e.ID, &e.Booking, &e.Kind, &e.Account, &e.Role, &amount, &e.Currency, &after, &e.Reference, &e.Purpose, &ms)
		e.Amount, e.BalanceAfter, e.BookedAt = formatAmount(amount, e.Currency), formatAmount(after, e.Currency), stamp(ms)
		out = append(out, e)
		return err
	}, `SELECT e.id, e.booking_id, b.kind, e.account_id, a.role, e.amount, e.currency, e.balance_after, b.reference, b.purpose, b.booked_ms
		FROM entries e JOIN bookings b ON b.id = e.booking_id JOIN accounts a ON a.id = e.account_id
		WHERE `+where+" ORDER BY e.id LIMIT "+strconv.Itoa(limit), args...)
	return out, err
}
