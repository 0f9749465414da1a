package signing_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/railhead-hub/railhead/sdk/signing"
)

func key(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

func root(name string, n byte) signing.Root {
	return signing.Root{Name: name, Key: key(n).Public().(ed25519.PublicKey)}
}

var bank = signing.Module{Digest: [32]byte{1}, Manifest: [32]byte{2}, Name: "bank", Version: "1.2.3", Author: "ada"}

func sign(t *testing.T, n byte, m signing.Module, signer, tenant string) signing.Signature {
	t.Helper()
	s, err := signing.Sign(key(n), m, signer, tenant)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestStatementIsPinned: what signatures cover is a contract; a change of one byte
// would void every signature there is.
func TestStatementIsPinned(t *testing.T) {
	s := signing.Statement{Module: bank, Signer: "bob", Tenant: "green"}
	const want = "00000015" + "7261696c6865616420636f6e6e6563746f72207631" + "00000005" + "7365727665" +
		"00000020" + "0100000000000000000000000000000000000000000000000000000000000000" +
		"00000020" + "0200000000000000000000000000000000000000000000000000000000000000" +
		"00000004" + "62616e6b" + "00000005" + "312e322e33" + "00000003" + "616461" + "00000003" + "626f62" + "00000005" + "677265656e"
	if got := hex.EncodeToString(s.Bytes()); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestVerify(t *testing.T) {
	two := signing.Policy{Roots: []signing.Root{root("bob", 1), root("eve", 2), root("kim", 3)}, Threshold: 2}
	separate := two
	separate.Separate = true
	flipped := sign(t, 1, bank, "bob", "")
	flipped.Signature = bytes.Clone(flipped.Signature)
	flipped.Signature[10] ^= 1
	moved := sign(t, 1, bank, "bob", "green")
	moved.Tenant = "" // it was made for one tenant only
	other := bank
	other.Digest[31] ^= 1
	renamed := bank
	renamed.Version = "9.9.9"
	byBob := bank
	byBob.Author = "bob"
	nobody := bank
	nobody.Author = ""
	for _, c := range []struct {
		name       string
		policy     signing.Policy
		module     signing.Module
		signatures []signing.Signature
		tenant     string
		code       signing.Code // empty: accepted
	}{
		{"two of three", two, bank, []signing.Signature{sign(t, 1, bank, "bob", ""), sign(t, 3, bank, "kim", "")}, "green", ""},
		{"nothing demanded", signing.Policy{}, bank, nil, "green", ""},
		{"unsigned", two, bank, nil, "", signing.TooFew},
		{"one of two", two, bank, []signing.Signature{sign(t, 1, bank, "bob", "")}, "", signing.TooFew},
		{"one twice", two, bank, []signing.Signature{sign(t, 1, bank, "bob", ""), sign(t, 1, bank, "bob", "green")}, "green", signing.TooFew},
		{"a stranger", two, bank, []signing.Signature{sign(t, 9, bank, "bob", "")}, "", signing.UnknownRoot},
		{"a stranger beside one", two, bank, []signing.Signature{sign(t, 9, bank, "eve", ""), sign(t, 1, bank, "bob", "")}, "", signing.TooFew},
		{"a flipped bit", two, bank, []signing.Signature{flipped, sign(t, 2, bank, "eve", ""), sign(t, 3, bank, "kim", "")}, "", signing.BadSignature},
		{"another module", two, other, []signing.Signature{sign(t, 1, bank, "bob", ""), sign(t, 3, bank, "kim", "")}, "", signing.BadSignature},
		{"another version", two, renamed, []signing.Signature{sign(t, 1, bank, "bob", ""), sign(t, 3, bank, "kim", "")}, "", signing.BadSignature},
		{"under another's name", two, bank, []signing.Signature{sign(t, 1, bank, "kim", "")}, "", signing.BadSignature},
		{"for the tenant", two, bank, []signing.Signature{sign(t, 1, bank, "bob", "green"), sign(t, 3, bank, "kim", "")}, "green", ""},
		{"for another tenant", two, bank, []signing.Signature{sign(t, 1, bank, "bob", "blue"), sign(t, 3, bank, "kim", "")}, "green", signing.WrongTenant},
		{"for some tenant", two, bank, []signing.Signature{sign(t, 1, bank, "bob", "blue"), sign(t, 3, bank, "kim", "")}, "", ""},
		{"for two tenants, one each", two, bank, []signing.Signature{sign(t, 1, bank, "bob", "blue"), sign(t, 3, bank, "kim", "green")}, "", signing.TooFew},
		{"the scope taken off", two, bank, []signing.Signature{moved, sign(t, 3, bank, "kim", "")}, "", signing.BadSignature},
		{"its author signs", separate, byBob, []signing.Signature{sign(t, 1, byBob, "bob", ""), sign(t, 3, byBob, "kim", "")}, "", signing.NotSeparate},
		{"no author", separate, nobody, []signing.Signature{sign(t, 1, nobody, "bob", ""), sign(t, 3, nobody, "kim", "")}, "", signing.NotSeparate},
		{"separate", separate, bank, []signing.Signature{sign(t, 1, bank, "bob", ""), sign(t, 3, bank, "kim", "")}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := c.policy.Verify(c.module, c.signatures, c.tenant)
			refusal, _ := errors.AsType[*signing.Error](err)
			if c.code == "" && err != nil || c.code != "" && (refusal == nil || refusal.Code != c.code) {
				t.Errorf("%v, want %q", err, c.code)
			}
		})
	}
	for name, activators := range map[string][]string{"its author": {"ada"}, "a signer": {"bob"}, "by certificate": {"dan", "ada"}, "nobody": {""}} {
		if err := separate.MayActivate(bank, []string{"bob", "kim"}, activators...); err == nil {
			t.Errorf("%s may activate", name)
		}
	}
	if err := separate.MayActivate(bank, []string{"bob", "kim"}, "dan", ""); err != nil {
		t.Error(err)
	}
}

func TestPolicyCheck(t *testing.T) {
	for name, p := range map[string]signing.Policy{
		"a name twice":    {Roots: []signing.Root{root("bob", 1), root("bob", 2)}},
		"a key twice":     {Roots: []signing.Root{root("bob", 1), root("eve", 1)}},
		"too many wanted": {Roots: []signing.Root{root("bob", 1)}, Threshold: 2},
		"separate alone":  {Separate: true},
	} {
		if p.Check() == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	back, err := signing.ParseRoot(root("bob", 1).String())
	if err != nil || back.Name != "bob" || !bytes.Equal(back.Key, root("bob", 1).Key) {
		t.Errorf("%v %v", back, err)
	}
	for _, bad := range []string{"bob", "=AAAA", "bob=AAAA", "bob=?"} {
		if _, err := signing.ParseRoot(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func TestFile(t *testing.T) {
	f := new(signing.File)
	for _, s := range []signing.Signature{sign(t, 1, bank, "bob", ""), sign(t, 2, bank, "eve", "green"), sign(t, 1, bank, "bob", "")} {
		if err := f.Add(bank, s); err != nil {
			t.Fatal(err)
		}
	}
	other := bank
	other.Digest[0]++
	if err := f.Add(other, sign(t, 1, other, "bob", "")); err == nil {
		t.Error("a file takes signatures of two modules")
	}
	text, err := f.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := signing.ParseFile(text)
	if err != nil || len(back.List()) != 2 {
		t.Fatalf("%v %v", back, err)
	}
	for _, s := range back.List() {
		if !s.Valid(bank) {
			t.Errorf("the signature by %s does not survive its file", s.Signer)
		}
	}
	encoded, err := signing.EncodeKey(key(7))
	if err != nil {
		t.Fatal(err)
	}
	if again, err := signing.ParseKey(encoded); err != nil || !again.Equal(key(7)) {
		t.Errorf("%v %v", again, err)
	}
}

// FuzzFile: a file of signatures is read or refused.
func FuzzFile(f *testing.F) {
	f.Add([]byte(`{"digest":"00","signatures":[{"signer":"bob","key":"AAAA","signature":"AAAA"}]}`))
	policy := signing.Policy{Roots: []signing.Root{root("bob", 1)}}
	f.Fuzz(func(t *testing.T, text []byte) {
		if file, err := signing.ParseFile(text); err == nil {
			if _, err := policy.Verify(bank, file.List(), ""); err == nil {
				t.Error("a module is accepted that nobody signed")
			}
		}
	})
}
