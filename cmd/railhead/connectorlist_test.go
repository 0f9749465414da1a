package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	corev1 "github.com/railhead-hub/railhead/core/v1"
)

// TestConnectorList holds that the tables fit a terminal of 100 columns, and that a
// name which nobody has verified does not look like one that somebody has.
func TestConnectorList(t *testing.T) {
	old, canary := bytes.Repeat([]byte{0xab}, 32), bytes.Repeat([]byte{0xcd}, 32)
	list := &corev1.ListConnectorsResponse{
		Connectors: []*corev1.ConnectorInfo{
			{
				Name: "paymenthub", Kind: "channel", Version: "12.10.1", Digest: old, SizeBytes: 14 << 20, JobTypes: make([]string, 12),
				ReadyNodes: []string{"n1", "n2", "n3"}, PinnedPayments: 1204, Signers: []string{"ada"},
				Signatures: []*corev1.Signature{{Signer: "ada"}, {Signer: "ada"}, {Signer: "ben"}},
				Stats: []*corev1.ModuleStat{{
					Tenant: "greenbank", Attempts: 12345, Failures: 123, StepP50Ns: 440_000, StepP99Ns: 12_100_000,
				}},
			},
			{Name: "paymenthub", Kind: "channel", Version: "12.11.0", Digest: canary, ReadyNodes: []string{"n1"}},
		},
		Activations: []*corev1.ActivationInfo{
			{
				Tenant: "greenbank", Connector: "paymenthub", Digest: old, Canary: canary, CanaryWeight: 1000,
				ActivatedMs: 1_700_000_000_000, CanaryMs: time.Now().UnixMilli(), PinnedPayments: 1204,
			},
			{Tenant: "redbank", Connector: "paymenthub"},
		},
	}
	var out bytes.Buffer
	a := &app{out: &out}
	if err := a.listModules(list); err != nil {
		t.Fatal(err)
	}
	if err := a.listActivations(list); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 100 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	for _, want := range []string{" ada ben? ", "10% canary", "90%", "NONE", "2023-11"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	t.Log("\n" + out.String())
}

func TestWeight(t *testing.T) {
	for text, want := range map[string]uint32{"": 0, "1%": 100, "0.5%": 50, "0.01%": 1, "100%": 10_000, "25": 25, "10000": 10_000} {
		if got, err := parseWeight(text); got != want || err != nil {
			t.Errorf("%q is %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"0", "0%", "NaN%", "Inf%", "-1%", "0.001%", "100.1%", "10001", "half", "%"} {
		if got, err := parseWeight(text); err == nil {
			t.Errorf("%q is %d", text, got)
		}
	}
}
