package ingress

import (
	"bytes"

	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// head is a request's first part, as far as it says what comes.
type head struct {
	method, path, query string
	lines               []*sdkv1.Header // names in lower case
	length              int             // of the body, in bytes
}

// What parse makes of the bytes that have come so far.
type verdict int

const (
	plain   verdict = iota // a whole head
	partial                // more has to come
	other                  // not for this parser
)

// parse reads the head of a request that is as nearly every one is: HTTP/1.1, one
// of five methods, a path that means what it says, a body of a stated length or
// none, and a connection that is kept. Whatever else there is, also what is wrong,
// is left to net/http, so that the two never read the same bytes differently; the
// fuzz test holds them against each other. It returns how long the head is.
//
// Names of headers are put into lower case where they lie.
func parse(in []byte) (h head, size int, v verdict) {
	end := bytes.Index(in, crlfcrlf)
	if end < 0 {
		if len(in) > 0 && (in[0] < 'A' || in[0] > 'Z') || bare(in) {
			return h, 0, other
		}
		return h, 0, partial
	}
	size = end + len(crlfcrlf)
	line := in[:size]
	at := bytes.IndexByte(line, ' ')
	if at < 0 || h.takeMethod(line[:at]) != plain {
		return h, 0, other
	}
	from := at + 1
	for at = from; class[line[at]]&inPath != 0; at++ {
	}
	path, query := line[from:at], []byte(nil)
	if line[at] == '?' {
		from = at + 1
		for at = from; class[line[at]]&inQuery != 0; at++ {
		}
		query = line[from:at]
	}
	if len(path) == 0 || path[0] != '/' || !escapes(path) || !bytes.HasPrefix(line[at:], version) {
		return h, 0, other
	}
	at += len(version)
	// One string holds all that is taken from the head.
	pathAt, queryAt := len(h.method)+1, len(h.method)+1+len(path)+1
	host, lengths := 0, 0
	var room [16]span
	spans := room[:0]
	for at < end+2 {
		name := at
		for ; class[line[at]]&inToken != 0; at++ {
			if c := line[at]; c >= 'A' && c <= 'Z' {
				line[at] = c + 'a' - 'A'
			}
		}
		s := span{name: name, colon: at}
		if at == name || line[at] != ':' {
			return h, 0, other
		}
		for at++; line[at] == ' ' || line[at] == '\t'; at++ {
		}
		s.value = at
		for ; class[line[at]]&inValue != 0; at++ {
		}
		if line[at] != '\r' || line[at+1] != '\n' {
			return h, 0, other
		}
		s.end = at
		for ; s.end > s.value && (line[s.end-1] == ' ' || line[s.end-1] == '\t'); s.end-- {
		}
		at += 2
		value := line[s.value:s.end]
		switch string(line[s.name:s.colon]) {
		case "host":
			if host++; !plainHost(value) {
				return h, 0, other
			}
			continue // is not among the headers, as with net/http
		case "content-length":
			if lengths++; !h.takeLength(value) {
				return h, 0, other
			}
		case "connection":
			if !bytes.EqualFold(value, keepAlive) {
				return h, 0, other
			}
		case "transfer-encoding", "expect", "upgrade", "trailer", "te", "pragma", "proxy-connection":
			return h, 0, other
		}
		spans = append(spans, s)
	}
	if host != 1 || lengths > 1 {
		return h, 0, other
	}
	text := string(line)
	h.path = text[pathAt : pathAt+len(path)]
	if query != nil {
		h.query = text[queryAt : queryAt+len(query)]
	}
	values := make([]sdkv1.Header, len(spans))
	h.lines = make([]*sdkv1.Header, len(spans))
	for i, s := range spans {
		values[i].Key, values[i].Value = text[s.name:s.colon], text[s.value:s.end]
		h.lines[i] = &values[i]
	}
	return h, size, plain
}

// span is where one line of the header lies.
type span struct{ name, colon, value, end int }

var (
	crlfcrlf  = []byte("\r\n\r\n")
	version   = []byte(" HTTP/1.1\r\n")
	keepAlive = []byte("keep-alive")
)

func (h *head) takeMethod(method []byte) verdict {
	switch string(method) {
	case "GET":
		h.method = "GET"
	case "POST":
		h.method = "POST"
	case "PUT":
		h.method = "PUT"
	case "PATCH":
		h.method = "PATCH"
	case "DELETE":
		h.method = "DELETE"
	default:
		return other
	}
	return plain
}

// takeLength reads a body's length of at most seven digits.
func (h *head) takeLength(digits []byte) bool {
	if len(digits) == 0 || len(digits) > 7 {
		return false
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return false
		}
		h.length = 10*h.length + int(c-'0')
	}
	return true
}

// bare reports a line that does not end with CR LF: net/http takes it.
func bare(in []byte) bool {
	for from := 0; ; {
		at := bytes.IndexByte(in[from:], '\n')
		if at < 0 {
			return false
		}
		if from += at + 1; from < 2 || in[from-2] != '\r' {
			return true
		}
	}
}

// escapes reports whether every % begins an escape.
func escapes(path []byte) bool {
	for at := 0; ; {
		next := bytes.IndexByte(path[at:], '%')
		if next < 0 {
			return true
		}
		at += next
		if at+2 >= len(path) || class[path[at+1]]&inHex == 0 || class[path[at+2]]&inHex == 0 {
			return false
		}
		at += 3
	}
}

func plainHost(host []byte) bool {
	for _, c := range host {
		if class[c]&inHost == 0 {
			return false
		}
	}
	return len(host) > 0
}

// class says what a byte may be part of.
var class = func() (class [256]uint8) {
	mark := func(bits uint8, bytes string) {
		for i := range len(bytes) {
			class[bytes[i]] |= bits
		}
	}
	const alphanumeric = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	mark(inPath|inToken|inHost, alphanumeric)
	mark(inHex, "0123456789abcdefABCDEF")
	mark(inPath, "/-._~!$&'()*+,;=:@%")
	mark(inToken, "!#$%&'*+-.^_`|~")
	mark(inHost, "-.:_")
	for c := 0x21; c < 0x7f; c++ {
		class[c] |= inQuery
	}
	class['#'] &^= inQuery
	for c := range class {
		if c >= ' ' && c != 0x7f || c == '\t' {
			class[c] |= inValue
		}
	}
	return class
}()

const (
	inPath uint8 = 1 << iota
	inQuery
	inToken
	inValue
	inHost
	inHex
)

// token reports whether a header may have the name.
func token(name string) bool {
	for i := range len(name) {
		if class[name[i]]&inToken == 0 {
			return false
		}
	}
	return name != ""
}
