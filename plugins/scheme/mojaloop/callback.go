package main

import (
	"time"

	"github.com/railhead-hub/railhead/plugins/scheme/mojaloop/fspiop"
	connector "github.com/railhead-hub/railhead/sdk/go"
)

// bodyMax bounds a callback: four times the longest ILP packet. The manifest says
// the same, so that the host refuses it first.
const bodyMax = 128 << 10

// callback is an admitted callback and the payment it is about.
type callback struct {
	config
	c       *connector.Context
	r       *connector.Request
	source  string // FSPIOP-Source
	payment connector.Payment
	request channelRequest
}

// admit checks what all callbacks have in common. A reply that is not nil refuses
// the callback.
func admit(c *connector.Context, r *connector.Request, resource string) (*callback, *connector.Reply) {
	cfg, problem := configOf(c)
	if problem != "" {
		c.Log(connector.Error, "the configuration is wrong", "problem", problem)
		return nil, refuse(500, "2000", "the connector's configuration is wrong")
	}
	cb := &callback{config: cfg, c: c, r: r, source: r.Header("fspiop-source")}
	switch {
	case len(r.Body) > bodyMax:
		return nil, refuse(413, "3104", "the body is too large")
	case !fspiop.Speaks(r.Header("content-type"), resource):
		return nil, refuse(400, "3101", "Content-Type is not "+fspiop.MediaType(resource, cfg.Version))
	case cb.source == "":
		return nil, refuse(400, "3102", "FSPIOP-Source is missing")
	case !fspiop.ValidFSP(cb.source):
		return nil, refuse(400, "3101", "FSPIOP-Source is not an FSP id")
	}
	return cb, nil
}

// find reads the payment and what was agreed about it. A reply that is not nil ends
// the callback: there is no such payment, it has ended, or it cannot be read now.
func (cb *callback) find(payment string, variables ...string) *connector.Reply {
	if !fspiop.ValidID(payment) {
		return refuse(400, "3101", "the id in the path is not a UUID that FSPIOP accepts")
	}
	found, err := cb.c.Query(connector.Query{Payment: payment, Variables: append(variables, "channelRequest")})
	if err != nil {
		return busy()
	}
	if !found.Found {
		// Perhaps another node has just started it and this one lags behind. A
		// callback refused for good is a minute's wait for the payer; one that is
		// sent again for nothing is a few bytes.
		return busy()
	}
	cb.payment = found
	if found.State == "ended" {
		return nil
	}
	var ok bool
	if cb.request, ok = parseRequest(found.String("channelRequest")); !ok {
		// Either this node lags behind, or the flow is not one of ours.
		return busy()
	}
	return nil
}

// fromCounterparty refuses a callback that comes neither from the payee's FSP nor
// from the hub.
func (cb *callback) fromCounterparty() *connector.Reply {
	switch {
	case cb.isHub(cb.source) || cb.source == payeeFSP(cb.payment.String):
		return nil
	case cb.payment.String("partyLookupFspId") == "":
		return busy() // the look-up's answer has not reached this node
	}
	return refuse(400, "3101", "FSPIOP-Source is neither the payee's FSP nor the hub")
}

// ended reports whether the payment is over, so that nobody waits for the callback.
func (cb *callback) ended() bool { return cb.payment.State == "ended" }

// note leaves a trace on the payment's timeline.
func (cb *callback) note(name string, detail connector.Vars) *connector.Reply {
	if detail == nil {
		detail = connector.Vars{}
	}
	detail["source"] = cb.source
	if cb.payment.Payment != "" {
		detail["payment"] = cb.payment.Payment
	}
	if err := cb.c.Emit(name, detail); err != nil {
		return busy()
	}
	return taken()
}

// publish tells the flow. The message's id is made of what the callback means, not
// of its bytes: a callback that comes twice is one message, however the second is
// dressed.
func (cb *callback) publish(m connector.Message, id string) *connector.Reply {
	m.ID = id
	if m.TTL == 0 {
		m.TTL = messageTTL
	}
	if err := cb.c.Publish(m); err != nil {
		return busy()
	}
	return taken()
}

// failure reads the body of an /error callback.
func (cb *callback) failure() (fspiop.Failure, *connector.Reply) {
	f, ok := fspiop.ParseFailure(cb.r.Body)
	if !ok {
		return f, refuse(400, "3101", "the body is not an errorInformation")
	}
	return f, nil
}

// taken is the empty 200 of every callback that was taken.
func taken() *connector.Reply { return &connector.Reply{Status: 200} }

// refuse answers a callback that is not believed; nothing came of it.
func refuse(status int, code, description string) *connector.Reply {
	return &connector.Reply{
		Status:  status,
		Headers: map[string]string{"content-type": "application/json"},
		Body:    fspiop.Failure{Code: code, Description: description}.JSON(),
	}
}

// busy asks the hub to send the callback again.
func busy() *connector.Reply {
	r := refuse(503, "2003", "the callback cannot be taken now")
	r.Headers["retry-after"] = "1"
	return r
}

// shortly formats how long ago or ahead a time is, for a note.
func shortly(d time.Duration) string { return d.Round(time.Second).String() }
