package oci_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/railhead-hub/railhead/cmd/railhead/oci"
	"github.com/railhead-hub/railhead/sdk/signing"
)

const moduleMax = 1 << 20

func parse(t *testing.T, text string) *oci.Reference {
	t.Helper()
	ref, err := oci.Parse(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func artifact() *oci.Artifact {
	return &oci.Artifact{
		Module:     append([]byte("\x00asm\x01\x00\x00\x00"), bytes.Repeat([]byte("x"), 10_000)...),
		Signatures: &signing.File{Name: "bank", Author: "ada", Signatures: []signing.FileSignature{{Signer: "ben", Key: []byte{1}, Signature: []byte{2}}}},
	}
}

// roundTrip pushes to a tag and pulls by tag and by digest.
func roundTrip(t *testing.T, tagged func(within string) string) {
	t.Helper()
	a := artifact()
	if err := oci.Push(t.Context(), parse(t, tagged(":1.0.0")), a, "bank", "1.0.0"); err != nil {
		t.Fatal(err)
	}
	for _, within := range []string{":1.0.0", "@" + a.Digest} {
		back, err := oci.Pull(t.Context(), parse(t, tagged(within)), moduleMax)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(back.Module, a.Module) || back.Digest != a.Digest || back.Signatures.Author != "ada" || len(back.Signatures.List()) != 1 {
			t.Errorf("%s came back otherwise: %s, %v", within, back.Digest, back.Signatures)
		}
	}
	again := artifact()
	if err := oci.Push(t.Context(), parse(t, tagged(":latest")), again, "bank", "1.0.0"); err != nil || again.Digest != a.Digest {
		t.Errorf("pushed twice it is two things: %s and %s, %v", a.Digest, again.Digest, err)
	}
	other := "@sha256:" + strings.Repeat("0", 64)
	if _, err := oci.Pull(t.Context(), parse(t, tagged(other)), moduleMax); err == nil {
		t.Error("what is not there is pulled")
	}
	if err := oci.Push(t.Context(), parse(t, tagged(other)), a, "bank", "1.0.0"); err == nil {
		t.Error("something is pushed under a digest")
	}
	if _, err := oci.Pull(t.Context(), parse(t, tagged(":1.0.0")), 100); err == nil {
		t.Error("a module over the limit is pulled")
	}
}

func TestLayout(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "shelf")
	roundTrip(t, func(within string) string { return "oci-layout://" + dir + within })
}

// TestDamagedLayout: a blob that is not what its name says is refused.
func TestDamagedLayout(t *testing.T) {
	dir := t.TempDir()
	ref := "oci-layout://" + dir + ":1"
	a := artifact()
	if err := oci.Push(t.Context(), parse(t, ref), a, "bank", "1"); err != nil {
		t.Fatal(err)
	}
	blobs, err := filepath.Glob(filepath.Join(dir, "blobs", "sha256", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range blobs {
		was, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for name, now := range map[string][]byte{
			"a flipped bit": append([]byte{was[0] ^ 1}, was[1:]...), "cut short": was[:len(was)-1], "longer": append(bytes.Clone(was), ' '),
		} {
			if json.Valid(was) && bytes.Contains(was, []byte("wasip1")) {
				continue // the configuration is for other tools; nothing of it is used
			}
			if err := os.Chmod(file, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, now, 0o600); err != nil {
				t.Fatal(err)
			}
			from, err := oci.Parse(t.Context(), ref) // which reads the layout's index
			if err == nil {
				_, err = oci.Pull(t.Context(), from, moduleMax)
			}
			if err == nil {
				t.Errorf("%s: %s is pulled", filepath.Base(file), name)
			}
		}
		if err := os.WriteFile(file, was, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReferences(t *testing.T) {
	for _, bad := range []string{"", "bank", "registry.example/bank", "oci://registry.example/Bank:1", "oci-layout://shelf", "oci-layout://:1"} {
		if _, err := oci.Parse(t.Context(), bad); err == nil {
			t.Errorf("%q is a reference", bad)
		}
	}
	if oci.Is("bank.wasm") || !oci.Is("oci://registry.example/bank:1") {
		t.Error("files and references are mixed up")
	}
}

// TestRegistry speaks to the reference implementation of a registry, with a user and a
// password from Docker's configuration file.
func TestRegistry(t *testing.T) {
	binary, err := exec.LookPath("docker-registry")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("docker-registry is not installed")
		}
		t.Skip("needs docker-registry, a package of Debian's")
	}
	dir := t.TempDir()
	address := freeAddress(t)
	config := fmt.Sprintf("version: 0.1\nlog: {level: error}\nstorage:\n  filesystem: {rootdirectory: %s}\nhttp: {addr: %q}\nauth:\n  htpasswd: {realm: test, path: %s}\n",
		filepath.Join(dir, "store"), address, filepath.Join(dir, "users"))
	// ada: secret, in bcrypt, which is all the registry takes.
	const users = "ada:$2b$05$GC.2uaUe9Gox0rbo.XVjeOnDagQaVcD1R8vsCfvyvOAR6xKRwUZbC\n"
	write(t, filepath.Join(dir, "config.yml"), config)
	write(t, filepath.Join(dir, "users"), users)
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, binary, "serve", filepath.Join(dir, "config.yml"))
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			t.Log(said.String())
		}
	})
	awaitHTTP(t, "http://"+address+"/v2/")
	docker := filepath.Join(dir, "docker")
	if err := os.Mkdir(docker, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DOCKER_CONFIG", docker)
	reference := func(within string) string { return "oci://" + address + "/bank/ams" + within }
	if err := oci.Push(t.Context(), parse(t, reference(":1.0.0")), artifact(), "bank", "1.0.0"); err == nil {
		t.Fatal("somebody without a password may push")
	}
	write(t, filepath.Join(docker, "config.json"), fmt.Sprintf(`{"auths":{%q:{"auth":"YWRhOnNlY3JldA=="}}}`, address))
	roundTrip(t, reference)
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func awaitHTTP(t *testing.T, url string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; {
		response, err := http.Get(url) //nolint:noctx // the deadline bounds it
		if err == nil {
			_ = response.Body.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
