package conformance

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/railhead-hub/railhead/sdk/abi"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// Problem is one way in which a connector is not as it should be.
type Problem struct {
	// Where is a vector's name, or what was probed.
	Where string
	// What broke: cold, warm, shuffled, again, or the name of a rule.
	What string
	Text string
}

func (p Problem) String() string { return p.Where + ": " + p.What + ": " + p.Text }

// Check runs the vectors in every way that the package comment names, and holds
// the connector to the rules. The error is for what kept it from running at all.
func Check(ctx context.Context, subject Subject, vectors []*Vector) ([]Problem, error) {
	r := &run{ctx: ctx, subject: subject}
	for _, pass := range []func([]*Vector) error{r.cold, r.warm, r.shuffled, r.again} {
		if err := pass(vectors); err != nil {
			return nil, err
		}
		if len(r.problems) > 0 {
			return r.problems, nil // the later passes would only say it again
		}
	}
	if err := r.rules(vectors, vectors); err != nil {
		return nil, err
	}
	return r.problems, nil
}

type run struct {
	ctx      context.Context
	subject  Subject
	problems []Problem
	// observed is what a cold run saw, by block.
	observed map[*block]string
}

func (r *run) problemf(where, what, format string, args ...any) {
	r.problems = append(r.problems, Problem{where, what, fmt.Sprintf(format, args...)})
}

// with runs f in an instance of its own.
func (r *run) with(f func(Instance) error) error {
	instance, err := r.subject.Open(r.ctx)
	if err != nil {
		return fmt.Errorf("conformance: opening an instance: %w", err)
	}
	err = f(instance)
	if errClose := instance.Close(r.ctx); err == nil && errClose != nil {
		err = fmt.Errorf("conformance: closing an instance: %w", errClose)
	}
	return err
}

// plain gives each vector an instance of its own.
func (r *run) plain(vectors []*Vector) error {
	for _, v := range vectors {
		if err := r.with(func(i Instance) error {
			for p := playing(v); !p.done; {
				p.next(r, "plain", i)
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// cold gives each step an instance of its own.
func (r *run) cold(vectors []*Vector) error {
	r.observed = map[*block]string{}
	for _, v := range vectors {
		p := playing(v)
		for !p.done {
			if err := r.with(func(i Instance) error { p.next(r, "cold", i); return nil }); err != nil {
				return err
			}
		}
	}
	return nil
}

// warm runs one vector after the other in one instance, twice, since state may
// leak from the last into the first.
func (r *run) warm(vectors []*Vector) error {
	return r.with(func(i Instance) error {
		r.inTurn(i, vectors)
		r.inTurn(i, vectors)
		return nil
	})
}

func (r *run) inTurn(i Instance, vectors []*Vector) {
	for _, v := range vectors {
		for p := playing(v); !p.done; {
			p.next(r, "warm", i)
		}
	}
}

// shuffled interleaves the steps of all vectors.
func (r *run) shuffled(vectors []*Vector) error {
	return r.with(func(i Instance) error {
		random := rand.New(rand.NewPCG(1, 2))
		var open []*play
		for _, v := range vectors {
			open = append(open, playing(v))
		}
		for len(open) > 0 {
			n := random.IntN(len(open))
			if open[n].next(r, "shuffled", i); open[n].done {
				open = append(open[:n], open[n+1:]...)
			}
		}
		return nil
	})
}

// again replays each vector's histories, the longest first, as a new leader may
// take up any of them: also those in which only some of the effects that were asked
// for together are answered, after which the rest is asked for.
func (r *run) again(vectors []*Vector) error {
	return r.with(func(i Instance) error {
		for _, v := range vectors {
			p := playing(v)
			var requests []*sdkv1.StepRequest
			for !p.done {
				p.next(r, "again", i)
				requests = append(requests, p.snapshot())
			}
			for n, request := range slices.Backward(requests) {
				reply, err := i.Step(r.ctx, request)
				if err != nil {
					r.problemf(v.Name(), "again", "%v", err)
					break
				}
				if got := Render(reply); got != v.blocks[n].want() {
					r.problemf(v.Name(), "again", "replayed after a longer history, it differs\n%s", difference(v.blocks[n].want(), got))
				}
				if n+1 < len(v.blocks) {
					r.partly(v, i, request, reply, v.blocks[n+1].answers)
				}
			}
		}
		return nil
	})
}

// partly answers only the first of the effects that were asked for together.
func (r *run) partly(v *Vector, i Instance, request *sdkv1.StepRequest, reply *sdkv1.StepReply, answers []timedAnswer) {
	for n := 1; n < min(len(reply.Effects), len(answers)); n++ {
		c := begin(request)
		c.request.History, c.request.State = slices.Clone(request.History), request.State
		c.pending = reply.Effects
		for _, a := range answers[:n] {
			c.answer(a)
		}
		want := Render(&sdkv1.StepReply{Effects: reply.Effects[n:]})
		if err := c.step(r.ctx, i); err != nil {
			r.problemf(v.Name(), "again", "with %d of %d effects answered: %v", n, len(reply.Effects), err)
		} else if got := Render(c.last); got != want {
			r.problemf(v.Name(), "again", "with %d of %d effects answered, it differs\n%s", n, len(reply.Effects), difference(want, got))
		}
	}
}

// play is a vector being run.
type play struct {
	*conversation
	vector *Vector
	block  int
	done   bool
}

func playing(v *Vector) *play { return &play{conversation: begin(v.request), vector: v} }

// next runs one step and compares it with the file. A problem ends the play.
func (p *play) next(r *run, pass string, instance Instance) {
	fail := func(format string, args ...any) {
		r.problemf(p.vector.Name(), pass, format, args...)
		p.done = true
	}
	b := p.vector.blocks[p.block]
	if p.block > 0 {
		if len(b.answers) != len(p.pending) {
			fail("line %d: %s to %s", b.line, count(len(b.answers), "answer"), count(len(p.pending), "effect"))
			return
		}
		for _, a := range b.answers {
			p.answer(a)
		}
	}
	if err := p.step(r.ctx, instance); err != nil {
		fail("line %d: %v", b.line, err)
		return
	}
	got := Render(p.last)
	if pass == "cold" {
		r.observed[b] = got
	}
	if got != b.want() {
		r.problemf(p.vector.Name(), pass, "line %d:\n%s", b.line, difference(b.want(), got))
		p.done = pass != "cold" // a cold run goes on, so that all of it can be rewritten
	}
	p.block++
	switch more := p.block < len(p.vector.blocks); {
	case p.ended():
		if more {
			fail("line %d: the connector has ended before this answer", p.vector.blocks[p.block].line)
		}
		p.done = true
	case !more:
		fail("line %d: it asks, and the vector has no answer: write one below, after an empty line, with dashes of its own\n%s", b.line, got)
	case len(p.request.History) > abi.StepsMax:
		fail("more than %d steps without a checkpoint", abi.StepsMax)
	}
}

// snapshot is the request of the step just run.
func (p *play) snapshot() *sdkv1.StepRequest {
	r := *p.request
	return &r
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// difference shows two texts, line by line: those that both have, those that only
// the first has (-), and those that only the second has (+).
func difference(want, got string) string {
	var out []string
	rest := lines(got)
	for _, line := range lines(want) {
		at := slices.Index(rest, line)
		if at < 0 {
			out = append(out, "- "+line)
			continue
		}
		for _, more := range rest[:at] {
			out = append(out, "+ "+more)
		}
		out = append(out, "  "+line)
		rest = rest[at+1:]
	}
	for _, more := range rest {
		out = append(out, "+ "+more)
	}
	return strings.Join(out, "\n")
}

func lines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}
