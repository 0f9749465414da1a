package connector

import "time"

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
	w, q := c.begin(effectStartPayment)
	w.text(1, start.Flow)
	w.text(2, start.ClientKey)
	w.bytes(3, start.RequestDigest)
	start.Variables.encode(w, 4)
	w.text(5, start.UUIDVariable)
	answer, there := c.ask(q)
	if !there {
		panic(unwind{})
	}
	if err := answer.is(answerStart); err != nil {
		return Started{}, err
	}
	var started Started
	f := fields{in: answer.message}
	for f.next() {
		switch f.number {
		case 1:
			started.Payment = f.text()
		case 2:
			started.Repeated = f.uint() != 0
		}
	}
	return started, nil
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
	w, q := c.begin(effectPublish)
	w.text(1, m.Name)
	w.text(2, m.Key)
	w.text(3, m.ID)
	w.uint(4, millis(m.TTL))
	m.Variables.encode(w, 5)
	answer, there := c.ask(q)
	if !there {
		panic(unwind{})
	}
	return answer.is(answerPublish)
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

	encoded string // the answer, for its variables
}

// JSON is a variable that the Query named, or nil if the payment does not have it
// or has ended.
func (p Payment) JSON(name string) []byte { return pieces.bytes(p.json(name)) }

func (p Payment) json(name string) string { return lookup(p.encoded, queryVariables, name) }

// String is the text of a variable that the Query named, as Job.String.
func (p Payment) String(name string) string { return jsonText(p.json(name)) }

// Query reads a payment. One that does not exist is no error but Found = false.
func (c *Context) Query(q Query) (Payment, error) {
	w, question := c.begin(effectQuery)
	w.text(1, q.Payment)
	w.text(2, q.ClientKey)
	for _, name := range q.Variables {
		w.always(3, name)
	}
	answer, there := c.ask(question)
	if !there {
		panic(unwind{})
	}
	return payment(answer)
}

// AwaitResult waits until the payment has ended, at most for the timeout; the
// host may shorten it.
func (c *Context) AwaitResult(uuid string, timeout time.Duration) (Payment, error) {
	w, q := c.begin(effectAwaitResult)
	w.text(1, uuid)
	w.uint(2, millis(timeout))
	answer, there := c.ask(q)
	if !there {
		panic(unwind{})
	}
	return payment(answer)
}

const queryVariables = 11 // field of QueryAnswer

func payment(answer answer) (Payment, error) {
	if err := answer.is(answerQuery); err != nil {
		return Payment{}, err
	}
	p := Payment{encoded: answer.message}
	f := fields{in: answer.message}
	for f.next() {
		switch f.number {
		case 1:
			p.Found = f.uint() != 0
		case 2:
			p.Payment = f.text()
		case 3:
			p.State = f.text()
		case 4:
			p.Result = f.text()
		case 5:
			p.Code = f.text()
		case 6:
			p.StartedAt = optionalTime(int64(f.uint()))
		case 7:
			p.EndedAt = optionalTime(int64(f.uint()))
		case 8:
			p.Flow = f.text()
		case 9:
			p.ClientKey = f.text()
		case 10:
			p.Pending = f.uint() != 0
		}
	}
	return p, nil
}

// optionalTime is the zero Time for zero.
func optionalTime(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// Sleep lets a job wait. It is durable: the wait survives the node.
func (c *Context) Sleep(d time.Duration) error {
	w, q := c.begin(effectSleep)
	w.uint(1, millis(d))
	answer, there := c.ask(q)
	if !there {
		panic(unwind{})
	}
	return answer.is(answerDone)
}

// Sequence draws the next number of a tenant's named sequence, from 1. Numbers
// are never drawn twice; some may be lost.
func (c *Context) Sequence(name string) (uint64, error) {
	w, q := c.begin(effectSequence)
	w.text(1, name)
	answer, there := c.ask(q)
	if !there {
		panic(unwind{})
	}
	if err := answer.is(answerSequence); err != nil {
		return 0, err
	}
	n := uint64(0)
	f := fields{in: answer.message}
	for f.next() {
		if f.number == 1 {
			n = f.uint()
		}
	}
	return n, nil
}

// Emit puts an event on the payment's timeline.
func (c *Context) Emit(name string, event Vars) error {
	w, q := c.begin(effectEmit)
	w.text(1, name)
	at := w.begin(2)
	*w = appendObject(*w, event)
	w.end(at)
	answer, there := c.ask(q)
	if !there {
		panic(unwind{})
	}
	return answer.is(answerDone)
}

// Checkpoint replaces the history so far by a state of at most 64 KiB and begins
// the handler anew, with State returning it: it returns only when it failed.
// A long job uses it to stay under the limit of 64 effects.
func (c *Context) Checkpoint(state []byte) error {
	w, q := c.begin(effectCheckpoint)
	w.bytes(1, state)
	answer, there := c.ask(q)
	if !there {
		panic(unwind{})
	}
	return answer.is(answerDone)
}
