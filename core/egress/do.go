package egress

import (
	"context"
	"errors"
	"fmt"
	"io"
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
		return failure.Failure.Code == abi.FailureInvalid || failure.Failure.Code == abi.FailureForbidden
	}
	return out.State != enginev1.EffectState_EFFECT_STATE_OPEN
}

// send is one attempt. sent is false when not a byte can have left.
func (e *Endpoint) send(ctx context.Context, effect *sdkv1.Http, key string, again bool) (out Outcome, sent bool) {
	timeout := e.config.Timeout
	if effect.TimeoutMs > 0 {
		timeout = min(timeout, time.Duration(effect.TimeoutMs)*time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	req, err := e.build(ctx, effect, key)
	if err != nil {
		return e.unsent(abi.FailureInvalid, e.scrubbed(err.Error()), again), false
	}
	if e.limiter != nil {
		if err := e.limiter.Wait(ctx); err != nil {
			return e.unsent(abi.FailureBusy, "the endpoint's rate left no room in time", again), false
		}
	}
	// Once a connection was handed over, bytes may have left, whatever the error
	// says. Before that none can have.
	var connected atomic.Bool
	req = req.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	}))
	resp, err := e.transport.RoundTrip(req)
	if err != nil {
		if !connected.Load() {
			code := abi.FailureUnreachable
			if errors.Is(err, errAddress) {
				code = abi.FailureForbidden
			}
			return e.unsent(code, e.text(err), again), false
		}
		return e.open(abi.FailureTimeout, e.text(err)), true
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 {
		// The body of a 101 is the bare connection, which heeds no deadline.
		return e.open(abi.FailureTimeout, fmt.Sprintf("HTTP %d in place of an answer", resp.StatusCode)), true
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, e.config.ResponseMax+1))
	if err != nil {
		return e.open(abi.FailureTimeout, fmt.Sprintf("HTTP %d, cut off: %s", resp.StatusCode, e.text(err))), true
	}
	if int64(len(body)) > e.config.ResponseMax {
		return e.open(abi.FailureTooLarge, fmt.Sprintf("HTTP %d with more than %d bytes", resp.StatusCode, e.config.ResponseMax)), true
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
	for name, values := range resp.Header {
		switch name {
		case "Connection", "Keep-Alive", "Set-Cookie", "Transfer-Encoding", "Trailer", "Upgrade",
			"Proxy-Authenticate", "Date", "Server":
			continue
		}
		for _, value := range values {
			a.Headers = append(a.Headers, &sdkv1.Header{Key: strings.ToLower(name), Value: e.scrubbed(value)})
		}
	}
	slices.SortStableFunc(a.Headers, func(x, y *sdkv1.Header) int { return strings.Compare(x.Key, y.Key) })
	if len(a.Headers) > headersMax {
		a.Headers = a.Headers[:headersMax]
	}
	if e.scrub != nil {
		a.Body = []byte(e.scrub.Replace(string(body)))
	}
	return &sdkv1.Answer{Kind: &sdkv1.Answer_Http{Http: a}}
}

func (e *Endpoint) scrubbed(text string) string {
	if e.scrub == nil {
		return text
	}
	return e.scrub.Replace(text)
}

// text is an error's message for people, short and without secrets.
func (e *Endpoint) text(err error) string {
	var dns *net.DNSError
	switch {
	case errors.Is(err, context.DeadlineExceeded) || isTimeout(err):
		return "no answer in time"
	case errors.Is(err, context.Canceled):
		return "the call was abandoned"
	case errors.As(err, &dns):
		return "the name " + dns.Name + " does not resolve"
	}
	text := e.scrubbed(err.Error())
	if len(text) > 300 {
		text = text[:300]
	}
	return text
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}
