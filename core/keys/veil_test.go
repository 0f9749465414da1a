package keys

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

const odd = "378282246310005" // 15 digits

func TestACoveredFrame(t *testing.T) {
	token := "tok_pan_" + strings.Repeat("A", 40)
	other := "tok_pan_" + strings.Repeat("B", 40)
	var v Veil
	v.Learn(pan, token)
	v.Learn(odd, other)
	reveal := func(asked string) (string, error) {
		switch asked {
		case token:
			return pan, nil
		case other:
			return odd, nil
		}
		return "", errors.New("unknown")
	}
	for name, row := range map[string]struct{ frame, covered string }{
		"nothing":             {"4111 1111", "4111 1111"},
		"as it is":            {"a" + pan + "b", "a{{token:" + token + "}}b"},
		"packed":              {string(unhex(t, "00"+pan+"00")), "\x00{{token-packed:" + token + "}}\x00"},
		"packed, half a byte": {string(unhex(t, "10"+"6"+pan+"d"+"22")), "\x10{{token-packed:6+" + token + "+d}}\x22"},
		"odd count, first":    {string(unhex(t, odd+"f")), "{{token-packed:" + other + "+f}}"},
		"odd count, last":     {string(unhex(t, "0"+odd)), "{{token-packed:0+" + other + "}}"},
		"twice":               {pan + pan, "{{token:" + token + "}}{{token:" + token + "}}"},
		"cut off":             {string(unhex(t, "0"+pan+"0")[:8]), string(unhex(t, "0"+pan+"0")[:8])},
		"its own reference":   {"{{token:" + token + "}}{{token-text}}", "{{token-text}}:" + token + "}}{{token-text}}-text}}"},
		"braces before":       {"{{token{" + pan, "{{token-text}}{{{token:" + token + "}}"},
	} {
		t.Run(name, func(t *testing.T) {
			covered := v.CoverFrame([]byte(row.frame))
			if string(covered) != row.covered {
				t.Errorf("%q is covered as %q, not %q", row.frame, covered, row.covered)
			}
			if v.Hides(covered) {
				t.Error("what is covered holds the value")
			}
			if v.Hides([]byte(row.frame)) != strings.Contains(row.covered, "_pan_") && name != "its own reference" {
				t.Error("it is covered, and was not hidden")
			}
			if back, err := Uncover(covered, reveal); err != nil || string(back) != row.frame {
				t.Errorf("%q, %v instead of %q", back, err, row.frame)
			}
		})
	}
}

// A reference that nobody wrote for a number with whole bytes is an error, not a panic.
func TestAPackedReferenceThatDoesNotFit(t *testing.T) {
	token := "tok_pan_" + strings.Repeat("A", 40)
	for value, reference := range map[string]string{
		pan: "{{token-packed:1+" + token + "}}", odd: "{{token-packed:" + token + "}}", "a name": "{{token-packed:" + token + "}}",
	} {
		if back, err := Uncover([]byte(reference), func(string) (string, error) { return value, nil }); err == nil {
			t.Errorf("%s: %q", reference, back)
		}
	}
}

func FuzzCoverFrame(f *testing.F) {
	f.Add([]byte("{{token"), pan)
	f.Add([]byte(pan+pan[1:]), odd)
	f.Fuzz(func(t *testing.T, frame []byte, value string) {
		token := "tok_pan_" + strings.Repeat("A", 40)
		var v Veil
		v.Learn(value, token)
		back, err := Uncover(v.CoverFrame(frame), func(string) (string, error) { return value, nil })
		if err != nil || !bytes.Equal(back, frame) {
			t.Fatalf("%q, %v", back, err)
		}
	})
}
