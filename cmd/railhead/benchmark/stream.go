package benchmark

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"connectrpc.com/connect"

	corev1 "github.com/railhead-hub/railhead/core/v1"
)

// batchMax bounds the items of one message of the stream.
const batchMax = 1024

// item is one thing to send; exactly one field is set.
type item struct {
	start   *corev1.DriveStart
	publish *corev1.DrivePublish
	count   *corev1.DriveCount
}

// driver is the two halves of one Drive stream. What is sent is packed: whatever
// waits while a message is being written goes into the next one.
type driver struct {
	stream *connect.BidiStreamForClientSimple[corev1.DriveRequest, corev1.DriveResponse]
	queue  chan item
}

// openDriver opens the stream. The queue holds everything that may be
// outstanding, so that answering a message never waits for sending one.
func openDriver(ctx context.Context, c LoadConfig, itemsPerPayment int) (*driver, error) {
	stream, err := c.Control.Drive(ctx)
	if err != nil {
		return nil, fmt.Errorf("open the stream: %w", err)
	}
	return &driver{stream: stream, queue: make(chan item, c.Outstanding*(itemsPerPayment+1))}, nil
}

// send packs and writes until done closes.
func (d *driver) send(done <-chan struct{}) error {
	defer d.stream.CloseRequest() //nolint:errcheck // the end of the answers tells
	for {
		message := &corev1.DriveRequest{}
		select {
		case <-done:
			return nil
		case i := <-d.queue:
			i.into(message)
		}
	fill:
		for n := 1; n < batchMax; n++ {
			select {
			case i := <-d.queue:
				i.into(message)
			default:
				break fill
			}
		}
		if err := d.stream.Send(message); err != nil {
			return fmt.Errorf("send: %w", err)
		}
	}
}

func (i item) into(m *corev1.DriveRequest) {
	switch {
	case i.start != nil:
		m.Starts = append(m.Starts, i.start)
	case i.publish != nil:
		m.Publishes = append(m.Publishes, i.publish)
	case i.count != nil:
		m.Counts = append(m.Counts, i.count)
	}
}

// run sends what is queued and hands every answer to handle, until handle has
// enough.
func (d *driver) run(handle func(*corev1.DriveResponse) (enough bool)) error {
	done, sent := make(chan struct{}), make(chan error, 1)
	go func() { sent <- d.send(done) }()
	err := d.receive(handle)
	close(done)
	return errors.Join(err, <-sent)
}

func (d *driver) receive(handle func(*corev1.DriveResponse) (enough bool)) error {
	for {
		message, err := d.stream.Receive()
		switch {
		case errors.Is(err, io.EOF):
			return errors.New("the node closed the stream")
		case err != nil:
			return fmt.Errorf("receive: %w", err)
		case handle(message):
			return nil
		}
	}
}

// retryAfter is how long something refused for load waits before it is tried
// again.
const retryAfter = 20 * time.Millisecond

func (d *driver) again(i item) { time.AfterFunc(retryAfter, func() { d.queue <- i }) }

// straggle is how long payments may take to end once no new ones begin.
const straggle = time.Minute

// running is a payment that is due and has not ended.
type running struct {
	due  time.Time
	uuid string
}

// streamLoad starts payments and publishes their messages over one stream.
type streamLoad struct {
	LoadConfig
	driver *driver
	meter  *meter

	mu   sync.Mutex
	open map[uint64]*running
	last uint64
	full *sync.Cond // open holds as many as it may
}

func loadStream(ctx context.Context, c LoadConfig) (LoadReport, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Warmup+c.Duration+straggle)
	defer cancel()
	d, err := openDriver(ctx, c, len(c.Workload.Messages))
	if err != nil {
		return LoadReport{}, err
	}
	l := &streamLoad{
		LoadConfig: c, driver: d, meter: newMeter(c.Warmup, c.Duration),
		open: make(map[uint64]*running, c.Outstanding),
	}
	l.full = sync.NewCond(&l.mu)
	if c.Rate > 0 {
		go l.meter.pace(ctx, c.Rate, func(due time.Time) {
			l.mu.Lock()
			defer l.mu.Unlock()
			for len(l.open) >= c.Outstanding && ctx.Err() == nil {
				l.full.Wait()
			}
			l.begin(due)
		})
		stop := context.AfterFunc(ctx, l.full.Broadcast)
		defer stop()
	} else {
		for range c.Outstanding {
			l.begin(time.Now())
		}
	}
	if err := d.run(l.handle); err != nil {
		return LoadReport{}, fmt.Errorf("%d payments had not ended: %w", len(l.open), err)
	}
	return l.meter.report()
}

// begin starts the next payment. The caller holds mu, or is alone.
func (l *streamLoad) begin(due time.Time) {
	l.last++
	l.open[l.last] = &running{due: due}
	l.driver.queue <- item{start: l.start(l.last)}
}

// handle takes the answers of one message and says whether it was the last.
func (l *streamLoad) handle(answer *corev1.DriveResponse) (enough bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range answer.GetStarted() {
		p := l.open[s.GetRef()]
		if s.GetCode() != "" {
			l.meter.refuse(s.GetCode())
			if l.Rate == 0 {
				p.due = time.Now()
			}
			l.driver.again(item{start: l.start(s.GetRef())})
			continue
		}
		p.uuid = s.GetPayment()
		for i := range l.Workload.Messages {
			l.driver.queue <- item{publish: l.publish(s.GetRef(), i, p.uuid)}
		}
	}
	for _, p := range answer.GetPublished() {
		if p.GetCode() != "" {
			l.meter.refuse(p.GetCode())
			ref, i := p.GetRef()/messagesMax, int(p.GetRef()%messagesMax)
			if payment := l.open[ref]; payment != nil {
				l.driver.again(item{publish: l.publish(ref, i, payment.uuid)})
			}
		}
	}
	over := l.meter.over()
	for _, e := range answer.GetEnded() {
		p := l.open[e.GetRef()]
		if p == nil {
			continue
		}
		l.meter.ended(p.due, e.GetResult() == corev1.Result_RESULT_COMPLETED)
		delete(l.open, e.GetRef())
		if l.Rate == 0 && !over {
			l.begin(time.Now())
		}
	}
	l.full.Signal()
	return len(l.open) == 0 && over
}

// messagesMax bounds the messages of a payment, so that one number names both.
const messagesMax = 16

func (c LoadConfig) start(ref uint64) *corev1.DriveStart {
	return &corev1.DriveStart{
		Ref: ref, Tenant: Tenant, Flow: c.Workload.Flow, Channel: "bench",
		ClientKey: fmt.Sprintf("%s-%08d", c.Run, ref),
		Variables: startVariables(), UuidVariable: "transactionId", NotifyEnd: true,
	}
}

func (c LoadConfig) publish(ref uint64, i int, uuid string) *corev1.DrivePublish {
	m := c.Workload.Messages[i]
	return &corev1.DrivePublish{
		Ref: ref*messagesMax + uint64(i), Tenant: Tenant, Name: m.Name, Key: uuid,
		MessageId: m.Name + uuid, TtlMs: time.Minute.Milliseconds(), Variables: m.Variables,
	}
}
