package keys

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"strings"
	"testing"

	"github.com/railhead-hub/railhead/sdk/abi"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

func openGCM(t *testing.T, key, sealed []byte, additional string) string {
	t.Helper()
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := gcm.Open(nil, sealed[:12], sealed[12:], []byte(additional))
	if err != nil {
		t.Fatal(err)
	}
	return string(plain)
}

func tokensRing(r *room, tenant string, use TokensUse, files ...string) *Ring {
	config := &TokensConfig{}
	for _, f := range files {
		config.Versions = append(config.Versions, Source{File: f})
	}
	return New(Bindings{Tenant: tenant, Connector: "cards", Tokens: config, Use: use}, Surroundings{Dir: r.dir})
}

func tokenize(r *Ring, kind, value string) *sdkv1.Answer {
	return r.Do(context.Background(), &sdkv1.Effect{Kind: &sdkv1.Effect_Tokenize{Tokenize: &sdkv1.Tokenize{Kind: kind, Value: value}}})
}

func detokenize(r *Ring, token string) *sdkv1.Answer {
	return r.Do(context.Background(), &sdkv1.Effect{Kind: &sdkv1.Effect_Detokenize{Detokenize: &sdkv1.Detokenize{Token: token}}})
}

const pan = "4111111111111111"

func TestTokens(t *testing.T) {
	r := newRoom(t)
	r.write("tokens.key", []byte(strings.Repeat("5a", 64)))
	all := TokensUse{Tokenize: true, Detokenize: true}
	// Two rings stand for two nodes, or for a leader and the next one.
	ring, other := tokensRing(r, "t1", all, "tokens.key"), tokensRing(r, "t1", all, "tokens.key")
	token := tokenize(ring, "pan", pan).GetText().GetText()
	if !Token.MatchString(token) || Token.FindString(token) != token || strings.Contains(token, pan) {
		t.Fatalf("token %q", token)
	}
	if ValueLen(token) != len(pan) || ValueLen("tok_pan_x") != 0 || ValueLen("") != 0 {
		t.Errorf("lengths %d, %d", ValueLen(token), ValueLen("tok_pan_x"))
	}
	if again := tokenize(other, "pan", pan).GetText().GetText(); again != token {
		t.Errorf("another node's token is %q", again)
	}
	if tokenize(ring, "account", pan).GetText().GetText() == token {
		t.Error("another kind has the same token")
	}
	if got := detokenize(other, token).GetText().GetText(); got != pan {
		t.Errorf("it stands for %q", got)
	}
	last := token[len(token)-1:]
	for name, bad := range map[string]string{
		"another kind": strings.Replace(token, "tok_pan_", "tok_account_", 1), "no token": "x", "empty": "", "prefix": "tok_", "half": token[:30],
		"changed": token[:len(token)-3] + "AAA", "longer": token + last, "the value": pan,
	} {
		if answer := detokenize(ring, bad); answer.GetFailure().GetCode() != abi.FailureNotFound {
			t.Errorf("%s: %v", name, answer)
		}
	}
	for name, row := range map[string]struct{ kind, value, code string }{
		"no value": {"pan", "", abi.FailureInvalid}, "no kind": {"", pan, abi.FailureInvalid},
		"a kind that would blur the token": {"p_an", pan, abi.FailureInvalid},
		"too long":                         {"pan", strings.Repeat("1", ValueMax+1), abi.FailureTooLarge},
	} {
		t.Run(name, func(t *testing.T) { wantFailure(t, tokenize(ring, row.kind, row.value), row.code) })
	}
}

func TestTokensAreTheTenantsOwn(t *testing.T) {
	r, foreign := newRoom(t), newRoom(t)
	key := []byte(strings.Repeat("5a", 64))
	r.write("tokens.key", key)
	foreign.write("tokens.key", key) // even under the same key
	all := TokensUse{Tokenize: true, Detokenize: true}
	ring := tokensRing(r, "t1", all, "tokens.key")
	token := tokenize(ring, "pan", pan).GetText().GetText()
	other := New(Bindings{Tenant: "t1/../t1", Connector: "cards", Tokens: &TokensConfig{Source: Source{File: "tokens.key"}}, Use: all}, Surroundings{Dir: foreign.dir})
	wantFailure(t, detokenize(other, token), abi.FailureNotFound)
	wantFailure(t, detokenize(tokensRing(r, "t1", TokensUse{Tokenize: true}, "tokens.key"), token), abi.FailureForbidden)
	wantFailure(t, tokenize(tokensRing(r, "t1", TokensUse{}, "tokens.key"), "pan", pan), abi.FailureForbidden)
	wantFailure(t, tokenize(New(Bindings{Tenant: "t1", Use: all}, Surroundings{Dir: r.dir}), "pan", pan), abi.FailureNotFound)
}

func TestRotationOfTheTokenKey(t *testing.T) {
	r := newRoom(t)
	r.write("1.key", []byte(strings.Repeat("01", 64)))
	r.write("2.key", []byte(strings.Repeat("02", 64)))
	all := TokensUse{Tokenize: true, Detokenize: true}
	before, after := tokensRing(r, "t1", all, "1.key"), tokensRing(r, "t1", all, "2.key", "1.key")
	old := tokenize(before, "pan", pan).GetText().GetText()
	if got := detokenize(after, old).GetText().GetText(); got != pan {
		t.Errorf("the old token stands for %q", got)
	}
	fresh := tokenize(after, "pan", pan).GetText().GetText()
	if fresh == old {
		t.Error("the new key gives the old token")
	}
	wantFailure(t, detokenize(before, fresh), abi.FailureNotFound)
}

func FuzzDetokenize(f *testing.F) {
	r := &room{dir: f.TempDir()}
	ring := New(Bindings{Tenant: "t1", Tokens: &TokensConfig{Source: Source{File: "tokens.key"}}, Use: TokensUse{Detokenize: true}}, Surroundings{Dir: r.dir})
	f.Add("tok_pan_AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE")
	f.Fuzz(func(t *testing.T, token string) {
		if detokenize(ring, token).GetFailure() == nil {
			t.Fatal("a token that was made up is one")
		}
	})
}
