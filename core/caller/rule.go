package caller

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/railhead-hub/railhead/core/secret"
	"github.com/railhead-hub/railhead/core/strictjson"
)

// Request is what a rule looks at.
type Request struct {
	Method, Path, Query string // path and query as they were sent
	// Header is the first line of a header, and how many lines have it.
	Header func(name string) (value string, lines int)
	Body   []byte
	// TLS is the connection's state; nil: it has none.
	TLS func() *tls.ConnectionState
	Now time.Time
}

// Refusal says why a caller is not known, in a word for metrics and logs: missing,
// malformed, wrong, expired or unverified. Callers are all told the same.
type Refusal string

func (r Refusal) Error() string { return "the caller is not known: the credential is " + string(r) }

const (
	missing    Refusal = "missing"
	malformed  Refusal = "malformed"
	wrong      Refusal = "wrong"
	expired    Refusal = "expired"
	unverified Refusal = "unverified"
)

// Rule is how callers of a route are found out. It is safe for concurrent use.
type Rule struct {
	// Kind is the configuration's.
	Kind string
	// Credential is the header, in lower case, that proves who calls and is kept from
	// the connector; empty: there is none.
	Credential string
	// Challenge is for the header WWW-Authenticate; empty: there is none.
	Challenge string
	// Signed says that the body must have been read.
	Signed bool

	identify func(*Request) (string, error)
}

// None reports a rule that asks for nothing.
func (r *Rule) None() bool { return r.identify == nil }

// Identify is who calls, in at most 256 printable characters; the error is a Refusal.
func (r *Rule) Identify(in *Request) (principal string, err error) {
	if r.identify == nil {
		return "", nil
	}
	return r.identify(in)
}

// New reads a rule and opens the files that it names.
func New(config []byte, tenant string, secrets *secret.Store) (*Rule, error) {
	var of struct {
		Kind string `json:"kind"`
	}
	if err := json.Unmarshal(config, &of); err != nil {
		return nil, errors.New(`auth is no object with a kind, as in {"kind": "none"}`)
	}
	make, known := kinds[of.Kind]
	if !known {
		return nil, fmt.Errorf("auth: kind %q is none of none, api_key, basic, hmac, jwt and mtls", of.Kind)
	}
	rule, err := make(reader{config, tenant, secrets})
	if err != nil {
		return nil, fmt.Errorf("auth of kind %s: %w", of.Kind, err)
	}
	rule.Kind = of.Kind
	return rule, nil
}

var kinds = map[string]func(reader) (*Rule, error){
	"none": func(in reader) (*Rule, error) {
		var c struct {
			Kind string `json:"kind"`
		}
		return &Rule{}, in.into(&c)
	},
	"api_key": newAPIKey,
	"basic":   newBasic,
	"hmac":    newHMAC,
	"jwt":     newJWT,
	"mtls":    newMTLS,
}

// reader is a configuration that is being read.
type reader struct {
	config  []byte
	tenant  string
	secrets *secret.Store
}

// into decodes the configuration; a field that its kind does not have is refused,
// since a misspelt restriction would be none.
func (r reader) into(c any) error {
	return strictjson.Decode(r.config, c)
}

func (r reader) open(name string) (*secret.File, error) { return r.secrets.Open(r.tenant, name) }

// listMax bounds every list of a configuration.
const listMax = 64

// key is a secret that callers share with the hub.
type key struct {
	Secret    string `json:"secret"`
	Principal string `json:"principal"`
	file      *secret.File
}

func (r reader) keys(list []key) error {
	if len(list) == 0 || len(list) > listMax {
		return fmt.Errorf("%d keys; 1 to %d are allowed", len(list), listMax)
	}
	for i := range list {
		k := &list[i]
		if k.Principal == "" {
			k.Principal = k.Secret
		}
		if err := checkPrincipal(k.Principal); err != nil {
			return err
		}
		var err error
		if k.file, err = r.open(k.Secret); err != nil {
			return err
		}
	}
	return nil
}

// checkPrincipal says why a name may not be put into a header.
func checkPrincipal(name string) error {
	if name == "" || len(name) > 256 || strings.TrimSpace(name) != name ||
		strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r > '~' }) {
		return errors.New("a principal has 1 to 256 printable ASCII characters, and no blank at its ends")
	}
	return nil
}

// header checks a header's name and gives the default for none.
func header(name, otherwise string) (string, error) {
	if name == "" {
		name = otherwise
	}
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return "", fmt.Errorf("%q is no header's name", name)
		}
	}
	return strings.ToLower(name), nil
}

// only is the value of a header that must be there once.
func only(in *Request, name string) (string, error) {
	value, lines := in.Header(name)
	switch {
	case lines == 0 || value == "":
		return "", missing
	case lines > 1:
		return "", malformed
	}
	return value, nil
}
