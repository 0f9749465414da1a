package enginetest

import (
	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// act is something an operator may do to a running payment.
func (w *Workload) act(in *enginev1.Instance) engine.Result {
	actor := &enginev1.Actor{Name: "ada", Reason: "random"}
	token := func() uint32 {
		if len(in.Tokens) == 0 || w.rand.IntN(4) == 0 {
			return 0
		}
		return in.Tokens[w.rand.IntN(len(in.Tokens))].N
	}
	acts := 8
	if w.Swaps {
		acts++
	}
	switch w.rand.IntN(acts) {
	case 0:
		return w.Apply(&enginev1.Command{Verb: &enginev1.Command_CancelPayment{CancelPayment: &enginev1.CancelPayment{
			Payment: in.Payment, Actor: actor,
		}}})
	case 1:
		return w.Apply(&enginev1.Command{Verb: &enginev1.Command_CancelPayment{CancelPayment: &enginev1.CancelPayment{
			Payment: in.Payment, Compensate: true, Actor: actor,
		}}})
	case 2:
		return w.Apply(&enginev1.Command{Verb: &enginev1.Command_SetVariables{SetVariables: &enginev1.SetVariables{
			Payment: in.Payment, Token: token(), Variables: w.someVariables(""), Actor: actor,
		}}})
	case 3:
		if job := w.someJob(); job != nil {
			return w.Apply(&enginev1.Command{Verb: &enginev1.Command_RetryJob{RetryJob: &enginev1.RetryJob{
				Payment: job.Payment, Job: job.N, Retries: uint32(w.rand.IntN(3)), Actor: actor,
			}}})
		}
	case 4:
		return w.Apply(&enginev1.Command{Verb: &enginev1.Command_MigratePayment{MigratePayment: &enginev1.MigratePayment{
			Payment: in.Payment, FlowVersion: uint32(1 + w.rand.IntN(3)), Actor: actor,
		}}})
	case 5:
		return w.moveToken(in, token(), actor)
	case 6:
		return w.Apply(&enginev1.Command{Verb: &enginev1.Command_Broadcast{Broadcast: &enginev1.Broadcast{
			Tenant: "t", Name: w.rand.of(someSignals), Variables: w.someVariables(""), Actor: actor,
		}}})
	case 8:
		return w.swap(actor)
	}
	return w.userTask(actor)
}

// moveToken sends a token anywhere; what becomes of the payment then is not for the
// flow to say.
func (w *Workload) moveToken(in *enginev1.Instance, token uint32, actor *enginev1.Actor) engine.Result {
	element := "nowhere"
	if p := w.process(in.Flow, in.FlowVersion); p != nil {
		element = p.Elements[w.rand.IntN(len(p.Elements))].ID
	}
	res := w.Apply(&enginev1.Command{Verb: &enginev1.Command_MoveToken{MoveToken: &enginev1.MoveToken{
		Payment: in.Payment, Token: token, Element: element, Actor: actor,
	}}})
	if res.Reply.Kind != enginev1.EventKind_EVENT_KIND_REJECTED {
		w.moved[in.Payment] = true
	}
	return res
}

// userTask claims, changes or completes some user task.
func (w *Workload) userTask(actor *enginev1.Actor) engine.Result {
	task := &enginev1.UserTask{}
	if row := w.someRow(engine.TableUserTask); row != nil {
		task = row.(*enginev1.UserTask)
	}
	switch w.rand.IntN(4) {
	case 0:
		return w.Apply(&enginev1.Command{Verb: &enginev1.Command_ClaimUserTask{ClaimUserTask: &enginev1.ClaimUserTask{
			Payment: task.Payment, Task: task.N, Assignee: w.rand.of([]string{"", "ada", "bob"}), OnlyFree: w.rand.IntN(2) == 0, Actor: actor,
		}}})
	case 1:
		return w.Apply(&enginev1.Command{Verb: &enginev1.Command_UpdateUserTask{UpdateUserTask: &enginev1.UpdateUserTask{
			Payment: task.Payment, Task: task.N, Fields: []string{w.rand.of([]string{"priority", "candidate_groups", "due_ms", "nothing"})},
			Values: &enginev1.UserTask{Priority: uint32(w.rand.IntN(120)), CandidateGroups: []string{"desk"}, DueMs: w.nowMS}, Actor: actor,
		}}})
	}
	return w.Apply(&enginev1.Command{Verb: &enginev1.Command_CompleteUserTask{CompleteUserTask: &enginev1.CompleteUserTask{
		Payment: task.Payment, Task: task.N, Variables: w.someVariables(task.Element), Actor: actor,
	}}})
}
