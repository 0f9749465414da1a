package connector

import (
	"math/rand/v2"
	"time"

	"github.com/railhead-hub/railhead/sdk/abi"
)

// Context is a handler's only door to the world. It belongs to one step: do not
// keep it, since the next step, of another payment, has the same.
type Context struct {
	config, tenant, seed, state string

	history []entry
	// next is the index of the first history entry that is not consumed yet, and
	// ordinal the number of the last effect asked for.
	next    int
	ordinal uint32
	now     int64
	rand    *rand.Rand

	settlements []settlement

	// reply is the encoded StepReply: what a handler asks for is written there at
	// once, and taken back if the history answers it.
	reply writer
	// left is set once the step has ended at an effect, in case the handler
	// recovers from the unwinding. The reply is then finished.
	left bool
	// reading is set while PerConfig reads the configuration.
	reading bool

	job   Job
	rooms *rooms // outlives the step
}

// rooms is what nearly every step needs for as long as it reads its request. It is
// not cleared, since clearing it costs more than what is put there.
type rooms struct {
	variables [16]variable // as many as most jobs have
	entries   [4]entry
	layout    layout
}

// entry is one answered effect of the history; the answer is decoded when it is
// asked for.
type entry struct {
	digest  uint64
	timeMs  int64
	ordinal uint32
	answer  string // encoded
}

// Kinds of triggers: their fields in Trigger.
const (
	triggerJob      = 3
	triggerHTTP     = 4
	triggerFrame    = 5
	triggerFrameKey = 6
	triggerSchedule = 7
	triggerLast     = 7
)

// decode reads a StepRequest as far as the handler's arguments, and returns the
// trigger's kind and encoding. It panics with malformed.
func (c *Context) decode(request string) (kind int, trigger string) {
	if c.rooms == nil {
		c.rooms = new(rooms)
	}
	c.history = c.rooms.entries[:0]
	kind, trigger, ok := c.decodeUsual(request)
	if !ok {
		kind, trigger = c.decodeAny(request)
	}
	// A history that begins with a checkpoint is taken up behind it.
	if c.state != "" && len(c.history) > 0 {
		c.next = 1
		c.ordinal = c.history[0].ordinal
		c.now = c.history[0].timeMs
	}
	return kind, trigger
}

// Numbers of the fields of StepRequest and of Trigger, as sets.
const (
	requestRepeats  = 1 << requestHistory
	triggerIntegers = 1 << 1

	requestHistory = 3
)

// decodeUsual is decodeAny for requests as hosts write them.
func (c *Context) decodeUsual(request string) (kind int, trigger string, ok bool) {
	l := &c.rooms.layout
	places, _, ok := l.read(request, 0, requestRepeats, requestHistory, c.rooms.variables[:0])
	if !ok {
		return 0, "", false
	}
	for i := range places {
		c.history = append(c.history, decodeEntry(request[places[i].name:places[i].nameEnd]))
	}
	c.config, c.seed, c.state = l.text(request, 1), l.text(request, 4), l.text(request, 5)
	envelope := l.text(request, 2)
	_, kind, ok = l.read(envelope, triggerIntegers, 0, 0, nil)
	if !ok || kind > triggerLast {
		return 0, "", false
	}
	c.now, c.tenant = int64(l[1]), l.text(envelope, 2)
	if kind > 2 {
		return kind, l.text(envelope, kind), true
	}
	return 0, "", true
}

func (c *Context) decodeAny(request string) (kind int, trigger string) {
	c.history = c.rooms.entries[:0]
	c.config, c.seed, c.state, c.now, c.tenant = "", "", "", 0, ""
	var envelope string
	f := fields{in: request}
	for f.next() {
		switch f.number {
		case 1:
			c.config = f.text()
		case 2:
			envelope = f.message(envelope)
		case 3:
			c.history = append(c.history, decodeEntry(f.text()))
		case 4:
			c.seed = f.text()
		case 5:
			c.state = f.text()
		}
	}
	f = fields{in: envelope}
	for f.next() {
		switch {
		case f.number == 1:
			c.now = int64(f.uint())
		case f.number == 2:
			c.tenant = f.text()
		case f.number <= triggerLast:
			if f.number != kind {
				trigger = ""
			}
			kind, trigger = f.number, f.message(trigger)
		}
	}
	return kind, trigger
}

func decodeEntry(message string) (e entry) {
	f := fields{in: message}
	for f.next() {
		switch f.number {
		case 1:
			e.ordinal = uint32(f.uint())
		case 2:
			e.digest = f.fixed64()
		case 3:
			e.timeMs = int64(f.uint())
		case 4:
			e.answer = f.message(e.answer)
		}
	}
	return e
}

// Kinds of effects: their fields in Effect.
const (
	effectHTTP         = 2
	effectStartPayment = 3
	effectPublish      = 4
	effectAwaitResult  = 5
	effectQuery        = 6
	effectSleep        = 7
	effectSequence     = 8
	effectEmit         = 9
	effectCheckpoint   = 10
	effectRoundTrip    = 11
	effectSend         = 12
	effectForward      = 13
	effectSign         = 14
	effectVerify       = 15
	effectMAC          = 16
	effectEncrypt      = 17
	effectTokenize     = 18
	effectDetokenize   = 19
)

// question is an effect that is being written to the reply.
type question struct{ effect, kind int } // where they begin

// begin starts an effect; the caller writes what is in it and then asks.
func (c *Context) begin(kind int) (*writer, question) {
	if c.left {
		panic(unwind{})
	}
	if c.reading {
		panic("connector: an effect is asked for while the configuration is read")
	}
	c.reply = c.reply[:0]
	effect := c.reply.begin(replyEffects)
	c.reply.uint(1, uint64(c.ordinal+1))
	return &c.reply, question{effect, c.reply.begin(kind)}
}

// ask returns the answer to the effect. It is not there if the handler has to be
// left, which is for the caller to do, with panic(unwind{}): every function
// between the panic and the end of the step makes the panic dearer.
func (c *Context) ask(q question) (answer answer, there bool) {
	c.ordinal++
	c.reply.end(q.kind)
	effect := c.reply[q.effect:]
	if c.next == len(c.history) {
		c.reply.end(q.effect)
		c.left = true
		return answer, false
	}
	e := &c.history[c.next]
	if got := abi.Digest(effect); e.ordinal != c.ordinal || e.digest != got {
		c.mismatch(e.digest, got, string(effect))
		return answer, false
	}
	c.next++
	c.now = e.timeMs
	return decodeAnswer(e.answer), true
}

// mismatch replies that the effect is not the one that the history answers.
func (c *Context) mismatch(want, got uint64, effect string) {
	c.reply = c.reply[:0]
	at := c.reply.begin(replyMismatch)
	c.reply.uint(mismatchOrdinal, uint64(c.ordinal))
	c.reply.fixed64(mismatchWant, want)
	c.reply.fixed64(mismatchGot, got)
	c.reply.text(mismatchEffect, effect)
	c.reply.end(at)
	c.left = true
}

// unwind is the panic value that leaves a handler at the first effect that has no
// answer yet, or whose digest does not agree.
type unwind struct{}

// Now is the time at which the last answer came in, or at which the trigger was
// raised. It is the same in every run of one history, has millisecond
// resolution, and is in UTC.
func (c *Context) Now() time.Time { return time.UnixMilli(c.now).UTC() }

// Rand is a random source that draws the same numbers in every run of one
// history. Different payments, jobs and attempts draw different ones. It is
// fit for identifiers, not for keys: keys live in the host.
func (c *Context) Rand() *rand.Rand {
	if c.rand == nil {
		var seed [abi.SeedBytes]byte
		copy(seed[:], c.seed)
		c.rand = rand.New(rand.NewChaCha8(seed))
	}
	return c.rand
}

// UUID draws a random (version 4) UUID from Rand.
func (c *Context) UUID() string {
	r := c.Rand()
	hi := r.Uint64()&^0xf000 | 0x4000
	lo := r.Uint64()&^(3<<62) | 2<<62
	const digits = "0123456789abcdef"
	var out [36]byte
	n := 0
	put := func(v uint64, nibbles int) {
		for i := nibbles - 1; i >= 0; i-- {
			if n == 8 || n == 13 || n == 18 || n == 23 {
				out[n] = '-'
				n++
			}
			out[n] = digits[v>>(4*i)&15]
			n++
		}
	}
	put(hi, 16)
	put(lo, 16)
	return string(out[:])
}

// Tenant is the id of the tenant the trigger belongs to.
func (c *Context) Tenant() string { return c.tenant }

// ConfigJSON is the tenant's configuration of this connector, a JSON object.
// Secrets in it are references: write them where they are needed as
// {{secret:name}} and the host substitutes them.
func (c *Context) ConfigJSON() []byte { return pieces.bytes(c.config) }

// State is what the last Checkpoint of this job kept, or nil.
func (c *Context) State() []byte { return pieces.bytes(c.state) }

// Settle reports, with the outcome, what became of a money effect that was in
// doubt: done, or certainly not done. Say it only when the other side has said
// it; the hub repeats an effect that is settled as not done.
func (c *Context) Settle(key string, done bool) {
	c.settlements = append(c.settlements, settlement{key, done})
}

type settlement struct {
	key  string
	done bool
}

func (s *settlement) encode(w *writer) {
	at := w.begin(outcomeSettlements)
	w.text(1, s.key)
	w.bool(2, s.done)
	w.end(at)
}
