package keys

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/railhead-hub/railhead/sdk/abi"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// room is a secrets' directory with the keys of tenant t1.
type room struct {
	t   *testing.T
	dir string
}

func newRoom(t *testing.T) *room {
	r := &room{t, t.TempDir()}
	if err := os.Mkdir(filepath.Join(r.dir, "t1"), 0o700); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *room) write(name string, content []byte) {
	r.t.Helper()
	path := filepath.Join(r.dir, "t1", name)
	// As a careful operator replaces a file: beside it, then renamed.
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		r.t.Fatal(err)
	}
}

func (r *room) private(name string, keys ...any) {
	r.t.Helper()
	var out []byte
	for _, key := range keys {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			r.t.Fatal(err)
		}
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})...)
	}
	r.write(name, out)
}

func (r *room) public(name string, keys ...any) {
	r.t.Helper()
	var out []byte
	for _, key := range keys {
		der, err := x509.MarshalPKIXPublicKey(key)
		if err != nil {
			r.t.Fatal(err)
		}
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})...)
	}
	r.write(name, out)
}

func (r *room) ring(bound map[string]Config, declared ...string) *Ring {
	if declared == nil {
		for name := range bound {
			declared = append(declared, name)
		}
	}
	return New(Bindings{Tenant: "t1", Connector: "bank", Declared: declared, Keys: bound}, Surroundings{Dir: r.dir})
}

func inFile(file, algorithm string, uses ...string) Config {
	return Config{Source: Source{File: file}, Algorithms: []string{algorithm}, Uses: uses}
}

func sign(r *Ring, key, algorithm, data string) *sdkv1.Answer {
	return r.Do(context.Background(), &sdkv1.Effect{Kind: &sdkv1.Effect_Sign{Sign: &sdkv1.Sign{KeyRef: key, Algorithm: algorithm, Data: []byte(data)}}})
}

func mac(r *Ring, key, algorithm string, data []byte) *sdkv1.Answer {
	return r.Do(context.Background(), &sdkv1.Effect{Kind: &sdkv1.Effect_Mac{Mac: &sdkv1.Mac{KeyRef: key, Algorithm: algorithm, Data: data}}})
}

func verify(r *Ring, key, algorithm, data string, signature []byte) *sdkv1.Answer {
	return r.Do(context.Background(), &sdkv1.Effect{Kind: &sdkv1.Effect_Verify{Verify: &sdkv1.Verify{
		KeyRef: key, Algorithm: algorithm, Data: []byte(data), Signature: signature}}})
}

func encrypt(r *Ring, key, algorithm, data, additional string) *sdkv1.Answer {
	return r.Do(context.Background(), &sdkv1.Effect{Kind: &sdkv1.Effect_Encrypt{Encrypt: &sdkv1.Encrypt{
		KeyRef: key, Algorithm: algorithm, Data: []byte(data), Additional: []byte(additional)}}})
}

func wantFailure(t *testing.T, answer *sdkv1.Answer, code string) {
	t.Helper()
	if got := answer.GetFailure().GetCode(); got != code {
		t.Fatalf("got %v, want a failure %s", answer, code)
	}
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Each algorithm signs, what it signed verifies, and nothing else does.
func TestSignaturesVerify(t *testing.T) {
	r := newRoom(t)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r.private("rsa.pem", rsaKey)
	r.public("rsa.pub", rsaKey.Public())
	r.private("ed.pem", edKey)
	r.public("ed.pub", edKey.Public())
	for name, curve := range map[string]elliptic.Curve{"256": elliptic.P256(), "384": elliptic.P384(), "512": elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		r.private("es"+name+".pem", key)
		r.public("es"+name+".pub", key.Public())
	}
	r.write("mac.key", bytes.Repeat([]byte("ab"), 64))
	for algorithm, files := range map[string][2]string{
		"RS256": {"rsa.pem", "rsa.pub"}, "RS384": {"rsa.pem", "rsa.pub"}, "RS512": {"rsa.pem", "rsa.pub"},
		"PS256": {"rsa.pem", "rsa.pub"}, "PS384": {"rsa.pem", "rsa.pub"}, "PS512": {"rsa.pem", "rsa.pub"},
		"ES256": {"es256.pem", "es256.pub"}, "ES384": {"es384.pem", "es384.pub"}, "ES512": {"es512.pem", "es512.pub"},
		"EdDSA": {"ed.pem", "ed.pub"},
		"HS256": {"mac.key", "mac.key"}, "HS384": {"mac.key", "mac.key"}, "HS512": {"mac.key", "mac.key"},
	} {
		t.Run(algorithm, func(t *testing.T) {
			use := useSign
			if strings.HasPrefix(algorithm, "HS") {
				use = useMAC
			}
			ring := r.ring(map[string]Config{"own": inFile(files[0], algorithm, use), "theirs": inFile(files[1], algorithm, "verify")})
			answer := sign(ring, "own", algorithm, "the payload")
			if use == useMAC {
				answer = mac(ring, "own", algorithm, []byte("the payload"))
			}
			signature := answer.GetBytes().GetData()
			if len(signature) == 0 {
				t.Fatalf("no signature: %v", answer)
			}
			if !verify(ring, "theirs", algorithm, "the payload", signature).GetBool().GetOk() {
				t.Error("what was signed does not verify")
			}
			if answer := verify(ring, "theirs", algorithm, "another payload", signature); answer.GetBool() == nil || answer.GetBool().Ok {
				t.Errorf("another payload: %v", answer)
			}
			signature[0] ^= 1
			if answer := verify(ring, "theirs", algorithm, "the payload", signature); answer.GetBool() == nil || answer.GetBool().Ok {
				t.Errorf("a changed signature: %v", answer)
			}
			if answer := verify(ring, "theirs", algorithm, "the payload", signature[:3]); answer.GetBool() == nil || answer.GetBool().Ok {
				t.Errorf("a short signature: %v", answer)
			}
		})
	}
}

// RFC 7515 appendices A.1 (HS256) and A.3 (ES256): signatures as others make them.
func TestSignaturesOfTheJWSStandard(t *testing.T) {
	r := newRoom(t)
	const payload = ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
	x, y := unbase64(t, "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"), unbase64(t, "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0")
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, x...), y...))
	if err != nil {
		t.Fatal(err)
	}
	r.public("es.pub", key)
	r.write("hs.key", unbase64(t, "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"))
	hs := inFile("hs.key", "HS256", "mac", "verify")
	hs.Encoding = "raw"
	ring := r.ring(map[string]Config{"es": inFile("es.pub", "ES256", "verify"), "hs": hs})
	signature := unbase64(t, "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q")
	if answer := verify(ring, "es", "ES256", "eyJhbGciOiJFUzI1NiJ9"+payload, signature); !answer.GetBool().GetOk() {
		t.Errorf("ES256: %v", answer)
	}
	tag := mac(ring, "hs", "HS256", []byte("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"+payload)).GetBytes().GetData()
	if got := base64.RawURLEncoding.EncodeToString(tag); got != "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" {
		t.Errorf("HS256: %s", got)
	}
}

func unbase64(t *testing.T, text string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// RFC 4493 section 4.
func TestAESCMACVectors(t *testing.T) {
	r := newRoom(t)
	r.write("cmac.key", []byte("2b7e151628aed2a6abf7158809cf4f3c\n"))
	ring := r.ring(map[string]Config{"k": inFile("cmac.key", "AES-CMAC", "mac")})
	message := unhex(t, "6bc1bee22e409f96e93d7e117393172a ae2d8a571e03ac9c9eb76fac45af8e51 30c81c46a35ce411e5fbc1191a0a52ef f69f2445df4f9b17ad2b417be66c3710")
	for length, want := range map[int]string{
		0:  "bb1d6929e95937287fa37d129b756746",
		16: "070a16b46b4d4144f79bdd9dd04a287c",
		40: "dfa66747de9ae63030ca32611497c827",
		64: "51f0bebf7e3b9d92fc49741779363cfe",
	} {
		if got := mac(ring, "k", "AES-CMAC", message[:length]).GetBytes().GetData(); hex.EncodeToString(got) != want {
			t.Errorf("%d bytes: %x, want %s", length, got, want)
		}
	}
}

// The first rows are ISO/IEC 9797-1:1999 annex A; the last is ICAO Doc 9303 part 11,
// appendix D.3.
func TestRetailMACVectors(t *testing.T) {
	r := newRoom(t)
	r.write("iso.key", []byte("0123456789abcdeffedcba9876543210"))
	r.write("icao.key", []byte("7962d9ece03d1acd4c76089dce131543"))
	ring := r.ring(map[string]Config{
		"iso":  {Source: Source{File: "iso.key"}, Algorithms: []string{"ISO9797-3-PAD1", "ISO9797-3-PAD2"}, Uses: []string{"mac"}},
		"icao": inFile("icao.key", "ISO9797-3-PAD2", "mac"),
	})
	for _, row := range []struct {
		key, algorithm, data, want string
	}{
		{"iso", "ISO9797-3-PAD1", "Now is the time for all ", "a1c72e74ea3fa9b6"},
		{"iso", "ISO9797-3-PAD2", "Now is the time for all ", "e9086230ca3be796"},
		{"iso", "ISO9797-3-PAD1", "Now is the time for it", "2e2b1428cc78254f"},
		{"iso", "ISO9797-3-PAD2", "Now is the time for it", "5a692ce64f404145"},
		{"icao", "ISO9797-3-PAD2", string(unhex(t, "72c29c2371cc9bdb65b779b8e8d37b29ecc154aa56a8799fae2f498f76ed92f2")), "5f1448eea8ad90a7"},
	} {
		if got := mac(ring, row.key, row.algorithm, []byte(row.data)).GetBytes().GetData(); hex.EncodeToString(got) != row.want {
			t.Errorf("%s %s %.24q: %x, want %s", row.key, row.algorithm, row.data, got, row.want)
		}
	}
}

func TestEncrypt(t *testing.T) {
	r := newRoom(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	r.public("rsa.pub", key.Public())
	r.write("aes.key", []byte(strings.Repeat("0f", 32)))
	ring := r.ring(map[string]Config{"rsa": inFile("rsa.pub", "RSA-OAEP-256", "encrypt"), "aes": inFile("aes.key", "A256GCM", "encrypt")})
	sealed := encrypt(ring, "rsa", "RSA-OAEP-256", "a secret", "").GetBytes().GetData()
	if plain, err := rsa.DecryptOAEP(sha256.New(), nil, key, sealed, nil); err != nil || string(plain) != "a secret" {
		t.Errorf("%q %v", plain, err)
	}
	wantFailure(t, encrypt(ring, "rsa", "RSA-OAEP-256", "a secret", "context"), abi.FailureInvalid)
	wantFailure(t, encrypt(ring, "rsa", "RSA-OAEP-256", strings.Repeat("a", 191), ""), abi.FailureTooLarge)

	first := encrypt(ring, "aes", "A256GCM", "a secret", "context").GetBytes().GetData()
	if plain := openGCM(t, bytes.Repeat([]byte{0x0f}, 32), first, "context"); plain != "a secret" {
		t.Errorf("%q", plain)
	}
	if second := encrypt(ring, "aes", "A256GCM", "a secret", "context").GetBytes().GetData(); bytes.Equal(first[:12], second[:12]) {
		t.Error("a nonce was used twice")
	}
}

func TestAKeyDoesWhatItIsBoundForAndNothingElse(t *testing.T) {
	r := newRoom(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	r.private("rsa.pem", key)
	r.write("short.key", []byte("00ff"))
	ring := r.ring(map[string]Config{
		"jws": inFile("rsa.pem", "PS256", "sign"), "gone": inFile("none.pem", "PS256", "sign"),
		"curve": inFile("rsa.pem", "ES256", "sign"), "short": inFile("short.key", "HS256", "mac"),
		"bad": inFile("../rsa.pem", "PS256", "sign"), "unasked": inFile("rsa.pem", "PS256", "sign"),
	}, "jws", "gone", "curve", "short", "bad", "unbound")
	for name, row := range map[string]struct {
		answer *sdkv1.Answer
		code   string
	}{
		"another algorithm":        {sign(ring, "jws", "RS256", "x"), abi.FailureForbidden},
		"no algorithm":             {sign(ring, "jws", "", "x"), abi.FailureForbidden},
		"another use":              {verify(ring, "jws", "PS256", "x", nil), abi.FailureForbidden},
		"an algorithm's other use": {mac(ring, "jws", "PS256", nil), abi.FailureForbidden},
		"not in the manifest":      {sign(ring, "unasked", "PS256", "x"), abi.FailureNotFound},
		"not bound":                {sign(ring, "unbound", "PS256", "x"), abi.FailureNotFound},
		"bound outside":            {sign(ring, "bad", "PS256", "x"), abi.FailureNotFound},
		"no file":                  {sign(ring, "gone", "PS256", "x"), abi.FailureUnavailable},
		"a key of another kind":    {sign(ring, "curve", "ES256", "x"), abi.FailureUnavailable},
		"too short a key":          {mac(ring, "short", "HS256", nil), abi.FailureUnavailable},
		"too much data":            {sign(ring, "jws", "PS256", strings.Repeat("x", DataMax+1)), abi.FailureTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			wantFailure(t, row.answer, row.code)
			if text := row.answer.GetFailure().Text; strings.Contains(text, "00ff") || strings.Contains(text, r.dir) {
				t.Errorf("the text says too much: %s", text)
			}
		})
	}
	if ring.Do(context.Background(), &sdkv1.Effect{Kind: &sdkv1.Effect_Query{}}) != nil {
		t.Error("a query was answered")
	}
}

func TestOthersMayNotReadAKey(t *testing.T) {
	r := newRoom(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	r.private("rsa.pem", key)
	r.public("rsa.pub", key.Public())
	ring := r.ring(map[string]Config{"own": inFile("rsa.pem", "PS256", "sign"), "theirs": inFile("rsa.pub", "PS256", "verify")})
	signature := sign(ring, "own", "PS256", "x").GetBytes().GetData()
	for _, file := range []string{"rsa.pem", "rsa.pub"} {
		if err := os.Chmod(filepath.Join(r.dir, "t1", file), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	wantFailure(t, sign(ring, "own", "PS256", "x"), abi.FailureUnavailable)
	if !verify(ring, "theirs", "PS256", "x", signature).GetBool().GetOk() {
		t.Error("a public key may be read by everybody")
	}
	if err := os.Chmod(filepath.Join(r.dir, "t1", "rsa.pub"), 0o666); err != nil {
		t.Fatal(err)
	}
	wantFailure(t, verify(ring, "theirs", "PS256", "x", signature), abi.FailureUnavailable)
}

// TestRotation replaces a key as the years go: the new one signs, the old one still
// verifies while it is listed, and nobody restarts anything.
func TestRotation(t *testing.T) {
	r := newRoom(t)
	_, first, _ := ed25519.GenerateKey(rand.Reader)
	_, second, _ := ed25519.GenerateKey(rand.Reader)
	r.private("jws.pem", first)
	r.public("jws.pub", first.Public())
	ring := r.ring(map[string]Config{"own": inFile("jws.pem", "EdDSA", "sign"), "theirs": inFile("jws.pub", "EdDSA", "verify")})
	old := sign(ring, "own", "EdDSA", "x").GetBytes().GetData()
	if !ed25519.Verify(first.Public().(ed25519.PublicKey), []byte("x"), old) {
		t.Fatal("not signed by the first key")
	}
	r.public("jws.pub", second.Public(), first.Public())
	r.private("jws.pem", second, first)
	signed := sign(ring, "own", "EdDSA", "x").GetBytes().GetData()
	if !ed25519.Verify(second.Public().(ed25519.PublicKey), []byte("x"), signed) {
		t.Fatal("not signed by the second key")
	}
	for i, signature := range [][]byte{old, signed} {
		if !verify(ring, "theirs", "EdDSA", "x", signature).GetBool().GetOk() {
			t.Errorf("signature %d does not verify", i)
		}
	}
	r.write("jws.pem", []byte("-----BEGIN PRIVATE KEY-----\nhalf a file"))
	if again := sign(ring, "own", "EdDSA", "x").GetBytes().GetData(); !bytes.Equal(again, signed) {
		t.Error("a file that is being written took the key away")
	}
	if err := os.Remove(filepath.Join(r.dir, "t1", "jws.pem")); err != nil {
		t.Fatal(err)
	}
	wantFailure(t, sign(ring, "own", "EdDSA", "x"), abi.FailureUnavailable)
	r.public("jws.pub", second.Public())
	if verify(ring, "theirs", "EdDSA", "x", old).GetBool().GetOk() {
		t.Error("a key that is no longer listed verifies")
	}
}

func TestVersionsOfASymmetricKey(t *testing.T) {
	r := newRoom(t)
	r.write("1.key", []byte(strings.Repeat("01", 32)))
	r.write("2.key", bytes.Repeat([]byte{2}, 32))
	r.write("3.key", []byte("AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=\n"))
	versions := []Source{{File: "3.key", Encoding: "base64"}, {File: "2.key", Encoding: "raw"}, {File: "1.key"}}
	both := []string{"mac", "verify"}
	ring := r.ring(map[string]Config{
		"all": {Versions: versions, Algorithms: []string{"HS256"}, Uses: both},
		"one": {Versions: versions[2:], Algorithms: []string{"HS256"}, Uses: both},
		"two": {Versions: versions[1:2], Algorithms: []string{"HS256"}, Uses: both},
	})
	for _, name := range []string{"all", "two", "one"} {
		tag := mac(ring, name, "HS256", []byte("x")).GetBytes().GetData()
		if !verify(ring, "all", "HS256", "x", tag).GetBool().GetOk() {
			t.Errorf("the MAC of %s does not verify", name)
		}
	}
	if tag := mac(ring, "all", "HS256", []byte("x")).GetBytes().GetData(); verify(ring, "one", "HS256", "x", tag).GetBool().GetOk() {
		t.Error("the newest version is not the one that signs")
	}
	if err := os.Remove(filepath.Join(r.dir, "t1", "2.key")); err != nil {
		t.Fatal(err)
	}
	// Nobody can say that the missing version would not have verified.
	wantFailure(t, verify(ring, "all", "HS256", "x", make([]byte, 32)), abi.FailureUnavailable)
}

func TestCheck(t *testing.T) {
	r := newRoom(t)
	r.write("k.key", []byte(strings.Repeat("01", 64)))
	good := inFile("k.key", "HS256", "mac")
	for name, row := range map[string]struct {
		config Config
		tokens *TokensConfig
		use    TokensUse
		want   string
	}{
		"sound":           {good, &TokensConfig{Source: Source{File: "k.key"}}, TokensUse{Tokenize: true}, ""},
		"no file":         {inFile("x.key", "HS256", "mac"), nil, TokensUse{}, "no such file"},
		"no uses":         {inFile("k.key", "HS256"), nil, TokensUse{}, "uses"},
		"a use unknown":   {inFile("k.key", "HS256", "decrypt"), nil, TokensUse{}, "decrypt"},
		"unknown":         {inFile("k.key", "HS1", "mac"), nil, TokensUse{}, "HS1"},
		"other keys":      {Config{Source: good.Source, Algorithms: []string{"HS256", "A256GCM"}, Uses: []string{"mac", "encrypt"}}, nil, TokensUse{}, "different keys"},
		"serves nothing":  {inFile("k.key", "HS256", "encrypt"), nil, TokensUse{}, "serves none"},
		"nowhere":         {Config{Algorithms: []string{"HS256"}, Uses: []string{"mac"}}, nil, TokensUse{}, "0 versions"},
		"twice":           {Config{Source: good.Source, Versions: []Source{good.Source}, Algorithms: good.Algorithms, Uses: good.Uses}, nil, TokensUse{}, "not both"},
		"no library":      {Config{Source: Source{PKCS11: &PKCS11{Token: "t", Label: "l", PINSecret: "pin"}}, Algorithms: good.Algorithms, Uses: good.Uses}, nil, TokensUse{}, "PKCS#11"},
		"no token key":    {good, nil, TokensUse{Detokenize: true}, "no token key"},
		"short token key": {good, &TokensConfig{Source: Source{File: "k.key", Encoding: "raw"}}, TokensUse{}, "64 random bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			err := Check(Bindings{Tenant: "t1", Connector: "bank", Keys: map[string]Config{"k": row.config}, Tokens: row.tokens, Use: row.use}, Surroundings{Dir: r.dir})
			switch {
			case row.want == "" && err != nil:
				t.Fatal(err)
			case row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)):
				t.Fatalf("%v, want %q", err, row.want)
			}
		})
	}
}
