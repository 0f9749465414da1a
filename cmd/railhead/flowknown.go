package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"

	corev1 "github.com/railhead-hub/railhead/core/v1"
	"github.com/railhead-hub/railhead/engine/bpmn"
	"github.com/railhead-hub/railhead/engine/bpmn/lint"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
	"github.com/railhead-hub/railhead/sdk/manifest"
	sdkv1 "github.com/railhead-hub/railhead/sdk/v1"
)

// known collects what the linter may rely on.
func (a *app) known(ctx context.Context, o *lintOptions) (lint.Known, error) {
	var known lint.Known
	if o.active {
		if o.tenant == "" || len(o.connectors) > 0 {
			return known, usagef("--active needs --tenant, and takes the place of --connectors")
		}
		if err := a.activeJobs(ctx, o.tenant, &known); err != nil {
			return known, err
		}
	}
	if len(o.connectors) > 0 {
		manifests, err := readManifests(o.connectors)
		if err != nil {
			return known, err
		}
		tenant := o.tenant
		if tenant == "" {
			tenant = "DFSPID" // as an unexpanded template has it
		}
		known = knownOf(manifests, tenant)
	}
	for _, name := range o.publishes {
		publish(&known, name, lint.Message{})
	}
	for _, name := range o.operators {
		publish(&known, name, lint.Message{ByHand: true})
	}
	return known, nil
}

func publish(known *lint.Known, name string, m lint.Message) {
	if known.Messages == nil {
		known.Messages = map[string]lint.Message{}
	}
	known.Messages[name] = m
}

// activeJobs asks the node which job types the tenant's active connectors serve. The
// rows tell no more than that.
func (a *app) activeJobs(ctx context.Context, tenant string, known *lint.Known) error {
	ctx, cancel := a.call(ctx)
	defer cancel()
	list, err := a.control().ListConnectors(ctx, &corev1.ListConnectorsRequest{})
	if err != nil {
		return err
	}
	known.Jobs = map[string]lint.Job{}
	for _, activation := range list.GetActivations() {
		for _, c := range list.GetConnectors() {
			if activation.GetTenant() != tenant || !bytes.Equal(activation.GetDigest(), c.GetDigest()) {
				continue
			}
			for _, job := range c.GetJobTypes() {
				known.Jobs[strings.ReplaceAll(job, "{tenant}", tenant)] = lint.Job{}
			}
		}
	}
	return nil
}

// readManifests reads modules, manifests, and folders with a manifest.json.
func readManifests(paths []string) ([]*sdkv1.Manifest, error) {
	var manifests []*sdkv1.Manifest
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, usageError{err}
		}
		if info.IsDir() {
			path = filepath.Join(path, manifest.File)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, usageError{err}
		}
		read := manifest.FromModule
		if filepath.Ext(path) == ".json" {
			read = manifest.ParseJSON
		}
		m, err := read(content)
		if err != nil {
			return nil, refusedf("%s: %w", path, err)
		}
		manifests = append(manifests, m)
	}
	return manifests, nil
}

// knownOf is what manifests say, for one tenant.
func knownOf(manifests []*sdkv1.Manifest, tenant string) lint.Known {
	known := lint.Known{Jobs: map[string]lint.Job{}, Messages: map[string]lint.Message{}}
	local := func(types []string) (out []string) {
		for _, t := range types {
			out = append(out, strings.ReplaceAll(t, "{tenant}", tenant))
		}
		return out
	}
	for _, m := range manifests {
		// A manifest that tells what one job sets tells it of all.
		told := tellsOutputs(m)
		sets := func(outputs []string) []string {
			if told && outputs == nil {
				outputs = []string{}
			}
			return outputs
		}
		for _, j := range m.Jobs {
			known.Jobs[local([]string{j.Type})[0]] = lint.Job{
				Money: j.Money, Undoes: local(j.Undoes), Settles: local(j.Settles), Sets: sets(j.Outputs),
			}
		}
		for _, p := range m.Publishes {
			message := known.Messages[p.Message]
			message.Sets = append(message.Sets, sets(p.Outputs)...)
			known.Messages[p.Message] = message
		}
		for _, v := range m.Starts {
			if known.Starts == nil {
				known.Starts = map[string]bool{}
			}
			known.Starts[v] = true
		}
	}
	return known
}

func tellsOutputs(m *sdkv1.Manifest) bool {
	for _, j := range m.Jobs {
		if len(j.Outputs) > 0 {
			return true
		}
	}
	for _, p := range m.Publishes {
		if len(p.Outputs) > 0 {
			return true
		}
	}
	return false
}

// thrown adds the messages that the files' own throw events are about. Nobody knows
// what they carry.
func thrown(known lint.Known, texts [][]byte) {
	if known.Messages == nil {
		return
	}
	for _, text := range texts {
		processes, _ := bpmn.Parse(text)
		for _, p := range processes {
			for _, name := range p.Published {
				if _, found := known.Messages[name]; !found {
					known.Messages[name] = lint.Message{}
				}
			}
		}
	}
}

// endsOf is what a flow's sidecar says, for the linter.
func endsOf(file, named string) (map[string]enginev1.Result, error) {
	ends, err := readEnds(file, named)
	if err != nil {
		return nil, err
	}
	results := make(map[string]enginev1.Result, len(ends))
	for _, e := range ends {
		results[e.Element] = enginev1.Result(e.Result)
	}
	return results, nil
}
