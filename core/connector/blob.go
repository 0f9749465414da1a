package connector

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ModuleMax bounds a module in bytes.
const ModuleMax = 32 << 20

// ErrNoBlob says that this node does not hold the module.
var ErrNoBlob = errors.New("the module is not on this node")

// Digest is the SHA-256 of a module, by which it is known everywhere.
type Digest [sha256.Size]byte

func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// ToDigest makes a Digest of its bytes; it reports false when they are not 32.
func ToDigest(b []byte) (Digest, bool) {
	if len(b) != sha256.Size {
		return Digest{}, false
	}
	return Digest(b), true
}

// blobs keeps modules as files named by their digest.
type blobs struct{ dir string }

func newBlobs(dir string) (blobs, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return blobs{}, fmt.Errorf("the folder of connector modules cannot be made: %w", err)
	}
	return blobs{dir: dir}, nil
}

func (b blobs) path(d Digest) string { return filepath.Join(b.dir, d.String()+".wasm") }

// get reads a module and checks that it is still the one it is named after.
func (b blobs) get(d Digest) ([]byte, error) {
	module, err := os.ReadFile(b.path(d))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoBlob
	}
	if err != nil {
		return nil, fmt.Errorf("module %s cannot be read: %w", d, err)
	}
	if Digest(sha256.Sum256(module)) != d {
		return nil, fmt.Errorf("module %s is damaged on disk: %w", d, ErrNoBlob)
	}
	return module, nil
}

// put keeps a module. It is whole and on disk when put returns, since a log
// entry will soon say that this node has it.
func (b blobs) put(module []byte) (Digest, error) {
	d := Digest(sha256.Sum256(module))
	f, err := os.CreateTemp(b.dir, "incoming-*")
	if err != nil {
		return d, fmt.Errorf("module %s cannot be stored: %w", d, err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(module)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), b.path(d))
	}
	if err == nil {
		err = syncDir(b.dir)
	}
	if err != nil {
		return d, fmt.Errorf("module %s cannot be stored: %w", d, err)
	}
	return d, nil
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
