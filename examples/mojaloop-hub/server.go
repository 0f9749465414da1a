package mojaloophub

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"
)

const (
	bodyBytesMax   = 5_242_880 // FSPIOP's limit
	headerBytesMax = 64 << 10
	earlyFor       = 2 * time.Second // the longest an early callback holds up its 202
)

// Config says who is in the scheme. The zero value of every field but Callbacks is
// usable.
type Config struct {
	// Hub is the hub's own name, the source of the errors it raises itself. "hub".
	Hub string
	// FSP is the built-in payee DFSP. "bluebank".
	FSP string
	// Callbacks maps the FSP id of each other DFSP to the base URL its callbacks go
	// to. A request from an FSP that is not here is refused.
	Callbacks map[string]string
	// Payees are the parties known at start.
	Payees []Payee
	// AnyPayee makes every MSISDN a customer of the payee, for load tests.
	AnyPayee bool
	// Secret is the payee's ILP secret. "secret".
	Secret string
	// QuoteFor is how long a quote is valid. One hour.
	QuoteFor time.Duration
	// RetryFirst and RetryLast bound the wait between two attempts of one callback,
	// RetryFor the time after which it is given up. 50 ms, 5 s and 2 min.
	RetryFirst, RetryLast, RetryFor time.Duration
	// MagicAmounts lets an amount choose a fault of its transfer, as Mojaloop's own
	// testing toolkit does.
	MagicAmounts map[string]Fault
	Log          *slog.Logger
}

// Server is the hub and its payee. It serves http.Handler; Close stops its
// callbacks.
type Server struct {
	config Config
	log    *slog.Logger
	mux    *http.ServeMux
	client *http.Client

	running context.Context
	stop    context.CancelFunc
	pending sync.WaitGroup
	slots   chan struct{} // one per callback in flight or waiting to be retried

	mu        sync.Mutex
	payees    map[string]*account
	quotes    map[string]*quote
	transfers map[string]*transfer
	order     []string // transfer ids, as they came
	settled   map[string]string
	faults    []*Fault
	counts    Counts
}

// Counts is what the callbacks have come to.
type Counts struct {
	Pending   int64 `json:"pending"`
	Delivered int64 `json:"delivered"`
	Retried   int64 `json:"retried"`
	GivenUp   int64 `json:"given_up"`
}

// New builds a hub; it opens nothing until it is served.
func New(config Config) (*Server, error) {
	fill(&config)
	for fsp, base := range config.Callbacks {
		u, err := url.Parse(base)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, fmt.Errorf("callback URL %q of %s is not an http address", base, fsp)
		}
	}
	s := &Server{
		config: config, log: config.Log, mux: http.NewServeMux(),
		client: &http.Client{
			Timeout:   10 * time.Second,
			Transport: &http.Transport{MaxIdleConnsPerHost: 256, IdleConnTimeout: time.Minute},
			CheckRedirect: func(*http.Request, []*http.Request) error {
				return http.ErrUseLastResponse
			},
		},
		slots:     make(chan struct{}, 65536),
		payees:    map[string]*account{},
		quotes:    map[string]*quote{},
		transfers: map[string]*transfer{},
		settled:   map[string]string{},
	}
	s.running, s.stop = context.WithCancel(context.Background())
	for _, p := range config.Payees {
		if err := s.enrol(p); err != nil {
			return nil, err
		}
	}
	s.routes()
	return s, nil
}

func fill(c *Config) {
	if c.Hub == "" {
		c.Hub = "hub"
	}
	if c.FSP == "" {
		c.FSP = "bluebank"
	}
	if c.Secret == "" {
		c.Secret = "secret"
	}
	if c.QuoteFor == 0 {
		c.QuoteFor = time.Hour
	}
	if c.RetryFirst == 0 {
		c.RetryFirst = 50 * time.Millisecond
	}
	if c.RetryLast == 0 {
		c.RetryLast = 5 * time.Second
	}
	if c.RetryFor == 0 {
		c.RetryFor = 2 * time.Minute
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}

func (s *Server) routes() {
	for _, path := range []string{"/parties/{type}/{id}", "/parties/{type}/{id}/{sub}"} {
		s.mux.HandleFunc("GET "+path, s.fspiop("parties", s.getParty))
	}
	s.mux.HandleFunc("POST /quotes", s.fspiop("quotes", s.postQuote))
	s.mux.HandleFunc("GET /quotes/{id}", s.fspiop("quotes", s.getQuote))
	s.mux.HandleFunc("POST /transfers", s.fspiop("transfers", s.postTransfer))
	s.mux.HandleFunc("GET /transfers/{id}", s.fspiop("transfers", s.getTransfer))
	s.adminRoutes()
	s.processRoutes()
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, http.StatusNotFound, "3002", "unknown URI "+r.URL.Path)
	})
}

// ServeHTTP serves the scheme and, to loopback callers, its admin API.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Close gives up the callbacks still under way and waits for them to stop.
func (s *Server) Close() {
	s.stop()
	s.pending.Wait()
	s.client.CloseIdleConnections()
}

// call is one validated request and how it is to be answered.
type call struct {
	request  *http.Request
	resource string
	source   string // FSPIOP-Source
	version  string // of the callback: the major.minor the caller accepts
	body     []byte
	fault    Fault // Kind is empty when there is none
}

// answer is a callback: what goes back to the source.
type answer struct {
	path string // "/quotes/{id}" or with "/error"
	from string // FSPIOP-Source
	body []byte
}

// fspiop wraps a resource's handler with what all have in common: headers, sizes,
// faults of the synchronous half, and the order of the 202 and the callback.
// handle returns nil, nil when there is nothing to send (still being processed).
func (s *Server) fspiop(resource string, handle func(*call) (*answer, *refusal)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, no := s.admit(resource, r)
		if no == nil {
			c.body, no = readBody(r)
		}
		if no != nil {
			no.write(w)
			return
		}
		c.fault = s.takeFault(resource, r.Method)
		switch c.fault.Kind {
		case HTTP503:
			refuse(w, http.StatusServiceUnavailable, "2003", "service currently unavailable")
			return
		case HTTP400:
			refuse(w, http.StatusBadRequest, c.fault.code("3100"), "refused by a fault of the simulator")
			return
		case Lost:
			w.WriteHeader(http.StatusAccepted)
			return
		}
		select {
		case s.slots <- struct{}{}:
		default:
			refuse(w, http.StatusServiceUnavailable, "2005", "too many callbacks wait to be delivered")
			return
		}
		a, no := handle(c)
		if no != nil {
			<-s.slots
			no.write(w)
			return
		}
		if a == nil || c.fault.Kind == Silence {
			<-s.slots
			w.WriteHeader(http.StatusAccepted)
			return
		}
		delivered := make(chan struct{})
		s.count(func(n *Counts) { n.Pending++ })
		s.pending.Go(func() {
			defer close(delivered)
			s.deliver(c, a)
		})
		switch c.fault.Kind {
		case Early:
			select {
			case <-delivered:
			case <-time.After(earlyFor): // the callback is refused and being retried
			}
		case Reset:
			panic(http.ErrAbortHandler) // the caller cannot know whether we took it
		}
		w.WriteHeader(http.StatusAccepted)
	}
}

func readBody(r *http.Request) ([]byte, *refusal) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, bodyBytesMax))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return nil, &refusal{http.StatusRequestEntityTooLarge, "3104", "body is larger than 5,242,880 bytes"}
	}
	if err != nil {
		return nil, &refusal{http.StatusBadRequest, "3101", "body is cut short"}
	}
	return body, nil
}

// digest tells a duplicate from a conflict: equal JSON has an equal digest, whatever
// its white space or order of keys.
func digest(canonical []byte) string {
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:])
}
