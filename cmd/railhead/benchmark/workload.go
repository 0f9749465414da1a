package benchmark

import (
	"fmt"

	corev1 "github.com/railhead-hub/railhead/core/v1"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// Tenant of the benchmark.
const Tenant = "bench"

// Workload is what one payment does.
type Workload struct {
	Name string
	// Flow is the BPMN process id, as deployed for Tenant.
	Flow string
	// Messages are published for each payment, once it has started, under its
	// UUID. They are kept until it waits for them.
	Messages []Message
	// Jobs are what the connector completes, by the variables each sets.
	Jobs [][]*corev1.Variable
	// Timers are how many times each payment waits for a moment to come. One
	// command fires many of them.
	Timers int
}

// Message is published to a payment.
type Message struct {
	Name      string
	Variables []*corev1.Variable
}

// Workloads by name.
func workloads() []Workload {
	set := func(pairs ...string) []*corev1.Variable {
		var out []*corev1.Variable
		for i := 0; i+1 < len(pairs); i += 2 {
			out = append(out, &corev1.Variable{Name: pairs[i], Json: pairs[i+1]})
		}
		return out
	}
	task := set("done", "true")
	return []Workload{
		{Name: "start-end", Flow: "start-end"},
		{
			Name: "one-task", Flow: "one-task",
			Jobs: [][]*corev1.Variable{task},
		},
		{
			Name: "ten-tasks", Flow: "ten-tasks",
			Jobs: [][]*corev1.Variable{task, task, task, task, task, task, task, task, task, task},
		},
		{
			Name: "message", Flow: "message",
			Messages: []Message{{"bench-callback", set("answered", "true")}},
		},
		{Name: "timer", Flow: "timer", Timers: 1},
		{
			Name: "payer-fund-transfer", Flow: "payer-fund-transfer-" + Tenant,
			Messages: []Message{
				{"party-lookup", set("partyLookupFailed", "false")},
				{"quote-callback", set("quoteFailed", "false")},
				{"accept-quote", set("payerConfirmed", "true")},
				{"transfer-response", set("transferFailed", "false", "transferState", `"COMMITTED"`)},
			},
			Jobs: [][]*corev1.Variable{
				nil, // party lookup
				set("quoteId", `"00000000-0000-4000-8000-000000000000"`),
				set("localQuoteFailed", "false"),
				nil, // confirmation
				set("transferPrepareFailed", "false"),
				nil, // transfer
				set("transferCreateFailed", "false"),
				nil, // success to the channel
			},
		},
	}
}

// WorkloadNames lists them.
func WorkloadNames() []string {
	var names []string
	for _, w := range workloads() {
		names = append(names, w.Name)
	}
	return names
}

// FindWorkload returns the workload of that name.
func FindWorkload(name string) (Workload, error) {
	for _, w := range workloads() {
		if w.Name == name {
			return w, nil
		}
	}
	return Workload{}, fmt.Errorf("workload %q is none of %v", name, WorkloadNames())
}

// Commands is how many commands of the log one payment is, not counting those
// that fire timers: one of them serves many payments.
func (w Workload) Commands() int { return 1 + len(w.Messages) + len(w.Jobs) }

// request is the start variable of a payment: as long as a channel's request is.
const request = `{"payer":{"partyIdInfo":{"partyIdType":"MSISDN","partyIdentifier":"27710101999"}},` +
	`"payee":{"partyIdInfo":{"partyIdType":"MSISDN","partyIdentifier":"27710102999"}},` +
	`"amount":{"amount":"10.00","currency":"USD"}}`

func startVariables() []*corev1.Variable {
	return []*corev1.Variable{{Name: "channelRequest", Json: request}}
}

// padding is, for each command of a payment, how many bytes of nothing make a
// counting command as long as it.
func (w Workload) padding() []uint32 {
	const uuid, clientKey = "00000000-0000-4000-8000-000000000000", "0123456789abcdef-00000000"
	variables := func(in []*corev1.Variable) []*enginev1.Variable {
		out := make([]*enginev1.Variable, 0, len(in))
		for _, v := range in {
			out = append(out, &enginev1.Variable{Name: v.GetName(), Json: []byte(v.GetJson())})
		}
		return out
	}
	var sizes []uint32
	add := func(c *enginev1.Command) { sizes = append(sizes, uint32(c.SizeVT())) }
	add(&enginev1.Command{Verb: &enginev1.Command_StartPayment{StartPayment: &enginev1.StartPayment{
		Tenant: Tenant, Flow: w.Flow, ClientKey: clientKey, Variables: variables(startVariables()), UuidVariable: "transactionId",
	}}})
	for _, m := range w.Messages {
		add(&enginev1.Command{Verb: &enginev1.Command_Publish{Publish: &enginev1.Publish{
			Tenant: Tenant, Name: m.Name, Key: uuid, MessageId: m.Name + uuid, TtlMs: 60_000, Variables: variables(m.Variables),
		}}})
	}
	for i, v := range w.Jobs {
		add(&enginev1.Command{Verb: &enginev1.Command_FinishJob{FinishJob: &enginev1.FinishJob{
			Origin:  &enginev1.Origin{Payment: 1 << 60, Job: uint32(i + 1), Attempt: 1, Epoch: 1, Ordinal: 1},
			Outcome: &enginev1.FinishJob_Complete{Complete: &enginev1.Complete{Variables: variables(v)}},
		}}})
	}
	empty := uint32((&enginev1.Command{Verb: &enginev1.Command_Count{Count: &enginev1.Count{Padding: make([]byte, 1)}}}).SizeVT()) - 1
	for i := range sizes {
		sizes[i] -= min(empty, sizes[i])
	}
	return sizes
}
