package abi_test

import (
	"fmt"
	"testing"

	"github.com/railhead-hub/railhead/sdk/abi"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// Published test values of 64-bit FNV-1a.
func TestDigestIsFNV1a(t *testing.T) {
	for text, want := range map[string]uint64{
		"":       0xcbf29ce484222325,
		"a":      0xaf63dc4c8601ec8c,
		"foobar": 0x85944171f73967e8,
	} {
		if got := abi.Digest([]byte(text)); got != want {
			t.Errorf("%q: got %#x, want %#x", text, got, want)
		}
	}
}

// Digests stand in histories: these values may never change.
func TestPinnedDigests(t *testing.T) {
	hold := &sdkv1.Http{
		Endpoint: "bank", Method: "POST", Path: "/holds",
		Headers: []*sdkv1.Header{{Key: "content-type", Value: "application/json"}},
		Body:    []byte(`{"amount":"12.50"}`), Key: "hold",
		Terms: &sdkv1.Terms{Amount: "12.50", Currency: "TZS"},
	}
	for _, row := range []struct {
		effect *sdkv1.Effect
		want   string
	}{
		{&sdkv1.Effect{Ordinal: 1, Kind: &sdkv1.Effect_Http{Http: hold}}, "fc3b3b1d20f2a230"},
		{&sdkv1.Effect{Ordinal: 2, Kind: &sdkv1.Effect_Http{Http: hold}}, "811c5e51351ae525"},
		{&sdkv1.Effect{Ordinal: 1, Kind: &sdkv1.Effect_Sleep{Sleep: &sdkv1.Sleep{DurationMs: 1000}}}, "9493ee43ed38028a"},
	} {
		if got := fmt.Sprintf("%016x", abi.EffectDigest(row.effect)); got != row.want {
			t.Errorf("got %s, want %s", got, row.want)
		}
	}
}
