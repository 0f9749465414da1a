package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// File is the name of the manifest beside a connector's source.
const File = "manifest.json"

// ParseJSON reads a manifest written by hand. Unknown fields, and whatever Check
// refuses, are errors.
func ParseJSON(text []byte) (*sdkv1.Manifest, error) {
	var tree any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&tree); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	if d.More() {
		return nil, fmt.Errorf("manifest: something follows the JSON object")
	}
	// The generated struct's field names are those of the proto file in
	// camelCase, and encoding/json matches them in any case: so the names are
	// turned, and names that are not snake_case are refused first.
	tree, err := rename(tree, "", camel)
	if err != nil {
		return nil, err
	}
	turned, err := json.Marshal(tree)
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	m := new(sdkv1.Manifest)
	strict := json.NewDecoder(bytes.NewReader(turned))
	strict.DisallowUnknownFields()
	if err := strict.Decode(m); err != nil {
		return nil, fmt.Errorf("manifest: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if err := Check(m); err != nil {
		return nil, err
	}
	return m, nil
}

// ReadFile reads the manifest of the connector in the directory.
func ReadFile(dir string) (*sdkv1.Manifest, error) {
	text, err := os.ReadFile(filepath.Join(dir, File))
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	return ParseJSON(text)
}

// JSON writes a manifest as ParseJSON reads it, indented.
func JSON(m *sdkv1.Manifest) ([]byte, error) {
	flat, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	var tree any
	if err := json.Unmarshal(flat, &tree); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	if tree, err = rename(tree, "", snake); err != nil {
		return nil, err
	}
	out, err := json.MarshalIndent(tree, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	return append(out, '\n'), nil
}

// rename turns every object key of the tree.
func rename(tree any, path string, turn func(string) (string, bool)) (any, error) {
	switch t := tree.(type) {
	case map[string]any:
		out := make(map[string]any, len(t))
		for k, v := range t {
			name, ok := turn(k)
			if !ok {
				return nil, fmt.Errorf("manifest: %s: field names are in snake_case", path+k)
			}
			v, err := rename(v, path+k+".", turn)
			if err != nil {
				return nil, err
			}
			out[name] = v
		}
		return out, nil
	case []any:
		for i, v := range t {
			v, err := rename(v, fmt.Sprintf("%s%d.", path, i), turn)
			if err != nil {
				return nil, err
			}
			t[i] = v
		}
	}
	return tree, nil
}

func camel(name string) (string, bool) {
	words := strings.Split(name, "_")
	for i, w := range words {
		if w == "" || strings.ToLower(w) != w {
			return "", false
		}
		if i > 0 {
			words[i] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return strings.Join(words, ""), true
}

func snake(name string) (string, bool) {
	var out strings.Builder
	for _, r := range name {
		if r >= 'A' && r <= 'Z' {
			out.WriteByte('_')
			r += 'a' - 'A'
		}
		out.WriteRune(r)
	}
	return out.String(), true
}
