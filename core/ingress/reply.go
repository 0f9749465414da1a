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
	return reply
}

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
