package connector

import (
	"time"

	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// Outcome is how a job's attempt ends. Build it with Complete, Fail, BpmnError
// or Doubtful.
type Outcome struct {
	outcome sdkv1.Outcome
}

// Complete ends the job; the variables go to the flow.
func Complete(variables Vars) Outcome {
	return Outcome{sdkv1.Outcome{Kind: &sdkv1.Outcome_Complete{Complete: &sdkv1.Complete{
		Variables: variables.encode(),
	}}}}
}

// Fail ends the attempt and opens an incident, unless Retry follows. The code is
// the connector's own, in capitals; the reason is for people.
func Fail(code, reason string) Outcome {
	return Outcome{sdkv1.Outcome{Kind: &sdkv1.Outcome_Fail{Fail: &sdkv1.Fail{
		Code: code, Reason: reason,
	}}}}
}

// Retry makes a Fail retryable, not before the backoff has passed (zero: the
// flow's own). Other outcomes are left as they are.
func (o Outcome) Retry(backoff time.Duration) Outcome {
	if fail, ok := o.outcome.Kind.(*sdkv1.Outcome_Fail); ok {
		fail.Fail.Retryable = true
		fail.Fail.BackoffMs = millis(backoff)
	}
	return o
}

// BpmnError ends the job with an error that the flow may catch by its code.
func BpmnError(code, message string) Outcome {
	return Outcome{sdkv1.Outcome{Kind: &sdkv1.Outcome_BpmnError{BpmnError: &sdkv1.BpmnError{
		Code: code, Message: message,
	}}}}
}

// With adds variables to a BpmnError. Other outcomes are left as they are.
func (o Outcome) With(variables Vars) Outcome {
	if e, ok := o.outcome.Kind.(*sdkv1.Outcome_BpmnError); ok {
		e.BpmnError.Variables = variables.encode()
	}
	return o
}

// Doubtful leaves the money effect of that key to a person: an incident opens
// and nothing is repeated.
func Doubtful(key, reason string) Outcome {
	return Outcome{sdkv1.Outcome{Kind: &sdkv1.Outcome_Doubt{Doubt: &sdkv1.Doubt{
		Key: key, Reason: reason,
	}}}}
}

func (o Outcome) encode() *sdkv1.Outcome {
	if o.outcome.Kind == nil {
		return Fail("NO_OUTCOME", "the connector returned the zero Outcome").encode()
	}
	return &o.outcome
}

// Reply answers an HTTP request. A Status of zero means 200.
type Reply struct {
	Status  int
	Headers map[string]string
	Body    []byte
}

func (r Reply) encode() *sdkv1.Outcome {
	if r.Status == 0 {
		r.Status = 200
	}
	return &sdkv1.Outcome{Kind: &sdkv1.Outcome_Reply{Reply: &sdkv1.Reply{
		Status: uint32(r.Status), Headers: headers(r.Headers), Body: r.Body,
	}}}
}
