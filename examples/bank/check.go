package bank

import (
	"database/sql"
	"fmt"
)

// Check is the result of proving the ledger: OK means that no violation was found
// in one consistent state of it.
type Check struct {
	OK         bool          `json:"ok"`
	Currencies []CheckedSum  `json:"currencies"`
	Accounts   int64         `json:"accounts"`
	Bookings   int64         `json:"bookings"`
	Entries    int64         `json:"entries"`
	OpenHolds  int64         `json:"open_holds"`
	Operations int64         `json:"operations"`
	Violations []CheckFailed `json:"violations"` // at most 100 of each rule
}

// CheckedSum is the sum of all entries in a currency: zero, in a sound ledger.
type CheckedSum struct {
	Currency string `json:"currency"`
	Sum      string `json:"sum"`
}

// CheckFailed names a rule and what breaks it.
type CheckFailed struct {
	Rule string `json:"rule"`
	ID   string `json:"id"`
}

// rules are the invariants, each with a query for the ids that break it.
var rules = []struct{ name, query string }{
	{"a booking's entries add up to zero in each currency",
		"SELECT booking_id FROM entries GROUP BY booking_id, currency HAVING SUM(amount) <> 0"},
	{"a booking has entries",
		"SELECT id FROM bookings b WHERE NOT EXISTS (SELECT 1 FROM entries e WHERE e.booking_id = b.id)"},
	{"an account's balance is the sum of its entries",
		"SELECT a.id FROM accounts a LEFT JOIN entries e ON e.account_id = a.id GROUP BY a.id, a.balance HAVING COALESCE(SUM(e.amount), 0) <> a.balance"},
	{"an entry's balance is the sum up to it",
		"SELECT CAST(id AS TEXT) FROM (SELECT id, balance_after, SUM(amount) OVER (PARTITION BY account_id ORDER BY id) AS total FROM entries) s WHERE total <> balance_after"},
	{"an entry is in its account's currency",
		"SELECT CAST(e.id AS TEXT) FROM entries e JOIN accounts a ON a.id = e.account_id WHERE a.currency <> e.currency"},
	{"what an account holds is the sum of its open holds",
		"SELECT a.id FROM accounts a LEFT JOIN holds h ON h.account_id = a.id AND h.state = 'open' GROUP BY a.id, a.held HAVING COALESCE(SUM(h.amount + h.fee), 0) <> a.held"},
	{"a customer's available balance is not below zero",
		"SELECT id FROM accounts WHERE role = 'customer' AND balance - held < 0"},
	{"a booked hold has one booking, another hold has none",
		"SELECT h.id FROM holds h LEFT JOIN bookings b ON b.hold_id = h.id GROUP BY h.id, h.state HAVING COUNT(b.id) <> CASE h.state WHEN 'booked' THEN 1 ELSE 0 END"},
	{"a booking of a hold debits its account by amount and fee",
		"SELECT h.id FROM holds h JOIN bookings b ON b.hold_id = h.id WHERE NOT EXISTS (SELECT 1 FROM entries e WHERE e.booking_id = b.id AND e.account_id = h.account_id AND e.amount = -(h.amount + h.fee))"},
	{"an operation has its answer",
		"SELECT key FROM operations WHERE status = 0"},
}

func (t *tx) check() (Check, error) {
	c := Check{Currencies: []CheckedSum{}, Violations: []CheckFailed{}}
	err := t.each(func(r *sql.Rows) error {
		var currency string
		var sum, n int64
		err := r.Scan(&currency, &sum, &n)
		c.Entries += n
		c.Currencies = append(c.Currencies, CheckedSum{currency, formatAmount(sum, currency)})
		return err
	}, "SELECT currency, CAST(SUM(amount) AS BIGINT), COUNT(*) FROM entries GROUP BY currency ORDER BY currency")
	if err != nil {
		return c, fmt.Errorf("sum the entries: %w", err)
	}
	err = t.one(`SELECT (SELECT COUNT(*) FROM accounts), (SELECT COUNT(*) FROM bookings),
		(SELECT COUNT(*) FROM holds WHERE state = 'open'), (SELECT COUNT(*) FROM operations)`).
		Scan(&c.Accounts, &c.Bookings, &c.OpenHolds, &c.Operations)
	if err != nil {
		return c, fmt.Errorf("count the ledger: %w", err)
	}
	for _, rule := range rules {
		err := t.each(func(r *sql.Rows) error {
			f := CheckFailed{Rule: rule.name}
			err := r.Scan(&f.ID)
			c.Violations = append(c.Violations, f)
			return err
		}, rule.query+" LIMIT 100")
		if err != nil {
			return c, fmt.Errorf("check that %s: %w", rule.name, err)
		}
	}
	c.OK = len(c.Violations) == 0
	return c, nil
}
