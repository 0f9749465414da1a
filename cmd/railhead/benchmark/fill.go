package benchmark

import (
	"context"
	"fmt"
	"time"

	corev1 "github.com/railhead-hub/railhead/core/v1"
)

// waitingFlow is the flow of payments that wait: for a message that nobody
// sends, or for their time to be up.
const waitingFlow = "waiting"

// fill starts payments that wait, over one stream. They have eight variables
// each, as a transfer between its quote and its confirmation has.
func fill(ctx context.Context, c LoadConfig) (LoadReport, error) {
	d, err := openDriver(ctx, c, 1)
	if err != nil {
		return LoadReport{}, err
	}
	begun := time.Now()
	m := newMeter(0, 24*time.Hour)
	asked, answered := 0, 0
	ask := func() {
		asked++
		d.queue <- item{start: c.waiting(asked)}
	}
	for range min(c.Outstanding, c.Waiting) {
		ask()
	}
	err = d.run(func(answer *corev1.DriveResponse) bool {
		for _, s := range answer.GetStarted() {
			if s.GetCode() != "" {
				m.refuse(s.GetCode())
				d.again(item{start: c.waiting(int(s.GetRef()))})
				continue
			}
			answered++
			if asked < c.Waiting {
				ask()
			}
		}
		return answered == c.Waiting
	})
	r := LoadReport{
		Payments: int64(answered), PerSecond: float64(answered) / time.Since(begun).Seconds(),
		Refused: m.refused, LastRefusal: m.lastRefusal,
	}
	if err != nil {
		return r, fmt.Errorf("%d of %d payments were started; the last refusal was %s: %w", answered, c.Waiting, m.lastRefusal, err)
	}
	return r, nil
}

func (c LoadConfig) waiting(n int) *corev1.DriveStart {
	text := func(format string, args ...any) string { return `"` + fmt.Sprintf(format, args...) + `"` }
	return &corev1.DriveStart{
		Ref: uint64(n), Tenant: Tenant, Flow: waitingFlow, Channel: "bench",
		ClientKey: fmt.Sprintf("%s-%08d", c.Run, n), UuidVariable: "transactionId",
		Variables: []*corev1.Variable{
			{Name: "payerParty", Json: text("MSISDN/2771%07d", n)},
			{Name: "payeeParty", Json: text("MSISDN/2772%07d", n)},
			{Name: "amount", Json: text("%d.00", 10+n%1000)},
			{Name: "currency", Json: `"USD"`},
			{Name: "quoteId", Json: text("00000000-0000-4000-8000-%012d", n)},
			{Name: "partyLookupFailed", Json: "false"},
			// All within the minute that ends then.
			{Name: "expires", Json: text("%s", c.Expires.Add(-time.Duration(n%60_000)*time.Millisecond).UTC().Format("2006-01-02T15:04:05.000Z"))},
		},
	}
}
