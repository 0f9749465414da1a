package replica

import (
	"context"
	"sync"
	"time"
)

// clockEvery is how often a leader compares clocks.
const clockEvery = 5 * time.Second

// watchClock makes a leader whose clock is off the majority's step down: it
// stamps the entries, and limits and timers go by the stamps.
func (r *Replica) watchClock() {
	defer r.done.Done()
	if r.cfg.ClockSkewMax < 0 {
		return
	}
	ticker := time.NewTicker(clockEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-r.stop:
			return
		}
		if r.IsLeader() {
			r.checkClock()
		}
	}
}

// checkClock compares clocks once and hands the lead over if ours is wrong.
func (r *Replica) checkClock() {
	members, err := r.configuration()
	if err != nil {
		return
	}
	voters := 0
	var mu sync.Mutex
	var ahead []time.Duration
	var asked sync.WaitGroup
	for _, m := range members {
		if !m.Voter {
			continue
		}
		voters++
		if m.ID == r.cfg.ID {
			continue
		}
		asked.Add(1)
		go func() {
			defer asked.Done()
			peer, err := r.links.ask(m.Address, time.Second)
			if err != nil {
				return // a node that is away is Raft's business
			}
			mu.Lock()
			defer mu.Unlock()
			ahead = append(ahead, peer.ahead)
		}()
	}
	asked.Wait()
	off, wrong := skewed(voters, ahead, r.cfg.ClockSkewMax)
	r.metrics.skew.Set(off.Seconds())
	if !wrong {
		return
	}
	r.log.Error("this node's clock is off the majority's; it hands the lead over", "behind_by", off)
	ctx, cancel := context.WithTimeout(context.Background(), clockEvery)
	defer cancel()
	if err := r.TransferLeadership(ctx, ""); err != nil {
		r.log.Error("the lead could not be handed over; it is tried again", "error", err)
	}
}

// skewed decides whether a leader is wrong about the time, given by how much
// other voters are ahead of it. It is, if more than half of all voters are off
// in the same direction; when they disagree among themselves, there is no
// majority to follow. off is the least by which they differ from it.
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
