package bank

import (
	"context"
	"fmt"
	"testing"
)

func TestQuote(t *testing.T) {
	eachStore(t, func(t *testing.T, database string) {
		s := open(t, Config{Database: database})
		err := s.Seed(context.Background(), Seed{Tariffs: []Tariff{
			{Institution: "greenbank", Direction: "outgoing", Currency: "USD", Fixed: "0.25", BasisPoints: 50},
			{Institution: "greenbank", Direction: "incoming", Currency: "USD", Fixed: "1", BasisPoints: 0},
		}})
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range []struct{ direction, amount, want string }{
			{"outgoing", "100", "0.75 100.75"},
			{"outgoing", "1.00", "0.26 1.26"}, // 0.005 is rounded up
			{"outgoing", "0.99", "0.25 1.24"}, // 0.00495 is not
			{"outgoing", "0.01", "0.25 0.26"},
			{"outgoing", "9999999999999.99", "50000000000.25 10050000000000.24"}, // 49999999999.99995 is rounded up
			{"incoming", "100", "1.00 99.00"},
			{"incoming", "1.00", "BAD_REQUEST"}, // nothing would be left
			{"sideways", "1.00", "BAD_REQUEST"},
		} {
			var q Quote
			err := s.ledger.store.view(context.Background(), func(t *tx) (err error) {
				q, err = t.quote(AskQuote{Account: AccountRef{ID: asha}, Direction: row.direction, Amount: row.amount, Currency: "USD"})
				return err
			})
			got := q.Fee + " " + q.Total
			if e, ok := refusal(err); ok {
				got = string(e.Code)
			} else if err != nil {
				t.Fatal(err)
			}
			if got != row.want {
				t.Errorf("%s %s: %s, want %s", row.direction, row.amount, got, row.want)
			}
		}
	})
}

func TestSeed(t *testing.T) {
	eachStore(t, func(t *testing.T, database string) {
		ctx := context.Background()
		s := open(t, Config{Database: database})
		again, err := ReadSeed("demo")
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Seed(ctx, again); err != nil {
			t.Errorf("the same seed again: %v", err)
		}
		for i, bad := range []Seed{
			{Accounts: []SeedAccount{{OpenAccount: OpenAccount{Name: "x"}}}},
			{Accounts: []SeedAccount{{OpenAccount: OpenAccount{ID: "x1", Institution: "nobank", Name: "x", Currency: "USD"}, OpeningBalance: "1"}}},
			{Tariffs: []Tariff{{Institution: "greenbank", Direction: "outgoing", Currency: "USD", Fixed: "1", BasisPoints: -1}}},
		} {
			if err := s.Seed(ctx, bad); err == nil {
				t.Errorf("seed %d went through", i)
			}
		}
		var check Check
		if err := s.ledger.store.view(ctx, func(t *tx) (err error) { check, err = t.check(); return err }); err != nil || !check.OK || check.Bookings != 18 {
			t.Errorf("%v %+v", err, check)
		}
	})
}

// TestCheck breaks each invariant behind the ledger's back: the check must see it.
func TestCheck(t *testing.T) {
	for i, sql := range []string{
		"INSERT INTO entries (booking_id, account_id, amount, currency, balance_after) SELECT id, '" + asha + "', 1, 'USD', 1000001 FROM bookings LIMIT 1",
		"INSERT INTO bookings (id, kind, hold_id, reference, purpose, booked_ms) VALUES ('b', 'payment', '', 'r', '', 0)",
		"UPDATE accounts SET balance = balance + 1 WHERE id = '" + asha + "'",
		"UPDATE accounts SET held = held + 1 WHERE id = '" + asha + "'",
		"INSERT INTO holds (id, account_id, amount, fee, state, reference, purpose, placed_ms) VALUES ('h', '" + asha + "', 1, 0, 'booked', 'r', '', 0)",
		"INSERT INTO operations (key, digest, status, answer, performed_ms) VALUES ('k', '', 0, '', 0)",
	} {
		t.Run(fmt.Sprint("breach ", i+1), func(t *testing.T) {
			eachStore(t, func(t *testing.T, database string) {
				s := open(t, Config{Database: database})
				if _, err := s.ledger.store.write.Exec(sql); err != nil {
					t.Fatal(err)
				}
				var check Check
				err := s.ledger.store.view(context.Background(), func(t *tx) (err error) { check, err = t.check(); return err })
				if err != nil || check.OK || len(check.Violations) == 0 {
					t.Errorf("%v %+v", err, check)
				}
			})
		})
	}
}
