package main

import (
	"github.com/railhead-hub/railhead/plugins/ams/order"
	connector "github.com/railhead-hub/railhead/sdk/go"
)

// The variables are read as every core banking connector reads them; what is wrong
// with them is a refusal of this one's.

func readPayer(job *connector.Job) (order.Order, *refusal) { return asked(order.ReadPayer(job)) }

func readPayee(job *connector.Job, source string) (order.Order, *refusal) {
	return asked(order.ReadPayee(job, source))
}

func withFee(o order.Order, job *connector.Job) (order.Order, *refusal) { return asked(o.WithFee(job)) }

func asked(o order.Order, fault *order.Fault) (order.Order, *refusal) {
	if fault == nil {
		return o, nil
	}
	return o, &refusal{Code: fault.Code, Message: fault.Message}
}

func invalid(message string) *refusal { return &refusal{Code: "INVALID_REQUEST", Message: message} }

// body is that of a deed on the customer's account: a hold or a deposit.
func body(o order.Order, job *connector.Job, institution, purpose string) connector.Vars {
	b := connector.Vars{
		"account": named(o.Account, institution),
		"amount":  string(o.Amount.Value), "currency": o.Amount.Currency,
		"reference": job.Payment, "purpose": purpose,
	}
	if o.Fee != "" {
		b["fee"] = string(o.Fee)
	}
	return b
}

// named is the account as the bank's interface names it: a party belongs to an
// institution.
func named(a order.Account, institution string) connector.Vars {
	vars := a.Vars()
	if a.Party.Named() {
		vars["institution"] = institution
	}
	return vars
}
