package replica

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/railhead-hub/railhead/core/outbox"
	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// Machine is what a replica runs: engine.Engine, or a machine that only counts,
// by which the cost of replication alone is measured. Apply must be a pure
// function of its arguments and of the rows.
type Machine interface {
	Apply(engine.Tx, engine.Stamp, *enginev1.Command) engine.Result
}

// Config is how one replica runs. ID, Dir, Bind and Machine must be set; zero
// values of the rest mean the default named beside them.
type Config struct {
	ID  string // unique in the cluster; the same at every start
	Dir string // this replica's alone

	// Bind is the TCP address to listen on, host:port.
	Bind string
	// Listener, where set, is used instead of listening on Bind.
	Listener net.Listener
	// Peers maps the id of every first member, this one included, to the address
	// under which the others reach it. Every member is started with equal Peers.
	// Empty: this node alone, at Bind.
	Peers map[string]string
	// Join: the node is not one of the first members; it waits until the leader
	// adds it.
	Join bool
	// TLS secures the links between nodes. It must hold a certificate, RootCAs and
	// ClientCAs, and should demand client certificates. Nil: plain TCP.
	TLS *tls.Config

	// Cluster, 1 to 1023, names the cluster when its first leader finds it empty.
	// 0: nobody bootstraps the engine, for machines that need none.
	Cluster uint32

	Machine Machine
	// Clock tells the time in milliseconds since 1970; default the system's.
	Clock func() int64
	// OnHints receives what applied entries give the leader to do. It is called on
	// the apply loop, only while this node leads, and must not block.
	OnHints func([]engine.Hint)

	Logger  *slog.Logger          // default slog.Default()
	Metrics prometheus.Registerer // default none

	// CheckpointEvery (2 s) and CheckpointBytes (64 MiB of log applied) say when a
	// checkpoint is written, whichever comes first.
	CheckpointEvery time.Duration
	CheckpointBytes int64
	// DeltaMaxBytes (1 GiB) of log applied but in no checkpoint: above it proposals
	// are refused.
	DeltaMaxBytes int64
	// LogMaxBytes (256 MiB) of log are kept before it is cut.
	LogMaxBytes int64
	// SegmentBytes is the size of an outbox segment; default the outbox's.
	SegmentBytes int64
	// A table of no more than ResidentRows (1,000) stays in memory. Of the larger
	// ones, rows that the checkpoint holds do as long as they take up less than
	// ResidentBytes (16 MiB) there, which is a multiple of that in memory.
	ResidentRows  int
	ResidentBytes int64
	// MapBytes (8 GiB) of address space are set aside for the checkpoint file.
	MapBytes int

	// EntryCommands (256) and EntryBytes (1 MiB) bound one log entry; a single
	// command may be as long as CommandBytes (8 MiB).
	EntryCommands int
	EntryBytes    int
	CommandBytes  int
	// QueueBytes (64 MiB) of commands may wait to be packed.
	QueueBytes int64
	// InFlight (8) entries may be on their way at once.
	InFlight int

	// ElectionTimeout (1 s; 200 ms in a cluster of one) without a leader's word
	// calls an election. A cluster of one that others join should be given theirs.
	ElectionTimeout time.Duration
	// ClockSkewMax (2 s) is how far the leader's clock may be off the majority's
	// before it steps down; negative: not looked at.
	ClockSkewMax time.Duration
}

func (c *Config) complete() error {
	var errs []error
	if c.ID == "" {
		errs = append(errs, errors.New("the node has no id"))
	}
	if c.Dir == "" {
		errs = append(errs, errors.New("the node has no directory"))
	}
	if c.Bind == "" && c.Listener == nil {
		errs = append(errs, errors.New("the node has no address to listen on"))
	}
	if c.Machine == nil {
		errs = append(errs, errors.New("there is no machine to run"))
	}
	if len(c.Peers) > 0 && !c.Join {
		if _, ok := c.Peers[c.ID]; !ok {
			errs = append(errs, fmt.Errorf("the node %q is not among its peers", c.ID))
		}
	}
	if c.Cluster > 1023 {
		errs = append(errs, fmt.Errorf("the cluster number %d is above 1023", c.Cluster))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("replica: configuration: %w", err)
	}
	if c.Clock == nil {
		c.Clock = func() int64 { return time.Now().UnixMilli() }
	}
	if c.OnHints == nil {
		c.OnHints = func([]engine.Hint) {}
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	fill(&c.CheckpointEvery, 2*time.Second)
	fill(&c.CheckpointBytes, 64<<20)
	fill(&c.DeltaMaxBytes, 1<<30)
	fill(&c.LogMaxBytes, 256<<20)
	fill(&c.SegmentBytes, outbox.DefaultSegmentBytes)
	fill(&c.ResidentRows, 1000)
	fill(&c.ResidentBytes, 16<<20)
	fill(&c.MapBytes, 8<<30)
	fill(&c.EntryCommands, 256)
	fill(&c.EntryBytes, 1<<20)
	fill(&c.CommandBytes, 8<<20)
	fill(&c.QueueBytes, 64<<20)
	fill(&c.InFlight, 8)
	fill(&c.ClockSkewMax, 2*time.Second)
	if len(c.Peers) <= 1 && !c.Join {
		fill(&c.ElectionTimeout, 200*time.Millisecond)
	}
	fill(&c.ElectionTimeout, time.Second)
	return nil
}

func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
