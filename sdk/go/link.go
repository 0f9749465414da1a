package connector

import "time"

// Link serves one of the manifest's TCP links. The host opens it, on one node at a
// time, frames what goes over it and opens it again when it breaks; the connector
// reads and writes frames.
type Link struct {
	// Key says which frame a frame that came in answers: it returns the match key that
	// the other one was sent with, or "" where it answers nothing. It may use no
	// effects. Nil: no frame answers another.
	//
	// Build the key of what tells requests apart on that network and comes back in the
	// answer, and never use it again while a late answer may still come.
	Key func(c *Context, data []byte) string
	// Frame takes a frame that answers nothing that is still waited for, and what
	// happens to the link. What it returns is sent, in order. So it signs on when the
	// link has opened, tests the line when it is idle, answers requests of the other
	// side, and publishes answers that come too late for a RoundTrip.
	//
	// Frames are worked on side by side, and one that fails is dropped; a panic here
	// costs no more than the frame. It may use the effects that a Request may use.
	Frame func(c *Context, f *Frame) [][]byte
}

// LinkEvent is what a Frame tells.
type LinkEvent int

// The events of a link.
const (
	FrameCame  LinkEvent = 0 // Data came in
	LinkOpened LinkEvent = 1 // the link is connected anew; what is returned goes out first
	LinkIdle   LinkEvent = 2 // nothing came for the link's idle_ms
)

// Frame is what came over a link, or what happened to it.
type Frame struct {
	Link  string // the manifest's name of it
	Event LinkEvent
	Data  []byte // without its framing
}

func (c *Context) frame(message string) *Frame {
	r := &Frame{}
	f := fields{in: message}
	for f.next() {
		switch f.number {
		case 1:
			r.Link = f.text()
		case 2:
			r.Data = pieces.bytes(f.text())
		case 3:
			r.Event = LinkEvent(f.uint())
		}
	}
	return r
}

// onFrame calls the handler of a frame.
func (c *Context) onFrame(served *Connector, message string) Outcome {
	f := c.frame(message)
	out := Outcome{kind: outcomeFrames}
	if handler := served.Links[f.Link].Frame; handler != nil {
		for _, data := range handler(c, f) {
			out.variables.always(1, string(data))
		}
	}
	return out
}

// onFrameKey calls the handler of a frame's key.
func (c *Context) onFrameKey(served *Connector, message string) Outcome {
	f := c.frame(message)
	out := Outcome{kind: outcomeMatchKey}
	if handler := served.Links[f.Link].Key; handler != nil {
		out.variables.text(1, handler(c, f.Data))
	}
	return out
}

// RoundTrip is a frame that another one answers.
type RoundTrip struct {
	Link string
	Data []byte
	// MatchKey is what Link.Key returns for the answer.
	MatchKey string
	// Timeout is rounded up to milliseconds; zero means the link's own.
	Timeout time.Duration
	// Key makes this a money effect, see HTTP; Terms are then required. The host
	// cannot read what an answer means: a money effect that was answered stays in
	// doubt until Settle says whether it was done.
	Key   string
	Terms *Terms
}

// RoundTrip sends a frame and returns the data of the one that answers it. The error
// is *InDoubt, when none did in time, or *Failure, when the frame was certainly not
// sent. Only a job may use it.
func (c *Context) RoundTrip(call RoundTrip) ([]byte, error) {
	w, q := c.begin(effectRoundTrip)
	w.text(1, call.Link)
	w.bytes(2, call.Data)
	w.text(3, call.MatchKey)
	w.uint(4, millis(call.Timeout))
	w.text(5, call.Key)
	call.Terms.encode(w, 6)
	answer, there := c.ask(q)
	if !there {
		panic(unwind{})
	}
	if answer.kind == answerNone {
		return nil, &InDoubt{Reason: answerLost}
	}
	if err := answer.is(answerBytes); err != nil {
		return nil, err
	}
	data := []byte{}
	f := fields{in: answer.message}
	for f.next() {
		if f.number == 1 {
			data = pieces.bytes(f.text())
		}
	}
	return data, nil
}

// Send sends a frame that nothing answers. Without an error it was written to the
// link, which does not say that it arrived. Only a job may use it.
func (c *Context) Send(link string, data []byte) error {
	w, q := c.begin(effectSend)
	w.text(1, link)
	w.bytes(2, data)
	answer, there := c.ask(q)
	if !there {
		panic(unwind{})
	}
	return answer.is(answerDone)
}

// Forward is a frame that has to arrive, however long that takes.
type Forward struct {
	Link string
	// Key is what Link.Key returns for the frame that acknowledges it.
	Key  string
	Data []byte
	// Until is when it is parked for a person if nothing has acknowledged it; zero:
	// three days from now.
	Until time.Time
}

// Forward puts a frame at the end of the link's queue, which is durable: when it
// returns without an error the frame will be sent, after those before it in the queue
// and again and again, until a frame with its key acknowledges it. The other side may
// get it more than once. Only a job may use it.
func (c *Context) Forward(f Forward) error {
	w, q := c.begin(effectForward)
	w.text(1, f.Link)
	w.text(2, f.Key)
	w.bytes(3, f.Data)
	if !f.Until.IsZero() {
		w.uint(4, uint64(f.Until.UnixMilli()))
	}
	answer, there := c.ask(q)
	if !there {
		panic(unwind{})
	}
	return answer.is(answerDone)
}
