package abi

import sdkv1 "github.com/railhead-hub/railhead/sdk/v1"

// Digest is the 64-bit FNV-1a hash of an effect's canonical encoding, ordinal
// included. It tells a changed request from the one a history answers; it is no
// defence against forgery, since both sides of it belong to the same connector.
func Digest(encoded []byte) uint64 {
	h := uint64(0xcbf29ce484222325)
	for _, b := range encoded {
		h = (h ^ uint64(b)) * 0x100000001b3
	}
	return h
}

// EffectDigest encodes the effect and digests it.
func EffectDigest(effect *sdkv1.Effect) uint64 {
	encoded, err := effect.MarshalVTStrict()
	if err != nil {
		// The generated encoder fails for no value of this type.
		panic("abi: an effect does not encode: " + err.Error())
	}
	return Digest(encoded)
}
