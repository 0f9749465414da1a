package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	corev1 "github.com/railhead-hub/railhead/core/v1"
)

// Repairs change a running payment at an operator's word. What may be done about an
// incident stands in "railhead payment get"; every repair says why.

// repair finishes a verb that repairs: it needs a reason, and completes payments.
func (a *app) repair(cmd *cobra.Command, more ...completion) *cobra.Command {
	a.reasonFlag(cmd)
	cmd.Flags().Lookup("reason").Usage = "why, for the audit topic and the payment's timeline; must be given"
	cmd.ValidArgsFunction = a.completes(append([]completion{a.standing}, more...)...)
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if a.reason == "" {
			return usagef("--reason must say why: the audit topic and the payment's timeline keep it")
		}
		return run(cmd, args)
	}
	return cmd
}

// numberArg reads an argument that is a number within a payment.
func numberArg(name, text string) (uint32, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n == 0 {
		return 0, usagef("%s is a number from 1, not %q", name, text)
	}
	return uint32(n), nil
}

// paymentUUID is a payment's UUID, which may be given as the hub's number.
func (a *app) paymentUUID(ctx context.Context, text string) (string, error) {
	ref := paymentRef(text)
	if ref.GetPayment() != "" {
		return text, nil
	}
	p, err := a.control().GetPayment(ctx, ref)
	return p.GetPayment().GetPayment(), err
}

// act asks a node for something about a payment within the time that is allowed.
func (a *app) act(cmd *cobra.Command, payment, done string, ask func(ctx context.Context, uuid string) error) error {
	ctx, cancel := a.call(cmd.Context())
	defer cancel()
	uuid, err := a.paymentUUID(ctx, payment)
	if err != nil {
		return err
	}
	if err := ask(ctx, uuid); err != nil {
		return err
	}
	return a.done(done)
}

func (a *app) paymentResolve() *cobra.Command {
	var vars []string
	request := &corev1.ResolveIncidentRequest{}
	cmd := &cobra.Command{
		Use:   "resolve PAYMENT INCIDENT",
		Short: "Let a payment go on from an incident",
		Long: `Let a payment go on from an incident, once its cause is gone: a job gets its next
attempt, any other element is entered anew. The number of the incident and what
may be done about it are in "railhead payment get".`,
		Example: "  railhead payment resolve 7f0c… 4 --reason 'bank is back'",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if request.Incident, err = numberArg("INCIDENT", args[1]); err != nil {
				return err
			}
			if request.Variables, err = variables(vars); err != nil {
				return err
			}
			return a.act(cmd, args[0], "resolved", func(ctx context.Context, uuid string) error {
				request.Payment, request.Actor = uuid, a.actor()
				_, err := a.control().ResolveIncident(ctx, request)
				return err
			})
		},
	}
	cmd.Flags().StringArrayVar(&vars, "var", nil, "set a variable first, as `name=json`; may be repeated")
	cmd.Flags().Uint32Var(&request.Retries, "retries", 0, "give the job so many attempts; one unless set")
	return a.repair(cmd, a.incidents)
}

func (a *app) paymentRetry() *cobra.Command {
	request := &corev1.RetryJobRequest{}
	cmd := &cobra.Command{
		Use:   "retry PAYMENT JOB",
		Short: "Give a job that waits a new attempt now",
		Long: `Give a job that waits for a back-off, a sleep or an operator a new attempt now. It
begins anew, but is told of every money effect that is in doubt. An attempt that
is under way is left alone.`,
		Example: "  railhead payment retry 7f0c… 3 --retries 2 --reason 'bank is back'",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if request.Job, err = numberArg("JOB", args[1]); err != nil {
				return err
			}
			return a.act(cmd, args[0], "retried", func(ctx context.Context, uuid string) error {
				request.Payment, request.Actor = uuid, a.actor()
				_, err := a.control().RetryJob(ctx, request)
				return err
			})
		},
	}
	cmd.Flags().Uint32Var(&request.Retries, "retries", 0, "give the job so many attempts; one unless set")
	return a.repair(cmd, a.jobs)
}

func (a *app) paymentSet() *cobra.Command {
	request := &corev1.SetVariablesRequest{}
	cmd := &cobra.Command{
		Use:   "set PAYMENT NAME=JSON...",
		Short: "Set variables of a running payment",
		Long: `Set variables of a running payment. With --token they are set as that token sees
them: one that a sub-process or a loop has of its own is changed there. Nothing
moves by it; resolve the incident, if there is one.`,
		Example: `  railhead payment set 7f0c… payeeFspId=bluebank --reason 'wrong bank given'
  railhead payment set 7f0c… 'amount={"amount":"10.00","currency":"USD"}' --token 4 --reason typo`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if request.Variables, err = variables(args[1:]); err != nil {
				return err
			}
			return a.act(cmd, args[0], "set", func(ctx context.Context, uuid string) error {
				request.Payment, request.Actor = uuid, a.actor()
				_, err := a.control().SetVariables(ctx, request)
				return err
			})
		},
	}
	cmd.Flags().Uint32Var(&request.Token, "token", 0, "as this `token` sees them; of the whole payment unless set")
	return a.repair(cmd)
}

func (a *app) paymentMove() *cobra.Command {
	request := &corev1.MoveTokenRequest{}
	cmd := &cobra.Command{
		Use:   "move PAYMENT TOKEN ELEMENT",
		Short: "Send a token to another element",
		Long: `Send a token to another element of the same flow and sub-process. What it was
doing ends as if it were interrupted: its waits are closed and its job is
cancelled. It is refused while a money effect of that job is in doubt, and where
the token is a round of a loop, runs a compensation handler or waits for what is
open inside its activity. The element it stands on is entered anew.`,
		Example: "  railhead payment move 7f0c… 2 send-callback --reason 'told the payer by telephone'",
		Args:    cobra.ExactArgs(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if request.Token, err = numberArg("TOKEN", args[1]); err != nil {
				return err
			}
			request.Element = args[2]
			return a.act(cmd, args[0], "moved", func(ctx context.Context, uuid string) error {
				request.Payment, request.Actor = uuid, a.actor()
				_, err := a.control().MoveToken(ctx, request)
				return err
			})
		},
	}
	return a.repair(cmd, a.tokens)
}

func (a *app) paymentMigrate() *cobra.Command {
	var mappings []string
	request := &corev1.MigratePaymentRequest{}
	cmd := &cobra.Command{
		Use:   "migrate PAYMENT VERSION",
		Short: "Let a payment go on in another version of its flow",
		Long: `Let a running payment go on in another version of its flow. Every element that
something stands on must have one of the same kind there: of the same id, or
named by --map. Jobs and user tasks stay as they are, and so do timers and
subscriptions of which both versions say the same; others are opened anew. All
faults of the mapping are named at once, and nothing is half done.`,
		Example: `  railhead payment migrate 7f0c… 3 --reason 'gateway mended'
  railhead payment migrate 7f0c… 3 --map hold=block-funds --reason 'task renamed'`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if request.FlowVersion, err = numberArg("VERSION", args[1]); err != nil {
				return err
			}
			for _, pair := range mappings {
				from, to, ok := strings.Cut(pair, "=")
				if !ok || from == "" || to == "" {
					return usagef("--map %q is not old-element=new-element", pair)
				}
				request.Mappings = append(request.Mappings, &corev1.ElementMapping{From: from, To: to})
			}
			return a.act(cmd, args[0], "migrated", func(ctx context.Context, uuid string) error {
				request.Payment, request.Actor = uuid, a.actor()
				_, err := a.control().MigratePayment(ctx, request)
				return err
			})
		},
	}
	cmd.Flags().StringArrayVar(&mappings, "map", nil, "an element of the old version and its place in the new one, as `old=new`; may be repeated")
	return a.repair(cmd)
}

func (a *app) paymentCancel() *cobra.Command {
	request := &corev1.CancelPaymentRequest{}
	cmd := &cobra.Command{
		Use:   "cancel PAYMENT",
		Short: "Stop a payment where it stands, or undo it",
		Long: `Stop a payment where it stands. It is refused once money has moved: then
--compensate runs the compensation handlers of everything that was completed, the
last one first, before the payment ends. Either is refused while a money effect
is in doubt.`,
		Example: `  railhead payment cancel 7f0c… --reason 'customer withdrew'
  railhead payment cancel 7f0c… --compensate --reason 'sent to the wrong bank'`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			done := "cancelled"
			if request.Compensate {
				done = "cancelling: what was done is being undone"
			}
			if a.json {
				done = "cancelled"
			}
			return a.act(cmd, args[0], done, func(ctx context.Context, uuid string) error {
				request.Payment, request.Actor = uuid, a.actor()
				_, err := a.control().CancelPayment(ctx, request)
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&request.Compensate, "compensate", false, "first undo everything that was completed")
	return a.repair(cmd)
}

func (a *app) signalCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "signal", Short: "Broadcast signals to payments that wait for them", GroupID: "work"}
	cmd.AddCommand(a.signalBroadcast())
	return cmd
}

func (a *app) signalBroadcast() *cobra.Command {
	var vars []string
	request := &corev1.BroadcastSignalRequest{}
	cmd := &cobra.Command{
		Use:   "broadcast TENANT NAME",
		Short: "Give a signal to everything that waits for it",
		Long: `Give a signal to every payment of the tenant that waits for it now, and to the
flows that it starts. Nobody who comes later takes it.`,
		Example: "  railhead signal broadcast greenbank end-of-day --var date=2026-11-20 --reason 'books are closed'",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			request.Tenant, request.Name, request.Actor = args[0], args[1], a.actor()
			if request.Variables, err = variables(vars); err != nil {
				return err
			}
			ctx, cancel := a.call(cmd.Context())
			defer cancel()
			if _, err := a.control().BroadcastSignal(ctx, request); err != nil {
				return err
			}
			return a.done("broadcast")
		},
	}
	cmd.Flags().StringArrayVar(&vars, "var", nil, "a variable as `name=json`; may be repeated")
	cmd = a.repair(cmd)
	cmd.ValidArgsFunction = cobra.NoFileCompletions
	return cmd
}

// done says that an act without an answer of its own has happened.
func (a *app) done(what string) error {
	if a.json {
		return printJSON(a.out, map[string]bool{what: true})
	}
	fmt.Fprintln(a.out, what)
	return nil
}
