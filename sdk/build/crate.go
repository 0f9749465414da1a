package build

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

// fetchCrate has cargo fetch a crate as its registry keeps it, and compile nothing: a project without code
// that wants just this version, in a folder that is cargo's home for the moment, so
// that what the user has of crates is neither used nor changed. The user's own
// configuration of registries and mirrors holds.
func fetchCrate(ctx context.Context, name, version string) ([]byte, error) {
	cargo, err := findCargo()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "railhead-crate-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	project := "[package]\nname = \"fetch\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\n" +
		"[dependencies]\n" + name + " = \"=" + version + "\"\n"
	home := filepath.Join(dir, "home")
	err = errors.Join(
		os.MkdirAll(filepath.Join(dir, "src"), 0o700),
		os.MkdirAll(home, 0o700),
		os.WriteFile(filepath.Join(dir, "Cargo.toml"), []byte(project), 0o600),
		os.WriteFile(filepath.Join(dir, "src", "lib.rs"), nil, 0o600),
		copyCargoConfig(home),
	)
	if err != nil {
		return nil, err
	}
	fmt.Fprintln(os.Stderr, "fetching", name, version, "with cargo")
	cmd := exec.CommandContext(ctx, cargo, "fetch", "--quiet")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CARGO_HOME="+home)
	if err := run(cmd); err != nil {
		return nil, err
	}
	found, err := filepath.Glob(filepath.Join(home, "registry", "cache", "*", name+"-"+version+".crate"))
	if err != nil || len(found) != 1 {
		return nil, fmt.Errorf("cargo has fetched %d archives of the name", len(found))
	}
	return os.ReadFile(found[0])
}

func findCargo() (string, error) {
	cargo, err := exec.LookPath("cargo")
	if err != nil {
		return "", errors.New("cargo, which fetches QuickJS's sources, is not here (Debian's package is cargo)")
	}
	return cargo, nil
}

// copyCargoConfig takes the user's registries and mirrors along.
func copyCargoConfig(home string) error {
	from := os.Getenv("CARGO_HOME")
	if from == "" {
		user, err := os.UserHomeDir()
		if err != nil {
			return nil //nolint:nilerr // without a home there is nothing to take along
		}
		from = filepath.Join(user, ".cargo")
	}
	for _, name := range []string{"config.toml", "config", "credentials.toml"} {
		text, err := os.ReadFile(filepath.Join(from, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(home, name), text, 0o600)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
