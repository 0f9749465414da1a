//go:build cgo

package keys

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"errors"
	"io"
	"math/big"
	"slices"

	"github.com/miekg/pkcs11"

	"github.com/railhead-hub/railhead/sdk/abi"
)

// tokenKey is a key that stays in its token. What a public key can do is done here:
// it is no secret, and a token has better things to do.
type tokenKey struct {
	token   *token
	object  object
	pinPath string
	name    string
}

// mechanisms of tokens that hash or not, by algorithm.
var mechanisms = map[string]uint{
	"RS256": pkcs11.CKM_SHA256_RSA_PKCS, "RS384": pkcs11.CKM_SHA384_RSA_PKCS, "RS512": pkcs11.CKM_SHA512_RSA_PKCS,
	"PS256": pkcs11.CKM_SHA256_RSA_PKCS_PSS, "PS384": pkcs11.CKM_SHA384_RSA_PKCS_PSS, "PS512": pkcs11.CKM_SHA512_RSA_PKCS_PSS,
	"ES256": pkcs11.CKM_ECDSA, "ES384": pkcs11.CKM_ECDSA, "ES512": pkcs11.CKM_ECDSA,
	"EdDSA": ckmEdDSA,
	"HS256": pkcs11.CKM_SHA256_HMAC, "HS384": pkcs11.CKM_SHA384_HMAC, "HS512": pkcs11.CKM_SHA512_HMAC,
	"AES-CMAC": pkcs11.CKM_AES_CMAC,
}

// From PKCS #11 version 3.0, which the binding does not know.
const (
	ckmEdDSA = 0x1057
)

// pss are a mechanism's hash and mask generation.
var pss = map[string][2]uint{
	"PS256": {pkcs11.CKM_SHA256, pkcs11.CKG_MGF1_SHA256},
	"PS384": {pkcs11.CKM_SHA384, pkcs11.CKG_MGF1_SHA384},
	"PS512": {pkcs11.CKM_SHA512, pkcs11.CKG_MGF1_SHA512},
}

func (k *tokenKey) of(class uint) object {
	o := k.object
	o.class = class
	return o
}

func (k *tokenKey) sign(ctx context.Context, a *algorithm, data []byte) (out []byte, err error) {
	mechanism, known := mechanisms[a.name]
	if !known {
		return nil, failf(abi.FailureUnsupported, "%s: %s is not done by tokens", k.name, a.name)
	}
	class := uint(pkcs11.CKO_PRIVATE_KEY)
	if a.symmetricMAC() {
		class = pkcs11.CKO_SECRET_KEY
	}
	var parameter any
	if p, ok := pss[a.name]; ok {
		parameter = pkcs11.NewPSSParams(p[0], p[1], uint(a.hash.Size()))
	}
	if a.family == ecdsaSign {
		data = a.digest(data) // CKM_ECDSA signs a digest
	}
	err = k.with(ctx, func(s *session) error {
		handle, err := s.find(k.of(class))
		if err != nil {
			return err
		}
		if err := s.library.ctx.SignInit(s.handle, []*pkcs11.Mechanism{pkcs11.NewMechanism(mechanism, parameter)}, handle); err != nil {
			return err
		}
		out, err = s.library.ctx.Sign(s.handle, data)
		return err
	})
	if err == nil && a.family == ecdsaSign && len(out) != 2*((a.bits+7)/8) {
		return nil, failf(abi.FailureForbidden, "%s is of another curve than %s wants", k.name, a.name)
	}
	return out, err
}

func (k *tokenKey) verify(ctx context.Context, a *algorithm, data, signature []byte) (bool, error) {
	if a.symmetricMAC() {
		own, err := k.sign(ctx, a, data)
		return err == nil && hmac.Equal(own, signature), err
	}
	public, err := k.public(ctx, a)
	if err != nil {
		return false, err
	}
	return public.verify(ctx, a, data, signature)
}

func (k *tokenKey) encrypt(ctx context.Context, a *algorithm, data, additional []byte) (out []byte, err error) {
	if a.family == rsaOAEP {
		public, err := k.public(ctx, a)
		if err != nil {
			return nil, err
		}
		return public.encrypt(ctx, a, data, additional)
	}
	nonce := make([]byte, 12)
	if _, err := io.ReadFull(rand.Reader, nonce); err != nil {
		return nil, err
	}
	err = k.with(ctx, func(s *session) error {
		handle, err := s.find(k.of(pkcs11.CKO_SECRET_KEY))
		if err != nil {
			return err
		}
		length, err := s.library.ctx.GetAttributeValue(s.handle, handle, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_VALUE_LEN, nil)})
		if err != nil {
			return err
		}
		if size := ulong(length[0].Value); size*8 != uint(a.bits) {
			return failf(abi.FailureForbidden, "%s has %d bytes, and %s wants %d", k.name, size, a.name, a.bits/8)
		}
		parameter := pkcs11.NewGCMParams(nonce, additional, 128)
		defer parameter.Free()
		if err := s.library.ctx.EncryptInit(s.handle, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_AES_GCM, parameter)}, handle); err != nil {
			return err
		}
		sealed, err := s.library.ctx.Encrypt(s.handle, data)
		if err != nil {
			return err
		}
		used := parameter.IV() // some tokens choose their own
		if len(used) != len(nonce) {
			used = nonce
		}
		out = append(append(make([]byte, 0, len(used)+len(sealed)), used...), sealed...)
		return nil
	})
	return out, err
}

// ulong reads a CK_ULONG, which is as the machine has it.
func ulong(b []byte) uint {
	n := uint(0)
	for _, c := range slices.Backward(b) { // the machines this runs on are little-endian
		n = n<<8 | uint(c)
	}
	return n
}

// public is the public half of the key, as the token's public key object says.
func (k *tokenKey) public(ctx context.Context, a *algorithm) (*software, error) {
	key := &software{}
	err := k.with(ctx, func(s *session) error {
		handle, err := s.find(k.of(pkcs11.CKO_PUBLIC_KEY))
		if err != nil {
			return err
		}
		switch a.family {
		case ecdsaSign, ed25519Sign:
			values, err := s.attributes(handle, pkcs11.CKA_EC_POINT)
			if err != nil {
				return err
			}
			key.public, err = point(a, values[0])
			return err
		}
		values, err := s.attributes(handle, pkcs11.CKA_MODULUS, pkcs11.CKA_PUBLIC_EXPONENT)
		if err != nil {
			return err
		}
		key.public = &rsa.PublicKey{N: new(big.Int).SetBytes(values[0]), E: int(new(big.Int).SetBytes(values[1]).Int64())}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := key.fit(a); err != nil {
		return nil, failf(abi.FailureForbidden, "%s: %v", k.name, err)
	}
	return key, nil
}

func (s *session) attributes(handle pkcs11.ObjectHandle, types ...uint) ([][]byte, error) {
	var template []*pkcs11.Attribute
	for _, t := range types {
		template = append(template, pkcs11.NewAttribute(t, nil))
	}
	found, err := s.library.ctx.GetAttributeValue(s.handle, handle, template)
	if err != nil {
		return nil, err
	}
	var values [][]byte
	for _, a := range found {
		values = append(values, a.Value)
	}
	return values, nil
}

// point reads CKA_EC_POINT: an OCTET STRING, though some tokens leave that off.
func point(a *algorithm, raw []byte) (any, error) {
	var inner []byte
	if rest, err := asn1.Unmarshal(raw, &inner); err == nil && len(rest) == 0 {
		raw = inner
	}
	if a.family == ed25519Sign {
		if len(raw) != ed25519.PublicKeySize {
			return nil, errors.New("its public key is no Ed25519 one")
		}
		return ed25519.PublicKey(raw), nil
	}
	curve := map[int]elliptic.Curve{256: elliptic.P256(), 384: elliptic.P384(), 521: elliptic.P521()}[a.bits]
	key, err := ecdsa.ParseUncompressedPublicKey(curve, raw)
	if err != nil {
		return nil, failf(abi.FailureForbidden, "its public key is not of the curve that %s wants", a.name)
	}
	return key, nil
}
