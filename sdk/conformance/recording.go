package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// Recording is a conversation that was had, to be written as a vector. What the
// connector asked for is not part of it: a rewriting run fills that in.
type Recording struct {
	Title   string
	Config  []byte
	Trigger *sdkv1.Trigger // of a job
	Answers []RecordedAnswer
}

// RecordedAnswer is one answer, and how long it took.
type RecordedAnswer struct {
	Answer *sdkv1.Answer
	After  time.Duration
}

// Text is the vector, nothing below its dashes.
func (r *Recording) Text() (string, error) {
	job := r.Trigger.GetJob()
	if job == nil {
		return "", fmt.Errorf("conformance: only a job's history is recorded")
	}
	var p printer
	for line := range strings.SplitSeq(r.Title, "\n") {
		p.line("#", line)
	}
	p.line("tenant", r.Trigger.Tenant)
	if err := p.json("config", r.Config); err != nil {
		return "", err
	}
	p.line("")
	p.line("# " + strings.SplitN(r.Title, "\n", 2)[0])
	p.line("job", job.Type)
	p.line("time", instant(r.Trigger.TimeMs))
	p.line("payment", job.Payment)
	p.line("attempt", strconv.FormatUint(uint64(job.Attempt), 10))
	p.line("retries", strconv.FormatUint(uint64(job.Retries), 10))
	for _, named := range [][2]string{{"element", job.Element}, {"flow", job.Flow}} {
		if named[1] != "" {
			p.line(named[0], named[1])
		}
	}
	for _, h := range job.Headers {
		p.given("header", h.GetKey()+":", h.GetValue())
	}
	for _, v := range job.Variables {
		if err := p.json("var "+v.GetName(), v.GetJson()); err != nil {
			return "", err
		}
	}
	for _, prior := range job.Prior {
		p.line("prior", prior.GetKey(), prior.GetIdempotencyKey())
	}
	p.line("----")
	for i, a := range r.Answers {
		p.line("")
		if err := p.answer(a); err != nil {
			return "", fmt.Errorf("conformance: answer %d: %w", i+1, err)
		}
		p.line("----")
	}
	return strings.Join(p.lines, "\n") + "\n", nil
}

// given writes a line above the dashes, where nothing is quoted: what has a line's end
// in it cannot be written and is left out.
func (p *printer) given(words ...string) {
	line := strings.Join(words, " ")
	if !strings.ContainsAny(line, "\r\n") {
		p.line(line)
	}
}

func (p *printer) json(name string, text []byte) error {
	if len(text) == 0 {
		return nil
	}
	var b bytes.Buffer
	if err := json.Compact(&b, text); err != nil {
		return fmt.Errorf("conformance: %s: %w", name, err)
	}
	p.line(name, b.String())
	return nil
}

func (p *printer) answer(a RecordedAnswer) error {
	switch k := a.Answer.GetKind().(type) {
	case *sdkv1.Answer_Http:
		p.line("answer", strconv.FormatUint(uint64(k.Http.Status), 10))
		for _, h := range k.Http.Headers {
			p.given("header", h.GetKey()+":", h.GetValue())
		}
		p.bytes("body", k.Http.Body)
	case *sdkv1.Answer_Start:
		repeated := ""
		if k.Start.RepeatedStart {
			repeated = "repeated"
		}
		p.line("answer started", k.Start.Payment, repeated)
	case *sdkv1.Answer_Publish:
		duplicate := ""
		if k.Publish.Duplicate {
			duplicate = "duplicate"
		}
		p.line("answer published", duplicate)
	case *sdkv1.Answer_Query:
		q := k.Query
		switch {
		case !q.Found:
			p.line("answer not-found")
		case q.Pending:
			p.line("answer pending", q.Payment)
		default:
			p.line("answer payment", q.Payment)
		}
		for _, f := range [][2]string{{"state", q.State}, {"result", q.Result}, {"code", q.Code}, {"flow", q.Flow}, {"client-key", q.ClientKey}} {
			if f[1] != "" {
				p.given(f[0], f[1])
			}
		}
		if q.StartedMs != 0 {
			p.line("started", instant(q.StartedMs))
		}
		if q.EndedMs != 0 {
			p.line("ended", instant(q.EndedMs))
		}
		for _, v := range q.Variables {
			if err := p.json("var "+v.GetName(), v.GetJson()); err != nil {
				return err
			}
		}
	case *sdkv1.Answer_Sequence:
		p.line("answer sequence", strconv.FormatUint(k.Sequence.Value, 10))
	case *sdkv1.Answer_Bool:
		p.line("answer", strconv.FormatBool(k.Bool.Ok))
	case *sdkv1.Answer_Text:
		p.given("answer text", k.Text.Text)
	case *sdkv1.Answer_Bytes:
		p.line("answer bytes")
		p.bytes("body", k.Bytes.Data)
	case *sdkv1.Answer_Done:
		p.line("answer done")
	case *sdkv1.Answer_InDoubt:
		p.given("answer in-doubt", k.InDoubt.IdempotencyKey, k.InDoubt.Reason)
	case *sdkv1.Answer_Failure:
		p.given("answer failure", k.Failure.Code, k.Failure.Text)
	default:
		p.line("answer lost")
	}
	if a.After != defaultAfter {
		p.line("after", max(0, a.After).String())
	}
	return nil
}

// Complete writes into the vector's text what the connector asks for, by one run of
// it. The error says where the connector, or its configuration, is not the one that
// was recorded.
func Complete(ctx context.Context, subject Subject, text string) (string, error) {
	dir, err := os.MkdirTemp("", "railhead-vector-")
	if err != nil {
		return "", fmt.Errorf("conformance: %w", err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "testdata", "recorded.txt")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		return "", fmt.Errorf("conformance: %w", err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return "", fmt.Errorf("conformance: %w", err)
	}
	if err := Rewrite(ctx, subject, dir); err != nil {
		return "", err
	}
	out, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("conformance: %w", err)
	}
	return string(out), nil
}
