package oci

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content/oci"
	"oras.land/oras-go/v2/registry"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
	"oras.land/oras-go/v2/registry/remote/retry"
)

// The schemes of references. A registry's may be left out.
const (
	schemeRegistry = "oci://"
	schemeLayout   = "oci-layout://"
)

// Reference names a module in a registry, or in a layout in a directory:
//
//	registry.example/bank/ams-bank:1.2.0
//	oci://registry.example/bank/ams-bank@sha256:...
//	oci-layout://shelf:1.2.0
type Reference struct {
	target oras.Target
	within string // tag or digest
	text   string
}

func (r *Reference) String() string { return r.text }

// Is tells whether a text with one of the schemes is meant, and not a file.
func Is(text string) bool {
	return strings.HasPrefix(text, schemeRegistry) || strings.HasPrefix(text, schemeLayout)
}

// Parse reads a reference; it says what to talk to, and talks to nobody. Credentials
// are those of Docker's configuration file. A registry on this machine alone is spoken
// to without TLS.
func Parse(ctx context.Context, text string) (*Reference, error) {
	if path, ok := strings.CutPrefix(text, schemeLayout); ok {
		return parseLayout(ctx, text, path)
	}
	ref, err := registry.ParseReference(strings.TrimPrefix(text, schemeRegistry))
	if err != nil {
		return nil, fmt.Errorf("%q is not of the form REGISTRY/REPOSITORY:TAG: %w", text, err)
	}
	if ref.Reference == "" {
		return nil, fmt.Errorf("%q names no tag and no digest", text)
	}
	repository := &remote.Repository{Reference: ref, PlainHTTP: loopback(ref.Host())}
	store, err := credentials.NewStoreFromDocker(credentials.StoreOptions{})
	if err != nil {
		return nil, fmt.Errorf("the credentials of Docker's configuration: %w", err)
	}
	repository.Client = &auth.Client{Client: retry.DefaultClient, Cache: auth.NewCache(), Credential: credentials.Credential(store)}
	return &Reference{target: repository, within: ref.Reference, text: text}, nil
}

func parseLayout(ctx context.Context, text, path string) (*Reference, error) {
	at := strings.LastIndex(path, "@")
	if at < 0 {
		at = strings.LastIndex(path, ":")
	}
	if at <= 0 || at == len(path)-1 {
		return nil, fmt.Errorf("%q is not of the form %sDIRECTORY:TAG", text, schemeLayout)
	}
	store, err := oci.NewWithContext(ctx, path[:at])
	if err != nil {
		return nil, fmt.Errorf("the layout in %s: %w", path[:at], err)
	}
	return &Reference{target: store, within: path[at+1:], text: text}, nil
}

// loopback reports whether a registry can be reached from this machine alone.
func loopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && ip.IsLoopback()
}
