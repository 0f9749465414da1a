package abi

// Digest is the 64-bit FNV-1a hash of an effect's canonical encoding, ordinal
// included. It tells a changed request from the one a history answers; it is no
// defence against forgery, since both sides of it belong to the same connector.
func Digest(encoded []byte) uint64 {
	const prime = 0x100000001b3
	h := uint64(0xcbf29ce484222325)
	// Eight bytes at a time: in a guest, the turns of a loop cost more than what
	// is done in them.
	for ; len(encoded) >= 8; encoded = encoded[8:] {
		b := encoded[:8:8]
		h = (h ^ uint64(b[0])) * prime
		h = (h ^ uint64(b[1])) * prime
		h = (h ^ uint64(b[2])) * prime
		h = (h ^ uint64(b[3])) * prime
		h = (h ^ uint64(b[4])) * prime
		h = (h ^ uint64(b[5])) * prime
		h = (h ^ uint64(b[6])) * prime
		h = (h ^ uint64(b[7])) * prime
	}
	for _, b := range encoded {
		h = (h ^ uint64(b)) * prime
	}
	return h
}
