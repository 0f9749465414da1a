package devhub

import (
	"bytes"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"sync/atomic"
	"time"
)

// front hands each request to a node that answers, as a load balancer before a
// cluster does. A request that a node may have taken and not answered is handed
// on: channels' requests and schemes' callbacks may be repeated.
func front(nodes []string) http.Handler {
	var turn atomic.Uint64
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 16<<20))
		if err != nil {
			http.Error(w, "the body cannot be read", http.StatusBadRequest)
			return
		}
		for range nodes {
			node := nodes[int(turn.Add(1))%len(nodes)]
			req, err := http.NewRequestWithContext(r.Context(), r.Method, node+r.URL.RequestURI(), bytes.NewReader(body))
			if err != nil {
				break
			}
			req.Header = r.Header.Clone()
			response, err := client.Do(req)
			if err != nil {
				slog.Debug("a node does not answer", "node", node, "err", err)
				continue
			}
			maps.Copy(w.Header(), response.Header)
			w.WriteHeader(response.StatusCode)
			_, _ = io.Copy(w, response.Body)
			_ = response.Body.Close()
			return
		}
		http.Error(w, "no node answers", http.StatusBadGateway)
	})
}
