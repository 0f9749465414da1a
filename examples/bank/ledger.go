package bank

import (
	"cmp"
	"errors"
	"slices"
)

// leg is one side of a booking: a credit when amount is positive, a debit when it
// is negative. A leg of zero is left out.
type leg struct {
	account string
	amount  int64
}

// posting is what post books.
type posting struct {
	kind     string // payment, deposit, transfer, opening
	currency string
	hold     string // the hold it uses up, or empty
	cause    Cause
	legs     []leg
}

// errUnbalanced is a fault of this program, not of a request.
var errUnbalanced = errors.New("a posting does not add up to zero")

// post is the only way money moves: it books balanced legs in one currency, or
// changes nothing. It locks the accounts in order of id, so that two postings
// never wait for each other.
func (t *tx) post(p posting) (Booking, error) {
	p.legs = slices.DeleteFunc(p.legs, func(l leg) bool { return l.amount == 0 })
	slices.SortFunc(p.legs, func(a, b leg) int { return cmp.Compare(a.account, b.account) })
	var sum int64
	for i, l := range p.legs {
		sum += l.amount // at most a few legs of at most twice amountMax
		if i > 0 && p.legs[i-1].account == l.account {
			return Booking{}, refuse(SameAccount, "the account is on both sides")
		}
	}
	if sum != 0 || len(p.legs) < 2 {
		return Booking{}, errUnbalanced
	}

	after := make([]int64, len(p.legs))
	for i, l := range p.legs {
		a, err := t.account(l.account, true)
		if err != nil {
			return Booking{}, err
		}
		if after[i], err = add(a.balance, l.amount); err != nil {
			return Booking{}, err
		}
		switch {
		case a.currency != p.currency:
			return Booking{}, refuse(CurrencyMismatch, "the account is in %s, not in %s", a.currency, p.currency)
		case a.state != "open" && (p.hold == "" || l.amount > 0):
			return Booking{}, refuse(AccountBlocked, "the account is %s", a.state)
		case a.role == Customer && l.amount < 0 && after[i] < a.held:
			return Booking{}, refuse(InsufficientFunds, "the account has not enough available")
		}
	}

	id := mint("bkg")
	n, err := t.exec("INSERT INTO bookings (id, kind, hold_id, reference, purpose, booked_ms) VALUES ($1, $2, $3, $4, $5, $6)",
		id, p.kind, p.hold, p.cause.Reference, p.cause.Purpose, t.now)
	if err != nil || n != 1 {
		return Booking{}, err
	}
	for i, l := range p.legs {
		if _, err := t.exec("INSERT INTO entries (booking_id, account_id, amount, currency, balance_after) VALUES ($1, $2, $3, $4, $5)",
			id, l.account, l.amount, p.currency, after[i]); err != nil {
			return Booking{}, err
		}
		if _, err := t.exec("UPDATE accounts SET balance = $1 WHERE id = $2", after[i], l.account); err != nil {
			return Booking{}, err
		}
	}
	return t.getBooking(id)
}

// own returns the institution's own account of a role.
func (t *tx) own(institution, role, currency string) (string, error) {
	return t.resolve(AccountRef{Institution: institution, Role: role}, currency)
}
