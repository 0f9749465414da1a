package caller

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// readKeys takes the public keys for signatures out of a JWKS (RFC 7517). Keys for
// encryption and shared keys are passed over, as the RFC wants for what is not
// understood; a private key's public half is taken.
func readKeys(text []byte) ([]jose.JSONWebKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, fmt.Errorf("it is no JWKS: %w", err)
	}
	if len(set.Keys) > listMax {
		return nil, fmt.Errorf("it has %d keys; %d are allowed", len(set.Keys), listMax)
	}
	var keys []jose.JSONWebKey
	for _, raw := range set.Keys {
		var k jose.JSONWebKey
		if k.UnmarshalJSON(raw) != nil || k.Use != "" && k.Use != "sig" {
			continue
		}
		public := k.Public()
		if !public.Valid() || weak(public) {
			continue
		}
		keys = append(keys, public)
	}
	if len(keys) == 0 {
		return nil, errors.New("it has no public key for signatures, of 2048 bits or more if it is RSA")
	}
	return keys, nil
}
