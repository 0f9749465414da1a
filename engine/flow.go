package engine

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"strings"

	"github.com/railhead-hub/railhead/engine/bpmn"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// flow is a deployed process, parsed. The engine caches it; its row is the truth.
type flow struct {
	row     *enginev1.Flow
	process *bpmn.Process
	headers [][]*enginev1.Header // of each element, as jobs and user tasks carry them
}

func newFlow(row *enginev1.Flow, p *bpmn.Process) *flow {
	f := &flow{row: row, process: p, headers: make([][]*enginev1.Header, len(p.Elements))}
	for i := range p.Elements {
		for _, h := range p.Elements[i].Headers {
			f.headers[i] = append(f.headers[i], &enginev1.Header{Key: h.Key, Value: h.Value})
		}
	}
	return f
}

type flowKey struct {
	tenant, id string
	version    uint32
}

func flowRowKey(tenant, id string, version uint32) Key {
	return Key{Table: TableFlow, S: tenant + "\x00" + id, A: uint64(version)}
}

func latestKey(tenant, id string) Key {
	return Key{Table: TableFlowLatest, S: tenant + "\x00" + id}
}

// flow returns a deployed flow; version 0 is the latest. Nil: there is none.
func (a *application) flow(tenant, id string, version uint32) *flow {
	if version == 0 {
		latest, found := get[*enginev1.FlowLatest](a, latestKey(tenant, id))
		if !found {
			return nil
		}
		version = latest.Version
	}
	key := flowKey{tenant, id, version}
	if f := a.engine.flows[key]; f != nil {
		return f
	}
	row, found := get[*enginev1.Flow](a, flowRowKey(tenant, id, version))
	if !found {
		return nil
	}
	processes, _ := bpmn.Parse(row.Xml)
	for _, p := range processes {
		if p.ID == id {
			f := newFlow(row, p)
			a.engine.flows[key] = f
			return f
		}
	}
	return nil
}

// deploy adds a version of every process in a file. A file with one fault changes
// nothing.
func (a *application) deploy(c *enginev1.Deploy) *enginev1.Event {
	a.mustBeTenant(c.Tenant)
	processes, problems := bpmn.Parse(c.Xml)
	var faults, warnings []string
	for _, p := range problems {
		line := p.Element + ": " + p.Text
		if p.Severity == bpmn.Error {
			faults = append(faults, line)
		} else {
			warnings = append(warnings, line)
		}
	}
	if len(faults) > 0 || len(processes) == 0 {
		a.refuse(CodeFlowRefused, summary(append(faults, warnings...)))
	}
	for _, e := range c.Ends {
		if !slices.ContainsFunc(processes, func(p *bpmn.Process) bool {
			el, found := p.Element(e.Element)
			return found && el.Kind == bpmn.KindEnd
		}) {
			warnings = append(warnings, e.Element+": a result is given for it, but it is no end event of this file")
		}
	}
	unserved := a.unserved(c.Tenant, processes)
	if c.Strict && len(unserved) > 0 {
		a.refuse(CodeJobTypeUnserved, summary(unserved))
	}
	warnings = append(warnings, unserved...)
	digest := sha256.Sum256(c.Xml)
	var reply *enginev1.Event
	for _, p := range processes {
		reply = a.deployProcess(c, p, digest[:])
		reply.Text = summary(warnings)
	}
	a.hint(Hint{Kind: HintConfig})
	return reply
}

// unserved lists the elements whose job type no active connector of the tenant
// serves. A type that is an expression is known only when it is reached.
func (a *application) unserved(tenant string, processes []*bpmn.Process) []string {
	var lines []string
	for _, p := range processes {
		for i := range p.Elements {
			el := &p.Elements[i]
			if !el.JobType.IsSet() || el.JobType.Expr != nil {
				continue
			}
			if _, served := get[*enginev1.JobRoute](a, jobRouteKey(tenant, el.JobType.Static)); !served {
				lines = append(lines, el.ID+": no active connector serves job type "+quote(el.JobType.Static))
			}
		}
	}
	return lines
}

func (a *application) deployProcess(c *enginev1.Deploy, p *bpmn.Process, digest []byte) *enginev1.Event {
	version := uint32(1)
	if latest, found := get[*enginev1.FlowLatest](a, latestKey(c.Tenant, p.ID)); found {
		row, _ := get[*enginev1.Flow](a, flowRowKey(c.Tenant, p.ID, latest.Version))
		if row != nil && bytes.Equal(row.Digest, digest) && slices.EqualFunc(row.Ends, c.Ends, sameEnd) {
			return a.frame(&enginev1.Event{
				Kind: enginev1.EventKind_EVENT_KIND_FLOW_UNCHANGED, Tenant: c.Tenant,
				Type: p.ID, Number: latest.Version, Name: c.File,
			})
		}
		version = latest.Version + 1
	}
	a.put(flowRowKey(c.Tenant, p.ID, version), &enginev1.Flow{
		Tenant: c.Tenant, Id: p.ID, Version: version, File: c.File, Xml: c.Xml,
		Digest: digest, Ends: c.Ends, DeployedMs: a.stamp.TimeMS,
	})
	a.put(latestKey(c.Tenant, p.ID), &enginev1.FlowLatest{Version: version})
	a.registerMessages(c.Tenant, p)
	a.startTimers(c.Tenant, p, version)
	return a.tell(&enginev1.Event{
		Kind: enginev1.EventKind_EVENT_KIND_FLOW_DEPLOYED, Tenant: c.Tenant,
		Type: p.ID, Number: version, Name: c.File, Digest: digest, Actor: c.Actor,
	})
}

// endResult is what an end event means in business terms: as the flow marks it,
// else as the sidecar maps it, else unknown.
func (f *flow) endResult(el *bpmn.Element) (enginev1.Result, string) {
	for _, e := range f.row.Ends {
		if e.Element == el.ID {
			return e.Result, e.Code
		}
	}
	if el.Result != enginev1.Result_RESULT_UNSPECIFIED {
		return el.Result, el.Code
	}
	return enginev1.Result_RESULT_UNKNOWN, ""
}

// summary joins problems into one bounded text.
func summary(lines []string) string {
	const most = 20
	if len(lines) > most {
		lines = append(slices.Clone(lines[:most]), "…")
	}
	return strings.Join(lines, "; ")
}

func sameEnd(a, b *enginev1.EndResult) bool {
	return a.Element == b.Element && a.Result == b.Result && a.Code == b.Code
}
