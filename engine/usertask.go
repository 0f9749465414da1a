package engine

import (
	"slices"
	"strings"

	"github.com/railhead-hub/railhead/engine/bpmn"
	"github.com/railhead-hub/railhead/engine/feel"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// A user task is work for a person: a row from the moment a token enters the task
// until somebody completes it or it is taken away. Who may claim or complete it is
// for the doors to decide; the engine keeps who has it and tells who did what.

func userTaskKey(payment uint64, n uint32) Key {
	return Key{Table: TableUserTask, A: payment, B: uint64(n)}
}

// The fields that UpdateUserTask changes.
const (
	fieldGroups   = "candidate_groups"
	fieldUsers    = "candidate_users"
	fieldDue      = "due_ms"
	fieldFollowUp = "follow_up_ms"
	fieldPriority = "priority"
)

const defaultPriority = 50

// createUserTask gives a token that has entered a user task its row. What the model
// says of it is worked out now; what cannot be is an incident.
func (p *payment) createUserTask(f *flow, token *enginev1.Token) {
	el := &f.process.Elements[token.Element]
	task := &enginev1.UserTask{
		Payment: p.row.Payment, Token: token.N, Element: el.ID, Name: el.Name, Tenant: p.row.Tenant,
		Priority: defaultPriority, CreatedMs: p.a.stamp.TimeMS,
	}
	if what, wrong := describeTask(task, el.User, p.see(token.Scope)); wrong != "" {
		p.openIncident(token, IncidentExpression, "The "+what+" of "+quote(el.ID)+" did not evaluate to "+wrong+".")
		return
	}
	task.Headers = f.headers[el.Index]
	task.N = p.nextN()
	token.UserTask = task.N
	p.a.put(userTaskKey(task.Payment, task.N), task)
	created := p.tell(taskEvent(enginev1.EventKind_EVENT_KIND_USER_TASK_CREATED, task))
	created.Type, created.DueMs = task.FormKey, task.DueMs
}

// describeTask works out who a task is for and by when. What could not be worked out
// is named, with what it should have been.
func describeTask(task *enginev1.UserTask, user *bpmn.User, in feel.Scope) (what, wrong string) {
	if user == nil {
		return "", ""
	}
	for _, text := range []struct {
		what string
		from bpmn.Text
		to   *string
	}{{"assignee", user.Assignee, &task.Assignee}, {"form key", user.FormKey, &task.FormKey}} {
		var ok bool
		if *text.to, ok = optionalText(text.from, in); !ok {
			return text.what, "a text of at most 2,000 bytes"
		}
	}
	for _, list := range []struct {
		what string
		from bpmn.Text
		to   *[]string
	}{{"candidate groups", user.CandidateGroups, &task.CandidateGroups}, {"candidate users", user.CandidateUsers, &task.CandidateUsers}} {
		var ok bool
		if *list.to, ok = names(list.from, in); !ok {
			return list.what, "a list of at most 100 names"
		}
	}
	for _, date := range []struct {
		what string
		from bpmn.Text
		to   *int64
	}{{"due date", user.DueDate, &task.DueMs}, {"follow-up date", user.FollowUpDate, &task.FollowUpMs}} {
		if !date.from.IsSet() {
			continue
		}
		value := date.from.Value(in)
		if value.Kind() == feel.KindNull {
			continue
		}
		at, ok := feel.InstantOf(value)
		if !ok {
			return date.what, "a date and time"
		}
		*date.to = max(at, 1) // 0 is none
	}
	if user.Priority.IsSet() {
		value := user.Priority.Value(in)
		if text, isText := value.Text(); isText {
			value, _ = feel.FromJSON([]byte(text))
		}
		n, ok := value.Int64()
		if !ok || n < 0 || n > 100 {
			return "priority", "a number from 0 to 100"
		}
		task.Priority = uint32(n)
	}
	return "", ""
}

// optionalText is a text that may be left out: null counts as empty.
func optionalText(t bpmn.Text, in feel.Scope) (string, bool) {
	if !t.IsSet() {
		return "", true
	}
	value := t.Value(in)
	if value.Kind() == feel.KindNull {
		return "", true
	}
	s, ok := value.Text()
	return s, ok && len(s) <= limitNames
}

// names reads a list of texts, or a text with commas.
func names(t bpmn.Text, in feel.Scope) ([]string, bool) {
	if !t.IsSet() {
		return nil, true
	}
	value := t.Value(in)
	var found []string
	switch value.Kind() {
	case feel.KindNull:
	case feel.KindString:
		text, _ := value.Text()
		found = strings.Split(text, ",")
	case feel.KindList:
		for _, item := range value.Items() {
			name, ok := item.Text()
			if !ok {
				return nil, false
			}
			found = append(found, name)
		}
	default:
		return nil, false
	}
	return cleanNames(found)
}

// cleanNames trims names and drops empty and repeated ones; false: there are too
// many, or they are too long.
func cleanNames(found []string) ([]string, bool) {
	var out []string
	for _, name := range found {
		name = strings.TrimSpace(name)
		if len(name) > limitTaskName {
			return nil, false
		}
		if name != "" && !slices.Contains(out, name) {
			if len(out) == limitCandidates {
				return nil, false
			}
			out = append(out, name)
		}
	}
	return out, true
}

func taskEvent(kind enginev1.EventKind, task *enginev1.UserTask) *enginev1.Event {
	return &enginev1.Event{
		Kind: kind, Element: task.Element, Name: task.Name, Token: task.Token, Number: task.N, Key: task.Assignee,
	}
}

// cancelUserTask takes the task away from a token whose element is left without it.
func (p *payment) cancelUserTask(token *enginev1.Token) {
	if token.UserTask == 0 {
		return
	}
	k := userTaskKey(p.row.Payment, token.UserTask)
	if task, found := get[*enginev1.UserTask](p.a, k); found {
		p.tell(taskEvent(enginev1.EventKind_EVENT_KIND_USER_TASK_CANCELLED, task))
		p.a.delete(k)
	}
	token.UserTask = 0
}

// userTask opens a payment and one of its user tasks for an act of a person, who
// must be named. A task of a payment in quarantine waits like everything else.
func (a *application) userTask(payment uint64, n uint32, actor *enginev1.Actor) (*payment, *enginev1.UserTask) {
	a.mustBeNamed(actor)
	p := a.mustLoad(payment)
	task, found := get[*enginev1.UserTask](a, userTaskKey(payment, n))
	if !found {
		a.refuse(CodeTaskUnknown, "The payment has no such open user task.")
	}
	return p, copyOf(task)
}

// changeTask writes a task back and tells what was done to it, on the timeline and
// on the audit topic.
func (p *payment) changeTask(task *enginev1.UserTask, act, text string, actor *enginev1.Actor) *enginev1.Event {
	p.a.put(userTaskKey(task.Payment, task.N), task)
	changed := p.tell(taskEvent(enginev1.EventKind_EVENT_KIND_USER_TASK_CHANGED, task))
	changed.Text, changed.DueMs, changed.Actor = text, task.DueMs, actor
	p.acted(act, actor, func(ev *enginev1.Event) {
		ev.Element, ev.Number, ev.Key, ev.Text = task.Element, task.N, task.Assignee, text
	})
	return changed
}

// claimUserTask gives a task to somebody, or back to all its candidates. The same
// word again changes nothing.
func (a *application) claimUserTask(c *enginev1.ClaimUserTask) *enginev1.Event {
	p, task := a.userTask(c.Payment, c.Task, c.Actor)
	if len(c.Assignee) > limitTaskName {
		a.refuse(CodeBadCommand, "An assignee's name is at most 255 bytes.")
	}
	if task.Assignee == c.Assignee {
		same := a.frame(taskEvent(enginev1.EventKind_EVENT_KIND_USER_TASK_CHANGED, task))
		same.Payment, same.Tenant = task.Payment, task.Tenant
		return same
	}
	if c.OnlyFree && task.Assignee != "" {
		a.refuse(CodeTaskTaken, "The task is with "+quote(task.Assignee)+".")
	}
	task.Assignee = c.Assignee
	if c.Assignee == "" {
		return p.changeTask(task, actUnclaimTask, "given back", c.Actor)
	}
	return p.changeTask(task, actClaimTask, "given to "+quote(c.Assignee), c.Actor)
}

// updateUserTask changes the attributes that are named.
func (a *application) updateUserTask(c *enginev1.UpdateUserTask) *enginev1.Event {
	p, task := a.userTask(c.Payment, c.Task, c.Actor)
	values := c.Values
	if values == nil {
		values = &enginev1.UserTask{}
	}
	if len(c.Fields) == 0 {
		a.refuse(CodeBadCommand, "The update names no field to change.")
	}
	fits := true
	for _, field := range c.Fields {
		switch field {
		case fieldGroups:
			task.CandidateGroups, fits = cleanNames(values.CandidateGroups)
		case fieldUsers:
			task.CandidateUsers, fits = cleanNames(values.CandidateUsers)
		case fieldDue:
			task.DueMs, fits = values.DueMs, values.DueMs >= 0
		case fieldFollowUp:
			task.FollowUpMs, fits = values.FollowUpMs, values.FollowUpMs >= 0
		case fieldPriority:
			task.Priority, fits = values.Priority, values.Priority <= 100
		default:
			a.refuse(CodeBadCommand, "A user task has no field "+quote(field)+" that can be changed.")
		}
		if !fits {
			a.refuse(CodeBadCommand, "The value of "+field+" is out of range: at most 100 names of 255 bytes, times not before 1970, a priority from 0 to 100.")
		}
	}
	return p.changeTask(task, actUpdateTask, "changed: "+strings.Join(c.Fields, ", "), c.Actor)
}

// completeUserTask ends a task with what the person found out; its token goes on.
func (a *application) completeUserTask(c *enginev1.CompleteUserTask) *enginev1.Event {
	p, task := a.userTask(c.Payment, c.Task, c.Actor)
	a.mustFit(c.Variables)
	token := p.mustToken(task.Token)
	done := p.tell(taskEvent(enginev1.EventKind_EVENT_KIND_USER_TASK_COMPLETED, task))
	done.Variables, done.Actor = c.Variables, c.Actor
	p.acted(actCompleteTask, c.Actor, func(ev *enginev1.Event) {
		ev.Element, ev.Number, ev.Key, ev.Variables = task.Element, task.N, task.Assignee, c.Variables
	})
	a.delete(userTaskKey(task.Payment, task.N))
	token.UserTask = 0
	p.finish(p.flowOf(p.body(token.Scope)), token, c.Variables, nil)
	p.run()
	return done
}
