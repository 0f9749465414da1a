package enginetest

import (
	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// jobCommand is something a connector or a leader may say about a job.
func (w *Workload) jobCommand(job *enginev1.Job) engine.Result {
	o := &enginev1.Origin{
		Payment: job.Payment, Job: job.N, Attempt: job.Attempt, Epoch: w.epoch,
		Ordinal: uint32(len(job.History)) + 1, Digest: 1,
	}
	if w.rand.IntN(20) == 0 {
		o.Epoch--
	}
	keys := []string{"", "hold", "book"}
	states := []enginev1.EffectState{
		enginev1.EffectState_EFFECT_STATE_OPEN, enginev1.EffectState_EFFECT_STATE_DONE, enginev1.EffectState_EFFECT_STATE_REFUSED,
	}
	switch n := w.rand.IntN(23); {
	case n >= 22:
		return w.Apply(&enginev1.Command{Verb: &enginev1.Command_Checkpoint{Checkpoint: &enginev1.Checkpoint{State: []byte("s"), Origin: o}}})
	case n >= 21:
		return w.Apply(&enginev1.Command{Verb: &enginev1.Command_Emit{Emit: &enginev1.Emit{Name: "seen", Json: []byte("1"), Origin: o}}})
	case n >= 20 && w.forwards.IntN(2) == 0:
		return w.Apply(&enginev1.Command{Verb: &enginev1.Command_Forward{Forward: w.someForward(o)}})
	case n >= 20:
		return w.Apply(&enginev1.Command{Verb: &enginev1.Command_Sequence{Sequence: &enginev1.Sequence{Name: "stan", Origin: o}}})
	case n < 4:
		return w.Apply(&enginev1.Command{Verb: &enginev1.Command_Intend{Intend: &enginev1.Intend{
			Origin: o, Key: keys[w.rand.IntN(3)], Terms: []byte{byte(w.rand.IntN(2))}, Request: []byte("r"),
		}}})
	case n < 7:
		o.Ordinal = uint32(len(job.History))
		return w.Apply(&enginev1.Command{Verb: &enginev1.Command_Answer{Answer: &enginev1.Answer{
			Origin: o, Answer: []byte("a"), State: states[w.rand.IntN(3)],
		}}})
	case n < 8:
		return w.Apply(&enginev1.Command{Verb: &enginev1.Command_Publish{Publish: w.someMessage(o)}})
	case n < 9:
		return w.Apply(&enginev1.Command{Verb: &enginev1.Command_Sleep{Sleep: &enginev1.Sleep{DurationMs: 5000, Origin: o}}})
	case n < 10:
		s := w.someStart()
		s.Origin = o
		return w.Apply(&enginev1.Command{Verb: &enginev1.Command_StartPayment{StartPayment: s}})
	}
	c := &enginev1.FinishJob{Origin: o}
	switch n := w.rand.IntN(10); {
	case n < 6:
		c.Outcome = &enginev1.FinishJob_Complete{Complete: &enginev1.Complete{Variables: w.someVariables(job.Element)}}
	case n < 8:
		c.Outcome = &enginev1.FinishJob_Fail{Fail: &enginev1.Fail{
			Retryable: w.rand.IntN(3) > 0, BackoffMs: int64(w.rand.IntN(2)) * 1000, Reason: "random",
		}}
	case n < 9:
		c.Outcome = &enginev1.FinishJob_BpmnError{BpmnError: &enginev1.BpmnError{
			Code: w.rand.of([]string{"E", "E1", "E2"}), Variables: w.someVariables(job.Element),
		}}
	default:
		c.Outcome = &enginev1.FinishJob_Doubt{Doubt: &enginev1.Doubt{Key: "hold", Reason: "random"}}
	}
	if w.rand.IntN(3) == 0 {
		c.Settlements = append(c.Settlements, &enginev1.Settlement{Key: "hold", State: states[w.rand.IntN(3)]})
	}
	return w.Apply(&enginev1.Command{Verb: &enginev1.Command_FinishJob{FinishJob: c}})
}
