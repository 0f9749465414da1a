package ilp

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestKnownAnswers reads what both generations of the published
// @mojaloop/sdk-standard-components wrote.
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
		V1, V4 struct{ Fulfilment, Condition, IlpPacket string }
	}
	var file struct {
		QuoteRequest struct{ QuoteID, TransactionID string }
		Old          struct {
			V1 struct{ Fulfilment, Condition, IlpPacket string } `json:"ilpv1"`
			V4 struct{ Fulfilment, Condition, IlpPacket string } `json:"ilpv4"`
		} `json:"19.18.8"`
		New struct {
			V1 struct{ Fulfilment, Condition, IlpPacket string } `json:"ilpv1"`
			V4 struct{ Fulfilment, Condition, IlpPacket string } `json:"ilpv4"`
		} `json:"19.19.1"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]known{"19.18.8": {file.Old.V1, file.Old.V4}, "19.19.1": {file.New.V1, file.New.V4}} {
		t.Run(name, func(t *testing.T) {
			p, err := Decode(v.V1.IlpPacket)
			if err != nil {
				t.Fatal(err)
			}
			if p.Amount != 10025 || p.Account != "g.payeefsp.msisdn.27713803912" {
				t.Errorf("decoded %d to %s", p.Amount, p.Account)
			}
			var terms struct{ QuoteID, TransactionID string }
			if err := json.Unmarshal(p.Data, &terms); err != nil || terms != file.QuoteRequest {
				t.Errorf("the packet is about %+v (%v)", terms, err)
			}
			if !Fulfils(v.V1.Fulfilment, v.V1.Condition) || !Fulfils(v.V4.Fulfilment, v.V4.Condition) {
				t.Error("the published fulfilment does not fulfil")
			}
			if Fulfils(v.V4.Fulfilment, v.V1.Condition) || Fulfils(v.V1.Condition, v.V1.Fulfilment) {
				t.Error("another fulfilment fulfils")
			}
			if _, err := Decode(v.V4.IlpPacket); !errors.Is(err, ErrType) {
				t.Errorf("a version 4 packet: %v", err)
			}
		})
	}
}

// encode is the mirror of Decode; widths above the shortest are legal OER.
func encode(p Packet, wide bool) string {
	length := func(n int) []byte {
		switch {
		case wide:
			return []byte{0x83, byte(n >> 16), byte(n >> 8), byte(n)}
		case n < 0x80:
			return []byte{byte(n)}
		case n < 0x100:
			return []byte{0x81, byte(n)}
		case n < 0x10000:
			return []byte{0x82, byte(n >> 8), byte(n)}
		}
		return []byte{0x83, byte(n >> 16), byte(n >> 8), byte(n)}
	}
	data := base64.RawURLEncoding.EncodeToString(p.Data)
	body := binary.BigEndian.AppendUint64(nil, p.Amount)
	body = append(append(body, length(len(p.Account))...), p.Account...)
	body = append(append(body, length(len(data))...), data...)
	body = append(body, 0)
	return base64.RawURLEncoding.EncodeToString(append(append([]byte{1}, length(len(body))...), body...))
}

func TestDecode(t *testing.T) {
	in := Packet{Amount: 1<<64 - 1, Account: strings.Repeat("a", 200), Data: []byte(strings.Repeat("x", 400))}
	for _, text := range []string{encode(in, false), encode(in, true), encode(in, false) + "=="} {
		out, err := Decode(text)
		if err != nil || out.Amount != in.Amount || out.Account != in.Account || string(out.Data) != string(in.Data) {
			t.Errorf("changed on the way: %+v, %v", out, err)
		}
	}
	good := encode(Packet{Amount: 1, Account: "g.x", Data: []byte("{}")}, false)
	for name, c := range map[string]struct {
		text string
		err  error
	}{
		"empty":           {"", ErrType},
		"not base64url":   {"+/+/", ErrEncoding},
		"a line break":    {good[:4] + "\n" + good[4:], ErrEncoding},
		"type":            {"DA" + good[2:], ErrType},
		"cut short":       {good[:len(good)-4], ErrLength},
		"more":            {good + "AAAA", ErrLength},
		"endless length":  {"AYD_", ErrLength},
		"too wide length": {"AYX_____AA", ErrLength},
		"too long":        {strings.Repeat("A", PacketTextMax+1), ErrLength},
	} {
		if _, err := Decode(c.text); !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", name, err, c.err)
		}
	}
}

func TestFulfilsRefuses(t *testing.T) {
	const condition = "2Rn6YXuT1SvBybOH0VP9jRqNLTehe8lX8c-8az6YwHs"
	for _, fulfilment := range []string{"", "AA", condition, strings.Repeat("A", 43), "dgKiJ2pMLu+UxshCwg8A4phbrpH+seR+xT5Gj+3cM5Q"} {
		if Fulfils(fulfilment, condition) {
			t.Errorf("%q fulfils", fulfilment)
		}
	}
	if Fulfils("", "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU") {
		t.Error("nothing fulfils the digest of nothing")
	}
}

// FuzzDecode holds that no text makes the decoder panic, and that what it reads is
// what was written.
func FuzzDecode(f *testing.F) {
	f.Add(encode(Packet{Amount: 10025, Account: "g.payeefsp.msisdn.1", Data: []byte(`{"quoteId":"x"}`)}, false))
	f.Add("AYICugAAAAAAACcp")
	f.Add("AYX_____AA")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Decode(text)
		if err != nil {
			return
		}
		again, err := Decode(encode(p, false))
		if err != nil || again.Amount != p.Amount || again.Account != p.Account || string(again.Data) != string(p.Data) {
			t.Fatalf("read %+v, written and read again %+v, %v", p, again, err)
		}
	})
}
