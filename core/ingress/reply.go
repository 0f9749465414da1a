package ingress

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// problem is an answer of the host's own; its code is stable, its text is for
// people.
type problem struct {
	status int
	Code   string `json:"code"`
	Text   string `json:"text"`
	// challenge is for the header WWW-Authenticate; empty: there is none.
	challenge string
}

func (p *problem) Error() string { return p.Code + ": " + p.Text }

// reply is the problem as it is written.
func (p *problem) reply() *sdkv1.Reply {
	body, err := json.Marshal(p)
	if err != nil {
		panic(err) // two strings always encode
	}
	reply := &sdkv1.Reply{
		Status: uint32(p.status), Body: body,
		Headers: []*sdkv1.Header{{Key: "Content-Type", Value: "application/json"}},
	}
	if p.status == http.StatusServiceUnavailable {
		reply.Headers = append(reply.Headers, &sdkv1.Header{Key: "Retry-After", Value: "1"})
	}
	if p.challenge != "" {
		reply.Headers = append(reply.Headers, &sdkv1.Header{Key: "Www-Authenticate", Value: p.challenge})
	}
	return reply
}

var (
	overloaded  = &problem{status: http.StatusServiceUnavailable, Code: "OVERLOADED", Text: "The hub is busy; try again shortly."}
	unavailable = &problem{status: http.StatusServiceUnavailable, Code: "UNAVAILABLE", Text: "The hub cannot take requests now; try again shortly."}
	unknown     = &problem{status: http.StatusServiceUnavailable, Code: "UNKNOWN_RESULT", Text: "The request may or may not have been taken; send it again with the same key."}
	tooLarge    = &problem{status: http.StatusRequestEntityTooLarge, Code: "TOO_LARGE", Text: "The body is larger than this route takes."}
	unreadable  = &problem{status: http.StatusBadRequest, Code: "BAD_REQUEST", Text: "The request could not be read."}
	slow        = &problem{status: http.StatusRequestTimeout, Code: "TIMEOUT", Text: "The body did not arrive in time."}
	failed      = &problem{status: http.StatusInternalServerError, Code: "CONNECTOR_FAILED", Text: "The connector could not serve the request."}
	noAuth      = &problem{status: http.StatusUnauthorized, Code: "AUTH_NOT_CONFIGURED", Text: `Nobody may call this route yet: the tenant's configuration must say, as "auth" of the connector or of the route, how callers are known; {"kind":"none"} if a gateway before the hub knows them.`}
	late        = &problem{status: http.StatusGatewayTimeout, Code: "TIMEOUT", Text: "The connector took too long."}
)

// fit makes a connector's reply fit to be written, or says that it is none.
// Headers that frame the message are the server's, and a value cannot break out
// of its line.
func fit(reply *sdkv1.Reply) error {
	if reply.Status < 200 || reply.Status > 599 {
		return failed
	}
	headers := reply.Headers[:0]
	for _, header := range reply.Headers {
		header.Key = http.CanonicalHeaderKey(header.Key)
		switch header.Key {
		case "Content-Length", "Transfer-Encoding", "Connection", "Trailer", "Upgrade", "Keep-Alive", "Date":
			continue
		}
		if token(header.Key) && !strings.ContainsFunc(header.Value, breaking) {
			headers = append(headers, header)
		}
	}
	reply.Headers = headers
	if reply.Status == http.StatusNoContent || reply.Status == http.StatusNotModified {
		reply.Body = nil
	}
	return nil
}

// breaking are the characters that no header's value has.
func breaking(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }

// send writes a reply through net/http. The peer may be gone, and then nobody is
// to be told.
func send(w http.ResponseWriter, reply *sdkv1.Reply) {
	header := w.Header()
	header["Content-Type"] = nil // what a connector does not name is not guessed from the body
	for _, h := range reply.Headers {
		header[h.Key] = append(header[h.Key], h.Value)
	}
	if len(reply.Body) > 0 {
		header.Set("Content-Length", strconv.Itoa(len(reply.Body)))
	}
	w.WriteHeader(int(reply.Status))
	_, _ = w.Write(reply.Body)
}
