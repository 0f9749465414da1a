// Package strictjson reads JSON that people write: configurations. A name that is not
// known is refused, since a misspelt limit would otherwise be no limit, and an error
// says where the fault is and what is wanted there, in words that need no knowledge of
// this program.
//
// It is not for what programs write, which may have grown names since.
//
// Begin with Decode.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Decode reads the one value of a text into what a pointer points at. The error's place
// is as in connectors.bank.endpoints.ledger.allow[0].
func Decode(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil {
		if _, err := d.Token(); err != io.EOF {
			return errors.New("there is text after its end")
		}
		return nil
	}
	if !json.Valid(text) {
		return err
	}
	if found := fault(text, reflect.TypeOf(into).Elem(), ""); found != nil {
		return found
	}
	return err
}

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

// fault finds the first fault of a value, in the order of names. The text is JSON.
func fault(text []byte, t reflect.Type, at string) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if reflect.PointerTo(t).Implements(unmarshaler) {
		return nil
	}
	switch {
	case t.Kind() == reflect.Struct, t.Kind() == reflect.Map:
		var members map[string]json.RawMessage
		if json.Unmarshal(text, &members) != nil {
			return mismatch(text, t, at)
		}
		for _, name := range slices.Sorted(maps.Keys(members)) {
			of, err := member(t, name, at)
			if err != nil {
				return err
			}
			if err := fault(members[name], of, strings.TrimPrefix(at+"."+name, ".")); err != nil {
				return err
			}
		}
	case t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8:
		var elements []json.RawMessage
		if json.Unmarshal(text, &elements) != nil {
			return mismatch(text, t, at)
		}
		for i, element := range elements {
			if err := fault(element, t.Elem(), at+"["+strconv.Itoa(i)+"]"); err != nil {
				return err
			}
		}
	default:
		if json.Unmarshal(text, reflect.New(t).Interface()) != nil {
			return mismatch(text, t, at)
		}
	}
	return nil
}

// member is the type of what an object has under a name.
func member(t reflect.Type, name, at string) (reflect.Type, error) {
	if t.Kind() == reflect.Map {
		return t.Elem(), nil
	}
	var known []string
	for _, f := range reflect.VisibleFields(t) {
		own, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if own == "" || own == "-" {
			continue // it holds the fields of another type, or is none of the text's
		}
		if strings.EqualFold(own, name) { // as encoding/json has it
			return f.Type, nil
		}
		known = append(known, own)
	}
	slices.Sort(known)
	return nil, fmt.Errorf("%s has an unknown field %q; known are %s", place(at), name, strings.Join(known, ", "))
}

func mismatch(text []byte, t reflect.Type, at string) error {
	return fmt.Errorf("%s is %s; %s is wanted", place(at), given(text), wanted(t))
}

func place(at string) string {
	if at == "" {
		return "it"
	}
	return at
}

func given(text []byte) string {
	switch text = bytes.TrimSpace(text); text[0] {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a text"
	case 't', 'f', 'n':
		return string(text)
	}
	return "the number " + string(text[:min(len(text), 40)])
}

func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "a text in base64"
		}
		return "a list"
	case reflect.String:
		return "a text"
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uint:
		return "a whole number, not below 0,"
	}
	return "a whole number"
}
