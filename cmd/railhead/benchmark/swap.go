package benchmark

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/railhead-hub/railhead/cmd/railhead/devhub"
	corev1 "github.com/railhead-hub/railhead/core/v1"
	"github.com/railhead-hub/railhead/sdk/abi"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
	"github.com/railhead-hub/railhead/sdk/wasm"
)

// SwapConfig is how often a connector is swapped under load.
type SwapConfig struct {
	Swaps     int // activations of the other version, each for all payments
	Rollbacks int // among them
}

// SwapReport is what payments notice of it: nothing, or the rest of the line says what.
type SwapReport struct {
	Workload  string  `json:"workload"`
	Nodes     int     `json:"nodes"`
	Rate      float64 `json:"rate"` // payments begun each second
	Swaps     int     `json:"swaps"`
	Rollbacks int     `json:"rollbacks"`
	SwapP50Ms float64 `json:"swap_p50_ms"` // of an activation, as whoever asks for it sees it
	SwapMaxMs float64 `json:"swap_max_ms"`

	// Payments while versions are swapped, as Kafka has them: each is told to begin and
	// to end, and each of its jobs to be completed, once.
	Payments     int64 `json:"payments"`
	Lost         int64 `json:"lost"`
	Doubled      int64 `json:"doubled"`
	NotCompleted int64 `json:"not_completed"`
	Refused      int64 `json:"refused"`
	// By how many versions jobs were done, at least; and the jobs of each.
	Jobs map[string]int64 `json:"jobs_by_version"`

	// The same load in the same run, before, during and after. Ratio is during by the
	// mean of the two others.
	P99BeforeMs float64 `json:"p99_before_ms"`
	P99Ms       float64 `json:"p99_during_ms"`
	P99AfterMs  float64 `json:"p99_after_ms"`
	P99Ratio    float64 `json:"p99_ratio"`
	P50BeforeMs float64 `json:"p50_before_ms"`
	P50Ms       float64 `json:"p50_during_ms"`
	MaxMs       float64 `json:"max_during_ms"`

	DurationS float64 `json:"duration_s"`
	CPUs      int     `json:"cpus"`
}

// swapRateMost is the load under which versions are swapped, in payments a second;
// half of what the machine can do, where that is less.
const swapRateMost = 1000

// Swap loads a cluster, swaps two versions of its connector and rolls some of the swaps
// back, and reports.
func Swap(ctx context.Context, c Config, s SwapConfig) (r SwapReport, err error) {
	c.Ingress = "stream"
	cl, err := startCluster(ctx, c, false)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, cl.stop()) }()
	versions, err := cl.twoVersions(ctx)
	if err != nil {
		return r, err
	}
	if c.Rate == 0 {
		slog.Info("finding out what the machine can do")
		most, err := cl.load(ctx, loadArgs{do: "payments", workload: c.Workload.Name})
		if err != nil {
			return r, err
		}
		c.Rate = math.Round(min(swapRateMost, max(most.PerSecond/2, 1)))
		if err := cl.awaitExported(ctx); err != nil {
			return r, err
		}
	}
	r = SwapReport{
		Workload: c.Workload.Name, Nodes: c.Nodes, Rate: c.Rate, Swaps: s.Swaps, Rollbacks: s.Rollbacks,
		DurationS: c.Duration.Seconds(), CPUs: runtime.NumCPU(),
	}
	steady := func(what string) (LoadReport, error) {
		slog.Info("measuring", "swaps", what, "rate", c.Rate, "seconds", c.Duration.Seconds())
		report, err := cl.load(ctx, loadArgs{do: "payments", workload: c.Workload.Name, rate: c.Rate})
		if err != nil {
			return report, fmt.Errorf("%s the swaps: %w", what, err)
		}
		return report, cl.awaitExported(ctx)
	}
	before, err := steady("before")
	if err != nil {
		return r, err
	}
	swapping, cancel := context.WithCancel(ctx)
	defer cancel()
	took := make(chan swapsDone, 1)
	go func() { took <- cl.swap(swapping, s, versions) }()
	during, err := steady("during")
	if err != nil {
		return r, err
	}
	done := <-took
	if done.err != nil {
		return r, fmt.Errorf("swap: %w", done.err)
	}
	after, err := steady("after")
	if err != nil {
		return r, err
	}
	r.SwapP50Ms, r.SwapMaxMs = done.p50, done.most
	r.P99BeforeMs, r.P99Ms, r.P99AfterMs = before.P99Ms, during.P99Ms, after.P99Ms
	r.P50BeforeMs, r.P50Ms, r.MaxMs = before.P50Ms, during.P50Ms, during.MaxMs
	r.P99Ratio = math.Round(during.P99Ms/((before.P99Ms+after.P99Ms)/2)*1000) / 1000
	r.NotCompleted, r.Refused = during.NotCompleted, during.Refused
	told, err := cl.tell(ctx, len(c.Workload.Jobs))
	if err != nil {
		return r, fmt.Errorf("count what Kafka has: %w", err)
	}
	r.Payments, r.Lost, r.Doubled = told.payments, told.lost, told.doubled
	r.Jobs = make(map[string]int64)
	for digest, n := range told.jobs {
		r.Jobs[fmt.Sprintf("%.6x", digest)] = n
	}
	return r, nil
}

// twoVersions installs a second version of the benchmark's connector: the same code
// with another version in its manifest, and so another module. It returns both digests,
// the one that serves first.
func (cl *cluster) twoVersions(ctx context.Context) (digests [2][]byte, err error) {
	files, err := devhub.Modules(cl.config.Connectors, "bench")
	if err != nil {
		return digests, err
	}
	module, err := os.ReadFile(files[0])
	if err != nil {
		return digests, err
	}
	other, err := nextVersion(module)
	if err != nil {
		return digests, err
	}
	for i, m := range [][]byte{module, other} {
		done, err := devhub.Install(ctx, cl.control(), m, nil, swapper)
		if err != nil {
			return digests, fmt.Errorf("install version %d: %w", i+1, err)
		}
		digests[i] = done.GetDigest()
	}
	return digests, nil
}

var swapper = &corev1.Actor{Name: "bench", Reason: "swaps under load"}

// nextVersion is a module of the same code with a higher version.
func nextVersion(module []byte) ([]byte, error) {
	section, found, err := wasm.Custom(module, abi.SectionManifest)
	if err != nil || !found {
		return nil, errors.Join(errors.New("the module has no manifest"), err)
	}
	manifest := new(sdkv1.Manifest)
	if err := manifest.UnmarshalVT(section); err != nil {
		return nil, err
	}
	manifest.Version = "1.0.1"
	if section, err = manifest.MarshalVTStrict(); err != nil {
		return nil, err
	}
	return wasm.WithCustom(module, abi.SectionManifest, section)
}

// swapsDone says how long activations took, in milliseconds.
type swapsDone struct {
	p50, most float64
	err       error
}

// swap spreads swaps and rollbacks over the time that is measured. A rollback takes back
// the swap before it.
func (cl *cluster) swap(ctx context.Context, s SwapConfig, digests [2][]byte) (done swapsDone) {
	tick := time.NewTicker(max(cl.config.Duration/time.Duration(s.Swaps+s.Rollbacks+1), time.Millisecond))
	defer tick.Stop()
	var took []time.Duration
	serves, rolledBack := 0, 0
	for i := 0; i < s.Swaps || rolledBack < s.Rollbacks; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			done.err = context.Cause(ctx)
			return done
		}
		begun := time.Now()
		if rolledBack*s.Swaps < i*s.Rollbacks {
			rolledBack++
			done.err = cl.rollBack(ctx, digests[serves], digests[1-serves])
		} else {
			i++
			_, done.err = cl.control().ActivateConnector(ctx, &corev1.ActivateConnectorRequest{
				Tenant: Tenant, Connector: "bench", Digest: digests[1-serves], Actor: swapper,
			})
			took = append(took, time.Since(begun))
		}
		if done.err != nil {
			return done
		}
		serves = 1 - serves
	}
	slices.Sort(took)
	if len(took) > 0 {
		ms := func(d time.Duration) float64 { return math.Round(d.Seconds()*1e5) / 100 }
		done.p50, done.most = ms(took[len(took)/2]), ms(took[len(took)-1])
	}
	return done
}

func (cl *cluster) rollBack(ctx context.Context, from, to []byte) error {
	back, err := cl.control().RollbackConnector(ctx, &corev1.RollbackConnectorRequest{
		Tenant: Tenant, Connector: "bench", Digest: from, Actor: swapper,
	})
	if err == nil && !bytes.Equal(back.GetDigest(), to) {
		err = fmt.Errorf("the rollback went to %x", back.GetDigest())
	}
	return err
}
