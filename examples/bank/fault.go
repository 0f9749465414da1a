package bank

import (
	"path"
	"slices"
	"strings"
	"sync"
	"time"
)

// Fault is a mishap laid in wait for a request. Each takes one request and is
// gone.
type Fault struct {
	// Match is a method and a path, in which * stands for one segment: "POST
	// /holds/*/release".
	Match string `json:"match"`
	// Kind is one of the Fault constants.
	Kind    string `json:"kind"`
	DelayMS int64  `json:"delay_ms,omitempty"` // for FaultDelay: 1 to 60000
}

// The kinds of fault.
const (
	FaultDropResponse = "drop-response" // the deed is done, then the connection is cut
	FaultDropRequest  = "drop-request"  // the connection is cut, nothing is done
	FaultError503     = "error-503"     // nothing is done
	FaultDelay        = "delay-ms"      // the deed is done late
	FaultRefuse       = "refuse"        // the ledger refuses, and keeps the refusal under the key
)

// faults is the queue of what lies in wait.
type faults struct {
	mu    sync.Mutex
	queue []Fault
}

func (f *faults) add(next []Fault) error {
	for _, n := range next {
		method, pattern, ok := strings.Cut(n.Match, " ")
		_, err := path.Match(pattern, "/")
		switch {
		case !ok || method == "" || !strings.HasPrefix(pattern, "/") || err != nil:
			return refuse(BadRequest, "match %q is not a method and a path", clip(n.Match))
		case !slices.Contains([]string{FaultDropResponse, FaultDropRequest, FaultError503, FaultDelay, FaultRefuse}, n.Kind):
			return refuse(BadRequest, "kind %q is not a fault this bank has", clip(n.Kind))
		case (n.Kind == FaultDelay) != (n.DelayMS > 0) || n.DelayMS > time.Minute.Milliseconds():
			return refuse(BadRequest, "delay_ms goes with kind delay-ms and is 1 to 60000")
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.queue)+len(next) > 1000 {
		return refuse(BadRequest, "more than 1000 faults would lie in wait")
	}
	f.queue = append(f.queue, next...)
	return nil
}

// take removes and returns the first fault that matches.
func (f *faults) take(method, urlPath string) (Fault, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := slices.IndexFunc(f.queue, func(n Fault) bool {
		m, pattern, _ := strings.Cut(n.Match, " ")
		ok, err := path.Match(pattern, urlPath)
		return m == method && ok && err == nil
	})
	if i < 0 {
		return Fault{}, false
	}
	n := f.queue[i]
	f.queue = slices.Delete(f.queue, i, i+1)
	return n, true
}

// list returns what still lies in wait, and clears it if asked to.
func (f *faults) list(empty bool) []Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := append([]Fault{}, f.queue...)
	if empty {
		f.queue = nil
	}
	return out
}
