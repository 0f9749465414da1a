package leader

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// lane is the line of jobs of one connector of one tenant. Lanes are served in
// turn, and none may hold more than its share of the workers, so that one silent
// peer does not stop the others.
type lane struct {
	waiting []jobID
	active  int
	queued  bool // in lanes.turn or lanes.slow
	metrics *connectorMetrics
	average atomic.Int64 // of its first steps, about, in nanoseconds
}

// slowStep is the average first step from which on a lane is slow: see lanes.slow.
const slowStep = 20 * time.Millisecond

func (ln *lane) slow() bool { return ln.average.Load() > int64(slowStep) }

// stepped notes how long a first step took.
func (ln *lane) stepped(took time.Duration) {
	average := ln.average.Load()
	ln.average.Store(average + (int64(took)-average)/8)
}

type laneKey struct{ tenant, connector string }

type jobID struct {
	payment uint64
	n       uint32
}

// task is a job that has been taken from its lane.
type task struct {
	id   jobID
	lane *lane
	slow bool // it was taken from a slow lane
}

// lanes decides which job runs next. Whoever takes tasks releases them once they
// need no worker any more, and forgets them once what they led to is known.
type lanes struct {
	mu    sync.Mutex
	more  *sync.Cond        // there is something to take, or the lanes are closed
	byKey map[laneKey]*lane // a lane stays, since there are few of them
	turn  []*lane           // with waiting jobs and free share, in order
	// slow is turn of those whose steps take long. They are taken one at a time, by
	// all who take but one, so that the quick ones always get on.
	slow       []*lane
	slowTaken  int // of them, until stepped says so
	slowMost   int
	slowBefore bool               // the last to be taken was slow
	known      map[jobID]jobState // every job that was added and is not forgotten
	waiting    int                // jobs of all lanes
	active     int
	workers    int // most jobs at once
	share      int // most jobs of one lane at once
	metrics    *Metrics
	closed     bool
}

type jobState uint8

const (
	jobWaits jobState = iota
	jobTaken
	// jobAgain was hinted while it was taken: the attempt that follows a failure is
	// hinted before the failed one is out of the way.
	jobAgain
)

func newLanes(workers, share int, metrics *Metrics) *lanes {
	l := &lanes{
		byKey: make(map[laneKey]*lane), known: make(map[jobID]jobState),
		workers: workers, share: share, metrics: metrics,
		slowMost: max(1, runtime.GOMAXPROCS(0)-1),
	}
	l.more = sync.NewCond(&l.mu)
	return l
}

// add lines up jobs, but for those that are there already.
func (l *lanes) add(jobs []*enginev1.Job) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var key laneKey
	var ln *lane
	for _, job := range jobs {
		id := jobID{job.Payment, job.N}
		if state, known := l.known[id]; known {
			if state == jobTaken {
				l.known[id] = jobAgain
			}
			continue
		}
		if ln == nil || key.tenant != job.Tenant || key.connector != job.Connector {
			key = laneKey{job.Tenant, job.Connector}
			if ln = l.byKey[key]; ln == nil {
				ln = &lane{metrics: l.metrics.connector(job.Connector)}
				l.byKey[key] = ln
			}
		}
		l.push(id, ln)
	}
	l.wake()
}

func (l *lanes) push(id jobID, ln *lane) {
	l.known[id] = jobWaits
	ln.waiting = append(ln.waiting, id)
	l.waiting++
	l.enqueue(ln)
}

func (l *lanes) enqueue(ln *lane) {
	if !ln.queued && len(ln.waiting) > 0 && ln.active < l.share {
		ln.queued = true
		if ln.slow() {
			l.slow = append(l.slow, ln)
		} else {
			l.turn = append(l.turn, ln)
		}
	}
}

// wake wakes one who waits in take; who takes wakes the next.
func (l *lanes) wake() {
	if l.active < l.workers && (len(l.turn) > 0 || l.slowFree()) {
		l.more.Signal()
	}
}

func (l *lanes) slowFree() bool { return len(l.slow) > 0 && l.slowTaken < l.slowMost }

// tasksAtOnce bounds what one call of take gives, so that the jobs behind a slow
// one do not wait for long.
const tasksAtOnce = 32

// take waits for jobs and appends to tasks those whose turn it is, leaving some to
// others who take. It adds nothing once the lanes are closed.
func (l *lanes) take(tasks []task) []task {
	l.mu.Lock()
	defer l.mu.Unlock()
	for before := len(tasks); !l.closed; l.more.Wait() {
		if tasks = l.some(tasks); len(tasks) > before {
			l.wake()
			break
		}
	}
	return tasks
}

// some is take as far as there is something to take.
func (l *lanes) some(tasks []task) []task {
	if l.active >= l.workers {
		return tasks
	}
	before := len(tasks)
	if !l.slowFree() || l.slowBefore {
		most := before + min(tasksAtOnce, 1+l.waiting/runtime.GOMAXPROCS(0))
		for len(tasks) < most && len(l.turn) > 0 && l.active < l.workers {
			ln := l.turn[0]
			l.turn = l.turn[1:]
			if ln.slow() {
				l.slow = append(l.slow, ln)
				continue
			}
			tasks = append(tasks, task{l.pop(ln), ln, false})
		}
	}
	l.slowBefore = len(tasks) == before && l.slowFree()
	if l.slowBefore {
		ln := l.slow[0]
		l.slow = l.slow[1:]
		l.slowTaken++
		tasks = append(tasks, task{l.pop(ln), ln, true})
	}
	return tasks
}

// pop takes the first job of a lane, which has left its line.
func (l *lanes) pop(ln *lane) jobID {
	id := ln.waiting[0]
	ln.waiting = ln.waiting[1:]
	ln.queued = false
	l.waiting--
	ln.active++
	l.active++
	l.known[id] = jobTaken
	l.enqueue(ln)
	return id
}

// stepped lets another take a slow task: this one has had its first step.
func (l *lanes) stepped() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.slowTaken--
	l.wake()
}

// giveBack lines up again what was taken and not begun.
func (l *lanes) giveBack(tasks []task) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range tasks {
		t.lane.active--
		l.active--
		l.push(t.id, t.lane)
	}
	l.wake()
}

// release gives the tasks' workers back.
func (l *lanes) release(tasks ...task) {
	if len(tasks) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range tasks {
		t.lane.active--
		l.active--
		l.enqueue(t.lane)
	}
	l.wake()
}

// forget ends a task, or lines its job up again if it was hinted meanwhile.
func (l *lanes) forget(t task) {
	l.mu.Lock()
	defer l.mu.Unlock()
	again := l.known[t.id] == jobAgain
	delete(l.known, t.id)
	if again && !l.closed {
		l.push(t.id, t.lane)
		l.wake()
	}
}

// inFlight is how many jobs are worked on, until what they led to is known, and
// how many wait.
func (l *lanes) inFlight() (active, waiting int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.known) - l.waiting, l.waiting
}

// close wakes all who wait in take; nothing more is given out.
func (l *lanes) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.more.Broadcast()
}
