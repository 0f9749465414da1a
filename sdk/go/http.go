package connector

import (
	"strings"
	"time"
)

// HTTP is a call of an endpoint that the manifest declares and the tenant has
// bound to an address.
type HTTP struct {
	Endpoint string
	Method   string
	// Path is relative to the endpoint's base URL, escaped, with the query.
	Path string
	// Headers may hold {{secret:name}}. Repeated headers are not supported.
	Headers map[string]string
	Body    []byte
	// Key makes this a money effect: it names what is done, once per payment
	// ("hold", "book"), whichever job asks. Terms are then required. The host
	// sends an idempotency key that belongs to (payment, Key).
	Key   string
	Terms *Terms
	// Timeout is rounded up to milliseconds; zero means the endpoint's own.
	Timeout time.Duration
}

// Terms are what a money effect is about. Asking again under the same key with
// other terms is an error.
type Terms struct {
	Amount   string // decimal, as in "12.50"
	Currency string // ISO 4217
	Debtor   string
	Creditor string
}

func (t *Terms) encode(w *writer, number int) {
	if t == nil {
		return
	}
	at := w.begin(number)
	w.text(1, t.Amount)
	w.text(2, t.Currency)
	w.text(3, t.Debtor)
	w.text(4, t.Creditor)
	w.end(at)
}

// Response is an answered HTTP call of any status; redirects come as they are.
type Response struct {
	Status int
	Body   []byte

	encoded string // the answer, for its headers
}

// Header returns the first header of that name, in whatever case.
func (r *Response) Header(name string) string {
	return lookup(r.encoded, httpAnswerHeaders, strings.ToLower(name))
}

// HTTP calls an endpoint. The error is *InDoubt or *Failure; any HTTP status is
// a Response.
func (c *Context) HTTP(call HTTP) (*Response, error) {
	w, q := c.begin(effectHTTP)
	w.text(1, call.Endpoint)
	w.text(2, call.Method)
	w.text(3, call.Path)
	encodeHeaders(w, 4, call.Headers)
	w.bytes(5, call.Body)
	w.text(6, call.Key)
	call.Terms.encode(w, 7)
	w.uint(8, millis(call.Timeout))
	answer, there := c.ask(q)
	if !there {
		panic(unwind{})
	}
	if answer.kind == answerNone {
		return nil, &InDoubt{Reason: answerLost}
	}
	if err := answer.is(answerHTTP); err != nil {
		return nil, err
	}
	response := &Response{encoded: answer.message}
	f := fields{in: answer.message}
	for f.next() {
		switch f.number {
		case 1:
			response.Status = int(uint32(f.uint()))
		case httpAnswerHeaders:
			f.text()
		case 3:
			response.Body = pieces.bytes(f.text())
		}
	}
	return response, nil
}

const httpAnswerHeaders = 2 // field of HttpAnswer

// answerLost is the reason of an InDoubt for an answer that holds nothing: the
// effect was settled as done by enquiry, so that there never was an answer to
// keep.
const answerLost = "it was done, but what the other side answered is lost: it was found out by enquiry"

// encodeHeaders sorts by name, so that the effect does not depend on map order.
func encodeHeaders(w *writer, number int, headers map[string]string) {
	if len(headers) == 0 {
		return // most have none, and ranging over no map is not free in a guest
	}
	var room [pairsRoom]pairOf[string]
	for _, h := range sortedPairs(room[:0], headers) {
		at := w.begin(number)
		w.text(1, h.name)
		w.text(2, h.value)
		w.end(at)
	}
}

// millis rounds up, so that a short positive duration never becomes zero, which
// means something else.
func millis(d time.Duration) uint64 {
	return uint64((d + time.Millisecond - 1) / time.Millisecond)
}
