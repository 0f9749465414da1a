package control

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"

	"connectrpc.com/connect"

	corev1 "github.com/railhead-hub/railhead/core/v1"
	"github.com/railhead-hub/railhead/engine"
	"github.com/railhead-hub/railhead/engine/bpmn"
	"github.com/railhead-hub/railhead/engine/bpmn/lint"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// DeployFlow checks the file as each tenant would have it, refuses it whole if
// any copy has a fault, and then deploys it tenant by tenant.
func (s *Service) DeployFlow(ctx context.Context, r *corev1.DeployFlowRequest) (*corev1.DeployFlowResponse, error) {
	answer := &corev1.DeployFlowResponse{}
	copies := make(map[string][]byte, len(r.Tenants))
	processes := make(map[string][]*bpmn.Process, len(r.Tenants))
	for _, tenant := range r.Tenants {
		xml := bpmn.ForTenant(r.File, r.Xml, tenant)
		parsed, problems := bpmn.Parse(xml)
		if bpmn.Refused(problems) || len(parsed) == 0 {
			return nil, flowRefused(r.File, problems)
		}
		for _, p := range parsed {
			if strings.HasPrefix(p.ID, engine.ScheduleFlow) {
				return nil, refuse(connect.CodeInvalidArgument, upper(engine.CodeFlowRefused),
					"%s: ids that begin with %s are those of connectors' schedules.", p.ID, engine.ScheduleFlow)
			}
		}
		copies[tenant], processes[tenant] = xml, parsed
	}
	// A follower that lags would warn of job types that are served by now. If there
	// is no leader to catch up with, the proposal below says so.
	_ = s.Commands.CatchUp(ctx)
	warned := make(map[string]bool)
	warn := func(p *corev1.Problem) {
		if key := p.Element + p.Code + p.Text; !warned[key] {
			warned[key] = true
			answer.Warnings = append(answer.Warnings, p)
		}
	}
	for _, tenant := range r.Tenants {
		for _, p := range processes[tenant] {
			found := lint.Flow(p, lint.Known{Ends: endResults(r.Ends)})
			if r.Strict && bpmn.Refused(found) {
				return nil, flowRefused(r.File, found)
			}
			for _, problem := range found {
				if problem.Severity != bpmn.Note {
					problem.Severity = bpmn.Warning
					warn(problemOf(r.File, problem))
				}
			}
			for _, jobType := range s.unserved(tenant, p.JobTypes()) {
				warn(&corev1.Problem{
					File: r.File, Code: "job-type-unserved", Warning: true,
					Text: fmt.Sprintf("no active connector of tenant %s serves job type %s", tenant, jobType),
				})
			}
		}
	}
	cmd := &enginev1.Deploy{File: r.File, Strict: r.Strict, Actor: actor(r.Actor)}
	for _, e := range r.Ends {
		cmd.Ends = append(cmd.Ends, &enginev1.EndResult{Element: e.Element, Result: enginev1.Result(e.Result), Code: e.Code})
	}
	for _, tenant := range r.Tenants {
		before := s.latest(tenant, processes[tenant])
		one := *cmd
		one.Tenant, one.Xml = tenant, copies[tenant]
		reply, err := s.Commands.Propose(ctx, &enginev1.Command{Verb: &enginev1.Command_Deploy{Deploy: &one}})
		if err := s.fromPropose(reply, err); err != nil {
			return nil, err
		}
		// The reply names the last process of the file and its version; this node's
		// rows may not have them yet.
		for _, p := range processes[tenant] {
			version := before[p.ID] + 1
			if reply.Kind == enginev1.EventKind_EVENT_KIND_FLOW_UNCHANGED {
				version = before[p.ID]
			}
			if p.ID == reply.Type {
				version = reply.Number
			}
			answer.Flows = append(answer.Flows, &corev1.DeployedFlow{
				Tenant: tenant, Flow: p.ID, Version: version,
				Unchanged: reply.Kind == enginev1.EventKind_EVENT_KIND_FLOW_UNCHANGED,
			})
		}
	}
	return answer, nil
}

// endResults are the results a sidecar gives, for the linter.
func endResults(ends []*corev1.EndResult) map[string]enginev1.Result {
	results := make(map[string]enginev1.Result, len(ends))
	for _, e := range ends {
		results[e.Element] = enginev1.Result(e.Result)
	}
	return results
}

func flowRefused(file string, problems []bpmn.Problem) error {
	detail := &corev1.ErrorDetail{Reason: upper(engine.CodeFlowRefused)}
	for _, p := range problems {
		detail.Problems = append(detail.Problems, problemOf(file, p))
	}
	text := "it holds no executable process"
	for _, p := range problems {
		if p.Severity == bpmn.Error {
			text = p.String()
			break
		}
	}
	return withDetail(connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("%s is refused: %s", file, text)), detail)
}

func problemOf(file string, p bpmn.Problem) *corev1.Problem {
	return &corev1.Problem{
		File: file, Element: p.Element, Code: p.Code, Text: p.Text, Warning: p.Severity != bpmn.Error,
	}
}

func (s *Service) unserved(tenant string, jobTypes []string) (unserved []string) {
	_ = s.Replica.View(func(tx engine.Tx) error {
		for _, jobType := range jobTypes {
			if _, served := tx.Get(engine.Key{Table: engine.TableJobRoute, S: tenant + "\x00" + jobType}); !served {
				unserved = append(unserved, jobType)
			}
		}
		return nil
	})
	return unserved
}

func (s *Service) latest(tenant string, processes []*bpmn.Process) map[string]uint32 {
	versions := make(map[string]uint32)
	_ = s.Replica.View(func(tx engine.Tx) error {
		for _, p := range processes {
			if row, found := tx.Get(engine.Key{Table: engine.TableFlowLatest, S: tenant + "\x00" + p.ID}); found {
				versions[p.ID] = row.(*enginev1.FlowLatest).Version
			}
		}
		return nil
	})
	return versions
}

// ListFlows lists every version of every flow.
func (s *Service) ListFlows(_ context.Context, r *corev1.ListFlowsRequest) (*corev1.ListFlowsResponse, error) {
	answer := &corev1.ListFlowsResponse{}
	latest := make(map[string]*corev1.FlowInfo)
	err := s.Replica.View(func(tx engine.Tx) error {
		tx.Ascend(engine.Key{Table: engine.TableFlow}, func(_ engine.Key, row engine.Row) bool {
			f := row.(*enginev1.Flow)
			if r.Tenant == "" || r.Tenant == f.Tenant {
				info := &corev1.FlowInfo{
					Tenant: f.Tenant, Flow: f.Id, Version: f.Version, File: f.File,
					Digest: hex.EncodeToString(f.Digest), DeployedMs: f.DeployedMs,
				}
				answer.Flows = append(answer.Flows, info)
				latest[f.Tenant+"\x00"+f.Id] = info // versions ascend
			}
			return true
		})
		return nil
	})
	for _, info := range latest {
		info.Latest = true
	}
	return answer, err
}

// GetFlow answers the file of one version of a flow, with the sidecar it was deployed
// with.
func (s *Service) GetFlow(_ context.Context, r *corev1.GetFlowRequest) (*corev1.GetFlowResponse, error) {
	var answer *corev1.GetFlowResponse
	err := s.Replica.View(func(tx engine.Tx) error {
		name := r.Tenant + "\x00" + r.Flow
		row, found := tx.Get(engine.Key{Table: engine.TableFlowLatest, S: name})
		if !found {
			return nil
		}
		latest := row.(*enginev1.FlowLatest).Version
		version := r.Version
		if version == 0 {
			version = latest
		}
		if row, found = tx.Get(engine.Key{Table: engine.TableFlow, S: name, A: uint64(version)}); !found {
			return nil
		}
		f := row.(*enginev1.Flow)
		answer = &corev1.GetFlowResponse{
			Flow: &corev1.FlowInfo{
				Tenant: f.Tenant, Flow: f.Id, Version: f.Version, File: f.File,
				Digest: hex.EncodeToString(f.Digest), DeployedMs: f.DeployedMs, Latest: f.Version == latest,
			},
			Xml: f.Xml,
		}
		for _, e := range f.Ends {
			answer.Ends = append(answer.Ends, &corev1.EndResult{Element: e.Element, Result: corev1.Result(e.Result), Code: e.Code})
		}
		return nil
	})
	if err == nil && answer == nil {
		err = refuse(connect.CodeNotFound, "FLOW_UNKNOWN", "This version of the flow is not deployed for the tenant.")
	}
	return answer, err
}

// flowCache remembers the element ids of flows, by which tokens are told.
type flowCache struct {
	mu       sync.Mutex
	elements map[string][]string
}

// flowCacheMax bounds the cache; a cluster has few flows.
const flowCacheMax = 2000

// element is the BPMN id of an element of a deployed flow, which stays the same
// for a version's life.
func (c *flowCache) element(tx engine.Tx, tenant, flow string, version uint32, index uint32) string {
	key := fmt.Sprintf("%s\x00%s\x00%d", tenant, flow, version)
	c.mu.Lock()
	ids, known := c.elements[key]
	c.mu.Unlock()
	if !known {
		ids = readElements(tx, tenant, flow, version)
		c.mu.Lock()
		if c.elements == nil || len(c.elements) >= flowCacheMax {
			c.elements = make(map[string][]string)
		}
		c.elements[key] = ids
		c.mu.Unlock()
	}
	if int(index) >= len(ids) {
		return ""
	}
	return ids[index]
}

func readElements(tx engine.Tx, tenant, flow string, version uint32) (ids []string) {
	row, found := tx.Get(engine.Key{Table: engine.TableFlow, S: tenant + "\x00" + flow, A: uint64(version)})
	if !found {
		return nil
	}
	processes, _ := bpmn.Parse(row.(*enginev1.Flow).Xml)
	for _, p := range processes {
		if p.ID != flow {
			continue
		}
		for _, el := range p.Elements {
			ids = append(ids, el.ID)
		}
	}
	return ids
}

func actor(a *corev1.Actor) *enginev1.Actor {
	if a == nil {
		return nil
	}
	return &enginev1.Actor{Name: a.Name, Reason: a.Reason}
}
