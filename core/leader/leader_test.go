package leader

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/railhead-hub/railhead/core/replica"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// ledger is a bank that books once per idempotency key, unless it ignores keys.
type ledger struct {
	*httptest.Server
	mu       sync.Mutex
	ignores  bool
	requests int
	bodies   []string
	booked   []string // keys, one for each booking
	before   func(r *http.Request)
	after    func(r *http.Request)
}

func newLedger(t *testing.T) *ledger {
	l := &ledger{}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		key := r.Header.Get("Idempotency-Key")
		l.mu.Lock()
		before, after := l.before, l.after
		l.mu.Unlock()
		if before != nil {
			before(r)
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if r.URL.Path == "/enquiry" {
			fmt.Fprintf(w, `{"booked":%t}`, slices.Contains(l.booked, string(body)))
			return
		}
		l.requests++
		l.bodies = append(l.bodies, string(body))
		if l.ignores || !slices.Contains(l.booked, key) {
			l.booked = append(l.booked, key)
		}
		fmt.Fprintf(w, `{"booking":%d}`, len(l.booked))
		if after != nil {
			after(r)
		}
	}))
	t.Cleanup(l.Close)
	return l
}

func (l *ledger) seen() (requests int, booked []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.requests, slices.Clone(l.booked)
}

func book(g *guest) *sdkv1.Outcome {
	answer := g.http("ledger", "/bookings", "book")
	if answer.GetHttp().GetStatus() != 200 {
		return &sdkv1.Outcome{Kind: &sdkv1.Outcome_Doubt{Doubt: &sdkv1.Doubt{Key: "book", Reason: "no answer"}}}
	}
	return complete("booked", "true")
}

// enquire books, and asks the bank when it is left in doubt.
func enquire(g *guest) *sdkv1.Outcome {
	answer := g.http("ledger", "/bookings", "book")
	doubt := answer.GetInDoubt()
	if doubt == nil {
		return complete("booked", "true")
	}
	found := g.do(&sdkv1.Effect{Kind: &sdkv1.Effect_Http{Http: &sdkv1.Http{
		Endpoint: "enquiry", Method: "POST", Path: "/enquiry", Body: []byte(doubt.IdempotencyKey)}}})
	out := complete("booked", "true")
	done := string(found.GetHttp().GetBody()) == `{"booked":true}`
	out.Settlements = []*sdkv1.Settlement{{Key: "book", Done: done}}
	if !done {
		out.Kind = &sdkv1.Outcome_Fail{Fail: &sdkv1.Fail{Retryable: true, Reason: "not booked"}}
	}
	return out
}

func TestAJobWithoutEffects(t *testing.T) {
	c := newCluster(t, "http://127.0.0.1:1", "ask", func(g *guest) *sdkv1.Outcome {
		if g.job().Type != "book-funds-{tenant}" || g.job().Attempt != 1 {
			return &sdkv1.Outcome{Kind: &sdkv1.Outcome_Fail{Fail: &sdkv1.Fail{Reason: "what is this?"}}}
		}
		return complete("booked", "true")
	})
	c.elect()
	r := c.receipt(c.start("a"))
	if r.Result != enginev1.Result_RESULT_COMPLETED || r.Code != "paid" {
		t.Fatalf("%v %s", r.Result, r.Code)
	}
}

// TestALeaderThatStays: while a leader hands over, nothing can be proposed. If that
// comes to nothing, the term goes on, and so must its jobs.
func TestALeaderThatStays(t *testing.T) {
	c := newCluster(t, "http://127.0.0.1:1", "ask", func(*guest) *sdkv1.Outcome { return complete() })
	var refused atomic.Int32
	c.log.onPropose(func(cmd *enginev1.Command) (bool, error) {
		if cmd.GetFinishJob() != nil && refused.Add(1) == 1 {
			return false, replica.ErrNotLeader
		}
		return true, nil
	})
	c.elect()
	if r := c.receipt(c.start("a")); r.Code != "paid" {
		t.Fatalf("%v %s", r.Result, r.Code)
	}
}

func TestMoneyIsIntendedThenMoved(t *testing.T) {
	bank := newLedger(t)
	c := newCluster(t, bank.URL, "ask", book)
	intended := make(chan struct{}, 1)
	bank.before = func(*http.Request) {
		if len(c.log.told(enginev1.EventKind_EVENT_KIND_EFFECT_INTENDED)) == 1 {
			intended <- struct{}{}
		}
	}
	c.elect()
	r := c.receipt(c.start("a"))
	select {
	case <-intended:
	default:
		t.Error("the request left before it was intended")
	}
	if len(r.Effects) != 1 || r.Effects[0].State != enginev1.EffectState_EFFECT_STATE_DONE || r.Effects[0].Key != "book" {
		t.Fatalf("%v", r.Effects)
	}
	requests, booked := bank.seen()
	events := c.log.told(enginev1.EventKind_EVENT_KIND_EFFECT_INTENDED)
	if requests != 1 || booked[0] != events[0].Uuid {
		t.Fatalf("%d requests, booked %v under %s", requests, booked, events[0].Uuid)
	}
}

// crash cuts the leader off once, just as it proposes what came back.
func (c *cluster) crashBeforeAnswer() (crashed chan struct{}) {
	crashed = make(chan struct{})
	var once sync.Once
	c.log.onPropose(func(cmd *enginev1.Command) (bool, error) {
		if cmd.GetAnswer() == nil && cmd.GetFinishJob() == nil {
			return true, nil
		}
		cut := false
		once.Do(func() { cut = true; close(crashed) })
		if cut {
			return false, replica.ErrUnknown
		}
		return true, nil
	})
	return crashed
}

func TestCrashBetweenIntendAndAnswer(t *testing.T) {
	for _, c := range []struct {
		name, mode string
		ignores    bool
		run        func(*guest) *sdkv1.Outcome
		requests   int
	}{
		{"keyed: the stored request goes out again", "keyed", false, book, 2},
		{"ask: the connector enquires", "ask", true, enquire, 1},
		{"never: the connector enquires", "never", true, enquire, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			bank := newLedger(t)
			bank.ignores = c.ignores
			cl := newCluster(t, bank.URL, c.mode, c.run)
			crashed := cl.crashBeforeAnswer()
			cl.elect()
			payment := cl.start("a")
			<-crashed
			cl.resign()
			cl.elect()
			r := cl.receipt(payment)
			if r.Result != enginev1.Result_RESULT_COMPLETED {
				t.Fatalf("%v", r)
			}
			if len(r.Effects) != 1 || r.Effects[0].State != enginev1.EffectState_EFFECT_STATE_DONE {
				t.Fatalf("%v", r.Effects)
			}
			requests, booked := bank.seen()
			if requests != c.requests || len(booked) != 1 {
				t.Fatalf("%d requests, bookings %v", requests, booked)
			}
			if c.requests == 2 && bank.bodies[0] != bank.bodies[1] {
				t.Fatalf("the second request differs: %v", bank.bodies)
			}
		})
	}
}

func TestCrashBeforeTheCall(t *testing.T) {
	bank := newLedger(t)
	c := newCluster(t, bank.URL, "ask", enquire)
	crashed := make(chan struct{})
	var once sync.Once
	c.log.onPropose(func(cmd *enginev1.Command) (bool, error) {
		cut := false
		if cmd.GetIntend() != nil {
			once.Do(func() { cut = true; close(crashed) })
		}
		if cut {
			return true, replica.ErrUnknown // applied, and the leader does not know
		}
		return true, nil
	})
	c.elect()
	payment := c.start("a")
	<-crashed
	c.resign()
	c.elect()
	// The connector finds nothing booked, settles, and its next attempt books under
	// the next number.
	r := c.receipt(payment)
	requests, booked := bank.seen()
	if requests != 1 || len(booked) != 1 || r.Effects[0].Number != 2 {
		t.Fatalf("%d requests, bookings %v, effect %v", requests, booked, r.Effects[0])
	}
}

// TestALeaderThatWasStoppedSendsNothing: the process hangs between committing an
// intention and making the call. The next leader enquires, finds nothing, and
// books; when the old one goes on, it must not make its call after all.
func TestALeaderThatWasStoppedSendsNothing(t *testing.T) {
	bank := newLedger(t)
	bank.ignores = true
	c := newCluster(t, bank.URL, "ask", enquire)
	goOn, hangs := make(chan struct{}), make(chan struct{})
	var hung atomic.Bool
	c.log.after = func(cmd *enginev1.Command) {
		if cmd.GetIntend() != nil && hung.CompareAndSwap(false, true) {
			close(hangs)
			<-goOn
		}
	}
	c.elect()
	payment := c.start("a")
	<-hangs
	oldStop, oldDone := c.stop, c.done
	old := c.leader
	c.elect()
	c.log.mu.Lock()
	c.log.latest = c.epoch
	c.log.mu.Unlock()
	c.receipt(payment)
	close(goOn)
	until(t, "the end of the old leader's work", func() bool { active, _ := old.InFlight(); return active == 0 })
	oldStop()
	<-oldDone
	if requests, booked := bank.seen(); requests != 1 || len(booked) != 1 {
		t.Fatalf("%d requests, bookings %v", requests, booked)
	}
}

func TestStaleLeaderIsIgnored(t *testing.T) {
	bank := newLedger(t)
	bank.ignores = true
	hold := make(chan struct{})
	arrived := make(chan struct{}, 2)
	bank.after = func(*http.Request) { arrived <- struct{}{}; <-hold }
	c := newCluster(t, bank.URL, "ask", enquire)
	c.elect()
	payment := c.start("a")
	<-arrived
	// The old leader waits for the bank while the next one takes over.
	oldStop, oldDone := c.stop, c.done
	c.stop = nil
	c.epoch++
	c.must(&enginev1.Command{Verb: &enginev1.Command_LeaderStarted{LeaderStarted: &enginev1.LeaderStarted{Epoch: c.epoch, Node: "n2"}}})
	close(hold) // the old leader gets its answer and proposes it in its own epoch
	until(t, "the old leader's result", func() bool { active, _ := c.leader.InFlight(); return active == 0 })
	if n := len(c.log.told(enginev1.EventKind_EVENT_KIND_JOB_COMPLETED)); n != 0 {
		t.Fatalf("a stale result counted: %d completions", n)
	}
	oldStop()
	<-oldDone
	bank.mu.Lock()
	bank.after = nil
	bank.mu.Unlock()
	c.elect()
	c.receipt(payment)
	if _, booked := bank.seen(); len(booked) != 1 {
		t.Fatalf("bookings %v", booked)
	}
}

func TestAFailingGuestEndsInAnIncident(t *testing.T) {
	var steps atomic.Int32
	c := newCluster(t, "http://127.0.0.1:1", "ask", func(*guest) *sdkv1.Outcome {
		steps.Add(1)
		panic(errors.New("trap: unreachable"))
	})
	c.elect()
	c.start("a")
	until(t, "an incident", func() bool {
		c.clock.Advance(time.Minute) // past the back-off
		return len(c.log.told(enginev1.EventKind_EVENT_KIND_INCIDENT_OPENED)) > 0
	})
	failed := c.log.told(enginev1.EventKind_EVENT_KIND_JOB_FAILED)
	if len(failed) != 3 || failed[0].Code != codeTrap {
		t.Fatalf("%d failures, the first %v", len(failed), failed[0])
	}
}

// TestLongHistory takes every kind of effect, and loses its leader after every
// command: the history must go on as if nothing had been.
func TestLongHistory(t *testing.T) {
	bank := newLedger(t)
	run := func(g *guest) *sdkv1.Outcome {
		g.do(&sdkv1.Effect{Kind: &sdkv1.Effect_Query{Query: &sdkv1.Query{Payment: g.job().Payment}}})
		seq := g.do(&sdkv1.Effect{Kind: &sdkv1.Effect_Sequence{Sequence: &sdkv1.Sequence{Name: "stan"}}})
		g.http("ledger", "/holds", "hold")
		g.http("enquiry", "/enquiry", "")
		g.do(&sdkv1.Effect{Kind: &sdkv1.Effect_Emit{Emit: &sdkv1.Emit{Name: "held", Json: fmt.Appendf(nil, `{"at":%d}`, g.nowMS)}}})
		g.do(&sdkv1.Effect{Kind: &sdkv1.Effect_Publish{Publish: &sdkv1.Publish{Name: "note", Key: "k", MessageId: "m"}}})
		g.do(&sdkv1.Effect{Kind: &sdkv1.Effect_Sleep{Sleep: &sdkv1.Sleep{DurationMs: 3600_000}}})
		g.http("ledger", "/plain", "")
		g.http("ledger", "/bookings", "book")
		return complete("stan", fmt.Sprint(seq.GetSequence().GetValue()))
	}
	c := newCluster(t, bank.URL, "keyed", run)
	var cut atomic.Pointer[chan struct{}]
	c.log.onPropose(func(cmd *enginev1.Command) (bool, error) {
		switch cmd.Verb.(type) {
		case *enginev1.Command_FireTimers, *enginev1.Command_Expire, *enginev1.Command_LeaderStarted, *enginev1.Command_StartPayment:
			return true, nil
		}
		if ch := cut.Swap(nil); ch != nil {
			close(*ch)
			return true, replica.ErrUnknown
		}
		return true, nil
	})
	payment := c.start("a")
	for ended := false; !ended; {
		ch := make(chan struct{})
		cut.Store(&ch)
		c.elect()
		until(t, "a command", func() bool {
			select {
			case <-ch:
				return true
			default:
			}
			c.clock.Advance(time.Minute)
			return false
		})
		c.resign()
		ended = len(c.log.told(enginev1.EventKind_EVENT_KIND_PAYMENT_ENDED)) > 0
	}
	if r := c.receipt(payment); r.Result != enginev1.Result_RESULT_COMPLETED || len(r.Effects) != 2 {
		t.Fatalf("%v", r)
	}
	if failed := c.log.told(enginev1.EventKind_EVENT_KIND_JOB_FAILED); len(failed) != 0 {
		t.Fatalf("failed: %s %s", failed[0].Code, failed[0].Text)
	}
	if taken := c.log.told(enginev1.EventKind_EVENT_KIND_JOB_COMPLETED); string(taken[0].Variables[0].Json) != "1" {
		t.Fatalf("the sequence was taken more than once: %s", taken[0].Variables[0].Json)
	}
	_, booked := bank.seen()
	slices.Sort(booked)
	if unique := len(slices.Compact(booked)); unique != 3 {
		t.Fatalf("%d different keys at the bank", unique)
	}
}

func TestCheckpointBeginsAnew(t *testing.T) {
	bank := newLedger(t)
	run := func(g *guest) *sdkv1.Outcome {
		if len(g.request.State) == 0 {
			for range 40 {
				g.do(&sdkv1.Effect{Kind: &sdkv1.Effect_Sequence{Sequence: &sdkv1.Sequence{Name: "n"}}})
			}
			g.do(&sdkv1.Effect{Kind: &sdkv1.Effect_Checkpoint{Checkpoint: &sdkv1.Checkpoint{State: []byte("half")}}})
		}
		for range 40 {
			g.do(&sdkv1.Effect{Kind: &sdkv1.Effect_Sequence{Sequence: &sdkv1.Sequence{Name: "n"}}})
		}
		return complete("state", `"`+string(g.request.State)+`"`)
	}
	c := newCluster(t, bank.URL, "ask", run)
	c.elect()
	c.receipt(c.start("a"))
	if done := c.log.told(enginev1.EventKind_EVENT_KIND_JOB_COMPLETED); string(done[0].Variables[0].Json) != `"half"` {
		t.Fatalf("%s", done[0].Variables[0].Json)
	}
}

func TestBadOutcomesBecomeIncidents(t *testing.T) {
	for name, out := range map[string]*sdkv1.Outcome{
		"variables that are not JSON": complete("x", "{oops"),
		"a variable without a name":   complete("", "1"),
		"a reply":                     {Kind: &sdkv1.Outcome_Reply{Reply: &sdkv1.Reply{Status: 200}}},
		"nothing":                     {},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, "http://127.0.0.1:1", "ask", func(*guest) *sdkv1.Outcome { return out })
			c.elect()
			c.start("a")
			until(t, "an incident", func() bool { return len(c.log.told(enginev1.EventKind_EVENT_KIND_INCIDENT_OPENED)) == 1 })
			if failed := c.log.told(enginev1.EventKind_EVENT_KIND_JOB_FAILED); failed[0].Code != codeBadOutcome {
				t.Fatalf("%s", failed[0].Code)
			}
		})
	}
}

func TestOtherTermsAreRefused(t *testing.T) {
	bank := newLedger(t)
	c := newCluster(t, bank.URL, "ask", func(g *guest) *sdkv1.Outcome {
		g.http("ledger", "/bookings", "book")
		again := g.do(&sdkv1.Effect{Kind: &sdkv1.Effect_Http{Http: &sdkv1.Http{
			Endpoint: "ledger", Method: "POST", Path: "/bookings", Key: "book", Terms: &sdkv1.Terms{Amount: "200.00", Currency: "USD"}}}})
		same := g.http("ledger", "/bookings", "book")
		return complete("code", `"`+again.GetFailure().GetCode()+`"`, "same", string(same.GetHttp().GetBody()))
	})
	c.elect()
	c.receipt(c.start("a"))
	vars := c.log.told(enginev1.EventKind_EVENT_KIND_JOB_COMPLETED)[0].Variables
	if string(vars[0].Json) != `"TERMS"` || string(vars[1].Json) != `{"booking":1}` {
		t.Fatalf("%s %s", vars[0].Json, vars[1].Json)
	}
	if requests, _ := bank.seen(); requests != 1 {
		t.Fatalf("%d requests", requests)
	}
}

func TestManyPayments(t *testing.T) {
	bank := newLedger(t)
	c := newCluster(t, bank.URL, "ask", book)
	c.elect()
	var payments []uint64
	for i := range 200 {
		payments = append(payments, c.start(fmt.Sprint(i)))
	}
	for _, p := range payments {
		c.receipt(p)
	}
	if _, booked := bank.seen(); len(booked) != 200 {
		t.Fatalf("%d bookings", len(booked))
	}
}

// TestASilentPeerDoesNotStopTheRest: jobs of one connector hold no more than
// their share of the workers.
func TestASilentPeerDoesNotStopTheRest(t *testing.T) {
	release := make(chan struct{})
	var most, active atomic.Int32
	var served sync.Map
	l := newLanes(4, 2, nil)
	silent := func(id jobID) bool { return id.n == 1 }
	work := func(one task) {
		served.Store(one.id, true)
		if silent(one.id) {
			if n := active.Add(1); n > most.Load() {
				most.Store(n)
			}
			<-release
			active.Add(-1)
		}
		l.release(one)
		l.forget(one)
	}
	var taking sync.WaitGroup
	for range 3 {
		taking.Go(func() {
			for {
				tasks := l.take(nil)
				if len(tasks) == 0 {
					return
				}
				for _, one := range tasks {
					go work(one)
				}
			}
		})
	}
	for i := range 50 {
		l.add([]*enginev1.Job{
			{Payment: uint64(i), N: 1, Tenant: "t", Connector: "silent"},
			{Payment: uint64(i), N: 2, Tenant: "t", Connector: "quick"},
		})
	}
	until(t, "the quick jobs", func() bool {
		n := 0
		served.Range(func(id, _ any) bool {
			if !silent(id.(jobID)) {
				n++
			}
			return true
		})
		return n == 50
	})
	if most.Load() != 2 {
		t.Errorf("%d silent jobs ran at once", most.Load())
	}
	close(release)
	until(t, "the rest", func() bool { a, w := l.inFlight(); return a+w == 0 })
	l.close()
	taking.Wait()
}
