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
	c.messages()
	c.starts()
	c.messageStarts()
	c.incidents()
	c.effects()
	c.userTasks()
	c.signals()
	c.forwards()
	c.tokens()
	c.scopes()
	c.pins()
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

func (c *checker) wait(payment uint64, n uint32) *enginev1.Wait {
	in := c.instances[payment]
	if in == nil {
		return nil
	}
	var waits []*enginev1.Wait
	for _, t := range in.Tokens {
		waits = append(waits, t.Waits...)
	}
	for _, s := range in.Scopes {
		waits = append(waits, s.Waits...)
	}
	for _, w := range waits {
		if w.N == n {
			return w
		}
	}
	return nil
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
				if w := c.wait(k.B, d.N); w == nil || w.DueMs != int64(k.A) {
					c.fail("a timer of payment %x wakes wait %d, which does not wait for it", k.B, d.N)
				}
			case enginev1.TimerKind_TIMER_KIND_JOB:
				row, found := c.tx.Get(engine.Key{Table: engine.TableJob, A: k.B, B: uint64(d.N)})
				if !found || row.(*enginev1.Job).DueMs != int64(k.A) {
					c.fail("a timer of payment %x wakes job %d, which does not wait for it", k.B, d.N)
				}
			case enginev1.TimerKind_TIMER_KIND_SIGNAL:
				if _, found := c.tx.Get(engine.Key{Table: engine.TableDelivery, A: d.Message}); !found {
					c.fail("a timer delivers signal %x, which is not there", d.Message)
				}
			case enginev1.TimerKind_TIMER_KIND_FORWARD:
				row, found := c.tx.Get(engine.Key{Table: engine.TableForward, S: d.Subject, A: d.Message})
				if !found || row.(*enginev1.ForwardedFrame).UntilMs != int64(k.A) ||
					row.(*enginev1.ForwardedFrame).State != enginev1.ForwardState_FORWARD_STATE_WAITING {
					c.fail("a timer parks frame %d, which does not wait for it", d.Message)
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
			if c.wait(s.Payment, s.Wait) == nil {
				c.fail("a subscription of payment %x has no wait %d", s.Payment, s.Wait)
			}
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

// messageStarts checks that a flow started by a key is held back by the payment that
// runs, and by no other.
func (c *checker) messageStarts() {
	key := func(in *enginev1.Instance) string { return in.Tenant + "\x00" + in.Flow + "\x00" + in.MessageKey }
	for payment, in := range c.instances {
		if in.MessageKey == "" {
			continue
		}
		row, found := c.tx.Get(engine.Key{Table: engine.TableMessageStart, S: key(in)})
		if !found || row.(*enginev1.MessageStart).Payment != payment {
			c.fail("payment %x, started by key %q, holds no other back", payment, in.MessageKey)
		}
	}
	c.each(engine.TableMessageStart, func(k engine.Key, row engine.Row) {
		payment := row.(*enginev1.MessageStart).Payment
		if in := c.instances[payment]; in == nil || key(in) != k.S {
			c.fail("payment %x holds back %q, by which it was not started", payment, k.S)
		}
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

func (c *checker) userTasks() {
	c.each(engine.TableUserTask, func(k engine.Key, row engine.Row) {
		task := row.(*enginev1.UserTask)
		if !c.token(k.A, func(t *enginev1.Token) bool { return t.UserTask == uint32(k.B) && t.N == task.Token }) {
			c.fail("user task %d of payment %x belongs to no token", k.B, k.A)
		}
	})
}

// signals checks that who waits for a signal knows it, and that every broadcast on
// its way is delivered some day.
func (c *checker) signals() {
	c.each(engine.TableSignal, func(k engine.Key, _ engine.Row) {
		in := c.instances[k.A]
		if w := c.wait(k.A, uint32(k.B)); w == nil || k.S != in.Tenant+"\x00"+w.Signal {
			c.fail("payment %x does not know that wait %d is for signal %q", k.A, k.B, k.S)
		}
	})
	onTheWay := make(map[uint64]bool)
	c.each(engine.TableTimer, func(_ engine.Key, row engine.Row) {
		for _, d := range row.(*enginev1.Timer).Due {
			onTheWay[d.Message] = onTheWay[d.Message] || d.Kind == enginev1.TimerKind_TIMER_KIND_SIGNAL
		}
	})
	sent := make(map[string]uint64)
	c.each(engine.TableDelivery, func(k engine.Key, row engine.Row) {
		sent[row.(*enginev1.SignalDelivery).Tenant]++
		if !onTheWay[k.A] {
			c.fail("signal %x has no timer that delivers it", k.A)
		}
	})
	c.each(engine.TableTenant, func(k engine.Key, _ engine.Row) {
		var counted uint64
		if row, found := c.tx.Get(engine.Key{Table: engine.TableCounter, S: k.S + "\x00\x00"}); found {
			counted = row.(*enginev1.Counter).Value
		}
		if counted != sent[k.S] {
			c.fail("tenant %q has %d broadcasts on their way and counts %d", k.S, sent[k.S], counted)
		}
	})
}

// tokens checks the other direction: whatever a token names is there.
func (c *checker) tokens() {
	for payment, in := range c.instances {
		if len(in.Tokens) == 0 {
			c.fail("payment %x runs without a token", payment)
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
			if t.Incident != 0 && !slices.Contains(in.Incidents, t.Incident) {
				c.fail("token %d of payment %x has no incident %d", t.N, payment, t.Incident)
			}
			c.waits(in, t.Waits)
		}
	}
}

// scopes checks that the scopes of a payment are a tree, that one waits outside for
// what is inside, and that none is empty. Scopes of a payment that is cancelled stay
// for what was completed in them.
func (c *checker) scopes() {
	for payment, in := range c.instances {
		seen := make(map[uint32]*enginev1.Scope)
		inhabited := make(map[uint32]bool)
		for _, s := range in.Scopes {
			if s.Parent != 0 && seen[s.Parent] == nil {
				c.fail("scope %d of payment %x lies in no scope made before it", s.N, payment)
			}
			if seen[s.N] != nil {
				c.fail("payment %x has two scopes %d", payment, s.N)
			}
			seen[s.N] = s
			c.waits(in, s.Waits)
			if s.Token == 0 {
				if s.Parent != 0 && !in.Cancelling {
					c.fail("scope %d of payment %x belongs to no token", s.N, payment)
				}
				continue
			}
			if !c.token(payment, func(t *enginev1.Token) bool { return t.N == s.Token }) {
				c.fail("scope %d of payment %x belongs to token %d, which is not there", s.N, payment, s.Token)
			}
		}
		for _, t := range in.Tokens {
			for s := seen[t.Scope]; s != nil; s = seen[s.Parent] {
				inhabited[s.N] = true
			}
		}
		for _, s := range in.Scopes {
			if !inhabited[s.N] && !in.Cancelling {
				c.fail("scope %d of payment %x holds no token", s.N, payment)
			}
			if s.Loop != nil && int(s.Loop.Begun) > len(s.Loop.Items) {
				c.fail("loop %d of payment %x has begun more rounds than it has items", s.N, payment)
			}
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
				c.fail("wait %d of payment %x has no subscription to its signal", w.N, in.Payment)
			}
		default:
			c.fail("wait %d of payment %x waits for nothing", w.N, in.Payment)
		}
	}
}
