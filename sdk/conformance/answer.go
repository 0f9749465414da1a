package conformance

import (
	"strconv"
	"strings"
	"time"

	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// parseAnswers reads a block that begins with answer: one for each effect that
// the connector asked for, in the order of their ordinals.
func parseAnswers(lines []directive) ([]timedAnswer, error) {
	var out []timedAnswer
	for len(lines) > 0 {
		n := 1
		for n < len(lines) && lines[n].word != "answer" {
			n++
		}
		a, err := parseAnswer(lines[:n])
		if err != nil {
			return nil, err
		}
		out = append(out, a)
		lines = lines[n:]
	}
	return out, nil
}

func parseAnswer(lines []directive) (timedAnswer, error) {
	first := lines[0]
	out := timedAnswer{after: defaultAfter}
	answer, err := parseAnswerKind(first)
	if err != nil {
		return out, err
	}
	out.answer = answer
	var content body
	for _, d := range lines[1:] {
		if d.word == "after" {
			if out.after, err = time.ParseDuration(d.rest); err != nil || out.after < 0 {
				return out, d.errorf("%q is not a duration", d.rest)
			}
			continue
		}
		ok := false
		switch {
		case answer.GetHttp() != nil:
			if ok, err = content.parse(d); !ok && err == nil && d.word == "header" {
				var h *sdkv1.Header
				if h, err = parseHeader(d); err == nil {
					h.Key = strings.ToLower(h.Key)
					answer.GetHttp().Headers = append(answer.GetHttp().Headers, h)
					ok = true
				}
			}
		case answer.GetBytes() != nil:
			ok, err = content.parse(d)
		case answer.GetQuery() != nil:
			ok, err = parseQueryLine(answer.GetQuery(), d)
		}
		if err != nil {
			return out, err
		}
		if !ok {
			return out, d.errorf("%q is no line of this answer", d.word)
		}
	}
	if http := answer.GetHttp(); http != nil {
		http.Body = content.bytes
	}
	if b := answer.GetBytes(); b != nil {
		b.Data = content.bytes
	}
	return out, nil
}

func parseAnswerKind(d directive) (*sdkv1.Answer, error) {
	word, rest, _ := strings.Cut(d.rest, " ")
	if status, err := strconv.ParseUint(word, 10, 32); err == nil && status >= 100 && status <= 599 {
		return &sdkv1.Answer{Kind: &sdkv1.Answer_Http{Http: &sdkv1.HttpAnswer{Status: uint32(status)}}}, nil
	}
	switch word {
	case "started":
		uuid, repeated, _ := strings.Cut(rest, " ")
		return &sdkv1.Answer{Kind: &sdkv1.Answer_Start{Start: &sdkv1.StartAnswer{
			Payment: uuid, RepeatedStart: repeated == "repeated"}}}, nil
	case "published":
		return &sdkv1.Answer{Kind: &sdkv1.Answer_Publish{Publish: &sdkv1.PublishAnswer{
			Duplicate: rest == "duplicate"}}}, nil
	case "payment":
		return &sdkv1.Answer{Kind: &sdkv1.Answer_Query{Query: &sdkv1.QueryAnswer{Found: true, Payment: rest}}}, nil
	case "not-found":
		return &sdkv1.Answer{Kind: &sdkv1.Answer_Query{Query: &sdkv1.QueryAnswer{}}}, nil
	case "pending":
		return &sdkv1.Answer{Kind: &sdkv1.Answer_Query{Query: &sdkv1.QueryAnswer{
			Found: true, Payment: rest, State: "running", Pending: true}}}, nil
	case "sequence":
		n, err := strconv.ParseUint(rest, 10, 64)
		if err != nil {
			return nil, d.errorf("%q is not a number", rest)
		}
		return &sdkv1.Answer{Kind: &sdkv1.Answer_Sequence{Sequence: &sdkv1.SequenceAnswer{Value: n}}}, nil
	case "true", "false":
		return &sdkv1.Answer{Kind: &sdkv1.Answer_Bool{Bool: &sdkv1.BoolAnswer{Ok: word == "true"}}}, nil
	case "text":
		return &sdkv1.Answer{Kind: &sdkv1.Answer_Text{Text: &sdkv1.TextAnswer{Text: rest}}}, nil
	case "bytes":
		return &sdkv1.Answer{Kind: &sdkv1.Answer_Bytes{Bytes: &sdkv1.BytesAnswer{}}}, nil
	case "done":
		return &sdkv1.Answer{Kind: &sdkv1.Answer_Done{Done: &sdkv1.Done{}}}, nil
	case "in-doubt":
		id, reason, _ := strings.Cut(rest, " ")
		return &sdkv1.Answer{Kind: &sdkv1.Answer_InDoubt{InDoubt: &sdkv1.InDoubt{IdempotencyKey: id, Reason: reason}}}, nil
	case "lost":
		return lost, nil
	case "failure":
		code, text, _ := strings.Cut(rest, " ")
		return failure(code, text), nil
	}
	return nil, d.errorf("%q is no answer, which is an HTTP status, in-doubt, failure or another of testdata/README.md", d.rest)
}

func parseQueryLine(q *sdkv1.QueryAnswer, d directive) (bool, error) {
	switch d.word {
	case "state":
		q.State = d.rest
	case "result":
		q.Result = d.rest
	case "code":
		q.Code = d.rest
	case "flow":
		q.Flow = d.rest
	case "client-key":
		q.ClientKey = d.rest
	case "var":
		v, err := parseVariable(d)
		if err != nil {
			return false, err
		}
		q.Variables = append(q.Variables, v)
	case "started", "ended":
		t, err := time.Parse(time.RFC3339, d.rest)
		if err != nil {
			return false, d.errorf("%q is not a time as in RFC 3339", d.rest)
		}
		if d.word == "started" {
			q.StartedMs = t.UnixMilli()
		} else {
			q.EndedMs = t.UnixMilli()
		}
	default:
		return false, nil
	}
	return true, nil
}

func failure(code, text string) *sdkv1.Answer {
	return &sdkv1.Answer{Kind: &sdkv1.Answer_Failure{Failure: &sdkv1.Failure{Code: code, Text: text}}}
}
