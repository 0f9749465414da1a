package signing

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
)

// File is the detached signatures of one module, as the file beside it holds them:
// MODULE.wasm.sig. All of them are of the same author's module.
type File struct {
	Digest     string          `json:"digest"` // of the module, in hex, for people
	Name       string          `json:"name"`
	Version    string          `json:"version"`
	Author     string          `json:"author,omitempty"`
	Signatures []FileSignature `json:"signatures"`
}

// FileSignature is a Signature in a File; key and signature are base64 in JSON.
type FileSignature struct {
	Signer    string `json:"signer"`
	Tenant    string `json:"tenant,omitempty"`
	Key       []byte `json:"key"`
	Signature []byte `json:"signature"`
}

// filesMax bounds the signatures of one file.
const filesMax = 32

// ParseFile reads a file of signatures.
func ParseFile(text []byte) (*File, error) {
	f := new(File)
	if err := json.Unmarshal(text, f); err != nil {
		return nil, fmt.Errorf("the signatures: %w", err)
	}
	if len(f.Signatures) > filesMax {
		return nil, fmt.Errorf("%d signatures; at most %d are allowed", len(f.Signatures), filesMax)
	}
	return f, nil
}

// Encode is the file's text.
func (f *File) Encode() ([]byte, error) {
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("the signatures: %w", err)
	}
	return append(text, '\n'), nil
}

// Add puts a signature in, in place of an earlier one by the same signer for the same
// tenant.
func (f *File) Add(m Module, s Signature) error {
	if digest := hex.EncodeToString(m.Digest[:]); len(f.Signatures) > 0 && f.Digest != digest {
		return fmt.Errorf("the signatures there are of another module, %.12s", f.Digest)
	} else if len(f.Signatures) > 0 && f.Author != m.Author {
		return fmt.Errorf("the signatures there are of a module by %q, not by %q", f.Author, m.Author)
	} else {
		f.Digest, f.Name, f.Version, f.Author = digest, m.Name, m.Version, m.Author
	}
	kept := f.Signatures[:0]
	for _, old := range f.Signatures {
		if old.Signer != s.Signer || old.Tenant != s.Tenant {
			kept = append(kept, old)
		}
	}
	f.Signatures = append(kept, FileSignature{Signer: s.Signer, Tenant: s.Tenant, Key: s.Key, Signature: s.Signature})
	return nil
}

// List is the signatures for Policy.Verify.
func (f *File) List() []Signature {
	out := make([]Signature, 0, len(f.Signatures))
	for _, s := range f.Signatures {
		out = append(out, Signature{Key: s.Key, Signature: s.Signature, Signer: s.Signer, Tenant: s.Tenant})
	}
	return out
}

// EncodeKey is a private key as a file holds it: PKCS #8 in PEM, as OpenSSL's genpkey
// -algorithm ed25519 writes it too.
func EncodeKey(key ed25519.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("the key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// ParseKey is the inverse of EncodeKey.
func ParseKey(text []byte) (ed25519.PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("the key file holds no PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("the key: %w", err)
	}
	private, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, errors.New("the key is no ed25519 key")
	}
	return private, nil
}
