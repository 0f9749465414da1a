package control

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net/http"
	"time"

	"connectrpc.com/connect"
	"connectrpc.com/grpcreflect"
	"connectrpc.com/validate"

	"github.com/railhead-hub/railhead/core/connector"
	"github.com/railhead-hub/railhead/core/link"
	"github.com/railhead-hub/railhead/core/replica"
	"github.com/railhead-hub/railhead/core/v1/corev1connect"
)

// Config is what a Service works with; all fields but AdvanceClock must be set.
type Config struct {
	Commands   *Commands
	Replica    *replica.Replica
	Connectors *connector.Registry
	Links      *link.Links
	Logger     *slog.Logger
	Node       string // this node's id
	Control    string // its control address
	Build      string // version of the program
	// Backlog counts the records that are not in Kafka yet.
	Backlog func() uint64
	// InFlight counts the jobs that run or wait for a worker.
	InFlight func() (active, waiting int)
	// Now is the node's clock in milliseconds since 1970-01-01 UTC.
	Now func() int64
	// AdvanceClock moves a test clock; nil: the node has none.
	AdvanceClock func(time.Duration)
	// DriveOutstanding bounds the items of one Drive stream under way; 0: 200,000.
	DriveOutstanding int
	// Members are the control addresses of all nodes by id, for Status.
	Members map[string]string
}

// Service implements the handlers of core/v1.
type Service struct {
	Config
	endings endings
	flows   flowCache
	reader  reader
}

// New returns a Service.
func New(c Config) *Service {
	if c.DriveOutstanding <= 0 {
		c.DriveOutstanding = 200_000
	}
	return &Service{Config: c}
}

// messageMax bounds a request message in bytes: a forwarded command may be as
// long as the log takes one, 8 MiB. A module comes in parts.
const messageMax = 9 << 20

// Handler serves both services and reflection.
func (s *Service) Handler() http.Handler {
	mux := http.NewServeMux()
	options := []connect.HandlerOption{
		connect.WithInterceptors(unlessDrive{validate.NewInterceptor()}),
		connect.WithReadMaxBytes(messageMax),
		// Nodes and their users are near each other: compressing the batches of Drive
		// costs a tenth of a processor and saves nothing.
		connect.WithCompressMinBytes(1 << 20),
		connect.WithRecover(s.recovered),
	}
	door, acts := corev1connect.NewControlServiceHandler(s, options...)
	mux.Handle(door, certified(acts))
	path, nodes := corev1connect.NewNodeServiceHandler(&node{Service: s}, options...)
	mux.Handle(path, s.onlyNodes(nodes))
	reflector := grpcreflect.NewStaticReflector(corev1connect.ControlServiceName, corev1connect.NodeServiceName)
	mux.Handle(grpcreflect.NewHandlerV1(reflector))
	mux.Handle(grpcreflect.NewHandlerV1Alpha(reflector))
	return mux
}

// unlessDrive keeps rules away from the bulk door, whose handler checks its items
// itself: reflection on each of them would be most of the work.
type unlessDrive struct{ connect.Interceptor }

func (u unlessDrive) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	checked := u.Interceptor.WrapStreamingHandler(next)
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		if conn.Spec().Procedure == corev1connect.ControlServiceDriveProcedure {
			return next(ctx, conn)
		}
		return checked(ctx, conn)
	}
}

// recovered answers a handler's panic and keeps the node alive.
func (s *Service) recovered(_ context.Context, spec connect.Spec, _ http.Header, p any) error {
	s.Logger.Error("a control handler panicked", "procedure", spec.Procedure, "panic", p)
	return refuse(connect.CodeInternal, "INTERNAL", "The node failed to serve the request.")
}

// onlyNodes lets only members' certificates through to NodeService: an
// administrator's opens the other door, which audits. Without TLS the address is
// loopback, and whoever is on this machine may.
func (s *Service) onlyNodes(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS != nil && !s.member(r.TLS) {
			http.Error(w, "only nodes of this cluster may call NodeService", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Service) member(state *tls.ConnectionState) bool {
	if len(state.PeerCertificates) == 0 {
		return false
	}
	_, ok := s.Members[state.PeerCertificates[0].Subject.CommonName]
	return ok
}

// leaderControl is the leader's control address, as far as this node knows.
func (s *Service) leaderControl() string {
	id, _ := s.Replica.Leader()
	return s.Members[id]
}
