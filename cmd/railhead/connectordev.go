package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/fsnotify/fsnotify"
	"github.com/spf13/cobra"

	corev1 "github.com/railhead-hub/railhead/core/v1"
	"github.com/railhead-hub/railhead/sdk/build"
	"github.com/railhead-hub/railhead/sdk/conformance"
	"github.com/railhead-hub/railhead/sdk/host"
)

func (a *app) connectorDev() *cobra.Command {
	d := &developer{app: a}
	cmd := &cobra.Command{
		Use:   "dev [DIR]",
		Short: "Build, test and install a connector on every save",
		Long: `Build and test the connector in DIR (here unless given), install it on a running
hub and make it serve a tenant; and do it again on every save, until interrupted.
Each time a line says what came of it. What does not build or fails a test is not
installed: the last good version stays.

The hub is the one that "railhead dev" runs, or another that --control names. The
tenant is that of tenant.yaml in the folder, which is put on the hub first, and
again when it changes; --tenant names another, which must exist. Without a hub it
builds and tests.`,
		Example: `  railhead connector dev
  railhead connector dev green-ledger --tenant greenbank
  railhead connector dev green-ledger --once`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if d.dir = "."; len(args) == 1 {
				d.dir = args[0]
			}
			if info, err := os.Stat(d.dir); err != nil || !info.IsDir() {
				return usagef("%s is no folder", d.dir)
			}
			if a.reason == "" {
				a.reason = "development"
			}
			if d.once {
				return d.round(cmd.Context())
			}
			return d.watch(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&d.tenant, "tenant", "", "the `tenant` it serves; that of DIR/tenant.yaml unless set")
	cmd.Flags().BoolVar(&d.once, "once", false, "do it once, and end: 0 if it was installed, 1 if it is not good, 4 if there is no hub")
	a.reasonFlag(cmd)
	return cmd
}

// developer is one run of connector dev.
type developer struct {
	*app
	dir, tenant string
	once        bool

	put     string // the tenant.yaml that is on the hub
	serving string // "tenant by digest" of the last good version
}

// quiet is how long nothing must be saved before a round begins: editors write a
// file in several steps, and several files at once.
const quiet = 150 * time.Millisecond

// watch runs a round at the beginning and after every change.
func (d *developer) watch(ctx context.Context) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch %s: %w", d.dir, err)
	}
	defer watcher.Close() //nolint:errcheck // nothing is watched any more
	if err := watchFolders(watcher, d.dir); err != nil {
		return err
	}
	for {
		// What is wrong has been said; the next save may mend it.
		if err := d.round(ctx); err != nil && !errors.Is(err, errQuiet) && ctx.Err() == nil {
			d.say("%s%s", strings.TrimSpace(errorText(err)), d.stays())
		}
		if err := awaitChange(ctx, watcher, d.dir); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
	}
}

// awaitChange waits for a change of a source, and until things are quiet after it.
func awaitChange(ctx context.Context, watcher *fsnotify.Watcher, dir string) error {
	var settled <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-watcher.Errors:
			return fmt.Errorf("watch %s: %w", dir, err)
		case event := <-watcher.Events:
			if event.Op == fsnotify.Chmod || !isSource(event.Name) {
				continue
			}
			if info, err := os.Stat(event.Name); err == nil && info.IsDir() && event.Has(fsnotify.Create) {
				if err := watchFolders(watcher, event.Name); err != nil {
					return err
				}
			}
			settled = time.After(quiet)
		case <-settled:
			return nil
		}
	}
}

// watchFolders watches a folder and those in it, but for what tools write.
func watchFolders(watcher *fsnotify.Watcher, root string) error {
	return filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist): // an editor has taken it away again
			return nil
		case err != nil:
			return fmt.Errorf("watch %s: %w", path, err)
		case !e.IsDir():
			return nil
		case path != root && !isSource(path):
			return filepath.SkipDir
		}
		if err := watcher.Add(path); err != nil {
			return fmt.Errorf("watch %s: %w", path, err)
		}
		return nil
	})
}

// isSource reports whether a file or folder is the author's. Editors keep copies
// beside a file while they write it, and toolchains folders of what they built.
func isSource(path string) bool {
	switch name := filepath.Base(path); {
	case strings.HasPrefix(name, ".") && name != "." && name != "..", strings.HasPrefix(name, "#"), strings.HasSuffix(name, "~"),
		strings.HasSuffix(name, ".swp"), strings.HasSuffix(name, ".tmp"), strings.HasSuffix(name, ".wasm"), name == "4913":
		return false
	default:
		return name != "target" && name != "node_modules" && name != "dist"
	}
}

// round builds, tests, installs and activates once, and says in a line what came of
// it. The error is errQuiet if the connector is not good, which has been said.
func (d *developer) round(ctx context.Context) error {
	begun := time.Now()
	wasm, err := build.Module(ctx, d.dir)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		d.say("it does not build%s\n%s", d.stays(), indent(err.Error()))
		return errQuiet
	}
	vectors, err := conformance.Load(d.dir)
	if err != nil {
		d.say("%v%s", err, d.stays())
		return errQuiet
	}
	report, err := conformance.Examine(ctx, wasm, vectors, nil)
	if refusal := (*host.Error)(nil); errors.As(err, &refusal) {
		d.say("a node would refuse it%s\n%s", d.stays(), indent(err.Error()))
		return errQuiet
	}
	if err != nil {
		return err
	}
	name := report.Connector + " " + report.Version + " " + report.Digest[:12]
	if failed := report.Failed(); len(failed) > 0 {
		d.say("%s: %d of %d cases FAILED%s\n%s", name, len(failed), len(report.Verdicts), d.stays(), indent(failed[0].Case+": "+failed[0].Text))
		if len(failed) > 1 {
			fmt.Fprintf(d.out, "  and %d more: railhead connector test %s\n", len(failed)-1, d.dir)
		}
		return errQuiet
	}
	tested := fmt.Sprintf("%s: %d cases passed, %.1f s", name, len(report.Verdicts)-report.Count(conformance.NotApplicable), time.Since(begun).Seconds())
	if err := d.deliver(ctx, wasm, report.Connector); err != nil {
		if isUnanswered(err) {
			d.say("%s; not installed: nobody answers at %s (is railhead dev running?)", tested, d.settings.Client.Control)
		} else {
			d.say("%s; not installed%s\n%s", tested, d.stays(), indent(errorText(err)))
		}
		if d.once {
			return err
		}
		return errQuiet
	}
	d.say("%s; it serves %s", tested, d.tenant)
	return nil
}

// deliver puts the tenant if need be, installs the module and activates it.
func (d *developer) deliver(ctx context.Context, wasm []byte, connector string) error {
	if err := d.putTenant(ctx); err != nil {
		return err
	}
	installed, err := d.install(ctx, &module{bytes: wasm})
	if err != nil {
		return err
	}
	if err := d.activate(ctx, &corev1.ActivateConnectorRequest{Tenant: d.tenant, Connector: connector, Digest: installed.GetDigest()}); err != nil {
		return err
	}
	d.serving = fmt.Sprintf("%s still has %s", d.tenant, shortDigest(installed.GetDigest()))
	return nil
}

// putTenant puts tenant.yaml on the hub if it has not been put as it is now. With
// --tenant the file has no say.
func (d *developer) putTenant(ctx context.Context) error {
	if d.put == "" && d.tenant != "" {
		return nil
	}
	path := filepath.Join(d.dir, "tenant.yaml")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && d.tenant == "" {
		return usagef("there is no %s: --tenant says whom it serves", path)
	}
	if err != nil || string(text) == d.put {
		return err
	}
	tenant, err := readTenant(path)
	if err != nil {
		return err
	}
	ctx, cancel := d.call(ctx)
	defer cancel()
	if _, err := d.control().PutTenant(ctx, &corev1.PutTenantRequest{Tenant: tenant, Actor: d.actor()}); err != nil {
		return err
	}
	d.put, d.tenant = string(text), tenant.GetId()
	return nil
}

func (d *developer) say(format string, args ...any) {
	fmt.Fprintf(d.out, time.Now().Format("15:04:05")+" "+format+"\n", args...)
}

// stays says what goes on serving when a version is not good.
func (d *developer) stays() string {
	if d.serving == "" {
		return ""
	}
	return "; " + d.serving
}

// errorText is an error as printError writes it.
func errorText(err error) string {
	var out strings.Builder
	printError(&out, err)
	return strings.TrimPrefix(strings.TrimSpace(out.String()), "railhead: ")
}

// isUnanswered reports whether there is nobody at the hub's address.
func isUnanswered(err error) bool {
	dial := (*net.OpError)(nil)
	return errors.As(err, &dial) && dial.Op == "dial" || connect.CodeOf(err) == connect.CodeUnavailable && !errors.Is(err, context.Canceled)
}

// indent sets off what another program said.
func indent(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n  ")
}
