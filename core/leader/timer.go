package leader

import (
	"math"
	"time"

	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// timersAtOnce bounds one FireTimers command.
const timersAtOnce = 500

// fireTimers proposes FireTimers whenever the earliest timer row is due by the
// node's clock. The rows are looked at once when leadership begins; after that
// hints and the command's reply say what comes next.
func (t *term) fireTimers() {
	due, err := t.firstTimer()
	if err != nil {
		t.log.Error("the timers cannot be read", "err", err)
		return
	}
	for t.ctx.Err() == nil {
		t.mu.Lock()
		due = min(due, t.dueMS)
		t.dueMS = math.MaxInt64
		t.mu.Unlock()
		now := t.Clock.NowMS()
		if due > now {
			// An hour at most, so that a system clock that was set is noticed.
			t.Clock.Until(t.ctx, min(due, now+time.Hour.Milliseconds()), t.timer)
			continue
		}
		reply, err := t.propose(&enginev1.Command{Verb: &enginev1.Command_FireTimers{
			FireTimers: &enginev1.FireTimers{Limit: timersAtOnce},
		}})
		if err != nil {
			if t.ctx.Err() == nil {
				t.log.Warn("timers could not be fired", "err", err)
			}
			t.Clock.Until(t.ctx, t.Clock.NowMS()+time.Second.Milliseconds(), nil)
			continue
		}
		t.Metrics.timersFired(reply.Value)
		due = math.MaxInt64
		if reply.DueMs > 0 {
			due = reply.DueMs
		}
		if reply.Value == 0 && due <= t.Clock.NowMS() {
			// The stamp is behind this clock, which only a clock that was set back
			// can bring about.
			t.Clock.Until(t.ctx, t.Clock.NowMS()+100, nil)
		}
	}
}

func (t *term) firstTimer() (int64, error) {
	due := int64(math.MaxInt64)
	err := t.Log.View(func(tx engine.Tx) error {
		tx.Ascend(engine.Key{Table: engine.TableTimer}, func(k engine.Key, _ engine.Row) bool {
			due = int64(min(k.A, math.MaxInt64))
			return false
		})
		return nil
	})
	return due, err
}

// expireAtOnce bounds one Expire command.
const expireAtOnce = 1000

// expire lets receipts and ids past their retention go, a bounded number at a
// time.
func (t *term) expire() {
	for t.ctx.Err() == nil {
		reply, err := t.propose(&enginev1.Command{Verb: &enginev1.Command_Expire{
			Expire: &enginev1.Expire{Limit: expireAtOnce},
		}})
		if err == nil && reply.Value >= expireAtOnce {
			continue
		}
		pause := time.NewTimer(t.ExpireEvery)
		select {
		case <-pause.C:
		case <-t.ctx.Done():
			pause.Stop()
		}
	}
}
