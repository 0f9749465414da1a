package connector

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/railhead-hub/railhead/engine"
	"github.com/railhead-hub/railhead/engine/enginetest"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	"github.com/railhead-hub/railhead/sdk/signing"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// TestAModuleFromAnotherNode: what comes is the module that was asked for, or is not
// kept: its name would be taken for its content.
func TestAModuleFromAnotherNode(t *testing.T) {
	module := []byte("a module")
	digest := Digest(sha256.Sum256(module))
	for name, sent := range map[string][]byte{
		"another module": []byte("b module"), "cut short": module[:7], "longer": append([]byte("a module"), '!'), "nothing": {},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			r, loads := testRegistry(t, dir, func(context.Context, Digest) ([]byte, error) { return sent, nil })
			if _, err := r.Module(t.Context(), digest); !errors.Is(err, ErrDigest) || loads.Load() != 0 {
				t.Errorf("%v, %d loads", err, loads.Load())
			}
			if files, err := os.ReadDir(dir); err != nil || len(files) != 0 {
				t.Errorf("%v is kept, %v", files, err)
			}
		})
	}
}

// TestAFileThatIsAnothers: a file of the right name and another content is fetched anew.
func TestAFileThatIsAnothers(t *testing.T) {
	module := []byte("a module")
	digest := Digest(sha256.Sum256(module))
	dir := t.TempDir()
	for _, wrong := range [][]byte{[]byte("b module"), module[:3], {}} {
		if err := os.WriteFile(filepath.Join(dir, digest.String()+".wasm"), wrong, 0o600); err != nil {
			t.Fatal(err)
		}
		r, loads := testRegistry(t, dir, func(context.Context, Digest) ([]byte, error) { return module, nil })
		if _, err := r.Module(t.Context(), digest); err != nil || loads.Load() != 1 {
			t.Fatalf("%v, %d loads", err, loads.Load())
		}
		if kept, err := r.Blob(digest); err != nil || string(kept) != string(module) {
			t.Errorf("%q is kept, %v", kept, err)
		}
	}
}

// TestSignaturesAreVerifiedAtEveryLoad: a module that was installed by a node with other
// roots, or whose row was changed, does not run here.
func TestSignaturesAreVerifiedAtEveryLoad(t *testing.T) {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	policy := signing.Policy{Roots: []signing.Root{{Name: "ada", Key: key.Public().(ed25519.PublicKey)}}}
	module := []byte("a module")
	digest := Digest(sha256.Sum256(module))
	manifest, err := still{}.Manifest().MarshalVTStrict()
	if err != nil {
		t.Fatal(err)
	}
	row := &enginev1.Connector{Name: "bank", Version: "1.0.0", Digest: digest[:], Manifest: manifest, Author: "eve"}
	signed, err := signing.Sign(key, Signed(row), "ada", "green")
	if err != nil {
		t.Fatal(err)
	}
	row.Signatures = []*enginev1.Signature{{Key: signed.Key, Signature: signed.Signature, Signer: "ada", Tenant: "green"}}
	for _, c := range []struct {
		name   string
		change func(*enginev1.Connector)
		code   signing.Code
	}{
		{"as it was signed", func(*enginev1.Connector) {}, ""},
		{"without", func(r *enginev1.Connector) { r.Signatures = nil }, signing.TooFew},
		{"another version", func(r *enginev1.Connector) { r.Version = "1.0.1" }, signing.BadSignature},
		{"another author", func(r *enginev1.Connector) { r.Author = "mallory" }, signing.BadSignature},
		{"another manifest", func(r *enginev1.Connector) { r.Manifest = append([]byte{}, r.Manifest[:3]...) }, signing.BadSignature},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, loads := testRegistry(t, t.TempDir(), func(context.Context, Digest) ([]byte, error) { return module, nil })
			r.Policy = policy
			changed := *row
			c.change(&changed)
			tx := enginetest.NewMemTx()
			tx.Put(engine.Key{Table: engine.TableConnector, S: "bank\x00" + string(digest[:])}, &changed)
			r.View = func(read func(engine.Tx) error) error { return read(tx) }
			r.Refresh()
			m, err := r.Module(t.Context(), digest)
			if c.code != "" {
				if refusal, _ := errors.AsType[*signing.Error](err); refusal == nil || refusal.Code != c.code || loads.Load() != 0 {
					t.Fatalf("%v, %d loads, want %s", err, loads.Load(), c.code)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.bind("green", 0, nil, m); err != nil {
				t.Error(err)
			}
			if _, err := r.bind("blue", 0, nil, m); err == nil {
				t.Error("a module signed for another tenant serves this one")
			}
		})
	}
	r, loads := testRegistry(t, t.TempDir(), func(context.Context, Digest) ([]byte, error) { return module, nil })
	r.Policy = policy
	if _, err := r.Module(t.Context(), digest); !errors.Is(err, ErrUninstalled) || loads.Load() != 0 {
		t.Errorf("a module that the log does not know: %v", err)
	}
}

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		name          string
		guard         *enginev1.Guard
		canary, other Counts
		says          string // empty: it may stay
	}{
		{"nothing yet", nil, Counts{}, Counts{}, ""},
		{"too few to tell", nil, Counts{19, 19, 19}, Counts{}, ""},
		{"all trap", nil, Counts{20, 20, 20}, Counts{}, "20 traps and guest errors in 20 attempts; 1% is the most"},
		{"one in a hundred traps", nil, Counts{100, 1, 1}, Counts{}, ""},
		{"two in a hundred trap", nil, Counts{100, 2, 2}, Counts{}, "2 traps"},
		{"traps are meant", &enginev1.Guard{TrapsMax: 10_000, FailuresMax: 10_000}, Counts{20, 20, 20}, Counts{}, ""},
		{"the bank is down for both", nil, Counts{50, 40, 0}, Counts{1000, 800, 0}, ""},
		{"ten of a hundred more fail", nil, Counts{100, 15, 0}, Counts{1000, 50, 0}, ""},
		{"eleven of a hundred more fail", nil, Counts{100, 16, 0}, Counts{1000, 50, 0}, "16% of 100 attempts failed, and 5% of 1000 of the other version"},
		{"judged later", &enginev1.Guard{AttemptsMin: 1000}, Counts{999, 999, 999}, Counts{}, ""},
		{"a stricter guard", &enginev1.Guard{FailuresMax: 100}, Counts{100, 2, 0}, Counts{100, 0, 0}, "2% of 100"},
	} {
		got := judge(c.guard, c.canary, c.other)
		if c.says == "" && got != "" || !strings.Contains(got, c.says) {
			t.Errorf("%s: %q, want %q", c.name, got, c.says)
		}
	}
}

// TestChoose: requests are spread by weight, and one that is sent again meets the same
// version.
func TestChoose(t *testing.T) {
	canary := &sdkv1.Route{Name: "start-2", Method: "POST", Path: "/transfers"}
	target := &Target{Tenant: "green", Connector: "channel", Digest: Digest{1}, Route: &sdkv1.Route{Name: "start"},
		canary: Digest{2}, canaryRoute: canary, weight: 2500}
	taken := 0
	const requests = 20_000
	for i := range requests {
		request := func(key, body string) *sdkv1.HttpRequest {
			return &sdkv1.HttpRequest{Route: "start", Method: "POST", Path: "/transfers", Body: []byte(body),
				Headers: []*sdkv1.Header{{Key: "x-correlationid", Value: key}}}
		}
		first, again := request(fmt.Sprint(i), "a"), request(fmt.Sprint(i), "b")
		chosen := target.Choose(first)
		if other := target.Choose(again); other.Digest != chosen.Digest {
			t.Fatalf("request %d meets two versions", i)
		}
		if chosen.Digest == (Digest{2}) {
			taken++
			if first.Route != "start-2" || chosen.Route != canary {
				t.Fatalf("the canary is asked for %q", first.Route)
			}
		}
	}
	if taken < requests/4-400 || taken > requests/4+400 {
		t.Errorf("the canary took %d of %d requests, not about a quarter", taken, requests)
	}
	target.canaryRoute = nil
	if target.Choose(&sdkv1.HttpRequest{}) != target {
		t.Error("without a canary something is chosen")
	}
}

func TestVersionsAreOrdered(t *testing.T) {
	// The example of semver.org's section 11, and what it leaves out.
	ordered := []string{"1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1", "1.2.0", "1.10.0", "2.0.0"}
	for i, a := range ordered {
		for j, b := range ordered {
			x, errX := parseVersion(a)
			y, errY := parseVersion(b + "+build")
			if errX != nil || errY != nil {
				t.Fatal(errX, errY)
			}
			if got := x.compare(y); got < 0 != (i < j) || got > 0 != (i > j) {
				t.Errorf("%s and %s compare as %d", a, b, got)
			}
		}
	}
	for _, bad := range []string{"", "1", "1.2", "1.2.x", "1.2.3.4", "-1.0.0"} {
		if _, err := parseVersion(bad); err == nil {
			t.Errorf("%q is a version", bad)
		}
	}
}

// TestDoubts: a version that would lack what flows use, goes back, or refers to what the
// tenant has not bound says so before it is activated.
func TestDoubts(t *testing.T) {
	tx := enginetest.NewMemTx()
	e := enginetest.NewEnv(tx)
	apply := func(cmd *enginev1.Command) {
		t.Helper()
		if reply := e.Apply(cmd).Reply; reply.Kind == enginev1.EventKind_EVENT_KIND_REJECTED {
			t.Fatal(reply.Text)
		}
	}
	install := func(n byte, version string, m *sdkv1.Manifest) *enginev1.Connector {
		m.Name, m.Version = "bank", version
		encoded, err := m.MarshalVTStrict()
		if err != nil {
			t.Fatal(err)
		}
		d := Digest{n}
		row := &enginev1.Connector{Name: "bank", Version: version, Digest: d[:], Manifest: encoded}
		for _, j := range m.Jobs {
			row.JobTypes = append(row.JobTypes, j.Type)
		}
		for _, route := range m.Routes {
			row.Routes = append(row.Routes, newPattern("bank", route).shape())
		}
		apply(&enginev1.Command{Verb: &enginev1.Command_InstallConnector{InstallConnector: &enginev1.InstallConnector{Connector: row}}})
		return row
	}
	apply(&enginev1.Command{Verb: &enginev1.Command_PutTenant{PutTenant: &enginev1.PutTenant{Tenant: &enginev1.Tenant{
		Id: "t", Config: []byte(`{"connectors":{"bank":{"endpoints":{"ledger":{"url":"https://b.example"}}}}}`),
	}}}})
	first := install(1, "1.4.0", &sdkv1.Manifest{
		Jobs:      []*sdkv1.JobType{{Type: "book-{tenant}"}, {Type: "unused"}},
		Routes:    []*sdkv1.Route{{Name: "r", Method: "POST", Path: "/a/{id}"}},
		Endpoints: []*sdkv1.Endpoint{{Name: "ledger"}},
	})
	apply(&enginev1.Command{Verb: &enginev1.Command_ActivateConnector{ActivateConnector: &enginev1.ActivateConnector{Tenant: "t", Connector: "bank", Digest: first.Digest}}})
	xml, err := enginetest.Model("f", "start s\ntask one type=book-t\nend done result=completed code=ok\ns -> one -> done")
	if err != nil {
		t.Fatal(err)
	}
	apply(&enginev1.Command{Verb: &enginev1.Command_Deploy{Deploy: &enginev1.Deploy{Tenant: "t", File: "f.bpmn", Xml: []byte(xml)}}})
	r, _ := testRegistry(t, t.TempDir(), nil)
	r.View = func(read func(engine.Tx) error) error { return read(tx) }
	r.Refresh()
	codes := func(doubts []Doubt) string {
		var out []string
		for _, d := range doubts {
			out = append(out, d.Code)
		}
		return strings.Join(out, " ")
	}
	if got := codes(r.ActivationDoubts("t", first)); got != "" {
		t.Errorf("what serves already: %s", got)
	}
	lesser := install(2, "1.3.9", &sdkv1.Manifest{
		Endpoints: []*sdkv1.Endpoint{{Name: "ledger"}, {Name: "fx"}}, Keys: []string{"jws"}, Secrets: []string{"token"},
		Links: []*sdkv1.Link{{Name: "scheme"}},
	})
	for _, doubts := range [][]Doubt{r.ActivationDoubts("t", lesser), r.Doubts(lesser)} {
		if got := codes(doubts); got != "version-goes-back job-type-lost route-lost unbound unbound unbound unbound" {
			t.Errorf("%s", got)
		}
	}
	next := install(3, "2.0.0", &sdkv1.Manifest{
		Jobs: []*sdkv1.JobType{{Type: "book-{tenant}"}}, Routes: []*sdkv1.Route{{Name: "r", Method: "POST", Path: "/a/{x}"}},
	})
	if got := codes(r.ActivationDoubts("t", next)); got != "version-major" {
		t.Errorf("%s", got)
	}
	same := install(4, "2.0.0", &sdkv1.Manifest{})
	if got := codes(r.Doubts(same)); got != "version-taken version-major job-type-lost route-lost" {
		t.Errorf("%s", got)
	}
	if got := codes(r.Doubts(first)); got != "" {
		t.Errorf("%s", got)
	}
}
