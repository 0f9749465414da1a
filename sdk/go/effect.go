package connector

import (
	"time"

	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// StartPayment asks for a payment of a deployed flow.
type StartPayment struct {
	// Flow is the BPMN process id.
	Flow string
	// ClientKey makes the start idempotent: the same key with the same
	// RequestDigest returns the first payment again, with another digest it is
	// the failure abi.FailureConflict.
	ClientKey     string
	RequestDigest []byte // 32 bytes, usually SHA-256 of what the client sent
	Variables     Vars
	// UUIDVariable, if set, is the variable that receives the payment's UUID.
	UUIDVariable string
}

// Started is a payment that StartPayment began, or had begun before.
type Started struct {
	Payment  string // UUID
	Repeated bool   // this is the first answer, given again
}

// StartPayment starts a payment. It is durable when it returns.
func (c *Context) StartPayment(start StartPayment) (Started, error) {
	answer := c.ask(&sdkv1.Effect{Kind: &sdkv1.Effect_StartPayment{StartPayment: &sdkv1.StartPayment{
		Flow:          start.Flow,
		ClientKey:     start.ClientKey,
		RequestDigest: start.RequestDigest,
		Variables:     start.Variables.encode(),
		UuidVariable:  start.UUIDVariable,
	}}})
	if err := answerError(answer); err != nil {
		return Started{}, err
	}
	started := answer.GetStart()
	if started == nil {
		return Started{}, wrongAnswer()
	}
	return Started{Payment: started.Payment, Repeated: started.RepeatedStart}, nil
}

// Message is what a waiting payment receives.
type Message struct {
	Name string
	// Key is the correlation key.
	Key string
	// ID makes publishing idempotent: a second message with the same ID is
	// dropped. Empty means every message counts.
	ID string
	// TTL is how long the message waits for a taker; zero means it is taken now
	// or not at all.
	TTL       time.Duration
	Variables Vars
}

// Publish publishes a message. A duplicate by ID is no error.
func (c *Context) Publish(m Message) error {
	answer := c.ask(&sdkv1.Effect{Kind: &sdkv1.Effect_Publish{Publish: &sdkv1.Publish{
		Name:      m.Name,
		Key:       m.Key,
		MessageId: m.ID,
		TtlMs:     millis(m.TTL),
		Variables: m.Variables.encode(),
	}}})
	if err := answerError(answer); err != nil {
		return err
	}
	if answer.GetPublish() == nil {
		return wrongAnswer()
	}
	return nil
}

// Query names a payment of the tenant, by UUID or by client key.
type Query struct {
	Payment   string
	ClientKey string
	// Variables names variables of the running payment to read as well, see
	// Payment.JSON.
	Variables []string
}

// Payment is what the hub tells about a payment.
type Payment struct {
	Found   bool   // the other fields are zero if not
	Payment string // UUID
	State   string // running, incident, ended
	// Result is completed, failed, reversed, returned, rejected, unknown or
	// cancelled once State is ended.
	Result    string
	Code      string
	Flow      string
	ClientKey string
	StartedAt time.Time
	EndedAt   time.Time // zero until State is ended
	// Pending is set by AwaitResult when the result was not there in time.
	Pending bool

	variables []*sdkv1.Variable
}

// JSON is a variable that the Query named, or nil if the payment does not have it
// or has ended.
func (p Payment) JSON(name string) []byte {
	for _, v := range p.variables {
		if v.GetName() == name {
			return v.GetJson()
		}
	}
	return nil
}

// String is the text of a variable that the Query named, as Job.String.
func (p Payment) String(name string) string { return jsonText(p.JSON(name)) }

// Query reads a payment. One that does not exist is no error but Found = false.
func (c *Context) Query(q Query) (Payment, error) {
	return payment(c.ask(&sdkv1.Effect{Kind: &sdkv1.Effect_Query{Query: &sdkv1.Query{
		Payment: q.Payment, ClientKey: q.ClientKey, Variables: q.Variables,
	}}}))
}

// AwaitResult waits until the payment has ended, at most for the timeout; the
// host may shorten it.
func (c *Context) AwaitResult(uuid string, timeout time.Duration) (Payment, error) {
	return payment(c.ask(&sdkv1.Effect{Kind: &sdkv1.Effect_AwaitResult{AwaitResult: &sdkv1.AwaitResult{
		Payment: uuid, TimeoutMs: millis(timeout),
	}}}))
}

func payment(answer *sdkv1.Answer) (Payment, error) {
	if err := answerError(answer); err != nil {
		return Payment{}, err
	}
	q := answer.GetQuery()
	if q == nil {
		return Payment{}, wrongAnswer()
	}
	p := Payment{
		Found: q.Found, Payment: q.Payment, State: q.State, Result: q.Result, Code: q.Code,
		Flow: q.Flow, ClientKey: q.ClientKey, Pending: q.Pending,
		variables: q.Variables,
	}
	if q.StartedMs != 0 {
		p.StartedAt = time.UnixMilli(q.StartedMs).UTC()
	}
	if q.EndedMs != 0 {
		p.EndedAt = time.UnixMilli(q.EndedMs).UTC()
	}
	return p, nil
}

// Sleep lets a job wait. It is durable: the wait survives the node.
func (c *Context) Sleep(d time.Duration) error {
	return done(c.ask(&sdkv1.Effect{Kind: &sdkv1.Effect_Sleep{Sleep: &sdkv1.Sleep{DurationMs: millis(d)}}}))
}

// Sequence draws the next number of a tenant's named sequence, from 1. Numbers
// are never drawn twice; some may be lost.
func (c *Context) Sequence(name string) (uint64, error) {
	answer := c.ask(&sdkv1.Effect{Kind: &sdkv1.Effect_Sequence{Sequence: &sdkv1.Sequence{Name: name}}})
	if err := answerError(answer); err != nil {
		return 0, err
	}
	sequence := answer.GetSequence()
	if sequence == nil {
		return 0, wrongAnswer()
	}
	return sequence.Value, nil
}

// Emit puts an event on the payment's timeline.
func (c *Context) Emit(name string, fields Vars) error {
	return done(c.ask(&sdkv1.Effect{Kind: &sdkv1.Effect_Emit{Emit: &sdkv1.Emit{Name: name, Json: fields.JSON()}}}))
}

// Checkpoint replaces the history so far by a state of at most 64 KiB and begins
// the handler anew, with State returning it: it returns only when it failed.
// A long job uses it to stay under the limit of 64 effects.
func (c *Context) Checkpoint(state []byte) error {
	return done(c.ask(&sdkv1.Effect{Kind: &sdkv1.Effect_Checkpoint{Checkpoint: &sdkv1.Checkpoint{State: state}}}))
}

func done(answer *sdkv1.Answer) error {
	if err := answerError(answer); err != nil {
		return err
	}
	if answer.GetDone() == nil {
		return wrongAnswer()
	}
	return nil
}
