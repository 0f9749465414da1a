package connector

// Connector says which functions serve which triggers. The keys are those of the
// manifest, letter for letter: a job type that is written
// "party-lookup-request-{tenant}" there is written so here, and the host fills
// in the tenant.
type Connector struct {
	Jobs   map[string]func(*Context, *Job) Outcome
	Routes map[string]func(*Context, *Request) Reply
	Links  map[string]Link
	// Schedules are run as jobs, as often as the manifest says.
	Schedules map[string]func(*Context, *Job) Outcome
}

// served is what Serve was given. It is set while the program initialises and
// never changed afterwards.
var served Connector

// Serve names the connector of this program. Call it once, from init.
func Serve(c Connector) {
	if served.Jobs != nil || served.Routes != nil || served.Links != nil || served.Schedules != nil {
		panic("connector: Serve was called twice")
	}
	if len(c.Jobs) == 0 && len(c.Routes) == 0 && len(c.Links) == 0 && len(c.Schedules) == 0 {
		panic("connector: Serve was given neither jobs nor routes, links nor schedules")
	}
	served = c
}

// Step runs one step of the served connector: an encoded sdk.v1.StepRequest in,
// an encoded sdk.v1.StepReply out. The compiled module exports it; natively it
// is for tests.
func Step(request []byte) []byte { return step(&served, new(Context), string(request), nil) }

// Fields of StepReply and of Mismatch.
const (
	replyEffects  = 1
	replyOutcome  = 2
	replyMismatch = 3
	replyError    = 4

	mismatchOrdinal = 1
	mismatchWant    = 2
	mismatchGot     = 3
	mismatchEffect  = 4
)

// step decodes, runs the handler, and turns however it ended into a reply, which
// it writes into the room of buf if it fits. Whatever the context held is gone.
func step(c *Connector, ctx *Context, request string, buf []byte) []byte {
	rooms := ctx.rooms
	*ctx = Context{}
	ctx.reply, ctx.rooms = buf[:0], rooms
	if err := ctx.run(c, request); err != "" {
		ctx.reply = ctx.reply[:0]
		ctx.reply.text(replyError, err)
	}
	return ctx.reply
}

// run decodes the request, calls the handler and leaves the reply in c.reply, or
// returns the connector's own error, such as a panic. However the handler ended,
// an effect that it waits for comes first.
func (c *Context) run(served *Connector, request string) (failed string) {
	defer func() {
		p := recover()
		switch {
		case c.left:
		case p != nil:
			failed = panicText(p)
		}
	}()
	// The handlers are called from here and not from a function in between, since
	// leaving one looks at every function up to this one.
	var outcome Outcome
	switch kind, trigger := c.decode(request); kind {
	case triggerJob:
		c.job.decode(c.rooms, trigger)
		if handler := served.Jobs[c.job.Type]; handler != nil {
			outcome = handler(c, &c.job)
		} else {
			outcome = Fail("UNKNOWN_JOB", "this connector does not serve job type "+c.job.Type)
		}
	case triggerHTTP:
		request := c.request(trigger)
		reply := Reply{Status: 404}
		if handler := served.Routes[request.Route]; handler != nil {
			reply = handler(c, request)
		}
		outcome = reply.outcome()
	case triggerFrame:
		outcome = c.onFrame(served, trigger)
	case triggerFrameKey:
		outcome = c.onFrameKey(served, trigger)
	case triggerSchedule:
		outcome = c.onSchedule(served, trigger)
	default:
		outcome = Fail("UNKNOWN_TRIGGER", "this connector does not know the trigger")
	}
	if c.left {
		return ""
	}
	c.reply = c.reply[:0]
	if c.next < len(c.history) {
		entry := &c.history[c.next]
		at := c.reply.begin(replyMismatch)
		c.reply.uint(mismatchOrdinal, uint64(entry.ordinal))
		c.reply.fixed64(mismatchWant, entry.digest)
		c.reply.end(at)
		return ""
	}
	if outcome.kind == outcomeComplete && len(c.settlements) == 0 { // as most are
		n := len(outcome.variables)
		c.reply.head(replyOutcome, headBytes(n)+n)
		c.reply.head(outcomeComplete, n)
		c.reply = append(c.reply, outcome.variables...)
		return ""
	}
	at := c.reply.begin(replyOutcome)
	outcome.encode(&c.reply)
	for i := range c.settlements {
		c.settlements[i].encode(&c.reply)
	}
	c.reply.end(at)
	return ""
}

// panicText is what a panic value says, without fmt.
func panicText(p any) string {
	switch p := p.(type) {
	case malformed:
		return "the step request does not decode: " + p.Error()
	case error:
		return "panic: " + p.Error()
	case string:
		return "panic: " + p
	case interface{ String() string }:
		return "panic: " + p.String()
	}
	return "panic: of a type without text"
}
