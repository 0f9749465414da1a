package signing

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
)

// Root is a key that a node trusts, and whose it is.
type Root struct {
	Name string
	Key  ed25519.PublicKey
}

// ParseRoot reads a root as configuration has it: NAME=KEY, the key's 32 bytes in
// base64.
func ParseRoot(text string) (Root, error) {
	name, encoded, ok := strings.Cut(text, "=")
	key, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || name == "" || len(name) > fieldMax || err != nil || len(key) != ed25519.PublicKeySize {
		return Root{}, fmt.Errorf("root %q is not of the form NAME=KEY, the key's 32 bytes in base64", text)
	}
	return Root{Name: name, Key: key}, nil
}

// String is what ParseRoot reads.
func (r Root) String() string { return r.Name + "=" + base64.StdEncoding.EncodeToString(r.Key) }

// Policy is what a node demands of a module's signatures. The zero Policy demands none.
type Policy struct {
	Roots     []Root
	Threshold int // of distinct roots that must have signed; 0: 1
	// Separate demands that author, signers and whoever activates are all different.
	Separate bool
}

// Code says why a module is refused.
type Code string

// The codes of refusals.
const (
	TooFew       Code = "too-few-signatures"
	BadSignature Code = "bad-signature" // it is not of this module, name, version, author, signer or tenant
	UnknownRoot  Code = "unknown-root"  // only keys signed that this node does not trust
	WrongTenant  Code = "wrong-tenant"  // signed for other tenants only
	NotSeparate  Code = "not-separate"  // one person does what takes two
)

// Error is a refusal.
type Error struct {
	Code Code
	Text string
}

func (e *Error) Error() string { return e.Text }

func refused(code Code, format string, args ...any) error {
	return &Error{Code: code, Text: fmt.Sprintf(format, args...)}
}

// Check reports what is wrong with the policy itself.
func (p Policy) Check() error {
	names, keys := make(map[string]bool), make(map[string]bool)
	for _, r := range p.Roots {
		if names[r.Name] || keys[string(r.Key)] {
			return fmt.Errorf("root %s: its name or its key is there twice", r.Name)
		}
		names[r.Name], keys[string(r.Key)] = true, true
	}
	if p.Threshold < 0 || p.Threshold > len(p.Roots) {
		return fmt.Errorf("threshold %d of %d roots", p.Threshold, len(p.Roots))
	}
	if p.Separate && len(p.Roots) == 0 {
		return fmt.Errorf("separate says nothing without roots")
	}
	return nil
}

// Demands tells whether the policy asks for signatures at all.
func (p Policy) Demands() bool { return len(p.Roots) > 0 }

// Verify refuses a module that has not enough good signatures for a tenant, and names
// the roots that signed. An empty tenant asks whether any tenant could have the module.
//
// A signature by a key that is no root counts for nothing, and one by a root that does
// not fit the module refuses it whatever the others say: somebody has changed
// something.
func (p Policy) Verify(m Module, signatures []Signature, tenant string) (signers []string, err error) {
	if !p.Demands() {
		return nil, nil
	}
	scopes := make(map[string][]string) // roots that signed, by the tenant it holds for
	var strangers, others int
	for _, s := range signatures {
		i := slices.IndexFunc(p.Roots, func(r Root) bool { return bytes.Equal(r.Key, s.Key) })
		if i < 0 {
			strangers++
			continue
		}
		root := p.Roots[i]
		if s.Signer != root.Name || !s.Valid(m) {
			return nil, refused(BadSignature, "The signature by %s is not one of this module as %s %s by %q.", root.Name, m.Name, m.Version, m.Author)
		}
		if p.Separate && s.Signer == m.Author {
			return nil, refused(NotSeparate, "%s wrote the module and signed it; another must sign.", s.Signer)
		}
		if s.Tenant != "" && tenant != "" && s.Tenant != tenant {
			others++
			continue
		}
		if !slices.Contains(scopes[s.Tenant], root.Name) {
			scopes[s.Tenant] = append(scopes[s.Tenant], root.Name)
		}
	}
	for scope := range scopes {
		all := slices.Clone(scopes[""])
		for _, name := range scopes[scope] {
			if !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
		if len(all) > len(signers) {
			signers = all
		}
	}
	slices.Sort(signers)
	need := max(p.Threshold, 1)
	switch {
	case len(signers) >= need && p.Separate && m.Author == "":
		return nil, refused(NotSeparate, "The module does not say who wrote it, so that others could sign it.")
	case len(signers) >= need:
		return signers, nil
	case len(signers)+others >= need:
		return nil, refused(WrongTenant, "The module is signed for other tenants, not for %s.", tenant)
	case len(signers)+others == 0 && strangers > 0:
		return nil, refused(UnknownRoot, "None of the keys that signed the module is a root of this node.")
	}
	return nil, refused(TooFew, "%d of the roots signed the module, and %d must.", len(signers), need)
}

// MayActivate refuses an activator who wrote or signed the module, if the policy wants
// them separate. They are known by several names at once: what they say, and what
// their certificate says.
func (p Policy) MayActivate(m Module, signers []string, activator ...string) error {
	if !p.Demands() || !p.Separate {
		return nil
	}
	named := false
	for _, name := range activator {
		if name == "" {
			continue
		}
		named = true
		if name == m.Author || slices.Contains(signers, name) {
			return refused(NotSeparate, "%s wrote or signed the module; another must activate it.", name)
		}
	}
	if !named {
		return refused(NotSeparate, "Whoever activates the module must say who they are.")
	}
	return nil
}
