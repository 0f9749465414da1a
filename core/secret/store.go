package secret

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"sync"
)

// ValueMin and ValueMax bound a secret, in bytes: a shorter one could not be taken
// out of an answer without damage to what is no secret.
const (
	ValueMin = 8
	ValueMax = 64 << 10
)

var namePattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// Store finds secrets. A nil Store has none. It is safe for concurrent use.
type Store struct {
	dir string
	log *slog.Logger

	mu    sync.Mutex
	files map[fileKey]*File
}

type fileKey struct{ tenant, name string }

// NewStore uses dir; an empty dir holds no secrets. A nil log is slog.Default.
func NewStore(dir string, log *slog.Logger) *Store {
	if log == nil {
		log = slog.Default()
	}
	return &Store{dir: dir, log: log, files: make(map[fileKey]*File)}
}

// Open returns a secret, which can be read. The error names it and never holds its
// value.
func (s *Store) Open(tenant, name string) (*File, error) {
	if !namePattern.MatchString(name) {
		return nil, fmt.Errorf("secret name %q: use lower-case letters, digits and _", name)
	}
	if s == nil || s.dir == "" {
		return nil, fmt.Errorf("secret %s of tenant %s: this node has no secrets_dir", name, tenant)
	}
	if !filepath.IsLocal(tenant) || filepath.Base(tenant) != tenant {
		return nil, fmt.Errorf("tenant %q has no secrets: its id is not the name of a folder", tenant)
	}
	key := fileKey{tenant, name}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.files[key]; f != nil {
		return f, nil // also when the file has gone since: the value is known
	}
	f := &File{tenant: tenant, name: name, path: filepath.Join(s.dir, tenant, name), log: s.log}
	first, err := f.read()
	if err != nil {
		return nil, err
	}
	f.state.Store(first)
	s.files[key] = f
	return f, nil
}

// explain says what is wrong with a secret's file.
func (f *File) explain(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("secret %s of tenant %s is not in secrets_dir, which has no file %s/%s", f.name, f.tenant, f.tenant, f.name)
	}
	if path, ok := errors.AsType[*os.PathError](err); ok {
		err = path.Err
	}
	return fmt.Errorf("secret %s of tenant %s cannot be read: %w", f.name, f.tenant, err)
}
