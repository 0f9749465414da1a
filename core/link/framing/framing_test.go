package framing_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/railhead-hub/railhead/core/link/framing"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

func length(bytes uint32, encoding string, itself bool, header string) *sdkv1.Framing {
	return &sdkv1.Framing{Kind: "length", LengthBytes: bytes, LengthEncoding: encoding, LengthIncludesItself: itself, Header: []byte(header)}
}

func delimiter(start, end string) *sdkv1.Framing {
	return &sdkv1.Framing{Kind: "delimiter", Start: []byte(start), Delimiter: []byte(end)}
}

func TestWire(t *testing.T) {
	for _, c := range []struct {
		name    string
		framing *sdkv1.Framing
		data    string
		wire    string
	}{
		{"two bytes, as most of ISO 8583", length(2, "big", false, ""), "0800", "\x00\x040800"},
		{"including itself", length(2, "big", true, ""), "0800", "\x00\x060800"},
		{"a TPDU", length(2, "big", false, "\x60\x00\x01\x00\x02"), "0800", "\x00\x09\x60\x00\x01\x00\x020800"},
		{"little", length(4, "little", false, ""), "0800", "\x04\x00\x00\x000800"},
		{"eight bytes", length(8, "big", false, ""), "0800", "\x00\x00\x00\x00\x00\x00\x00\x040800"},
		{"digits", length(4, "ascii", false, ""), "0800", "00040800"},
		{"digits including themselves", length(4, "ascii", true, ""), "0800", "00080800"},
		{"decimals", length(2, "bcd", false, ""), strings.Repeat("x", 123), "\x01\x23" + strings.Repeat("x", 123)},
		{"one byte", length(1, "big", false, ""), strings.Repeat("x", 255), "\xff" + strings.Repeat("x", 255)},
		{"lines", delimiter("", "\r\n"), "0800", "0800\r\n"},
		{"STX and ETX", delimiter("\x02", "\x03"), "0800", "\x020800\x03"},
		{"part of a delimiter", delimiter("", "\r\n"), "0800\r", "0800\r\r\n"},
	} {
		f, err := framing.New(c.framing, 1000)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		wire, err := f.Append(nil, []byte(c.data))
		if err != nil || string(wire) != c.wire {
			t.Errorf("%s: %q %v, want %q", c.name, wire, err, c.wire)
		}
		// However it is cut, two frames come out.
		stream := append(bytes.Clone(wire), wire...)
		for cut := range len(stream) {
			d := f.NewDecoder()
			var got []string
			for _, part := range [][]byte{stream[:cut], stream[cut:]} {
				d.Feed(part)
				for {
					data, ok, err := d.Next()
					if err != nil {
						t.Fatalf("%s: %v", c.name, err)
					}
					if !ok {
						break
					}
					got = append(got, string(data))
				}
			}
			if len(got) != 2 || got[0] != c.data || got[1] != c.data || d.Partial() {
				t.Fatalf("%s, cut at %d: %q", c.name, cut, got)
			}
		}
	}
}

func TestSignsOfLifeAndGarbage(t *testing.T) {
	for _, c := range []struct {
		name    string
		framing *sdkv1.Framing
		wire    string
		frames  int
		says    string
	}{
		{"length 0", length(2, "big", false, "\x60\x00\x01\x00\x02"), "\x00\x00", 1, ""},
		{"length 0 that includes itself", length(2, "big", true, ""), "\x00\x02", 1, ""},
		{"an empty line", delimiter("", "\n"), "\n", 1, ""},
		{"less than itself", length(2, "big", true, ""), "\x00\x01", 0, "less than its own"},
		{"less than the header", length(2, "big", false, "\x60\x00\x01\x00\x02"), "\x00\x03abc", 0, "no room for the header"},
		{"too much", length(4, "big", false, ""), "\xff\xff\xff\xff", 0, "are allowed"},
		{"far too much", length(8, "big", true, ""), "\xff\xff\xff\xff\xff\xff\xff\xff", 0, "are allowed"},
		{"letters", length(4, "ascii", false, ""), "GET ", 0, "digits"},
		{"a nibble over nine", length(1, "bcd", false, ""), "\x1f", 0, "decimals"},
		{"another start", delimiter("\x02", "\x03"), "\x020800\x03x", 1, "begins with"},
		{"no end", delimiter("", "\n"), strings.Repeat("x", 101), 0, "no delimiter"},
		{"an end too late", delimiter("", "\n"), strings.Repeat("x", 101) + "\n", 0, "are allowed"},
	} {
		f, err := framing.New(c.framing, 100)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		d := f.NewDecoder()
		d.Feed([]byte(c.wire))
		frames := 0
		var data []byte
		ok := true
		for ok && err == nil {
			if data, ok, err = d.Next(); ok {
				frames++
			}
		}
		if _, typed := errors.AsType[*framing.Error](err); frames != c.frames || (err != nil) != (c.says != "") ||
			err != nil && (!typed || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %d frames, the last %q, then %v; want %d and something about %q", c.name, frames, data, err, c.frames, c.says)
		}
		if _, _, again := d.Next(); again != err { //nolint:errorlint // the very same
			t.Errorf("%s: %v after %v", c.name, again, err)
		}
	}
}

func TestWhatCannotBeSent(t *testing.T) {
	for _, c := range []struct {
		framing *sdkv1.Framing
		data    string
		want    error
	}{
		{length(2, "big", false, ""), "", framing.ErrEmpty},
		{length(2, "big", false, ""), strings.Repeat("x", 101), framing.ErrTooLarge},
		{length(1, "bcd", true, "head"), strings.Repeat("x", 95), framing.ErrTooLarge},
		{delimiter("", "\n"), "a\nb", framing.ErrDelimiter},
		{delimiter("", "aa"), "ba", framing.ErrDelimiter},
	} {
		f, err := framing.New(c.framing, 100)
		if err != nil {
			t.Fatal(err)
		}
		if wire, err := f.Append([]byte("before"), []byte(c.data)); !errors.Is(err, c.want) || string(wire) != "before" {
			t.Errorf("%q: %q %v, want %v", c.data, wire, err, c.want)
		}
	}
}

func TestFaults(t *testing.T) {
	for _, c := range []struct {
		framing *sdkv1.Framing
		says    string
	}{
		{nil, "neither"},
		{&sdkv1.Framing{}, "kind"},
		{length(0, "big", false, ""), "length_bytes"},
		{length(9, "big", false, ""), "length_bytes"},
		{length(2, "middle", false, ""), "length_encoding"},
		{length(1, "ascii", true, "12345678"), "no room"},
		{length(2, "big", false, strings.Repeat("x", 65)), "64"},
		{delimiter("", ""), "missing"},
		{&sdkv1.Framing{Kind: "length", LengthBytes: 2, LengthEncoding: "big", Delimiter: []byte("x")}, "belong"},
		{&sdkv1.Framing{Kind: "delimiter", LengthBytes: 2, Delimiter: []byte("x")}, "belong"},
	} {
		if _, err := framing.New(c.framing, 100); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v: %v, want something about %q", c.framing, err, c.says)
		}
	}
}
