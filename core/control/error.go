package control

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"connectrpc.com/connect"

	"github.com/railhead-hub/railhead/core/replica"
	corev1 "github.com/railhead-hub/railhead/core/v1"
	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// refuse makes an error with a stable reason.
func refuse(code connect.Code, reason, format string, args ...any) *connect.Error {
	return withDetail(connect.NewError(code, fmt.Errorf(format, args...)), &corev1.ErrorDetail{Reason: reason})
}

func withDetail(err *connect.Error, detail *corev1.ErrorDetail) *connect.Error {
	if d, failed := connect.NewErrorDetail(detail); failed == nil {
		err.AddDetail(d)
	}
	return err
}

// detailOf is the detail of an error of another node; empty if it has none.
func detailOf(err error) *corev1.ErrorDetail {
	if failed, ok := errors.AsType[*connect.Error](err); ok {
		for _, d := range failed.Details() {
			if value, faulty := d.Value(); faulty == nil {
				if detail, ok := value.(*corev1.ErrorDetail); ok {
					return detail
				}
			}
		}
	}
	return &corev1.ErrorDetail{}
}

// fromPropose turns what became of a proposal into the caller's error: nil when
// the engine took the command.
func (s *Service) fromPropose(reply *enginev1.Event, err error) error {
	if err == nil {
		return refusal(reply)
	}
	detail := &corev1.ErrorDetail{Reason: reason(err)}
	code := connect.CodeUnavailable
	text := "The cluster has no leader now; try again shortly."
	switch {
	case errors.Is(err, replica.ErrNotLeader):
		detail.Leader = s.leaderControl()
	case errors.Is(err, replica.ErrOverloaded):
		code, text = connect.CodeResourceExhausted, "The cluster is busy; try again shortly."
	case errors.Is(err, replica.ErrTooLarge):
		code, text = connect.CodeInvalidArgument, "The command is larger than a log entry may be."
	case errors.Is(err, replica.ErrUnknown):
		text = "The command may or may not have been carried out; ask again with the same key, or look."
		if errors.Is(err, context.DeadlineExceeded) {
			code = connect.CodeDeadlineExceeded
		}
	default:
		return connect.NewError(connect.CodeInternal, err)
	}
	return withDetail(connect.NewError(code, errors.New(text)), detail)
}

// refusal is the engine's refusal as an error; its code, in upper case and with
// underscores, is the reason.
func refusal(reply *enginev1.Event) error {
	if reply.GetKind() != enginev1.EventKind_EVENT_KIND_REJECTED {
		return nil
	}
	code := connect.CodeFailedPrecondition
	switch reply.Code {
	case engine.CodeBadCommand, engine.CodeTooLarge, engine.CodeFlowRefused, engine.CodeActorMissing:
		code = connect.CodeInvalidArgument
	case engine.CodeTenantUnknown, engine.CodeFlowUnknown, engine.CodeConnectorUnknown,
		engine.CodePaymentUnknown, engine.CodeIncidentUnknown, engine.CodeTokenUnknown, engine.CodeElementUnknown,
		engine.CodeJobUnknown, engine.CodeTaskUnknown, engine.CodeForwardUnknown:
		code = connect.CodeNotFound
	case engine.CodeConflict, engine.CodeAliasTaken, engine.CodeJobTypeTaken, engine.CodeRouteTaken, engine.CodeBootstrapped:
		code = connect.CodeAlreadyExists
	case engine.CodeBufferFull:
		code = connect.CodeResourceExhausted
	case engine.CodeStale:
		code = connect.CodeAborted
	case engine.CodeInternal:
		code = connect.CodeInternal
	case engine.CodeNotBootstrapped:
		code = connect.CodeUnavailable
	}
	return refuse(code, upper(reply.Code), "%s", reply.Text)
}

func upper(code string) string { return strings.ToUpper(strings.ReplaceAll(code, "-", "_")) }
