package ingress

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/railhead-hub/railhead/core/caller"
	"github.com/railhead-hub/railhead/core/connector"
)

// reservedPrefix begins the names of headers that only the host sets. Some gateways
// write an underscore for a dash; such a name is another, and tells a connector
// nothing.
const reservedPrefix = "x-railhead-"

// visitor is who calls, as far as it was found out.
type visitor struct {
	principal  string // empty: anybody
	credential string // the header that proved it
}

// identify finds out who calls. Whoever is not known is told no more than that.
func (h *Handler) identify(in *incoming, target *connector.Target, rule *caller.Rule, body []byte) (visitor, error) {
	principal, err := rule.Identify(&caller.Request{
		Method: in.method, Path: in.path, Query: in.query, Header: in.header, Body: body,
		TLS: in.tls, Now: time.UnixMilli(h.Now()),
	})
	if err != nil {
		reason := "unknown"
		if refusal, ok := errors.AsType[caller.Refusal](err); ok {
			reason = string(refusal)
		}
		h.Metrics.refused(target.Connector, rule.Kind, reason)
		return visitor{}, &problem{
			status: http.StatusUnauthorized, Code: "UNAUTHENTICATED", challenge: rule.Challenge,
			Text: "The caller is not known: this route wants a credential of kind " + rule.Kind + ".",
		}
	}
	return visitor{principal, rule.Credential}, nil
}

// ConnContext is for http.Server: net/http knows the TLS state of a connection that
// is one of crypto/tls's, and not of one that a Front had begun to read.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	if h, ok := c.(*handed); ok {
		if secured, ok := h.Conn.(*tls.Conn); ok {
			return context.WithValue(ctx, securedKey{}, secured)
		}
	}
	return ctx
}

type securedKey struct{}

func stateOf(r *http.Request) *tls.ConnectionState {
	if r.TLS != nil {
		return r.TLS
	}
	if secured, ok := r.Context().Value(securedKey{}).(*tls.Conn); ok {
		state := secured.ConnectionState()
		return &state
	}
	return nil
}
