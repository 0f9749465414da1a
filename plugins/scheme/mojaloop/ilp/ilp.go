// Package ilp is what a payer in a Mojaloop scheme needs of Interledger: to read
// the packet of a quote, so that its terms can be compared with what was asked,
// and to tell whether a fulfilment answers the condition of that quote. A
// fulfilment that does is the payee's proof that it will credit; without it
// nothing is booked.
//
// It reads version 1 packets, which FSPIOP 1.x uses. Making packets is the payee's
// side.
package ilp

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
)

// The ways in which text can fail to be a packet.
var (
	ErrEncoding = errors.New("ilp: not base64url")
	ErrType     = errors.New("ilp: not a version 1 payment packet")
	ErrLength   = errors.New("ilp: a length does not fit")
)

// PacketTextMax is FSPIOP's bound on an ilpPacket, in characters.
const PacketTextMax = 32768

// Packet is an ILP v1 payment.
type Packet struct {
	Amount  uint64 // in the currency's smallest unit; Data names the currency
	Account string // the payee's ILP address
	Data    []byte // the transaction, as JSON
}

// Decode reads an ilpPacket: base64url, with or without padding.
func Decode(text string) (Packet, error) {
	if len(text) > PacketTextMax {
		return Packet{}, ErrLength
	}
	raw, err := decode64(text)
	if err != nil {
		return Packet{}, err
	}
	if len(raw) == 0 || raw[0] != 1 {
		return Packet{}, ErrType
	}
	r := reader{rest: raw[1:]}
	body := reader{rest: r.field()}
	amount := body.take(8)
	account := body.field()
	data := body.field()
	extensions := body.take(1)
	if r.short || body.short || len(r.rest) != 0 || len(body.rest) != 0 || extensions[0] != 0 {
		return Packet{}, ErrLength
	}
	p := Packet{Amount: binary.BigEndian.Uint64(amount), Account: string(account)}
	p.Data, err = decode64(string(data))
	return p, err
}

// Fulfils reports whether the fulfilment answers the condition: both base64url of
// 32 bytes, the second the SHA-256 of the first.
func Fulfils(fulfilment, condition string) bool {
	preimage, err := decode64(fulfilment)
	if err != nil || len(preimage) != sha256.Size {
		return false
	}
	want, err := decode64(condition)
	got := sha256.Sum256(preimage)
	return err == nil && string(want) == string(got[:])
}

func decode64(text string) ([]byte, error) {
	for len(text) > 0 && text[len(text)-1] == '=' {
		text = text[:len(text)-1]
	}
	// The decoder skips line breaks, which no peer may send.
	for i := range len(text) {
		if text[i] == '\n' || text[i] == '\r' {
			return nil, ErrEncoding
		}
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, ErrEncoding
	}
	return raw, nil
}

// reader takes fields off the front of a packet; short says that one was missing.
type reader struct {
	rest  []byte
	short bool
}

// take returns n bytes; of a packet that has not got them, n zero bytes.
func (r *reader) take(n int) []byte {
	if n > len(r.rest) {
		r.short = true
		r.rest = nil
		return make([]byte, min(n, 8))
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}

// field takes a byte string with its OER length: one byte below 128, else the
// number of length bytes that follow with the high bit set.
func (r *reader) field() []byte {
	n := int(r.take(1)[0])
	if n >= 0x80 {
		width := n & 0x7f
		if width == 0 || width > 3 {
			r.short = true
			return nil
		}
		n = 0
		for _, b := range r.take(width) {
			n = n<<8 | int(b)
		}
	}
	return r.take(n)
}
