package enginetest

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// Simulation is one random history of one random set of flows.
type Simulation struct {
	Seed  uint64
	Steps int // random commands; those that drain come on top
	Shape Shape
	// Seen counts events by kind, Incidents those opened by code.
	Seen      map[enginev1.EventKind]int
	Incidents map[string]int

	chance     *dice // apart from the history's, which crashes must not change
	workload   *Workload
	primary    *Frozen
	follower   engine.Tx
	followers  *engine.Engine
	applied    int // log entries the follower has
	checkpoint Image
	logged     int // log entries the checkpoint has
	lastSeq    map[uint64]uint32
}

// Run carries out the history. After every command the rows agree with each other,
// none was changed after it was put, the events of every payment are numbered
// without a gap, and a second replica, which gets the commands through their codec,
// has the same state hash. At random the node crashes and comes back from its last
// checkpoint and the log, and the replica takes a snapshot. In the end everything
// is drained.
func (s *Simulation) Run() (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	chance := dice(s.Seed ^ 0x5eed)
	s.chance, s.lastSeq = &chance, make(map[uint64]uint32)
	if s.Seen == nil {
		s.Seen, s.Incidents = make(map[enginev1.EventKind]int), make(map[string]int)
	}
	s.primary, s.follower, s.followers = NewFrozen(), NewMemTx(), engine.New()
	s.workload = NewRandomWorkload(s.primary, s.Seed, s.Shape)
	for i := range s.Steps {
		if err := s.after(s.workload.Step()); err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
	}
	if err := s.workload.Drain(s.after); err != nil {
		return fmt.Errorf("at the end: %w", err)
	}
	return nil
}

func (s *Simulation) after(res engine.Result) error {
	if err := s.events(res); err != nil {
		return err
	}
	if err := Check(s.primary); err != nil {
		return err
	}
	if err := s.primary.Changed(); err != nil {
		return err
	}
	log := s.workload.Log()
	if err := s.replay(s.followers, s.follower, log[s.applied:]); err != nil {
		return err
	}
	s.applied = len(log)
	image := TakeImage(s.primary)
	if image.Hash() != TakeImage(s.follower).Hash() {
		return fmt.Errorf("the replica has reached another state")
	}
	switch s.chance.IntN(30) {
	case 0:
		s.checkpoint, s.logged = image, len(log)
	case 1:
		return s.crash(image)
	case 2: // the replica falls behind and is sent a snapshot
		s.follower, s.followers = NewMemTx(), engine.New()
		return image.Load(s.follower)
	case 3:
		s.followers = engine.New()
	}
	return nil
}

// crash loses the node's memory; it comes back from its checkpoint and the log.
func (s *Simulation) crash(before Image) error {
	again := NewFrozen()
	if err := s.checkpoint.Load(again); err != nil {
		return err
	}
	e := engine.New()
	if err := s.replay(e, again, s.workload.Log()[s.logged:]); err != nil {
		return err
	}
	if TakeImage(again).Hash() != before.Hash() {
		return fmt.Errorf("after a crash, checkpoint and log give another state")
	}
	s.primary = again
	s.workload.Tx, s.workload.Engine = again, e
	return nil
}

func (s *Simulation) replay(e *engine.Engine, tx engine.Tx, log []Logged) error {
	for _, l := range log {
		b, err := l.Command.MarshalVTStrict()
		if err != nil {
			return err
		}
		cmd := &enginev1.Command{}
		if err := cmd.UnmarshalVT(b); err != nil {
			return err
		}
		if again, err := cmd.MarshalVTStrict(); err != nil || !bytes.Equal(b, again) {
			return fmt.Errorf("a command comes back from the log as other bytes: %v", cmd)
		}
		e.Apply(tx, l.Stamp, cmd)
	}
	return nil
}

func (s *Simulation) events(res engine.Result) error {
	if res.Reply.Code == engine.CodeInternal {
		return fmt.Errorf("the engine failed: %s", res.Reply.Text)
	}
	for _, ev := range res.Events {
		s.Seen[ev.Kind]++
		if ev.Kind == enginev1.EventKind_EVENT_KIND_INCIDENT_OPENED {
			s.Incidents[ev.Code]++
			if ev.Code == engine.IncidentQuarantined {
				return fmt.Errorf("payment %x was quarantined: %s", ev.Payment, ev.Text)
			}
		}
		if ev.Payment == 0 || ev.Seq == 0 {
			continue
		}
		if ev.Seq != s.lastSeq[ev.Payment]+1 {
			return fmt.Errorf("payment %x has event %d after %d", ev.Payment, ev.Seq, s.lastSeq[ev.Payment])
		}
		s.lastSeq[ev.Payment] = ev.Seq
	}
	return nil
}

// Shrink finds a smaller simulation of the same seed that fails, and its error: fewer
// elements first, then fewer steps.
func (s *Simulation) Shrink(failure error) (*Simulation, error) {
	smallest := &Simulation{Seed: s.Seed, Steps: s.Steps, Shape: s.Shape}
	try := func(steps, elements int) bool {
		smaller := &Simulation{Seed: s.Seed, Steps: steps, Shape: smallest.Shape}
		smaller.Shape.Elements = elements
		err := smaller.Run()
		if err != nil {
			smallest, failure = smaller, err
		}
		return err != nil
	}
	for elements := range smallest.Shape.Elements {
		if try(s.Steps, elements) {
			break
		}
	}
	for smallest.Steps > 0 && slices.ContainsFunc([]int{2, 3, 4, 10}, func(part int) bool {
		return try(smallest.Steps*(part-1)/part, smallest.Shape.Elements)
	}) {
	}
	return smallest, failure
}
