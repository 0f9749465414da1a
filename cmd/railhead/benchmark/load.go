package benchmark

import (
	"context"
	"fmt"
	"time"

	"github.com/railhead-hub/railhead/core/v1/corev1connect"
)

// LoadConfig is what the load process is told.
type LoadConfig struct {
	// Do is what to measure: payments, or counts, which are commands that do
	// nothing, as many and as long as those of the workload. fill starts payments
	// that wait, and measures nothing but how fast they were taken.
	Do       string
	Workload Workload
	Ingress  string // stream or http
	Control  corev1connect.ControlServiceClient
	URLs     []string // of the nodes' ingress, for http
	Run      string   // makes the client keys of this run its own

	// Rate, where it is not 0, begins so many payments a second. Otherwise
	// Outstanding payments are under way at any time, and each that ends begins the
	// next.
	Rate        float64
	Outstanding int
	Warmup      time.Duration
	Duration    time.Duration

	Waiting int       // how many payments fill starts
	Expires time.Time // when their timers are due
}

// openMax bounds the payments under way when they begin at a rate.
const openMax = 20_000

// Load does what it is told and reports. Payments that fail are counted, never
// hidden; an error says that measuring was not possible.
func Load(ctx context.Context, c LoadConfig) (LoadReport, error) {
	if c.Rate > 0 && c.Ingress == "stream" {
		c.Outstanding = openMax
	}
	switch {
	case c.Do == "counts":
		return Count(ctx, c)
	case c.Do == "fill":
		return fill(ctx, c)
	case c.Do != "payments":
		return LoadReport{}, fmt.Errorf("%q is none of payments, counts and fill", c.Do)
	case c.Ingress == "stream":
		return loadStream(ctx, c)
	case c.Ingress == "http":
		return loadHTTP(ctx, c)
	}
	return LoadReport{}, fmt.Errorf("ingress %q is neither stream nor http", c.Ingress)
}
