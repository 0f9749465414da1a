package engine

import (
	"fmt"
	"slices"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// Engine applies commands. It holds nothing but caches that rows can rebuild: two
// engines over equal rows behave alike. It is not safe for concurrent use.
type Engine struct {
	flows  map[flowKey]*flow
	names  map[servedName]string
	minter minter
	secret string
	// The command being applied, kept so that its slices need not be made anew.
	working application
}

// New returns an engine with empty caches.
func New() *Engine {
	e := &Engine{flows: make(map[flowKey]*flow), names: make(map[servedName]string)}
	a := &e.working
	a.whole = func() { a.reply = a.carryOut(a.cmd) }
	return e
}

// Apply carries out one command. It never fails: a refusal is a Reply of kind
// REJECTED whose code says why, and then nothing has changed.
func (e *Engine) Apply(tx Tx, stamp Stamp, cmd *enginev1.Command) (res Result) {
	a := &e.working
	a.begun(tx, stamp, e)
	defer a.forget()
	meta, found := get[*enginev1.Meta](a, Key{Table: TableMeta})
	if !found {
		meta = &enginev1.Meta{}
	}
	a.meta = meta
	if s := string(meta.Secret); s != e.secret {
		e.secret, e.minter = s, newMinter(meta.Secret)
	}
	if meta.Cluster == 0 && cmd.GetBootstrap() == nil && cmd.GetCount() == nil {
		return Result{Reply: a.refusal(CodeNotBootstrapped, "The cluster has not been bootstrapped yet.")}
	}
	a.cmd = cmd
	if f := a.guard(a.whole); f != nil {
		if f.payment != 0 {
			a.quarantine(f)
		}
		a.reply = a.refusal(f.code, f.text)
	}
	reply := a.reply
	if slices.Contains(a.told[:a.most], reply) {
		reply = copyOf(reply) // it outlives the events
	}
	return Result{Reply: reply, Events: a.told[:a.events:a.events], Hints: a.hints}
}

func (a *application) carryOut(cmd *enginev1.Command) *enginev1.Event {
	switch v := cmd.Verb.(type) {
	case *enginev1.Command_StartPayment:
		return a.startPayment(v.StartPayment)
	case *enginev1.Command_Publish:
		return a.publish(v.Publish)
	case *enginev1.Command_FinishJob:
		return a.finishJob(v.FinishJob)
	case *enginev1.Command_Intend:
		return a.intend(v.Intend)
	case *enginev1.Command_Answer:
		return a.answer(v.Answer)
	case *enginev1.Command_FireTimers:
		return a.fireTimers(v.FireTimers)
	case *enginev1.Command_Exported:
		return a.exported(v.Exported)
	case *enginev1.Command_Sequence:
		return a.sequence(v.Sequence)
	case *enginev1.Command_Emit:
		return a.emitOwn(v.Emit)
	case *enginev1.Command_Sleep:
		return a.sleep(v.Sleep)
	case *enginev1.Command_Checkpoint:
		return a.checkpoint(v.Checkpoint)
	case *enginev1.Command_Expire:
		return a.expire(v.Expire)
	case *enginev1.Command_ResolveIncident:
		return a.resolveIncident(v.ResolveIncident)
	case *enginev1.Command_CancelPayment:
		return a.cancelPayment(v.CancelPayment)
	case *enginev1.Command_Broadcast:
		return a.broadcast(v.Broadcast)
	case *enginev1.Command_SetVariables:
		return a.setPaymentVariables(v.SetVariables)
	case *enginev1.Command_RetryJob:
		return a.retryNow(v.RetryJob)
	case *enginev1.Command_MoveToken:
		return a.moveToken(v.MoveToken)
	case *enginev1.Command_MigratePayment:
		return a.migratePayment(v.MigratePayment)
	case *enginev1.Command_ClaimUserTask:
		return a.claimUserTask(v.ClaimUserTask)
	case *enginev1.Command_UpdateUserTask:
		return a.updateUserTask(v.UpdateUserTask)
	case *enginev1.Command_CompleteUserTask:
		return a.completeUserTask(v.CompleteUserTask)
	case *enginev1.Command_Deploy:
		return a.deploy(v.Deploy)
	case *enginev1.Command_InstallConnector:
		return a.installConnector(v.InstallConnector)
	case *enginev1.Command_ActivateConnector:
		return a.activateConnector(v.ActivateConnector)
	case *enginev1.Command_RollbackConnector:
		return a.rollbackConnector(v.RollbackConnector)
	case *enginev1.Command_RevokeConnector:
		return a.revokeConnector(v.RevokeConnector)
	case *enginev1.Command_PutTenant:
		return a.putTenant(v.PutTenant)
	case *enginev1.Command_Bootstrap:
		return a.bootstrap(v.Bootstrap)
	case *enginev1.Command_LeaderStarted:
		return a.leaderStarted(v.LeaderStarted)
	case *enginev1.Command_SetVersion:
		return a.setVersion(v.SetVersion)
	case *enginev1.Command_RaiseIncarnation:
		return a.raiseIncarnation(v.RaiseIncarnation)
	case *enginev1.Command_ReleaseEffects:
		return a.releaseEffects(v.ReleaseEffects)
	case *enginev1.Command_Forward:
		return a.forward(v.Forward)
	case *enginev1.Command_Forwarded:
		return a.forwarded(v.Forwarded)
	case *enginev1.Command_ReleaseForward:
		return a.releaseForward(v.ReleaseForward)
	case *enginev1.Command_Count:
		return a.count()
	}
	a.refuse(CodeBadCommand, "This node does not know the command; it may come from a newer version.")
	return nil
}

// application is one command being carried out: where it reads and writes, what
// it has made so far, and how to take it back.
type application struct {
	engine *Engine
	tx     Tx
	stamp  Stamp
	meta   *enginev1.Meta // immutable; setMeta replaces it
	// told holds the events of this command, the first so many of it, and room for
	// more: an event is large, and the next command finds it free again.
	told   []*enginev1.Event
	events int
	most   int // of told that this command has used, what it took back included
	hints  []Hint
	undo   []undoRow
	open   []*payment // payments loaded by this command
	// room holds what open points to, the first so many of it, for the next commands.
	room   []*payment
	loaded int
	cmd    *enginev1.Command
	reply  *enginev1.Event
	whole  func() // carries out cmd
	steps  int    // elements entered, against limitSteps
	work   int    // done by expressions, against limitWork
}

// begun makes a ready for a command, with the room that the one before it took.
func (a *application) begun(tx Tx, stamp Stamp, e *Engine) {
	if len(a.told) > 1024 {
		a.told = nil
	} else {
		for _, ev := range a.told[:a.most] {
			*ev = enginev1.Event{} // it may hold on to much
		}
	}
	*a = application{
		engine: e, tx: tx, stamp: stamp, whole: a.whole,
		undo: a.undo[:0], open: a.open[:0], room: a.room, told: a.told,
	}
}

// forget lets go of what a command held, but for its events, and keeps the room it
// took unless that was out of the ordinary.
func (a *application) forget() {
	if cap(a.undo) > 1024 {
		a.undo, a.open = nil, nil
	}
	clear(a.undo)
	clear(a.open)
	a.undo, a.open = a.undo[:0], a.open[:0]
	for _, p := range a.room[:a.loaded] {
		p.forget()
	}
	a.room = a.room[:min(len(a.room), 1024)]
	a.hints, a.tx, a.meta, a.cmd, a.reply = nil, nil, nil, nil, nil
}

type undoRow struct {
	key Key
	row Row // nil: there was none
}

// fault is the panic by which a command ends early: a refusal, or, where payment
// is set, a reason to quarantine that payment.
type fault struct {
	code, text string
	payment    uint64
}

// refuse ends the command: it is undone and answered with the code.
func (a *application) refuse(code, text string) {
	panic(&fault{code: code, text: text})
}

// guard runs part of a command. If it refuses or panics, everything it wrote,
// told and hinted is taken back and the fault is returned. A panic that is no
// refusal is blamed on the payment that was being worked on.
func (a *application) guard(part func()) (f *fault) {
	undo, events, hints, open := len(a.undo), a.events, len(a.hints), len(a.open)
	meta, steps, work := a.meta, a.steps, a.work
	a.steps, a.work = 0, 0
	defer func() {
		a.steps, a.work = steps, work
		r := recover()
		if r == nil {
			return
		}
		known, ok := r.(*fault)
		if !ok {
			known = &fault{code: CodeInternal, text: fmt.Sprintf("The engine could not apply the command: %v.", r)}
			if len(a.open) > open {
				known.payment = a.open[open].row.Payment
			}
		}
		for i := len(a.undo) - 1; i >= undo; i-- {
			if u := a.undo[i]; u.row == nil {
				a.tx.Delete(u.key)
			} else {
				a.tx.Put(u.key, u.row)
			}
		}
		clear(a.undo[undo:])
		a.undo, a.events, a.hints, a.open = a.undo[:undo], events, a.hints[:hints], a.open[:open]
		a.meta = meta
		f = known
	}()
	part()
	a.close(open)
	return nil
}

// closeAll writes back every payment the command has open, so that a part of it
// that is guarded on its own begins from rows.
func (a *application) closeAll() { a.close(0) }

func (a *application) close(from int) {
	for _, p := range a.open[from:] {
		p.save()
	}
	clear(a.open[from:])
	a.open = a.open[:from]
}

func (a *application) put(k Key, r Row) {
	if len(k.S) > limitKey {
		a.refuse(CodeTooLarge, "A name or a key is longer than 4,000 bytes.")
	}
	a.undo = append(a.undo, undoRow{k, a.tx.Put(k, r)})
}

func (a *application) delete(k Key) {
	if old := a.tx.Delete(k); old != nil {
		a.undo = append(a.undo, undoRow{k, old})
	}
}

func (a *application) setMeta(change func(*enginev1.Meta)) {
	meta := copyOf(a.meta)
	change(meta)
	a.put(Key{Table: TableMeta}, meta)
	a.meta = meta
}

func (a *application) hint(h Hint) { a.hints = append(a.hints, h) }

// tell adds an event to what the world will hear and returns it as it is kept; what is
// still to be said about it must be said of that one.
func (a *application) tell(what *enginev1.Event) *enginev1.Event {
	if a.events == len(a.told) {
		room := make([]enginev1.Event, min(max(2*len(a.told), 8), 64))
		for i := range room {
			a.told = append(a.told, &room[i])
		}
	}
	ev := a.told[a.events]
	*ev = *what
	a.frame(ev)
	ev.N = a.stamp.N + uint32(a.events)
	a.events++
	a.most = max(a.most, a.events)
	return ev
}

// positionBits is the room for the events of one log entry in a position.
const positionBits = 20

// position names the event that is told next, and orders it among all that were told
// before: by log index, then within the entry. It leaves the highest bit free.
func (a *application) position() uint64 {
	n := uint64(a.stamp.N + uint32(a.events))
	return a.stamp.Index<<positionBits | n&(1<<positionBits-1)
}

// frame fills in where and when; a reply that is not told carries it too.
func (a *application) frame(ev *enginev1.Event) *enginev1.Event {
	ev.Cluster, ev.Incarnation = a.meta.Cluster, a.meta.Incarnation
	ev.Index, ev.TimeMs = a.stamp.Index, a.stamp.TimeMS
	return ev
}

func (a *application) refusal(code, text string) *enginev1.Event {
	return a.frame(&enginev1.Event{Kind: enginev1.EventKind_EVENT_KIND_REJECTED, Code: code, Text: text})
}

// get reads a row of a known type; it reports false when there is none.
func get[R Row](a *application, k Key) (R, bool) {
	row, found := a.tx.Get(k)
	if !found {
		var none R
		return none, false
	}
	return row.(R), true
}

// copyOf makes a changeable copy of an immutable row. The slices are shared:
// whoever changes one copies it first.
func copyOf[T any](row *T) *T {
	c := *row
	return &c
}
