package keys

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"

	"github.com/railhead-hub/railhead/sdk/abi"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// A reference is how a token stands in a request in place of its value. A connector may
// write it into a call, and then never holds the value; the host writes it where a
// request with values goes into the log.
//
//	{{token:tok_pan_…}}             the value as it is
//	{{token-packed:tok_pan_…}}      its digits, two to a byte
//	{{token-packed:3+tok_pan_…+d}}  the same between two halves of bytes
//	{{token-text}}                  in frames only: what opens a reference, as text
var (
	reference = regexp.MustCompile(`\{\{token` + valueReference + `\}\}`)
	inFrames  = regexp.MustCompile(`\{\{token(?:-text|` + valueReference + `)\}\}`)
)

const (
	tokenSyntax    = `tok_[a-z][a-z0-9-]{0,31}_[A-Za-z0-9_-]{27,}`
	valueReference = `(?::(` + tokenSyntax + `)|-packed:(?:([0-9a-f])\+)?(` + tokenSyntax + `)(?:\+([0-9a-f]))?)`

	referenceOpens = "{{token"
	referenceText  = "{{token-text}}"
)

func appendReference(out []byte, token string, at place) []byte {
	if !at.packed {
		return append(append(append(out, "{{token:"...), token...), "}}"...)
	}
	out = append(out, "{{token-packed:"...)
	if at.before >= 0 {
		out = append(strconv.AppendInt(out, int64(at.before), 16), '+')
	}
	out = append(out, token...)
	if at.after >= 0 {
		out = strconv.AppendInt(append(out, '+'), int64(at.after), 16)
	}
	return append(out, "}}"...)
}

// expand puts values in place of the references that syntax finds.
func expand(syntax *regexp.Regexp, text []byte, reveal func(token string) (string, error)) ([]byte, error) {
	var out []byte
	from := 0
	for _, m := range syntax.FindAllSubmatchIndex(text, -1) {
		group := func(i int) string {
			if m[2*i] < 0 {
				return ""
			}
			return string(text[m[2*i]:m[2*i+1]])
		}
		out = append(out, text[from:m[0]]...)
		from = m[1]
		plain, packed := group(1), group(3)
		if plain == "" && packed == "" {
			out = append(out, referenceOpens...)
			continue
		}
		value, err := reveal(plain + packed)
		if err != nil {
			return nil, err
		}
		if plain != "" {
			out = append(out, value...)
			continue
		}
		if out, err = appendPacked(out, group(2)+value+group(4), value); err != nil {
			return nil, err
		}
	}
	if from == 0 {
		return text, nil
	}
	return append(out, text[from:]...), nil
}

// appendPacked appends half bytes, given as hexadecimal digits; value is their middle.
func appendPacked(out []byte, halves, value string) ([]byte, error) {
	if len(halves)%2 == 1 || strings.Trim(value, "0123456789") != "" {
		return nil, failf(abi.FailureInvalid, "a value is packed that is no number of an even count of digits; {{token-packed:0+tok_…}} puts half a byte before it")
	}
	raw, err := decodeHex(halves)
	return append(out, raw...), err
}

// Expand puts values in place of the references in a call that is about to leave, and
// tells the veil of them. The call given is not changed.
func (r *Ring) Expand(call *sdkv1.Http, seen *Veil) (*sdkv1.Http, error) {
	found := strings.Contains(call.Path, referenceOpens) || bytes.Contains(call.Body, []byte(referenceOpens))
	for _, h := range call.Headers {
		found = found || strings.Contains(h.GetValue(), referenceOpens)
	}
	if !found {
		return call, nil
	}
	var failed error
	out := rewrite(call, func(s string) string {
		expanded, err := expand(reference, []byte(s), r.revealTo(seen))
		if err == nil && malformed(expanded) {
			err = failf(abi.FailureInvalid, "a reference is not of the form {{token:tok_…}}")
		}
		if err != nil && failed == nil {
			failed = err
		}
		return string(expanded)
	})
	return out, failed
}

// malformed tells whether a text holds the beginning of a reference that is none.
func malformed(text []byte) bool {
	return bytes.Contains(text, []byte("{{token:")) || bytes.Contains(text, []byte("{{token-packed:"))
}

// ExpandFrame is a frame as it was before CoverFrame. It tells the veil of the values.
func (r *Ring) ExpandFrame(covered []byte, seen *Veil) ([]byte, error) {
	return Uncover(covered, r.revealTo(seen))
}

func (r *Ring) revealTo(seen *Veil) func(string) (string, error) {
	return func(token string) (string, error) {
		value, err := r.Reveal(token)
		if err == nil {
			seen.Learn(value, token)
		}
		return value, err
	}
}

// Uncover undoes CoverFrame, with whatever reveal gives for a token.
func Uncover(covered []byte, reveal func(token string) (string, error)) ([]byte, error) {
	if !bytes.Contains(covered, []byte(referenceOpens)) {
		return covered, nil
	}
	return expand(inFrames, covered, reveal)
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
