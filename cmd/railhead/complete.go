package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	corev1 "github.com/railhead-hub/railhead/core/v1"
)

// completion offers values for one argument, each with a tab and what it is; args
// are those before it.
type completion func(ctx context.Context, args []string) []string

// completes asks the node for the arguments that a shell wants to complete. Where
// nobody answers at once it offers nothing.
func (a *app) completes(by ...completion) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) >= len(by) || a.load(cmd) != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), 2*time.Second)
		defer cancel()
		return by[len(args)](ctx, args), cobra.ShellCompDirectiveNoFileComp
	}
}

// standing are running payments, those that stand still first.
func (a *app) standing(ctx context.Context, _ []string) (found []string) {
	for _, only := range []bool{true, false} {
		list, err := a.control().ListInFlight(ctx, &corev1.ListInFlightRequest{IncidentsOnly: only, PageSize: 50})
		if err != nil {
			return found
		}
		for _, p := range list.GetPayments() {
			if only || p.GetState() != "incident" {
				found = append(found, p.GetPayment()+"\t"+p.GetFlow()+" "+p.GetState())
			}
		}
	}
	return found
}

func (a *app) about(ctx context.Context, args []string) *corev1.GetPaymentResponse {
	p, _ := a.control().GetPayment(ctx, paymentRef(args[0])) // nobody is told of an error here
	return p
}

func (a *app) incidents(ctx context.Context, args []string) (found []string) {
	for _, i := range a.about(ctx, args).GetIncidents() {
		found = append(found, fmt.Sprintf("%d\t%s %s", i.GetN(), i.GetElement(), i.GetCode()))
	}
	return found
}

func (a *app) jobs(ctx context.Context, args []string) (found []string) {
	for _, j := range a.about(ctx, args).GetJobs() {
		found = append(found, fmt.Sprintf("%d\t%s %s", j.GetN(), j.GetElement(), j.GetState()))
	}
	return found
}

func (a *app) tokens(ctx context.Context, args []string) (found []string) {
	for _, t := range a.about(ctx, args).GetTokens() {
		found = append(found, fmt.Sprintf("%d\t%s", t.GetN(), t.GetElement()))
	}
	return found
}

// withTasks are payments that wait for a person.
func (a *app) withTasks(ctx context.Context, _ []string) (found []string) {
	list, err := a.control().ListUserTasks(ctx, &corev1.ListUserTasksRequest{PageSize: 100})
	if err != nil {
		return nil
	}
	for _, t := range list.GetTasks() {
		found = append(found, t.GetPayment()+"\t"+t.GetName()+" "+t.GetAssignee())
	}
	return found
}

func (a *app) tasksOf(ctx context.Context, args []string) (found []string) {
	for _, t := range a.about(ctx, args).GetUserTasks() {
		found = append(found, fmt.Sprintf("%d\t%s %s", t.GetTask(), t.GetName(), t.GetAssignee()))
	}
	return found
}
