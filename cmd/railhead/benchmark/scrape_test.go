package benchmark

import (
	"math"
	"testing"
)

func TestQuantileIsTheBucketsBound(t *testing.T) {
	before := series{`x_bucket{le="0.001"}`: 10, `x_bucket{le="0.002"}`: 10, `x_bucket{le="+Inf"}`: 10}
	after := series{
		`x_bucket{le="0.001"}`: 108, `x_bucket{le="0.002"}`: 110, `x_bucket{le="+Inf"}`: 110,
		`xy_bucket{le="0.1"}`: 7,
	}
	all := after.buckets("x", before)
	if len(all) != 3 || !math.IsInf(all[2].bound, 1) || all[2].count != 100 {
		t.Fatalf("buckets: %v", all)
	}
	for q, want := range map[float64]float64{0.5: 1, 0.98: 1, 0.99: 2, 1: 2} {
		if got := quantileMs(all, q); got != want {
			t.Errorf("quantile %v: %v ms, want %v", q, got, want)
		}
	}
	if got := quantileMs(after.buckets("x", after), 0.99); got != 0 {
		t.Errorf("nothing observed: %v ms", got)
	}
}

func TestABacklogThatGrowsIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		samples []uint64
		growing bool
	}{
		"none":    {nil, false},
		"one":     {[]uint64{7}, false},
		"steady":  {[]uint64{900, 0, 300, 1000, 100, 700, 300, 0, 1000}, false},
		"growing": {[]uint64{0, 500, 900, 1300, 2000, 2500, 3000, 3600, 4000}, true},
	} {
		b := &backlog{samples: c.samples}
		first, last, peak, growing := b.figures(2000)
		if growing != c.growing {
			t.Errorf("%s: from %v to %v, at most %v: growing is %t", name, first, last, peak, growing)
		}
	}
}
