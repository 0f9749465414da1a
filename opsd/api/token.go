package api

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/fnv"

	"google.golang.org/protobuf/proto"

	"github.com/railhead-hub/railhead/opsd/store"
)

// Tokens are opaque to callers: a kind, a digest of the request they belong to,
// and numbers. They grant nothing; whoever makes one up gets other rows they may
// read anyway, or a refusal.

var errToken = errors.New("the token is not one this server gave for this request")

// The kinds of tokens.
const (
	tokenPayments byte = iota + 1
	tokenTimeline
	tokenWatch
	tokenDeadLetters
	tokenAudit
)

// scope is a digest of what a token belongs to.
func scope(m proto.Message, more ...uint64) uint32 {
	h := fnv.New32a()
	if m != nil {
		// Deterministic within one version is enough: a token that does not survive an
		// upgrade is refused and the caller begins again.
		raw, _ := proto.MarshalOptions{Deterministic: true}.Marshal(m)
		_, _ = h.Write(raw)
	}
	for _, v := range more {
		_, _ = h.Write(binary.BigEndian.AppendUint64(nil, v))
	}
	return h.Sum32()
}

func writeToken(kind byte, scope uint32, numbers ...uint64) string {
	raw := binary.BigEndian.AppendUint32([]byte{kind}, scope)
	for _, n := range numbers {
		raw = binary.AppendUvarint(raw, n)
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// readToken answers count numbers; all zero for the empty token.
func readToken(token string, kind byte, scope uint32, count int) ([]uint64, error) {
	numbers := make([]uint64, count)
	if token == "" {
		return numbers, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) < 5 || raw[0] != kind || binary.BigEndian.Uint32(raw[1:]) != scope {
		return nil, errToken
	}
	raw = raw[5:]
	for i := range numbers {
		v, n := binary.Uvarint(raw)
		if n <= 0 {
			return nil, errToken
		}
		numbers[i], raw = v, raw[n:]
	}
	if len(raw) != 0 {
		return nil, errToken
	}
	return numbers, nil
}

func placeToken(scope uint32, p store.Place) string {
	return writeToken(tokenTimeline, scope, uint64(p.Seq), uint64(p.ID.Cluster), uint64(p.ID.Incarnation), p.ID.Index, uint64(p.ID.N))
}

func readPlace(token string, scope uint32) (store.Place, error) {
	v, err := readToken(token, tokenTimeline, scope, 5)
	if err != nil {
		return store.Place{}, err
	}
	for i, n := range v {
		if n > 1<<63-1 || i != 3 && n > 1<<32-1 {
			return store.Place{}, errToken
		}
	}
	return store.Place{Seq: uint32(v[0]), ID: store.ID{Cluster: uint32(v[1]), Incarnation: uint32(v[2]), Index: v[3], N: uint32(v[4])}}, nil
}
