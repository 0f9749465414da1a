package opsd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"

	"github.com/railhead-hub/railhead/opsd/api"
	"github.com/railhead-hub/railhead/opsd/consume"
	"github.com/railhead-hub/railhead/opsd/store"
)

const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	// stopTimeout is how long requests may take to end once opsd is told to stop.
	stopTimeout = 5 * time.Second
	headerMax   = 64 << 10
)

// Server is one opsd process, built from its parts.
type Server struct {
	log      *slog.Logger
	store    *store.Store
	consumer *consume.Consumer // nil without brokers
	api      net.Listener
	admin    net.Listener
	apiSrv   *http.Server
	adminSrv *http.Server
	secure   bool
}

// Open brings the database up to date and takes the addresses; Run serves. The
// order matters: a process that cannot open its database never listens.
func Open(ctx context.Context, cfg Config, log *slog.Logger) (*Server, error) {
	if err := cfg.Check(); err != nil {
		return nil, fmt.Errorf("opsd: %w", err)
	}
	tlsConfig, err := cfg.TLS.load()
	if err != nil {
		return nil, err
	}
	s := &Server{log: log, secure: tlsConfig != nil}
	if s.store, err = store.Open(ctx, cfg.database()); err != nil {
		return nil, err
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	consume.RegisterStatus(registry, s.store)

	serviceConfig := api.Config{Sensitive: cfg.Sensitive, Version: cfg.Version}
	var service *api.Service
	if len(cfg.Kafka.Brokers) > 0 {
		consumeConfig := consume.Config{
			Brokers: cfg.Kafka.Brokers, EventsTopic: cfg.Kafka.EventsTopic, AuditTopic: cfg.Kafka.AuditTopic,
			Group: cfg.Kafka.Group, BatchMax: cfg.BatchMax,
			Applied: func(store.Applied) { service.Changed() },
		}
		if cfg.Kafka.TLS {
			consumeConfig.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
			if tlsConfig != nil {
				consumeConfig.TLS = tlsConfig.Clone()
			}
		}
		s.consumer = consume.New(consumeConfig, s.store, log, registry)
		serviceConfig.Consumer = s.consumer
	}
	service = api.New(serviceConfig, s.store, log)

	if s.api, err = net.Listen("tcp", cfg.Listen); err != nil {
		return nil, errors.Join(fmt.Errorf("opsd: %w", err), s.store.Close())
	}
	if s.admin, err = net.Listen("tcp", cfg.Admin); err != nil {
		return nil, errors.Join(fmt.Errorf("opsd: %w", err), s.api.Close(), s.store.Close())
	}
	s.apiSrv = s.server(api.Handler(service))
	s.apiSrv.TLSConfig = tlsConfig
	s.adminSrv = s.server(s.adminHandler(registry))
	return s, nil
}

// server has no write timeout: it would cut streams. Reading headers and idling
// are bounded.
func (s *Server) server(h http.Handler) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler: h, Protocols: protocols, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: headerMax,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
}

// adminHandler serves metrics and health. Alive means that the process answers;
// ready means that the database answers. Kafka being away is neither: what is
// stored can be read.
func (s *Server) adminHandler(registry *prometheus.Registry) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{Registry: registry}))
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		if err := s.store.Ping(ctx); err != nil {
			s.log.Warn("not ready", "error", err)
			http.Error(w, "the database does not answer", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	return mux
}

// URL is where the API is served; of use when the port was 0.
func (s *Server) URL() string {
	if s.secure {
		return "https://" + s.api.Addr().String()
	}
	return "http://" + s.api.Addr().String()
}

// AdminURL is where metrics and health are served.
func (s *Server) AdminURL() string { return "http://" + s.admin.Addr().String() }

// Run consumes and serves until ctx ends, which is no error. Afterwards the
// Server is spent; Close it.
func (s *Server) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	// Requests, streams among them, end with ctx.
	base := func(net.Listener) context.Context { return ctx }
	s.apiSrv.BaseContext, s.adminSrv.BaseContext = base, base
	group.Go(func() error {
		if s.secure {
			return ended(s.apiSrv.ServeTLS(s.api, "", ""))
		}
		return ended(s.apiSrv.Serve(s.api))
	})
	group.Go(func() error { return ended(s.adminSrv.Serve(s.admin)) })
	if s.consumer != nil {
		group.Go(func() error { return s.consumer.Run(ctx) })
	}
	group.Go(func() error {
		<-ctx.Done()
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		for _, srv := range []*http.Server{s.apiSrv, s.adminSrv} {
			if err := srv.Shutdown(stop); err != nil {
				_ = srv.Close()
			}
		}
		return nil
	})
	s.log.Info("opsd serves", "api", s.URL(), "admin", s.AdminURL(), "store", s.store.Driver(), "consumes", s.consumer != nil)
	return group.Wait()
}

func ended(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("opsd: serve: %w", err)
}

// Close gives up the addresses and the database.
func (s *Server) Close() error {
	_ = s.apiSrv.Close()
	_ = s.adminSrv.Close()
	_ = s.api.Close()
	_ = s.admin.Close()
	return s.store.Close()
}
