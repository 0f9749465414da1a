package connector

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/railhead-hub/railhead/core/egress"
	"github.com/railhead-hub/railhead/core/keys"
	"github.com/railhead-hub/railhead/engine"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	"github.com/railhead-hub/railhead/sdk/signing"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// Stepper is a loaded module: sdk/host's, or a connector compiled into a test.
type Stepper interface {
	Step(ctx context.Context, tenant string, request *sdkv1.StepRequest) (*sdkv1.StepReply, error)
	Manifest() *sdkv1.Manifest
	Close(context.Context) error
}

// Config is what a Registry works with; all fields but Fetch must be set.
type Config struct {
	Dir string // where modules are kept
	// Load verifies and compiles a module.
	Load func(ctx context.Context, module []byte) (Stepper, error)
	// View reads the engine's rows.
	View func(func(engine.Tx) error) error
	// Fetch asks the other nodes for a module; nil: there are none.
	Fetch  func(ctx context.Context, digest Digest) ([]byte, error)
	Egress egress.Surroundings
	Keys   keys.Surroundings
	// Policy is what this node demands of modules' signatures.
	Policy signing.Policy
	Logger *slog.Logger
}

// Registry holds what the rows point at. It is safe for concurrent use.
type Registry struct {
	Config
	blobs   blobs
	loading singleflight.Group
	table   atomic.Pointer[routes]
	// installing is held while a stranger's module is compiled, which may take much
	// memory: one at a time.
	installing sync.Mutex
	// refreshed is when the last Refresh began.
	refreshing sync.Mutex
	refreshed  time.Time
	seen       configRows // of which table was made

	mu       sync.Mutex
	modules  map[Digest]*Module
	bindings map[bindingKey]*Binding
	order    []bindingKey // of bindings, the oldest first
	// manifests are those of the rows, decoded once, by name and digest.
	manifests map[string]*sdkv1.Manifest
}

// bindingsMax bounds the configurations kept ready; older ones are made again
// when a job is still pinned to them.
const bindingsMax = 4096

// Open makes a Registry and reads which routes are active.
func Open(c Config) (*Registry, error) {
	b, err := newBlobs(c.Dir)
	if err != nil {
		return nil, err
	}
	r := &Registry{
		Config: c, blobs: b,
		modules: make(map[Digest]*Module), bindings: make(map[bindingKey]*Binding),
		manifests: make(map[string]*sdkv1.Manifest),
	}
	r.table.Store(&routes{})
	r.Refresh()
	return r, nil
}

// configRows are what a table is made of, in the order of their keys.
type configRows struct {
	tenants     []*enginev1.Tenant
	activations []*enginev1.Activation
	connectors  []*enginev1.Connector
}

// same tells whether nothing has changed: a row is never changed once it is put, so it
// is the same as long as it is at the same place.
func (c configRows) same(o configRows) bool {
	return slices.Equal(c.tenants, o.tenants) && slices.Equal(c.activations, o.activations) && slices.Equal(c.connectors, o.connectors)
}

// Refresh reads tenants and activations again. What it cannot read it leaves as
// it was.
func (r *Registry) Refresh() { r.RefreshSince(time.Now()) }

// RefreshSince is Refresh, unless one has begun after the time: callers who find
// something missing at once share the work.
func (r *Registry) RefreshSince(asked time.Time) {
	r.refreshing.Lock()
	defer r.refreshing.Unlock()
	if !r.refreshed.Before(asked) {
		return
	}
	r.refreshed = time.Now()
	var rows configRows
	err := r.View(func(tx engine.Tx) error {
		tx.Ascend(engine.Key{Table: engine.TableTenant}, func(_ engine.Key, row engine.Row) bool {
			rows.tenants = append(rows.tenants, row.(*enginev1.Tenant))
			return true
		})
		tx.Ascend(engine.Key{Table: engine.TableActivation}, func(_ engine.Key, row engine.Row) bool {
			rows.activations = append(rows.activations, row.(*enginev1.Activation))
			return true
		})
		tx.Ascend(engine.Key{Table: engine.TableConnector}, func(_ engine.Key, row engine.Row) bool {
			rows.connectors = append(rows.connectors, row.(*enginev1.Connector))
			return true
		})
		return nil
	})
	if err != nil {
		r.Logger.Error("the active connectors cannot be read", "err", err)
		return
	}
	if rows.same(r.seen) {
		return
	}
	r.seen = rows
	installed := make(map[string]*enginev1.Connector, len(rows.connectors))
	for _, row := range rows.connectors {
		installed[row.Name+"\x00"+string(row.Digest)] = row
	}
	table := buildRoutes(rows.tenants, rows.activations, func(connector string, digest []byte) *sdkv1.Manifest {
		return r.manifest(installed[connector+"\x00"+string(digest)])
	})
	table.activations, table.installed = rows.activations, make(map[Digest]*enginev1.Connector, len(installed))
	for _, row := range installed {
		if digest, ok := ToDigest(row.Digest); ok {
			table.installed[digest] = row
		}
	}
	r.table.Store(table)
	for _, m := range r.all() {
		if row := table.installed[m.Digest]; row != nil && row.RevokedMs != 0 {
			m.revoked.Store(true)
		}
	}
}

func (r *Registry) manifest(row *enginev1.Connector) *sdkv1.Manifest {
	if row == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	key := row.Name + "\x00" + string(row.Digest)
	m := r.manifests[key]
	if m == nil {
		m = new(sdkv1.Manifest)
		if err := m.UnmarshalVT(row.Manifest); err != nil {
			r.Logger.Error("a connector's manifest cannot be read", "connector", row.Name, "err", err)
			return nil
		}
		r.manifests[key] = m
	}
	return m
}

// Find says which module serves an HTTP request, and for which tenant.
func (r *Registry) Find(method, escapedPath string, header Header) (*Target, *RouteError) {
	return r.table.Load().find(method, escapedPath, header)
}

// Module is an installed module, ready to be stepped.
type Module struct {
	Stepper
	Digest    Digest
	manifest  *sdkv1.Manifest
	endpoints map[string]*sdkv1.Endpoint
	revoked   atomic.Bool
	tallies   sync.Map // of *Tally, by tenant
}

// Step is the Stepper's, but for a module that has been revoked: none of its steps
// begins any more.
func (m *Module) Step(ctx context.Context, tenant string, request *sdkv1.StepRequest) (*sdkv1.StepReply, error) {
	if m.Revoked() {
		return nil, ErrRevoked
	}
	return m.Stepper.Step(ctx, tenant, request)
}

// Revoked tells whether the module may not be stepped any more.
func (m *Module) Revoked() bool { return m.revoked.Load() }

// Module returns a module ready to be stepped. One that this node does not hold
// is asked for at the others. The error is ErrRevoked for one that may not run any
// more, and a *signing.Error for one that this node does not trust.
func (r *Registry) Module(ctx context.Context, digest Digest) (*Module, error) {
	if m := r.loaded(digest); m != nil {
		if m.Revoked() {
			return nil, fmt.Errorf("%s: %w", digest, ErrRevoked)
		}
		return m, nil
	}
	// Compiling takes a while, so it is done once for all who wait; and since they
	// wait for each other it must not end with the first one's context.
	done := r.loading.DoChan(digest.String(), func() (any, error) {
		if m := r.loaded(digest); m != nil {
			return m, nil
		}
		return r.load(context.WithoutCancel(ctx), digest)
	})
	select {
	case res := <-done:
		if res.Err != nil {
			return nil, res.Err
		}
		return res.Val.(*Module), nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (r *Registry) loaded(digest Digest) *Module {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.modules[digest]
}

func (r *Registry) load(ctx context.Context, digest Digest) (*Module, error) {
	row, err := r.trusted(digest)
	if err != nil {
		return nil, err
	}
	blob, err := r.blobs.get(digest)
	if errors.Is(err, ErrNoBlob) && r.Fetch != nil {
		if blob, err = r.Fetch(ctx, digest); err == nil {
			err = r.received(blob, digest)
		}
	}
	if err != nil {
		return nil, err
	}
	stepper, err := r.Load(ctx, blob)
	if err != nil {
		return nil, fmt.Errorf("module %s: %w", digest, err)
	}
	if err := sameManifest(row, blob, stepper); err != nil {
		return nil, errors.Join(err, stepper.Close(ctx))
	}
	return r.keep(ctx, digest, stepper), nil
}

// received stores a module that another node sent, if it is the one asked for. What is
// not is not kept: its name would be taken for its content.
func (r *Registry) received(blob []byte, digest Digest) error {
	if got := Digest(sha256.Sum256(blob)); got != digest {
		return fmt.Errorf("another node sent module %s in place of %s: %w", got, digest, ErrDigest)
	}
	_, err := r.blobs.put(blob)
	return err
}

// keep makes the module known, unless it is already.
func (r *Registry) keep(ctx context.Context, digest Digest, stepper Stepper) *Module {
	m := &Module{
		Stepper: stepper, Digest: digest, manifest: stepper.Manifest(),
		endpoints: make(map[string]*sdkv1.Endpoint),
	}
	for _, e := range m.manifest.Endpoints {
		m.endpoints[e.Name] = e
	}
	r.mu.Lock()
	first := r.modules[digest]
	if first == nil {
		row := r.table.Load().installed[digest]
		m.revoked.Store(row != nil && row.RevokedMs != 0)
		r.modules[digest] = m
	}
	r.mu.Unlock()
	if first == nil {
		return m
	}
	if err := stepper.Close(ctx); err != nil {
		r.Logger.Warn("a module that is loaded already could not be closed", "err", err)
	}
	return first
}

// ErrDigest says that a module is not the one its digest promised.
var ErrDigest = errors.New("the module's digest differs")

// Install verifies a module, compiles it and keeps it on this node. It returns
// the row by which the log will know it; proposing that is the caller's. A module
// that the sandbox refuses is its *host.Error, one that is not signed as this node
// demands a *signing.Error.
func (r *Registry) Install(ctx context.Context, module []byte, digest Digest, author string, signed []*enginev1.Signature) (*enginev1.Connector, error) {
	if len(module) > ModuleMax {
		return nil, fmt.Errorf("the module has %d bytes; %d are allowed", len(module), ModuleMax)
	}
	if got := Digest(sha256.Sum256(module)); got != digest {
		return nil, fmt.Errorf("%w: it is %s, not %s", ErrDigest, got, digest)
	}
	r.installing.Lock()
	defer r.installing.Unlock()
	stepper, err := r.Load(ctx, module)
	if err != nil {
		return nil, err
	}
	m := stepper.Manifest()
	encoded, err := manifestOf(module, stepper)
	if err != nil {
		return nil, errors.Join(err, stepper.Close(ctx))
	}
	row := &enginev1.Connector{
		Name: m.Name, Kind: m.Kind, Version: m.Version, Digest: digest[:],
		Manifest: encoded, Size: uint64(len(module)), Author: author, Signatures: signed,
		AcceptsHistoryOf: m.AcceptsHistoryOf,
	}
	_, err = r.Verify(row, "")
	if err == nil {
		_, err = r.blobs.put(module)
	}
	if err != nil {
		return nil, errors.Join(err, stepper.Close(ctx))
	}
	r.keep(ctx, digest, stepper)
	for _, j := range m.Jobs {
		row.JobTypes = append(row.JobTypes, j.Type)
	}
	for _, s := range m.Schedules {
		row.Schedules = append(row.Schedules, &enginev1.Schedule{Name: s.Name, Cycle: s.Cycle})
	}
	for _, route := range m.Routes {
		row.Routes = append(row.Routes, newPattern(m.Name, route).shape())
	}
	return row, nil
}

// Blob is a module's bytes, for another node.
func (r *Registry) Blob(digest Digest) ([]byte, error) { return r.blobs.get(digest) }

// Ready reports whether the module is compiled on this node.
func (r *Registry) Ready(digest Digest) bool { return r.loaded(digest) != nil }

// Missing lists the active modules that are not ready on this node.
func (r *Registry) Missing() []Digest {
	var missing []Digest
	for digest := range r.table.Load().modules {
		if r.loaded(digest) == nil {
			missing = append(missing, digest)
		}
	}
	return missing
}

// Prepare makes every active module ready, so that no payment waits for a
// compiler. The errors are those of modules that cannot be had now.
func (r *Registry) Prepare(ctx context.Context) error {
	var err error
	for _, digest := range r.Missing() {
		if _, failed := r.Module(ctx, digest); failed != nil {
			err = errors.Join(err, failed)
		}
	}
	return err
}

// Warm makes a module ready for a tenant: compiled, bound to its present
// configuration, with instances made, so that not even the first step pays for any of
// it.
func (r *Registry) Warm(ctx context.Context, tenant string, digest Digest) error {
	m, err := r.Module(ctx, digest)
	if err != nil || tenant == "" {
		return err
	}
	if version, known := r.table.Load().tenants[tenant]; known {
		if _, err := r.Bind(tenant, version, m); err != nil {
			return err
		}
	}
	if w, ok := m.Stepper.(interface {
		Warm(context.Context, string) error
	}); ok {
		return w.Warm(ctx, tenant)
	}
	return nil
}

// Close lets go of modules and connections. Nothing may be stepped any more.
func (r *Registry) Close(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var err error
	for _, m := range r.modules {
		err = errors.Join(err, m.Close(ctx))
	}
	for _, b := range r.bindings {
		b.close()
	}
	r.modules, r.bindings, r.order = map[Digest]*Module{}, map[bindingKey]*Binding{}, nil
	return err
}
