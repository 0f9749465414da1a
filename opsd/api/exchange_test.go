package api

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// The field numbers in exchange.go are those of the connector contract.
func TestFieldNumbersAreTheContracts(t *testing.T) {
	raw, err := os.ReadFile("../../sdk/v1/connector.proto")
	if err != nil {
		t.Fatal(err)
	}
	numbers := map[string]map[string]protowire.Number{}
	types := map[string]map[string]string{}
	message := ""
	declares := regexp.MustCompile(`^message (\w+) \{`)
	declared := regexp.MustCompile(`^\s+(?:repeated )?(\w+) (\w+) = (\d+);`)
	for line := range strings.Lines(string(raw)) {
		if m := declares.FindStringSubmatch(line); m != nil {
			message = m[1]
			numbers[message], types[message] = map[string]protowire.Number{}, map[string]string{}
		} else if m := declared.FindStringSubmatch(line); m != nil && message != "" {
			var n protowire.Number
			_, _ = fmt.Sscan(m[3], &n)
			numbers[message][m[2]], types[message][m[2]] = n, m[1]
		}
	}
	names := map[part][]string{
		partEndpoint: {"endpoint", "link"}, partMethod: {"method"}, partPath: {"path"}, partHeader: {"headers"}, partBody: {"body", "json"},
		partStatus: {"status"}, partKey: {"key", "client_key", "payment", "idempotency_key"}, partCode: {"code"},
		partText: {"flow", "name", "algorithm", "kind", "reason", "text", "result"}, partTerms: {"terms"},
	}
	for of, shapes := range map[string]map[protowire.Number]shape{"Effect": effects, "Answer": answers} {
		for number, s := range shapes {
			if numbers[of][s.kind] != number {
				t.Errorf("%s.%s is field %d of the contract, %d here", of, s.kind, numbers[of][s.kind], number)
			}
			fields := numbers[types[of][s.kind]]
			for n, p := range s.parts {
				found := false
				for _, name := range names[p] {
					found = found || fields[name] == n
				}
				if !found {
					t.Errorf("%s.%s: field %d is none of %v", of, s.kind, n, names[p])
				}
			}
		}
		for kind, n := range numbers[of] {
			if kind != "ordinal" && shapes[n].kind != kind {
				t.Errorf("%s.%s has no shape", of, kind)
			}
		}
	}
	for name, n := range map[string]protowire.Number{"amount": 1, "currency": 2, "debtor": 3, "creditor": 4} {
		if numbers["Terms"][name] != n {
			t.Errorf("Terms.%s is %d", name, numbers["Terms"][name])
		}
	}
	if numbers["Header"]["key"] != 1 || numbers["Header"]["value"] != 2 {
		t.Error("Header has changed")
	}
}

func TestOddExchanges(t *testing.T) {
	m := newMasker(nil)
	if m.request(nil) != nil {
		t.Error("nothing is an exchange")
	}
	for _, raw := range [][]byte{{0xff}, []byte("{not json"), field(2, []byte{0x0a, 0x7f}), field(2, field(4, []byte{0xff}))} {
		if got := m.request(raw); got.Kind != unreadable || got.Body != "" || got.SizeBytes != uint32(len(raw)) {
			t.Errorf("% x gives %v", raw, got)
		}
	}
	if got := m.request(field(99, []byte("x"))); got.Kind != unreadable {
		t.Errorf("an unknown kind gives %v", got)
	}
	if got := m.request([]byte(`{"name":"Ada"}`)); got.Kind != "json" || got.Body != `{"name":"***"}` {
		t.Errorf("JSON gives %v", got)
	}
}

func FuzzExchange(f *testing.F) {
	f.Add(join(number(1, 1), field(2, join(text(1, "bank"), text(3, "/x"), header(4, "a", "b"), text(5, "{}")))))
	m := newMasker(nil)
	f.Fuzz(func(t *testing.T, raw []byte) {
		m.request(raw)
		m.answer(raw)
	})
}
