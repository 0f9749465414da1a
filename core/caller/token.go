package caller

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/railhead-hub/railhead/core/secret"
)

// algorithms are those a token may be signed with: none with a shared key, which
// would let whoever verifies a token make one.
var algorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.PS256, jose.ES256, jose.EdDSA,
	jose.RS384, jose.RS512, jose.PS384, jose.PS512, jose.ES384, jose.ES512,
}

const (
	tokenMax    = 16 << 10 // bytes
	rsaBitsMin  = 2048
	leewayMaxMS = 600_000
)

// bearer is a token's rule read in.
type bearer struct {
	issuer, audience, claim string
	algorithms              []jose.SignatureAlgorithm
	leeway                  time.Duration
	file                    *secret.File
	keys                    atomic.Pointer[keySet]
	renewing                sync.Mutex
}

// keySet is a JWKS file read in.
type keySet struct {
	version uint64
	keys    []jose.JSONWebKey
}

func newJWT(in reader) (*Rule, error) {
	var c struct {
		Kind           string   `json:"kind"`
		JWKS           string   `json:"jwks"`
		Issuer         string   `json:"issuer"`
		Audience       string   `json:"audience"`
		Algorithms     []string `json:"algorithms"`
		LeewayMS       *int64   `json:"leeway_ms"`
		PrincipalClaim string   `json:"principal_claim"`
	}
	err := in.into(&c)
	if err != nil {
		return nil, err
	}
	if c.Issuer == "" || c.Audience == "" {
		return nil, errors.New("issuer and audience are needed: a token that is for somebody else is not for the hub")
	}
	b := &bearer{issuer: c.Issuer, audience: c.Audience, claim: c.PrincipalClaim, leeway: jwt.DefaultLeeway}
	if b.claim == "" {
		b.claim = "sub"
	}
	if c.LeewayMS != nil {
		if *c.LeewayMS < 0 || *c.LeewayMS > leewayMaxMS {
			return nil, fmt.Errorf("leeway_ms is %d; 0 to %d are allowed", *c.LeewayMS, leewayMaxMS)
		}
		b.leeway = time.Duration(*c.LeewayMS) * time.Millisecond
	}
	b.algorithms = algorithms[:4]
	if len(c.Algorithms) > 0 {
		b.algorithms = nil
		for _, name := range c.Algorithms {
			if !slices.Contains(algorithms, jose.SignatureAlgorithm(name)) {
				return nil, fmt.Errorf("algorithm %q is not one a token may be signed with", name)
			}
			b.algorithms = append(b.algorithms, jose.SignatureAlgorithm(name))
		}
	}
	if b.file, err = in.open(c.JWKS); err != nil {
		return nil, err
	}
	first, err := parseKeys(b.file)
	if err != nil {
		return nil, err
	}
	b.keys.Store(first)
	return &Rule{Credential: "authorization", Challenge: "Bearer", identify: b.identify}, nil
}

// parseKeys reads a JWKS file (RFC 7517). Keys that are for encryption, and shared
// ones, are not taken.
func parseKeys(file *secret.File) (*keySet, error) {
	version := file.Version()
	keys, err := readKeys([]byte(file.Value()))
	if err != nil {
		return nil, fmt.Errorf("jwks %s: %w", file.Name(), err)
	}
	return &keySet{version, keys}, nil
}

func (b *bearer) current() *keySet {
	now := b.keys.Load()
	if b.file.Version() == now.version || !b.renewing.TryLock() {
		return now
	}
	defer b.renewing.Unlock()
	next, err := parseKeys(b.file)
	if err != nil {
		b.file.Unfit(err)
		// Those from before stay good; the file is not read again until it changes.
		next = &keySet{b.file.Version(), now.keys}
	}
	b.keys.Store(next)
	return next
}

func (b *bearer) identify(in *Request) (string, error) {
	sent, err := only(in, "authorization")
	if err != nil {
		return "", err
	}
	scheme, text, _ := strings.Cut(sent, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", missing
	}
	if len(text) > tokenMax {
		return "", malformed
	}
	token, err := jwt.ParseSigned(strings.TrimSpace(text), b.algorithms)
	if err != nil || len(token.Headers) != 1 {
		return "", malformed
	}
	var claims jwt.Claims
	all := make(map[string]any)
	if !b.verify(token, &claims, &all) {
		return "", unverified
	}
	if claims.Expiry == nil {
		return "", malformed
	}
	err = claims.ValidateWithLeeway(jwt.Expected{
		Issuer: b.issuer, AnyAudience: jwt.Audience{b.audience}, Time: in.Now,
	}, b.leeway)
	switch {
	case errors.Is(err, jwt.ErrExpired) || errors.Is(err, jwt.ErrNotValidYet):
		return "", expired
	case err != nil:
		return "", wrong
	}
	principal, _ := all[b.claim].(string)
	if checkPrincipal(principal) != nil {
		return "", malformed
	}
	return principal, nil
}

// verify looks for a key that verifies the token: the one it names, or any if it
// names none.
func (b *bearer) verify(token *jwt.JSONWebToken, into ...any) bool {
	head := token.Headers[0]
	tried := 0
	for _, k := range b.current().keys {
		if head.KeyID != "" && k.KeyID != head.KeyID || k.Algorithm != "" && k.Algorithm != head.Algorithm {
			continue
		}
		if tried++; tried > 4 {
			return false
		}
		if token.Claims(k.Key, into...) == nil {
			return true
		}
	}
	return false
}

func weak(k jose.JSONWebKey) bool {
	public, ok := k.Key.(*rsa.PublicKey)
	return ok && public.N.BitLen() < rsaBitsMin
}
