package egress

import (
	"strings"
	"testing"

	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// FuzzBuild: whatever a guest asks for, the request goes to the endpoint's host,
// below its path, with headers that keep to their lines.
func FuzzBuild(f *testing.F) {
	for _, path := range []string{"/a?b=c", "", "/%2e%2e/x", "//evil.example/", "/a/../..", "/\\x", "?x", "/a#b", "@evil.example"} {
		f.Add("GET", path, "x-a", "1")
	}
	f.Add("POST", "/", "host", "evil.example")
	f.Add("P\r\nX", "/", "a\r\nb", "c\r\nd")
	e, err := New(Config{URL: "https://bank.example:8443/api/v1", Connector: "c", Name: "e"}, Surroundings{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, method, path, header, value string) {
		r, err := e.build(t.Context(), &sdkv1.Http{Method: method, Path: path, Headers: []*sdkv1.Header{{Key: header, Value: value}}}, "key")
		if err != nil {
			return
		}
		if r.URL.Host != "bank.example:8443" || r.Host != r.URL.Host || r.URL.Scheme != "https" || r.URL.User != nil || r.URL.Fragment != "" {
			t.Fatalf("it goes to %s", r.URL)
		}
		if !strings.HasPrefix(r.URL.Path, "/api/v1") || strings.Contains(r.URL.Path+"/", "/../") {
			t.Fatalf("it climbs to %s", r.URL.Path)
		}
		if rest := strings.TrimPrefix(r.URL.EscapedPath(), "/api/v1"); rest != "" && rest[0] != '/' {
			t.Fatalf("it leaves its segment: %s", r.URL.Path)
		}
		for name, values := range r.Header {
			if strings.ContainsAny(name+strings.Join(values, ""), "\r\n\x00") {
				t.Fatalf("header %q %q", name, values)
			}
		}
		// Without a body the name is in lower case; see onlyOnce.
		const name = "Idempotency-Key"
		if got := append(r.Header[name], r.Header[strings.ToLower(name)]...); len(got) != 1 || got[0] != "key" {
			t.Fatalf("the key is %q", got)
		}
	})
}
