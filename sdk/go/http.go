package connector

import (
	"sort"
	"strings"
	"time"

	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
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

// Response is an answered HTTP call of any status; redirects come as they are.
type Response struct {
	Status int
	Body   []byte

	headers []*sdkv1.Header
}

// Header returns the first header of that name, in whatever case.
func (r *Response) Header(name string) string { return header(r.headers, strings.ToLower(name)) }

// HTTP calls an endpoint. The error is *InDoubt or *Failure; any HTTP status is
// a Response.
func (c *Context) HTTP(call HTTP) (*Response, error) {
	answer := c.ask(&sdkv1.Effect{Kind: &sdkv1.Effect_Http{Http: &sdkv1.Http{
		Endpoint:  call.Endpoint,
		Method:    call.Method,
		Path:      call.Path,
		Headers:   headers(call.Headers),
		Body:      call.Body,
		Key:       call.Key,
		Terms:     call.Terms.encode(),
		TimeoutMs: millis(call.Timeout),
	}}})
	if err := answerError(answer); err != nil {
		return nil, err
	}
	http := answer.GetHttp()
	if http == nil {
		return nil, wrongAnswer()
	}
	return &Response{Status: int(http.Status), Body: http.Body, headers: http.Headers}, nil
}

func (t *Terms) encode() *sdkv1.Terms {
	if t == nil {
		return nil
	}
	return &sdkv1.Terms{Amount: t.Amount, Currency: t.Currency, Debtor: t.Debtor, Creditor: t.Creditor}
}

// headers sorts by name, so that the effect does not depend on map order.
func headers(m map[string]string) []*sdkv1.Header {
	if len(m) == 0 {
		return nil
	}
	out := make([]*sdkv1.Header, 0, len(m))
	for k, v := range m {
		out = append(out, &sdkv1.Header{Key: k, Value: v})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Key < out[j].Key })
	return out
}

func header(headers []*sdkv1.Header, name string) string {
	for _, h := range headers {
		if h.GetKey() == name {
			return h.GetValue()
		}
	}
	return ""
}

// millis rounds up, so that a short positive duration never becomes zero, which
// means something else.
func millis(d time.Duration) int64 {
	return int64((d + time.Millisecond - 1) / time.Millisecond)
}
