package secret

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"strings"
)

// Pin is the SHA-256 digest of a public key (SubjectPublicKeyInfo), as in RFC 7469. It
// is no secret, but written beside them: egress knows peers by pins, package caller
// callers.
type Pin [sha256.Size]byte

// PinOf is the pin of a certificate's key.
func PinOf(c *x509.Certificate) Pin { return sha256.Sum256(c.RawSubjectPublicKeyInfo) }

// ParsePin reads pin-sha256="base64", sha256/base64 or the base64 alone.
func ParsePin(text string) (pin Pin, err error) {
	digits := text
	if quoted, ok := strings.CutPrefix(text, `pin-sha256="`); ok {
		digits, ok = strings.CutSuffix(quoted, `"`)
		if !ok {
			return pin, fmt.Errorf("pin %q has no closing quote", text)
		}
	} else {
		digits = strings.TrimPrefix(digits, "sha256/")
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(digits)
	if err != nil || len(raw) != sha256.Size {
		return pin, fmt.Errorf(`pin %q is not the base64 of 32 bytes, as in pin-sha256="..."`, text)
	}
	return Pin(raw), nil
}

// String is the pin as configurations have it.
func (p Pin) String() string {
	return `pin-sha256="` + base64.StdEncoding.EncodeToString(p[:]) + `"`
}
