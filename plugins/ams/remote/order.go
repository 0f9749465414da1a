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
func body(o order.Order) connector.Vars {
	b := connector.Vars{
		"account": o.Account.Vars(), "amount": string(o.Amount.Value), "currency": o.Amount.Currency,
	}
	if o.Fee != "" {
		b["fee"] = string(o.Fee)
	}
	return b
}
