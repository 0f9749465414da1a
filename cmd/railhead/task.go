package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	corev1 "github.com/railhead-hub/railhead/core/v1"
)

func (a *app) taskCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "task", Short: "Do the work that payments have for people", GroupID: "work",
		Long: `Do the work that payments have for people. A user task is named by its payment and
its number there. --actor says who you are; the audit topic keeps it.`,
	}
	cmd.AddCommand(a.taskList(), a.taskGet(), a.taskClaim(), a.taskUnclaim(), a.taskUpdate(), a.taskComplete())
	return cmd
}

func (a *app) taskList() *cobra.Command {
	var before string
	var limit int
	request := &corev1.ListUserTasksRequest{}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List open user tasks, by the age of their payments",
		Example: `  railhead task list --tenant greenbank --group tellers --unassigned
  railhead task list --assignee ada --due-before 2026-11-20T18:00:00Z --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 {
				return usagef("--limit is a number from 1, not %d", limit)
			}
			if before != "" {
				at, err := time.Parse(time.RFC3339, before)
				if err != nil {
					return usagef("--due-before: %q is no time such as 2026-11-20T18:00:00Z", before)
				}
				request.DueBeforeMs = at.UnixMilli()
			}
			ctx, cancel := a.call(cmd.Context())
			defer cancel()
			list := &corev1.ListUserTasksResponse{}
			for {
				request.PageSize = uint32(min(limit-len(list.GetTasks()), 1000))
				page, err := a.control().ListUserTasks(ctx, request)
				if err != nil {
					return err
				}
				list.Tasks = append(list.GetTasks(), page.GetTasks()...)
				list.NextPageToken, request.PageToken = page.GetNextPageToken(), page.GetNextPageToken()
				if request.PageToken == "" || len(list.GetTasks()) >= limit {
					break
				}
			}
			if a.json {
				return printProto(a.out, list)
			}
			t := newTable(a.out, "payment", "task", "name", "assignee", "groups", "priority", "due", "created")
			for _, task := range list.GetTasks() {
				t.row(task.GetPayment(), task.GetTask(), task.GetName(), task.GetAssignee(), strings.Join(task.GetCandidateGroups(), " "),
					task.GetPriority(), clockTime(task.GetDueMs()), clockTime(task.GetCreatedMs()))
			}
			if err := t.flush(); err != nil {
				return err
			}
			if list.GetNextPageToken() != "" {
				fmt.Fprintln(a.err, "there may be more: raise --limit or narrow the filter")
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&request.Tenant, "tenant", "", "of this tenant")
	flags.StringVar(&request.Payment, "payment", "", "of this payment")
	flags.StringVar(&request.Assignee, "assignee", "", "that this person has")
	flags.BoolVar(&request.Unassigned, "unassigned", false, "that nobody has")
	flags.StringVar(&request.CandidateGroup, "group", "", "for this group")
	flags.StringVar(&request.CandidateUser, "user", "", "for this user")
	flags.StringVar(&before, "due-before", "", "that are due before this `time`")
	flags.IntVar(&limit, "limit", 100, "at most so many")
	return cmd
}

func (a *app) taskGet() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "get PAYMENT TASK",
		Short:   "Show a user task and the variables it sees",
		Example: "  railhead task get 7f0c… 5",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := numberArg("TASK", args[1])
			if err != nil {
				return err
			}
			ctx, cancel := a.call(cmd.Context())
			defer cancel()
			uuid, err := a.paymentUUID(ctx, args[0])
			if err != nil {
				return err
			}
			found, err := a.control().GetUserTask(ctx, &corev1.GetUserTaskRequest{Payment: uuid, Task: n})
			if err != nil {
				return err
			}
			if a.json {
				return printProto(a.out, found)
			}
			return printTask(a.out, found)
		},
	}
	cmd.ValidArgsFunction = a.completes(a.withTasks, a.tasksOf)
	return cmd
}

// printTask shows a task and what it sees.
func printTask(w io.Writer, found *corev1.GetUserTaskResponse) error {
	task := found.GetTask()
	t := newTable(w, "task", "of")
	t.row(task.GetTask(), task.GetPayment())
	t.row("name", task.GetName())
	t.row("flow", fmt.Sprintf("%s, at %s, tenant %s", task.GetFlow(), task.GetElement(), task.GetTenant()))
	t.row("assignee", task.GetAssignee())
	t.row("groups", strings.Join(task.GetCandidateGroups(), " "))
	t.row("users", strings.Join(task.GetCandidateUsers(), " "))
	t.row("priority", task.GetPriority())
	t.row("created", clockTime(task.GetCreatedMs()))
	t.row("due", clockTime(task.GetDueMs()))
	t.row("follow up", clockTime(task.GetFollowUpMs()))
	t.row("form", task.GetFormKey())
	for _, h := range task.GetHeaders() {
		t.row("header "+h.GetKey(), h.GetValue())
	}
	for _, v := range found.GetVariables() {
		t.row("variable "+v.GetName(), v.GetJson())
	}
	return t.flush()
}

// taskVerb finishes a verb that acts on one task.
func (a *app) taskVerb(cmd *cobra.Command, done string, ask func(ctx context.Context, payment string, task uint32) error) *cobra.Command {
	cmd.Args = cobra.ExactArgs(2)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		n, err := numberArg("TASK", args[1])
		if err != nil {
			return err
		}
		return a.act(cmd, args[0], done, func(ctx context.Context, uuid string) error { return ask(ctx, uuid, n) })
	}
	cmd.ValidArgsFunction = a.completes(a.withTasks, a.tasksOf)
	a.reasonFlag(cmd)
	return cmd
}

func (a *app) taskClaim() *cobra.Command {
	request := &corev1.ClaimUserTaskRequest{}
	cmd := &cobra.Command{
		Use:   "claim PAYMENT TASK",
		Short: "Take a user task, or give it to somebody",
		Example: `  railhead task claim 7f0c… 5
  railhead task claim 7f0c… 5 --for bob --reassign --reason 'ada is away'`,
	}
	cmd = a.taskVerb(cmd, "claimed", func(ctx context.Context, payment string, task uint32) error {
		request.Payment, request.Task, request.Actor = payment, task, a.actor()
		if request.Assignee == "" {
			request.Assignee = request.GetActor().GetName()
		}
		_, err := a.control().ClaimUserTask(ctx, request)
		return err
	})
	cmd.Flags().StringVar(&request.Assignee, "for", "", "give it to this person; yourself unless set")
	cmd.Flags().BoolVar(&request.Reassign, "reassign", false, "take it from whoever has it")
	return cmd
}

func (a *app) taskUnclaim() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "unclaim PAYMENT TASK",
		Short:   "Give a user task back to all its candidates",
		Example: "  railhead task unclaim 7f0c… 5",
	}
	return a.taskVerb(cmd, "unclaimed", func(ctx context.Context, payment string, task uint32) error {
		_, err := a.control().UnclaimUserTask(ctx, &corev1.UnclaimUserTaskRequest{Payment: payment, Task: task, Actor: a.actor()})
		return err
	})
}

func (a *app) taskUpdate() *cobra.Command {
	var due, followUp string
	request := &corev1.UpdateUserTaskRequest{}
	cmd := &cobra.Command{
		Use:   "update PAYMENT TASK",
		Short: "Change who a user task is for, by when, and how urgent it is",
		Example: `  railhead task update 7f0c… 5 --priority 90 --due 2026-11-20T18:00:00Z
  railhead task update 7f0c… 5 --groups tellers,night --due none --reason 'night shift'`,
	}
	cmd = a.taskVerb(cmd, "updated", func(ctx context.Context, payment string, task uint32) error {
		request.Payment, request.Task, request.Actor = payment, task, a.actor()
		for _, f := range []struct{ flag, field string }{
			{"groups", "candidate_groups"}, {"users", "candidate_users"}, {"due", "due_ms"}, {"follow-up", "follow_up_ms"}, {"priority", "priority"},
		} {
			if cmd.Flags().Changed(f.flag) {
				request.Fields = append(request.Fields, f.field)
			}
		}
		if len(request.Fields) == 0 {
			return usagef("nothing is to be changed: give one of --groups, --users, --due, --follow-up, --priority")
		}
		var err error
		if request.DueMs, err = taskTime("--due", due); err != nil {
			return err
		}
		if request.FollowUpMs, err = taskTime("--follow-up", followUp); err != nil {
			return err
		}
		_, err = a.control().UpdateUserTask(ctx, request)
		return err
	})
	flags := cmd.Flags()
	flags.StringSliceVar(&request.CandidateGroups, "groups", nil, "the candidate groups, with commas; empty: none")
	flags.StringSliceVar(&request.CandidateUsers, "users", nil, "the candidate users, with commas; empty: none")
	flags.StringVar(&due, "due", "", "by when, or none")
	flags.StringVar(&followUp, "follow-up", "", "when to look again, or none")
	flags.Uint32Var(&request.Priority, "priority", 50, "from 0 to 100")
	return cmd
}

func taskTime(flag, text string) (int64, error) {
	if text == "" || text == "none" {
		return 0, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return 0, usagef("%s: %q is neither none nor a time such as 2026-11-20T18:00:00Z", flag, text)
	}
	return at.UnixMilli(), nil
}

func (a *app) taskComplete() *cobra.Command {
	var vars []string
	cmd := &cobra.Command{
		Use:     "complete PAYMENT TASK",
		Short:   "End a user task with its result; the payment goes on",
		Example: "  railhead task complete 7f0c… 5 --var approved=true",
	}
	cmd = a.taskVerb(cmd, "completed", func(ctx context.Context, payment string, task uint32) error {
		given, err := variables(vars)
		if err != nil {
			return err
		}
		_, err = a.control().CompleteUserTask(ctx, &corev1.CompleteUserTaskRequest{
			Payment: payment, Task: task, Variables: given, Actor: a.actor(),
		})
		return err
	})
	cmd.Flags().StringArrayVar(&vars, "var", nil, "a variable of the result as `name=json`; may be repeated")
	return cmd
}
