package engine

import (
	"crypto/aes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// A payment key is 63 bits: cluster (10), incarnation (10), counter (43). It
// names its owner wherever it turns up, and since a restore raises the
// incarnation, nothing is ever minted twice.
const (
	counterBits     = 43
	incarnationBits = 10
)

func paymentKey(cluster, incarnation uint32, counter uint64) uint64 {
	return uint64(cluster)<<(counterBits+incarnationBits) | uint64(incarnation)<<counterBits | counter
}

// Cluster returns the cluster number in a payment key.
func Cluster(payment uint64) uint32 { return uint32(payment >> (counterBits + incarnationBits)) }

// Incarnation returns the incarnation in a payment key.
func Incarnation(payment uint64) uint32 {
	return uint32(payment>>counterBits) & (1<<incarnationBits - 1)
}

// UUID is what a UUID minted by this cluster says: which payment it belongs to
// and what of it is named.
type UUID struct {
	Payment uint64
	Kind    UUIDKind
	Index   uint32 // 24 bits
	Number  uint32
}

type UUIDKind uint8

const (
	// UUIDPayment names the payment itself.
	UUIDPayment UUIDKind = 1
	// UUIDEffect names a money effect: Index is the position of its key among the
	// payment's, Number its number.
	UUIDEffect UUIDKind = 2
	// UUIDCall names any other outside effect: Index is the job, Number the attempt
	// (16 bits) and the ordinal (16 bits).
	UUIDCall UUIDKind = 3
)

// PaymentUUID is the payment's name outside.
func PaymentUUID(meta *enginev1.Meta, payment uint64) string {
	return NewMinter(meta).Payment(payment)
}

// ParseUUID reads a UUID that this cluster, in any incarnation, has minted. Any
// other text gives false.
func ParseUUID(meta *enginev1.Meta, s string) (UUID, bool) {
	return newMinter(meta.Secret).parse(s)
}

// EffectUUID is the idempotency key of a money effect on the wire.
func EffectUUID(meta *enginev1.Meta, payment uint64, index, number uint32) string {
	return NewMinter(meta).Effect(payment, index, number)
}

// CallUUID is the idempotency key of an outside effect without a money key.
func CallUUID(meta *enginev1.Meta, payment uint64, job, attempt, ordinal uint32) string {
	return NewMinter(meta).Call(payment, job, attempt, ordinal)
}

// Minter mints the UUIDs of one cluster. Making one costs more than a UUID does,
// so whoever mints many keeps it. It is safe for concurrent use.
type Minter struct{ minter }

// NewMinter returns the cluster's Minter.
func NewMinter(meta *enginev1.Meta) Minter { return Minter{newMinter(meta.Secret)} }

// Payment is PaymentUUID.
func (m Minter) Payment(payment uint64) string {
	return m.mint(UUID{Payment: payment, Kind: UUIDPayment})
}

// Effect is EffectUUID.
func (m Minter) Effect(payment uint64, index, number uint32) string {
	return m.mint(UUID{Payment: payment, Kind: UUIDEffect, Index: index, Number: number})
}

// Call is CallUUID.
func (m Minter) Call(payment uint64, job, attempt, ordinal uint32) string {
	return m.mint(UUID{Payment: payment, Kind: UUIDCall, Index: job, Number: attempt<<16 | ordinal&0xffff})
}

// minter turns the 122 bits of a UUID value into the free bits of a version 4
// UUID (RFC 9562 section 5.4; FSPIOP 1.x demands that shape) and back, by a
// four-round Feistel network over two 61-bit halves with AES as the round
// function. Strangers can neither count payments nor guess the next name.
type minter struct {
	block interface{ Encrypt(dst, src []byte) }
}

const (
	halfBits      = 61
	halfMask      = 1<<halfBits - 1
	feistelRounds = 4
)

func newMinter(secret []byte) minter {
	sum := sha256.Sum256(append([]byte("railhead uuid\x00"), secret...))
	block, err := aes.NewCipher(sum[:16])
	if err != nil {
		panic(err) // a 16-byte key is always a key
	}
	return minter{block: block}
}

// round works in a block that all rounds share, since what is handed to a cipher
// is taken from the heap.
func (m minter) round(block *[aes.BlockSize]byte, i int, half uint64) uint64 {
	*block = [aes.BlockSize]byte{byte(i)}
	binary.BigEndian.PutUint64(block[8:], half)
	m.block.Encrypt(block[:], block[:])
	return binary.BigEndian.Uint64(block[:]) & halfMask
}

func (m minter) mint(u UUID) string {
	// 122 bits: payment 63, kind 3, index 24, number 32.
	low := uint64(u.Kind&7)<<56 | uint64(u.Index&0xffffff)<<32 | uint64(u.Number) // 59 bits
	left := u.Payment >> 2 & halfMask                                             // the upper 61 of 63
	right := u.Payment&3<<59 | low
	block := new([aes.BlockSize]byte)
	for i := range feistelRounds {
		left, right = right, left^m.round(block, i, right)
	}
	var b [16]byte
	// left and right, 122 bits, spread around the version and variant bits:
	// 48 bits, version, 12 bits, variant, 62 bits.
	hi48 := left >> 13
	mid12 := left >> 1 & 0xfff
	lo62 := left&1<<61 | right
	binary.BigEndian.PutUint64(b[:], hi48<<16|0x4000|mid12)
	binary.BigEndian.PutUint64(b[8:], 1<<63|lo62)
	var s [36]byte
	hex.Encode(s[0:8], b[0:4])
	hex.Encode(s[9:13], b[4:6])
	hex.Encode(s[14:18], b[6:8])
	hex.Encode(s[19:23], b[8:10])
	hex.Encode(s[24:36], b[10:16])
	s[8], s[13], s[18], s[23] = '-', '-', '-', '-'
	return string(s[:])
}

func (m minter) parse(s string) (UUID, bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return UUID{}, false
	}
	var b [16]byte
	plain := s[0:8] + s[9:13] + s[14:18] + s[19:23] + s[24:36]
	if _, err := hex.Decode(b[:], []byte(plain)); err != nil {
		return UUID{}, false
	}
	hi, lo := binary.BigEndian.Uint64(b[:]), binary.BigEndian.Uint64(b[8:])
	if hi>>12&0xf != 4 || lo>>62 != 2 {
		return UUID{}, false
	}
	lo62 := lo & (1<<62 - 1)
	left := hi>>16<<13 | hi&0xfff<<1 | lo62>>61
	right := lo62 & halfMask
	block := new([aes.BlockSize]byte)
	for i := feistelRounds - 1; i >= 0; i-- {
		left, right = right^m.round(block, i, left), left
	}
	u := UUID{
		Payment: left<<2 | right>>59,
		Kind:    UUIDKind(right >> 56 & 7),
		Index:   uint32(right >> 32 & 0xffffff),
		Number:  uint32(right),
	}
	// A foreign UUID decodes to noise; the kinds and the cluster sieve most of it,
	// and the caller looks the payment up anyway.
	if u.Kind < UUIDPayment || u.Kind > UUIDCall || Cluster(u.Payment) == 0 {
		return UUID{}, false
	}
	return u, m.mint(u) == s
}

// StartIndexKey is where Get finds the StartID of a channel's client key.
func StartIndexKey(tenant, channel, clientKey string) Key {
	high, low := idHash(tenant, channel, clientKey)
	return Key{Table: TableStartIndex, A: high, B: low}
}

// idHash names a client key or a message id in 128 bits.
func idHash(parts ...string) (high, low uint64) {
	var room [256]byte
	text := room[:0]
	for _, p := range parts {
		text = binary.BigEndian.AppendUint32(text, uint32(len(p)))
		text = append(text, p...)
	}
	sum := sha256.Sum256(text)
	return binary.BigEndian.Uint64(sum[:]), binary.BigEndian.Uint64(sum[8:])
}
