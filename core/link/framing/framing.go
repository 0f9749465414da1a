package framing

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/railhead-hub/railhead/sdk/manifest"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// Error says why bytes that came are no frames.
type Error struct{ Text string }

func (e *Error) Error() string { return "the bytes are no frame: " + e.Text }

// Why a frame cannot be sent.
var (
	ErrEmpty    = errors.New("a frame without data cannot be sent")
	ErrTooLarge = errors.New("the frame is larger than the link takes")
	// ErrDelimiter: the receiver would take it for two frames.
	ErrDelimiter = errors.New("the frame holds the link's delimiter")
)

// Framing is how the frames of one link are told apart. It is immutable.
type Framing struct {
	max int // bytes of data

	length   int // bytes of the length; 0: delimited
	encoding string
	itself   uint64 // what the length counts beside header and data
	header   []byte

	start, delimiter []byte
}

// New checks a framing and bounds its frames to max bytes of data, and to what the
// length can say.
func New(f *sdkv1.Framing, max int) (*Framing, error) {
	if f == nil {
		return nil, errors.New("framing: neither the manifest nor the tenant says how frames are told apart")
	}
	if err := manifest.CheckFraming(f); err != nil {
		return nil, err
	}
	if max < 1 || max > manifest.FrameMaxBytes {
		return nil, fmt.Errorf("framing: a frame has at most %d bytes; 1 to %d are allowed", max, manifest.FrameMaxBytes)
	}
	out := &Framing{
		max: max, length: int(f.LengthBytes), encoding: f.LengthEncoding,
		header: bytes.Clone(f.Header), start: bytes.Clone(f.Start), delimiter: bytes.Clone(f.Delimiter),
	}
	if out.length == 0 {
		return out, nil
	}
	if f.LengthIncludesItself {
		out.itself = uint64(out.length)
	}
	over := out.itself + uint64(len(out.header))
	if most := out.most(); most <= over {
		return nil, errors.New("framing: the length leaves no room for data")
	} else if most-over < uint64(max) {
		out.max = int(most - over)
	}
	return out, nil
}

// Max is the largest frame in bytes of data.
func (f *Framing) Max() int { return f.max }

// most is the largest number that the length can say.
func (f *Framing) most() uint64 {
	switch f.encoding {
	case "ascii":
		return power(10, f.length) - 1
	case "bcd":
		return power(100, f.length) - 1
	}
	if f.length == 8 {
		return math.MaxUint64
	}
	return 1<<(8*f.length) - 1
}

func power(base uint64, n int) uint64 {
	p := uint64(1)
	for range n {
		p *= base
	}
	return p
}

// Append appends a frame as it goes over the wire.
func (f *Framing) Append(dst, data []byte) ([]byte, error) {
	switch {
	case len(data) == 0:
		return dst, ErrEmpty
	case len(data) > f.max:
		return dst, fmt.Errorf("%w: %d bytes, and %d are allowed", ErrTooLarge, len(data), f.max)
	case f.length > 0:
		dst = f.appendLength(dst, f.itself+uint64(len(f.header)+len(data)))
		return append(append(dst, f.header...), data...), nil
	}
	begin := len(dst) + len(f.start)
	dst = append(append(append(dst, f.start...), data...), f.delimiter...)
	// The end of the data may begin a delimiter, too.
	if bytes.Index(dst[begin:], f.delimiter) != len(data) {
		return dst[:begin-len(f.start)], ErrDelimiter
	}
	return dst, nil
}

func (f *Framing) appendLength(dst []byte, n uint64) []byte {
	var b [8]byte
	switch f.encoding {
	case "big":
		binary.BigEndian.PutUint64(b[:], n)
		return append(dst, b[8-f.length:]...)
	case "little":
		binary.LittleEndian.PutUint64(b[:], n)
		return append(dst, b[:f.length]...)
	case "ascii":
		return fmt.Appendf(dst, "%0*d", f.length, n)
	}
	for i := f.length - 1; i >= 0; i-- {
		b[i] = byte(n%10 | n/10%10<<4)
		n /= 100
	}
	return append(dst, b[:f.length]...)
}

// readLength is the inverse of appendLength.
func (f *Framing) readLength(b []byte) (uint64, error) {
	n := uint64(0)
	switch f.encoding {
	case "big":
		for _, c := range b {
			n = n<<8 | uint64(c)
		}
	case "little":
		for _, c := range slices.Backward(b) {
			n = n<<8 | uint64(c)
		}
	case "ascii":
		for _, c := range b {
			if c < '0' || c > '9' {
				return 0, &Error{"the length " + strconv.QuoteToASCII(string(b)) + " is not written in digits"}
			}
			n = n*10 + uint64(c-'0')
		}
	default:
		for _, c := range b {
			if c>>4 > 9 || c&15 > 9 {
				return 0, &Error{fmt.Sprintf("the length %x is not written in binary-coded decimals", b)}
			}
			n = n*100 + uint64(c>>4*10+c&15)
		}
	}
	return n, nil
}
