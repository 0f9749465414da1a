package main

import (
	"github.com/railhead-hub/railhead/plugins/scheme/mojaloop/ilp"
	connector "github.com/railhead-hub/railhead/sdk/go"
)

// committed judges a COMMITTED. The fulfilment must answer the condition of the
// quote, which the payment has kept. One that does not, or none at all, is no proof
// that the payee was credited and no proof that it was not: nothing is published,
// the hold stays, the flow enquires and in the end calls the operator.
func (cb *callback) committed(message connector.Message, fulfilment string) *connector.Reply {
	condition := cb.payment.String("condition")
	if condition == "" {
		// The node lags behind, or no quote was ever accepted.
		return busy()
	}
	if !ilp.Fulfils(fulfilment, condition) {
		return cb.note("transfer-fulfilment-wrong", connector.Vars{"transferState": "COMMITTED", "present": fulfilment != ""})
	}
	message.Variables = connector.Vars{"transferFailed": false, "transferState": "COMMITTED"}
	return cb.publish(message, "transfers/"+cb.payment.Payment+"/COMMITTED")
}
