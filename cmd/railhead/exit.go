package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"connectrpc.com/connect"

	corev1 "github.com/railhead-hub/railhead/core/v1"
)

// Exit codes. Scripts switch on them, so they never change their meaning.
const (
	exitOK          = 0
	exitFailed      = 1 // the work was tried and failed
	exitUsage       = 2 // the command line or the configuration is wrong
	exitRefused     = 3 // what was asked is refused, or names nothing that exists
	exitUnavailable = 4 // nobody answers, or nobody can at present: try again
)

const exitHelp = `Exit codes: 0 done; 1 failed; 2 wrong usage or configuration; 3 refused or not
found; 4 unavailable, try again.`

// usageError marks an error of the command line or the configuration.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// refusedError marks a refusal that was found on this side: a flow that would
// not deploy, a module that is no connector.
type refusedError struct{ err error }

func (e refusedError) Error() string { return e.err.Error() }
func (e refusedError) Unwrap() error { return e.err }

func refusedf(format string, args ...any) error {
	return refusedError{fmt.Errorf(format, args...)}
}

// unavailableError marks a peer that did not answer.
type unavailableError struct{ err error }

func (e unavailableError) Error() string { return e.err.Error() }
func (e unavailableError) Unwrap() error { return e.err }

// exitCode says how the process ends after err.
func exitCode(err error) int {
	var (
		usage       usageError
		refused     refusedError
		unavailable unavailableError
		rpc         *connect.Error
	)
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &refused):
		return exitRefused
	case errors.As(err, &unavailable):
		return exitUnavailable
	case errors.As(err, &rpc):
		switch rpc.Code() {
		case connect.CodeInvalidArgument, connect.CodeNotFound, connect.CodeAlreadyExists,
			connect.CodePermissionDenied, connect.CodeFailedPrecondition, connect.CodeAborted,
			connect.CodeOutOfRange, connect.CodeUnauthenticated, connect.CodeUnimplemented:
			return exitRefused
		case connect.CodeUnavailable, connect.CodeDeadlineExceeded, connect.CodeResourceExhausted:
			return exitUnavailable
		default:
			return exitFailed
		}
	case errors.Is(err, context.DeadlineExceeded):
		return exitUnavailable
	default:
		return exitFailed
	}
}

// printError writes err for a person: the message, the stable reason that
// programs switch on, and one line per fault of a refused file.
func printError(w io.Writer, err error) {
	var rpc *connect.Error
	if !errors.As(err, &rpc) {
		fmt.Fprintf(w, "railhead: %v\n", err)
		return
	}
	detail := errorDetail(rpc)
	// The code's name adds nothing to the message.
	fmt.Fprintf(w, "railhead: %s", strings.Replace(err.Error(), rpc.Error(), rpc.Message(), 1))
	if reason := detail.GetReason(); reason != "" {
		fmt.Fprintf(w, " (%s)", reason)
	}
	if leader := detail.GetLeader(); leader != "" {
		fmt.Fprintf(w, "; the leader is at %s", leader)
	}
	fmt.Fprintln(w)
	for _, p := range detail.GetProblems() {
		fmt.Fprintf(w, "  %s\n", problemLine(p))
	}
	if dial := (*net.OpError)(nil); errors.As(err, &dial) && dial.Op == "dial" {
		fmt.Fprintln(w, "Nothing answers there. Is it running? --control names another node, --ops another opsd.")
	}
}

// errorDetail returns the core's detail of an error, or an empty one.
func errorDetail(err *connect.Error) *corev1.ErrorDetail {
	for _, d := range err.Details() {
		if v, vErr := d.Value(); vErr == nil {
			if detail, ok := v.(*corev1.ErrorDetail); ok {
				return detail
			}
		}
	}
	return &corev1.ErrorDetail{}
}

func problemLine(p *corev1.Problem) string {
	level := "error"
	if p.GetWarning() {
		level = "warning"
	}
	where := p.GetFile()
	if p.GetElement() != "" {
		where += "#" + p.GetElement()
	}
	return fmt.Sprintf("%s: %s: %s (%s)", where, level, p.GetText(), p.GetCode())
}
