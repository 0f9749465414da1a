package conformance

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// Render is the text of a reply as it stands below the dashes. It is stable: a
// change of it would break every vector in the world.
func Render(reply *sdkv1.StepReply) string {
	var p printer
	switch {
	case reply.GetError() != "":
		p.line("error", text(reply.Error))
	case reply.GetMismatch() != nil:
		p.line("mismatch", strconv.FormatUint(uint64(reply.Mismatch.GetOrdinal()), 10))
	case reply.GetOutcome() != nil:
		p.outcome(reply.Outcome)
	default:
		for _, e := range reply.GetEffects() {
			p.effect(e)
		}
	}
	return strings.Join(p.lines, "\n")
}

type printer struct{ lines []string }

// line writes words separated by blanks, leaving out empty ones at the end.
func (p *printer) line(words ...string) {
	for len(words) > 1 && words[len(words)-1] == "" {
		words = words[:len(words)-1]
	}
	p.lines = append(p.lines, strings.Join(words, " "))
}

// field writes a line if the value is set.
func (p *printer) field(name, value string) {
	if value != "" {
		p.line(name, text(value))
	}
}

func (p *printer) duration(name string, ms int64) {
	if ms != 0 {
		p.line(name, millis(ms))
	}
}

func (p *printer) bytes(name string, data []byte) {
	if len(data) == 0 {
		return
	}
	if !printable(data) {
		p.line(name+"-hex", hex.EncodeToString(data))
		return
	}
	for line := range strings.SplitSeq(string(data), "\n") {
		p.line(name, line)
	}
}

func (p *printer) variables(vars []*sdkv1.Variable) {
	for _, v := range vars {
		p.bytes("var "+text(v.GetName()), v.GetJson())
	}
}

func (p *printer) headers(headers []*sdkv1.Header) {
	for _, h := range headers {
		p.line("header", text(h.GetKey())+":", text(h.GetValue()))
	}
}

func (p *printer) terms(t *sdkv1.Terms) {
	if t == nil {
		return
	}
	words := []string{"terms"}
	add := func(name, value string) {
		if value == "" {
			return
		}
		if value = text(value); strings.ContainsAny(value, " =") && value[0] != '"' {
			value = strconv.Quote(value)
		}
		words = append(words, name+"="+value)
	}
	add("amount", t.Amount)
	add("currency", t.Currency)
	add("debtor", t.Debtor)
	add("creditor", t.Creditor)
	p.line(words...)
}

func (p *printer) effect(e *sdkv1.Effect) {
	n := strconv.FormatUint(uint64(e.GetOrdinal()), 10)
	switch kind := e.GetKind().(type) {
	case *sdkv1.Effect_Http:
		h := kind.Http
		p.line(n, "http", word(h.Endpoint), word(h.Method), text(h.Path))
		p.field("key", h.Key)
		p.terms(h.Terms)
		p.duration("timeout", h.TimeoutMs)
		p.headers(h.Headers)
		p.bytes("body", h.Body)
	case *sdkv1.Effect_StartPayment:
		s := kind.StartPayment
		p.line(n, "start-payment", text(s.Flow))
		p.field("client-key", s.ClientKey)
		p.field("request-digest", hex.EncodeToString(s.RequestDigest))
		p.field("uuid-variable", s.UuidVariable)
		p.variables(s.Variables)
	case *sdkv1.Effect_Publish:
		m := kind.Publish
		p.line(n, "publish", text(m.Name))
		p.field("key", m.Key)
		p.field("id", m.MessageId)
		p.duration("ttl", m.TtlMs)
		p.variables(m.Variables)
	case *sdkv1.Effect_AwaitResult:
		p.line(n, "await-result", text(kind.AwaitResult.Payment))
		p.duration("timeout", kind.AwaitResult.TimeoutMs)
	case *sdkv1.Effect_Query:
		p.line(n, "query")
		p.field("payment", kind.Query.Payment)
		p.field("client-key", kind.Query.ClientKey)
		for _, name := range kind.Query.Variables {
			p.field("variable", name)
		}
	case *sdkv1.Effect_Sleep:
		p.line(n, "sleep", millis(kind.Sleep.DurationMs))
	case *sdkv1.Effect_Sequence:
		p.line(n, "sequence", text(kind.Sequence.Name))
	case *sdkv1.Effect_Emit:
		p.line(n, "emit", text(kind.Emit.Name))
		p.bytes("json", kind.Emit.Json)
	case *sdkv1.Effect_Checkpoint:
		p.line(n, "checkpoint")
		p.bytes("state", kind.Checkpoint.State)
	case *sdkv1.Effect_RoundTrip:
		r := kind.RoundTrip
		p.line(n, "round-trip", text(r.Link))
		p.field("match-key", r.MatchKey)
		p.field("key", r.Key)
		p.terms(r.Terms)
		p.duration("timeout", r.TimeoutMs)
		p.bytes("data", r.Data)
	case *sdkv1.Effect_Send:
		p.line(n, "send", text(kind.Send.Link))
		p.bytes("data", kind.Send.Data)
	case *sdkv1.Effect_Forward:
		p.line(n, "forward", text(kind.Forward.Link))
		p.field("key", kind.Forward.Key)
		if kind.Forward.UntilMs != 0 {
			p.line("until", instant(kind.Forward.UntilMs))
		}
		p.bytes("data", kind.Forward.Data)
	case *sdkv1.Effect_Sign:
		p.line(n, "sign", word(kind.Sign.KeyRef), text(kind.Sign.Algorithm))
		p.bytes("data", kind.Sign.Data)
	case *sdkv1.Effect_Verify:
		p.line(n, "verify", word(kind.Verify.KeyRef), text(kind.Verify.Algorithm))
		p.bytes("data", kind.Verify.Data)
		p.bytes("signature", kind.Verify.Signature)
	case *sdkv1.Effect_Mac:
		p.line(n, "mac", word(kind.Mac.KeyRef), text(kind.Mac.Algorithm))
		p.bytes("data", kind.Mac.Data)
	case *sdkv1.Effect_Encrypt:
		p.line(n, "encrypt", word(kind.Encrypt.KeyRef), text(kind.Encrypt.Algorithm))
		p.bytes("data", kind.Encrypt.Data)
	case *sdkv1.Effect_Tokenize:
		p.line(n, "tokenize", text(kind.Tokenize.Kind))
		p.field("value", kind.Tokenize.Value)
	case *sdkv1.Effect_Detokenize:
		p.line(n, "detokenize", text(kind.Detokenize.Token))
	default:
		p.line(n, "nothing")
	}
}

func (p *printer) outcome(o *sdkv1.Outcome) {
	switch kind := o.GetKind().(type) {
	case *sdkv1.Outcome_Complete:
		p.line("complete")
		p.variables(kind.Complete.Variables)
	case *sdkv1.Outcome_Fail:
		p.line("fail", word(kind.Fail.Code), text(kind.Fail.Reason))
		if kind.Fail.Retryable {
			after := ""
			if kind.Fail.BackoffMs != 0 {
				after = millis(kind.Fail.BackoffMs)
			}
			p.line("retry", after)
		}
	case *sdkv1.Outcome_BpmnError:
		p.line("bpmn-error", word(kind.BpmnError.Code), text(kind.BpmnError.Message))
		p.variables(kind.BpmnError.Variables)
	case *sdkv1.Outcome_Doubt:
		p.line("doubt", word(kind.Doubt.Key), text(kind.Doubt.Reason))
	case *sdkv1.Outcome_Reply:
		p.line("reply", strconv.FormatUint(uint64(kind.Reply.Status), 10))
		p.headers(kind.Reply.Headers)
		p.bytes("body", kind.Reply.Body)
	case *sdkv1.Outcome_Frames:
		p.line("frames")
		for _, f := range kind.Frames.Frames {
			p.bytes("frame", f)
		}
	case *sdkv1.Outcome_MatchKey:
		p.line("match-key", text(kind.MatchKey.Key))
	default:
		p.line("no outcome")
	}
	for _, s := range o.GetSettlements() {
		verdict := "not-done"
		if s.GetDone() {
			verdict = "done"
		}
		p.line("settled", word(s.GetKey()), verdict)
	}
}

// text is a value at the end of a line.
func text(s string) string {
	if s == "" {
		return s
	}
	if s != strings.TrimSpace(s) || s[0] == '"' || !printable([]byte(s)) || strings.ContainsRune(s, '\n') {
		return strconv.Quote(s)
	}
	return s
}

// word is a value in the middle of a line.
func word(s string) string {
	if s == "" || strings.ContainsRune(s, ' ') {
		return strconv.Quote(s)
	}
	return text(s)
}

// printable reports whether the bytes are text whose only control character is
// the newline.
func printable(data []byte) bool {
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		if r == utf8.RuneError && size == 1 || r != '\n' && !unicode.IsPrint(r) {
			return false
		}
		data = data[size:]
	}
	return true
}

// millis is a duration; beyond what time.Duration holds, plain milliseconds.
func millis(ms int64) string {
	const longest = int64(1<<63-1) / int64(time.Millisecond)
	if ms > longest || ms < -longest {
		return fmt.Sprintf("%dms", ms)
	}
	return (time.Duration(ms) * time.Millisecond).String()
}

func instant(ms int64) string {
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z07:00")
}
