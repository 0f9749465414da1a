package main

import (
	"encoding/json"
	"strings"

	"github.com/railhead-hub/railhead/plugins/ams/order"
	connector "github.com/railhead-hub/railhead/sdk/go"
)

// bankBooking is the bank's account of a booking.
type bankBooking struct {
	ID        string `json:"id"`
	Hold      string `json:"hold"`
	Reference string `json:"reference"`
	Entries   []struct {
		Account  string        `json:"account"`
		Role     string        `json:"role"`
		Amount   order.Decimal `json:"amount"` // a debit is negative
		Currency string        `json:"currency"`
	} `json:"entries"`
}

func readBooking(answer []byte) (b bankBooking) {
	if json.Unmarshal(answer, &b) != nil {
		return bankBooking{}
	}
	return b
}

// of reports whether it is a booking of the job's payment that moved the amount:
// the fee apart, one of its entries is for just that.
func (b bankBooking) of(job *connector.Job, moved order.Amount) bool {
	if b.ID == "" || b.Reference != job.Payment {
		return false
	}
	for _, e := range b.Entries {
		if moved.Same(order.Amount{Value: order.Decimal(strings.TrimPrefix(string(e.Amount), "-")), Currency: e.Currency}) {
			return true
		}
	}
	return false
}

// customer is the account of the booking's customer.
func (b bankBooking) customer() string {
	for _, e := range b.Entries {
		if e.Role == "customer" {
			return e.Account
		}
	}
	return ""
}

// findBooking looks for a booking by reference.
func findBooking(key string) func(*ledger) finding {
	return func(l *ledger) finding {
		var list struct {
			Bookings *[]json.RawMessage `json:"bookings"`
		}
		if !l.look("/bookings"+l.reference(key), &list) {
			return finding{reason: "the bank does not list the payment's bookings"}
		}
		return one(list.Bookings)
	}
}
