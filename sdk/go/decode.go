package connector

import (
	"encoding/json"
	"strconv"
)

// Everything in this file brings encoding/json into the module.

// Value is any value as JSON, by encoding/json. It panics on what has no JSON,
// which is a mistake in the connector.
func Value(v any) RawJSON {
	out, err := json.Marshal(v)
	if err != nil {
		panic("connector: " + err.Error())
	}
	return out
}

// JSON is a reply with a JSON body: of Vars, or of any value encoding/json can
// write.
func JSON(status int, body any) Reply {
	text, ok := appendJSON(nil, "body", body)
	if !ok {
		text = Value(body)
	}
	return Reply{Status: status, Headers: map[string]string{"content-type": "application/json"}, Body: text}
}

// Decode reads the variable into v. A missing or null variable leaves v as it
// is.
func (j *Job) Decode(name string, v any) error {
	if !j.Has(name) {
		return nil
	}
	return decode("variable "+strconv.Quote(name), j.JSON(name), v)
}

// Decode reads the body as JSON into v.
func (r *Request) Decode(v any) error { return decode("request body", r.Body, v) }

// Decode reads the body as JSON into v.
func (r *Response) Decode(v any) error { return decode("response body", r.Body, v) }

// Config reads the tenant's configuration of this connector into v. No
// configuration leaves v as it is.
func (c *Context) Config(v any) error {
	if c.config == "" {
		return nil
	}
	return decode("configuration", c.ConfigJSON(), v)
}

// DecodeError says what was not the JSON that was expected.
type DecodeError struct {
	What string
	Err  error
}

func (e *DecodeError) Error() string { return e.What + " is not as expected: " + e.Err.Error() }
func (e *DecodeError) Unwrap() error { return e.Err }

func decode(what string, text []byte, v any) error {
	if err := json.Unmarshal(text, v); err != nil {
		return &DecodeError{What: what, Err: err}
	}
	return nil
}
