package conformance

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// change gives another JSON text in place of a leaf, a text or a number, of that
// name; ok is false where it stays.
type change func(name string, leaf json.RawMessage) (instead json.RawMessage, ok bool)

// withLeaves changes the leaves of variables, those of JSON inside of texts too,
// since flows keep whole requests that way.
func withLeaves(vars []*sdkv1.Variable, c change) []*sdkv1.Variable {
	out := slices.Clone(vars)
	for i, v := range out {
		out[i] = &sdkv1.Variable{Name: v.Name, Json: changeJSON(v.Name, v.Json, c)}
	}
	return out
}

// changeJSON changes the leaves of a JSON text, and leaves alone what is none.
func changeJSON(name string, text []byte, c change) []byte {
	text = bytes.TrimSpace(text)
	if len(text) == 0 {
		return text
	}
	switch text[0] {
	case '{':
		var object map[string]json.RawMessage
		if json.Unmarshal(text, &object) != nil {
			return text
		}
		for _, k := range slices.Sorted(maps.Keys(object)) {
			object[k] = changeJSON(k, object[k], c)
		}
		return marshal(object)
	case '[':
		var list []json.RawMessage
		if json.Unmarshal(text, &list) != nil {
			return text
		}
		for i := range list {
			list[i] = changeJSON(name, list[i], c)
		}
		return marshal(list)
	case '"':
		var inner string
		if json.Unmarshal(text, &inner) != nil {
			return text
		}
		if trimmed := bytes.TrimSpace([]byte(inner)); len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] == '[') && json.Valid(trimmed) {
			return marshal(string(changeJSON(name, trimmed, c)))
		}
	case 't', 'f', 'n':
		return text
	}
	if instead, ok := c(name, text); ok {
		return instead
	}
	return text
}

// marshal writes what was read before, so it cannot fail.
func marshal(v any) []byte {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("conformance: what was read as JSON cannot be written: " + err.Error())
	}
	return bytes.TrimSpace(out.Bytes())
}
