package egress

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

const (
	secretMin = 8        // bytes; shorter ones cannot be scrubbed without damage
	secretMax = 64 << 10 // bytes
)

var secretName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// Secrets finds secrets as files: <dir>/<tenant>/<name>, one secret a file, as a
// mounted volume gives them. A secret belongs to its tenant; there is no common
// one. Files are read when an endpoint is bound, so a replaced file takes effect
// with the tenant's next configuration or the node's next start.
type Secrets struct {
	dir string
}

// NewSecrets uses dir; an empty dir holds no secrets.
func NewSecrets(dir string) Secrets { return Secrets{dir: dir} }

// read returns the secrets of these names. The error names the secret, never its
// value.
func (s Secrets) read(tenant string, names []string) (map[string]string, error) {
	if len(names) == 0 {
		return nil, nil
	}
	found := make(map[string]string, len(names))
	for _, name := range names {
		if !secretName.MatchString(name) {
			return nil, fmt.Errorf("secret name %q: use lower-case letters, digits and _", name)
		}
		if s.dir == "" {
			return nil, fmt.Errorf("secret %s of tenant %s: this node has no secrets_dir", name, tenant)
		}
		value, err := os.ReadFile(filepath.Join(s.dir, tenant, name))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("secret %s of tenant %s is not in secrets_dir", name, tenant)
		}
		if err != nil {
			return nil, fmt.Errorf("secret %s of tenant %s cannot be read: %w", name, tenant, errors.Unwrap(err))
		}
		value = bytes.TrimRight(value, "\r\n")
		if len(value) < secretMin || len(value) > secretMax {
			return nil, fmt.Errorf("secret %s of tenant %s has %d bytes; %d to %d are allowed",
				name, tenant, len(value), secretMin, secretMax)
		}
		found[name] = string(value)
	}
	return found, nil
}

var secretReference = regexp.MustCompile(`\{\{secret:([a-z][a-z0-9_]{0,63})\}\}`)

// substitute replaces references by values. A reference to a secret that this
// endpoint is not bound to is an error, so that a guest cannot carry one secret
// to another host; so is one that is misspelt and would be sent as it stands.
func substitute(text string, secrets map[string]string) (string, error) {
	begun := strings.Count(text, "{{secret:")
	if begun == 0 {
		return text, nil
	}
	if len(secretReference.FindAllStringIndex(text, -1)) != begun {
		return "", errors.New("a reference is not of the form {{secret:name}}, with lower-case letters, digits and _")
	}
	var unknown string
	out := secretReference.ReplaceAllStringFunc(text, func(ref string) string {
		name := secretReference.FindStringSubmatch(ref)[1]
		value, ok := secrets[name]
		if !ok {
			unknown = name
		}
		return value
	})
	if unknown != "" {
		return "", fmt.Errorf("secret %s is not bound to this endpoint", unknown)
	}
	return out, nil
}

// scrubber replaces secrets by their references in what comes back: as they are,
// in base64 and as a query would escape them. A peer that echoes a header would
// otherwise put the secret into the log and into Kafka.
func scrubber(secrets map[string]string) *strings.Replacer {
	if len(secrets) == 0 {
		return nil
	}
	// The replacer tries its pairs in this order: of secrets that begin alike the
	// longest comes first, or its end would be left over.
	names := slices.SortedFunc(maps.Keys(secrets), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(secrets[b]), len(secrets[a])), strings.Compare(a, b))
	})
	var pairs []string
	for _, name := range names {
		value, ref := secrets[name], "{{secret:"+name+"}}"
		pairs = append(pairs, value, ref, url.QueryEscape(value), ref,
			base64.StdEncoding.EncodeToString([]byte(value)), ref,
			base64.RawURLEncoding.EncodeToString([]byte(value)), ref)
	}
	return strings.NewReplacer(pairs...)
}
