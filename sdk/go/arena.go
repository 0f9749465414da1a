package connector

import "slices"

// arena cuts the bytes that a step receives out of larger blocks, since in a
// guest an allocation costs far more than the copying. No byte is handed out
// twice, so what a handler keeps stays what it was; a block is garbage once
// nothing of it is held. The zero arena, which is the native one, makes each
// piece an allocation of its own, and is never written to.
type arena struct {
	block []byte // what is left of the current block
	size  int    // of a block
}

// pieces is the one arena, since a guest runs one step at a time.
var pieces arena

// take returns n bytes, with no room behind them.
func (a *arena) take(n int) []byte {
	if n > len(a.block) {
		if n > a.size/4 {
			return make([]byte, n)
		}
		a.block = make([]byte, a.size)
	}
	piece := a.block[:n:n]
	a.block = a.block[n:]
	return piece
}

// bytes copies what was decoded for a handler, which may write to it; nil if
// there is nothing.
func (a *arena) bytes(s string) []byte {
	if s == "" {
		return nil
	}
	piece := a.take(len(s))
	copy(piece, s)
	return piece
}

// room returns a writer with room for n bytes, and perhaps for more; taken ends
// what it was for.
func (a *arena) room(n int) writer {
	if n > len(a.block) {
		if n > a.size/4 {
			return make(writer, 0, n)
		}
		a.block = make([]byte, a.size)
	}
	return a.block[:0]
}

// taken returns what was written into room, with no room behind it.
func (a *arena) taken(w writer) writer {
	if len(a.block) > 0 && len(w) > 0 && &w[0] == &a.block[0] {
		a.block = a.block[len(w):]
	}
	return slices.Clip(w)
}
