package connector

import (
	"bytes"
	"strconv"
	"testing"
)

// What was cut from an arena's blocks stays what it was, whatever is cut later, and
// also where something outgrew its room.
func TestPiecesStayWhatTheyWere(t *testing.T) {
	pieces.size = 256 // as a guest has, but smaller
	defer func() { pieces = arena{} }()
	type piece struct {
		got  []byte
		want string
	}
	var kept []piece
	for n := range 300 {
		text := string(bytes.Repeat([]byte{byte('a' + n%26)}, n%90))
		kept = append(kept, piece{pieces.bytes(text), text})
		number := strconv.Itoa(n)
		outcome := Complete(Vars{"text": text, "number": number})
		var w writer
		native := Vars{"text": text, "number": number}
		native.encode(&w, completeVariables)
		kept = append(kept, piece{outcome.variables, string(w)})
	}
	for n, p := range kept {
		if string(p.got) != p.want {
			t.Errorf("piece %d has become %q, and was %q", n, p.got, p.want)
		}
		if cap(p.got) != len(p.got) {
			t.Errorf("piece %d has room behind it, which is somebody else's", n)
		}
	}
}

// A head is what begin and end write.
func TestHead(t *testing.T) {
	for _, length := range []int{0, 1, 0x7f, 0x80, 0x3fff, 0x4000, 1 << 21} {
		content := bytes.Repeat([]byte{'x'}, length)
		var got, want writer
		got.head(replyOutcome, length)
		if len(got) != headBytes(length) {
			t.Errorf("the head for %d bytes has %d bytes, not %d", length, len(got), headBytes(length))
		}
		at := want.begin(replyOutcome)
		want = append(want, content...)
		want.end(at)
		if !bytes.Equal(append(got, content...), want) {
			t.Errorf("the head for %d bytes is %x", length, got)
		}
	}
}
