package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	corev1 "github.com/railhead-hub/railhead/core/v1"
	opsv1 "github.com/railhead-hub/railhead/opsd/v1"
)

func (a *app) paymentCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "payment", Short: "Start, follow and mend payments", GroupID: "work"}
	cmd.AddCommand(
		a.paymentStart(), a.paymentGet(), a.paymentList(), a.paymentWatch(), a.paymentReplay(),
		a.paymentPublish(), a.paymentResolve(), a.paymentRetry(), a.paymentSet(),
		a.paymentMove(), a.paymentMigrate(), a.paymentCancel(),
	)
	return cmd
}

// variableFlag reads name=json; what is not JSON is taken as a text.
func variables(pairs []string) ([]*corev1.Variable, error) {
	out := make([]*corev1.Variable, 0, len(pairs))
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return nil, usagef("variable %q is not name=value", pair)
		}
		out = append(out, &corev1.Variable{Name: name, Json: asJSON(value)})
	}
	return out, nil
}

func (a *app) paymentStart() *cobra.Command {
	var vars []string
	var wait bool
	request := &corev1.StartPaymentRequest{}
	cmd := &cobra.Command{
		Use:   "start TENANT FLOW",
		Short: "Start a payment by hand",
		Long: `Start a payment by hand, past every channel. With --client-key the start is
idempotent: the same key again gives the first answer.`,
		Example: `  railhead payment start greenbank payer-fund-transfer-greenbank \
      --client-key demo-1 --var amount='{"amount":"10.00","currency":"USD"}' --wait`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			request.Tenant, request.Flow = args[0], args[1]
			if request.Variables, err = variables(vars); err != nil {
				return err
			}
			ctx, cancel := a.call(cmd.Context())
			defer cancel()
			started, err := a.control().StartPayment(ctx, request)
			if err != nil {
				return err
			}
			if !wait {
				if a.json {
					return printProto(a.out, started)
				}
				fmt.Fprintf(a.out, "%s\n", started.GetPayment())
				return nil
			}
			return a.waitEnded(ctx, started.GetPayment())
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&vars, "var", nil, "a variable as `name=json`; may be repeated")
	flags.StringVar(&request.ClientKey, "client-key", "", "makes the start idempotent")
	flags.StringVar(&request.Channel, "channel", "", "with the client key: whose key it is")
	flags.Uint32Var(&request.FlowVersion, "flow-version", 0, "of the flow; the latest unless set")
	flags.StringVar(&request.UuidVariable, "uuid-variable", "transactionId", "the variable that receives the payment's UUID")
	flags.BoolVar(&wait, "wait", false, "wait for the end, and exit 1 unless it is completed")
	return cmd
}

// paymentRef reads what names a payment: a UUID or the hub's number.
func paymentRef(text string) *corev1.GetPaymentRequest {
	if key, err := strconv.ParseUint(text, 10, 64); err == nil {
		return &corev1.GetPaymentRequest{By: &corev1.GetPaymentRequest_Key{Key: key}}
	}
	return &corev1.GetPaymentRequest{By: &corev1.GetPaymentRequest_Payment{Payment: text}}
}

func (a *app) paymentGet() *cobra.Command {
	var timeline bool
	var tenant, channel string
	cmd := &cobra.Command{
		Use:   "get PAYMENT",
		Short: "Show a payment as it stands, or its timeline",
		Long: `Show a payment as it stands in the core: where it waits, its jobs, its money
effects and incidents. --timeline asks opsd for everything that happened.
PAYMENT is the UUID, the hub's number or, with --client-tenant, the client key.`,
		Example: `  railhead payment get 7f0c… --timeline
  railhead payment get order-17 --client-tenant greenbank --channel paymenthub`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := a.call(cmd.Context())
			defer cancel()
			ref := paymentRef(args[0])
			if tenant != "" {
				ref = &corev1.GetPaymentRequest{By: &corev1.GetPaymentRequest_Client{
					Client: &corev1.ClientKey{Tenant: tenant, Channel: channel, Key: args[0]},
				}}
			}
			if timeline {
				name, err := a.paymentName(ctx, ref)
				if err != nil {
					return err
				}
				return a.printTimeline(ctx, name)
			}
			p, err := a.control().GetPayment(ctx, ref)
			if err != nil {
				return err
			}
			if a.json {
				return printProto(a.out, p)
			}
			return printPayment(a.out, p)
		},
	}
	cmd.ValidArgsFunction = a.completes(a.standing)
	cmd.Flags().BoolVar(&timeline, "timeline", false, "everything that happened, from opsd")
	cmd.Flags().StringVar(&tenant, "client-tenant", "", "PAYMENT is a client key of this `tenant`")
	cmd.Flags().StringVar(&channel, "channel", "paymenthub", "with --client-tenant: the channel whose key it is")
	return cmd
}

func (a *app) paymentList() *cobra.Command {
	var state, result string
	var size int32
	var inFlight, incidents bool
	filter := &opsv1.PaymentFilter{}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List payments, the newest first",
		Example: `  railhead payment list --tenant greenbank --state incident
  railhead payment list --text 3f2a…      any identifier of a payment
  railhead payment list --in-flight       asks the core, when opsd is away`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if size < 1 || size > 1000 {
				return usagef("--limit is from 1 to 1000, not %d", size)
			}
			ctx, cancel := a.call(cmd.Context())
			defer cancel()
			if inFlight || incidents {
				return a.listInFlight(ctx, filter.GetTenant(), incidents, size)
			}
			var err error
			if filter.State, err = enumValue[opsv1.PaymentState](opsv1.PaymentState_value, "PAYMENT_STATE_", "--state", state); err != nil {
				return err
			}
			if filter.Result, err = enumValue[opsv1.PaymentResult](opsv1.PaymentResult_value, "PAYMENT_RESULT_", "--result", result); err != nil {
				return err
			}
			list, err := a.ops().ListPayments(ctx, &opsv1.ListPaymentsRequest{Filter: filter, PageSize: size})
			if err != nil {
				return err
			}
			if a.json {
				return printProto(a.out, list)
			}
			t := newTable(a.out, "payment", "tenant", "flow", "state", "result", "code", "amount", "started")
			for _, p := range list.GetPayments() {
				t.row(p.GetUuid(), p.GetTenant(), p.GetFlow(),
					enumText(p.GetState().String(), "PAYMENT_STATE_"), enumText(p.GetResult().String(), "PAYMENT_RESULT_"), p.GetCode(),
					strings.TrimSpace(p.GetAmount()+" "+p.GetCurrency()), clockTime(p.GetStartedTime().AsTime().UnixMilli()))
			}
			if err := t.flush(); err != nil {
				return err
			}
			if list.GetNextPageToken() != "" {
				fmt.Fprintln(a.err, "there are more: raise --limit or narrow the filter")
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&filter.Tenant, "tenant", "", "of this tenant")
	flags.StringVar(&filter.Flow, "flow", "", "of this flow")
	flags.StringVar(&filter.Text, "text", "", "with this identifier: UUID, client key, quote, transfer …")
	flags.StringVar(&state, "state", "", "running, incident or ended")
	flags.StringVar(&result, "result", "", "completed, failed, reversed, returned, rejected, unknown or cancelled")
	flags.Int32Var(&size, "limit", 100, "at most so many (1000)")
	flags.BoolVar(&inFlight, "in-flight", false, "running ones, from the core")
	flags.BoolVar(&incidents, "incidents", false, "ones that stand still, from the core")
	return cmd
}

func (a *app) paymentPublish() *cobra.Command {
	var vars []string
	var ttl time.Duration
	request := &corev1.PublishMessageRequest{}
	cmd := &cobra.Command{
		Use:   "publish TENANT NAME KEY",
		Short: "Publish a message to the payment that waits for it",
		Example: `  railhead payment publish greenbank operator-manual-recovery 7f0c… \
      --var operatorManualOverride=true --reason 'settled by telephone'`,
		Args: cobra.ExactArgs(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			request.Tenant, request.Name, request.Key = args[0], args[1], args[2]
			request.TtlMs, request.Actor = ttl.Milliseconds(), a.actor()
			if request.Variables, err = variables(vars); err != nil {
				return err
			}
			ctx, cancel := a.call(cmd.Context())
			defer cancel()
			done, err := a.control().PublishMessage(ctx, request)
			if err != nil {
				return err
			}
			if a.json {
				return printProto(a.out, done)
			}
			switch {
			case done.GetDuplicate():
				fmt.Fprintln(a.out, "known already: nothing changed")
			case ttl == 0:
				fmt.Fprintln(a.out, "published to whoever waits for it now; --ttl keeps it for later")
			default:
				fmt.Fprintln(a.out, "published")
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&vars, "var", nil, "a variable as `name=json`; may be repeated")
	flags.StringVar(&request.MessageId, "id", "", "makes the message idempotent")
	flags.DurationVar(&ttl, "ttl", 0, "keep it so long for a payment that does not wait yet")
	a.reasonFlag(cmd)
	return cmd
}
