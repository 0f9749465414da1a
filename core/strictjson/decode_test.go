package strictjson

import (
	"encoding/json"
	"testing"
)

type source struct {
	File string `json:"file"`
}

type document struct {
	Peers map[string]struct {
		source
		Allow  []string `json:"allow"`
		Millis int64    `json:"millis"`
		Share  float64  `json:"share"`
		Count  uint32   `json:"count"`
		Bytes  []byte   `json:"bytes"`
		Off    *bool    `json:"off"`
		TLS    *source  `json:"tls"`
	} `json:"peers"`
	Raw json.RawMessage `json:"raw"`
}

func TestDecode(t *testing.T) {
	for _, c := range []struct{ text, says string }{
		{`{}`, ``},
		{`{"peers":{"a":{"file":"f","allow":["x"],"millis":1,"share":0.5,"count":2,"bytes":"AA==","off":true,"tls":{"file":"g"}}},"raw":[1]}`, ``},
		{`{"PEERS":{"a":null}}`, ``},
		{`{"peers":{"a":{"allow":null,"off":null,"tls":null}}}`, ``},
		{`{"peer":{}}`, `it has an unknown field "peer"; known are peers, raw`},
		{`{"peers":{"a":{"milis":1}}}`, `peers.a has an unknown field "milis"; known are allow, bytes, count, file, millis, off, share, tls`},
		{`{"peers":{"a":{"tls":{"fil":1}}}}`, `peers.a.tls has an unknown field "fil"; known are file`},
		{`{"peers":{"a":{"millis":"5s"}}}`, `peers.a.millis is a text; a whole number is wanted`},
		{`{"peers":{"a":{"millis":1.5}}}`, `peers.a.millis is the number 1.5; a whole number is wanted`},
		{`{"peers":{"a":{"count":-1}}}`, `peers.a.count is the number -1; a whole number, not below 0, is wanted`},
		{`{"peers":{"a":{"share":[]}}}`, `peers.a.share is a list; a number is wanted`},
		{`{"peers":{"a":{"file":{}}}}`, `peers.a.file is an object; a text is wanted`},
		{`{"peers":{"a":{"bytes":"?"}}}`, `peers.a.bytes is a text; a text in base64 is wanted`},
		{`{"peers":{"a":{"off":1}}}`, `peers.a.off is the number 1; true or false is wanted`},
		{`{"peers":{"a":{"allow":"10.0.0.0/8"}}}`, `peers.a.allow is a text; a list is wanted`},
		{`{"peers":{"a":{"allow":["x",false]}}}`, `peers.a.allow[1] is false; a text is wanted`},
		{`{"peers":[]}`, `peers is a list; an object is wanted`},
		{`[]`, `it is a list; an object is wanted`},
		{`{} {}`, `there is text after its end`},
		{`{`, `unexpected EOF`},
		{`{"peers":{},}`, `invalid character '}' looking for beginning of object key string`},
	} {
		says := ""
		if err := Decode([]byte(c.text), new(document)); err != nil {
			says = err.Error()
		}
		if says != c.says {
			t.Errorf("%s: %q, want %q", c.text, says, c.says)
		}
	}
}

// FuzzDecode: no text makes it panic, and what it takes encoding/json takes.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"peers":{"a":{"allow":["x",false],"bytes":1}}}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if Decode(text, new(document)) == nil && !json.Valid(text) {
			t.Errorf("%q is taken", text)
		}
	})
}
