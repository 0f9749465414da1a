package replica

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/railhead-hub/railhead/core/outbox"
)

// trio is three replicas in one process, over loopback.
type trio struct {
	t       testing.TB
	adjust  func(*Config)
	peers   map[string]string
	dirs    map[string]string
	members map[string]*Replica
}

func openTrio(t testing.TB, adjust func(*Config)) *trio {
	c := &trio{t: t, adjust: adjust, peers: map[string]string{}, dirs: map[string]string{}, members: map[string]*Replica{}}
	listeners := map[string]net.Listener{}
	for _, id := range []string{"a", "b", "c"} {
		listeners[id] = listen(t)
		c.peers[id] = listeners[id].Addr().String()
		c.dirs[id] = t.TempDir()
	}
	for id, l := range listeners {
		c.start(id, l)
	}
	return c
}

// start opens a member; l is nil when it comes back at its old address.
func (c *trio) start(id string, l net.Listener) *Replica {
	c.t.Helper()
	cfg := testConfig(c.t, c.dirs[id])
	cfg.ID, cfg.Peers, cfg.Bind, cfg.Listener = id, c.peers, c.peers[id], l
	cfg.ElectionTimeout = 300 * time.Millisecond
	if c.adjust != nil {
		c.adjust(&cfg)
	}
	var r *Replica
	eventually(c.t, func() (err error) { // the address may still be in use for a moment
		r, err = Open(cfg)
		return err
	})
	c.t.Cleanup(func() { r.Close() })
	c.members[id] = r
	return r
}

// stop ends a member without a last checkpoint.
func (c *trio) stop(id string) {
	crash(c.members[id])
	delete(c.members, id)
}

func (c *trio) leader() *Replica {
	c.t.Helper()
	var leader *Replica
	eventually(c.t, func() error {
		for _, r := range c.members {
			if r.IsLeader() {
				leader = r
				return nil
			}
		}
		return errors.New("nobody leads")
	})
	return leader
}

func (c *trio) follower() *Replica {
	leader := c.leader()
	for _, id := range sortedKeys(c.members) {
		if c.members[id] != leader {
			return c.members[id]
		}
	}
	c.t.Fatal("there is no follower")
	return nil
}

// propose repeats a command until a leader answers; only commands that certainly
// were not applied may be repeated.
func (c *trio) propose(n int, padding int) {
	c.t.Helper()
	for range n {
		eventually(c.t, func() error {
			_, err := c.leader().Propose(context.Background(), count(make([]byte, padding)...))
			if errors.Is(err, ErrUnknown) {
				return nil
			}
			return err
		})
	}
}

// agree waits until all members have applied the same and compares their hashes,
// now and at earlier indexes, and their outboxes.
func (c *trio) agree() {
	c.t.Helper()
	eventually(c.t, func() error {
		var first *Status
		for _, id := range sortedKeys(c.members) {
			st, err := c.members[id].Status()
			if err != nil {
				return err
			}
			if first == nil {
				first = &st
			}
			if st.Index != first.Index {
				return fmt.Errorf("%s is at %d, %s at %d", first.ID, first.Index, id, st.Index)
			}
			if st.Hash != first.Hash {
				c.t.Fatalf("at index %d %s has the hash %x, %s %x", st.Index, first.ID, first.Hash, id, st.Hash)
			}
		}
		return nil
	})
	points := map[uint64]uint64{}
	shared := 0
	for _, r := range c.members {
		checkHash(c.t, r)
		for _, p := range status(c.t, r).Points {
			if h, ok := points[p.Index]; ok {
				shared++
				if h != p.Hash {
					c.t.Fatalf("the nodes differ at index %d", p.Index)
				}
			}
			points[p.Index] = p.Hash
		}
	}
	if len(points) > 0 && shared == 0 {
		c.t.Fatal("the nodes have no point in common")
	}
}

func TestThreeReplicas(t *testing.T) {
	c := openTrio(t, nil)
	c.propose(600, 0)
	c.agree()
	old := c.leader()
	if _, err := c.follower().Propose(context.Background(), count()); !errors.Is(err, ErrNotLeader) {
		t.Fatalf("a follower answered %v", err)
	}
	if id, addr := c.follower().Leader(); id != old.cfg.ID || addr != c.peers[id] {
		t.Fatalf("the follower believes in %s at %s", id, addr)
	}
	before := old.Epoch()
	c.stop(old.cfg.ID)
	c.propose(100, 0)
	if got := c.leader().Epoch(); got <= before {
		t.Fatalf("the epoch went from %d to %d", before, got)
	}
	c.start(old.cfg.ID, nil)
	c.propose(10, 0)
	c.agree()
	want := events(t, c.leader())
	for id, r := range c.members {
		if got := events(t, r); !slices.Equal(got, want) {
			t.Fatalf("%s has other events than the leader", id)
		}
	}
}

// TestConfirm: a leader may act while nobody else can have been elected, and must
// ask a majority after that.
func TestConfirm(t *testing.T) {
	c := openTrio(t, nil)
	leader := c.leader()
	epoch := leader.Epoch()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := leader.Confirm(ctx, epoch, time.Time{}); err != nil {
		t.Fatalf("a majority does not confirm its leader: %v", err)
	}
	if err := leader.Confirm(ctx, epoch-1, time.Time{}); !errors.Is(err, ErrNotLeader) {
		t.Fatalf("an earlier term is confirmed: %v", err)
	}
	for id, r := range c.members {
		if r != leader {
			c.stop(id)
		}
	}
	if err := leader.Confirm(ctx, epoch, time.Now().Add(time.Hour)); err != nil {
		t.Fatalf("nobody else can have been elected: %v", err)
	}
	if err := leader.Confirm(ctx, epoch, time.Time{}); !errors.Is(err, ErrNotLeader) {
		t.Fatalf("a leader that is alone is confirmed: %v", err)
	}
}

// TestNothingAcknowledgedIsLost moves the lead about while commands come in, and
// compares the count with what callers were told.
func TestNothingAcknowledgedIsLost(t *testing.T) {
	c := openTrio(t, func(cfg *Config) { cfg.CheckpointEvery = 20 * time.Millisecond })
	var acknowledged, unknown atomic.Int64
	stop := make(chan struct{})
	var callers sync.WaitGroup
	members := []*Replica{c.members["a"], c.members["b"], c.members["c"]}
	for range 8 {
		callers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				_, err := members[n%3].Propose(context.Background(), count())
				switch {
				case err == nil:
					acknowledged.Add(1)
				case errors.Is(err, ErrUnknown):
					unknown.Add(1)
				}
			}
		})
	}
	for n := 1; n <= 4; n++ {
		eventually(t, func() error {
			if got := acknowledged.Load(); got < int64(n)*300 {
				return fmt.Errorf("only %d commands were acknowledged", got)
			}
			return nil
		})
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		if err := c.leader().TransferLeadership(ctx, ""); err != nil {
			t.Logf("transfer %d: %v", n, err)
		}
		cancel()
	}
	close(stop)
	callers.Wait()
	c.propose(1, 0)
	c.agree()
	counted := int64(meta(t, c.leader()).Counted) - 1
	if sure, most := acknowledged.Load(), acknowledged.Load()+unknown.Load(); counted < sure || counted > most {
		t.Fatalf("%d commands were counted, %d acknowledged, %d unknown", counted, sure, unknown.Load())
	}
}

func TestSnapshotReachesAWipedNode(t *testing.T) {
	c := openTrio(t, func(cfg *Config) {
		cfg.LogMaxBytes, cfg.SegmentBytes, cfg.EntryCommands = 50_000, 20_000, 1
	})
	c.propose(150, 500)
	leader := c.leader()
	exported := outbox.Cursor{Index: 100}
	propose(t, leader, exportedTo(exported))
	wiped := c.follower().cfg.ID
	c.stop(wiped)
	c.propose(150, 500)
	for _, r := range c.members {
		if err := r.Checkpoint(); err != nil {
			t.Fatal(err)
		}
		r.cutLog()
		if first, err := r.wal.FirstIndex(); err != nil || first < 50 {
			t.Fatalf("the log still begins at %d (%v)", first, err)
		}
	}
	c.propose(20, 500)
	if err := os.RemoveAll(c.dirs[wiped]); err != nil {
		t.Fatal(err)
	}
	r := c.start(wiped, nil)
	c.agree()
	if got := status(t, r).CheckpointIndex; got == 0 {
		first, _ := r.wal.FirstIndex()
		t.Fatalf("the node was brought up to date without a snapshot: its log begins at %d, %+v", first, status(t, r))
	}
	compare := func() {
		t.Helper()
		var want []outbox.Record
		for _, m := range []*Replica{c.leader(), r} {
			got := readAfter(t, m, exported)
			if want == nil {
				want = got
			}
			if len(got) != len(want) || len(got) < 150 {
				t.Fatalf("above the cursor %s has %d events, the leader %d", m.cfg.ID, len(got), len(want))
			}
			for i := range got {
				if got[i].Ordinal != want[i].Ordinal || !slices.Equal(got[i].Value, want[i].Value) {
					t.Fatalf("event %d differs", i)
				}
			}
		}
	}
	compare()
	if _, err := os.Stat(filepath.Join(c.dirs[wiped], incomingName)); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("the received snapshot was left behind: %v", err)
	}
	c.stop(wiped)
	c.propose(10, 0)
	r = c.start(wiped, nil)
	c.agree()
	compare()
}

func readAfter(t testing.TB, r *Replica, cursor outbox.Cursor) []outbox.Record {
	t.Helper()
	reader := r.Outbox().Reader(cursor)
	defer reader.Close()
	var all []outbox.Record
	for {
		rec, ok, err := reader.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return all
		}
		all = append(all, rec)
	}
}

// TestSnapshotInstallCutShort starts a node that stopped between installing a
// snapshot and clearing its log.
func TestSnapshotInstallCutShort(t *testing.T) {
	c := openTrio(t, func(cfg *Config) { cfg.LogMaxBytes, cfg.EntryCommands = 20_000, 1 })
	c.propose(20, 500)
	behind := c.follower().cfg.ID
	c.agree()
	c.stop(behind)
	c.propose(200, 500)
	leader := c.leader()
	for _, r := range c.members {
		if err := r.Checkpoint(); err != nil {
			t.Fatal(err)
		}
		r.cutLog()
	}
	// What Restore does up to the moment of the crash.
	_, stream, err := leader.applier.stream()
	if err != nil {
		t.Fatal(err)
	}
	fresh := filepath.Join(c.dirs[behind], stateName+".new")
	if err := unpack(stream, fresh); err != nil {
		t.Fatal(err)
	}
	stream.Close()
	c.start(behind, nil)
	c.propose(20, 500)
	c.agree()
}

func TestJoinAndLeave(t *testing.T) {
	cfg := testConfig(t, t.TempDir())
	cfg.ElectionTimeout = time.Second
	first := open(t, cfg)
	leads(t, first)
	for range 50 {
		propose(t, first, count())
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var others []*Replica
	for _, id := range []string{"b", "c"} {
		cfg := testConfig(t, t.TempDir())
		cfg.ID, cfg.Join = id, true
		cfg.ElectionTimeout = time.Second
		r := open(t, cfg)
		others = append(others, r)
		if err := first.AddVoter(ctx, id, r.links.Addr().String()); err != nil {
			t.Fatal(err)
		}
	}
	c := &trio{t: t, members: map[string]*Replica{"a": first, "b": others[0], "c": others[1]}}
	c.agree()
	if n := len(status(t, others[1]).Members); n != 3 {
		t.Fatalf("the newcomer knows %d members", n)
	}
	if err := first.TransferLeadership(ctx, "b"); err != nil {
		t.Fatal(err)
	}
	leads(t, others[0])
	if err := others[0].TransferLeadership(ctx, "nobody"); err == nil {
		t.Fatal("leadership was transferred to nobody")
	}
	if err := others[0].RemoveServer(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	delete(c.members, "a")
	c.propose(10, 0)
	c.agree()
}

func TestLeaderWithAWrongClockStepsDown(t *testing.T) {
	var offset sync.Map
	c := openTrio(t, func(cfg *Config) {
		id := cfg.ID
		cfg.Clock = func() int64 {
			now := time.Now().UnixMilli()
			if off, ok := offset.Load(id); ok {
				now += off.(int64)
			}
			return now
		}
	})
	leader := c.leader()
	leader.comparePeers()
	if !leader.IsLeader() {
		t.Fatal("a leader with a right clock stepped down")
	}
	epoch := leader.Epoch()
	offset.Store(leader.cfg.ID, int64(-10_000))
	eventually(t, func() error {
		leader.comparePeers()
		if now := c.leader(); now == leader && now.Epoch() == epoch {
			return errors.New("a leader with a wrong clock stays")
		}
		return nil
	})
}

func TestMutualTLS(t *testing.T) {
	ca := newAuthority(t)
	c := openTrio(t, func(cfg *Config) { cfg.TLS = ca.config(t, cfg.ID) })
	c.propose(10, 0)
	c.agree()
	stranger := &tls.Config{InsecureSkipVerify: true}
	conn, err := tls.Dial("tcp", c.peers["a"], stranger)
	if err == nil {
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		conn.Write([]byte{linkAsk})
		if n, err := conn.Read(make([]byte, 8)); err == nil {
			t.Fatalf("a stranger without a certificate was answered %d bytes", n)
		}
	}
}

type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &authority{cert, key, pool}
}

func (a *authority) config(t testing.TB, name string) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		RootCAs:      a.pool, ClientCAs: a.pool, ClientAuth: tls.RequireAndVerifyClientCert,
		MinVersion: tls.VersionTLS13,
	}
}
