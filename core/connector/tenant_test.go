package connector

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/railhead-hub/railhead/core/egress"
	"github.com/railhead-hub/railhead/core/secret"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

func TestCheckTenant(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "green"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "green", "token"), []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	around := egress.Surroundings{Secrets: secret.NewStore(dir, nil)}
	endpoint := func(body string) string { return `{"connectors":{"bank":{"endpoints":{"ledger":{` + body + `}}}}}` }
	for _, c := range []struct{ name, text, says string }{
		{"nothing", ``, ""},
		{"an empty object", `{}`, ""},
		{"all of it", `{"connectors":{"bank":{"config":{"branch":"1"},"endpoints":{"ledger":{"url":"https://bank.example/api","mode":"keyed",
			"allow":["10.0.0.0/8","192.0.2.1"],"timeout_ms":5000,"headers":{"authorization":"Bearer {{secret:token}}"},
			"secrets":["token"],"response_max_bytes":1000,"retries":2,"rate_per_second":10,"connections":4}}}}}`, ""},
		{"not JSON", `{`, "unexpected EOF"},
		{"an array", `[]`, "it is a list; an object is wanted"},
		{"an unknown key", `{"connector":{}}`, "unknown field"},
		{"an unknown key further down", endpoint(`"url":"https://b","timeot_ms":1`), `connectors.bank.endpoints.ledger has an unknown field "timeot_ms"; known are allow, breaker,`},
		{"a time with its unit", endpoint(`"url":"https://b","timeout_ms":"5s"`), "connectors.bank.endpoints.ledger.timeout_ms is a text; a whole number is wanted"},
		{"a configuration that is no object", `{"connectors":{"bank":{"config":[1]}}}`, "JSON object"},
		{"no url", endpoint(`"mode":"safe"`), "url"},
		{"a mode nobody knows", endpoint(`"url":"https://b","mode":"sometimes"`), "none of safe"},
		{"a range that is none", endpoint(`"url":"https://b","allow":["10.0.0.0/99"]`), "allow"},
		{"a mapped address", endpoint(`"url":"https://b","allow":["::ffff:10.0.0.1"]`), "IPv4"},
		{"a long timeout", endpoint(`"url":"https://b","timeout_ms":9999999`), "timeout_ms"},
		{"a large response", endpoint(`"url":"https://b","response_max_bytes":99999999`), "response_max_bytes"},
		{"many retries", endpoint(`"url":"https://b","retries":9`), "retries"},
		{"a secret that is not bound", endpoint(`"url":"https://b","headers":{"a":"{{secret:token}}"}`), "not bound"},
		{"a secret in the url", endpoint(`"url":"https://b/{{secret:token}}","secrets":["token"]`), "url may not refer to a secret"},
		{"a reference with blanks", endpoint(`"url":"https://b","headers":{"a":"{{ secret:token }}"},"secrets":["token"]`), "{{secret:name}}"},
		{"an address that is not let through", endpoint(`"url":"https://10.1.2.3","allow":["10.2.0.0/16"]`), "in no allowed range"},
		{"a secret that is not there", endpoint(`"url":"https://b","secrets":["nothing"]`), "not in secrets_dir"},
		{"a header that breaks its line", endpoint(`"url":"https://b","headers":{"a":"x\r\ny: z"}`), "control character"},
	} {
		err := CheckTenant("green", []byte(c.text), around)
		if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %v, want something about %q", c.name, err, c.says)
		}
	}
}

func TestTheMoreCarefulModeCounts(t *testing.T) {
	const safe, keyed, ask, never = enginev1.Mode_MODE_SAFE, enginev1.Mode_MODE_KEYED, enginev1.Mode_MODE_ASK, enginev1.Mode_MODE_NEVER
	for _, c := range []struct {
		manifest, tenant string
		want             enginev1.Mode
	}{
		{"safe", "", safe}, {"keyed", "", keyed}, {"", "", never}, {"keyed", "ask", ask},
		{"ask", "keyed", ask}, {"never", "safe", never}, {"safe", "never", never},
	} {
		got, err := endpointConfig{Mode: c.tenant}.bind("t", 1, "c", &sdkv1.Endpoint{Name: "e", Mode: c.manifest})
		if err != nil || got.Mode != c.want {
			t.Errorf("manifest %q, tenant %q: %v %v, want %v", c.manifest, c.tenant, got.Mode, err, c.want)
		}
	}
}
