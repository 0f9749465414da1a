package main

import (
	"encoding/json"
	"errors"
	"strconv"
	"time"

	connector "github.com/railhead-hub/railhead/sdk/go"
)

const endpoint = "ledger"

// ledger is the bank, as one job sees it.
type ledger struct {
	*connector.Context
	job    *connector.Job
	config config
}

// open reads the configuration; end is set when it cannot be read.
func open(c *connector.Context, job *connector.Job) (l *ledger, end *connector.Outcome) {
	cfg, err := readConfig(c)
	if err != nil {
		return nil, new(connector.Fail("BAD_CONFIG", err.Error()))
	}
	return &ledger{c, job, cfg}, nil
}

// refusal is the bank's no, or this connector's own before it asked: certainly
// nothing was done. It is the body of the bank's error answers.
type refusal struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	payload []byte
}

// failed completes the job with its flag set and Payment Hub EE's error
// variables, so that the flow branches.
func (r *refusal) failed(flag string) connector.Outcome {
	return connector.Complete(connector.Vars{
		flag: true, "errorCode": r.Code, "errorInformation": r.Message, "errorPayload": string(r.payload),
	})
}

// deed is something that moves money, or sets it aside, once.
type deed struct {
	key   string // the money key: one deed of the payment
	path  string
	body  connector.Vars
	terms *connector.Terms
	// sound says whether the bank's account of the deed is of this deed.
	sound func(answer []byte) bool
	// find looks for the deed by business reference.
	find func(*ledger) finding
}

// perform does a deed. Exactly one of the results is set: the bank's account of
// the deed, its refusal, or how the job ends because neither is known.
func (l *ledger) perform(d deed) (done []byte, no *refusal, end *connector.Outcome) {
	resp, err := l.HTTP(connector.HTTP{
		Endpoint: endpoint, Method: "POST", Path: d.path,
		Headers: map[string]string{"content-type": "application/json"},
		Body:    d.body.JSON(), Key: d.key, Terms: d.terms,
	})
	var doubt *connector.InDoubt
	var failure *connector.Failure
	switch {
	case errors.As(err, &doubt):
		return l.enquire(d, doubt.IdempotencyKey)
	case errors.As(err, &failure) && failure.Code == connector.Timeout:
		return l.enquire(d, "")
	case errors.As(err, &failure) && failure.Code == connector.Invalid:
		// Not sent, or sent before and answered with something nobody can read.
		return l.recover(d, failure.Text)
	case err != nil:
		return nil, nil, l.failed(err)
	}
	switch no, verdict := judge(resp); verdict {
	case yes:
		if d.sound(resp.Body) {
			return resp.Body, nil, nil
		}
		return l.recover(d, "the bank's answer is not about what was asked for")
	case refused:
		return nil, no, nil
	case taken:
		// The hold is used up: perhaps by this very deed, under an earlier key.
		switch f := d.find(l); {
		case f.state == found && d.sound(f.answer):
			return f.answer, nil, nil
		case f.state == silent:
			return nil, nil, new(connector.Fail("NO_ANSWER", "the bank does not say what became of the hold").Retry(l.backoff()))
		}
		return nil, no, nil
	case doubtful:
		return l.enquire(d, "")
	case later:
		return nil, nil, new(connector.Fail(no.Code, no.Message).Retry(l.backoff()))
	default:
		return nil, nil, new(connector.Fail(no.Code, no.Message))
	}
}

// recover looks for a deed that the bank may have done but has not told of in a
// way that can be read. Without finding it, a person has to look.
func (l *ledger) recover(d deed, reason string) ([]byte, *refusal, *connector.Outcome) {
	if f := d.find(l); f.state == found && d.sound(f.answer) {
		return f.answer, nil, nil
	}
	return nil, nil, new(connector.Doubtful(d.key, reason))
}

// read asks for something that changes nothing.
func (l *ledger) read(method, path string, body connector.Vars) (answer []byte, no *refusal, end *connector.Outcome) {
	call := connector.HTTP{Endpoint: endpoint, Method: method, Path: path}
	if body != nil {
		call.Headers, call.Body = map[string]string{"content-type": "application/json"}, body.JSON()
	}
	resp, err := l.HTTP(call)
	if err != nil {
		return nil, nil, l.failed(err)
	}
	switch no, verdict := judge(resp); verdict {
	case yes:
		return resp.Body, nil, nil
	case refused, taken:
		return nil, no, nil
	case doubtful, later:
		return nil, nil, new(connector.Fail(no.Code, no.Message).Retry(l.backoff()))
	default:
		return nil, nil, new(connector.Fail(no.Code, no.Message))
	}
}

// unreadable ends a job whose question was answered with something else.
func (l *ledger) unreadable() connector.Outcome {
	return connector.Fail("BAD_ANSWER", "the bank's answer cannot be read").Retry(l.backoff())
}

// failed ends an attempt in which nothing was done, or a question got no answer.
func (l *ledger) failed(err error) *connector.Outcome {
	var failure *connector.Failure
	if !errors.As(err, &failure) { // a question in doubt is asked again
		return new(connector.Fail("NO_ANSWER", err.Error()).Retry(l.backoff()))
	}
	switch failure.Code {
	case connector.Unreachable, connector.Timeout, connector.Busy, connector.Unavailable:
		return new(connector.Fail(failure.Code, failure.Text).Retry(l.backoff()))
	}
	return new(connector.Fail(failure.Code, failure.Text))
}

// backoff doubles with the attempt: 2 s, 4 s … at most a minute.
func (l *ledger) backoff() time.Duration {
	return min(2*time.Second<<min(max(l.job.Attempt-1, 0), 5), time.Minute)
}

// verdict is what a response says.
type verdict int

const (
	yes      verdict = iota
	refused          // nothing was done, and that is the bank's last word
	taken            // nothing was done now: the hold is closed
	later            // nothing was done; asking again may help
	broken           // nothing was done; a person has to mend something
	doubtful         // unknown
)

// judge reads a response's status and error body. Only a code that the bank's
// ledger gives is its refusal: a 404 from a proxy is not.
func judge(resp *connector.Response) (*refusal, verdict) {
	if resp.Status == 200 || resp.Status == 201 {
		return nil, yes
	}
	no := &refusal{payload: resp.Body}
	coded := json.Unmarshal(resp.Body, no) == nil && no.Code != ""
	if !coded {
		*no = refusal{Code: "BAD_ANSWER", Message: "the bank answered HTTP " + strconv.Itoa(resp.Status), payload: resp.Body}
	}
	switch s := resp.Status; { // not net/http's names: they would bring all of it into the module
	case s == 429 || s == 401 || s == 403:
		return no, later
	case s == 408 || s == 425 || s < 200 || s >= 500:
		return no, doubtful
	case s < 400 || !coded:
		return no, broken
	}
	switch no.Code {
	case "HOLD_NOT_OPEN":
		return no, taken
	case "UNKNOWN_PATH", "METHOD_NOT_ALLOWED", "NOT_JSON", "TOO_LARGE", "KEY_REQUIRED", "KEY_REUSED":
		return no, broken
	}
	return no, refused
}
