package conformance

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/railhead-hub/railhead/sdk/host"
)

// Report is all that is known about a module after Examine.
type Report struct {
	Connector, Version, Kind string
	Digest                   string // hex SHA-256
	SizeBytes                int
	// FuelMax is how much a step may use.
	FuelMax  int64
	Verdicts []Verdict
	Costs    []Cost
}

// Cost is what a vector uses, measured with each step in a fresh instance, so that
// it is the same whenever and wherever it is run.
type Cost struct {
	Vector string
	Steps  int
	Fuel   int64 // of all steps
	// FuelDearest is that of the step which uses most.
	FuelDearest int64
	// MemoryBytes is the largest linear memory of an instance after a step.
	MemoryBytes uint32
}

// Failed are the verdicts of cases that failed.
func (r *Report) Failed() []Verdict {
	return slices.DeleteFunc(slices.Clone(r.Verdicts), func(v Verdict) bool { return v.Status != Failed })
}

// Count is how many cases ended so.
func (r *Report) Count(s Status) int {
	n := 0
	for _, v := range r.Verdicts {
		if v.Status == s {
			n++
		}
	}
	return n
}

// Dearest are the n vectors whose dearest steps use most fuel, in that order.
func (r *Report) Dearest(n int) []Cost {
	out := slices.Clone(r.Costs)
	slices.SortStableFunc(out, func(a, b Cost) int { return cmp.Compare(b.FuelDearest, a.FuelDearest) })
	return out[:min(n, len(out))]
}

// The groups of cases, in the order in which Examine comes to them. Between rules
// and engines come the cases of the connector's kind.
const (
	groupVector   = "vector"   // the conversation is the one in the file
	groupCrash    = "crash"    // so it is if every step has to be taken up by a fresh instance
	groupWarm     = "warm"     // and in an instance that has served all the other vectors
	groupShuffled = "shuffled" // and in one that serves them all at once
	groupPrefix   = "prefix"   // every prefix of its history asks for the same effects again
	groupRules    = "rules"    // what every connector must keep
	groupEngines  = "engines"  // compiler and interpreter agree, to the unit of fuel
)

// BrokenVector is why a case is not applicable to a vector that has failed in the
// first group.
const BrokenVector = "the vector itself fails"

// Examine runs a module's vectors in every way that the package comment names,
// in both engines, holds it to the rules, and runs the suite of its kind. done, if
// not nil, is told of each group when it is finished. The error is for what kept it
// from running at all, such as a module that the sandbox does not admit.
func Examine(ctx context.Context, module []byte, vectors []*Vector, done func(group string, verdicts []Verdict)) (*Report, error) {
	subject, opened, err := Open(ctx, module, host.Options{})
	if err != nil {
		return nil, err
	}
	defer opened.Close(context.WithoutCancel(ctx)) //nolint:errcheck // its instances are closed, and the error would be theirs
	m := opened.Manifest
	e := &examination{
		run: run{ctx: ctx, subject: subject}, vectors: vectors, done: done, broken: map[*Vector]bool{},
		report: &Report{Connector: m.Name, Version: m.Version, Kind: m.Kind, Digest: opened.Digest, SizeBytes: len(module), FuelMax: opened.FuelMax()},
	}
	for _, pass := range []struct {
		group string
		run   func([]*Vector) error
	}{
		{groupVector, e.run.plain}, {groupCrash, e.crash}, {groupWarm, e.run.warm},
		{groupShuffled, e.run.shuffled}, {groupPrefix, e.run.again},
	} {
		if err := e.pass(pass.group, pass.run); err != nil {
			return nil, err
		}
	}
	if err := e.rules(); err != nil {
		return nil, err
	}
	verdicts, err := Suite(ctx, subject, e.whole())
	if err != nil {
		return nil, err
	}
	e.finish(m.Kind, verdicts)
	return e.report, e.engines(module, opened)
}

type examination struct {
	run     run
	vectors []*Vector
	report  *Report
	done    func(string, []Verdict)
	broken  map[*Vector]bool // the vector itself fails
}

func (e *examination) finish(group string, verdicts []Verdict) {
	e.report.Verdicts = append(e.report.Verdicts, verdicts...)
	if e.done != nil {
		e.done(group, verdicts)
	}
}

// whole are the vectors that did not fail by themselves.
func (e *examination) whole() []*Vector {
	return slices.DeleteFunc(slices.Clone(e.vectors), func(v *Vector) bool { return e.broken[v] })
}

// pass runs one way of running vectors, and makes a verdict of each of them.
func (e *examination) pass(group string, run func([]*Vector) error) error {
	e.run.problems = nil
	if err := run(e.whole()); err != nil {
		return err
	}
	var verdicts []Verdict
	for _, v := range e.vectors {
		verdict := Verdict{Case: group + "/" + v.Name(), Status: Passed}
		if e.broken[v] {
			verdict.Status, verdict.Text = NotApplicable, BrokenVector
		}
		for _, p := range e.run.problems {
			if p.Where == v.Name() && verdict.Status == Passed {
				verdict.Status, verdict.Text = Failed, p.Text
			}
		}
		verdicts = append(verdicts, verdict)
	}
	if group == groupVector {
		for i, v := range e.vectors {
			e.broken[v] = verdicts[i].Status == Failed
		}
	}
	e.finish(group, verdicts)
	return nil
}

// crash gives each step an instance of its own, and measures it.
func (e *examination) crash(vectors []*Vector) error {
	for _, v := range vectors {
		cost := Cost{Vector: v.Name()}
		p := playing(v)
		for !p.done {
			if err := e.run.with(func(i Instance) error {
				p.next(&e.run, groupCrash, i)
				if m, ok := i.(meter); ok {
					fuel := m.FuelUsed()
					cost.Fuel += fuel
					cost.FuelDearest = max(cost.FuelDearest, fuel)
					cost.MemoryBytes = max(cost.MemoryBytes, m.MemoryBytes())
				}
				return nil
			}); err != nil {
				return err
			}
			cost.Steps++
		}
		e.report.Costs = append(e.report.Costs, cost)
	}
	return nil
}

// meter is an instance that counts what its last step used.
type meter interface {
	FuelUsed() int64
	MemoryBytes() uint32
}

func (e *examination) rules() error {
	e.run.problems = nil
	if err := e.run.rules(e.whole(), e.vectors); err != nil {
		return err
	}
	var verdicts []Verdict
	for i := range Rules {
		rule := &Rules[i]
		verdict := Verdict{Case: groupRules + "/" + rule.Name, Status: Passed}
		if !rule.isFor(e.report.Kind) {
			verdict.Status, verdict.Text = NotApplicable, "it is not for connectors of kind "+e.report.Kind
		}
		if rule.Name == "covered" && len(e.vectors) == 0 {
			verdict.Status, verdict.Text = NotApplicable, "there are no vectors"
			verdicts = append(verdicts, verdict)
			continue
		}
		for _, p := range e.run.problems {
			if p.What != rule.Name {
				continue
			}
			if verdict.Status = Failed; verdict.Text != "" {
				verdict.Text += "\n"
			}
			verdict.Text += p.Where + ": " + p.Text
		}
		verdicts = append(verdicts, verdict)
	}
	e.finish(groupRules, verdicts)
	return nil
}

// engines runs the vectors one after the other in one instance of each engine. The
// replies, the fuel and the memory must be the same at every step.
func (e *examination) engines(module []byte, compiled *host.Module) error {
	interpreted, err := host.Open(e.run.ctx, module, host.Options{Interpreter: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer interpreted.Close(context.WithoutCancel(e.run.ctx)) //nolint:errcheck // as in Examine
	a, err := steps(e.run.ctx, Module(compiled), e.whole())
	if err != nil {
		return err
	}
	b, err := steps(e.run.ctx, Module(interpreted), e.whole())
	if err != nil {
		return err
	}
	e.finish(groupEngines, e.agreement(a, b))
	return nil
}

// agreement compares what two engines did.
func (e *examination) agreement(a, b map[*Vector][]taken) []Verdict {
	var verdicts []Verdict
	for _, v := range e.vectors {
		verdict := Verdict{Case: groupEngines + "/" + v.Name(), Status: Passed}
		switch {
		case e.broken[v]:
			verdict.Status, verdict.Text = NotApplicable, BrokenVector
		case !slices.Equal(a[v], b[v]):
			verdict.Status, verdict.Text = Failed, "compiler and interpreter do not agree:\n"+disagreement(a[v], b[v])
		}
		verdicts = append(verdicts, verdict)
	}
	return verdicts
}

// taken is one step, as an engine took it.
type taken struct {
	reply  string
	fuel   int64
	memory uint32
}

func steps(ctx context.Context, subject Subject, vectors []*Vector) (map[*Vector][]taken, error) {
	out := map[*Vector][]taken{}
	r := &run{ctx: ctx, subject: subject}
	return out, r.with(func(i Instance) error {
		m := i.(meter) //nolint:forcetypeassert // it is an instance of a module
		for _, v := range vectors {
			for p := playing(v); !p.done; {
				p.next(r, groupEngines, i)
				out[v] = append(out[v], taken{Render(p.last), m.FuelUsed(), m.MemoryBytes()})
			}
		}
		return nil
	})
}

func disagreement(a, b []taken) string {
	for n := range min(len(a), len(b)) {
		if a[n] != b[n] {
			return fmt.Sprintf("step %d: the compiler used %d fuel and %d bytes, the interpreter %d and %d\n%s",
				n+1, a[n].fuel, a[n].memory, b[n].fuel, b[n].memory, difference(a[n].reply, b[n].reply))
		}
	}
	return fmt.Sprintf("the compiler took %d steps, the interpreter %d", len(a), len(b))
}
