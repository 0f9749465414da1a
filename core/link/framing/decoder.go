package framing

import (
	"bytes"
	"fmt"
)

// Decoder takes bytes as they come and gives the frames in them. It holds no more
// than one frame that is not whole yet and what was fed last. It is not safe for
// concurrent use.
type Decoder struct {
	framing *Framing
	buf     []byte
	from    int // where the next frame begins in buf
	scanned int // of buf from from on, without a delimiter's beginning
	err     error
}

// NewDecoder returns a Decoder for one connection.
func (f *Framing) NewDecoder() *Decoder { return &Decoder{framing: f} }

// Feed takes bytes. Next is to be called until it has no more frames before the next
// bytes are fed.
func (d *Decoder) Feed(p []byte) {
	if d.from > 0 {
		d.buf = append(d.buf[:0], d.buf[d.from:]...)
		d.from = 0
	}
	d.buf = append(d.buf, p...)
}

// Partial reports whether the beginning of a frame waits for the rest.
func (d *Decoder) Partial() bool { return len(d.buf) > d.from }

// Next is the data of the next frame, which is the caller's; ok is false when more
// bytes are needed. A frame without data is a sign of life. The error is an *Error,
// and every call after it returns the same.
func (d *Decoder) Next() (data []byte, ok bool, err error) {
	if d.err != nil {
		return nil, false, d.err
	}
	if d.framing.length > 0 {
		data, ok, err = d.measured()
	} else {
		data, ok, err = d.delimited()
	}
	d.err = err
	return data, ok, err
}

func (d *Decoder) measured() ([]byte, bool, error) {
	f, rest := d.framing, d.buf[d.from:]
	if len(rest) < f.length {
		return nil, false, nil
	}
	n, err := f.readLength(rest[:f.length])
	if err != nil {
		return nil, false, err
	}
	if n < f.itself {
		return nil, false, &Error{fmt.Sprintf("the length %d is less than its own %d bytes", n, f.length)}
	}
	n -= f.itself
	header := uint64(len(f.header))
	switch {
	case n == 0:
		d.from += f.length // a sign of life, which needs no header
		return []byte{}, true, nil
	case n < header:
		return nil, false, &Error{fmt.Sprintf("the length %d leaves no room for the header", n)}
	case n-header > uint64(f.max):
		return nil, false, &Error{fmt.Sprintf("%d bytes are announced, and %d are allowed", n-header, f.max)}
	}
	rest = rest[f.length:]
	if uint64(len(rest)) < n {
		return nil, false, nil
	}
	d.from += f.length + int(n)
	// Counterparties swap the addresses in a TPDU: the header is not compared.
	return append([]byte{}, rest[header:n]...), true, nil
}

func (d *Decoder) delimited() ([]byte, bool, error) {
	f, rest := d.framing, d.buf[d.from:]
	if n := min(len(rest), len(f.start)); !bytes.Equal(rest[:n], f.start[:n]) {
		return nil, false, &Error{fmt.Sprintf("it begins with %x, not with %x", rest[:n], f.start)}
	}
	if len(rest) < len(f.start) {
		return nil, false, nil
	}
	rest = rest[len(f.start):]
	at := bytes.Index(rest[d.scanned:], f.delimiter)
	switch {
	case at < 0:
		d.scanned = max(0, len(rest)-len(f.delimiter)+1)
		if d.scanned > f.max {
			return nil, false, &Error{fmt.Sprintf("no delimiter within %d bytes", f.max)}
		}
		return nil, false, nil
	case d.scanned+at > f.max:
		return nil, false, &Error{fmt.Sprintf("%d bytes before a delimiter, and %d are allowed", d.scanned+at, f.max)}
	}
	at += d.scanned
	d.scanned = 0
	d.from += len(f.start) + at + len(f.delimiter)
	return append([]byte{}, rest[:at]...), true, nil
}
