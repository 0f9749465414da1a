package main

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/railhead-hub/railhead/sdk/signing"
)

func (a *app) connectorKeygen() *cobra.Command {
	var out, name string
	cmd := &cobra.Command{
		Use:   "keygen --name NAME -o FILE",
		Short: "Make a key that signs connectors",
		Long: `Make an ed25519 key that signs connectors. The private key is written to FILE, which
belongs on a machine or a token that no node can reach. What is printed is the root: the
public key, for connectors.roots of every node's configuration.`,
		Example: "  railhead connector keygen --name ada -o ada.pem",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if name == "" || out == "" {
				return usagef("name the key's keeper with --name and the file to write with -o")
			}
			public, private, err := ed25519.GenerateKey(nil)
			if err != nil {
				return err
			}
			text, err := signing.EncodeKey(private)
			if err != nil {
				return err
			}
			// A key that is there is not lost to a slip of the hand.
			f, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if err != nil {
				return usageError{err}
			}
			_, err = f.Write(text)
			if err := errors.Join(err, f.Close()); err != nil {
				return err
			}
			root := signing.Root{Name: name, Key: public}
			if a.json {
				return printJSON(a.out, map[string]string{"file": out, "root": root.String()})
			}
			fmt.Fprintln(a.out, root)
			return nil
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "whose key it is, as nodes name the root")
	cmd.Flags().StringVarP(&out, "output", "o", "", "the `file` to write")
	return cmd
}

func (a *app) connectorSign() *cobra.Command {
	var file, name, author, tenant string
	cmd := &cobra.Command{
		Use:   "sign MODULE --key FILE --name NAME",
		Short: "Sign a module with a key made by keygen",
		Long: `Sign a module. The signature covers its bytes, its manifest, name and version, who
wrote it, who signs, and the tenant if it is for one only. It goes into MODULE.sig,
beside those of others, from where install and push take it.`,
		Example: `  railhead connector sign ams-bank.wasm --key ada.pem --name ada --author ben
  railhead connector sign ams-bank.wasm --key ada.pem --name ada --author ben --tenant greenbank`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if file == "" || name == "" {
				return usagef("name the key's file with --key and its keeper with --name")
			}
			m, err := readModule(args[0])
			if err != nil {
				return err
			}
			text, err := os.ReadFile(file)
			if err != nil {
				return usageError{err}
			}
			key, err := signing.ParseKey(text)
			if err != nil {
				return usagef("%s: %w", file, err)
			}
			if m.signatures == nil {
				m.signatures = new(signing.File)
			} else if author == "" {
				author = m.signatures.Author
			}
			s, err := signing.Sign(key, m.signing(author), name, tenant)
			if err != nil {
				return usageError{err}
			}
			if err := m.signatures.Add(m.signing(author), s); err != nil {
				return refusedf("%s%s: %w", args[0], signaturesSuffix, err)
			}
			if text, err = m.signatures.Encode(); err != nil {
				return err
			}
			if err := os.WriteFile(args[0]+signaturesSuffix, text, 0o644); err != nil {
				return err
			}
			if a.json {
				return printJSON(a.out, map[string]any{
					"file": args[0] + signaturesSuffix, "digest": hex.EncodeToString(m.digest[:]), "signatures": m.signed(),
				})
			}
			fmt.Fprintf(a.out, "%s%s: %s %s by %s, %s\n", args[0], signaturesSuffix, m.manifest.Name, m.manifest.Version, authorText(author), plural(m.signed(), "signature"))
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&file, "key", "", "the `file` of the private key")
	flags.StringVar(&name, "name", "", "whose key it is, as nodes name the root")
	flags.StringVar(&author, "author", "", "who wrote the module; the same in all its signatures, the first says it")
	flags.StringVar(&tenant, "tenant", "", "the only tenant it holds for")
	return cmd
}

// authorText names who wrote a module, as its signatures say.
func authorText(author string) string {
	if author == "" {
		return "nobody named"
	}
	return strconv.Quote(author)
}

func (a *app) connectorVerify() *cobra.Command {
	var roots []string
	var threshold int
	var separate bool
	var tenant string
	cmd := &cobra.Command{
		Use:   "verify MODULE --root NAME=KEY...",
		Short: "Verify a module's signatures as a node with these roots would",
		Long: `Verify the signatures of a module, a file or a reference to a registry, as a node whose
configuration has these roots would. Without --root those of this configuration hold.`,
		Example: "  railhead connector verify ams-bank.wasm --root ada=vWf2…= --root ben=k3Xq…= --threshold 2",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			trust := a.settings.Node.Connectors
			if len(roots) > 0 {
				trust.Roots, trust.Threshold, trust.Separate = roots, threshold, separate
			}
			policy, err := trust.Policy()
			if err != nil {
				return usageError{err}
			}
			if !policy.Demands() {
				return usagef("name the roots to trust with --root")
			}
			m, err := openModule(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			file := m.signatures
			if file == nil {
				file = new(signing.File)
			}
			signers, err := policy.Verify(m.signing(file.Author), file.List(), tenant)
			if refusal, ok := errors.AsType[*signing.Error](err); ok {
				return refusedf("%s: %s (%s)", args[0], refusal.Text, refusal.Code)
			}
			if err != nil {
				return err
			}
			if a.json {
				return printJSON(a.out, map[string]any{
					"name": m.manifest.Name, "version": m.manifest.Version, "author": file.Author,
					"digest": hex.EncodeToString(m.digest[:]), "signers": signers,
				})
			}
			fmt.Fprintf(a.out, "%s: %s %s by %s, signed by %s\n", args[0], m.manifest.Name, m.manifest.Version, authorText(file.Author), strings.Join(signers, " "))
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&roots, "root", nil, "a key to trust, as `NAME=KEY`")
	flags.IntVar(&threshold, "threshold", 0, "how many roots must have signed; 0: one")
	flags.BoolVar(&separate, "separate", false, "the author may not be among them")
	flags.StringVar(&tenant, "tenant", "", "for this tenant")
	return cmd
}
