package leader

import (
	"math"
	"time"

	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// timersAtOnce bounds one FireTimers command: other commands wait for no more than
// these. While many timers are due, so many such commands are under way that the log
// syncs some while others are applied.
const (
	timersAtOnce   = 200
	timersUnderWay = 4
)

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
		fired, next, err := t.fireDue()
		if err != nil {
			if t.ctx.Err() == nil {
				t.log.Warn("timers could not be fired", "err", err)
			}
			t.Clock.Until(t.ctx, t.Clock.NowMS()+time.Second.Milliseconds(), nil)
			continue
		}
		due = next
		if fired == 0 && due <= t.Clock.NowMS() {
			// The stamp is behind this clock, which only a clock that was set back
			// can bring about.
			t.Clock.Until(t.ctx, t.Clock.NowMS()+100, nil)
		}
	}
}

// fireDue fires what is due and returns how many timers that were and when the next
// one is due. Should the replies come out of order, that may be one which has fired:
// then it is looked at once more. A timer that is set meanwhile comes as a hint.
func (t *term) fireDue() (fired uint64, due int64, err error) {
	type outcome struct {
		reply *enginev1.Event
		err   error
	}
	outcomes := make(chan outcome, timersUnderWay)
	due = math.MaxInt64
	for underWay, want := 0, 1; underWay > 0 || want > 0; {
		for ; underWay < want; underWay++ {
			go func() {
				reply, err := t.propose(&enginev1.Command{Verb: &enginev1.Command_FireTimers{
					FireTimers: &enginev1.FireTimers{Limit: timersAtOnce},
				}})
				outcomes <- outcome{reply, err}
			}()
		}
		o := <-outcomes
		underWay--
		if o.err != nil {
			err, want = o.err, 0
			continue
		}
		t.Metrics.timersFired(o.reply.Value)
		fired += o.reply.Value
		due = math.MaxInt64
		if o.reply.DueMs > 0 {
			due = o.reply.DueMs
		}
		if want > 0 && o.reply.Value > 0 && due <= t.Clock.NowMS() {
			want = timersUnderWay
		} else {
			want = 0
		}
	}
	return fired, due, err
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
