//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "github.com/railhead-hub/railhead/core/v1"
)

// TestAVersionWithABug is installed as a canary while payments run on three nodes. It
// traps, the hub takes it back by itself and says why, and every payment is completed.
// Then an operator swaps, drains and revokes versions by the command line.
func TestAVersionWithABug(t *testing.T) {
	h := startHub(t, options{nodes: 3})
	// Green Bank's job types have their connectors already.
	const tenant = "bluebank"
	file := filepath.Join(h.dir, "bluebank.json")
	if err := os.WriteFile(file, []byte(`{"id":"bluebank","name":"Blue Bank","config":{}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	h.railhead("tenant", "put", file, "--reason", "test")
	h.railhead("connector", "install", "--activate", tenant, connector+"/bench.wasm")
	h.railhead("flow", "deploy", "../bench/one-task.bpmn", "--strict", "--tenant", tenant)
	faulty := filepath.Join(h.dir, "faulty.wasm")
	h.railhead("connector", "build", "testdata/faulty", "-o", faulty)
	stable := h.versions("bench")["1.0.0"]

	h.railhead("connector", "install", faulty)
	digest := h.versions("bench")["1.1.0"].digest
	h.railhead("connector", "activate", tenant, "bench", digest, "--weight", "30%", "--guard-attempts", "10", "--reason", "new")
	var payments []string
	until(t, patience, func() error {
		for range 20 {
			started, err := h.leader().control.StartPayment(t.Context(), &corev1.StartPaymentRequest{
				Tenant: tenant, Flow: "one-task", Channel: "test", ClientKey: fmt.Sprint(len(payments)),
			})
			if err != nil {
				return err
			}
			payments = append(payments, started.GetPayment())
		}
		if out := h.railhead("connector", "list"); strings.Contains(out, "canary") {
			return fmt.Errorf("the canary still runs:\n%s", out)
		}
		return nil
	})
	for _, payment := range payments {
		if p := h.ended(payment); p.GetResult() != corev1.Result_RESULT_COMPLETED {
			t.Errorf("%s ended as %v", payment, p)
		}
	}
	after := h.versions("bench")
	if after["1.0.0"].digest != stable.digest || after["1.1.0"].traps == 0 {
		t.Errorf("%v", after)
	}

	// What serves does not drain, and what is revoked is not activated.
	h.refused([]string{"serves " + tenant}, "connector", "drain", "bench", stable.digest)
	h.railhead("connector", "drain", "bench", digest)
	if out := h.railhead("connector", "revoke", "bench", digest, "--reason", "traps"); !strings.Contains(out, "is revoked") {
		t.Error(out)
	}
	h.refused([]string{"CONNECTOR_REVOKED"}, "connector", "activate", tenant, "bench", digest)
	h.refused([]string{"ROLLBACK_REFUSED"}, "connector", "rollback", tenant, "bench")
	if out := h.railhead("connector", "list"); !strings.Contains(out, "REVOKED: traps") {
		t.Error(out)
	}
}

// installed is a version as the list has it.
type installed struct {
	digest string
	traps  int
}

// versions lists the versions of a connector.
func (h *hub) versions(name string) map[string]installed {
	h.t.Helper()
	var list struct {
		Connectors []struct {
			Name, Version string
			Digest        []byte
			Stats         []struct {
				Traps json.Number
			}
		}
	}
	if err := json.Unmarshal([]byte(h.railhead("connector", "list", "--json")), &list); err != nil {
		h.t.Fatal(err)
	}
	found := make(map[string]installed)
	for _, c := range list.Connectors {
		if c.Name != name {
			continue
		}
		v := installed{digest: fmt.Sprintf("%x", c.Digest)}
		for _, s := range c.Stats {
			n, err := s.Traps.Int64()
			if err != nil {
				h.t.Fatal(err)
			}
			v.traps += int(n)
		}
		found[c.Version] = v
	}
	return found
}
