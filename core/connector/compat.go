package connector

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/railhead-hub/railhead/engine"
	"github.com/railhead-hub/railhead/engine/bpmn"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// Doubt is something about a module that may be meant, and more often is not.
type Doubt struct {
	Code string
	Text string
}

// Doubts of a module, as an installation tells them: a version that is taken, and what
// the tenants would lack whom another version serves.
func (r *Registry) Doubts(row *enginev1.Connector) (doubts []Doubt) {
	if _, err := parseVersion(row.Version); err != nil {
		return append(doubts, Doubt{"version", fmt.Sprintf("version %q is not of the form 1.2.3", row.Version)})
	}
	for _, other := range r.rows() {
		if other.Name != row.Name || string(other.Digest) == string(row.Digest) {
			continue
		}
		if other.Version == row.Version {
			doubts = append(doubts, Doubt{"version-taken", fmt.Sprintf("another module is %s %s too: %x", row.Name, row.Version, other.Digest[:6])})
		}
	}
	return append(doubts, r.servingDoubts(row)...)
}

// doubtsMax bounds what an installation tells of tenants.
const doubtsMax = 100

// servingDoubts are the ActivationDoubts of the tenants that a version of the connector
// serves: what an activation would run into is better known before it is asked for.
func (r *Registry) servingDoubts(row *enginev1.Connector) (doubts []Doubt) {
	var tenants []string
	for _, act := range r.table.Load().activations {
		if act.Connector == row.Name && string(act.Digest) != string(row.Digest) {
			tenants = append(tenants, act.Tenant)
		}
	}
	for _, tenant := range tenants {
		for _, d := range r.ActivationDoubts(tenant, row) {
			if len(doubts) == doubtsMax {
				return append(doubts, Doubt{"more", fmt.Sprintf("%s serves more tenants for whom something is missing", row.Name)})
			}
			if !slices.Contains(doubts, d) {
				doubts = append(doubts, d)
			}
		}
	}
	return doubts
}

// ActivationDoubts say what a tenant would lack if a digest served it in place of what
// does now: job types that its flows use, what is not bound, a version that goes back.
func (r *Registry) ActivationDoubts(tenant string, row *enginev1.Connector) (doubts []Doubt) {
	note := func(code, format string, args ...any) {
		doubts = append(doubts, Doubt{code, fmt.Sprintf(format, args...)})
	}
	m := r.manifest(row)
	if m == nil {
		note("manifest", "the manifest of %s cannot be read", row.Name)
		return doubts
	}
	var stable *enginev1.Connector
	var config []byte
	_ = r.View(func(tx engine.Tx) error {
		if act, found := tx.Get(engine.Key{Table: engine.TableActivation, S: tenant + "\x00" + row.Name}); found {
			if before, found := tx.Get(engine.Key{Table: engine.TableConnector, S: row.Name + "\x00" + string(act.(*enginev1.Activation).Digest)}); found {
				stable = before.(*enginev1.Connector)
			}
		}
		if t, found := tx.Get(engine.Key{Table: engine.TableTenant, S: tenant}); found {
			config = t.(*enginev1.Tenant).Config
		}
		return nil
	})
	if stable != nil && string(stable.Digest) != string(row.Digest) {
		before, errBefore := parseVersion(stable.Version)
		now, errNow := parseVersion(row.Version)
		switch {
		case errBefore != nil || errNow != nil:
		case now.compare(before) < 0:
			note("version-goes-back", "%s serves now, and %s is older", stable.Version, row.Version)
		case now.core[0] != before.core[0]:
			note("version-major", "%s serves now, and %s says by its first number that it is not compatible", stable.Version, row.Version)
		}
		lost := slices.DeleteFunc(slices.Clone(stable.JobTypes), func(t string) bool { return slices.Contains(row.JobTypes, t) })
		var used []string
		if len(lost) > 0 {
			used = r.usedTypes(tenant)
		}
		for _, t := range lost {
			if jobType := strings.ReplaceAll(t, "{tenant}", tenant); slices.Contains(used, jobType) {
				note("job-type-lost", "flows of %s use job type %s, which %s serves and %s does not", tenant, jobType, stable.Version, row.Version)
			}
		}
		for _, route := range stable.Routes {
			if !slices.Contains(row.Routes, route) {
				note("route-lost", "%s serves %s and %s does not", stable.Version, route, row.Version)
			}
		}
	}
	c, err := parseTenant(config)
	if err != nil {
		note("tenant-config", "%v", err)
		return doubts
	}
	for _, missing := range unbound(c.Connectors[row.Name], m) {
		note("unbound", "tenant %s has not bound %s of %s", tenant, missing, row.Name)
	}
	return doubts
}

// unbound names what a manifest refers to and a tenant has not bound.
func unbound(c connectorConfig, m *sdkv1.Manifest) (names []string) {
	for _, e := range m.Endpoints {
		if _, bound := c.Endpoints[e.Name]; !bound {
			names = append(names, "endpoint "+e.Name)
		}
	}
	for _, l := range m.Links {
		if _, bound := c.Links[l.Name]; !bound {
			names = append(names, "link "+l.Name)
		}
	}
	for _, key := range m.Keys {
		if _, bound := c.Keys[key]; !bound {
			names = append(names, "key "+key)
		}
	}
	for _, secret := range m.Secrets {
		bound := false
		for _, e := range c.Endpoints {
			bound = bound || slices.Contains(e.Secrets, secret)
		}
		if !bound {
			names = append(names, "secret "+secret)
		}
	}
	return names
}

// usedTypes are the job types of a tenant's flows, each in its latest version. Files are
// parsed once the rows are let go of: payments wait for whoever reads them.
func (r *Registry) usedTypes(tenant string) (types []string) {
	var files [][]byte
	_ = r.View(func(tx engine.Tx) error {
		tx.Ascend(engine.Key{Table: engine.TableFlowLatest}, func(k engine.Key, row engine.Row) bool {
			if owner, _, _ := strings.Cut(k.S, "\x00"); owner != tenant {
				return true
			}
			if flow, found := tx.Get(engine.Key{Table: engine.TableFlow, S: k.S, A: uint64(row.(*enginev1.FlowLatest).Version)}); found {
				files = append(files, flow.(*enginev1.Flow).Xml)
			}
			return true
		})
		return nil
	})
	for _, file := range files {
		processes, _ := bpmn.Parse(file)
		for _, p := range processes {
			types = append(types, p.JobTypes()...)
		}
	}
	return types
}

func (r *Registry) rows() []*enginev1.Connector {
	r.Refresh()
	installed := r.table.Load().installed
	out := make([]*enginev1.Connector, 0, len(installed))
	for _, row := range installed {
		out = append(out, row)
	}
	slices.SortFunc(out, func(a, b *enginev1.Connector) int { return slices.Compare(a.Digest, b.Digest) })
	return out
}

// version is a semantic version (semver.org 2.0.0) without its build part, which is no
// part of the order.
type version struct {
	core [3]uint64
	pre  string
}

func parseVersion(text string) (v version, err error) {
	text, _, _ = strings.Cut(text, "+")
	text, v.pre, _ = strings.Cut(text, "-")
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return v, fmt.Errorf("version %q has not three numbers", text)
	}
	for i, part := range parts {
		if v.core[i], err = strconv.ParseUint(part, 10, 32); err != nil {
			return v, fmt.Errorf("version %q: %w", text, err)
		}
	}
	return v, nil
}

// compare orders versions; one with a pre-release comes before the one without.
func (v version) compare(o version) int {
	if c := slices.Compare(v.core[:], o.core[:]); c != 0 {
		return c
	}
	switch {
	case v.pre == o.pre:
		return 0
	case v.pre == "":
		return 1
	case o.pre == "":
		return -1
	}
	a, b := strings.Split(v.pre, "."), strings.Split(o.pre, ".")
	for i := range min(len(a), len(b)) {
		x, errX := strconv.ParseUint(a[i], 10, 64)
		y, errY := strconv.ParseUint(b[i], 10, 64)
		c := strings.Compare(a[i], b[i])
		switch {
		case errX == nil && errY == nil:
			c = cmp.Compare(x, y)
		case errX == nil:
			c = -1
		case errY == nil:
			c = 1
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}
