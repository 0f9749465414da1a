package oci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/errdef"

	"github.com/railhead-hub/railhead/sdk/signing"
)

// The types of the CNCF's WebAssembly artifact
// (tag-runtime.cncf.io/wgs/wasm/deliverables/wasm-oci-artifact).
const (
	typeConfig = "application/vnd.wasm.config.v0+json"
	typeModule = "application/wasm"
)

// annotationSignatures holds a signing.File.
const annotationSignatures = "dev.railhead.connector.signatures"

// created is the creation time of every artifact: what is pushed twice is one thing.
const created = "1970-01-01T00:00:00Z"

// manifestMax bounds a manifest in bytes, as registries do.
const manifestMax = 4 << 20

// Artifact is a module as it is kept.
type Artifact struct {
	Module     []byte
	Signatures *signing.File // nil: it has none
	// Digest is that of the manifest, by which the artifact is named for good. Push and
	// Pull fill it in.
	Digest string
}

// config is the artifact's configuration.
type config struct {
	Created      string   `json:"created"`
	Architecture string   `json:"architecture"`
	OS           string   `json:"os"`
	LayerDigests []string `json:"layerDigests"`
}

// Push stores an artifact and tags it; a reference by digest is refused, for the digest
// is what comes of it.
func Push(ctx context.Context, to *Reference, a *Artifact, name, version string) error {
	if _, err := digest.Parse(to.within); err == nil {
		return fmt.Errorf("%s: something is pushed under a tag, and its digest comes of it", to)
	}
	layer := content.NewDescriptorFromBytes(typeModule, a.Module)
	settings, err := json.Marshal(config{
		Created: created, Architecture: "wasm", OS: "wasip1", LayerDigests: []string{layer.Digest.String()},
	})
	if err != nil {
		return fmt.Errorf("the configuration: %w", err)
	}
	described := content.NewDescriptorFromBytes(typeConfig, settings)
	for _, blob := range []struct {
		ocispec.Descriptor
		content []byte
	}{{layer, a.Module}, {described, settings}} {
		if err := push(ctx, to.target, blob.Descriptor, blob.content); err != nil {
			return fmt.Errorf("push to %s: %w", to, err)
		}
	}
	annotations := map[string]string{
		ocispec.AnnotationCreated: created, ocispec.AnnotationTitle: name, ocispec.AnnotationVersion: version,
	}
	if a.Signatures != nil {
		text, err := json.Marshal(a.Signatures)
		if err != nil {
			return fmt.Errorf("the signatures: %w", err)
		}
		annotations[annotationSignatures] = string(text)
	}
	manifest, err := oras.PackManifest(ctx, to.target, oras.PackManifestVersion1_1, "", oras.PackManifestOptions{
		Layers: []ocispec.Descriptor{layer}, ConfigDescriptor: &described, ManifestAnnotations: annotations,
	})
	if err == nil {
		err = to.target.Tag(ctx, manifest, to.within)
	}
	if err != nil {
		return fmt.Errorf("push to %s: %w", to, err)
	}
	a.Digest = manifest.Digest.String()
	return nil
}

func push(ctx context.Context, to oras.Target, d ocispec.Descriptor, blob []byte) error {
	if there, err := to.Exists(ctx, d); err != nil || there {
		return err
	}
	if _, err := oras.PushBytes(ctx, to, d.MediaType, blob); err != nil && !errors.Is(err, errdef.ErrAlreadyExists) {
		return err
	}
	return nil
}

// Pull fetches an artifact whose module has at most so many bytes. Everything is
// verified by the digests that lead to it, the first of which is the reference's if it
// has one.
func Pull(ctx context.Context, from *Reference, moduleMax int64) (*Artifact, error) {
	fail := func(err error) (*Artifact, error) { return nil, fmt.Errorf("pull %s: %w", from, err) }
	described, err := from.target.Resolve(ctx, from.within)
	if err != nil {
		return fail(err)
	}
	text, err := fetch(ctx, from.target, described, manifestMax)
	if err != nil {
		return fail(err)
	}
	if wanted, err := digest.Parse(from.within); err == nil && described.Digest != wanted {
		return fail(fmt.Errorf("the registry gives %s", described.Digest))
	}
	var manifest ocispec.Manifest
	if err := json.Unmarshal(text, &manifest); err != nil {
		return fail(fmt.Errorf("the manifest: %w", err))
	}
	if manifest.Config.MediaType != typeConfig || len(manifest.Layers) != 1 || manifest.Layers[0].MediaType != typeModule {
		return fail(fmt.Errorf("it is no WebAssembly module: its configuration is of type %q with %d layers", manifest.Config.MediaType, len(manifest.Layers)))
	}
	a := &Artifact{Digest: described.Digest.String()}
	if a.Module, err = fetch(ctx, from.target, manifest.Layers[0], moduleMax); err != nil {
		return fail(err)
	}
	if signed := manifest.Annotations[annotationSignatures]; signed != "" {
		if a.Signatures, err = signing.ParseFile([]byte(signed)); err != nil {
			return fail(err)
		}
	}
	return a, nil
}

// fetch reads a blob of at most so many bytes, and holds it against its descriptor.
func fetch(ctx context.Context, from content.Fetcher, d ocispec.Descriptor, most int64) (blob []byte, err error) {
	if d.Size < 0 || d.Size > most {
		return nil, fmt.Errorf("%s has %d bytes; %d are allowed", d.Digest, d.Size, most)
	}
	r, err := from.Fetch(ctx, d)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	blob, err = content.ReadAll(io.LimitReader(r, most+1), d)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.Digest, err)
	}
	return blob, nil
}
