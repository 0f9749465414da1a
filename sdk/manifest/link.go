package manifest

import (
	"errors"
	"fmt"

	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// Limits on links.
const (
	// FrameMaxBytes bounds a frame; FrameDefaultBytes is the bound of a link whose
	// manifest names none.
	FrameMaxBytes     = 1 << 20
	FrameDefaultBytes = 64 << 10
	// OutstandingMax bounds the round trips of a link that wait at once;
	// OutstandingDefault holds where the manifest names no number.
	OutstandingMax     = 10_000
	OutstandingDefault = 100
	// IdleMaxMillis bounds idle_ms: a day.
	IdleMaxMillis = 24 * 3600 * 1000

	framingBytesMax = 64 // of a header, a start or a delimiter
)

func (c *checker) link(l *sdkv1.Link) {
	name := l.GetName()
	c.mustf(ident.MatchString(name), "link name %q is not lower case", name)
	c.once("link", name)
	switch l.GetMode() {
	case "", "keyed", "ask", "never":
	default:
		c.mustf(false, "link %s: mode %q is none of keyed, ask, never", name, l.GetMode())
	}
	c.mustf(l.GetFrameMax() <= FrameMaxBytes, "link %s: frame_max is above %d", name, FrameMaxBytes)
	c.mustf(l.GetOutstanding() <= OutstandingMax, "link %s: outstanding is above %d", name, OutstandingMax)
	c.mustf(l.GetIdleMs() <= IdleMaxMillis, "link %s: idle_ms is above a day", name)
	if l.GetFraming() != nil {
		// Without one every tenant has to say how its counterparty frames.
		err := CheckFraming(l.Framing)
		c.mustf(err == nil, "link %s: %v", name, err)
	}
}

// CheckFraming says what is wrong with a framing, if anything.
func CheckFraming(f *sdkv1.Framing) error {
	delimited := len(f.Start) > 0 || len(f.Delimiter) > 0
	measured := f.LengthBytes != 0 || f.LengthEncoding != "" || f.LengthIncludesItself || len(f.Header) > 0
	switch f.Kind {
	case "length":
		if delimited {
			return errors.New("framing: a start and a delimiter belong to the kind delimiter")
		}
		if f.LengthBytes < 1 || f.LengthBytes > 8 {
			return fmt.Errorf("framing: length_bytes is %d; 1 to 8 are allowed", f.LengthBytes)
		}
		switch f.LengthEncoding {
		case "big", "little", "ascii", "bcd":
		default:
			return fmt.Errorf("framing: length_encoding %q is none of big, little, ascii, bcd", f.LengthEncoding)
		}
	case "delimiter":
		if measured {
			return errors.New("framing: lengths and a header belong to the kind length")
		}
		if len(f.Delimiter) == 0 {
			return errors.New("framing: the delimiter is missing")
		}
	default:
		return fmt.Errorf("framing: kind %q is none of length, delimiter", f.Kind)
	}
	if max(len(f.Header), len(f.Start), len(f.Delimiter)) > framingBytesMax {
		return fmt.Errorf("framing: a header, a start and a delimiter have at most %d bytes", framingBytesMax)
	}
	return nil
}

// FrameMax is the largest frame of a link in bytes.
func FrameMax(l *sdkv1.Link) int {
	if l.GetFrameMax() == 0 {
		return FrameDefaultBytes
	}
	return int(l.GetFrameMax())
}

// Outstanding is how many round trips of a link may wait at once.
func Outstanding(l *sdkv1.Link) int {
	if l.GetOutstanding() == 0 {
		return OutstandingDefault
	}
	return int(l.GetOutstanding())
}
