package bank

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"
)

const (
	bodyMax  = 64 << 10 // bytes
	depthMax = 16
)

// decode reads the one JSON object of a request body. It refuses what a lenient
// reader would guess about: fields it does not know or sees twice, text after the
// object, text that is not UTF-8.
func decode(w http.ResponseWriter, r *http.Request, into any) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return refuse(NotJSON, "the content type is not application/json")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyMax))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return refuse(TooLarge, "the body is larger than %d bytes", bodyMax)
	case err != nil:
		return refuse(BadRequest, "the body did not arrive")
	case !utf8.Valid(body):
		return refuse(BadRequest, "the body is not UTF-8")
	}
	if err := checkFields(json.NewDecoder(bytes.NewReader(body)), 0); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return refuse(BadRequest, "%s", describe(err))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return refuse(BadRequest, "there is text after the JSON object")
	}
	return nil
}

// describe says what is wrong without repeating values, which may be personal.
func describe(err error) string {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return "field " + wrong.Field + " is a " + wrong.Value + ", not a " + wrong.Type.String()
	}
	if text, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return "unknown field " + clip(text)
	}
	return "the body is not JSON"
}

// checkFields walks one JSON value and refuses an object that names a field
// twice, whatever the case of its letters, and nesting deeper than any request.
func checkFields(d *json.Decoder, depth int) error {
	t, err := d.Token()
	if err != nil {
		return refuse(BadRequest, "the body is not JSON")
	}
	open, ok := t.(json.Delim)
	if depth == 0 && open != '{' {
		return refuse(BadRequest, "the body is not a JSON object")
	}
	if !ok {
		return nil
	}
	if depth == depthMax {
		return refuse(BadRequest, "the body is nested deeper than %d", depthMax)
	}
	seen := make(map[string]bool)
	for d.More() {
		if open == '{' {
			t, err := d.Token()
			name, ok := t.(string)
			if err != nil || !ok {
				return refuse(BadRequest, "the body is not JSON")
			}
			if name = strings.ToLower(name); seen[name] {
				return refuse(BadRequest, "field %q is there twice", clip(name))
			}
			seen[name] = true
		}
		if err := checkFields(d, depth+1); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return refuse(BadRequest, "the body is not JSON")
	}
	return nil
}
