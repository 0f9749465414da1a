package enginetest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// operator acts in scripts and workloads.
var operator = &enginev1.Actor{Name: "script", Reason: "test"}

// actor reads who acts and why: actor=ada reason=because, unless the line says
// anonymous (nobody) or unexplained (no reason).
func actor(d *datadriven.TestData) *enginev1.Actor {
	if d.HasArg("anonymous") {
		return nil
	}
	by := &enginev1.Actor{Name: operator.Name, Reason: operator.Reason}
	if d.HasArg("actor") {
		by.Name = arg(d, "actor")
	}
	if d.HasArg("reason") {
		by.Reason = arg(d, "reason")
	}
	if d.HasArg("unexplained") {
		by.Reason = ""
	}
	return by
}

// act carries out a script's verb of an operator or of a person with a user task;
// nil: there is no such verb.
func (e *Env) act(t *testing.T, d *datadriven.TestData) *enginev1.Command {
	payment := e.payment(arg(d, "payment"))
	number := func(name string) uint32 { return uint32(integer(t, d, name)) }
	switch d.Cmd {
	case "set":
		// Sets variables of a payment, or as a token sees them; the input is a JSON object.
		// Example: set payment=p1 token=2
		return &enginev1.Command{Verb: &enginev1.Command_SetVariables{SetVariables: &enginev1.SetVariables{
			Payment: payment, Token: number("token"), Variables: variables(t, d), Actor: actor(d),
		}}}
	case "retry":
		// Gives a waiting job a new attempt now.
		// Example: retry payment=p1 job=3 retries=2
		return &enginev1.Command{Verb: &enginev1.Command_RetryJob{RetryJob: &enginev1.RetryJob{
			Payment: payment, Job: number("job"), Retries: number("retries"), Actor: actor(d),
		}}}
	case "move":
		// Moves a token to another element.
		// Example: move payment=p1 token=2 to=done
		return &enginev1.Command{Verb: &enginev1.Command_MoveToken{MoveToken: &enginev1.MoveToken{
			Payment: payment, Token: number("token"), Element: arg(d, "to"), Actor: actor(d),
		}}}
	case "migrate":
		// Lets a payment go on in another version of its flow.
		// Example: migrate payment=p1 version=2 map=(work,labour) map=(wait,pause)
		migrate := &enginev1.MigratePayment{Payment: payment, FlowVersion: number("version"), Actor: actor(d)}
		for _, a := range d.CmdArgs {
			if a.Key == "map" {
				migrate.Mappings = append(migrate.Mappings, &enginev1.ElementMapping{From: a.Vals[0], To: a.Vals[1]})
			}
		}
		return &enginev1.Command{Verb: &enginev1.Command_MigratePayment{MigratePayment: migrate}}
	case "claim":
		// Gives a user task to somebody, or back.
		// Example: claim payment=p1 task=4 by=ada free
		return &enginev1.Command{Verb: &enginev1.Command_ClaimUserTask{ClaimUserTask: &enginev1.ClaimUserTask{
			Payment: payment, Task: number("task"), Assignee: arg(d, "by"), OnlyFree: d.HasArg("free"), Actor: actor(d),
		}}}
	case "update-task":
		// Changes attributes of a user task; every attribute given is one of the fields.
		// Example: update-task payment=p1 task=4 priority=90 candidate_groups=(cash,night) due_ms=5
		values := &enginev1.UserTask{
			DueMs: int64(integer(t, d, "due_ms")), FollowUpMs: int64(integer(t, d, "follow_up_ms")), Priority: number("priority"),
		}
		update := &enginev1.UpdateUserTask{Payment: payment, Task: number("task"), Values: values, Actor: actor(d)}
		for _, a := range d.CmdArgs {
			switch a.Key {
			case "payment", "task", "actor", "reason", "anonymous", "unexplained":
				continue
			case "candidate_groups":
				values.CandidateGroups = a.Vals
			case "candidate_users":
				values.CandidateUsers = a.Vals
			}
			update.Fields = append(update.Fields, a.Key)
		}
		return &enginev1.Command{Verb: &enginev1.Command_UpdateUserTask{UpdateUserTask: update}}
	case "complete-task":
		// Completes a user task; the input is a JSON object of variables.
		// Example: complete-task payment=p1 task=4
		return &enginev1.Command{Verb: &enginev1.Command_CompleteUserTask{CompleteUserTask: &enginev1.CompleteUserTask{
			Payment: payment, Task: number("task"), Variables: variables(t, d), Actor: actor(d),
		}}}
	}
	return nil
}

// task shows a user task.
func (e *Env) task(payment uint64, n int) string {
	row, found := e.Tx.Get(engine.Key{Table: engine.TableUserTask, A: payment, B: uint64(n)})
	if !found {
		return "none"
	}
	task := row.(*enginev1.UserTask)
	var b strings.Builder
	fmt.Fprintf(&b, "%s at %s", task.Name, task.Element)
	if task.Assignee != "" {
		fmt.Fprintf(&b, " with %s", task.Assignee)
	}
	fmt.Fprintf(&b, " for groups %v users %v priority %d", task.CandidateGroups, task.CandidateUsers, task.Priority)
	if task.FormKey != "" {
		fmt.Fprintf(&b, " form %s", task.FormKey)
	}
	if task.DueMs != 0 {
		fmt.Fprintf(&b, " due +%gs", float64(task.DueMs-startMS)/1000)
	}
	if task.FollowUpMs != 0 {
		fmt.Fprintf(&b, " follow up +%gs", float64(task.FollowUpMs-startMS)/1000)
	}
	return b.String()
}

// incident shows what an incident says may be done.
func (e *Env) incident(payment uint64, n int) string {
	row, found := e.Tx.Get(engine.Key{Table: engine.TableIncident, A: payment, B: uint64(n)})
	if !found {
		return "none"
	}
	return strings.Join(engine.New().Repairs(e.Tx, row.(*enginev1.Incident)), "\n")
}
