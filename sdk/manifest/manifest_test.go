package manifest_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/railhead-hub/railhead/sdk/manifest"
	"github.com/railhead-hub/railhead/sdk/wasm"
)

const good = `{
  "name": "bank", "version": "1.2.3-rc.1", "kind": "ams",
  "jobs": [{"type": "block-funds", "money": true}, {"type": "quote-{tenant}", "inputs": ["amount"]}],
  "routes": [{"name": "parties", "method": "PUT", "path": "/parties/{type}/{id}", "tenant_header": "FSPIOP-Destination", "tenant_alias": "fsp_id", "body_max": 65536}],
  "endpoints": [{"name": "bank", "mode": "keyed", "key_header": "Idempotency-Key"}],
  "secrets": ["bank_token"], "keys": ["jws"], "sensitive": ["pan"],
  "limits": {"memory_max_bytes": 67108864, "step_ms_max": 250}
}`

func TestParseJSON(t *testing.T) {
	m, err := manifest.ParseJSON([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	if r := m.Routes[0]; r.TenantHeader != "FSPIOP-Destination" || r.TenantAlias != "fsp_id" || r.BodyMax != 65536 {
		t.Fatalf("%+v", r)
	}
	if m.Limits.MemoryMaxBytes != 64<<20 || m.Jobs[1].Inputs[0] != "amount" {
		t.Fatalf("%+v", m)
	}
	text, err := manifest.JSON(m)
	if err != nil || !strings.Contains(string(text), `"tenant_header": "FSPIOP-Destination"`) {
		t.Fatalf("%s, %v", text, err)
	}
	if _, err := manifest.ParseJSON(text); err != nil {
		t.Fatalf("what JSON writes, ParseJSON refuses: %v", err)
	}
}

// Each row changes one thing of the good manifest; the error must contain the
// last word.
func TestRefused(t *testing.T) {
	for _, row := range [][3]string{
		{`"name": "bank"`, `"name": "Bank"`, "kebab-case"},
		{`"name": "bank"`, `"names": "bank"`, "unknown field"},
		{`"name": "bank"`, `"Name": "bank"`, "snake_case"},
		{`"tenant_header"`, `"tenantHeader"`, "tenantHeader"},
		{`1.2.3-rc.1`, `1.2`, "semantic version"},
		{`"kind": "ams"`, `"kind": "bank"`, "none of ams"},
		{`"type": "block-funds"`, `"type": ""`, "job type"},
		{`"type": "quote-{tenant}"`, `"type": "quote-{dfsp}"`, "job type"},
		{`"type": "quote-{tenant}"`, `"type": "block-funds"`, "declared twice"},
		{`"method": "PUT"`, `"method": "put"`, "capitals"},
		{`/parties/{type}/{id}`, `parties`, "begin with /"},
		{`/parties/{type}/{id}`, `/parties/{type}/{type}`, "stands twice"},
		{`/parties/{type}/{id}`, `/parties/x{type}`, "path segment"},
		{`/parties/{type}/{id}`, `/parties//x`, "path segment"},
		{`"body_max": 65536`, `"body_max": 99999999`, "body_max"},
		{`"body_max": 65536`, `"body_max": "many"`, "bodyMax"},
		{`"mode": "keyed"`, `"mode": ""`, "mode"},
		{`"key_header": "Idempotency-Key"`, `"key_header": "a b"`, "key_header"},
		{`"bank_token"`, `"Bank Token"`, "secret"},
		{`"bank_token"`, `"s", "s"`, "declared twice"},
		{`67108864`, `4294967295`, "memory_max_bytes"},
		{`"step_ms_max": 250`, `"step_ms_max": 60000`, "step_ms_max"},
		{"\n}", "\n} {}", "follows"},
		{`"routes"`, `"routes": 3, "routes_"`, ""},
	} {
		text := strings.Replace(good, row[0], row[1], 1)
		if text == good {
			t.Fatalf("%q is not there", row[0])
		}
		if _, err := manifest.ParseJSON([]byte(text)); err == nil || !strings.Contains(err.Error(), row[2]) {
			t.Errorf("%s: got %v, want %q", row[1], err, row[2])
		}
	}
	if _, err := manifest.ParseJSON([]byte(`{"name": "bank", "version": "1.0.0", "kind": "ams"}`)); err == nil {
		t.Error("a connector that serves nothing is accepted")
	}
}

func TestIntoModule(t *testing.T) {
	m, err := manifest.ParseJSON([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := manifest.FromModule(wasm.Header); !errors.Is(err, manifest.ErrNone) {
		t.Fatalf("got %v", err)
	}
	module, err := manifest.IntoModule(wasm.Header, m)
	if err != nil {
		t.Fatal(err)
	}
	got, err := manifest.FromModule(module)
	if err != nil || got.Name != "bank" || got.Routes[0].Path != "/parties/{type}/{id}" {
		t.Fatalf("%+v, %v", got, err)
	}
	again, err := manifest.IntoModule(module, m)
	if err != nil || string(again) != string(module) {
		t.Fatal("putting the same manifest in twice changes the module")
	}
}

// FuzzParseJSON: no text makes it panic, and what it accepts survives the way
// through a module.
func FuzzParseJSON(f *testing.F) {
	f.Add(good)
	f.Add(`{"name": "a", "version": "0.0.0", "kind": "notify", "links": [{"name": "n"}]}`)
	f.Add(`[{}]`)
	f.Fuzz(func(t *testing.T, text string) {
		m, err := manifest.ParseJSON([]byte(text))
		if err != nil {
			return
		}
		module, err := manifest.IntoModule(wasm.Header, m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := manifest.FromModule(module); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzDecode: no section makes it panic.
func FuzzDecode(f *testing.F) {
	m, err := manifest.ParseJSON([]byte(good))
	if err != nil {
		f.Fatal(err)
	}
	encoded, err := m.MarshalVTStrict()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(encoded)
	f.Fuzz(func(t *testing.T, content []byte) {
		manifest.Decode(content)
	})
}

func TestReadFile(t *testing.T) {
	if _, err := manifest.ReadFile("../host/testdata/probe"); err != nil {
		t.Fatal(err)
	}
	if _, err := manifest.ReadFile(t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("got %v", err)
	}
}
