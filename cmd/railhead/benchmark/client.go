package benchmark

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"time"
)

// client is one connection to a node's ingress and the buffers of one request at
// a time. It speaks as much HTTP/1.1 as a node needs to be asked and understood,
// over a plain connection that is kept open: the load shares its processors with
// the nodes that it measures, and net/http would take as much of them as a node
// does. What it sends is what any client sends, and answers are read to the end.
type client struct {
	address string // host and port
	conn    net.Conn
	forget  func() bool // that ctx closes conn

	out []byte // the request
	in  []byte // what has been read and not used
	buf []byte // in is part of it
}

// responseMax bounds an answer, headers and body, in bytes.
const responseMax = 64 << 10

func newClient(base string) (*client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" || u.Host == "" {
		return nil, fmt.Errorf("%q is not the address of a plain HTTP server", base)
	}
	return &client{address: u.Host, buf: make([]byte, 4<<10)}, nil
}

// header of the requests, in the order they are sent.
type header struct{ name, value string }

// do sends one request and returns the answer's status and body. The body is
// good until the next call. After an error the connection is closed; the next
// call opens another. Nothing is sent twice.
func (c *client) do(ctx context.Context, method, path string, headers []header, body string) (status int, answer []byte, err error) {
	if c.conn == nil {
		d := net.Dialer{Timeout: 5 * time.Second}
		if c.conn, err = d.DialContext(ctx, "tcp", c.address); err != nil {
			return 0, nil, err
		}
		c.in = nil
		// Reading ends with ctx; a deadline for each request would cost a timer each.
		conn := c.conn
		c.forget = context.AfterFunc(ctx, func() { _ = conn.Close() })
	}
	out := append(c.out[:0], method...)
	out = append(out, ' ')
	out = append(out, path...)
	out = append(out, " HTTP/1.1\r\nHost: "...)
	out = append(out, c.address...)
	for _, h := range headers {
		out = append(out, "\r\n"...)
		out = append(out, h.name...)
		out = append(out, ": "...)
		out = append(out, h.value...)
	}
	if body != "" || method == "POST" {
		out = append(out, "\r\nContent-Length: "...)
		out = strconv.AppendInt(out, int64(len(body)), 10)
	}
	out = append(out, "\r\n\r\n"...)
	out = append(out, body...)
	c.out = out
	if _, err = c.conn.Write(out); err == nil {
		status, answer, err = c.read()
	}
	if err != nil {
		c.close()
	}
	return status, answer, err
}

func (c *client) close() {
	if c.conn != nil {
		c.forget()
		_ = c.conn.Close()
		c.conn = nil
	}
}

var (
	blankLine = []byte("\r\n\r\n")
	lineEnd   = []byte("\r\n")
)

// read takes in one answer.
func (c *client) read() (status int, body []byte, err error) {
	var end int
	for searched := 0; ; {
		if at := bytes.Index(c.in[searched:], blankLine); at >= 0 {
			end = searched + at + len(blankLine)
			break
		}
		searched = max(0, len(c.in)-len(blankLine)+1)
		if err := c.more(); err != nil {
			return 0, nil, err
		}
	}
	status, length, err := parseHead(c.in[:end-len(lineEnd)])
	if err != nil {
		return 0, nil, err
	}
	if end+length > responseMax {
		return 0, nil, fmt.Errorf("an answer of more than %d bytes", responseMax)
	}
	for len(c.in) < end+length {
		if err := c.more(); err != nil {
			return 0, nil, err
		}
	}
	body, c.in = c.in[end:end+length], c.in[end+length:]
	if len(c.in) > 0 {
		return 0, nil, errors.New("an answer is longer than it says")
	}
	return status, body, nil
}

// more reads once.
func (c *client) more() error {
	if len(c.in) == len(c.buf) {
		if len(c.buf) >= responseMax {
			return fmt.Errorf("an answer of more than %d bytes", responseMax)
		}
		c.buf = append(c.buf, make([]byte, len(c.buf))...)
	}
	n := copy(c.buf, c.in)
	read, err := c.conn.Read(c.buf[n:])
	c.in = c.buf[:n+read]
	if read > 0 {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// parseHead reads the status line and the lines that frame the body. Each line
// ends with CR LF.
func parseHead(head []byte) (status, length int, err error) {
	line, rest, _ := bytes.Cut(head, lineEnd)
	version, line, _ := bytes.Cut(line, []byte(" "))
	if string(version) != "HTTP/1.1" || len(line) < 3 {
		return 0, 0, fmt.Errorf("not an answer of HTTP/1.1: %q", head)
	}
	if status, err = strconv.Atoi(string(line[:3])); err != nil || status < 200 {
		return 0, 0, fmt.Errorf("not a final status: %q", line)
	}
	length = -1
	for len(rest) > 0 {
		line, rest, _ = bytes.Cut(rest, lineEnd)
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			return 0, 0, fmt.Errorf("not a header: %q", line)
		}
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil || length < 0 {
				return 0, 0, fmt.Errorf("not a length: %q", line)
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			return 0, 0, fmt.Errorf("an answer without its length: %q", line)
		case bytes.EqualFold(name, []byte("Connection")):
			return 0, 0, fmt.Errorf("the node ends the connection: %q", line)
		}
	}
	if length < 0 && status != 204 && status != 304 {
		return 0, 0, errors.New("an answer without its length")
	}
	return status, max(0, length), nil
}
