package replica

import (
	"fmt"

	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// A program that does not know the engine's version of its cluster would come to other
// rows than the other nodes, so it does not come to any. Control asks every node before
// it proposes a version; what is here stops a node that was away then, or that somebody
// took back to an earlier program.

// checkVersion reports rows of a version that this program does not know.
func (s *store) checkVersion() error {
	x := tx{store: s}
	defer x.end()
	row, found := x.Get(engine.Key{Table: engine.TableMeta})
	if !found {
		return nil
	}
	if version := row.(*enginev1.Meta).Version; version > engine.Version {
		return fmt.Errorf("replica: %s", unknownVersion(version))
	}
	return nil
}

// mustKnow stops the node before a log entry whose meaning it cannot know.
func mustKnow(index uint64, cmd *enginev1.Command) {
	if v := cmd.GetSetVersion(); v != nil && v.Version > engine.Version {
		panic(fmt.Sprintf("replica: log entry %d: %s", index, unknownVersion(v.Version)))
	}
}

func unknownVersion(version uint32) string {
	return fmt.Sprintf("the cluster is at version %d of the engine, and this program knows it up to %d; run a later railhead on this node",
		version, engine.Version)
}
