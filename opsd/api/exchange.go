package api

import (
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	opsv1 "github.com/railhead-hub/railhead/opsd/v1"
)

// Events carry what a connector asked for (sdk.v1.Effect) and what it was
// answered (sdk.v1.Answer) as encoded bytes. opsd knows the core by contract
// only, so this file reads the fields it shows by their numbers, which the
// contract never changes; fields and kinds it does not know are counted, not
// shown.

// part is where a field of an exchange goes.
type part int

const (
	partEndpoint part = iota + 1
	partMethod
	partPath
	partHeader
	partBody
	partStatus
	partKey
	partCode
	partText
	partTerms
)

// shape is one kind of exchange: its name and the fields that are shown.
type shape struct {
	kind  string
	parts map[protowire.Number]part
}

// effects are the kinds of sdk.v1.Effect by their field numbers.
var effects = map[protowire.Number]shape{
	2: {"http", map[protowire.Number]part{
		1: partEndpoint, 2: partMethod, 3: partPath, 4: partHeader, 5: partBody, 6: partKey, 7: partTerms,
	}},
	3:  {"start_payment", map[protowire.Number]part{1: partText, 2: partKey}},
	4:  {"publish", map[protowire.Number]part{1: partText, 2: partKey}},
	5:  {"await_result", map[protowire.Number]part{1: partKey}},
	6:  {"query", map[protowire.Number]part{1: partKey}},
	7:  {"sleep", nil},
	8:  {"sequence", map[protowire.Number]part{1: partText}},
	9:  {"emit", map[protowire.Number]part{1: partText, 2: partBody}},
	10: {"checkpoint", nil},
	// Frames may hold card data: their bytes are not shown.
	11: {"round_trip", map[protowire.Number]part{1: partEndpoint, 5: partKey, 6: partTerms}},
	12: {"send", map[protowire.Number]part{1: partEndpoint}},
	13: {"forward", map[protowire.Number]part{1: partEndpoint, 2: partKey}},
	14: {"sign", map[protowire.Number]part{2: partText}},
	15: {"verify", map[protowire.Number]part{2: partText}},
	16: {"mac", map[protowire.Number]part{2: partText}},
	17: {"encrypt", map[protowire.Number]part{2: partText}},
	18: {"tokenize", map[protowire.Number]part{1: partText}},
	19: {"detokenize", nil},
}

// answers are the kinds of sdk.v1.Answer by their field numbers.
var answers = map[protowire.Number]shape{
	1:  {"http", map[protowire.Number]part{1: partStatus, 2: partHeader, 3: partBody}},
	2:  {"start", map[protowire.Number]part{1: partKey}},
	3:  {"publish", nil},
	4:  {"query", map[protowire.Number]part{2: partKey, 4: partText, 5: partCode}},
	5:  {"in_doubt", map[protowire.Number]part{1: partKey, 2: partText}},
	6:  {"failure", map[protowire.Number]part{1: partCode, 2: partText}},
	7:  {"sequence", nil},
	8:  {"bytes", nil},
	9:  {"bool", nil},
	10: {"done", nil},
	11: {"text", nil},
}

// unreadable is the kind of an exchange whose bytes are not what they should be.
const unreadable = "unreadable"

// request decodes an encoded effect; nil for none.
func (m *masker) request(raw []byte) *opsv1.Exchange { return m.exchange(raw, effects) }

// answer decodes an encoded answer; nil for none.
func (m *masker) answer(raw []byte) *opsv1.Exchange { return m.exchange(raw, answers) }

func (m *masker) exchange(raw []byte, shapes map[protowire.Number]shape) *opsv1.Exchange {
	if len(raw) == 0 {
		return nil
	}
	out := &opsv1.Exchange{Kind: unreadable, SizeBytes: uint32(len(raw))}
	if raw[0] == '{' || raw[0] == '[' {
		// No message of the contract begins so: it is JSON.
		if masked, ok := m.json("", raw); ok {
			out.Kind, out.Body = "json", masked
		}
		return out
	}
	var body, contentType string
	ok := fields(raw, func(number protowire.Number, value []byte, _ uint64) bool {
		s, known := shapes[number]
		if !known || value == nil {
			return true
		}
		out.Kind = s.kind
		return fields(value, func(number protowire.Number, value []byte, integer uint64) bool {
			switch s.parts[number] {
			case partEndpoint:
				out.Endpoint = m.text(string(value))
			case partMethod:
				out.Method = m.text(string(value))
			case partPath:
				out.Path = m.path(strings.ToValidUTF8(string(value), "\uFFFD"))
			case partHeader:
				h, ok := m.pair(value)
				if !ok {
					return false
				}
				if strings.EqualFold(h.Name, "content-type") {
					contentType = h.Value
				}
				out.Headers = append(out.Headers, h)
			case partBody:
				body = string(value)
			case partStatus:
				out.Status = uint32(integer)
			case partKey:
				out.Key = m.text(string(value))
			case partCode:
				out.Code = m.text(string(value))
			case partText:
				out.Text = m.text(string(value))
			case partTerms:
				return m.terms(value, out)
			}
			return true
		})
	})
	if !ok {
		return &opsv1.Exchange{Kind: unreadable, SizeBytes: uint32(len(raw))}
	}
	out.Body = m.body(contentType, []byte(body))
	return out
}

// frame is a frame of a TCP link, which may hold card data: only its size is shown.
func frame(raw []byte) *opsv1.Exchange {
	if len(raw) == 0 {
		return nil
	}
	return &opsv1.Exchange{Kind: "frame", SizeBytes: uint32(len(raw))}
}

// pair reads sdk.v1.Header.
func (m *masker) pair(raw []byte) (*opsv1.Header, bool) {
	var name, value string
	ok := fields(raw, func(number protowire.Number, v []byte, _ uint64) bool {
		switch number {
		case 1:
			name = string(v)
		case 2:
			value = string(v)
		}
		return true
	})
	return &opsv1.Header{Name: m.text(name), Value: m.header(name, value)}, ok
}

// terms reads sdk.v1.Terms. The parties are accounts and people.
func (m *masker) terms(raw []byte, out *opsv1.Exchange) bool {
	t := &opsv1.Terms{}
	out.Terms = t
	return fields(raw, func(number protowire.Number, v []byte, _ uint64) bool {
		switch number {
		case 1:
			t.Amount = strings.ToValidUTF8(string(v), "\uFFFD")
		case 2:
			t.Currency = strings.ToValidUTF8(string(v), "\uFFFD")
		case 3:
			t.Debtor = hide(strings.ToValidUTF8(string(v), "\uFFFD"))
		case 4:
			t.Creditor = hide(strings.ToValidUTF8(string(v), "\uFFFD"))
		}
		return true
	})
}

// fields visits the fields of an encoded message: the bytes of a length-delimited
// one, the number of any other. It is not ok when the bytes are no message or
// visit says so.
func fields(raw []byte, visit func(number protowire.Number, value []byte, integer uint64) bool) bool {
	for len(raw) > 0 {
		number, kind, n := protowire.ConsumeTag(raw)
		if n < 0 {
			return false
		}
		raw = raw[n:]
		var value []byte
		var integer uint64
		switch kind {
		case protowire.VarintType:
			integer, n = protowire.ConsumeVarint(raw)
		case protowire.BytesType:
			if value, n = protowire.ConsumeBytes(raw); value == nil {
				value = []byte{} // empty, and yet bytes
			}
		default:
			n = protowire.ConsumeFieldValue(number, kind, raw)
		}
		if n < 0 {
			return false
		}
		raw = raw[n:]
		if !visit(number, value, integer) {
			return false
		}
	}
	return true
}
