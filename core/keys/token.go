package keys

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/tink-crypto/tink-go/v2/daead/subtle"

	"github.com/railhead-hub/railhead/sdk/abi"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// TokenPrefix begins every token.
const TokenPrefix = "tok_"

// Token matches a token: tok_, the kind, _, and what is encrypted, as base64url.
var Token = regexp.MustCompile(tokenSyntax)

var tokenKind = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

// tokens turns values into tokens and back. There is no vault: a token is the value
// itself under AES-SIV (RFC 5297), which is deterministic and authenticates what it
// decrypts. So nothing has to be stored, replicated or restored for a token to be
// understood; every node and every new leader gives the same one; and a token that
// was made up or changed is found out. The price is that whoever has the key has
// every value, where a vault could forget single ones, and that a new key gives new
// tokens to the same values: old tokens are still understood while their key is
// among the versions.
type tokens struct {
	tenant   string
	versions []*file
	fault    error
}

const (
	tokenVersion  = 1
	tokenKeyBytes = subtle.AESSIVKeySize // two AES-256 keys
	tokenKeyID    = 4
	sivBytes      = 16
)

func newTokens(b Bindings, around Surroundings) *tokens {
	if b.Tokens == nil {
		return nil
	}
	t := &tokens{tenant: b.Tenant}
	if t.fault = b.Tokens.Check(); t.fault != nil {
		return t
	}
	list, err := sources(b.Tokens.Source, b.Tokens.Versions)
	if err != nil {
		t.fault = err
		return t
	}
	fit := func(k *software) error {
		if len(k.secret) != tokenKeyBytes {
			return fmt.Errorf("a token key has %d random bytes", tokenKeyBytes)
		}
		return nil
	}
	for _, s := range list {
		m, err := s.open(b.Tenant, "the token key of tenant "+b.Tenant, around, fit)
		if err != nil {
			t.fault = err
			return t
		}
		t.versions = append(t.versions, m.(fileKey).file)
	}
	return t
}

// Mask is a number that hides a digest in the log: who has the log but not the
// tenant's token key cannot try card numbers against it. The context must not come
// twice. A new token key changes it.
func (r *Ring) Mask(context []byte) (mask uint64, err error) {
	if err := r.tokensReady(); err != nil {
		return 0, err
	}
	err = r.tokens.versions[0].use(func(keys []*software) error {
		h := hmac.New(sha256.New, keys[0].secret)
		h.Write([]byte("railhead digest mask\x00"))
		h.Write(context)
		mask = binary.BigEndian.Uint64(h.Sum(nil))
		return nil
	})
	return mask, err
}

func (t *tokens) forget() {
	for _, f := range t.versions {
		f.forget()
	}
}

func (t *tokens) check() error {
	if t.fault != nil {
		return t.fault
	}
	for _, f := range t.versions {
		if err := f.use(func([]*software) error { return nil }); err != nil {
			return err
		}
	}
	return nil
}

func (r *Ring) tokenize(kind, value string) *sdkv1.Answer {
	token, err := r.Tokenize(kind, value)
	if err != nil {
		return AsFailure(err).answer()
	}
	return text(token)
}

func (r *Ring) detokenize(token string) *sdkv1.Answer {
	value, err := r.Reveal(token)
	if err != nil {
		return AsFailure(err).answer()
	}
	return text(value)
}

func text(s string) *sdkv1.Answer {
	return &sdkv1.Answer{Kind: &sdkv1.Answer_Text{Text: &sdkv1.TextAnswer{Text: s}}}
}

// Tokenize is the tenant's token of a value: the same for the same kind and value
// as long as the key is.
func (r *Ring) Tokenize(kind, value string) (string, error) {
	if !r.use.Tokenize {
		return "", failf(abi.FailureForbidden, "%s may not tokenize", r.who)
	}
	if !tokenKind.MatchString(kind) || value == "" {
		return "", failf(abi.FailureInvalid, "a token has a kind of lower-case letters, digits and dashes, and a value")
	}
	if len(value) > ValueMax {
		return "", failf(abi.FailureTooLarge, "a value of %d bytes is more than the %d of a token", len(value), ValueMax)
	}
	if err := r.tokensReady(); err != nil {
		return "", err
	}
	var out string
	err := r.tokens.versions[0].use(func(keys []*software) error {
		siv, err := subtle.NewAESSIV(keys[0].secret)
		if err != nil {
			return err
		}
		sealed, err := siv.EncryptDeterministically([]byte(value), r.tokens.about(kind))
		if err != nil {
			return err
		}
		raw := append([]byte{tokenVersion}, keyID(keys[0].secret)...)
		out = TokenPrefix + kind + "_" + base64.RawURLEncoding.EncodeToString(append(raw, sealed...))
		return nil
	})
	return out, err
}

func (r *Ring) tokensReady() error {
	if r.tokens == nil {
		return failf(abi.FailureNotFound, "the tenant has no token key")
	}
	if r.tokens.fault != nil {
		return failf(abi.FailureNotFound, "the tenant's token key: %v", r.tokens.fault)
	}
	return nil
}

// about is what a token authenticates beside its value: a token of one tenant or
// kind is none of another's.
func (t *tokens) about(kind string) []byte {
	b := []byte("railhead token\x00")
	for _, s := range []string{t.tenant, kind} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	return b
}

// keyID tells the key of a token among the versions, and says nothing of the key.
func keyID(secret []byte) []byte {
	sum := sha256.Sum256(append([]byte("railhead token key\x00"), secret...))
	return sum[:tokenKeyID]
}

// ValueLen is the length in bytes of what a token stands for, which the token shows; 0
// where it is none.
func ValueLen(token string) int {
	rest, ok := strings.CutPrefix(token, TokenPrefix)
	_, encoded, both := strings.Cut(rest, "_")
	if !ok || !both {
		return 0
	}
	return max(0, base64.RawURLEncoding.DecodedLen(len(encoded))-1-tokenKeyID-sivBytes)
}

var errToken = &Failure{abi.FailureNotFound, "this is no token of the tenant"}

// reveal is the kind and the value of a token. It asks nobody's permission: what is
// revealed to a connector goes through detokenize.
func (r *Ring) reveal(token string) (kind, value string, err error) {
	rest, ok := strings.CutPrefix(token, TokenPrefix)
	kind, encoded, both := strings.Cut(rest, "_")
	if !ok || !both || !tokenKind.MatchString(kind) || len(encoded) > 2*ValueMax {
		return "", "", errToken
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil || len(raw) <= 1+tokenKeyID+sivBytes || raw[0] != tokenVersion {
		return "", "", errToken
	}
	if err := r.tokensReady(); err != nil {
		return "", "", err
	}
	var away error
	for _, f := range r.tokens.versions {
		err := f.use(func(keys []*software) error {
			if [tokenKeyID]byte(keyID(keys[0].secret)) != [tokenKeyID]byte(raw[1:1+tokenKeyID]) {
				return errToken
			}
			siv, err := subtle.NewAESSIV(keys[0].secret)
			if err != nil {
				return err
			}
			plain, err := siv.DecryptDeterministically(raw[1+tokenKeyID:], r.tokens.about(kind))
			if err != nil {
				return errToken
			}
			value = string(plain)
			clear(plain)
			return nil
		})
		if err == nil {
			return kind, value, nil
		}
		if !errors.Is(err, errToken) {
			away = err
		}
	}
	if away != nil {
		return "", "", away
	}
	return "", "", errToken
}
