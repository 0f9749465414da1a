package keys

import (
	"bytes"
	"slices"

	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// watchedMin is the least length of a value that a Veil looks for: a shorter one
// stands in too much that has nothing to do with it.
const watchedMin = 8

// Veil knows values and the tokens that stand for them, and keeps the values out of
// what is written down. It finds a value as it is and, where it is a number, its digits
// packed two to a byte, wherever they begin; not one that was encoded otherwise or
// taken apart. The zero Veil knows none.
type Veil struct {
	values, tokens []string
	forms          []form
}

// Learn adds a value.
func (v *Veil) Learn(value, token string) {
	if len(value) < watchedMin || slices.Contains(v.values, value) {
		return
	}
	v.forms = append(v.forms, formsOf(value, len(v.values))...)
	v.values, v.tokens = append(v.values, value), append(v.tokens, token)
}

// Knows tells whether there is anything to hide.
func (v *Veil) Knows() bool { return len(v.values) > 0 }

// Clone is a Veil that learns by itself.
func (v *Veil) Clone() Veil {
	return Veil{slices.Clone(v.values), slices.Clone(v.tokens), slices.Clone(v.forms)}
}

// Hides tells whether b holds a value.
func (v *Veil) Hides(b []byte) bool {
	return slices.ContainsFunc(v.forms, func(f form) bool {
		_, found := f.find(b, 0)
		return found
	})
}

// Text is s with tokens in place of values.
func (v *Veil) Text(s string) string {
	return v.replace(s, func(out []byte, at place) []byte { return append(out, v.tokens[at.value]...) })
}

// Cover is the call with references in place of values; Expand undoes it.
func (v *Veil) Cover(call *sdkv1.Http) *sdkv1.Http {
	return rewrite(call, func(s string) string { return v.replace(s, v.refer) })
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

// CoverFrame is a frame with references in place of values. Uncover undoes it to the
// last bit, whatever else the frame holds: a frame that came with its own text of a
// reference has that written as {{token-text}}. A frame without either is given back
// as it is.
func (v *Veil) CoverFrame(frame []byte) []byte {
	places := v.places(frame)
	if len(places) == 0 && !bytes.Contains(frame, []byte(referenceOpens)) {
		return frame
	}
	return splice(frame, places, func(out, between []byte) []byte {
		return append(out, bytes.ReplaceAll(between, []byte(referenceOpens), []byte(referenceText))...)
	}, v.refer)
}

func (v *Veil) replace(s string, write func([]byte, place) []byte) string {
	places := v.places([]byte(s))
	if len(places) == 0 {
		return s
	}
	return string(splice([]byte(s), places, func(out, between []byte) []byte { return append(out, between...) }, write))
}

// refer writes the reference of a value.
func (v *Veil) refer(out []byte, at place) []byte {
	return appendReference(out, v.tokens[at.value], at)
}

// splice is b with its places written by write and what lies between them by keep.
func splice(b []byte, places []place, keep func(out, between []byte) []byte, write func([]byte, place) []byte) []byte {
	out := make([]byte, 0, len(b)+128*len(places))
	from := 0
	for _, at := range places {
		out = write(keep(out, b[from:at.from]), at)
		from = at.to
	}
	return keep(out, b[from:])
}

// places are where values stand in b, in order and not overlapping.
func (v *Veil) places(b []byte) []place {
	// Every form's next place is looked for once, not once for each place that is found:
	// who answers with nothing but card numbers must not cost more than he sends.
	next := make([]place, len(v.forms))
	for i := range next {
		next[i].from = -1
	}
	var found []place
	for from := 0; ; {
		best := -1
		for i, f := range v.forms {
			if next[i].from < from {
				at, ok := f.find(b, from)
				if !ok {
					at.from = len(b)
				}
				next[i] = at
			}
			if next[i].from < len(b) && (best < 0 || next[i].from < next[best].from ||
				next[i].from == next[best].from && next[i].to > next[best].to) {
				best = i
			}
		}
		if best < 0 {
			return found
		}
		found = append(found, next[best])
		from = next[best].to
	}
}
