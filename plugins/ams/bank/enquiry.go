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
	answer []byte   // found: the bank's account of the deed
	no     *refusal // declined
	reason string   // silent, strange
}

type findingState int

const (
	silent   findingState = iota // no answer that can be read
	found                        // the deed is done
	declined                     // the bank has refused it, for good
	absent                       // the bank has not seen it
	strange                      // the bank has something else than one such deed
)

// enquiriesMax bounds how often one attempt asks a bank that keeps silent.
const enquiriesMax = 4

// enquire finds out what became of a deed whose answer was lost, and settles it.
// That the bank has not seen it counts only when it says so again after the time
// it may need for a request that is still on its way; then the next attempt does
// the deed under a new key. Silence ends the attempt with the deed in doubt, and
// the last attempt with a person.
func (l *ledger) enquire(d deed, key string) ([]byte, *refusal, *connector.Outcome) {
	since := l.Now()
	reason := "the bank does not answer the enquiry"
	for try := range enquiriesMax {
		f := l.ask(d, key)
		switch {
		case f.state == found && d.sound(f.answer):
			l.Settle(d.key, true)
			return f.answer, nil, nil
		case f.state == declined:
			l.Settle(d.key, false)
			return nil, f.no, nil
		case f.state == absent && l.Now().Sub(since) >= l.config.settle():
			l.Settle(d.key, false)
			return nil, nil, new(connector.Fail("NOT_DONE", "the bank never saw the request").Retry(l.backoff()))
		case f.state == strange || f.state == found:
			return nil, nil, new(connector.Doubtful(d.key, "the bank has something else than was asked for: "+f.reason))
		}
		wait := time.Second << (2 * try)
		if f.state == absent {
			wait = l.config.settle()
		}
		if f.reason != "" {
			reason = f.reason
		}
		if try == enquiriesMax-1 || l.Sleep(wait) != nil {
			break
		}
	}
	if l.job.Retries > 0 {
		return nil, nil, new(connector.Fail("IN_DOUBT", reason).Retry(l.backoff()))
	}
	return nil, nil, new(connector.Doubtful(d.key, reason))
}

// ask enquires once: by the idempotency key that was on the wire, or by business
// reference at a bank that keeps no keys.
func (l *ledger) ask(d deed, key string) finding {
	if key == "" {
		return d.find(l)
	}
	resp, err := l.HTTP(connector.HTTP{Endpoint: endpoint, Method: "GET", Path: "/operations/" + url.PathEscape(key)})
	if err != nil {
		return finding{reason: err.Error()}
	}
	if resp.Status == 404 {
		var no refusal
		switch err := resp.Decode(&no); {
		case err != nil:
			return finding{reason: "the bank's answer to the enquiry cannot be read"}
		case no.Code == "OPERATION_NOT_FOUND":
			return finding{state: absent}
		case no.Code == "UNKNOWN_PATH":
			return d.find(l)
		}
	}
	var operation struct {
		State  string          `json:"state"`
		Answer json.RawMessage `json:"answer"`
	}
	if resp.Status != 200 || resp.Decode(&operation) != nil {
		return finding{reason: "the bank's answer to the enquiry cannot be read"}
	}
	switch operation.State {
	case "done":
		return finding{state: found, answer: operation.Answer, reason: "the operation's answer does not fit"}
	case "refused":
		no := &refusal{payload: operation.Answer}
		if json.Unmarshal(operation.Answer, no) == nil && no.Code == "HOLD_NOT_OPEN" {
			// Refused under this key, and perhaps done under an earlier one.
			if f := d.find(l); f.state != absent {
				return f
			}
		}
		if no.Code != "" {
			return finding{state: declined, no: no}
		}
	}
	return finding{reason: "the bank's answer to the enquiry cannot be read"}
}

// one makes a finding of a list that should hold the deed once or not at all. A
// list that is not there is silence, not absence.
func one(list *[]json.RawMessage) finding {
	switch {
	case list == nil:
		return finding{reason: "the bank's list cannot be read"}
	case len(*list) == 0:
		return finding{state: absent}
	case len(*list) > 1:
		return finding{state: strange, reason: "it is there more than once"}
	}
	return finding{state: found, answer: (*list)[0], reason: "what is there differs in account or amount"}
}

// look reads a path of the bank into v and reports whether that was possible.
func (l *ledger) look(path string, v any) bool {
	resp, err := l.HTTP(connector.HTTP{Endpoint: endpoint, Method: "GET", Path: path})
	return err == nil && resp.Status == 200 && resp.Decode(v) == nil
}

// reference is the query for what the payment did under a money key.
func (l *ledger) reference(key string) string {
	return "?reference=" + url.QueryEscape(l.job.Payment) + "&purpose=" + url.QueryEscape(key)
}
