package keys

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"

	"github.com/railhead-hub/railhead/sdk/abi"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// Limits on what one effect may work on, in bytes.
const (
	DataMax  = 1 << 20
	ValueMax = 4 << 10 // of Tokenize
)

// Surroundings are what all rings of a node share.
type Surroundings struct {
	Dir     string   // the secrets' directory; empty: there are no files
	Library *Library // nil: the node has no PKCS#11 library
	Logger  *slog.Logger
}

// Bindings are one connector's keys in one version of a tenant's configuration.
type Bindings struct {
	Tenant, Connector string
	Declared          []string // the manifest's keys
	Keys              map[string]Config
	Tokens            *TokensConfig
	Use               TokensUse
}

// Ring performs the effects that need keys, for one connector of one tenant. It is
// safe for concurrent use.
type Ring struct {
	keys   map[string]*key
	faults map[string]error // of declared keys that are not bound, or not well
	tokens *tokens
	use    TokensUse
	who    string
}

// key is one bound key.
type key struct {
	algorithms []string
	uses       []string
	versions   []material
}

// New binds the keys. A key that is not bound well does not take the others with
// it: whoever asks for it is told why. Nothing is read and no token is asked before
// a key is used.
func New(b Bindings, around Surroundings) *Ring {
	if around.Logger == nil {
		around.Logger = slog.New(slog.DiscardHandler)
	}
	r := &Ring{
		keys: make(map[string]*key), faults: make(map[string]error), use: b.Use,
		who: fmt.Sprintf("tenant %s, connector %s", b.Tenant, b.Connector),
	}
	for _, name := range b.Declared {
		config, ok := b.Keys[name]
		if !ok {
			r.faults[name] = fmt.Errorf("tenant %s has not bound key %s of connector %s", b.Tenant, name, b.Connector)
			continue
		}
		k, err := config.open(b.Tenant, "key "+name+" of "+r.who, around)
		if err != nil {
			r.faults[name] = fmt.Errorf("key %s: %w", name, err)
			around.Logger.Error("a key cannot be bound", "tenant", b.Tenant, "connector", b.Connector, "key", name, "err", err)
			continue
		}
		r.keys[name] = k
	}
	r.tokens = newTokens(b, around)
	return r
}

func (c Config) open(tenant, name string, around Surroundings) (*key, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	list, err := sources(c.Source, c.Versions)
	if err != nil {
		return nil, err
	}
	k := &key{algorithms: c.Algorithms, uses: c.Uses}
	for _, s := range list {
		m, err := s.open(tenant, name, around, c.fit)
		if err != nil {
			return nil, err
		}
		k.versions = append(k.versions, m)
	}
	return k, nil
}

// fit says why the key can not serve all of the binding's algorithms.
func (c Config) fit(k *software) error {
	for _, name := range c.Algorithms {
		if err := k.fit(algorithms[name]); err != nil {
			return err
		}
	}
	return nil
}

func (s Source) open(tenant, name string, around Surroundings, fit func(*software) error) (material, error) {
	pinned := s.File
	if s.PKCS11 != nil {
		pinned = s.PKCS11.PINSecret
	}
	if around.Dir == "" {
		return nil, fmt.Errorf("%s lies in a file, and this node has no secrets_dir", pinned)
	}
	path := filepath.Join(around.Dir, tenant, pinned)
	if s.PKCS11 != nil {
		return around.Library.key(*s.PKCS11, path, name)
	}
	return fileKey{&file{path: path, name: name, encoding: s.Encoding, fit: fit, log: around.Logger}}, nil
}

// Close zeroes what it can of the keys. Whoever still uses the ring reads the
// files again.
func (r *Ring) Close() {
	forget := func(versions []material) {
		for _, m := range versions {
			if f, ok := m.(fileKey); ok {
				f.forget()
			}
		}
	}
	for _, k := range r.keys {
		forget(k.versions)
	}
	if r.tokens != nil {
		r.tokens.forget()
	}
}

// Do performs an effect that needs keys; nil says that it is another.
func (r *Ring) Do(ctx context.Context, effect *sdkv1.Effect) *sdkv1.Answer {
	var out []byte
	var err error
	switch e := effect.Kind.(type) {
	case *sdkv1.Effect_Sign:
		out, err = r.sign(ctx, e.Sign.GetKeyRef(), e.Sign.GetAlgorithm(), useSign, e.Sign.GetData())
	case *sdkv1.Effect_Mac:
		out, err = r.sign(ctx, e.Mac.GetKeyRef(), e.Mac.GetAlgorithm(), useMAC, e.Mac.GetData())
	case *sdkv1.Effect_Verify:
		ok, err := r.verify(ctx, e.Verify)
		if err != nil {
			return AsFailure(err).answer()
		}
		return &sdkv1.Answer{Kind: &sdkv1.Answer_Bool{Bool: &sdkv1.BoolAnswer{Ok: ok}}}
	case *sdkv1.Effect_Encrypt:
		out, err = r.encrypt(ctx, e.Encrypt)
	case *sdkv1.Effect_Tokenize:
		return r.tokenize(e.Tokenize.GetKind(), e.Tokenize.GetValue())
	case *sdkv1.Effect_Detokenize:
		return r.detokenize(e.Detokenize.GetToken())
	default:
		return nil
	}
	if err != nil {
		return AsFailure(err).answer()
	}
	return &sdkv1.Answer{Kind: &sdkv1.Answer_Bytes{Bytes: &sdkv1.BytesAnswer{Data: out}}}
}

// find is the key of that name, if it may be used so.
func (r *Ring) find(name, algorithmName, use string, sizes ...int) (*key, *algorithm, error) {
	k := r.keys[name]
	if k == nil {
		err := r.faults[name]
		if err == nil {
			err = fmt.Errorf("the manifest names no key %q", name)
		}
		return nil, nil, &Failure{abi.FailureNotFound, err.Error()}
	}
	a := algorithms[algorithmName]
	if a == nil || !slices.Contains(k.algorithms, algorithmName) {
		return nil, nil, failf(abi.FailureForbidden, "key %s is not bound for algorithm %q", name, algorithmName)
	}
	if !a.serves(use) || !slices.Contains(k.uses, use) {
		return nil, nil, failf(abi.FailureForbidden, "key %s is not bound to %s by %s", name, use, algorithmName)
	}
	for _, n := range sizes {
		if n > DataMax {
			return nil, nil, failf(abi.FailureTooLarge, "%d bytes are more than the %d that a key works on at once", n, DataMax)
		}
	}
	return k, a, nil
}

func (r *Ring) sign(ctx context.Context, name, algorithm, use string, data []byte) ([]byte, error) {
	k, a, err := r.find(name, algorithm, use, len(data))
	if err != nil {
		return nil, err
	}
	return k.versions[0].sign(ctx, a, data)
}

func (r *Ring) verify(ctx context.Context, v *sdkv1.Verify) (bool, error) {
	k, a, err := r.find(v.GetKeyRef(), v.GetAlgorithm(), useVerify, len(v.GetData()), len(v.GetSignature()))
	if err != nil {
		return false, err
	}
	// A version that is away must not hide another one that verifies; but where
	// none does, it is not known that none would.
	var away error
	for _, m := range k.versions {
		ok, err := m.verify(ctx, a, v.GetData(), v.GetSignature())
		if ok {
			return true, nil
		}
		if err != nil {
			away = err
		}
	}
	return false, away
}

func (r *Ring) encrypt(ctx context.Context, e *sdkv1.Encrypt) ([]byte, error) {
	k, a, err := r.find(e.GetKeyRef(), e.GetAlgorithm(), useEncrypt, len(e.GetData()), len(e.GetAdditional()))
	if err != nil {
		return nil, err
	}
	return k.versions[0].encrypt(ctx, a, e.GetData(), e.GetAdditional())
}

// Check reports the first fault of the bindings as this node sees it, files
// included; tokens of PKCS#11 are not asked.
func Check(b Bindings, around Surroundings) error {
	b.Declared = slices.Sorted(maps.Keys(b.Keys))
	around.Logger = slog.New(slog.DiscardHandler)
	r := New(b, around)
	defer r.Close()
	for _, name := range b.Declared {
		if err := r.faults[name]; err != nil {
			return err
		}
		for _, m := range r.keys[name].versions {
			f, ok := m.(fileKey)
			if !ok {
				continue
			}
			if err := f.use(func([]*software) error { return nil }); err != nil {
				return err
			}
		}
	}
	if r.tokens == nil {
		if b.Use != (TokensUse{}) {
			return errors.New("a connector may use tokens, and the tenant has no token key: set tokens beside connectors")
		}
		return nil
	}
	return r.tokens.check()
}
