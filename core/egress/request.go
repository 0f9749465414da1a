package egress

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/railhead-hub/railhead/core/secret"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

const (
	headersMax     = 64
	headerValueMax = 16 << 10 // bytes
	headerMax      = 64 << 10 // bytes of all headers of a request
	bodyMax        = 4 << 20  // bytes of a request
	pathMax        = 8 << 10  // bytes
)

// forbiddenHeaders frame or route a message, and a guest that set them could
// smuggle a second request, reach another virtual host, or make a POST look like a
// GET, which is repeated freely.
var forbiddenHeaders = map[string]bool{
	"Host": true, "Content-Length": true, "Transfer-Encoding": true, "Connection": true,
	"Keep-Alive": true, "Upgrade": true, "Te": true, "Trailer": true, "Expect": true,
	"Accept-Encoding": true, "Http2-Settings": true, "X-Idempotency-Key": true,
	"Forwarded": true, "Via": true, "X-Real-Ip": true, "X-Original-Url": true, "X-Rewrite-Url": true,
	"X-Http-Method": true, "X-Http-Method-Override": true, "X-Method-Override": true,
}

// forbiddenHeader reports a header that is the host's to set; its name is in
// canonical form. Some servers take an underscore for a dash.
func forbiddenHeader(name string) bool {
	if strings.Contains(name, "_") {
		name = http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-"))
	}
	return forbiddenHeaders[name] || strings.HasPrefix(name, "Proxy-") || strings.HasPrefix(name, "X-Forwarded-")
}

// build makes the HTTP request of an effect: its URL lies under the endpoint's,
// its headers are the endpoint's and the guest's with secrets put in, and the
// idempotency key is the host's.
func (e *Endpoint) build(ctx context.Context, effect *sdkv1.Http, key string) (*http.Request, error) {
	target, err := e.target(effect.Path)
	if err != nil {
		return nil, err
	}
	// TRACE sends back what it was sent, and with it the secrets.
	if !token(effect.Method) || effect.Method == http.MethodConnect || effect.Method == http.MethodTrace {
		return nil, fmt.Errorf("method %q is not one an endpoint can be asked for", effect.Method)
	}
	if int64(len(effect.Body)) > e.config.RequestMax {
		return nil, fmt.Errorf("the body has %d bytes; %d are allowed", len(effect.Body), e.config.RequestMax)
	}
	req := (&http.Request{
		Method: effect.Method, URL: target, Host: target.Host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: make(http.Header),
	}).WithContext(ctx)
	if len(effect.Headers) > headersMax {
		return nil, fmt.Errorf("%d headers; %d are allowed", len(effect.Headers), headersMax)
	}
	for _, h := range effect.Headers {
		if name := http.CanonicalHeaderKey(h.Key); token(h.Key) && !e.sends.let(name) {
			return nil, fmt.Errorf("the tenant does not let header %s through", name)
		}
		if err := e.setHeader(req.Header, h, key); err != nil {
			return nil, err
		}
	}
	// The tenant's own headers are set last: what it binds, a guest cannot change.
	for _, h := range e.config.Headers {
		req.Header.Del(h.Key)
	}
	for _, h := range e.config.Headers {
		if err := e.setHeader(req.Header, h, key); err != nil {
			return nil, err
		}
	}
	size := 0
	for name, values := range req.Header {
		for _, value := range values {
			size += len(name) + len(value) + len(": \r\n")
		}
	}
	if size > headerMax {
		return nil, fmt.Errorf("the headers have %d bytes; %d are allowed", size, headerMax)
	}
	// A compressed answer would have to be unpacked to be looked through for secrets.
	req.Header.Set("Accept-Encoding", "identity")
	if key != "" {
		req.Header.Set(e.config.KeyHeader, key)
	}
	if _, ok := req.Header["User-Agent"]; !ok {
		req.Header.Set("User-Agent", "railhead")
	}
	onlyOnce(req, effect.Body)
	return req, nil
}

// onlyOnce gives the request its body and keeps net/http from sending it again by
// itself when a kept connection goes away under it, which net/http does for some
// methods, and for any under an Idempotency-Key, unless there is a body that it
// cannot read again. Whether to send twice is decided by the endpoint's mode.
func onlyOnce(req *http.Request, body []byte) {
	switch {
	case len(body) > 0, req.Method == http.MethodGet, req.Method == http.MethodHead, req.Method == http.MethodOptions:
		// Of these methods net/http looks whether the body is empty, and sends none.
		req.Body = io.NopCloser(once{bytes.NewReader(body)})
		req.ContentLength = int64(len(body))
	default:
		// Of the others it would send an empty body in chunks, so there is none, and
		// the header is written as HTTP allows and net/http does not look for it.
		for _, name := range [...]string{"Idempotency-Key", "X-Idempotency-Key"} {
			if values, ok := req.Header[name]; ok {
				delete(req.Header, name)
				req.Header[strings.ToLower(name)] = values
			}
		}
	}
}

// once hides the type of a reader, by which net/http would learn to rewind it.
type once struct{ io.Reader }

// target joins the guest's path to the endpoint's URL and makes sure that it
// still lies below it.
func (e *Endpoint) target(path string) (*url.URL, error) {
	if len(path) > pathMax {
		return nil, fmt.Errorf("the path has %d bytes; %d are allowed", len(path), pathMax)
	}
	if strings.Contains(path, secret.Opening) {
		return nil, errors.New("a path may not refer to a secret; a header may")
	}
	if path != "" && path[0] != '/' && path[0] != '?' {
		return nil, errors.New("a path begins with / or ?")
	}
	for i := 0; i < len(path); i++ {
		if c := path[i]; c <= ' ' || c >= 0x7f || c == '\\' || c == '#' {
			return nil, fmt.Errorf("the path has a byte %#02x that must be escaped", c)
		}
	}
	u, err := url.Parse(strings.TrimRight(e.base.String(), "/") + path)
	if err != nil {
		return nil, errors.New("the path is not well escaped")
	}
	// Some servers take a backslash for a slash, and cut parameters off a segment
	// before they look at it.
	for segment := range strings.FieldsFuncSeq(u.Path, func(c rune) bool { return c == '/' || c == '\\' }) {
		if name, _, _ := strings.Cut(segment, ";"); name == ".." || name == "." {
			return nil, errors.New("a path may not climb out of its endpoint")
		}
	}
	if u.Scheme != e.base.Scheme || u.Host != e.base.Host || u.User != nil {
		return nil, errors.New("a path may not name another host")
	}
	return u, nil
}

func (e *Endpoint) setHeader(into http.Header, h *sdkv1.Header, key string) error {
	if !token(h.Key) {
		return fmt.Errorf("header name %q is not allowed", h.Key)
	}
	name := http.CanonicalHeaderKey(h.Key)
	if forbiddenHeader(name) {
		return fmt.Errorf("header %s is the host's to set", name)
	}
	if key != "" && name == http.CanonicalHeaderKey(e.config.KeyHeader) {
		return fmt.Errorf("header %s carries the idempotency key and is the host's to set", name)
	}
	if len(h.Value) > headerValueMax {
		return fmt.Errorf("header %s has %d bytes; %d are allowed", name, len(h.Value), headerValueMax)
	}
	value, err := e.secrets.Fill(h.Value)
	if err != nil {
		return fmt.Errorf("header %s: %w", name, err)
	}
	if len(value) > headerValueMax {
		return fmt.Errorf("header %s has %d bytes; %d are allowed", name, len(value), headerValueMax)
	}
	for i := 0; i < len(value); i++ {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return fmt.Errorf("header %s has a control character", name)
		}
	}
	into.Add(name, value)
	return nil
}

// token reports whether s is a token of RFC 9110: a method or a header name.
func token(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
			continue
		}
		if !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return true
}
