package benchmark

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
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
	client := &http.Client{
		Timeout: straggle,
		Transport: &http.Transport{
			MaxIdleConnsPerHost: c.Outstanding, MaxConnsPerHost: 0, DisableCompression: true,
			DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		},
	}
	var last atomic.Uint64
	var workers sync.WaitGroup
	for i := range c.Outstanding {
		workers.Go(func() {
			base := c.URLs[i%len(c.URLs)]
			for !m.over() && ctx.Err() == nil {
				asked := time.Now()
				result, err := c.pay(ctx, client, base, last.Add(1))
				if err != nil {
					m.refuse(err.Error())
					time.Sleep(retryAfter)
					continue
				}
				m.ended(asked, result == "completed")
			}
		})
	}
	workers.Wait()
	return m.report()
}

// pay sends one payment through and returns its result.
func (c LoadConfig) pay(ctx context.Context, client *http.Client, base string, ref uint64) (string, error) {
	var started struct {
		Payment string `json:"transactionId"`
	}
	key := fmt.Sprintf("%s-%08d", c.Run, ref)
	if err := c.call(ctx, client, http.MethodPost, base+"/bench/start/"+c.Workload.Flow, key, request, &started); err != nil {
		return "", err
	}
	for _, message := range c.Workload.Messages {
		url := base + "/bench/messages/" + message.Name + "/" + started.Payment
		if err := c.call(ctx, client, http.MethodPost, url, key, "", nil); err != nil {
			return "", err
		}
	}
	var ended struct {
		Result string `json:"result"`
	}
	err := c.call(ctx, client, http.MethodGet, base+"/bench/payments/"+started.Payment+"/result", key, "", &ended)
	return ended.Result, err
}

// call makes one request; a node that is too busy (503) is asked again.
func (c LoadConfig) call(ctx context.Context, client *http.Client, method, url, key, body string, into any) error {
	for {
		req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader([]byte(body)))
		if err != nil {
			return err
		}
		req.Header.Set("Platform-TenantId", Tenant)
		req.Header.Set("X-CorrelationID", key)
		req.Header.Set("Content-Type", "application/json")
		response, err := client.Do(req)
		if err != nil {
			return err
		}
		raw, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
		_ = response.Body.Close()
		switch {
		case err != nil:
			return err
		case response.StatusCode == http.StatusServiceUnavailable:
			time.Sleep(retryAfter)
			continue
		case response.StatusCode >= 300:
			return fmt.Errorf("%d %s", response.StatusCode, bytes.TrimSpace(raw))
		case into == nil || len(raw) == 0:
			return nil
		}
		return json.Unmarshal(raw, into)
	}
}
