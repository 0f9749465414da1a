package replica

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// about is what a node says about itself to another that asks.
type about struct {
	clockMS int64
	index   uint64  // of the last log entry applied
	points  []Point // state hashes at earlier indexes
}

// encode gives the numbers, big-endian, 8 bytes each: clock, index, how many
// points, and each point's index and hash.
func (a about) encode() []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(a.clockMS))
	b = binary.BigEndian.AppendUint64(b, a.index)
	b = binary.BigEndian.AppendUint64(b, uint64(len(a.points)))
	for _, p := range a.points {
		b = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, p.Index), p.Hash)
	}
	return b
}

var errAnswer = errors.New("replica: a node answered something else than about itself")

func decodeAbout(r io.Reader) (a about, err error) {
	var head [24]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return a, err
	}
	a.clockMS, a.index = int64(binary.BigEndian.Uint64(head[:])), binary.BigEndian.Uint64(head[8:])
	count := binary.BigEndian.Uint64(head[16:])
	if count > ringPoints {
		return a, errAnswer
	}
	for range count {
		var p [16]byte
		if _, err := io.ReadFull(r, p[:]); err != nil {
			return a, err
		}
		a.points = append(a.points, Point{binary.BigEndian.Uint64(p[:]), binary.BigEndian.Uint64(p[8:])})
	}
	return a, nil
}

// ask asks the node at the address about itself, and says how far its clock is
// ahead of ours; it is taken to have been read half way between asking and
// hearing.
func (r *Replica) ask(address string) (a about, ahead time.Duration, err error) {
	const timeout = time.Second
	asked := r.cfg.Clock()
	conn, err := r.links.dial(address, timeout, linkAsk)
	if err != nil {
		return a, 0, fmt.Errorf("replica: ask the node at %s: %w", address, err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(timeout))
	if a, err = decodeAbout(conn); err != nil {
		return a, 0, fmt.Errorf("replica: ask the node at %s: %w", address, err)
	}
	heard := r.cfg.Clock()
	return a, time.Duration(a.clockMS-(asked+(heard-asked)/2)) * time.Millisecond, nil
}

// peersEvery is how often a leader compares itself with the other nodes.
const peersEvery = 5 * time.Second

func (r *Replica) watchPeers() {
	defer r.done.Done()
	ticker := time.NewTicker(peersEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-r.stop:
			return
		}
		if r.IsLeader() {
			r.comparePeers()
		}
	}
}

// comparePeers compares clocks and states once. A leader whose clock is off the
// majority's hands the lead over, because it stamps the entries, and limits and
// timers go by the stamps. A node with another state is reported: it must be
// taken out and its data looked at.
func (r *Replica) comparePeers() {
	members, err := r.configuration()
	if err != nil {
		return
	}
	voters := 0
	var mu sync.Mutex
	var ahead []time.Duration
	answers := make(map[string][]Point)
	var asked sync.WaitGroup
	for _, m := range members {
		if m.Voter {
			voters++
		}
		if m.ID == r.cfg.ID {
			continue
		}
		asked.Go(func() {
			a, d, err := r.ask(m.Address)
			if err != nil {
				return // a node that is away is Raft's business
			}
			mu.Lock()
			defer mu.Unlock()
			answers[m.ID] = a.points
			if m.Voter {
				ahead = append(ahead, d)
			}
		})
	}
	asked.Wait()
	for id, points := range answers {
		if p, differ := differing(r.applier.trail.list(), points); differ {
			r.metrics.mismatches.Inc()
			r.log.Error("a node's state differs from this one's: take it out of the cluster and keep its data", "peer", id, "index", p.Index)
		}
	}
	if r.cfg.ClockSkewMax < 0 {
		return
	}
	off, wrong := skewed(voters, ahead, r.cfg.ClockSkewMax)
	r.metrics.skew.Set(off.Seconds())
	if !wrong {
		return
	}
	r.log.Error("this node's clock is off the majority's; it hands the lead over", "behind_by", off)
	ctx, cancel := context.WithTimeout(context.Background(), peersEvery)
	defer cancel()
	if err := r.TransferLeadership(ctx, ""); err != nil {
		r.log.Error("the lead could not be handed over; it is tried again", "error", err)
	}
}

// differing returns the first index at which two nodes have different hashes.
func differing(ours, theirs []Point) (Point, bool) {
	hashes := make(map[uint64]uint64, len(ours))
	for _, p := range ours {
		hashes[p.Index] = p.Hash
	}
	for _, p := range theirs {
		if h, ok := hashes[p.Index]; ok && h != p.Hash {
			return p, true
		}
	}
	return Point{}, false
}

// skewed decides whether a leader is wrong about the time, given by how much
// other voters are ahead of it. It is, if more than half of all voters are off
// in the same direction; when they disagree among themselves, there is no
// majority to follow. off is the least by which those differ from it.
func skewed(voters int, ahead []time.Duration, limit time.Duration) (off time.Duration, wrong bool) {
	var above, below []time.Duration
	for _, d := range ahead {
		switch {
		case d > limit:
			above = append(above, d)
		case d < -limit:
			below = append(below, d)
		}
	}
	for _, side := range [][]time.Duration{above, below} {
		if len(side) <= voters/2 {
			continue
		}
		off = side[0]
		for _, d := range side {
			if d.Abs() < off.Abs() {
				off = d
			}
		}
		return off, true
	}
	return 0, false
}
