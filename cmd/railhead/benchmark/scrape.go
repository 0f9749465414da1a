package benchmark

import (
	"bufio"
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// series is a node's metrics by name and labels, as /metrics writes them.
type series map[string]float64

// scrape asks a node for its metrics.
func scrape(ctx context.Context, admin string) (series, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, admin+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("read the metrics: %w", err)
	}
	defer response.Body.Close()
	s := make(series)
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		name, value, found := cutLast(lines.Text())
		if !found || strings.HasPrefix(name, "#") {
			continue
		}
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			s[name] = v
		}
	}
	return s, nil
}

func cutLast(line string) (name, value string, found bool) {
	i := strings.LastIndexByte(line, ' ')
	if i < 0 {
		return "", "", false
	}
	return line[:i], line[i+1:], true
}

// bucket is one of a histogram: how many observations are not above its bound.
type bucket struct{ bound, count float64 }

// buckets of the histogram, without those that were there before.
func (s series) buckets(name string, before series) []bucket {
	var all []bucket
	for key, count := range s {
		rest, found := strings.CutPrefix(key, name+`_bucket{le="`)
		if !found {
			continue
		}
		bound := math.Inf(1)
		if text := strings.TrimSuffix(rest, `"}`); text != "+Inf" {
			bound, _ = strconv.ParseFloat(text, 64)
		}
		all = append(all, bucket{bound, count - before[key]})
	}
	slices.SortFunc(all, func(a, b bucket) int {
		if a.bound < b.bound {
			return -1
		}
		return 1
	})
	return all
}

// quantileMs is the upper bound, in milliseconds, of the bucket that holds the
// quantile: the true one is not above it. It is 0 when nothing was observed.
func quantileMs(all []bucket, q float64) float64 {
	if len(all) == 0 {
		return 0
	}
	total := all[len(all)-1].count
	if total == 0 {
		return 0
	}
	for _, b := range all {
		if b.count >= math.Ceil(q*total) {
			return math.Round(b.bound*1e6) / 1e3
		}
	}
	return math.Inf(1)
}
