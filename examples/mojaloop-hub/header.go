package mojaloophub

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
)

// mediaType splits application/vnd.interoperability.<resource>+json;version=<v>.
var mediaType = regexp.MustCompile(`^application/vnd\.interoperability\.([a-z]+)\+json\s*;\s*version=([0-9]+(?:\.[0-9]+)?)$`)

// versions are what the hub speaks, newest first; an Accept of only the major
// version means the newest minor.
var versions = []string{"1.1", "1.0"}

// admit checks the headers of a request, which FSPIOP makes mandatory on a GET too.
func (s *Server) admit(resource string, r *http.Request) (*call, *refusal) {
	c := &call{request: r, resource: resource, source: r.Header.Get("FSPIOP-Source")}
	var size int
	for name, values := range r.Header {
		for _, v := range values {
			size += len(name) + len(v)
		}
	}
	if size > headerBytesMax {
		return c, &refusal{http.StatusRequestHeaderFieldsTooLarge, "3104", "headers are larger than 64 KiB"}
	}
	if c.source == "" {
		return c, missing("FSPIOP-Source")
	}
	if _, known := s.config.Callbacks[c.source]; !known {
		return c, malformed("3202", "no participant "+c.source)
	}
	if r.Header.Get("Date") == "" {
		return c, missing("Date")
	}
	if _, err := http.ParseTime(r.Header.Get("Date")); err != nil {
		return c, malformed("3101", "Date is not an RFC 7231 date")
	}
	content := mediaType.FindStringSubmatch(r.Header.Get("Content-Type"))
	if content == nil || content[1] != resource {
		return c, malformed("3101", fmt.Sprintf("Content-Type must be application/vnd.interoperability.%s+json;version=M.m", resource))
	}
	if !strings.Contains(content[2], ".") {
		return c, malformed("3101", "Content-Type must state the full version")
	}
	if speak(content[2]) == "" {
		return c, unacceptable(content[2])
	}
	accept := mediaType.FindStringSubmatch(r.Header.Get("Accept"))
	if accept == nil || accept[1] != resource {
		return c, malformed("3101", fmt.Sprintf("Accept must be application/vnd.interoperability.%s+json;version=M", resource))
	}
	if c.version = speak(accept[2]); c.version == "" {
		return c, unacceptable(accept[2])
	}
	if resource != "parties" && r.Method == http.MethodPost && r.Header.Get("FSPIOP-Destination") == "" {
		return c, missing("FSPIOP-Destination")
	}
	return c, nil
}

// speak returns the version spoken for a wanted one, or nothing.
func speak(want string) string {
	for _, v := range versions {
		if v == want || strings.HasPrefix(v, want+".") {
			return v
		}
	}
	return ""
}
