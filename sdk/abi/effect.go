//go:build !wasip1

package abi

import sdkv1 "github.com/railhead-hub/railhead/sdk/v1"

// EffectDigest encodes the effect and digests it.
func EffectDigest(effect *sdkv1.Effect) uint64 {
	encoded, err := effect.MarshalVTStrict()
	if err != nil {
		// The generated encoder fails for no value of this type.
		panic("abi: an effect does not encode: " + err.Error())
	}
	return Digest(encoded)
}
