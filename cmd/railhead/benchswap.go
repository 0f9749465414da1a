package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/railhead-hub/railhead/cmd/railhead/benchmark"
)

// benchSwap is bench --swaps. Payments that are lost or done twice are an error.
func (a *app) benchSwap(cmd *cobra.Command, c benchmark.Config, s benchmark.SwapConfig, keep bool) error {
	r, err := benchmark.Swap(cmd.Context(), c, s)
	if err != nil {
		return fmt.Errorf("%w\nlogs are in %s", err, c.Dir)
	}
	if !keep {
		defer os.RemoveAll(c.Dir)
	}
	if a.json {
		err = printJSON(a.out, r)
	} else {
		t := newTable(a.out, "payments/s", "swaps", "rollbacks", "payments", "lost", "doubled", "p99 before ms", "during", "after", "ratio")
		t.row(r.Rate, r.Swaps, r.Rollbacks, r.Payments, r.Lost, r.Doubled, r.P99BeforeMs, r.P99Ms, r.P99AfterMs, r.P99Ratio)
		err = t.flush()
	}
	if err == nil && r.Lost+r.Doubled+r.NotCompleted > 0 {
		err = refusedf("%d payments were lost, %d done twice, %d not completed", r.Lost, r.Doubled, r.NotCompleted)
	}
	return err
}
