package ilp

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestKnownAnswers recomputes what both generations of the published
// @mojaloop/sdk-standard-components computed.
func TestKnownAnswers(t *testing.T) {
	shared := os.Getenv("RAILHEAD_SHARED")
	if shared == "" {
		t.Skip("needs RAILHEAD_SHARED: the folder of shared test data")
	}
	raw, err := os.ReadFile(filepath.Join(shared, "fspiop", "vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	type known struct {
		V1 struct{ Fulfilment, Condition, IlpPacket string } `json:"ilpv1"`
	}
	var file struct {
		Secret string
		Old    known `json:"19.18.8"`
		New    known `json:"19.19.1"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]known{"19.18.8": file.Old, "19.19.1": file.New} {
		t.Run(name, func(t *testing.T) {
			fulfilment, condition := Derive(file.Secret, v.V1.IlpPacket)
			if fulfilment != v.V1.Fulfilment || condition != v.V1.Condition {
				t.Errorf("derived %s and %s, published %s and %s", fulfilment, condition, v.V1.Fulfilment, v.V1.Condition)
			}
			p, err := Decode(v.V1.IlpPacket)
			if err != nil {
				t.Fatal(err)
			}
			if p.Amount != 10025 || p.Destination != "g.payeefsp.msisdn.27713803912" {
				t.Errorf("decoded %d to %s", p.Amount, p.Destination)
			}
			if got := Encode(p); got != v.V1.IlpPacket {
				t.Errorf("encoding again gives\n%s, published\n%s", got, v.V1.IlpPacket)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	good := Encode(Packet{Amount: 1, Destination: "g.x.msisdn.1", Data: []byte(`{}`)})
	for name, packet := range map[string]string{
		"empty":         "",
		"not base64url": "A+/=",
		"type":          "DA" + good[2:],
		"cut short":     good[:len(good)-4],
		"trailing":      good + "AAAA",
		"long length":   "AYX_____",
	} {
		if p, err := Decode(packet); !errors.Is(err, ErrPacket) {
			t.Errorf("%s: decoded %+v, %v", name, p, err)
		}
	}
}

func TestLongFieldsSurvive(t *testing.T) {
	for _, n := range []int{0, 1, 127, 128, 255, 256, 65535, 65536} {
		in := Packet{Amount: 1<<64 - 1, Destination: strings.Repeat("d", n), Data: []byte(strings.Repeat("x", n))}
		out, err := Decode(Encode(in))
		if err != nil {
			t.Fatalf("%d: %v", n, err)
		}
		if out.Amount != in.Amount || out.Destination != in.Destination || string(out.Data) != string(in.Data) {
			t.Fatalf("%d: changed on the way", n)
		}
	}
}
