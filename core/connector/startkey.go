package connector

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/railhead-hub/railhead/engine"
)

// StartKey is the index key under which the engine finds what a channel started
// with a client key: 128 bits of a SHA-256 over the three names, each preceded by
// its length. A test holds it against the engine.
func StartKey(tenant, channel, clientKey string) engine.Key {
	h := sha256.New()
	for _, part := range []string{tenant, channel, clientKey} {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part))))
		h.Write([]byte(part))
	}
	sum := h.Sum(nil)
	return engine.Key{
		Table: engine.TableStartIndex,
		A:     binary.BigEndian.Uint64(sum), B: binary.BigEndian.Uint64(sum[8:]),
	}
}
