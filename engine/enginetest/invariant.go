package enginetest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// Check reports the first place where rows contradict each other: a job, timer,
// subscription or incident whose payment knows nothing of it, or the other way
// round. A sound state leaves nothing behind when a payment ends.
func Check(tx engine.Tx) error {
	c := &checker{tx: tx, instances: make(map[uint64]*enginev1.Instance)}
	tx.Ascend(engine.Key{Table: engine.TableInstance}, func(k engine.Key, row engine.Row) bool {
		c.instances[k.A] = row.(*enginev1.Instance)
		return true
	})
	c.jobs()
	c.timers()
	c.subscriptions()
	c.signals()
	c.userTasks()
	c.messages()
	c.starts()
	c.incidents()
	c.effects()
	c.tokens()
	return c.err
}

type checker struct {
	tx        engine.Tx
	instances map[uint64]*enginev1.Instance
	err       error
}

func (c *checker) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
}

// each visits the rows of one table whose payments are to be known.
func (c *checker) each(table engine.Table, visit func(engine.Key, engine.Row)) {
	c.tx.Ascend(engine.Key{Table: table}, func(k engine.Key, row engine.Row) bool {
		visit(k, row)
		return true
	})
}

func (c *checker) token(payment uint64, matches func(*enginev1.Token) bool) bool {
	in := c.instances[payment]
	return in != nil && slices.ContainsFunc(in.Tokens, matches)
}

func (c *checker) wait(payment uint64, n uint32) bool {
	is := func(w *enginev1.Wait) bool { return w.N == n }
	in := c.instances[payment]
	return in != nil && (slices.ContainsFunc(in.Tokens, func(t *enginev1.Token) bool { return slices.ContainsFunc(t.Waits, is) }) ||
		slices.ContainsFunc(in.Scopes, func(s *enginev1.Scope) bool { return slices.ContainsFunc(s.Waits, is) }))
}

func (c *checker) jobs() {
	c.each(engine.TableJob, func(k engine.Key, row engine.Row) {
		job := row.(*enginev1.Job)
		if !c.token(k.A, func(t *enginev1.Token) bool { return t.Job == job.N && t.N == job.Token }) {
			c.fail("job %d of payment %x belongs to no token", job.N, k.A)
		}
	})
}

func (c *checker) timers() {
	c.each(engine.TableTimer, func(k engine.Key, row engine.Row) {
		for _, d := range row.(*enginev1.Timer).Due {
			switch d.Kind {
			case enginev1.TimerKind_TIMER_KIND_WAIT:
				if !c.wait(k.B, d.N) {
					c.fail("a timer of payment %x wakes wait %d, which is not there", k.B, d.N)
				}
			case enginev1.TimerKind_TIMER_KIND_JOB:
				row, found := c.tx.Get(engine.Key{Table: engine.TableJob, A: k.B, B: uint64(d.N)})
				if !found || row.(*enginev1.Job).DueMs != int64(k.A) {
					c.fail("a timer of payment %x wakes job %d, which does not wait for it", k.B, d.N)
				}
			case enginev1.TimerKind_TIMER_KIND_MESSAGE:
				if _, found := c.tx.Get(engine.Key{Table: engine.TableCorrelation, S: d.Subject}); !found {
					c.fail("a timer ends a message that is not there")
				}
			}
		}
	})
}

func (c *checker) subscriptions() {
	c.each(engine.TableCorrelation, func(_ engine.Key, row engine.Row) {
		for _, s := range row.(*enginev1.Correlation).Subscriptions {
			if !c.wait(s.Payment, s.Wait) {
				c.fail("a subscription of payment %x has no wait %d", s.Payment, s.Wait)
			}
		}
	})
}

func (c *checker) signals() {
	c.each(engine.TableSignal, func(k engine.Key, _ engine.Row) {
		if !c.wait(k.A, uint32(k.B)) {
			c.fail("a signal subscription of payment %x has no wait %d", k.A, k.B)
		}
	})
	c.each(engine.TableDelivery, func(k engine.Key, _ engine.Row) {
		found := false
		c.each(engine.TableTimer, func(_ engine.Key, row engine.Row) {
			found = found || slices.ContainsFunc(row.(*enginev1.Timer).Due, func(d *enginev1.Due) bool {
				return d.Kind == enginev1.TimerKind_TIMER_KIND_SIGNAL && d.Message == k.A
			})
		})
		if !found {
			c.fail("nothing delivers signal %x", k.A)
		}
	})
}

func (c *checker) userTasks() {
	c.each(engine.TableUserTask, func(k engine.Key, row engine.Row) {
		task := row.(*enginev1.UserTask)
		if !c.token(k.A, func(t *enginev1.Token) bool { return t.UserTask == task.N && t.N == task.Token }) {
			c.fail("user task %d of payment %x belongs to no token", task.N, k.A)
		}
	})
}

// messages checks that every buffered message ends some day and is counted.
func (c *checker) messages() {
	kept := make(map[string]uint64)
	c.each(engine.TableCorrelation, func(k engine.Key, row engine.Row) {
		tenant, _, _ := strings.Cut(k.S, "\x00")
		for _, m := range row.(*enginev1.Correlation).Messages {
			kept[tenant]++
			timer, found := c.tx.Get(engine.Key{Table: engine.TableTimer, A: uint64(m.ExpiresMs), B: 1<<63 | m.N})
			if !found || len(timer.(*enginev1.Timer).Due) != 1 {
				c.fail("message %x has no timer of its own", m.N)
			}
		}
	})
	c.each(engine.TableTenant, func(k engine.Key, _ engine.Row) {
		var counted uint64
		if row, found := c.tx.Get(engine.Key{Table: engine.TableCounter, S: k.S + "\x00"}); found {
			counted = row.(*enginev1.Counter).Value
		}
		if counted != kept[k.S] {
			c.fail("tenant %q keeps %d messages and counts %d", k.S, kept[k.S], counted)
		}
	})
}

// starts checks that a client key is remembered as long as its payment is.
func (c *checker) starts() {
	check := func(payment uint64, tenant, channel, key string) {
		if key == "" {
			return
		}
		if row, found := c.tx.Get(engine.StartIndexKey(tenant, channel, key)); !found || row.(*enginev1.StartID).Payment != payment {
			c.fail("payment %x is not found by its client key %q", payment, key)
		}
	}
	for payment, in := range c.instances {
		check(payment, in.Tenant, in.Channel, in.ClientKey)
	}
	c.each(engine.TableReceipt, func(k engine.Key, row engine.Row) {
		r := row.(*enginev1.Receipt)
		check(k.A, r.Tenant, r.Channel, r.ClientKey)
	})
}

func (c *checker) incidents() {
	c.each(engine.TableIncident, func(k engine.Key, row engine.Row) {
		in := c.instances[k.A]
		if in == nil || !slices.Contains(in.Incidents, uint32(k.B)) {
			c.fail("incident %d belongs to no payment %x", k.B, k.A)
		}
	})
}

func (c *checker) effects() {
	c.each(engine.TableEffect, func(k engine.Key, row engine.Row) {
		in := c.instances[k.A]
		if in == nil || !slices.Contains(in.EffectKeys, k.S) {
			c.fail("effect %q belongs to no payment %x", k.S, k.A)
		}
	})
}

// tokens checks the other direction: whatever a token names is there.
func (c *checker) tokens() {
	for payment, in := range c.instances {
		if len(in.Tokens) == 0 {
			c.fail("payment %x runs without a token", payment)
		}
		for _, s := range in.Scopes {
			if s.Parent != 0 && !slices.ContainsFunc(in.Scopes, func(o *enginev1.Scope) bool { return o.N == s.Parent }) {
				c.fail("scope %d of payment %x lies in no scope", s.N, payment)
			}
			if s.Token != 0 && !c.token(payment, func(t *enginev1.Token) bool { return t.N == s.Token }) {
				c.fail("scope %d of payment %x belongs to no token", s.N, payment)
			}
		}
		for _, t := range in.Tokens {
			if !slices.ContainsFunc(in.Scopes, func(s *enginev1.Scope) bool { return s.N == t.Scope }) {
				c.fail("token %d of payment %x has no scope", t.N, payment)
			}
			if t.Job != 0 {
				if _, found := c.tx.Get(engine.Key{Table: engine.TableJob, A: payment, B: uint64(t.Job)}); !found {
					c.fail("token %d of payment %x has no job %d", t.N, payment, t.Job)
				}
			}
			if t.UserTask != 0 {
				if _, found := c.tx.Get(engine.Key{Table: engine.TableUserTask, A: payment, B: uint64(t.UserTask)}); !found {
					c.fail("token %d of payment %x has no user task %d", t.N, payment, t.UserTask)
				}
			}
			c.waits(in, t.Waits)
		}
		for _, s := range in.Scopes {
			c.waits(in, s.Waits)
		}
	}
}

func (c *checker) waits(in *enginev1.Instance, waits []*enginev1.Wait) {
	for _, w := range waits {
		switch {
		case w.DueMs != 0:
			row, found := c.tx.Get(engine.Key{Table: engine.TableTimer, A: uint64(w.DueMs), B: in.Payment})
			if !found || !slices.ContainsFunc(row.(*enginev1.Timer).Due, func(d *enginev1.Due) bool {
				return d.Kind == enginev1.TimerKind_TIMER_KIND_WAIT && d.N == w.N
			}) {
				c.fail("wait %d of payment %x has no timer", w.N, in.Payment)
			}
		case w.Name != "":
			row, found := c.tx.Get(engine.Key{Table: engine.TableCorrelation, S: in.Tenant + "\x00" + w.Name + "\x00" + w.Key})
			if !found || !slices.ContainsFunc(row.(*enginev1.Correlation).Subscriptions, func(s *enginev1.Subscription) bool {
				return s.Payment == in.Payment && s.Wait == w.N
			}) {
				c.fail("wait %d of payment %x has no subscription", w.N, in.Payment)
			}
		case w.Signal != "":
			if _, found := c.tx.Get(engine.Key{Table: engine.TableSignal, S: in.Tenant + "\x00" + w.Signal, A: in.Payment, B: uint64(w.N)}); !found {
				c.fail("wait %d of payment %x has no signal subscription", w.N, in.Payment)
			}
		default:
			c.fail("wait %d of payment %x waits for nothing", w.N, in.Payment)
		}
	}
}
