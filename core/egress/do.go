package egress

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	"github.com/railhead-hub/railhead/sdk/abi"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// Outcome is what became of a request.
type Outcome struct {
	// Answer is the response, or a Failure with a code of sdk/abi; nil when State is open and the mode is
	// not safe, since what the connector then gets is for the caller to decide.
	Answer *sdkv1.Answer
	// State is DONE, REFUSED (certainly not done) or OPEN (unknown).
	State enginev1.EffectState
	// Reason says why a state is open: a text without secrets.
	Reason string
}

// Do performs the effect, under the idempotency key when one is given. again
// says that the same request may have been sent before under this key, which
// makes a refusal mean less; see classify. Do returns when the effect is settled
// or the retries and the time are used up; a cancelled context leaves it open.
func (e *Endpoint) Do(ctx context.Context, effect *sdkv1.Http, key string, again bool) Outcome {
	begun := time.Now()
	out := e.do(ctx, effect, key, again)
	e.metrics.observe(e.config.Connector, e.config.Name, out, time.Since(begun))
	return out
}

func (e *Endpoint) do(ctx context.Context, effect *sdkv1.Http, key string, again bool) Outcome {
	repeatable := e.config.Mode == enginev1.Mode_MODE_SAFE || e.config.Mode == enginev1.Mode_MODE_KEYED
	backoff := 50 * time.Millisecond
	for attempt := 0; ; attempt++ {
		out, sent := e.send(ctx, effect, key, again)
		if attempt == e.config.Retries || ctx.Err() != nil || e.settled(out) {
			return out
		}
		if sent && !repeatable {
			return out
		}
		again = again || sent
		e.metrics.retried(e.config.Connector, e.config.Name)
		select {
		case <-ctx.Done():
			return out
		case <-time.After(backoff):
		}
		backoff *= 2
	}
}

// settled reports whether sending again could not improve the outcome.
func (e *Endpoint) settled(out Outcome) bool {
	if failure, ok := out.Answer.GetKind().(*sdkv1.Answer_Failure); ok {
		switch failure.Failure.Code {
		case abi.FailureInvalid, abi.FailureForbidden, abi.FailureBusy:
			return true
		}
		return false
	}
	return out.State != enginev1.EffectState_EFFECT_STATE_OPEN
}

// send is one attempt. sent is false when not a byte can have left.
func (e *Endpoint) send(ctx context.Context, effect *sdkv1.Http, key string, again bool) (out Outcome, sent bool) {
	timeout := e.config.Timeout
	if effect.TimeoutMs > 0 {
		timeout = min(timeout, time.Duration(effect.TimeoutMs)*time.Millisecond)
	}
	req, err := e.build(ctx, effect, key)
	if err != nil {
		return e.unsent(abi.FailureInvalid, e.scrubbed(err.Error()), again), false
	}
	leave, err := e.enter(ctx, timeout)
	if err != nil {
		return e.unsent(abi.FailureBusy, err.Error(), again), false
	}
	peer := unclear
	defer func() { leave(peer) }()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	// Once a connection was handed over, bytes may have left, whatever the error
	// says. Before that none can have.
	var connected atomic.Bool
	req = req.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	}))
	resp, err := e.transport().RoundTrip(req)
	if err != nil {
		policy := errors.Is(err, errAddress) || errors.As(err, new(*pinError))
		if !policy && !errors.Is(ctx.Err(), context.Canceled) {
			peer = sick
		}
		if !connected.Load() {
			code := abi.FailureUnreachable
			if policy {
				code = abi.FailureForbidden
			}
			return e.unsent(code, e.text(err), again), false
		}
		return e.open(abi.FailureTimeout, e.text(err)), true
	}
	defer resp.Body.Close()
	peer = sick
	if resp.StatusCode < 200 {
		// The body of a 101 is the bare connection, which heeds no deadline.
		return e.open(abi.FailureTimeout, fmt.Sprintf("HTTP %d in place of an answer", resp.StatusCode)), true
	}
	body, err := e.body(resp)
	switch {
	case errors.Is(err, errTooLarge):
		peer = well
		return e.open(abi.FailureTooLarge, fmt.Sprintf("HTTP %d with more than %d bytes", resp.StatusCode, e.config.ResponseMax)), true
	case errors.Is(err, errEncoded):
		peer = well
		return e.open(abi.FailureTimeout, fmt.Sprintf("HTTP %d in a content encoding that was not asked for", resp.StatusCode)), true
	case err != nil:
		if errors.Is(ctx.Err(), context.Canceled) {
			peer = unclear
		}
		return e.open(abi.FailureTimeout, fmt.Sprintf("HTTP %d, cut off: %s", resp.StatusCode, e.text(err))), true
	}
	if resp.StatusCode < 500 && resp.StatusCode != http.StatusTooManyRequests {
		peer = well
	}
	state := classify(resp.StatusCode, again)
	out = Outcome{State: state}
	if state == enginev1.EffectState_EFFECT_STATE_OPEN {
		out.Reason = fmt.Sprintf("HTTP %d", resp.StatusCode)
	}
	if state != enginev1.EffectState_EFFECT_STATE_OPEN || e.config.Mode == enginev1.Mode_MODE_SAFE {
		out.Answer = e.answer(resp, body)
	}
	return out, true
}

// enter waits for room. That time is not the attempt's: a request sent when little
// is left of its time would end in doubt.
func (e *Endpoint) enter(ctx context.Context, timeout time.Duration) (leave func(health), err error) {
	gate, valves := e.gates.of(e.key, e.config.Version, e.limits)
	leave, err = gate.enter(ctx, min(timeout, e.config.WaitMax), valves)
	if err != nil {
		e.metrics.heldBack(e.config.Connector, e.config.Name, err)
	}
	return leave, err
}

var (
	errTooLarge = errors.New("the response is too large")
	errEncoded  = errors.New("the response is encoded")
)

// body reads a response within its limit. One that a peer compresses although it
// was told not to is unpacked, for nobody could look for secrets in it otherwise.
func (e *Endpoint) body(resp *http.Response) ([]byte, error) {
	var from io.Reader = resp.Body
	// All lines count: a second one is a second coding.
	switch strings.ToLower(strings.Join(resp.Header.Values("Content-Encoding"), ",")) {
	case "", "identity":
	case "gzip", "x-gzip":
		if resp.ContentLength == 0 || resp.Request.Method == http.MethodHead {
			break
		}
		unpacked, err := gzip.NewReader(io.LimitReader(resp.Body, e.config.ResponseMax))
		if err != nil {
			return nil, err
		}
		from = unpacked
		resp.Header.Del("Content-Encoding")
		resp.Header.Del("Content-Length")
	default:
		return nil, errEncoded
	}
	body, err := io.ReadAll(io.LimitReader(from, e.config.ResponseMax+1))
	if err == nil && int64(len(body)) > e.config.ResponseMax {
		return nil, errTooLarge
	}
	return body, err
}

// unsent is the outcome when nothing left the house. The effect certainly did
// not happen, unless an earlier sending under the same key may have done it.
func (e *Endpoint) unsent(code, text string, again bool) Outcome {
	if again && e.config.Mode != enginev1.Mode_MODE_SAFE {
		return Outcome{State: enginev1.EffectState_EFFECT_STATE_OPEN, Reason: text}
	}
	return Outcome{
		Answer: failure(code, text),
		State:  enginev1.EffectState_EFFECT_STATE_REFUSED,
		Reason: text,
	}
}

// open is the outcome when the request left and no answer settles it.
func (e *Endpoint) open(code, reason string) Outcome {
	out := Outcome{State: enginev1.EffectState_EFFECT_STATE_OPEN, Reason: reason}
	if e.config.Mode == enginev1.Mode_MODE_SAFE {
		out.Answer = failure(code, reason)
	}
	return out
}

func failure(code, text string) *sdkv1.Answer {
	return &sdkv1.Answer{Kind: &sdkv1.Answer_Failure{Failure: &sdkv1.Failure{Code: code, Text: text}}}
}

// answer copies a response for the guest and the log: without the headers that
// are about the connection or a session, and without secrets.
func (e *Endpoint) answer(resp *http.Response, body []byte) *sdkv1.Answer {
	a := &sdkv1.HttpAnswer{Status: uint32(resp.StatusCode), Body: body}
	var names, values []string
	for _, name := range slices.Sorted(maps.Keys(resp.Header)) {
		switch name {
		case "Connection", "Keep-Alive", "Set-Cookie", "Set-Cookie2", "Transfer-Encoding", "Trailer", "Upgrade",
			"Proxy-Authenticate", "Date", "Server":
			continue
		}
		if !e.shows.let(name) {
			continue
		}
		for _, value := range resp.Header[name] {
			if len(names) < headersMax {
				names, values = append(names, name), append(values, value)
			}
		}
	}
	scrub := e.secrets.Scrubber()
	for i, value := range scrub.Lines(values) {
		a.Headers = append(a.Headers, &sdkv1.Header{Key: strings.ToLower(scrub.String(names[i])), Value: value})
	}
	if scrub != nil {
		a.Body = []byte(scrub.String(string(body)))
	}
	return &sdkv1.Answer{Kind: &sdkv1.Answer_Http{Http: a}}
}

func (e *Endpoint) scrubbed(text string) string { return e.secrets.Scrubber().String(text) }

// text is an error's message for people, short and without secrets.
func (e *Endpoint) text(err error) string {
	var dns *net.DNSError
	var pin *pinError
	switch {
	case errors.Is(err, context.DeadlineExceeded) || isTimeout(err):
		return "no answer in time"
	case errors.Is(err, context.Canceled):
		return "the call was abandoned"
	case errors.As(err, &dns):
		return "the name " + dns.Name + " does not resolve"
	case errors.As(err, &pin):
		return pin.Error()
	}
	text := e.scrubbed(err.Error())
	if len(text) > 300 {
		text = strings.ToValidUTF8(text[:300], "")
	}
	return text
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}
