package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"

	"connectrpc.com/connect"

	"github.com/railhead-hub/railhead/core/replica"
	corev1 "github.com/railhead-hub/railhead/core/v1"
	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// Drive takes batches in and gives batches out. A receiving goroutine enqueues
// every item; the replica's callbacks append to lists; the handler's goroutine
// sends whatever has gathered while it was sending. Nothing is done per item but
// one append, so batches grow with the load and a single item is not delayed.
func (s *Service) Drive(ctx context.Context, stream *connect.BidiStream[corev1.DriveRequest, corev1.DriveResponse]) error {
	d := &drive{Service: s, wake: make(chan struct{}, 1), room: make(chan struct{}, 1), ended: make(map[uint64][]uint64)}
	s.endings.join(d) // before the look, so that no loss of the lead falls between
	defer d.forget()
	if !s.Replica.IsLeader() {
		return s.fromPropose(nil, replica.ErrNotLeader)
	}
	received := make(chan error, 1)
	go func() { received <- d.receive(ctx, stream) }()
	for closing := false; ; {
		batch, err := d.take()
		if err != nil {
			return err
		}
		if batch != nil {
			if err := stream.Send(batch); err != nil {
				return err
			}
			d.sent(batch)
			continue
		}
		if closing && d.idle() {
			return nil
		}
		select {
		case <-d.wake:
		case err := <-received:
			if err != nil {
				return err
			}
			closing = true // the caller has said everything and waits for the answers
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// drive is one stream.
type drive struct {
	*Service
	wake chan struct{}
	room chan struct{} // outstanding has gone down

	mu          sync.Mutex
	out         *corev1.DriveResponse
	fresh       []uint64            // payments started since the last batch, whose end is to be told
	over        []uint64            // payments that have ended
	ended       map[uint64][]uint64 // refs by payment, of those whose end is to be told
	outstanding int                 // items taken and not answered
	lost        bool                // this node leads no more
}

// perMessage bounds the items of one message.
const perMessage = 10_000

// receive takes batches in until the caller closes its side.
func (d *drive) receive(ctx context.Context, stream *connect.BidiStream[corev1.DriveRequest, corev1.DriveResponse]) error {
	for {
		r, err := stream.Receive()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		n := len(r.Starts) + len(r.Publishes) + len(r.Counts)
		if n > perMessage {
			return refuse(connect.CodeInvalidArgument, "TOO_LARGE", "A message holds at most %d items, not %d.", perMessage, n)
		}
		if !d.admit(ctx, n) {
			return context.Cause(ctx)
		}
		for _, item := range r.Starts {
			d.start(item)
		}
		for _, item := range r.Publishes {
			d.publish(item)
		}
		for _, item := range r.Counts {
			d.count(item, 0)
		}
	}
}

// admit waits until there is room for more items.
func (d *drive) admit(ctx context.Context, items int) bool {
	for {
		d.mu.Lock()
		if d.outstanding == 0 || d.outstanding+items <= d.DriveOutstanding {
			d.outstanding += items
			d.mu.Unlock()
			return true
		}
		d.mu.Unlock()
		select {
		case <-d.room:
		case <-ctx.Done():
			return false
		}
	}
}

func (d *drive) start(item *corev1.DriveStart) {
	vars, code := driveVariables(item.Variables)
	cmd := &enginev1.Command{Verb: &enginev1.Command_StartPayment{StartPayment: &enginev1.StartPayment{
		Tenant: item.Tenant, Flow: item.Flow, Channel: item.Channel, ClientKey: item.ClientKey,
		RequestDigest: item.RequestDigest, Variables: vars, UuidVariable: item.UuidVariable,
	}}}
	answer := func(reply *enginev1.Event, err error) {
		started := &corev1.DriveStarted{Ref: item.Ref, Code: itemCode(reply, err)}
		if started.Code == "" {
			started.Payment = reply.Uuid
			started.RepeatedStart = reply.Kind == enginev1.EventKind_EVENT_KIND_START_REPEATED
		}
		notify := item.NotifyEnd && started.Code == ""
		if notify {
			d.endings.watch(reply.Payment, d)
		}
		d.add(func(out *corev1.DriveResponse) {
			out.Started = append(out.Started, started)
			if notify {
				d.fresh = append(d.fresh, reply.Payment)
				d.ended[reply.Payment] = append(d.ended[reply.Payment], item.Ref)
			}
		})
	}
	d.enqueue(cmd, code, answer)
}

func (d *drive) publish(item *corev1.DrivePublish) {
	vars, code := driveVariables(item.Variables)
	cmd := &enginev1.Command{Verb: &enginev1.Command_Publish{Publish: &enginev1.Publish{
		Tenant: item.Tenant, Name: item.Name, Key: item.Key, MessageId: item.MessageId, TtlMs: item.TtlMs, Variables: vars,
	}}}
	d.enqueue(cmd, code, func(reply *enginev1.Event, err error) {
		d.add(func(out *corev1.DriveResponse) {
			out.Published = append(out.Published, &corev1.DrivePublished{Ref: item.Ref, Code: itemCode(reply, err)})
		})
	})
}

const (
	countMax   = 1000    // commands of one DriveCount
	paddingMax = 1 << 20 // bytes of one of them
)

var zeros [paddingMax]byte

// count proposes the item's commands from the n-th on: one after the other, or
// all at once.
func (d *drive) count(item *corev1.DriveCount, n int) {
	finish := func(code string) {
		d.add(func(out *corev1.DriveResponse) {
			out.Counted = append(out.Counted, &corev1.DriveCounted{Ref: item.Ref, Code: code})
		})
	}
	if item.Commands == 0 || item.Commands > countMax {
		finish("BAD_COMMAND")
		return
	}
	command := func(n int) *enginev1.Command {
		var padding []byte
		if len(item.PaddingBytes) > 0 {
			padding = zeros[:min(item.PaddingBytes[n%len(item.PaddingBytes)], paddingMax)]
		}
		return &enginev1.Command{Verb: &enginev1.Command_Count{Count: &enginev1.Count{Padding: padding}}}
	}
	if item.InSequence {
		d.enqueue(command(n), "", func(reply *enginev1.Event, err error) {
			if code := itemCode(reply, err); code != "" || n+1 == int(item.Commands) {
				finish(code)
				return
			}
			d.count(item, n+1)
		})
		return
	}
	left, worst := int(item.Commands), ""
	for i := range int(item.Commands) {
		d.enqueue(command(i), "", func(reply *enginev1.Event, err error) {
			d.mu.Lock()
			left--
			worst = max(worst, itemCode(reply, err))
			last, code := left == 0, worst
			d.mu.Unlock()
			if last {
				finish(code)
			}
		})
	}
}

// enqueue proposes, or answers at once when it cannot.
func (d *drive) enqueue(cmd *enginev1.Command, code string, answer func(*enginev1.Event, error)) {
	if code != "" {
		answer(&enginev1.Event{Kind: enginev1.EventKind_EVENT_KIND_REJECTED, Code: code}, nil)
		return
	}
	if err := d.Replica.Enqueue(cmd, answer); err != nil {
		answer(nil, err)
	}
}

func itemCode(reply *enginev1.Event, err error) string {
	if err != nil {
		return reason(err)
	}
	if reply.GetKind() == enginev1.EventKind_EVENT_KIND_REJECTED {
		return upper(reply.Code)
	}
	return ""
}

func driveVariables(vars []*corev1.Variable) ([]*enginev1.Variable, string) {
	out := make([]*enginev1.Variable, len(vars))
	for i, v := range vars {
		text := []byte(v.Json)
		if v.Name == "" || !json.Valid(text) {
			return nil, "bad-variable"
		}
		out[i] = &enginev1.Variable{Name: v.Name, Json: text}
	}
	return out, ""
}

// add puts an answer into the next batch.
func (d *drive) add(put func(*corev1.DriveResponse)) {
	d.mu.Lock()
	if d.out == nil {
		d.out = &corev1.DriveResponse{}
	}
	put(d.out)
	d.mu.Unlock()
	d.nudge()
}

func (d *drive) nudge() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// take is what has gathered; nil when nothing has.
func (d *drive) take() (*corev1.DriveResponse, error) {
	d.mu.Lock()
	out, fresh, over, lost := d.out, d.fresh, d.over, d.lost
	d.out, d.fresh, d.over = nil, nil, nil
	d.mu.Unlock()
	if len(fresh) > 0 || len(over) > 0 {
		ends, err := d.ends(fresh, over)
		if err != nil {
			return nil, err
		}
		if out == nil && len(ends) > 0 {
			out = &corev1.DriveResponse{}
		}
		if len(ends) > 0 {
			out.Ended = ends
		}
	}
	if out == nil && lost {
		return nil, d.fromPropose(nil, replica.ErrNotLeader)
	}
	return out, nil
}

// ends reads what became of payments: those that were said to have ended, and of
// the freshly started those whose end came before anybody watched for it.
func (d *drive) ends(fresh, over []uint64) ([]*corev1.DriveEnded, error) {
	var receipts []*enginev1.Receipt
	var meta *enginev1.Meta
	err := d.Replica.View(func(tx engine.Tx) error {
		row, found := tx.Get(engine.Key{Table: engine.TableMeta})
		if !found {
			return errors.New("the cluster has not been bootstrapped")
		}
		meta = row.(*enginev1.Meta)
		read := func(payment uint64) {
			if row, found := tx.Get(engine.Key{Table: engine.TableReceipt, A: payment}); found {
				receipts = append(receipts, row.(*enginev1.Receipt))
			}
		}
		for _, payment := range fresh {
			if _, runs := tx.Get(engine.Key{Table: engine.TableInstance, A: payment}); !runs {
				read(payment)
			}
		}
		for _, payment := range over {
			read(payment)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read ended payments: %w", err)
	}
	var ended []*corev1.DriveEnded
	for _, r := range receipts {
		d.mu.Lock()
		refs := d.ended[r.Payment]
		delete(d.ended, r.Payment)
		d.mu.Unlock()
		if len(refs) == 0 {
			continue // told already
		}
		d.endings.unwatch(r.Payment, d)
		for _, ref := range refs {
			ended = append(ended, &corev1.DriveEnded{
				Ref: ref, Payment: engine.PaymentUUID(meta, r.Payment),
				Result: corev1.Result(r.Result), Code: r.Code, EndedMs: r.EndedMs,
			})
		}
	}
	return ended, nil
}

// sent makes room for as many items as the batch has answered.
func (d *drive) sent(batch *corev1.DriveResponse) {
	d.mu.Lock()
	d.outstanding -= len(batch.Started) + len(batch.Published) + len(batch.Counted)
	d.mu.Unlock()
	select {
	case d.room <- struct{}{}:
	default:
	}
}

func (d *drive) idle() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.outstanding == 0 && len(d.ended) == 0 && d.out == nil && len(d.over) == 0
}

// forget stops watching for what this stream will not tell any more.
func (d *drive) forget() {
	d.mu.Lock()
	watching := slices.Collect(maps.Keys(d.ended))
	d.mu.Unlock()
	for _, payment := range watching {
		d.endings.unwatch(payment, d)
	}
	d.endings.leave(d)
}

// endings says which streams are to be told of a payment's end: several, when one
// has started it and others have repeated that. Its lock is taken before a
// stream's, never after.
type endings struct {
	mu       sync.Mutex
	streams  map[*drive]struct{}
	watching map[uint64][]*drive
}

func (e *endings) join(d *drive) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.streams == nil {
		e.streams, e.watching = make(map[*drive]struct{}), make(map[uint64][]*drive)
	}
	e.streams[d] = struct{}{}
}

func (e *endings) leave(d *drive) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.streams, d)
}

func (e *endings) watch(payment uint64, d *drive) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if watching := e.watching[payment]; !slices.Contains(watching, d) {
		e.watching[payment] = append(watching, d)
	}
}

func (e *endings) unwatch(payment uint64, d *drive) {
	e.mu.Lock()
	defer e.mu.Unlock()
	left := slices.DeleteFunc(e.watching[payment], func(other *drive) bool { return other == d })
	if e.watching[payment] = left; len(left) == 0 {
		delete(e.watching, payment)
	}
}

// LeadershipLost ends all Drive streams: only a leader hears of ends.
func (s *Service) LeadershipLost() {
	s.endings.mu.Lock()
	defer s.endings.mu.Unlock()
	for d := range s.endings.streams {
		d.mu.Lock()
		d.lost = true
		d.mu.Unlock()
		d.nudge()
	}
}

// OnHints passes the ends of payments on. It is called on the apply loop, as
// leader.OnHints is.
func (s *Service) OnHints(hints []engine.Hint) {
	e := &s.endings
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.watching) == 0 {
		return
	}
	for _, h := range hints {
		if h.Kind != engine.HintEnded {
			continue
		}
		for _, d := range e.watching[h.Payment] {
			d.mu.Lock()
			d.over = append(d.over, h.Payment)
			d.mu.Unlock()
			d.nudge()
		}
	}
}
