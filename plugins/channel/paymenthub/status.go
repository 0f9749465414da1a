package main

import (
	"strings"

	connector "github.com/railhead-hub/railhead/sdk/go"
)

// statusByID answers GET /channel/transfer/{transactionId}.
func statusByID(c *connector.Context, r *connector.Request) connector.Reply {
	id := r.Param("transactionId")
	if !visible(id, correlationMax) {
		return invalid(codeFormat, "transactionId", "transactionId is malformed").reply()
	}
	payment, no := find(c, connector.Query{Payment: id})
	if no != nil {
		return no.reply()
	}
	body := connector.Vars{
		"transactionId": payment.Payment, "transferId": payment.Payment, "clientRefId": payment.ClientKey,
		"transferState": transferState(payment), "completedTimestamp": nil,
	}
	if payment.State == "ended" {
		body["completedTimestamp"] = payment.EndedAt.Format("2006-01-02T15:04:05.000Z07:00")
		body["result"], body["code"] = payment.Result, payment.Code
	}
	return connector.JSON(200, body)
}

// stateByCorrelation answers GET /channel/txnState/{X-CorrelationID}.
func stateByCorrelation(c *connector.Context, r *connector.Request) connector.Reply {
	id := r.Param("correlationId")
	if no := checkCorrelation("X-CorrelationID", id); no != nil {
		return no.reply()
	}
	if kind := r.Header("requestType"); kind != "" && !strings.EqualFold(kind, "transfers") {
		return invalid(codeFormat, "requestType", "requestType is not transfers").reply()
	}
	payment, no := find(c, connector.Query{ClientKey: id})
	if no != nil {
		return no.reply()
	}
	return connector.JSON(200, connector.Vars{"transactionId": payment.Payment, "transferState": transferState(payment)})
}

func find(c *connector.Context, q connector.Query) (connector.Payment, *refusal) {
	payment, err := c.Query(q)
	if err != nil {
		return payment, unavailable()
	}
	if !payment.Found {
		return payment, &refusal{status: 404, category: "NotFound", code: "transactionNotFound", description: "there is no such transfer"}
	}
	return payment, nil
}

// transferState is a payment's state in FSPIOP's words. RECEIVED stands for all that
// is not over, and for an end whose result nobody has stated: it never says more
// than is known.
func transferState(p connector.Payment) string {
	if p.State == "ended" {
		switch p.Result {
		case "completed":
			return "COMMITTED"
		case "failed", "rejected", "reversed", "returned", "cancelled":
			return "ABORTED"
		}
	}
	return "RECEIVED"
}
