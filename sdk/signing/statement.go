package signing

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// Purpose is the only purpose there is: that the module may serve payments. It is part
// of what is signed, so that a signature made for anything else is none of a module.
const Purpose = "serve"

// domain keeps signatures of modules apart from whatever else a key may sign.
const domain = "railhead connector v1"

// fieldMax bounds a name in bytes.
const fieldMax = 255

// Module is what is signed: a module and what its manifest says of it.
type Module struct {
	Digest   [sha256.Size]byte // SHA-256 of the module's bytes
	Manifest [sha256.Size]byte // SHA-256 of the manifest in its canonical encoding
	Name     string
	Version  string
	Author   string // who wrote it; part of every signature
}

// Statement is what one signature covers.
type Statement struct {
	Module
	Signer string // whose key it is
	Tenant string // the only tenant it holds for; empty: all
}

// Bytes is the canonical form: the domain, the purpose, both digests, then name,
// version, author, signer and tenant, each behind its length in bytes as a big-endian
// number of four bytes.
func (s Statement) Bytes() []byte {
	b := make([]byte, 0, 256)
	field := func(text string) {
		b = binary.BigEndian.AppendUint32(b, uint32(len(text)))
		b = append(b, text...)
	}
	field(domain)
	field(Purpose)
	field(string(s.Digest[:]))
	field(string(s.Manifest[:]))
	for _, text := range []string{s.Name, s.Version, s.Author, s.Signer, s.Tenant} {
		field(text)
	}
	return b
}

// Signature is a statement's signature, without the parts of the statement that the
// module itself brings along.
type Signature struct {
	Key       ed25519.PublicKey
	Signature []byte
	Signer    string
	Tenant    string
}

// Sign signs a module. The signer is the name by which nodes know the key.
func Sign(key ed25519.PrivateKey, m Module, signer, tenant string) (Signature, error) {
	if signer == "" {
		return Signature{}, errors.New("a signature names its signer")
	}
	for _, text := range []string{m.Author, signer, tenant} {
		if len(text) > fieldMax {
			return Signature{}, fmt.Errorf("a name of %d bytes; at most %d are allowed", len(text), fieldMax)
		}
	}
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok || len(key) != ed25519.PrivateKeySize {
		return Signature{}, errors.New("the key is no ed25519 key")
	}
	s := Statement{Module: m, Signer: signer, Tenant: tenant}
	return Signature{Key: public, Signature: ed25519.Sign(key, s.Bytes()), Signer: signer, Tenant: tenant}, nil
}

// Valid tells whether the signature is one of the module by the key it names.
func (s Signature) Valid(m Module) bool {
	statement := Statement{Module: m, Signer: s.Signer, Tenant: s.Tenant}
	return len(s.Key) == ed25519.PublicKeySize && ed25519.Verify(s.Key, statement.Bytes(), s.Signature)
}
