//go:build cgo

package keys

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/pkcs11"

	"github.com/railhead-hub/railhead/sdk/abi"
)

const userPIN = "98765432"

// hsm is a SoftHSM of the test's own, with one token.
type hsm struct {
	t       *testing.T
	library *Library
	slot    uint
	tokens  string // where SoftHSM keeps them
}

func newHSM(t *testing.T) *hsm {
	t.Helper()
	var path string
	for _, p := range []string{"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so", "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so"} {
		if _, err := os.Stat(p); err == nil {
			path = p
		}
	}
	if path == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("softhsm2 is not installed")
		}
		t.Skip("needs softhsm2 (Debian package)")
	}
	h := &hsm{t: t, tokens: t.TempDir()}
	conf := filepath.Join(t.TempDir(), "softhsm2.conf")
	if err := os.WriteFile(conf, []byte("directories.tokendir = "+h.tokens+"\nlog.level = ERROR\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOFTHSM2_CONF", conf)
	library, err := OpenLibrary(path)
	if err != nil {
		t.Fatal(err)
	}
	h.library = library
	t.Cleanup(library.Close)
	slots := must(library.ctx.GetSlotList(true))(t)
	check(t, library.ctx.InitToken(slots[0], "so-pin-1234", "payments"))
	h.slot = h.find()
	session := must(library.ctx.OpenSession(h.slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION))(t)
	check(t, library.ctx.Login(session, pkcs11.CKU_SO, "so-pin-1234"))
	check(t, library.ctx.InitPIN(session, userPIN))
	check(t, library.ctx.Logout(session))
	check(t, library.ctx.Login(session, pkcs11.CKU_USER, userPIN))
	h.generate(session)
	check(t, library.ctx.CloseAllSessions(h.slot))
	return h
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		check(t, err)
		return v
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (h *hsm) find() uint {
	h.t.Helper()
	for _, slot := range must(h.library.ctx.GetSlotList(true))(h.t) {
		if info, err := h.library.ctx.GetTokenInfo(slot); err == nil && strings.TrimRight(info.Label, " \x00") == "payments" {
			return slot
		}
	}
	h.t.Fatal("the token is not there")
	return 0
}

// generate makes keys that never were outside of the token, but for the MAC key,
// which has a published vector.
func (h *hsm) generate(session pkcs11.SessionHandle) {
	h.t.Helper()
	pair := func(label string, mechanism uint, public ...*pkcs11.Attribute) {
		h.t.Helper()
		own := []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true), pkcs11.NewAttribute(pkcs11.CKA_LABEL, label)}
		_, _, err := h.library.ctx.GenerateKeyPair(session, []*pkcs11.Mechanism{pkcs11.NewMechanism(mechanism, nil)},
			append(append([]*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_VERIFY, true)}, own...), public...),
			append([]*pkcs11.Attribute{
				pkcs11.NewAttribute(pkcs11.CKA_SIGN, true), pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, true),
				pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, true), pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, false),
			}, own...))
		if err != nil {
			h.t.Fatalf("%s: %v", label, err)
		}
	}
	curve := func(oid string) *pkcs11.Attribute {
		b, _ := hex.DecodeString(oid)
		return pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, b)
	}
	pair("rsa", pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN,
		pkcs11.NewAttribute(pkcs11.CKA_MODULUS_BITS, 2048), pkcs11.NewAttribute(pkcs11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}))
	pair("p256", pkcs11.CKM_EC_KEY_PAIR_GEN, curve("06082a8648ce3d030107"))
	pair("p384", pkcs11.CKM_EC_KEY_PAIR_GEN, curve("06052b81040022"))
	pair("ed", 0x1055, curve("06032b6570")) // CKM_EC_EDWARDS_KEY_PAIR_GEN
	secret := func(label string, kind uint, value []byte) {
		h.t.Helper()
		_, err := h.library.ctx.CreateObject(session, []*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_SECRET_KEY), pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, kind),
			pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true), pkcs11.NewAttribute(pkcs11.CKA_LABEL, label),
			pkcs11.NewAttribute(pkcs11.CKA_SIGN, true), pkcs11.NewAttribute(pkcs11.CKA_ENCRYPT, true),
			pkcs11.NewAttribute(pkcs11.CKA_VALUE, value),
		})
		if err != nil {
			h.t.Fatalf("%s: %v", label, err)
		}
	}
	aes, _ := hex.DecodeString("2b7e151628aed2a6abf7158809cf4f3c")
	secret("cmac", pkcs11.CKK_AES, aes)
	secret("aes", pkcs11.CKK_AES, bytes.Repeat([]byte{7}, 32))
	secret("hmac", pkcs11.CKK_GENERIC_SECRET, bytes.Repeat([]byte{8}, 32))
}

func inToken(label, pinSecret string, algorithms []string, uses ...string) Config {
	return Config{
		Source:     Source{PKCS11: &PKCS11{Token: "payments", Label: label, PINSecret: pinSecret}},
		Algorithms: algorithms, Uses: uses,
	}
}

func TestKeysInAToken(t *testing.T) {
	h := newHSM(t)
	r := newRoom(t)
	r.write("pin", []byte(userPIN+"\n"))
	r.write("wrong_pin", []byte("11112222"))
	around := Surroundings{Dir: r.dir, Library: h.library}
	signing := []string{"sign", "verify"}
	bound := map[string]Config{
		"rsa":     inToken("rsa", "pin", []string{"RS256", "PS256", "RSA-OAEP-256"}, "sign", "verify", "encrypt"),
		"p256":    inToken("p256", "pin", []string{"ES256"}, signing...),
		"p384":    inToken("p384", "pin", []string{"ES384"}, signing...),
		"ed":      inToken("ed", "pin", []string{"EdDSA"}, signing...),
		"hmac":    inToken("hmac", "pin", []string{"HS256"}, "mac", "verify"),
		"cmac":    inToken("cmac", "pin", []string{"AES-CMAC"}, "mac", "verify"),
		"aes":     inToken("aes", "pin", []string{"A256GCM"}, "encrypt"),
		"curve":   inToken("p384", "pin", []string{"ES256"}, signing...),
		"retail":  inToken("cmac", "pin", []string{"ISO9797-3-PAD1"}, "mac"),
		"missing": inToken("nothing", "pin", []string{"PS256"}, signing...),
		"locked":  inToken("rsa", "wrong_pin", []string{"PS256"}, signing...),
		"nopin":   inToken("rsa", "no_pin", []string{"PS256"}, signing...),
		"away":    {Source: Source{PKCS11: &PKCS11{Token: "elsewhere", Label: "rsa", PINSecret: "pin"}}, Algorithms: []string{"PS256"}, Uses: signing},
	}
	var names []string
	for name := range bound {
		names = append(names, name)
	}
	ring := New(Bindings{Tenant: "t1", Connector: "bank", Declared: names, Keys: bound}, around)

	for _, row := range [][2]string{{"rsa", "RS256"}, {"rsa", "PS256"}, {"p256", "ES256"}, {"p384", "ES384"}, {"ed", "EdDSA"}} {
		t.Run(row[1], func(t *testing.T) {
			answer := sign(ring, row[0], row[1], "the payload")
			signature := answer.GetBytes().GetData()
			if !verify(ring, row[0], row[1], "the payload", signature).GetBool().GetOk() {
				t.Fatalf("%v does not verify", answer)
			}
			if answer := verify(ring, row[0], row[1], "another", signature); answer.GetBool() == nil || answer.GetBool().Ok {
				t.Errorf("another payload: %v", answer)
			}
		})
	}
	t.Run("MAC", func(t *testing.T) {
		tag := mac(ring, "cmac", "AES-CMAC", nil).GetBytes().GetData()
		if hex.EncodeToString(tag) != "bb1d6929e95937287fa37d129b756746" { // RFC 4493
			t.Errorf("%x", tag)
		}
		own := &software{secret: bytes.Repeat([]byte{8}, 32)}
		want, _ := own.mac(algorithms["HS256"], []byte("x"))
		if got := mac(ring, "hmac", "HS256", []byte("x")).GetBytes().GetData(); !bytes.Equal(got, want) {
			t.Errorf("%x, want %x", got, want)
		}
		if !verify(ring, "hmac", "HS256", "x", want).GetBool().GetOk() {
			t.Error("it does not verify")
		}
	})
	t.Run("encrypt", func(t *testing.T) {
		sealed := encrypt(ring, "aes", "A256GCM", "a secret", "context")
		if plain := openGCM(t, bytes.Repeat([]byte{7}, 32), sealed.GetBytes().GetData(), "context"); plain != "a secret" {
			t.Errorf("%q", plain)
		}
		if n := len(encrypt(ring, "rsa", "RSA-OAEP-256", "a secret", "").GetBytes().GetData()); n != 256 {
			t.Errorf("%d bytes", n)
		}
	})
	t.Run("failures", func(t *testing.T) {
		wantFailure(t, sign(ring, "missing", "PS256", "x"), abi.FailureNotFound)
		wantFailure(t, sign(ring, "curve", "ES256", "x"), abi.FailureForbidden)
		wantFailure(t, mac(ring, "retail", "ISO9797-3-PAD1", nil), abi.FailureUnsupported)
		wantFailure(t, sign(ring, "away", "PS256", "x"), abi.FailureUnavailable)
		wantFailure(t, sign(ring, "nopin", "PS256", "x"), abi.FailureUnavailable)
	})
	t.Run("a lost session", func(t *testing.T) {
		for range 3 {
			check(t, h.library.ctx.CloseAllSessions(h.slot)) // logs out, too
			if answer := sign(ring, "p256", "ES256", "x"); answer.GetBytes() == nil {
				t.Fatal(answer)
			}
		}
	})
	t.Run("the token is restarted", func(t *testing.T) {
		check(t, h.library.ctx.Finalize())
		wantFailure(t, sign(ring, "p256", "ES256", "x"), abi.FailureUnavailable)
		check(t, h.library.ctx.Initialize())
		if answer := sign(ring, "p256", "ES256", "x"); answer.GetBytes() == nil {
			t.Fatal(answer)
		}
	})
	t.Run("a wrong PIN", func(t *testing.T) {
		if sign(ring, "rsa", "PS256", "x").GetBytes() == nil {
			t.Fatal("the right PIN does not work")
		}
		// It is tried once, however often the key is asked for: three wrong ones would
		// lock many a token.
		for range 20 {
			answer := sign(ring, "locked", "PS256", "x")
			wantFailure(t, answer, abi.FailureUnavailable)
			if strings.Contains(answer.GetFailure().Text, "11112222") {
				t.Fatal("the PIN is in the text")
			}
		}
		if answer := sign(ring, "rsa", "PS256", "x"); answer.GetBytes() == nil {
			t.Fatalf("the right PIN: %v", answer)
		}
		r.write("wrong_pin", []byte(userPIN))
		if answer := sign(ring, "locked", "PS256", "x"); answer.GetBytes() == nil {
			t.Fatalf("the mended PIN: %v", answer)
		}
	})
	t.Run("many at once", func(t *testing.T) {
		var all sync.WaitGroup
		errs := make(chan string, 64)
		for i := range 64 {
			all.Go(func() {
				data := fmt.Sprint(i)
				signature := sign(ring, "p256", "ES256", data).GetBytes().GetData()
				if answer := verify(ring, "p256", "ES256", data, signature); !answer.GetBool().GetOk() {
					errs <- fmt.Sprint(answer)
				}
			})
		}
		all.Wait()
		close(errs)
		for err := range errs {
			t.Error(err)
		}
		token := h.library.tokens["payments"]
		if open := len(token.idle); open > sessionsMax {
			t.Errorf("%d sessions are open", open)
		}
	})
}
