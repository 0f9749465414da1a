package framing_test

import (
	"bytes"
	"testing"

	"github.com/railhead-hub/railhead/core/link/framing"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// some makes a framing of a few bytes, sound or not.
func some(seed []byte) *sdkv1.Framing {
	for len(seed) < 4 {
		seed = append(seed, 0)
	}
	f := &sdkv1.Framing{Kind: "length", LengthBytes: uint32(seed[1]%10) + 1, LengthIncludesItself: seed[2]&1 == 1}
	f.LengthEncoding = []string{"big", "little", "ascii", "bcd"}[seed[3]%4]
	f.Header = seed[4:]
	if seed[0]%2 == 1 {
		f = &sdkv1.Framing{Kind: "delimiter", Start: seed[1:2], Delimiter: seed[2:]}
		if seed[0]%4 == 3 {
			f.Start = nil
		}
	}
	return f
}

// FuzzRoundTrip: what can be sent comes out as it went in, however it is cut, and
// nothing else does.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte{0, 2, 0, 0}, []byte("0800"), []byte("0810"), uint16(3))
	f.Add([]byte{1, 2, 3, 3}, []byte("ab"), []byte("\x03"), uint16(1))
	f.Fuzz(func(t *testing.T, seed, first, second []byte, cut uint16) {
		fr, err := framing.New(some(seed), 64)
		if err != nil {
			return
		}
		var stream []byte
		var want [][]byte
		for _, data := range [][]byte{first, second} {
			longer, err := fr.Append(stream, data)
			if err != nil {
				if !bytes.Equal(longer, stream) {
					t.Fatal("a frame that cannot be sent left something behind")
				}
				continue
			}
			stream, want = longer, append(want, data)
		}
		at := int(cut) % (len(stream) + 1)
		d := fr.NewDecoder()
		for _, part := range [][]byte{stream[:at], stream[at:]} {
			d.Feed(part)
			for {
				data, ok, err := d.Next()
				if err != nil {
					t.Fatal(err)
				}
				if !ok {
					break
				}
				if len(want) == 0 || !bytes.Equal(data, want[0]) {
					t.Fatalf("%q came, want %q", data, want)
				}
				want = want[1:]
			}
		}
		if len(want) > 0 || d.Partial() {
			t.Fatalf("%q are missing", want)
		}
	})
}

// FuzzDecoder: whatever comes is frames within the limit or an error, however it is
// cut.
func FuzzDecoder(f *testing.F) {
	f.Add([]byte{0, 2, 0, 0}, []byte("\x00\x040800\x00\x00"), byte(1))
	f.Add([]byte{1, 2, 3, 3}, []byte("\x020800\x03\x03"), byte(3))
	f.Fuzz(func(t *testing.T, seed, stream []byte, chunk byte) {
		fr, err := framing.New(some(seed), 64)
		if err != nil {
			return
		}
		read := func(size int) (frames [][]byte, failed bool) {
			d := fr.NewDecoder()
			for rest := stream; len(rest) > 0; {
				n := min(size, len(rest))
				d.Feed(rest[:n])
				rest = rest[n:]
				for {
					data, ok, err := d.Next()
					if err != nil {
						return frames, true
					}
					if !ok {
						break
					}
					if len(data) > fr.Max() {
						t.Fatalf("a frame of %d bytes", len(data))
					}
					frames = append(frames, data)
				}
			}
			return frames, false
		}
		whole, broken := read(len(stream) + 1)
		parts, alsoBroken := read(int(chunk) + 1)
		if broken != alsoBroken || len(whole) != len(parts) {
			t.Fatalf("%d frames %v at once, %d %v in parts", len(whole), broken, len(parts), alsoBroken)
		}
	})
}
