package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/railhead-hub/railhead/cmd/railhead/oci"
	"github.com/railhead-hub/railhead/core/connector"
)

func (a *app) connectorPush() *cobra.Command {
	return &cobra.Command{
		Use:   "push MODULE REGISTRY/REPOSITORY:TAG",
		Short: "Store a module, with its signatures, in an OCI registry",
		Long: `Store a module in an OCI registry, or in a layout in a directory that can be carried
to where there is no network. The signatures in MODULE.sig go along. Credentials are
those of Docker's configuration file; a registry on this machine alone is spoken to
without TLS.`,
		Example: `  railhead connector push ams-bank.wasm registry.example/bank/ams-bank:1.2.0
  railhead connector push ams-bank.wasm oci-layout://shelf:1.2.0`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := readModule(args[0])
			if err != nil {
				return err
			}
			to, err := oci.Parse(cmd.Context(), args[1])
			if err != nil {
				return usageError{err}
			}
			artifact := &oci.Artifact{Module: m.bytes, Signatures: m.signatures}
			if err := oci.Push(cmd.Context(), to, artifact, m.manifest.Name, m.manifest.Version); err != nil {
				return err
			}
			if a.json {
				return printJSON(a.out, map[string]any{"reference": args[1], "digest": artifact.Digest, "signatures": m.signed()})
			}
			fmt.Fprintf(a.out, "%s is %s %s, %s\n%s\n", args[1], m.manifest.Name, m.manifest.Version, plural(m.signed(), "signature"), artifact.Digest)
			return nil
		},
	}
}

func (a *app) connectorPull() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "pull REGISTRY/REPOSITORY:TAG -o FILE",
		Short: "Fetch a module, with its signatures, from an OCI registry",
		Long: `Fetch a module from an OCI registry or a layout in a directory. A reference by digest
is verified. The signatures that come with it are written to FILE.sig.`,
		Example: `  railhead connector pull registry.example/bank/ams-bank:1.2.0 -o ams-bank.wasm
  railhead connector pull oci-layout://shelf:1.2.0 -o ams-bank.wasm`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if out == "" {
				return usagef("name the file to write with -o")
			}
			m, digest, err := pullModule(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if err := os.WriteFile(out, m.bytes, 0o644); err != nil {
				return err
			}
			if m.signatures != nil {
				text, err := m.signatures.Encode()
				if err != nil {
					return err
				}
				if err := os.WriteFile(out+signaturesSuffix, text, 0o644); err != nil {
					return err
				}
			}
			if a.json {
				return printJSON(a.out, map[string]any{
					"file": out, "name": m.manifest.Name, "version": m.manifest.Version, "digest": hex.EncodeToString(m.digest[:]),
					"manifest": digest, "signatures": m.signed(),
				})
			}
			fmt.Fprintf(a.out, "%s: %s %s, %s\n%s\n", out, m.manifest.Name, m.manifest.Version, plural(m.signed(), "signature"), digest)
			return nil
		},
	}
	cmd.Flags().StringVarP(&out, "output", "o", "", "the `file` to write")
	return cmd
}

// pullModule fetches what a reference names, which must be a connector; digest is that
// of its manifest in the registry.
func pullModule(ctx context.Context, reference string) (m *module, digest string, err error) {
	from, err := oci.Parse(ctx, reference)
	if err != nil {
		return nil, "", usageError{err}
	}
	artifact, err := oci.Pull(ctx, from, connector.ModuleMax)
	if err != nil {
		return nil, "", err
	}
	m, err = newModule(reference, artifact.Module, artifact.Signatures)
	return m, artifact.Digest, err
}
