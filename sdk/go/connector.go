package connector

import (
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// Connector says which functions serve which triggers. The keys are those of the
// manifest, letter for letter: a job type that is written
// "party-lookup-request-{tenant}" there is written so here, and the host fills
// in the tenant.
type Connector struct {
	Jobs   map[string]func(*Context, *Job) Outcome
	Routes map[string]func(*Context, *Request) Reply
}

// served is what Serve was given. It is set while the program initialises and
// never changed afterwards.
var served Connector

// Serve names the connector of this program. Call it once, from init.
func Serve(c Connector) {
	if served.Jobs != nil || served.Routes != nil {
		panic("connector: Serve was called twice")
	}
	if len(c.Jobs) == 0 && len(c.Routes) == 0 {
		panic("connector: Serve was given neither jobs nor routes")
	}
	served = c
}

// Step runs one step of the served connector: an encoded sdk.v1.StepRequest in,
// an encoded sdk.v1.StepReply out. The compiled module exports it; natively it
// is for tests.
func Step(request []byte) []byte {
	reply := step(&served, request)
	out, err := reply.MarshalVTStrict()
	if err != nil {
		// The generated encoder fails for no value of this type.
		panic("connector: a reply does not encode: " + err.Error())
	}
	return out
}

// step decodes, runs the handler, and turns however it ended into a reply.
func step(c *Connector, request []byte) *sdkv1.StepReply {
	req := new(sdkv1.StepRequest)
	if err := req.UnmarshalVT(request); err != nil {
		return &sdkv1.StepReply{Error: "the step request does not decode: " + err.Error()}
	}
	ctx := &Context{request: req, now: req.GetTrigger().GetTimeMs()}
	if len(req.State) > 0 && len(req.History) > 0 {
		ctx.resume(req.History[0])
	}
	reply := new(sdkv1.StepReply)
	ctx.run(c, reply)
	return reply
}

// run calls the handler. However the handler ended, an effect that it waits for
// comes first; a panic is the connector's own error.
func (c *Context) run(served *Connector, reply *sdkv1.StepReply) {
	defer func() {
		p := recover()
		switch {
		case c.left != nil:
			*reply = sdkv1.StepReply{Mismatch: c.left.mismatch}
			if c.left.effect != nil {
				reply.Effects = []*sdkv1.Effect{c.left.effect}
			}
		case p != nil:
			*reply = sdkv1.StepReply{Error: "panic: " + panicText(p)}
		}
	}()
	outcome := c.dispatch(served)
	if c.next < len(c.request.History) {
		entry := c.request.History[c.next]
		reply.Mismatch = &sdkv1.Mismatch{Ordinal: entry.GetOrdinal(), Want: entry.GetDigest()}
		return
	}
	outcome.Settlements = c.settlements
	reply.Outcome = outcome
}

func (c *Context) dispatch(served *Connector) *sdkv1.Outcome {
	trigger := c.request.GetTrigger()
	if job := trigger.GetJob(); job != nil {
		handler := served.Jobs[job.Type]
		if handler == nil {
			return Fail("UNKNOWN_JOB", "this connector does not serve job type "+job.Type).encode()
		}
		return handler(c, newJob(job)).encode()
	}
	if http := trigger.GetHttp(); http != nil {
		handler := served.Routes[http.Route]
		if handler == nil {
			return Reply{Status: 404}.encode()
		}
		return handler(c, newRequest(http)).encode()
	}
	return Fail("UNKNOWN_TRIGGER", "this connector serves jobs and routes only").encode()
}

// panicText is what a panic value says, without fmt.
func panicText(p any) string {
	switch p := p.(type) {
	case error:
		return p.Error()
	case string:
		return p
	case interface{ String() string }:
		return p.String()
	}
	return "of a type without text"
}
