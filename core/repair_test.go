package core

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	corev1 "github.com/railhead-hub/railhead/core/v1"
	"github.com/railhead-hub/railhead/core/v1/corev1connect"
)

// approvalXML is a flow whose gateway has a way out only if ok is true, then a job, a
// user task and a signal to wait for. The gateway's id and more ways out of it are the
// version's.
func approvalXML(gateway, ways string) []byte {
	return []byte(`<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" id="d" targetNamespace="t">
  <signal id="sig" name="books-closed"/>
  <process id="approval" isExecutable="true">
    <startEvent id="s"/><sequenceFlow id="f1" sourceRef="s" targetRef="` + gateway + `"/>
    <exclusiveGateway id="` + gateway + `" ` + ways + `
    <sequenceFlow id="f2" sourceRef="` + gateway + `" targetRef="task"><conditionExpression xsi:type="tFormalExpression">=ok = true</conditionExpression></sequenceFlow>
    <serviceTask id="task"><extensionElements><zeebe:taskDefinition type="nothing-greenbank"/></extensionElements></serviceTask>
    <sequenceFlow id="f3" sourceRef="task" targetRef="approve"/>
    <userTask id="approve" name="Approve the transfer"><extensionElements><zeebe:userTask/>
      <zeebe:assignmentDefinition candidateGroups="tellers, night"/><zeebe:formDefinition formKey="approve-form"/>
      <zeebe:taskSchedule dueDate="=due"/></extensionElements></userTask>
    <sequenceFlow id="f4" sourceRef="approve" targetRef="closing"/>
    <intermediateCatchEvent id="closing"><signalEventDefinition signalRef="sig"/></intermediateCatchEvent>
    <sequenceFlow id="f5" sourceRef="closing" targetRef="done"/>
    <endEvent id="done"/><endEvent id="refused"/>
  </process>
</definitions>`)
}

// office is a node with the approval flow in two versions: the second one's gateway
// has another id and a default way.
type office struct {
	t       *testing.T
	control corev1connect.ControlServiceClient
}

func newOffice(t *testing.T) *office {
	s := newSite(t, 1, nil)
	s.furnish(0)
	o := &office{t, s.control(0)}
	for _, xml := range [][]byte{
		approvalXML("g", `/><sequenceFlow id="no" sourceRef="g" targetRef="refused"><conditionExpression xsi:type="tFormalExpression">=false</conditionExpression></sequenceFlow>`),
		approvalXML("gate", `default="no"/><sequenceFlow id="no" sourceRef="gate" targetRef="refused"/>`),
	} {
		_, err := o.control.DeployFlow(t.Context(), &corev1.DeployFlowRequest{
			File: "approval.bpmn", Xml: xml, Tenants: []string{"greenbank"}, Ends: []*corev1.EndResult{
				{Element: "done", Result: corev1.Result_RESULT_COMPLETED, Code: "approved"},
				{Element: "refused", Result: corev1.Result_RESULT_REJECTED, Code: "refused"},
			},
		})
		check(t, err)
	}
	return o
}

// ada is somebody who acts and says why.
var ada = &corev1.Actor{Name: "ada", Reason: "the customer rang"}

func (o *office) start(version uint32, variables ...*corev1.Variable) string {
	o.t.Helper()
	started, err := o.control.StartPayment(o.t.Context(), &corev1.StartPaymentRequest{
		Tenant: "greenbank", Flow: "approval", FlowVersion: version, Variables: variables,
	})
	check(o.t, err)
	return started.Payment
}

func (o *office) look(payment string) *corev1.GetPaymentResponse {
	o.t.Helper()
	p, err := o.control.GetPayment(o.t.Context(), &corev1.GetPaymentRequest{By: &corev1.GetPaymentRequest_Payment{Payment: payment}})
	check(o.t, err)
	return p
}

// task waits until a payment stands at its user task.
func (o *office) task(payment string) *corev1.UserTask {
	o.t.Helper()
	var found *corev1.UserTask
	until(o.t, "the user task", func() bool {
		if tasks := o.look(payment).UserTasks; len(tasks) == 1 {
			found = tasks[0]
		}
		return found != nil
	})
	return found
}

func (o *office) ends(payment string, result corev1.Result, code string) {
	o.t.Helper()
	until(o.t, "the end", func() bool { return o.look(payment).Payment.State == "ended" })
	if p := o.look(payment).Payment; p.Result != result || p.Code != code {
		o.t.Fatalf("ended %s %s, want %s %s", p.Result, p.Code, result, code)
	}
}

// refused demands that a call was refused with a code and a reason.
func refused(t *testing.T, err error, code connect.Code, reason string) {
	t.Helper()
	if connect.CodeOf(err) != code || reasonOf(err) != reason {
		t.Errorf("%s %s (%v), want %s %s", connect.CodeOf(err), reasonOf(err), err, code, reason)
	}
}

func variable(name, json string) *corev1.Variable { return &corev1.Variable{Name: name, Json: json} }

func TestAnOperatorMendsPayments(t *testing.T) {
	o := newOffice(t)
	ctx, c := t.Context(), o.control

	stuck := o.start(1)
	in := o.look(stuck).Incidents
	if len(in) != 1 || in[0].Code != "no-flow-matched" || in[0].Element != "g" {
		t.Fatalf("%v", in)
	}
	if want := []string{"resolve", "set-variables", "move-token", "migrate", "cancel"}; !slices.Equal(in[0].Repairs, want) {
		t.Errorf("repairs %v, want %v", in[0].Repairs, want)
	}

	// Who does not say who and why is refused, and nothing has happened.
	for _, by := range []*corev1.Actor{nil, {Name: "ada"}, {Reason: "because"}} {
		_, err := c.ResolveIncident(ctx, &corev1.ResolveIncidentRequest{Payment: stuck, Incident: in[0].N, Actor: by})
		refused(t, err, connect.CodeInvalidArgument, "ACTOR_MISSING")
		_, err = c.SetVariables(ctx, &corev1.SetVariablesRequest{Payment: stuck, Variables: []*corev1.Variable{variable("ok", "true")}, Actor: by})
		refused(t, err, connect.CodeInvalidArgument, "ACTOR_MISSING")
		_, err = c.CancelPayment(ctx, &corev1.CancelPaymentRequest{Payment: stuck, Actor: by})
		refused(t, err, connect.CodeInvalidArgument, "ACTOR_MISSING")
	}
	_, err := c.RetryJob(ctx, &corev1.RetryJobRequest{Payment: stuck, Job: 99, Actor: ada})
	refused(t, err, connect.CodeNotFound, "JOB_UNKNOWN")
	_, err = c.MoveToken(ctx, &corev1.MoveTokenRequest{Payment: stuck, Token: 99, Element: "done", Actor: ada})
	refused(t, err, connect.CodeNotFound, "TOKEN_UNKNOWN")
	_, err = c.MoveToken(ctx, &corev1.MoveTokenRequest{Payment: stuck, Token: in[0].Token, Element: "nowhere", Actor: ada})
	refused(t, err, connect.CodeNotFound, "ELEMENT_UNKNOWN")
	_, err = c.MoveToken(ctx, &corev1.MoveTokenRequest{Payment: stuck, Token: in[0].Token, Element: "s", Actor: ada})
	refused(t, err, connect.CodeFailedPrecondition, "MOVE_REFUSED")
	_, err = c.MigratePayment(ctx, &corev1.MigratePaymentRequest{Payment: stuck, FlowVersion: 9, Actor: ada})
	refused(t, err, connect.CodeNotFound, "FLOW_UNKNOWN")

	// The operator sets what the gateway needs, and resolves.
	_, err = c.SetVariables(ctx, &corev1.SetVariablesRequest{
		Payment: stuck, Token: in[0].Token, Variables: []*corev1.Variable{variable("ok", "true"), variable("due", "null")}, Actor: ada,
	})
	check(t, err)
	if o.look(stuck).Payment.State != "incident" {
		t.Error("variables alone have moved the payment")
	}
	_, err = c.ResolveIncident(ctx, &corev1.ResolveIncidentRequest{Payment: stuck, Incident: in[0].N, Actor: ada})
	check(t, err)
	o.task(stuck)

	// Another one is mended by the flow's next version.
	other := o.start(1)
	_, err = c.MigratePayment(ctx, &corev1.MigratePaymentRequest{Payment: other, FlowVersion: 2, Actor: ada})
	refused(t, err, connect.CodeFailedPrecondition, "MIGRATION_REFUSED")
	if !strings.Contains(err.Error(), "g: token 2 stands on it, and version 2 has no such element") {
		t.Errorf("the refusal does not name the fault: %v", err)
	}
	_, err = c.MigratePayment(ctx, &corev1.MigratePaymentRequest{
		Payment: other, FlowVersion: 2, Mappings: []*corev1.ElementMapping{{From: "g", To: "gate"}}, Actor: ada,
	})
	check(t, err)
	p := o.look(other)
	if p.Payment.FlowVersion != 2 || len(p.Incidents) != 1 || p.Incidents[0].Element != "gate" || p.Tokens[0].Element != "gate" {
		t.Fatalf("after the migration: %v", p)
	}
	_, err = c.ResolveIncident(ctx, &corev1.ResolveIncidentRequest{Payment: other, Incident: p.Incidents[0].N, Actor: ada})
	check(t, err)
	o.ends(other, corev1.Result_RESULT_REJECTED, "refused")

	// A third is sent where it should be; a fourth is cancelled.
	third := o.start(1)
	_, err = c.MoveToken(ctx, &corev1.MoveTokenRequest{Payment: third, Token: 2, Element: "refused", Actor: ada})
	check(t, err)
	o.ends(third, corev1.Result_RESULT_REJECTED, "refused")
	fourth := o.start(1)
	_, err = c.CancelPayment(ctx, &corev1.CancelPaymentRequest{Payment: fourth, Actor: ada})
	check(t, err)
	o.ends(fourth, corev1.Result_RESULT_CANCELLED, "cancelled")
	_, err = c.MoveToken(ctx, &corev1.MoveTokenRequest{Payment: fourth, Token: 2, Element: "done", Actor: ada})
	refused(t, err, connect.CodeFailedPrecondition, "PAYMENT_ENDED")
}

func TestPeopleDoUserTasks(t *testing.T) {
	o := newOffice(t)
	ctx, c := t.Context(), o.control
	payment := o.start(1, variable("ok", "true"), variable("due", `"2026-11-20T18:00:00Z"`), variable("amount", `"10.00"`))
	task := o.task(payment)
	due := time.Date(2026, 11, 20, 18, 0, 0, 0, time.UTC).UnixMilli()
	if task.Name != "Approve the transfer" || task.Element != "approve" || task.Flow != "approval" || task.Tenant != "greenbank" ||
		!slices.Equal(task.CandidateGroups, []string{"tellers", "night"}) || task.FormKey != "approve-form" || task.DueMs != due || task.Priority != 50 {
		t.Fatalf("%v", task)
	}
	found, err := c.GetUserTask(ctx, &corev1.GetUserTaskRequest{Payment: payment, Task: task.Task})
	check(t, err)
	if !slices.ContainsFunc(found.Variables, func(v *corev1.Variable) bool { return v.Name == "amount" && v.Json == `"10.00"` }) {
		t.Errorf("the task does not see the amount: %v", found.Variables)
	}
	_, err = c.GetUserTask(ctx, &corev1.GetUserTaskRequest{Payment: payment, Task: 99})
	refused(t, err, connect.CodeNotFound, "TASK_UNKNOWN")

	claim := func(who string, reassign bool) error {
		_, err := c.ClaimUserTask(ctx, &corev1.ClaimUserTaskRequest{
			Payment: payment, Task: task.Task, Assignee: who, Reassign: reassign, Actor: &corev1.Actor{Name: who},
		})
		return err
	}
	check(t, claim("ada", false))
	check(t, claim("ada", false)) // twice is once
	refused(t, claim("bob", false), connect.CodeFailedPrecondition, "TASK_TAKEN")
	check(t, claim("bob", true))
	_, err = c.UpdateUserTask(ctx, &corev1.UpdateUserTaskRequest{
		Payment: payment, Task: task.Task, Fields: []string{"priority", "candidate_groups", "due_ms"}, Priority: 90,
		CandidateGroups: []string{"chiefs"}, Actor: &corev1.Actor{Name: "bob"},
	})
	check(t, err)
	_, err = c.UpdateUserTask(ctx, &corev1.UpdateUserTaskRequest{
		Payment: payment, Task: task.Task, Fields: []string{"assignee"}, Actor: &corev1.Actor{Name: "bob"},
	})
	if connect.CodeOf(err) != connect.CodeInvalidArgument {
		t.Errorf("a field that cannot be changed: %v", err)
	}
	if now := o.task(payment); now.Assignee != "bob" || now.Priority != 90 || now.DueMs != 0 || !slices.Equal(now.CandidateGroups, []string{"chiefs"}) {
		t.Errorf("%v", now)
	}
	_, err = c.UnclaimUserTask(ctx, &corev1.UnclaimUserTaskRequest{Payment: payment, Task: task.Task, Actor: &corev1.Actor{Name: "bob"}})
	check(t, err)
	_, err = c.CompleteUserTask(ctx, &corev1.CompleteUserTaskRequest{Payment: payment, Task: task.Task})
	refused(t, err, connect.CodeInvalidArgument, "ACTOR_MISSING")
	done := &corev1.CompleteUserTaskRequest{
		Payment: payment, Task: task.Task, Variables: []*corev1.Variable{variable("approved", "true")}, Actor: &corev1.Actor{Name: "bob"},
	}
	_, err = c.CompleteUserTask(ctx, done)
	check(t, err)
	_, err = c.CompleteUserTask(ctx, done)
	refused(t, err, connect.CodeNotFound, "TASK_UNKNOWN")
	p := o.look(payment)
	if len(p.Tokens) != 1 || p.Tokens[0].Element != "closing" || len(p.Tokens[0].Waits) != 1 || p.Tokens[0].Waits[0].Signal != "books-closed" {
		t.Fatalf("%v", p.Tokens)
	}
	_, err = c.BroadcastSignal(ctx, &corev1.BroadcastSignalRequest{Tenant: "greenbank", Name: "books-closed"})
	refused(t, err, connect.CodeInvalidArgument, "ACTOR_MISSING")
	_, err = c.BroadcastSignal(ctx, &corev1.BroadcastSignalRequest{Tenant: "greenbank", Name: "books-closed", Actor: ada})
	check(t, err)
	o.ends(payment, corev1.Result_RESULT_COMPLETED, "approved")
}

func TestUserTasksAreListedInPages(t *testing.T) {
	o := newOffice(t)
	ctx, c := t.Context(), o.control
	var payments []string
	for i := range 5 {
		due := "null"
		if i == 3 {
			due = `"2026-11-20T18:00:00Z"`
		}
		payments = append(payments, o.start(1, variable("ok", "true"), variable("due", due)))
	}
	for _, p := range payments {
		o.task(p)
	}
	_, err := c.ClaimUserTask(ctx, &corev1.ClaimUserTaskRequest{
		Payment: payments[1], Task: o.task(payments[1]).Task, Assignee: "ada", Actor: ada,
	})
	check(t, err)
	for _, test := range []struct {
		name   string
		filter *corev1.ListUserTasksRequest
		want   []string
	}{
		{"all", &corev1.ListUserTasksRequest{}, payments},
		{"of the tenant", &corev1.ListUserTasksRequest{Tenant: "greenbank"}, payments},
		{"of another tenant", &corev1.ListUserTasksRequest{Tenant: "bluebank"}, nil},
		{"that ada has", &corev1.ListUserTasksRequest{Assignee: "ada"}, payments[1:2]},
		{"that nobody has", &corev1.ListUserTasksRequest{Unassigned: true}, slices.Concat(payments[:1], payments[2:])},
		{"for tellers", &corev1.ListUserTasksRequest{CandidateGroup: "night"}, payments},
		{"for a user", &corev1.ListUserTasksRequest{CandidateUser: "eve"}, nil},
		{"that are due", &corev1.ListUserTasksRequest{DueBeforeMs: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()}, payments[3:4]},
		{"that are not due", &corev1.ListUserTasksRequest{DueBeforeMs: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()}, nil},
		{"of a payment", &corev1.ListUserTasksRequest{Payment: payments[2]}, payments[2:3]},
	} {
		for _, size := range []uint32{0, 1, 2} {
			test.filter.PageSize, test.filter.PageToken = size, ""
			if got := list(ctx, t, c, test.filter); !slices.Equal(got, test.want) {
				t.Errorf("%s, by %d: %v, want %v", test.name, size, got, test.want)
			}
		}
	}
	_, err = c.ListUserTasks(ctx, &corev1.ListUserTasksRequest{PageToken: "nonsense"})
	refused(t, err, connect.CodeInvalidArgument, "BAD_PAGE_TOKEN")
}

// list reads all pages of a list of user tasks.
func list(ctx context.Context, t *testing.T, c corev1connect.ControlServiceClient, r *corev1.ListUserTasksRequest) (payments []string) {
	t.Helper()
	for {
		page, err := c.ListUserTasks(ctx, r)
		check(t, err)
		if size := int(r.PageSize); size > 0 && len(page.Tasks) > size {
			t.Fatalf("%d tasks in a page of %d", len(page.Tasks), size)
		}
		for _, task := range page.Tasks {
			payments = append(payments, task.Payment)
		}
		if r.PageToken = page.NextPageToken; r.PageToken == "" {
			return payments
		}
	}
}
