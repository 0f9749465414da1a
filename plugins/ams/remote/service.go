package main

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/railhead-hub/railhead/plugins/ams/order"
	connector "github.com/railhead-hub/railhead/sdk/go"
)

const endpoint = "service"

// service is the bank's service, as one job sees it.
type service struct {
	*connector.Context
	job    *connector.Job
	config config
	flag   string // tells the flow that the job was refused
}

// open reads the configuration; end is set when it cannot be read.
func open(c *connector.Context, job *connector.Job, flag string) (s *service, end *connector.Outcome) {
	cfg, err := readConfig(c)
	if err != nil {
		return nil, new(connector.Fail("BAD_CONFIG", err.Error()))
	}
	return &service{c, job, cfg, flag}, nil
}

// refusal is the service's no, or this connector's own before it asked: certainly
// nothing was done. It is the body of the service's error answers.
type refusal struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	payload []byte
}

// refused ends the job with the service's no: with a BPMN error if the
// configuration wants that for the code, else with the job's flag and Payment Hub
// EE's error variables.
func (s *service) refused(no *refusal) connector.Outcome {
	vars := connector.Vars{
		"errorCode": no.Code, "errorInformation": no.Message, "errorPayload": string(no.payload),
	}
	if slices.Contains(s.config.BPMNErrors, no.Code) {
		return connector.BpmnError(no.Code, no.Message).With(vars)
	}
	vars[s.flag] = true
	return connector.Complete(vars)
}

// deed is something that moves money, or sets it aside, once.
type deed struct {
	key   string // the money key, which is also the deed's purpose in openapi.yaml
	path  string
	body  connector.Vars
	moved order.Amount
	// debtor and creditor are for the terms.
	debtor, creditor string
}

// done is the service's account of a deed: Done in openapi.yaml.
type done struct {
	ID       string        `json:"id"`
	Payment  string        `json:"payment"`
	Purpose  string        `json:"purpose"`
	Account  string        `json:"account"`
	Amount   order.Decimal `json:"amount"`
	Currency string        `json:"currency"`
}

// of reads a service's account of a deed, and reports whether it is of this one.
func (s *service) of(d deed, answer []byte) (a done, ok bool) {
	if json.Unmarshal(answer, &a) != nil {
		return done{}, false
	}
	return a, a.ID != "" && a.Account != "" && a.Payment == s.job.Payment && a.Purpose == d.key && d.moved.Same(order.Amount{Value: a.Amount, Currency: a.Currency})
}

func (s *service) call(method, path string, body connector.Vars) connector.HTTP {
	call := connector.HTTP{
		Endpoint: endpoint, Method: method, Path: path, Headers: map[string]string{"authorization": s.config.Authorization},
	}
	if body != nil {
		call.Headers["content-type"] = "application/json"
		call.Body = body.JSON()
	}
	return call
}

// perform does a deed and ends the job; complete is called when it is done.
func (s *service) perform(d deed, complete func(done) connector.Vars) connector.Outcome {
	d.body["payment"], d.body["purpose"] = s.job.Payment, d.key
	call := s.call("POST", d.path, d.body)
	call.Key, call.Terms = d.key, d.moved.Terms(d.debtor, d.creditor)
	a, no, end := s.attempt(d, call)
	switch {
	case end != nil:
		return *end
	case no != nil:
		return s.refused(no)
	}
	vars := complete(a)
	vars[s.flag] = false
	return connector.Complete(vars)
}

// attempt does the deed. Exactly one of the results says how it stands: the
// service's account of the deed, its refusal, or how the job ends because neither is
// known.
func (s *service) attempt(d deed, call connector.HTTP) (a done, no *refusal, end *connector.Outcome) {
	resp, err := s.HTTP(call)
	var doubt *connector.InDoubt
	var failure *connector.Failure
	switch {
	case errors.As(err, &doubt):
		return s.enquire(d, doubt.IdempotencyKey)
	case errors.As(err, &failure) && failure.Code == connector.Timeout:
		return s.enquire(d, "")
	case errors.As(err, &failure) && failure.Code == connector.Invalid:
		// Not sent, or sent before and answered with something nobody can read.
		return s.recover(d, failure.Text)
	case err != nil:
		return a, nil, s.failed(err)
	}
	switch no, verdict := judge(resp); verdict {
	case yes:
		if a, ok := s.of(d, resp.Body); ok {
			return a, nil, nil
		}
		return s.recover(d, "the service's answer is not about what was asked for")
	case refused:
		return a, no, nil
	case taken:
		// What is in the way may be this very deed, done under an earlier key.
		if f := s.find(d); f.state == found {
			return f.done, nil, nil
		} else if f.state != absent && f.state != declined {
			return a, nil, new(connector.Fail("NO_ANSWER", "the service does not say what the payment has done before").Retry(s.backoff()))
		}
		return a, no, nil
	case doubtful:
		return s.enquire(d, "")
	case later:
		return a, nil, new(connector.Fail(no.Code, no.Message).Retry(s.backoff()))
	default:
		return a, nil, new(connector.Fail(no.Code, no.Message))
	}
}

// recover looks for a deed that the service may have done but has not told of in a
// way that can be read. Without finding it, a person has to look.
func (s *service) recover(d deed, reason string) (done, *refusal, *connector.Outcome) {
	if f := s.find(d); f.state == found {
		return f.done, nil, nil
	}
	return done{}, nil, new(connector.Doubtful(d.key, reason))
}

// read asks for something that changes nothing, and reads the answer into v. end is
// how the job ends if there is none.
func (s *service) read(method, path string, body connector.Vars, v any) (end *connector.Outcome) {
	resp, err := s.HTTP(s.call(method, path, body))
	if err != nil {
		return s.failed(err)
	}
	switch no, verdict := judge(resp); verdict {
	case yes:
		if resp.Decode(v) != nil {
			return new(unreadable())
		}
		return nil
	case refused, taken:
		return new(s.refused(no))
	case doubtful, later:
		return new(connector.Fail(no.Code, no.Message).Retry(s.backoff()))
	default:
		return new(connector.Fail(no.Code, no.Message))
	}
}

// unreadable ends a job whose question was answered with something else.
func unreadable() connector.Outcome {
	return connector.Fail("BAD_ANSWER", "the service's answer is not as openapi.yaml has it")
}

// failed ends an attempt in which nothing was done, or a question got no answer.
func (s *service) failed(err error) *connector.Outcome {
	var failure *connector.Failure
	if !errors.As(err, &failure) { // a question in doubt is asked again
		return new(connector.Fail("NO_ANSWER", err.Error()).Retry(s.backoff()))
	}
	switch failure.Code {
	case connector.Unreachable, connector.Timeout, connector.Busy, connector.Unavailable:
		return new(connector.Fail(failure.Code, failure.Text).Retry(s.backoff()))
	}
	return new(connector.Fail(failure.Code, failure.Text))
}

// backoff doubles with the attempt: 2 s, 4 s … at most a minute.
func (s *service) backoff() time.Duration {
	return min(2*time.Second<<min(max(s.job.Attempt-1, 0), 5), time.Minute)
}

// verdict is what a response says.
type verdict int

const (
	yes      verdict = iota
	refused          // nothing was done, and that is the service's last word
	taken            // nothing was done now: something stands in the way
	later            // nothing was done; asking again may help
	broken           // nothing was done; a person has to mend something
	doubtful         // unknown
)

// judge reads a response's status and error body. Only a code that the service gives
// is its refusal: a 404 from a proxy is not.
func judge(resp *connector.Response) (*refusal, verdict) {
	if resp.Status == 200 || resp.Status == 201 {
		return nil, yes
	}
	no := &refusal{payload: resp.Body}
	coded := json.Unmarshal(resp.Body, no) == nil && no.Code != ""
	if !coded {
		*no = refusal{Code: "BAD_ANSWER", Message: "the service answered HTTP " + strconv.Itoa(resp.Status), payload: resp.Body}
	}
	switch n := resp.Status; { // not net/http's names: they would bring all of it into the module
	case n == 429:
		return no, later
	case n == 408 || n == 425 || n < 200 || n >= 500:
		return no, doubtful
	case n == 401 || n == 403 || n < 400 || !coded:
		return no, broken
	}
	switch {
	case no.Code == "BAD_REQUEST" || no.Code == "KEY_REQUIRED" || no.Code == "KEY_REUSED":
		return no, broken
	case resp.Status == 409:
		return no, taken
	}
	return no, refused
}
