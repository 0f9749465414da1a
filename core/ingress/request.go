package ingress

import (
	"cmp"
	"crypto/tls"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/railhead-hub/railhead/sdk/abi"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// incoming is a request as the handler takes it, whichever server has read it.
type incoming struct {
	method, path, query string          // path and query as they were sent
	lines               []*sdkv1.Header // of the header, names in lower case
	// body reads the body; one of more than most bytes is tooLarge.
	body func(most int) ([]byte, error)
	// tls is the connection's state; nil: it has none.
	tls func() *tls.ConnectionState
}

// header is the first line of that name, and how many lines have it.
func (in *incoming) header(name string) (value string, lines int) {
	for _, line := range in.lines {
		if strings.EqualFold(line.Key, name) {
			if lines == 0 {
				value = line.Value
			}
			lines++
		}
	}
	return value, lines
}

// linesOf are the lines of a header that net/http has read.
func linesOf(header http.Header) []*sdkv1.Header {
	lines := make([]*sdkv1.Header, 0, len(header))
	for name, values := range header {
		name = strings.ToLower(name)
		for _, value := range values {
			lines = append(lines, &sdkv1.Header{Key: name, Value: value})
		}
	}
	return lines
}

// headers sorts the lines by name and makes one of those that have the same:
// field lines of one name are one list (RFC 9110 section 5.3). A connector that
// looks at the first of two ids would otherwise never know of the second. The
// guest sees no map order. Headers that are the host's to set are not taken from
// outside, and what proved who calls is not passed on.
func (in *incoming) headers(who visitor) []*sdkv1.Header {
	slices.SortStableFunc(in.lines, func(a, b *sdkv1.Header) int { return cmp.Compare(a.Key, b.Key) })
	out := in.lines[:0]
	for _, line := range in.lines {
		if strings.HasPrefix(line.Key, reservedPrefix) || line.Key == who.credential {
			continue
		}
		if n := len(out); n > 0 && out[n-1].Key == line.Key {
			out[n-1].Value += ", " + line.Value
			continue
		}
		out = append(out, line)
	}
	if who.principal != "" {
		out = append(out, &sdkv1.Header{Key: abi.PrincipalHeader, Value: who.principal})
	}
	return out
}

// parseQuery keeps the parameters in the order they were sent.
func parseQuery(raw string) ([]*sdkv1.Header, error) {
	var out []*sdkv1.Header
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		k, err := url.QueryUnescape(key)
		if err != nil {
			return nil, err
		}
		v, err := url.QueryUnescape(value)
		if err != nil {
			return nil, err
		}
		out = append(out, &sdkv1.Header{Key: k, Value: v})
	}
	return out, nil
}
