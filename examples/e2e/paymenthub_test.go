//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"testing"
)

// shared finds a file of the shared test data.
func shared(t *testing.T, path string) string {
	t.Helper()
	root := os.Getenv("RAILHEAD_SHARED")
	if root == "" {
		t.Skip("needs RAILHEAD_SHARED, the folder of shared test data")
	}
	path = filepath.Join(root, path)
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestPaymentHubFlow runs Payment Hub EE's own payer flow, byte for byte. It does
// not say what its ends mean, so a sidecar does.
func TestPaymentHubFlow(t *testing.T) {
	flow := shared(t, "flows/paymenthub/ph-ee-env-labs__PayerFundTransfer-DFSPID.bpmn")
	h := startHub(t, options{flow: phEEFlow})
	h.railhead("flow", "deploy", flow, "--ends", "testdata/PayerFundTransfer.ends.yaml", "--tenant", tenant)
	payment := h.transfer(unique(t, 1))
	h.completed(payment)
	h.shown(payment)
	h.balanced()
}
