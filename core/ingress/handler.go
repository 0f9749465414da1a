package ingress

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/railhead-hub/railhead/core/caller"
	"github.com/railhead-hub/railhead/core/connector"
	"github.com/railhead-hub/railhead/core/exchange"
	"github.com/railhead-hub/railhead/core/replica"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// Log is where commands go and rows come from.
type Log = exchange.Log

// Config is what a Handler works with; all fields but the limits must be set.
type Config struct {
	Log        Log
	Connectors *connector.Registry
	Now        func() int64 // milliseconds since 1970-01-01 UTC
	Logger     *slog.Logger
	Metrics    *Metrics
	// Concurrent bounds the requests served at once; more are answered 503. 0: 2048.
	Concurrent int
	// Timeout bounds one request, from its header on. 0: 30 s.
	Timeout time.Duration
	// AwaitMax bounds one AwaitResult. 0: 20 s.
	AwaitMax time.Duration
	// BodiesMax bounds the bytes of all bodies that net/http has read, together; what
	// goes beyond is answered 503. 0: 256 MiB.
	BodiesMax int64
}

// bodyMax bounds a body whatever a manifest allows, bodyDefault one for which
// the manifest says nothing; in bytes.
const (
	bodyMax     = 8 << 20
	bodyDefault = 1 << 20
	headersMax  = 100
)

// Handler serves connectors' routes: to net/http as an http.Handler, to Front
// through answer.
type Handler struct {
	Config
	exchanges *exchange.Host
	serving   atomic.Int64
	intake    intake
	strays    strays
}

// New returns a Handler.
func New(c Config) *Handler {
	if c.Concurrent <= 0 {
		c.Concurrent = 2048
	}
	if c.Timeout <= 0 {
		c.Timeout = 30 * time.Second
	}
	if c.BodiesMax <= 0 {
		c.BodiesMax = bodiesDefault
	}
	return &Handler{
		Config:    c,
		exchanges: exchange.New(exchange.Config{Log: c.Log, Now: c.Now, AwaitMax: c.AwaitMax}),
	}
}

// ServeHTTP serves a request that net/http has read.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), h.Timeout)
	defer cancel()
	var held int64
	defer func() { h.intake.bytes.Add(-held) }()
	in := &incoming{
		method: r.Method, path: r.URL.EscapedPath(), query: r.URL.RawQuery, lines: linesOf(r.Header),
		tls:  func() *tls.ConnectionState { return stateOf(r) },
		body: func(most int) ([]byte, error) { return h.readBody(w, r, most, &held) },
	}
	send(w, h.answer(ctx, in))
}

// answer finds the route and steps its connector to a reply. What it returns is
// fit to be written.
func (h *Handler) answer(ctx context.Context, in *incoming) (reply *sdkv1.Reply) {
	begun := time.Now()
	name := "none"
	defer func() {
		// A fault of this host's is the request's misfortune, not the node's.
		if p := recover(); p != nil {
			h.Logger.Error("serving a request panicked", "connector", name, "panic", p, "stack", string(debug.Stack()))
			reply = failed.reply()
		}
		h.serving.Add(-1)
		h.Metrics.served(name, int(reply.Status), time.Since(begun))
	}()
	if h.serving.Add(1) > int64(h.Concurrent) {
		return overloaded.reply()
	}
	target, missing := h.find(ctx, in)
	if missing != nil {
		return missing.reply()
	}
	name = target.Connector
	reply, err := h.serve(ctx, in, target)
	if err == nil {
		err = fit(reply)
	}
	if err != nil {
		var p *problem
		if !errors.As(err, &p) {
			h.Logger.Error("a request could not be served", "connector", target.Connector,
				"route", target.Route.Name, "tenant", target.Tenant, "err", err)
			p = failed
		}
		return p.reply()
	}
	return reply
}

// find looks for the route, and once more in fresh rows before it says that there
// is none.
func (h *Handler) find(ctx context.Context, in *incoming) (*connector.Target, *problem) {
	target, missing := h.Connectors.Find(in.method, in.path, in.header)
	if missing != nil && missing.Status == http.StatusNotFound {
		if err := h.strays.look(ctx, h); err != nil {
			return nil, unavailable
		}
		target, missing = h.Connectors.Find(in.method, in.path, in.header)
	}
	if missing != nil {
		return nil, &problem{status: missing.Status, Code: missing.Code, Text: missing.Text}
	}
	return target, nil
}

func (h *Handler) serve(ctx context.Context, in *incoming, target *connector.Target) (*sdkv1.Reply, error) {
	party, err := h.party(ctx, target)
	if err != nil {
		return nil, err
	}
	rule, err := party.Binding.Auth(target.Route.Name)
	if err != nil {
		h.Logger.Warn("callers of a route cannot be found out", "connector", target.Connector,
			"route", target.Route.Name, "tenant", target.Tenant, "err", err)
		return nil, unavailable
	}
	request, err := h.read(in, target, rule)
	if err != nil {
		return nil, err
	}
	// Who may call is the tenant's to say, and the same for a canary.
	if chosen := target.Choose(request); chosen != target {
		if party, err = h.party(ctx, chosen); err != nil {
			return nil, err
		}
	}
	outcome, err := h.exchanges.Run(ctx, party, &sdkv1.Trigger{Kind: &sdkv1.Trigger_Http{Http: request}})
	switch {
	case err == nil && outcome.GetReply() == nil:
		return nil, errors.New("the connector answered a request with something else than a reply")
	case err == nil:
		return outcome.GetReply(), nil
	case errors.Is(err, replica.ErrOverloaded):
		return nil, overloaded
	case errors.Is(err, replica.ErrNotLeader):
		return nil, unavailable
	case errors.Is(err, replica.ErrUnknown):
		return nil, unknown
	case errors.Is(err, replica.ErrTooLarge):
		return nil, tooLarge
	case ctx.Err() != nil:
		return nil, late
	}
	return nil, err
}

// party is the connector that a request goes to.
func (h *Handler) party(ctx context.Context, target *connector.Target) (exchange.Party, error) {
	module, err := h.Connectors.Module(ctx, target.Digest)
	if err != nil {
		h.Logger.Warn("a request found its module missing", "connector", target.Connector, "err", err)
		return exchange.Party{}, unavailable
	}
	binding, err := h.Connectors.Bind(target.Tenant, target.Version, module)
	return exchange.Party{Tenant: target.Tenant, Connector: target.Connector, Module: module, Binding: binding}, err
}

// read takes the request in, within its limits, once it is known who calls. A body is
// read before that only if the caller has signed it.
func (h *Handler) read(in *incoming, target *connector.Target, rule *caller.Rule) (*sdkv1.HttpRequest, error) {
	if rule == nil {
		return nil, noAuth
	}
	var who visitor
	var err error
	if !rule.None() && !rule.Signed {
		if who, err = h.identify(in, target, rule, nil); err != nil {
			return nil, err
		}
	}
	most := int64(target.Route.BodyMax)
	if most == 0 {
		most = bodyDefault
	}
	body, err := in.body(int(min(most, bodyMax)))
	if err != nil {
		return nil, err
	}
	if rule.Signed {
		if who, err = h.identify(in, target, rule, body); err != nil {
			return nil, err
		}
	}
	query, err := parseQuery(in.query)
	if err != nil {
		return nil, unreadable
	}
	if len(in.lines) > headersMax || len(query) > headersMax {
		return nil, &problem{status: http.StatusRequestHeaderFieldsTooLarge, Code: "TOO_LARGE", Text: "The request has more than 100 headers or query parameters."}
	}
	return &sdkv1.HttpRequest{
		Route: target.Route.Name, Method: in.method, Path: in.path,
		PathParams: target.Params, Query: query, Headers: in.headers(who), Body: body,
	}, nil
}
