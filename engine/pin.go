package engine

import (
	"bytes"
	"hash/fnv"
	"slices"

	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// A payment keeps the digest of each connector that it met first: its pin. It keeps
// it through activations, so that it ends as it began, and loses it when the digest
// is rolled back or revoked. Rows count the pins of running payments, by which an
// operator knows when a version has drained.

// versionPins is the engine's version from which on pins are counted.
const versionPins = 2

func pinsKey(tenant, connector string, digest []byte) Key {
	return Key{Table: TablePins, S: tenant + "\x00" + connector + "\x00" + string(digest)}
}

// servedName is what the keys of activations and pins are made of.
type servedName struct {
	tenant, connector string
	digest            [32]byte // of pins
}

// limitServedNames bounds the cache of keys. A cluster has few of them, and every job
// needs two.
const limitServedNames = 4096

// served is activationKey, or pinsKey where there is a digest, without making the same
// text again and again.
func (a *application) served(tenant, connector string, digest []byte) Key {
	name := servedName{tenant: tenant, connector: connector}
	copy(name.digest[:], digest)
	text, known := a.engine.names[name]
	if !known {
		if len(a.engine.names) >= limitServedNames {
			clear(a.engine.names)
		}
		text = activationKey(tenant, connector).S
		if digest != nil {
			text = pinsKey(tenant, connector, digest).S
		}
		a.engine.names[name] = text
	}
	if digest != nil {
		return Key{Table: TablePins, S: text}
	}
	return Key{Table: TableActivation, S: text}
}

// route says which digest of which connector serves a job type for a payment: the
// one that the payment keeps or, if it has none that still serves, the present one.
// Where there is none, incident is the code of the incident that says so.
func (p *payment) route(jobType string) (connector string, digest []byte, incident string) {
	connector, digest, pinned, incident := p.server(jobType)
	if incident != "" || pinned >= 0 && bytes.Equal(p.row.Pins[pinned].Digest, digest) {
		return connector, digest, incident
	}
	pin := &enginev1.ConnectorPin{Connector: connector, Digest: digest}
	if pinned >= 0 {
		p.countPin(p.row.Pins[pinned], -1)
		p.row.Pins = slices.Clone(p.row.Pins)
		p.row.Pins[pinned] = pin
	} else {
		p.row.Pins = append(p.row.Pins, pin)
	}
	p.countPin(pin, 1)
	return connector, digest, ""
}

// server is route without keeping anything; pinned is where the payment keeps a digest of
// the connector, negative if it keeps none.
func (p *payment) server(jobType string) (connector string, digest []byte, pinned int, incident string) {
	r, found := get[*enginev1.JobRoute](p.a, jobRouteKey(p.row.Tenant, jobType))
	if !found {
		return "", nil, -1, IncidentNoConnector
	}
	act, found := get[*enginev1.Activation](p.a, p.a.served(p.row.Tenant, r.Connector, nil))
	if !found {
		return "", nil, -1, IncidentNoConnector
	}
	pinned = slices.IndexFunc(p.row.Pins, func(pin *enginev1.ConnectorPin) bool { return pin.Connector == r.Connector })
	_, isSchedule := ScheduleOf(jobType)
	switch {
	case pinned >= 0 && !isWithdrawn(act, p.row.Pins[pinned].Digest):
		digest = p.row.Pins[pinned].Digest
	case len(act.Digest) == 0:
		incident = IncidentRevoked
	case isSchedule:
		digest = act.Digest
	default:
		digest = p.draw(act)
	}
	return r.Connector, digest, pinned, incident
}

// draw is the digest that a payment gets which has none of the connector.
func (p *payment) draw(act *enginev1.Activation) []byte {
	if len(act.Canary) > 0 && drawn(p.row.Payment, act.Connector) < act.CanaryWeight {
		return act.Canary
	}
	return act.Digest
}

// drawn is a payment's number from 0 to 9,999, by which a canary's share of payments
// is chosen. It differs by connector, so that two canaries at once get different
// payments, and is the finishing step of SplitMix64, since payments' keys ascend.
func drawn(payment uint64, connector string) uint32 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(connector)) // never fails
	x := payment + h.Sum64()
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return uint32((x ^ x>>31) % weightAll)
}

func isWithdrawn(act *enginev1.Activation, digest []byte) bool {
	return slices.ContainsFunc(act.Withdrawn, func(d []byte) bool { return bytes.Equal(d, digest) })
}

// countPin counts a pin of a running payment.
func (p *payment) countPin(pin *enginev1.ConnectorPin, delta int64) {
	if p.a.meta.Version >= versionPins {
		p.a.countPins(p.a.served(p.row.Tenant, pin.Connector, pin.Digest), delta)
	}
}

func (a *application) countPins(k Key, delta int64) {
	var payments uint64
	if row, found := get[*enginev1.Pins](a, k); found {
		payments = row.Payments
	}
	if payments = uint64(int64(payments) + delta); payments == 0 {
		a.delete(k)
	} else {
		a.put(k, &enginev1.Pins{Payments: payments})
	}
}

// dropPins lets go of what a payment that ends has kept.
func (p *payment) dropPins() {
	for _, pin := range p.row.Pins {
		p.countPin(pin, -1)
	}
}

// countAllPins makes the rows for payments that began before pins were counted.
func (a *application) countAllPins() {
	counts := make(map[string]uint64)
	var keys []string
	a.tx.Ascend(Key{Table: TableInstance}, func(_ Key, row Row) bool {
		in := row.(*enginev1.Instance)
		for _, pin := range in.Pins {
			k := pinsKey(in.Tenant, pin.Connector, pin.Digest).S
			if counts[k]++; counts[k] == 1 {
				keys = append(keys, k)
			}
		}
		return true
	})
	for _, k := range keys {
		a.put(Key{Table: TablePins, S: k}, &enginev1.Pins{Payments: counts[k]})
	}
}

// reroute gives a job whose digest serves no more the present one, with the present
// configuration. It says which incident stops the job if there is none.
func (p *payment) reroute(job *enginev1.Job) (incident string) {
	if !p.a.withdrawn(job) {
		return ""
	}
	connector, digest, incident := p.route(job.Type)
	if incident != "" {
		if p.a.revoked(job) {
			return IncidentRevoked
		}
		return "" // the version that was rolled back is the last that knows this type
	}
	tenant, _ := get[*enginev1.Tenant](p.a, tenantKey(p.row.Tenant))
	job.Connector, job.Digest, job.ConfigVersion = connector, digest, tenant.Version
	return ""
}

// inherit lets another digest go on with a job's attempt where it says that it
// understands the histories of the one before. That is the digest which it would get:
// the payment may keep another than the one that is drawn now.
func (p *payment) inherit(job *enginev1.Job) bool {
	connector, digest, _, incident := p.server(job.Type)
	if incident != "" || connector != job.Connector {
		return false
	}
	heir := p.a.module(connector, digest)
	if heir == nil || !slices.ContainsFunc(heir.AcceptsHistoryOf, func(d []byte) bool { return bytes.Equal(d, job.Digest) }) {
		return false
	}
	return p.reroute(job) == ""
}

// withdrawn tells whether a job's digest was rolled back or revoked.
func (a *application) withdrawn(job *enginev1.Job) bool {
	act, found := get[*enginev1.Activation](a, a.served(job.Tenant, job.Connector, nil))
	return found && isWithdrawn(act, job.Digest)
}

// revoked tells whether a job's digest may not run any more.
func (a *application) revoked(job *enginev1.Job) bool {
	if !a.withdrawn(job) {
		return false
	}
	module := a.module(job.Connector, job.Digest)
	return module != nil && module.RevokedMs != 0
}

// mustServe refuses what a job does by a digest that has been revoked.
func (a *application) mustServe(job *enginev1.Job) {
	if a.revoked(job) {
		a.refuse(CodeConnectorRevoked, "The version of connector "+quote(job.Connector)+" that works on the job has been revoked.")
	}
}
