package benchmark

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// loadHTTP starts every payment through the channel connector, sends every
// message as a callback, and then waits for the result as a channel would. Each
// of the outstanding payments has a connection of its own.
func loadHTTP(ctx context.Context, c LoadConfig) (LoadReport, error) {
	if len(c.URLs) == 0 {
		return LoadReport{}, fmt.Errorf("ingress http needs the nodes' addresses")
	}
	ctx, cancel := context.WithTimeout(ctx, c.Warmup+c.Duration+straggle)
	defer cancel()
	m := newMeter(c.Warmup, c.Duration)
	clients := make([]*client, c.Outstanding)
	for i := range clients {
		var err error
		if clients[i], err = newClient(c.URLs[i%len(c.URLs)]); err != nil {
			return LoadReport{}, err
		}
	}
	due := make(chan time.Time)
	go func() {
		defer close(due)
		if c.Rate == 0 {
			return
		}
		m.pace(ctx, c.Rate, func(at time.Time) {
			select {
			case due <- at:
			case <-ctx.Done():
			}
		})
	}()
	var last atomic.Uint64
	var workers sync.WaitGroup
	for _, client := range clients {
		workers.Go(func() {
			defer client.close()
			p := payer{c, client}
			for {
				at, more := time.Now(), !m.over() && ctx.Err() == nil
				if c.Rate > 0 {
					at, more = <-due
				}
				if !more {
					return
				}
				result, err := p.pay(ctx, last.Add(1))
				if err != nil {
					m.refuse(err.Error())
					time.Sleep(retryAfter)
					continue
				}
				m.ended(at, result == "completed")
			}
		})
	}
	workers.Wait()
	return m.report()
}

// payer sends payments through, one after the other.
type payer struct {
	LoadConfig
	client *client
}

// pay sends one payment through and returns its result.
func (p payer) pay(ctx context.Context, ref uint64) (result string, err error) {
	number := strconv.FormatUint(ref, 10)
	key := p.Run + "-" + "00000000"[min(8, len(number)):] + number
	started, err := p.call(ctx, http.MethodPost, "/bench/start/"+p.Workload.Flow, key, request)
	if err != nil {
		return "", err
	}
	payment := field(started, "transactionId")
	for _, message := range p.Workload.Messages {
		if _, err := p.call(ctx, http.MethodPost, "/bench/messages/"+message.Name+"/"+payment, key, ""); err != nil {
			return "", err
		}
	}
	ended, err := p.call(ctx, http.MethodGet, "/bench/payments/"+payment+"/result", key, "")
	return field(ended, "result"), err
}

// call makes one request; a node that is too busy (503) is asked again. The
// answer is good until the next call.
func (p payer) call(ctx context.Context, method, path, key, body string) ([]byte, error) {
	headers := [...]header{
		{"Content-Type", "application/json"},
		{"Platform-TenantId", Tenant},
		{"X-CorrelationID", key},
	}
	for {
		status, answer, err := p.client.do(ctx, method, path, headers[:], body)
		switch {
		case err != nil:
			return nil, err
		case status == http.StatusServiceUnavailable:
			time.Sleep(retryAfter)
			continue
		case status >= 300:
			return nil, fmt.Errorf("%d %s", status, bytes.TrimSpace(answer))
		}
		return answer, nil
	}
}

// field is a text of a small JSON object whose texts need no unescaping, as those
// of the benchmark's connector; "" when it is not there.
func field(object []byte, name string) string {
	_, rest, found := bytes.Cut(object, []byte(`"`+name+`":"`))
	text, _, ended := bytes.Cut(rest, []byte(`"`))
	if !found || !ended {
		return ""
	}
	return string(text)
}
