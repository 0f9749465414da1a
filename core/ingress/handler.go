package ingress

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/railhead-hub/railhead/core/connector"
	"github.com/railhead-hub/railhead/core/replica"
	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// Log is where commands go and rows come from: this node's replica, or the
// leader's behind it.
type Log interface {
	// Propose proposes the command here or, on a follower, at the leader. Its
	// errors are replica's.
	Propose(context.Context, *enginev1.Command) (*enginev1.Event, error)
	View(func(engine.Tx) error) error
	// CatchUp returns when View shows everything that was acknowledged before the
	// call; its error says that it cannot be known.
	CatchUp(context.Context) error
	// Await returns a channel that is closed when the payment has ended here.
	Await(payment uint64) (ended <-chan struct{}, cancel func())
}

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
}

// bodyMax bounds a body whatever a manifest allows, bodyDefault one for which
// the manifest says nothing; in bytes.
const (
	bodyMax     = 8 << 20
	bodyDefault = 1 << 20
	headersMax  = 100
)

// catchUpMax bounds the wait for this node to be as far as the leader.
const catchUpMax = 2 * time.Second

// Handler serves connectors' routes.
type Handler struct {
	Config
	places chan struct{}
}

// New returns a Handler.
func New(c Config) *Handler {
	if c.Concurrent <= 0 {
		c.Concurrent = 2048
	}
	if c.Timeout <= 0 {
		c.Timeout = 30 * time.Second
	}
	if c.AwaitMax <= 0 {
		c.AwaitMax = 20 * time.Second
	}
	return &Handler{Config: c, places: make(chan struct{}, c.Concurrent)}
}

// problem is an answer of the host's own; its code is stable, its text is for
// people.
type problem struct {
	status int
	Code   string `json:"code"`
	Text   string `json:"text"`
}

func (p *problem) Error() string { return p.Code + ": " + p.Text }

var (
	overloaded  = &problem{http.StatusServiceUnavailable, "OVERLOADED", "The hub is busy; try again shortly."}
	unavailable = &problem{http.StatusServiceUnavailable, "UNAVAILABLE", "The hub cannot take requests now; try again shortly."}
	unknown     = &problem{http.StatusServiceUnavailable, "UNKNOWN_RESULT", "The request may or may not have been taken; send it again with the same key."}
	tooLarge    = &problem{http.StatusRequestEntityTooLarge, "TOO_LARGE", "The body is larger than this route takes."}
	unreadable  = &problem{http.StatusBadRequest, "BAD_REQUEST", "The request could not be read."}
	slow        = &problem{http.StatusRequestTimeout, "TIMEOUT", "The body did not arrive in time."}
	failed      = &problem{http.StatusInternalServerError, "CONNECTOR_FAILED", "The connector could not serve the request."}
	late        = &problem{http.StatusGatewayTimeout, "TIMEOUT", "The connector took too long."}
)

// ServeHTTP finds the route, steps its connector to a reply and writes it.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begun := time.Now()
	name, status := "none", 0
	defer func() {
		// A fault of this host's is the request's misfortune, not the node's.
		if p := recover(); p != nil {
			h.Logger.Error("serving a request panicked", "connector", name, "panic", p, "stack", string(debug.Stack()))
			status = write(w, failed)
		}
		h.Metrics.served(name, status, time.Since(begun))
	}()

	select {
	case h.places <- struct{}{}:
		defer func() { <-h.places }()
	default:
		status = write(w, overloaded)
		return
	}
	target, missing := h.find(r)
	if missing != nil {
		status = write(w, missing)
		return
	}
	name = target.Connector
	reply, err := h.serve(w, r, target)
	if err != nil {
		var p *problem
		if !errors.As(err, &p) {
			h.Logger.Error("a request could not be served", "connector", target.Connector,
				"route", target.Route.Name, "tenant", target.Tenant, "err", err)
			p = failed
		}
		status = write(w, p)
		return
	}
	status = send(w, reply)
}

// find looks for the route, and once more in fresh rows before it says that there
// is none: this node may not have heard yet of what was just activated.
func (h *Handler) find(r *http.Request) (*connector.Target, *problem) {
	asked := time.Now()
	target, missing := h.Connectors.Find(r.Method, r.URL.EscapedPath(), r.Header)
	if missing != nil && missing.Status == http.StatusNotFound {
		ctx, cancel := context.WithTimeout(r.Context(), catchUpMax)
		defer cancel()
		if err := h.Log.CatchUp(ctx); err != nil {
			return nil, unavailable
		}
		h.Connectors.RefreshSince(asked)
		target, missing = h.Connectors.Find(r.Method, r.URL.EscapedPath(), r.Header)
	}
	if missing != nil {
		return nil, &problem{missing.Status, missing.Code, missing.Text}
	}
	return target, nil
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request, target *connector.Target) (*sdkv1.Reply, error) {
	ctx, cancel := context.WithTimeout(r.Context(), h.Timeout)
	defer cancel()
	// A body that trickles in holds a place, so it has no more time than the whole.
	// Once it is there, the server's own deadline must not end a request that is
	// served. A writer that knows no deadlines is a test's.
	reading := http.NewResponseController(w)
	_ = reading.SetReadDeadline(time.Now().Add(h.Timeout))
	request, err := read(w, r, target)
	if err != nil {
		return nil, err
	}
	_ = reading.SetReadDeadline(time.Time{})
	module, err := h.Connectors.Module(ctx, target.Digest)
	if err != nil {
		h.Logger.Warn("a request found its module missing", "connector", target.Connector, "err", err)
		return nil, unavailable
	}
	binding, err := h.Connectors.Bind(target.Tenant, target.Version, module)
	if err != nil {
		return nil, err
	}
	e := newExchange(h, target, module, binding, request)
	reply, err := e.run(ctx)
	switch {
	case err == nil:
		return reply, nil
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

// read takes the request in, within its limits.
func read(w http.ResponseWriter, r *http.Request, target *connector.Target) (*sdkv1.HttpRequest, error) {
	most := int64(target.Route.BodyMax)
	if most == 0 {
		most = bodyDefault
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, min(most, bodyMax)))
	if err != nil {
		if over := new(http.MaxBytesError); errors.As(err, &over) {
			return nil, tooLarge
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, slow
		}
		return nil, unreadable
	}
	request := &sdkv1.HttpRequest{
		Route: target.Route.Name, Method: r.Method, Path: r.URL.EscapedPath(),
		PathParams: target.Params, Body: body,
	}
	for name, values := range r.Header {
		// Field lines of one name are one list (RFC 9110 section 5.3). A connector that
		// looks at the first of two ids would otherwise never know of the second.
		request.Headers = append(request.Headers, &sdkv1.Header{Key: strings.ToLower(name), Value: strings.Join(values, ", ")})
	}
	query, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, unreadable
	}
	request.Query = query
	if len(request.Headers) > headersMax || len(query) > headersMax {
		return nil, &problem{http.StatusRequestHeaderFieldsTooLarge, "TOO_LARGE", "The request has more than 100 headers or query parameters."}
	}
	// The guest sees no map order.
	slices.SortStableFunc(request.Headers, func(a, b *sdkv1.Header) int { return strings.Compare(a.Key, b.Key) })
	return request, nil
}

func write(w http.ResponseWriter, p *problem) int {
	body, err := json.Marshal(p)
	if err != nil {
		panic(err) // two strings always encode
	}
	w.Header().Set("Content-Type", "application/json")
	if p.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	w.WriteHeader(p.status)
	_, _ = w.Write(body) // the peer may be gone, and then nobody is to be told
	return p.status
}

// send writes a connector's reply. Headers that frame the message are the
// server's, and a value cannot break out of its line.
func send(w http.ResponseWriter, reply *sdkv1.Reply) int {
	status := int(reply.Status)
	if status < 200 || status > 599 {
		return write(w, failed)
	}
	for _, header := range reply.Headers {
		name := http.CanonicalHeaderKey(header.Key)
		switch name {
		case "Content-Length", "Transfer-Encoding", "Connection", "Trailer", "Upgrade", "Keep-Alive", "Date", "":
			continue
		}
		if !strings.ContainsFunc(header.Key+header.Value, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
			w.Header().Add(name, header.Value)
		}
	}
	if len(reply.Body) > 0 && status != http.StatusNoContent && status != http.StatusNotModified {
		w.Header().Set("Content-Length", strconv.Itoa(len(reply.Body)))
		w.WriteHeader(status)
		_, _ = w.Write(reply.Body) // as in write
		return status
	}
	w.WriteHeader(status)
	return status
}
