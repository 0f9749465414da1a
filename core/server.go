package core

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/railhead-hub/railhead/core/ingress"
)

// server is one listening address. Its handler is set when the node has built
// it; until then requests are answered 503.
type server struct {
	name     string
	listener net.Listener
	front    *ingress.Front // of the connectors' routes, else nil; is the listener then
	http     *http.Server
	handler  atomic.Pointer[http.Handler]
}

// ingressTimeoutMax leaves time to write the answer of a request that took so long.
const ingressTimeoutMax = 90 * time.Second

func listen(name, address string, certificates *tls.Config, log *slog.Logger) (*server, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	s := &server{name: name, listener: l}
	// The server adds to its configuration while others use theirs.
	certificates = certificates.Clone()
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	s.http = &http.Server{
		Handler:           http.HandlerFunc(s.serve),
		Protocols:         &protocols,
		TLSConfig:         certificates,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(log.With("server", name).Handler(), slog.LevelWarn),
	}
	if name != "control" {
		// Streams of the control API last; requests on the other addresses do not.
		s.http.ReadTimeout, s.http.WriteTimeout = time.Minute, ingressTimeoutMax+30*time.Second
	}
	if name == "ingress" {
		s.front = ingress.NewFront(l, certificates)
		s.listener, s.http.TLSConfig = s.front, nil
		s.http.ConnContext = ingress.ConnContext
	}
	return s, nil
}

func (s *server) handle(h http.Handler) {
	s.handler.Store(&h)
	if routes, ok := h.(*ingress.Handler); ok {
		s.front.Handle(routes)
	}
}

func (s *server) serve(w http.ResponseWriter, r *http.Request) {
	if h := s.handler.Load(); h != nil {
		(*h).ServeHTTP(w, r)
		return
	}
	w.Header().Set("Retry-After", "1")
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Connection", "close") // the next one is the front's
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = io.WriteString(w, `{"code":"STARTING","text":"The node is starting; try again shortly."}`)
}

func (s *server) addr() string { return s.listener.Addr().String() }

// shutdown lets requests under way end until ctx does, and then cuts them off.
func (s *server) shutdown(ctx context.Context) error {
	if s == nil {
		return nil
	}
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = s.http.Close()
	}
	if s.front != nil {
		s.front.Shutdown(ctx)
	}
	// A listener that was never served is not the server's to close.
	if closed := s.listener.Close(); err == nil && !errors.Is(closed, net.ErrClosed) {
		err = closed
	}
	return err
}

func (n *Node) serve(s *server) {
	var err error
	if s.http.TLSConfig != nil {
		err = s.http.ServeTLS(s.listener, "", "")
	} else {
		err = s.http.Serve(s.listener)
	}
	if !errors.Is(err, http.ErrServerClosed) {
		n.fail(fmt.Errorf("%s: %w", s.name, err))
	}
}

// adminHandler serves metrics and health, and profiles if they are asked for. The
// node lives while it can answer, and is ready when it knows a leader and holds
// every active connector.
func (n *Node) adminHandler(metrics *prometheus.Registry) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "ok\n")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if why := n.unready(); why != "" {
			http.Error(w, why, http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "ok\n")
	})
	if n.config.Pprof {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index) // and the named profiles below it
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	return mux
}

func (n *Node) unready() string {
	id, _ := n.replica.Leader()
	switch {
	case n.closing.Load():
		return "the node is stopping"
	case !n.caughtUp.Load():
		return "the node is catching up with its log"
	case id == "":
		return "no leader is known"
	case id == n.config.ID && !n.replica.IsLeader():
		return "this node is about to lead"
	case len(n.connectors.Missing()) > 0:
		return "an active connector is not ready"
	}
	return ""
}
