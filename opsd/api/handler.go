package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"

	"connectrpc.com/connect"
	"connectrpc.com/grpchealth"
	"connectrpc.com/grpcreflect"
	"connectrpc.com/validate"

	"github.com/railhead-hub/railhead/opsd/v1/opsv1connect"
)

// readMax is the largest request, in bytes.
const readMax = 1 << 20

// Handler serves the service, health and reflection over Connect, gRPC and
// gRPC-Web. Requests from foreign web pages are refused; every request is
// validated before the service sees it; a panic answers one request and no more.
func Handler(s *Service) http.Handler {
	options := []connect.HandlerOption{
		connect.WithReadMaxBytes(readMax),
		connect.WithRecover(func(_ context.Context, spec connect.Spec, _ http.Header, fault any) error {
			s.log.Error("a request panicked", "procedure", spec.Procedure, "fault", fmt.Sprint(fault), "stack", string(debug.Stack()))
			return connect.NewError(connect.CodeInternal, errors.New("an error in opsd; see its log"))
		}),
		connect.WithInterceptors(validate.NewInterceptor()),
	}
	mux := http.NewServeMux()
	mux.Handle(opsv1connect.NewOpsServiceHandler(s, options...))
	mux.Handle(grpchealth.NewHandler(&health{s}, options...))
	reflector := grpcreflect.NewStaticReflector(opsv1connect.OpsServiceName, grpchealth.HealthV1ServiceName)
	mux.Handle(grpcreflect.NewHandlerV1(reflector, options...))
	mux.Handle(grpcreflect.NewHandlerV1Alpha(reflector, options...))
	return http.NewCrossOriginProtection().Handler(mux)
}

// health answers by asking the database.
type health struct{ s *Service }

func (h *health) Check(ctx context.Context, r *grpchealth.CheckRequest) (*grpchealth.CheckResponse, error) {
	if r.Service != "" && r.Service != opsv1connect.OpsServiceName {
		return nil, connect.NewError(connect.CodeNotFound, fmt.Errorf("no service %q here", r.Service))
	}
	if err := h.s.store.Ping(ctx); err != nil {
		h.s.log.Log(ctx, slog.LevelWarn, "not healthy", "error", err)
		return &grpchealth.CheckResponse{Status: grpchealth.StatusNotServing}, nil
	}
	return &grpchealth.CheckResponse{Status: grpchealth.StatusServing}, nil
}
