package keys

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"regexp"
	"slices"
	"strings"

	"github.com/railhead-hub/railhead/sdk/abi"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// reference is how a token stands in a request in place of its value:
// {{token:tok_pan_…}}. A connector may write it, and then never holds the value; the
// host writes it where a request with values goes into the log.
var reference = regexp.MustCompile(`\{\{token:(` + Token.String() + `)\}\}`)

const referenceBegins = "{{token:"

// Expand puts values in place of the references in a call that is about to leave, and
// tells the veil of them. The call given is not changed.
func (r *Ring) Expand(call *sdkv1.Http, seen *Veil) (*sdkv1.Http, error) {
	found := strings.Contains(call.Path, referenceBegins) || bytes.Contains(call.Body, []byte(referenceBegins))
	for _, h := range call.Headers {
		found = found || strings.Contains(h.GetValue(), referenceBegins)
	}
	if !found {
		return call, nil
	}
	var failed error
	text := func(s string) string {
		return reference.ReplaceAllStringFunc(s, func(ref string) string {
			token := ref[len(referenceBegins) : len(ref)-2]
			value, err := r.Reveal(token)
			if err != nil && failed == nil {
				failed = err
			}
			seen.Learn(value, token)
			return value
		})
	}
	out := rewrite(call, text)
	if failed == nil && (strings.Contains(out.Path, referenceBegins) || bytes.Contains(out.Body, []byte(referenceBegins))) {
		failed = failf(abi.FailureInvalid, "a reference is not of the form {{token:tok_…}}")
	}
	return out, failed
}

// rewrite is the call with every text of it passed through f.
func rewrite(call *sdkv1.Http, f func(string) string) *sdkv1.Http {
	out := &sdkv1.Http{
		Endpoint: call.Endpoint, Method: call.Method, Path: f(call.Path), Body: []byte(f(string(call.Body))),
		Key: call.Key, Terms: call.Terms, TimeoutMs: call.TimeoutMs,
	}
	for _, h := range call.Headers {
		out.Headers = append(out.Headers, &sdkv1.Header{Key: h.GetKey(), Value: f(h.GetValue())})
	}
	return out
}

// Reveal is the value of a token, for a connector that may have it.
func (r *Ring) Reveal(token string) (string, error) {
	if !r.use.Detokenize {
		return "", failf(abi.FailureForbidden, "%s may not detokenize", r.who)
	}
	_, value, err := r.reveal(token)
	return value, err
}

// Mask is a number that hides a digest in the log: who has the log but not the
// tenant's token key cannot try card numbers against it. The context must not come
// twice. A new token key changes it.
func (r *Ring) Mask(context []byte) (mask uint64, err error) {
	if err := r.tokensReady(); err != nil {
		return 0, err
	}
	err = r.tokens.versions[0].use(func(keys []*software) error {
		h := hmac.New(sha256.New, keys[0].secret)
		h.Write([]byte("railhead digest mask\x00"))
		h.Write(context)
		mask = binary.BigEndian.Uint64(h.Sum(nil))
		return nil
	})
	return mask, err
}

// watchedMin is the least length of a value that a Veil looks for: a shorter one
// stands in too much that has nothing to do with it.
const watchedMin = 8

// Veil knows values and the tokens that stand for them, and keeps the values out of
// what is written down. It finds a value as it is, not one that was encoded or taken
// apart. The zero Veil knows none.
type Veil struct {
	values, tokens []string
}

// Learn adds a value.
func (v *Veil) Learn(value, token string) {
	if len(value) < watchedMin || slices.Contains(v.values, value) {
		return
	}
	v.values, v.tokens = append(v.values, value), append(v.tokens, token)
}

// Knows tells whether there is anything to hide.
func (v *Veil) Knows() bool { return len(v.values) > 0 }

// Clone is a Veil that learns by itself.
func (v *Veil) Clone() Veil { return Veil{slices.Clone(v.values), slices.Clone(v.tokens)} }

// Hides tells whether b holds a value.
func (v *Veil) Hides(b []byte) bool {
	for _, value := range v.values {
		if bytes.Contains(b, []byte(value)) {
			return true
		}
	}
	return false
}

// Text is s with tokens in place of values.
func (v *Veil) Text(s string) string { return v.replace(s, "", "") }

// Cover is the call with references in place of values; Expand undoes it.
func (v *Veil) Cover(call *sdkv1.Http) *sdkv1.Http {
	return rewrite(call, func(s string) string { return v.replace(s, referenceBegins, "}}") })
}

// Scrub is an answer with tokens in place of values: a peer that repeats what it was
// sent would otherwise put it into the log.
func (v *Veil) Scrub(answer *sdkv1.Answer) *sdkv1.Answer {
	h := answer.GetHttp()
	if len(v.values) == 0 || h == nil {
		return answer
	}
	out := &sdkv1.HttpAnswer{Status: h.Status, Body: []byte(v.Text(string(h.Body)))}
	for _, f := range h.Headers {
		out.Headers = append(out.Headers, &sdkv1.Header{Key: f.GetKey(), Value: v.Text(f.GetValue())})
	}
	return &sdkv1.Answer{Kind: &sdkv1.Answer_Http{Http: out}}
}

func (v *Veil) replace(s, before, after string) string {
	for i, value := range v.values {
		s = strings.ReplaceAll(s, value, before+v.tokens[i]+after)
	}
	return s
}
