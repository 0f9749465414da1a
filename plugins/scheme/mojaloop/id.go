package main

import (
	"strings"

	"github.com/railhead-hub/railhead/plugins/scheme/mojaloop/fspiop"
)

// quoteMask turns a payment's UUID into its quote's and back. It leaves the version
// and variant digits alone. A quote needs an id of its own in the scheme, a resend
// must reuse it, and a callback that carries only it must find the payment.
const quoteMask = "5155c3a6-9d2e-07b4-0e61-8a4f2d93b7c5"

// quoteID is the id of a payment's quote, and paymentOf its inverse.
func quoteID(payment string) string {
	const digits = "0123456789abcdef"
	out := []byte(payment)
	for i := range out {
		if out[i] != '-' {
			out[i] = digits[strings.IndexByte(digits, out[i])^strings.IndexByte(digits, quoteMask[i])]
		}
	}
	return string(out)
}

func paymentOf(quote string) string { return quoteID(quote) }

// traceparent carries the payment through the scheme and back: its UUID is the
// trace's id.
func traceparent(payment string) string {
	trace := strings.ReplaceAll(payment, "-", "")
	return "00-" + trace + "-" + trace[16:] + "-01"
}

// paymentOfTrace is the payment a traceparent names, if it can be one.
func paymentOfTrace(traceparent string) (string, bool) {
	if len(traceparent) < 55 || traceparent[2] != '-' || traceparent[35] != '-' || traceparent[52] != '-' {
		return "", false
	}
	t := traceparent[3:35]
	payment := t[:8] + "-" + t[8:12] + "-" + t[12:16] + "-" + t[16:20] + "-" + t[20:]
	return payment, fspiop.ValidID(payment)
}
