package core

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/protobuf/proto"

	corev1 "github.com/railhead-hub/railhead/core/v1"
	"github.com/railhead-hub/railhead/sdk/signing"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// version is the test connector in another version, with a bug if its name says so:
// "1.1.0 traps" ends every step of a job with a trap, "1.1.0 fails" with a failure.
type version struct {
	native
	manifest *sdkv1.Manifest
	bug      string
}

// versionSteps counts the steps of every version by its text, in all tests.
var versionSteps sync.Map // of *atomic.Int64

func stepsOf(text string) *atomic.Int64 {
	n, _ := versionSteps.LoadOrStore(text, new(atomic.Int64))
	return n.(*atomic.Int64)
}

func newVersion(text string) *version {
	number, bug, _ := strings.Cut(text, " ")
	manifest := *testManifest
	manifest.Version = number
	return &version{manifest: &manifest, bug: bug}
}

func (v *version) Manifest() *sdkv1.Manifest { return v.manifest }

func (v *version) Step(ctx context.Context, tenant string, request *sdkv1.StepRequest) (*sdkv1.StepReply, error) {
	stepsOf(strings.TrimSpace(v.manifest.Version + " " + v.bug)).Add(1)
	switch {
	case request.Trigger.GetJob() != nil && v.bug == "traps":
		return nil, errors.New("trap: unreachable")
	case request.Trigger.GetJob() != nil && v.bug == "fails":
		return &sdkv1.StepReply{Outcome: &sdkv1.Outcome{Kind: &sdkv1.Outcome_Fail{Fail: &sdkv1.Fail{
			Retryable: true, BackoffMs: 500, Reason: "it does not work",
		}}}}, nil
	}
	return v.native.Step(ctx, tenant, request)
}

// installVersion installs a version through a node, with signatures by the keys.
func (s *site) installVersion(i int, text, author, tenant string, keys ...ed25519.PrivateKey) ([]byte, error) {
	module := []byte("version " + text)
	digest := sha256.Sum256(module)
	stream, err := s.control(i).InstallConnector(s.t.Context())
	if err != nil {
		return nil, err
	}
	first := &corev1.InstallConnectorRequest{Digest: digest[:], Part: module, Author: author, Actor: &corev1.Actor{Name: "test"}}
	for n, key := range keys {
		m := newVersion(text).manifest
		encoded, err := m.MarshalVTStrict()
		check(s.t, err)
		signed, err := signing.Sign(key, signing.Module{
			Digest: digest, Manifest: sha256.Sum256(encoded), Name: m.Name, Version: m.Version, Author: author,
		}, fmt.Sprintf("root%d", n+1), tenant)
		check(s.t, err)
		first.Signatures = append(first.Signatures, &corev1.Signature{
			Key: signed.Key, Signature: signed.Signature, Signer: signed.Signer, Tenant: signed.Tenant,
		})
	}
	check(s.t, stream.Send(first))
	_, err = stream.CloseAndReceive()
	return digest[:], err
}

func (s *site) activation(i int) *corev1.ActivationInfo {
	s.t.Helper()
	list, err := s.control(i).ListConnectors(s.t.Context(), &corev1.ListConnectorsRequest{})
	check(s.t, err)
	for _, a := range list.Activations {
		if a.Connector == "test" {
			return a
		}
	}
	s.t.Fatal("the connector is not active")
	return nil
}

// TestABadCanaryIsRolledBackByItself: payments run, a canary with a bug gets half of
// them, and nobody but the hub does anything about it. All payments are completed.
func TestABadCanaryIsRolledBackByItself(t *testing.T) {
	for _, bug := range []string{"1.1.0 traps", "1.1.1 fails"} {
		t.Run(bug, func(t *testing.T) {
			s := newSite(t, 3, nil)
			s.furnish(0)
			stable := s.activation(0).Digest
			canary, err := s.installVersion(0, bug, "", "")
			check(t, err)
			_, err = s.control(1).ActivateConnector(t.Context(), &corev1.ActivateConnectorRequest{
				Tenant: "greenbank", Connector: "test", Digest: canary, Weight: 5000,
			})
			check(t, err)
			s.ready()
			var uuids []string
			until(t, "the canary to be rolled back", func() bool {
				status, answer := s.call(0, "POST", "/payments", start("nothing", fmt.Sprint(len(uuids))), "")
				if status != 202 {
					t.Fatalf("%d %v", status, answer)
				}
				uuids = append(uuids, answer["transactionId"])
				return len(uuids)%20 == 0 && len(s.activation(0).Canary) == 0
			})
			for _, uuid := range uuids {
				until(t, "payment "+uuid, func() bool { return s.result(0, uuid)["result"] == "completed" })
			}
			a := s.activation(0)
			if string(a.Digest) != string(stable) || len(a.Withdrawn) != 1 || string(a.Withdrawn[0]) != string(canary) {
				t.Errorf("%v", a)
			}
			until(t, "nobody to keep the canary", func() bool {
				list, err := s.control(0).ListConnectors(t.Context(), &corev1.ListConnectorsRequest{})
				check(t, err)
				for _, c := range list.Connectors {
					if c.PinnedPayments != 0 {
						return false
					}
				}
				return true
			})
			if stepsOf(bug).Load() == 0 {
				t.Error("the canary was never tried")
			}
		})
	}
}

// TestAnActivationThatDoesBadlyIsRolledBackByItself: also a version that gets all
// payments at once is watched for a while, unless its guard is off.
func TestAnActivationThatDoesBadlyIsRolledBackByItself(t *testing.T) {
	s := newSite(t, 1, nil)
	s.furnish(0)
	bad, err := s.installVersion(0, "1.2.0 traps", "", "")
	check(t, err)
	activate := func(guard *corev1.Guard) {
		t.Helper()
		_, err := s.control(0).ActivateConnector(t.Context(), &corev1.ActivateConnectorRequest{
			Tenant: "greenbank", Connector: "test", Digest: bad, Guard: guard,
		})
		check(t, err)
	}
	stable := s.activation(0).Digest
	activate(&corev1.Guard{AttemptsMin: 5})
	for i := range 10 {
		if status, answer := s.call(0, "POST", "/payments", start("nothing", fmt.Sprint(i)), ""); status != 202 {
			t.Fatalf("%d %v", status, answer)
		}
	}
	until(t, "the rollback", func() bool { return string(s.activation(0).Digest) == string(stable) })
	// With the guard off it stays, whatever it does; a person takes it back.
	activate(&corev1.Guard{Off: true})
	before := stepsOf("1.2.0 traps").Load()
	for i := range 10 {
		s.call(0, "POST", "/payments", start("nothing", fmt.Sprint("off", i)), "")
	}
	until(t, "twenty traps", func() bool { return stepsOf("1.2.0 traps").Load() >= before+20 })
	if string(s.activation(0).Digest) != string(bad) {
		t.Error("a version without a guard was rolled back")
	}
	back, err := s.control(0).RollbackConnector(t.Context(), &corev1.RollbackConnectorRequest{
		Tenant: "greenbank", Connector: "test", Actor: &corev1.Actor{Name: "ada"},
	})
	check(t, err)
	if string(back.Digest) != string(stable) {
		t.Errorf("%x serves", back.Digest)
	}
}

// TestARevokedModuleRunsNoMore: not for new payments, not for those that keep it, not
// for requests, on no node.
func TestARevokedModuleRunsNoMore(t *testing.T) {
	s := newSite(t, 3, nil)
	s.furnish(0)
	const text = "2.0.0"
	digest, err := s.installVersion(1, text, "", "")
	check(t, err)
	_, err = s.control(2).ActivateConnector(t.Context(), &corev1.ActivateConnectorRequest{
		Tenant: "greenbank", Connector: "test", Digest: digest,
	})
	check(t, err)
	s.ready()
	status, answer := s.call(0, "POST", "/payments", start("wait", "waiting"), "")
	if status != 202 {
		t.Fatalf("%d %v", status, answer)
	}
	until(t, "the version to be kept", func() bool { return s.activation(0).PinnedPayments == 1 })
	if stepsOf(text).Load() == 0 {
		t.Fatal("the version was never used")
	}
	revoked, err := s.control(1).RevokeConnector(t.Context(), &corev1.RevokeConnectorRequest{
		Connector: "test", Digest: digest, Actor: &corev1.Actor{Name: "ada", Reason: "it leaks"},
	})
	check(t, err)
	if len(revoked.RolledBack) != 1 || len(revoked.Without) != 0 {
		t.Errorf("%v", revoked)
	}
	steps := stepsOf(text).Load()
	for i := range s.nodes {
		status, answer := s.call(i, "POST", "/payments", start("nothing", fmt.Sprint("after", i)), "")
		if status != 202 {
			t.Fatalf("node %d: %d %v", i, status, answer)
		}
		until(t, "a payment after the revocation", func() bool { return s.result(i, answer["transactionId"])["result"] == "completed" })
	}
	if now := stepsOf(text).Load(); now != steps {
		t.Errorf("%d steps of a revoked module", now-steps)
	}
	_, err = s.control(0).ActivateConnector(t.Context(), &corev1.ActivateConnectorRequest{
		Tenant: "greenbank", Connector: "test", Digest: digest,
	})
	if got := reasonOf(err); got != "CONNECTOR_REVOKED" {
		t.Errorf("%v", err)
	}
	_, err = s.control(0).RevokeConnector(t.Context(), &corev1.RevokeConnectorRequest{Connector: "test", Digest: digest})
	if got := reasonOf(err); got != "ACTOR_MISSING" {
		t.Errorf("%v", err)
	}
}

// TestANodeDiesBetweenReadyAndActivate: a module is activated without it only if it is
// excused, and it fetches the module before it serves payments.
func TestANodeDiesBetweenReadyAndActivate(t *testing.T) {
	s := newSite(t, 3, nil)
	s.furnish(0)
	leader := s.leader()
	dead := (leader + 1) % 3
	digest, err := s.installVersion(leader, "3.0.0", "", "")
	check(t, err)
	s.close(dead)
	request := &corev1.ActivateConnectorRequest{Tenant: "greenbank", Connector: "test", Digest: digest}
	_, err = s.control(leader).ActivateConnector(t.Context(), request)
	if got := reasonOf(err); got != "MODULE_NOT_READY" || !strings.Contains(err.Error(), s.configs[dead].ID) {
		t.Fatalf("%v", err)
	}
	excused := proto.Clone(request).(*corev1.ActivateConnectorRequest)
	excused.ExcusedNodes = []string{s.configs[dead].ID}
	_, err = s.control(leader).ActivateConnector(t.Context(), excused)
	check(t, err)
	s.open(dead)
	s.ready()
	until(t, "the module to be ready on the node that was away", func() bool {
		list, err := s.control(dead).ListConnectors(t.Context(), &corev1.ListConnectorsRequest{})
		check(t, err)
		for _, c := range list.Connectors {
			if string(c.Digest) == string(digest) {
				return c.Ready && len(c.ReadyNodes) == 3
			}
		}
		return false
	})
	status, answer := s.call(dead, "POST", "/payments", start("nothing", "back"), "")
	if status != 202 {
		t.Fatalf("%d %v", status, answer)
	}
	until(t, "a payment through it", func() bool { return s.result(dead, answer["transactionId"])["result"] == "completed" })
}

// TestSignedConnectors: with roots, a module runs only if enough of them signed it, for
// the tenant, and its author, its signers and whoever activates it are different.
func TestSignedConnectors(t *testing.T) {
	keys := make([]ed25519.PrivateKey, 3)
	var roots []string
	for i := range keys {
		keys[i] = ed25519.NewKeyFromSeed([]byte(strings.Repeat(fmt.Sprint(i), ed25519.SeedSize)))
		roots = append(roots, signing.Root{Name: fmt.Sprintf("root%d", i+1), Key: keys[i].Public().(ed25519.PublicKey)}.String())
	}
	s := newSite(t, 3, func(c *Config) {
		c.Connectors = Connectors{Roots: roots, Threshold: 2, Separate: true}
		if c.ID == "n3" {
			c.Connectors.Threshold = 3 // one node that wants more
		}
	})
	_, err := s.control(0).PutTenant(t.Context(), &corev1.PutTenantRequest{Tenant: &corev1.Tenant{Id: "greenbank"}})
	check(t, err)
	for _, c := range []struct {
		text, author string
		keys         []ed25519.PrivateKey
		reason       string
	}{
		{"4.0.0", "eve", nil, "TOO_FEW_SIGNATURES"},
		{"4.0.1", "eve", keys[:1], "TOO_FEW_SIGNATURES"},
		{"4.0.2", "root1", keys[:2], "NOT_SEPARATE"},
		{"4.0.3", "", keys[:2], "NOT_SEPARATE"},
		{"4.0.4", "eve", []ed25519.PrivateKey{keys[1], keys[0]}, "BAD_SIGNATURE"}, // each under the other's name
	} {
		if _, err := s.installVersion(0, c.text, c.author, "", c.keys...); reasonOf(err) != c.reason {
			t.Errorf("%s: %v, want %s", c.text, err, c.reason)
		}
	}
	activate := func(node int, digest []byte, by string, excused ...string) string {
		_, err := s.control(node).ActivateConnector(t.Context(), &corev1.ActivateConnectorRequest{
			Tenant: "greenbank", Connector: "test", Digest: digest, Actor: &corev1.Actor{Name: by}, ExcusedNodes: excused,
		})
		if err == nil {
			return ""
		}
		return reasonOf(err)
	}
	two, err := s.installVersion(0, "4.1.0", "eve", "", keys[:2]...)
	check(t, err)
	if got := activate(0, two, "ada"); got != "MODULE_NOT_READY" {
		t.Errorf("a node that wants three signatures is overruled: %q", got)
	}
	for _, by := range []string{"eve", "root2", ""} {
		if got := activate(0, two, by, "n3"); got != "NOT_SEPARATE" {
			t.Errorf("%q may activate: %q", by, got)
		}
	}
	// Who signed is said by the node that is asked, from its own roots.
	for node, want := range []string{"root1 root2", "root1 root2", ""} {
		list, err := s.control(node).ListConnectors(t.Context(), &corev1.ListConnectorsRequest{})
		check(t, err)
		for _, c := range list.Connectors {
			if got := strings.Join(c.Signers, " "); string(c.Digest) == string(two) && got != want {
				t.Errorf("node %d says that %q signed, want %q", node+1, got, want)
			}
		}
	}
	other, err := s.installVersion(0, "4.1.1", "eve", "bluebank", keys...)
	check(t, err)
	if got := activate(0, other, "ada"); got != "WRONG_TENANT" {
		t.Errorf("a module signed for another tenant: %q", got)
	}
	all, err := s.installVersion(0, "4.2.0", "eve", "greenbank", keys...)
	check(t, err)
	if got := activate(1, all, "ada"); got != "" {
		t.Errorf("a module that all roots signed is refused: %q", got)
	}
}
