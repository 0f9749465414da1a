package main

import (
	"encoding/json"
	"net/url"
	"time"

	connector "github.com/railhead-hub/railhead/sdk/go"
)

// finding is what an enquiry brought.
type finding struct {
	state  findingState
	done   done     // found
	no     *refusal // declined
	reason string   // silent, strange
}

type findingState int

const (
	silent   findingState = iota // no answer that can be read
	found                        // the deed is done
	declined                     // the service has refused it, for good
	absent                       // the service has not seen it
	strange                      // the service has something else than one such deed
)

// enquiriesMax bounds how often one attempt asks a service that keeps silent.
const enquiriesMax = 4

// enquire finds out what became of a deed whose answer was lost, and settles it.
// That the service has not seen it counts only when it says so again after the time
// it may need for a request that is still on its way; then the next attempt does
// the deed under a new key. Silence ends the attempt with the deed in doubt, and
// the last attempt with a person.
func (s *service) enquire(d deed, key string) (done, *refusal, *connector.Outcome) {
	since := s.Now()
	reason := "the service does not answer the enquiry"
	for try := range enquiriesMax {
		f := s.ask(d, key)
		switch {
		case f.state == found:
			s.Settle(d.key, true)
			return f.done, nil, nil
		case f.state == declined:
			s.Settle(d.key, false)
			return done{}, f.no, nil
		case f.state == absent && s.Now().Sub(since) >= s.config.settle():
			s.Settle(d.key, false)
			return done{}, nil, new(connector.Fail("NOT_DONE", "the service never saw the request").Retry(s.backoff()))
		case f.state == strange:
			return done{}, nil, new(connector.Doubtful(d.key, "the service has something else than was asked for: "+f.reason))
		}
		wait := time.Second << (2 * try)
		if f.state == absent {
			wait = s.config.settle()
		}
		if f.reason != "" {
			reason = f.reason
		}
		if try == enquiriesMax-1 || s.Sleep(wait) != nil {
			break
		}
	}
	if s.job.Retries > 0 {
		return done{}, nil, new(connector.Fail("IN_DOUBT", reason).Retry(s.backoff()))
	}
	return done{}, nil, new(connector.Doubtful(d.key, reason))
}

// operation is what became of a request: Operation in openapi.yaml.
type operation struct {
	State  string          `json:"state"`
	Answer json.RawMessage `json:"answer"`
}

// ask enquires once: by the idempotency key that was on the wire or, where that is
// not known, by payment and purpose.
func (s *service) ask(d deed, key string) finding {
	if key == "" {
		return s.find(d)
	}
	const unreadable = "the service's answer to the enquiry cannot be read"
	resp, err := s.HTTP(s.call("GET", "/operations/"+url.PathEscape(key), nil))
	if err != nil {
		return finding{reason: err.Error()}
	}
	var no refusal
	if resp.Status == 404 && resp.Decode(&no) == nil && no.Code == "OPERATION_NOT_FOUND" {
		return finding{state: absent}
	}
	var o operation
	if resp.Status != 200 || resp.Decode(&o) != nil {
		return finding{reason: unreadable}
	}
	f := s.made(d, o)
	if f.state == declined {
		// Refused under this key, and perhaps done under an earlier one.
		if earlier := s.find(d); earlier.state != absent {
			return earlier
		}
	}
	return f
}

// find looks for the deed among what the payment has done.
func (s *service) find(d deed) finding {
	resp, err := s.HTTP(s.call("GET", "/operations?payment="+url.QueryEscape(s.job.Payment)+"&purpose="+url.QueryEscape(d.key), nil))
	if err != nil {
		return finding{reason: err.Error()}
	}
	// A list that is not there is silence, not absence.
	var list struct {
		Operations *[]operation `json:"operations"`
	}
	if resp.Status != 200 || resp.Decode(&list) != nil || list.Operations == nil {
		return finding{reason: "the service's list of operations cannot be read"}
	}
	last := finding{state: absent}
	for _, o := range *list.Operations {
		switch f := s.made(d, o); {
		case f.state == found && last.state == found:
			return finding{state: strange, reason: "it is there more than once"}
		case last.state != found:
			last = f
		}
		if last.state == silent || last.state == strange {
			return last
		}
	}
	return last
}

// made makes a finding of what became of a request.
func (s *service) made(d deed, o operation) finding {
	switch o.State {
	case "done":
		if a, ok := s.of(d, o.Answer); ok {
			return finding{state: found, done: a}
		}
		return finding{state: strange, reason: "what is there differs in payment, purpose or amount"}
	case "refused":
		no := &refusal{payload: o.Answer}
		if json.Unmarshal(o.Answer, no) == nil && no.Code != "" {
			return finding{state: declined, no: no}
		}
	}
	return finding{reason: "the service's answer to the enquiry cannot be read"}
}
