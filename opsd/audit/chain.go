package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// Hash is SHA-256 over an entry and its predecessor's hash.
type Hash [sha256.Size]byte

func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// ParseHash reads 64 hexadecimal digits.
func ParseHash(s string) (Hash, error) {
	var h Hash
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(h) {
		return h, fmt.Errorf("audit: %q is not the hexadecimal form of a hash", s)
	}
	copy(h[:], b)
	return h, nil
}

// Entry is one act. Seq counts from 1 without gaps; Prev is the hash of the
// entry before it, or zeros for the first.
type Entry struct {
	Seq    uint64
	TimeMS int64 // when the act happened, ms since 1970 UTC
	Actor  string
	Reason string
	Method string // what was done: flow_deployed, tenant_put …
	Target string // to what
	Tenant string
	Result string // ok, or the code of a refusal
	// EventID is the record id of the core's event, cluster-incarnation-index-n;
	// empty for acts of opsd itself.
	EventID string
	// Detail is the SHA-256 of the act as it was recorded: of the core's event,
	// byte for byte.
	Detail Hash
	Prev   Hash
	Hash   Hash
}

// domain separates entry hashes from the interior nodes of a tree over them
// (RFC 6962 uses 0x00 for leaves and 0x01 for nodes).
const domain = 0x00

// Sum is the hash the entry must carry: SHA-256(0x00 || Prev || canonical),
// where canonical is Seq and TimeMS as 8 bytes big-endian each, then every text
// in the order of the struct, each preceded by its length as 4 bytes big-endian,
// then Detail.
func (e *Entry) Sum() Hash {
	buf := make([]byte, 0, 256)
	buf = append(buf, domain)
	buf = append(buf, e.Prev[:]...)
	buf = binary.BigEndian.AppendUint64(buf, e.Seq)
	buf = binary.BigEndian.AppendUint64(buf, uint64(e.TimeMS))
	for _, text := range []string{e.Actor, e.Reason, e.Method, e.Target, e.Tenant, e.Result, e.EventID} {
		buf = binary.BigEndian.AppendUint32(buf, uint32(len(text)))
		buf = append(buf, text...)
	}
	buf = append(buf, e.Detail[:]...)
	return sha256.Sum256(buf)
}

// Head is where a chain ends. The zero Head is the end of an empty chain.
type Head struct {
	Seq  uint64
	Hash Hash
}

// Append links the entry behind head and answers the new head.
func (h Head) Append(e *Entry) Head {
	e.Seq, e.Prev = h.Seq+1, h.Hash
	e.Hash = e.Sum()
	return Head{Seq: e.Seq, Hash: e.Hash}
}

// Fault is what Verifier found wrong, at which entry.
type Fault struct {
	Seq  uint64
	Text string
}

func (f *Fault) Error() string { return fmt.Sprintf("audit: entry %d: %s", f.Seq, f.Text) }

// Verifier checks a stretch of a chain entry by entry. Its zero value begins at
// the first entry; After begins behind a head that is trusted.
type Verifier struct {
	head     Head
	expect   Hash
	expected bool
	seen     bool
	checked  uint64
}

// After makes the verifier begin behind a head that is trusted.
func (v *Verifier) After(h Head) { v.head = h }

// Expect asks for an entry with this hash in the stretch, such as a head that
// was kept elsewhere. Finish reports when it was not there.
func (v *Verifier) Expect(h Hash) {
	v.expect, v.expected = h, true
	v.seen = v.head.Seq > 0 && v.head.Hash == h
}

// Check takes the next entry. The error is a *Fault.
func (v *Verifier) Check(e *Entry) error {
	switch want := v.head.Seq + 1; {
	case e.Seq > want:
		return &Fault{want, fmt.Sprintf("missing: the next entry is %d", e.Seq)}
	case e.Seq < want:
		return &Fault{e.Seq, "appears twice"}
	case e.Prev != v.head.Hash:
		return &Fault{e.Seq, "does not follow the entry before it"}
	case e.Sum() != e.Hash:
		return &Fault{e.Seq, "was changed: its hash is another"}
	}
	v.head = Head{Seq: e.Seq, Hash: e.Hash}
	v.checked++
	v.seen = v.seen || v.expected && e.Hash == v.expect
	return nil
}

// Finish answers where the chain ends, how many entries were checked, and a
// *Fault when the expected head was not met.
func (v *Verifier) Finish() (Head, uint64, error) {
	if v.expected && !v.seen {
		return v.head, v.checked, &Fault{v.head.Seq + 1, "the expected head is not in the chain: its tail was cut off or rewritten"}
	}
	return v.head, v.checked, nil
}
