// Package ilp is the little of Interledger v1 that a payee in a Mojaloop scheme
// needs: it writes and reads the packet of a quote and derives the fulfilment and
// the condition from it.
//
// It is written independently of the connector's own ILP code on purpose: the
// simulator checks the connector, so the two must not share a mistake. Both are
// tested against the same known answers of the published libraries.
//
// Begin with Encode and Derive.
package ilp

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrPacket is wrapped by every refusal of Decode.
var ErrPacket = errors.New("not an ILP v1 payment packet")

const typePayment = 1

// Packet is an ILP v1 payment: what the payer promises, bound by the condition.
type Packet struct {
	// Amount is in the smallest unit of the currency, which the packet itself does
	// not name: Data does.
	Amount uint64
	// Destination is "g.<fspId>.<idtype>.<id>[.<sub>]", in lower case but for the
	// fspId.
	Destination string
	// Data is the transaction as JSON. On the wire it travels as base64url inside
	// the packet.
	Data []byte
}

// Encode returns the packet as FSPIOP's ilpPacket: base64url without padding.
func Encode(p Packet) string {
	data := base64.RawURLEncoding.EncodeToString(p.Data)
	body := binary.BigEndian.AppendUint64(nil, p.Amount)
	body = appendLength(body, len(p.Destination))
	body = append(body, p.Destination...)
	body = appendLength(body, len(data))
	body = append(body, data...)
	body = append(body, 0) // no extensions

	packet := appendLength([]byte{typePayment}, len(body))
	return base64.RawURLEncoding.EncodeToString(append(packet, body...))
}

// Decode reads an ilpPacket. Bytes after the packet, a short packet and data that
// is not base64url are errors.
func Decode(ilpPacket string) (Packet, error) {
	raw, err := base64.RawURLEncoding.DecodeString(ilpPacket)
	if err != nil {
		return Packet{}, fmt.Errorf("%w: not base64url", ErrPacket)
	}
	if len(raw) == 0 || raw[0] != typePayment {
		return Packet{}, fmt.Errorf("%w: another packet type", ErrPacket)
	}
	body, rest, ok := cut(raw[1:])
	if !ok || len(rest) != 0 || len(body) < 8 {
		return Packet{}, fmt.Errorf("%w: length does not fit", ErrPacket)
	}
	p := Packet{Amount: binary.BigEndian.Uint64(body)}
	destination, body, ok := cut(body[8:])
	if !ok {
		return Packet{}, fmt.Errorf("%w: destination is cut short", ErrPacket)
	}
	p.Destination = string(destination)
	data, body, ok := cut(body)
	if !ok || len(body) != 1 || body[0] != 0 {
		return Packet{}, fmt.Errorf("%w: data is cut short", ErrPacket)
	}
	if p.Data, err = base64.RawURLEncoding.DecodeString(string(data)); err != nil {
		return Packet{}, fmt.Errorf("%w: data is not base64url", ErrPacket)
	}
	return p, nil
}

// Derive returns the fulfilment only the payee can make from a packet, and the
// condition it answers.
func Derive(secret, ilpPacket string) (fulfilment, condition string) {
	mac := hmac.New(sha256.New, []byte(base64.StdEncoding.EncodeToString([]byte(secret))))
	mac.Write([]byte(ilpPacket))
	preimage := mac.Sum(nil)
	hash := sha256.Sum256(preimage)
	return base64.RawURLEncoding.EncodeToString(preimage), base64.RawURLEncoding.EncodeToString(hash[:])
}

// appendLength writes an OER length: one byte below 128, else the number of bytes
// that follow with the high bit set.
func appendLength(b []byte, n int) []byte {
	if n < 0x80 {
		return append(b, byte(n))
	}
	var width int
	for v := n; v > 0; v >>= 8 {
		width++
	}
	b = append(b, byte(0x80|width))
	for i := width - 1; i >= 0; i-- {
		b = append(b, byte(n>>(8*i)))
	}
	return b
}

// cut takes one length-prefixed field off the front of b.
func cut(b []byte) (field, rest []byte, ok bool) {
	if len(b) == 0 {
		return nil, nil, false
	}
	n, b := int(b[0]), b[1:]
	if n >= 0x80 {
		width := n & 0x7f
		if width == 0 || width > 4 || width > len(b) {
			return nil, nil, false
		}
		n = 0
		for _, c := range b[:width] {
			n = n<<8 | int(c)
		}
		b = b[width:]
	}
	if n > len(b) {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}
