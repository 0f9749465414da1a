package keys

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
)

// Config is how a tenant binds one key, as JSON:
//
//	{"file": "jws.pem", "algorithms": ["PS256"], "uses": ["sign"]}
//	{"versions": [{"file": "mac-2.key", "encoding": "hex"},
//	              {"pkcs11": {"token": "payments", "label": "mac-1", "pin_secret": "hsm_pin"}}],
//	 "algorithms": ["AES-CMAC"], "uses": ["mac"]}
//
// Versions stand newest first: the first signs, MACs and encrypts, any verifies.
// A binding without versions has the one that stands in it.
type Config struct {
	Source
	Versions []Source `json:"versions"`
	// Algorithms and Uses are all that the key may be used for; see algorithm.go.
	Algorithms []string `json:"algorithms"`
	Uses       []string `json:"uses"` // sign, verify, mac, encrypt
}

// Source is where one version of a key is.
type Source struct {
	// File is a file's name in <secrets_dir>/<tenant>. A PEM file may hold a private
	// key (PKCS #8), or public keys and certificates; of several the first is the
	// newest. Anything else is a symmetric key.
	File string `json:"file"`
	// Encoding of a symmetric key's file: hex, base64 or raw. Empty: hex.
	Encoding string  `json:"encoding"`
	PKCS11   *PKCS11 `json:"pkcs11"`
}

// PKCS11 names a key in a token by its label, its id or both.
type PKCS11 struct {
	Token string `json:"token"` // the token's label
	Label string `json:"label"`
	ID    string `json:"id"` // hexadecimal
	// PINSecret is the name of the secret that holds the user PIN.
	PINSecret string `json:"pin_secret"`
}

// TokensConfig binds the tenant's token key, of 64 bytes.
type TokensConfig struct {
	Source
	Versions []Source `json:"versions"`
}

// TokensUse is what a connector may do with the tenant's tokens; nothing unless
// it says so.
type TokensUse struct {
	Tokenize   bool `json:"tokenize"`
	Detokenize bool `json:"detokenize"`
}

// versionsMax bounds the versions of one key.
const versionsMax = 16

var fileName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

func sources(one Source, many []Source) ([]Source, error) {
	if one != (Source{}) {
		if len(many) > 0 {
			return nil, errors.New("give either versions, or a file or pkcs11 key beside them, not both")
		}
		many = []Source{one}
	}
	if len(many) == 0 || len(many) > versionsMax {
		return nil, fmt.Errorf("it has %d versions; 1 to %d are allowed", len(many), versionsMax)
	}
	for _, s := range many {
		if err := s.check(); err != nil {
			return nil, err
		}
	}
	return many, nil
}

func (s Source) check() error {
	switch {
	case (s.File == "") == (s.PKCS11 == nil):
		return errors.New("a version is either a file or a pkcs11 key")
	case s.PKCS11 != nil:
		p := s.PKCS11
		if s.Encoding != "" || p.Token == "" || p.Label == "" && p.ID == "" || !fileName.MatchString(p.PINSecret) {
			return errors.New("a pkcs11 key has a token, a label or an id, and a pin_secret")
		}
		if _, err := decodeHex(p.ID); err != nil {
			return errors.New("the id of a pkcs11 key is hexadecimal")
		}
		return nil
	case !fileName.MatchString(s.File):
		return fmt.Errorf("file %q: use letters, digits, dots, dashes and _; it lies in the secrets' directory under the tenant", s.File)
	}
	switch s.Encoding {
	case "", "hex", "base64", "raw":
		return nil
	}
	return fmt.Errorf("encoding %q is none of hex, base64 and raw", s.Encoding)
}

// Check reports the first fault of the binding that can be seen without its files.
func (c Config) Check() error {
	if _, err := sources(c.Source, c.Versions); err != nil {
		return err
	}
	if len(c.Algorithms) == 0 || len(c.Uses) == 0 {
		return errors.New("name the algorithms and the uses (sign, verify, mac, encrypt) it is for")
	}
	for _, use := range c.Uses {
		if !slices.Contains(uses, use) {
			return fmt.Errorf("use %q is none of sign, verify, mac and encrypt", use)
		}
	}
	for _, name := range c.Algorithms {
		a := algorithms[name]
		if a == nil {
			return fmt.Errorf("algorithm %q is not known", name)
		}
		if !a.fits(algorithms[c.Algorithms[0]]) {
			return fmt.Errorf("%s and %s want different keys", c.Algorithms[0], name)
		}
		if !slices.ContainsFunc(c.Uses, a.serves) {
			return fmt.Errorf("%s serves none of the uses", name)
		}
	}
	return nil
}

// Check reports the first fault that can be seen without the files.
func (c TokensConfig) Check() error {
	list, err := sources(c.Source, c.Versions)
	if err != nil {
		return err
	}
	for _, s := range list {
		if s.PKCS11 != nil {
			// Deterministic encryption is no mechanism of PKCS #11.
			return errors.New("the key of tokens is a file")
		}
	}
	return nil
}
