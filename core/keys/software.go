package keys

import (
	"context"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"math/big"

	"github.com/railhead-hub/railhead/sdk/abi"
)

// material is one version of a key: in this process's memory or in a token.
type material interface {
	// sign also computes MACs.
	sign(ctx context.Context, a *algorithm, data []byte) ([]byte, error)
	verify(ctx context.Context, a *algorithm, data, signature []byte) (bool, error)
	encrypt(ctx context.Context, a *algorithm, data, additional []byte) ([]byte, error)
}

// software is a key in memory. Of a key pair it may have the public half only.
type software struct {
	private crypto.Signer
	public  crypto.PublicKey
	secret  []byte
}

// rsaMin is the least modulus in bits: RFC 7518 sections 3.3 and 4.3.
const rsaMin = 2048

// fit says why the key cannot serve an algorithm, if it cannot.
func (k *software) fit(a *algorithm) error {
	wrong := func(what string) error { return fmt.Errorf("%s wants %s", a.name, what) }
	switch a.family {
	case rsaPKCS1, rsaPSS, rsaOAEP:
		if key, ok := k.public.(*rsa.PublicKey); !ok || key.N.BitLen() < rsaMin {
			return wrong("an RSA key of at least 2048 bits")
		}
	case ecdsaSign:
		if key, ok := k.public.(*ecdsa.PublicKey); !ok || key.Curve.Params().BitSize != a.bits {
			return wrong(fmt.Sprintf("a key of the curve P-%d", a.bits))
		}
	case ed25519Sign:
		if _, ok := k.public.(ed25519.PublicKey); !ok {
			return wrong("an Ed25519 key")
		}
	case hmacHash:
		if len(k.secret) < a.hash.Size() { // RFC 7518 section 3.2
			return wrong(fmt.Sprintf("a symmetric key of at least %d bytes", a.hash.Size()))
		}
	case aesCMAC:
		if n := len(k.secret); n != 16 && n != 24 && n != 32 {
			return wrong("an AES key of 16, 24 or 32 bytes")
		}
	case retailMAC:
		if n := len(k.secret); n != 16 && n != 24 || subtle.ConstantTimeCompare(k.secret[:8], k.secret[8:16]) == 1 {
			return wrong("a DES key of double or triple length whose parts differ")
		}
	case aesGCM:
		if len(k.secret)*8 != a.bits {
			return wrong(fmt.Sprintf("a symmetric key of %d bytes", a.bits/8))
		}
	}
	return nil
}

var errPublicOnly = &Failure{abi.FailureForbidden, "only the public half of the key is bound, and it cannot sign"}

func (k *software) sign(_ context.Context, a *algorithm, data []byte) ([]byte, error) {
	if k.secret != nil {
		return k.mac(a, data)
	}
	if k.private == nil {
		return nil, errPublicOnly
	}
	switch a.family {
	case rsaPKCS1:
		return k.private.Sign(rand.Reader, a.digest(data), a.hash)
	case rsaPSS:
		return k.private.Sign(rand.Reader, a.digest(data), pssOptions(a))
	case ed25519Sign:
		return k.private.Sign(rand.Reader, data, crypto.Hash(0))
	case ecdsaSign:
		r, s, err := ecdsa.Sign(rand.Reader, k.private.(*ecdsa.PrivateKey), a.digest(data))
		if err != nil {
			return nil, err
		}
		size := (a.bits + 7) / 8
		out := make([]byte, 2*size)
		r.FillBytes(out[:size])
		s.FillBytes(out[size:])
		return out, nil
	}
	return nil, errUnsupported
}

var errUnsupported = &Failure{abi.FailureUnsupported, "the key cannot do this"}

// pssOptions: RFC 7518 section 3.5 has a salt as long as the hash.
func pssOptions(a *algorithm) *rsa.PSSOptions {
	return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: a.hash}
}

func (k *software) mac(a *algorithm, data []byte) ([]byte, error) {
	switch a.family {
	case hmacHash:
		h := hmac.New(a.hash.New, k.secret)
		h.Write(data)
		return h.Sum(nil), nil
	case aesCMAC:
		return cmac(k.secret, data)
	case retailMAC:
		return retail(k.secret, data, a.padding)
	}
	return nil, errUnsupported
}

func (k *software) verify(_ context.Context, a *algorithm, data, signature []byte) (bool, error) {
	switch key := k.public.(type) {
	case *rsa.PublicKey:
		if a.family == rsaPSS {
			return rsa.VerifyPSS(key, a.hash, a.digest(data), signature, pssOptions(a)) == nil, nil
		}
		return rsa.VerifyPKCS1v15(key, a.hash, a.digest(data), signature) == nil, nil
	case *ecdsa.PublicKey:
		size := (a.bits + 7) / 8
		if len(signature) != 2*size {
			return false, nil
		}
		r, s := new(big.Int).SetBytes(signature[:size]), new(big.Int).SetBytes(signature[size:])
		return ecdsa.Verify(key, a.digest(data), r, s), nil
	case ed25519.PublicKey:
		return ed25519.Verify(key, data, signature), nil
	}
	own, err := k.mac(a, data)
	if err != nil {
		return false, err
	}
	return hmac.Equal(own, signature), nil
}

func (k *software) encrypt(_ context.Context, a *algorithm, data, additional []byte) ([]byte, error) {
	if a.family == rsaOAEP {
		if len(additional) > 0 {
			return nil, failf(abi.FailureInvalid, "%s authenticates no additional data", a.name)
		}
		out, err := rsa.EncryptOAEP(a.hash.New(), rand.Reader, k.public.(*rsa.PublicKey), data, nil)
		if errors.Is(err, rsa.ErrMessageTooLong) {
			return nil, failf(abi.FailureTooLarge, "%d bytes are more than the key can encrypt by %s", len(data), a.name)
		}
		return out, err
	}
	if a.family != aesGCM {
		return nil, errUnsupported
	}
	block, err := aes.NewCipher(k.secret)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, gcm.NonceSize(), gcm.NonceSize()+len(data)+gcm.Overhead())
	if _, err := io.ReadFull(rand.Reader, nonce); err != nil {
		return nil, err
	}
	return gcm.Seal(nonce, nonce, data, additional), nil
}

// forget zeroes what can be zeroed.
func (k *software) forget() { clear(k.secret) }
