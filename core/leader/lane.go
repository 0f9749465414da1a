package leader

import (
	"sync"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// lane is the line of jobs of one connector of one tenant. Lanes are served in
// turn, and none may hold more than its share of the workers, so that one silent
// peer does not stop the others.
type lane struct {
	waiting []jobID
	active  int
	queued  bool // in lanes.turn
}

type laneKey struct{ tenant, connector string }

type jobID struct {
	payment uint64
	n       uint32
}

// lanes decides which job runs next.
type lanes struct {
	mu      sync.Mutex
	byKey   map[laneKey]*lane
	turn    []laneKey // lanes with waiting jobs and free share, in order
	known   map[jobID]*known
	active  int
	workers int // most jobs at once
	share   int // most jobs of one lane at once
	run     func(jobID, laneKey)
	closed  bool
	done    sync.WaitGroup
}

// known is a job that waits or runs. again remembers a hint that came while it
// ran: the attempt that follows a failure is hinted before the failed one is out
// of the way.
type known struct {
	running bool
	again   bool
}

func newLanes(workers, share int, run func(jobID, laneKey)) *lanes {
	return &lanes{
		byKey: make(map[laneKey]*lane), known: make(map[jobID]*known),
		workers: workers, share: share, run: run,
	}
}

// add lines up a job, unless it is there already.
func (l *lanes) add(job *enginev1.Job) {
	l.mu.Lock()
	defer l.mu.Unlock()
	id := jobID{job.Payment, job.N}
	if l.closed {
		return
	}
	if k := l.known[id]; k != nil {
		k.again = k.running
		return
	}
	l.known[id] = &known{}
	l.push(id, laneKey{job.Tenant, job.Connector})
	l.start()
}

func (l *lanes) push(id jobID, key laneKey) {
	ln := l.byKey[key]
	if ln == nil {
		ln = &lane{}
		l.byKey[key] = ln
	}
	ln.waiting = append(ln.waiting, id)
	l.enqueue(key, ln)
}

func (l *lanes) enqueue(key laneKey, ln *lane) {
	if !ln.queued && len(ln.waiting) > 0 && ln.active < l.share {
		ln.queued = true
		l.turn = append(l.turn, key)
	}
}

// start gives free workers to lanes in turn.
func (l *lanes) start() {
	for !l.closed && l.active < l.workers && len(l.turn) > 0 {
		key := l.turn[0]
		l.turn = l.turn[1:]
		ln := l.byKey[key]
		ln.queued = false
		id := ln.waiting[0]
		ln.waiting = ln.waiting[1:]
		ln.active++
		l.active++
		l.known[id].running = true
		l.enqueue(key, ln)
		l.done.Add(1)
		go l.work(id, key)
	}
}

func (l *lanes) work(id jobID, key laneKey) {
	defer l.done.Done()
	l.run(id, key)
	l.mu.Lock()
	defer l.mu.Unlock()
	ln := l.byKey[key]
	ln.active--
	l.active--
	again := l.known[id].again
	delete(l.known, id)
	if again && !l.closed {
		l.known[id] = &known{}
		l.push(id, key)
	}
	if len(ln.waiting) == 0 && ln.active == 0 {
		delete(l.byKey, key)
	} else {
		l.enqueue(key, ln)
	}
	l.start()
}

// inFlight is how many jobs run and how many wait.
func (l *lanes) inFlight() (active, waiting int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.active, len(l.known) - l.active
}

// close starts no more jobs and waits for those that run; their context has
// ended by then.
func (l *lanes) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.done.Wait()
}
