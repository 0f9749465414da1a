package store

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// ID is the id of a record: the same event exported twice carries the same one.
type ID struct {
	Cluster     uint32
	Incarnation uint32
	Index       uint64 // Raft log index
	N           uint32 // position within the index
}

// EventID is the id an event carries.
func EventID(e *enginev1.Event) ID {
	return ID{e.Cluster, e.Incarnation, e.Index, e.N}
}

// Compare orders ids of one cluster as they were made.
func (id ID) Compare(o ID) int {
	return cmp.Or(
		cmp.Compare(id.Incarnation, o.Incarnation),
		cmp.Compare(id.Index, o.Index),
		cmp.Compare(id.N, o.N),
	)
}

// String is the form of the record header: cluster-incarnation-index-n.
func (id ID) String() string {
	return fmt.Sprintf("%d-%d-%d-%d", id.Cluster, id.Incarnation, id.Index, id.N)
}

// ParseID is the inverse of String.
func ParseID(s string) (ID, error) {
	parts := strings.Split(s, "-")
	if len(parts) != 4 {
		return ID{}, fmt.Errorf("store: %q is not a record id", s)
	}
	var v [4]uint64
	for i, p := range parts {
		bits := 32
		if i == 2 {
			bits = 63
		}
		n, err := strconv.ParseUint(p, 10, bits)
		if err != nil {
			return ID{}, fmt.Errorf("store: %q is not a record id", s)
		}
		v[i] = n
	}
	return ID{uint32(v[0]), uint32(v[1]), v[2], uint32(v[3])}, nil
}
