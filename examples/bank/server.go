package bank

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"
)

// Config says how a Server is to be. The zero value of a field is its default.
type Config struct {
	// Database is the path of an SQLite file or a postgres:// URL.
	Database string
	// Keys is KeysHonoured unless set.
	Keys Keys
	// Token is the bearer token every request under the API must show; empty lets
	// everyone in, which is for loopback.
	Token string
	// Delay is added to every request of the API, before the deed.
	Delay time.Duration
	// RequestTimeout bounds a request: after it, a deed that has not been
	// committed never will be. A client that enquires later than this after it
	// sent a request gets the final word. 10 seconds unless set.
	RequestTimeout time.Duration
	// Faults opens /faults, for callers on loopback only.
	Faults bool
	// Log is slog.Default() unless set.
	Log *slog.Logger
}

// Server is the bank over HTTP. Any http.Server may serve its Handler.
type Server struct {
	config  Config
	ledger  *Ledger
	faults  faults
	metrics *metrics
	log     *slog.Logger
	handler http.Handler
}

// Open opens the database and makes a Server of it.
func Open(ctx context.Context, c Config) (*Server, error) {
	c.Keys = cmp.Or(c.Keys, KeysHonoured)
	c.RequestTimeout = cmp.Or(c.RequestTimeout, 10*time.Second)
	c.Log = cmp.Or(c.Log, slog.Default())
	if c.Keys != KeysHonoured && c.Keys != KeysIgnored {
		return nil, fmt.Errorf("keys is %q, not %s or %s", c.Keys, KeysHonoured, KeysIgnored)
	}
	if c.RequestTimeout < 0 || c.Delay < 0 {
		return nil, errors.New("a duration is below zero")
	}
	store, err := OpenStore(ctx, c.Database)
	if err != nil {
		return nil, err
	}
	s := &Server{config: c, ledger: &Ledger{store: store, keys: c.Keys}, metrics: newMetrics(), log: c.Log}
	s.handler = s.guard(s.mux(s.routes()))
	return s, nil
}

// Handler answers the interface of openapi.yaml.
func (s *Server) Handler() http.Handler { return s.handler }

// Close releases the database. Call it when the http.Server has shut down.
func (s *Server) Close() error { return s.ledger.store.Close() }

// response remembers the status for metrics and log.
type response struct {
	http.ResponseWriter
	status int
}

func (w *response) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// guard measures, logs and admits. It logs routes, never paths or bodies: those
// hold telephone numbers.
func (s *Server) guard(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w := &response{ResponseWriter: rw, status: http.StatusOK}
		begun := time.Now()
		s.metrics.inFlight.Inc()
		defer func() {
			s.metrics.inFlight.Dec()
			p := recover()
			if p != nil && p != http.ErrAbortHandler { //nolint:errorlint // the sentinel net/http itself compares
				s.log.ErrorContext(r.Context(), "request panicked", "route", r.Pattern, "panic", p)
				s.fail(w, r, errors.New("panic"))
			}
			if p == http.ErrAbortHandler { //nolint:errorlint // as above
				w.status = 0
			}
			route := cmp.Or(r.Pattern, "none")
			took := time.Since(begun)
			s.metrics.observe(route, w.status, took)
			s.log.DebugContext(r.Context(), "request", "route", route, "status", w.status, "took_ms", took.Milliseconds(), "cut", p != nil)
			if p == http.ErrAbortHandler { //nolint:errorlint // as above
				panic(p)
			}
		}()
		mux.ServeHTTP(w, r)
	})
}

// admit checks the token and the text of path and query.
func (s *Server) admit(next http.HandlerFunc) http.HandlerFunc {
	want := sha256.Sum256([]byte(s.config.Token))
	return func(w http.ResponseWriter, r *http.Request) {
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		have := sha256.Sum256([]byte(token))
		if s.config.Token != "" && subtle.ConstantTimeCompare(want[:], have[:]) != 1 {
			w.Header().Set("WWW-Authenticate", `Bearer realm="bank"`)
			s.fail(w, r, refuse(Unauthenticated, "the bearer token is missing or wrong"))
			return
		}
		err := checkText("the path", r.URL.Path, 1, 1024)
		for _, values := range r.URL.Query() {
			for _, v := range values {
				err = errors.Join(err, checkText("the query", v, 0, 256))
			}
		}
		if err != nil {
			s.fail(w, r, err)
			return
		}
		next(w, r)
	}
}

// fail answers with a refusal, or hides a failure behind a code. A 5xx says that
// the client does not know what became of its request.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	e, ok := refusal(err)
	switch {
	case ok:
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled):
		e = &Error{Unavailable, "the ledger did not get to it in time: ask again, or enquire"}
	default:
		s.log.ErrorContext(r.Context(), "request failed", "route", r.Pattern, "error", err)
		e = &Error{Internal, "the ledger failed: enquire what became of the request"}
	}
	if e.Code == Unavailable {
		w.Header().Set("Retry-After", "1")
	}
	s.answer(w, e.status(), e)
}

func (s *Server) answer(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		status, text = http.StatusInternalServerError, []byte(`{"code":"INTERNAL","message":"the answer cannot be written"}`)
	}
	s.write(w, status, text)
}

func (s *Server) write(w http.ResponseWriter, status int, text []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write(text) // the client is gone; what was done stands
}

// mutation handles a request that changes the ledger: once per idempotency key.
// It goes on when the client hangs up, as a real bank does, but not beyond the
// request timeout.
func mutation[T any](s *Server, status int, do func(*tx, *http.Request, T) (any, error)) http.HandlerFunc {
	return s.admit(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), s.config.RequestTimeout)
		defer cancel()
		var body T
		if err := errors.Join(params(r), decode(w, r, &body)); err != nil {
			s.fail(w, r, err)
			return
		}
		q := request{key: r.Header.Get("Idempotency-Key"), deed: r.Method + " " + r.URL.Path, body: body}
		if err := s.checkKey(q.key); err != nil {
			s.fail(w, r, err)
			return
		}
		fault, err := s.meet(ctx, r)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		a, err := s.ledger.perform(ctx, q, func(t *tx) (int, any, error) {
			if fault.Kind == FaultRefuse {
				return 0, nil, refuse(Refused, "refused by a fault that lay in wait")
			}
			out, err := do(t, r, body)
			return status, out, err
		})
		if fault.Kind == FaultDropResponse {
			panic(http.ErrAbortHandler)
		}
		if err != nil {
			s.fail(w, r, err)
			return
		}
		if a.repeated {
			s.metrics.repeats.Inc()
			w.Header().Set("Idempotency-Replayed", "true")
		}
		s.write(w, a.status, a.body)
	})
}

func (s *Server) checkKey(key string) error {
	if s.config.Keys == KeysIgnored {
		return nil
	}
	if key == "" {
		return refuse(KeyRequired, "the header Idempotency-Key is missing")
	}
	for _, c := range []byte(key) {
		if c <= ' ' || c > '~' || len(key) > 128 {
			return refuse(BadRequest, "the header Idempotency-Key is not 1 to 128 visible ASCII characters")
		}
	}
	return nil
}

// meet lets the configured delay and a fault have their way with a request.
func (s *Server) meet(ctx context.Context, r *http.Request) (Fault, error) {
	delay := s.config.Delay
	fault, ok := s.faults.take(r.Method, r.URL.Path)
	if ok {
		s.metrics.faults.WithLabelValues(fault.Kind).Inc()
		s.log.InfoContext(ctx, "fault", "route", r.Pattern, "kind", fault.Kind)
	}
	switch fault.Kind {
	case FaultDropRequest:
		panic(http.ErrAbortHandler)
	case FaultError503:
		return fault, refuse(Unavailable, "unavailable by a fault that lay in wait")
	case FaultDelay:
		delay += time.Duration(fault.DelayMS) * time.Millisecond
	}
	if delay == 0 {
		return fault, nil
	}
	wait := time.NewTimer(delay)
	defer wait.Stop()
	select {
	case <-wait.C:
		return fault, nil
	case <-ctx.Done():
		return fault, ctx.Err()
	}
}

// enquiry handles a request that changes nothing.
func (s *Server) enquiry(do func(*tx, *http.Request) (any, error), queries ...string) http.HandlerFunc {
	return s.admit(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), s.config.RequestTimeout)
		defer cancel()
		var out any
		err := params(r, queries...)
		if err == nil {
			_, err = s.meet(ctx, r)
		}
		if err == nil {
			err = s.ledger.store.view(ctx, func(t *tx) (err error) {
				out, err = do(t, r)
				return err
			})
		}
		if err != nil {
			s.fail(w, r, err)
			return
		}
		s.answer(w, http.StatusOK, out)
	})
}

// onLoopback lets only callers on this machine through, and only if asked for.
func (s *Server) onLoopback(next http.HandlerFunc) http.HandlerFunc {
	return s.admit(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if ip := net.ParseIP(host); !s.config.Faults || err != nil || !ip.IsLoopback() {
			s.fail(w, r, refuse(Forbidden, "faults are for callers on loopback, at a bank that was started with them"))
			return
		}
		next(w, r)
	})
}
