package main

import (
	"bytes"
	"encoding/json"
	"os"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/railhead-hub/railhead/engine/enginetest"
	enginev1 "github.com/railhead-hub/railhead/engine/v1"
)

// recorded FLOW FILE lives a payment of the flow, written in the notation of
// enginetest.Model, in which every job completes with ok = true, and writes it to the
// file as payment replay --save does.
func recorded(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: recorded FLOW FILE")
	}
	xml, err := enginetest.Model("transfer", ts.ReadFile(args[0]))
	ts.Check(err)
	l := &life{
		Payment: "6b29fc40-ca47-4067-b31d-00dd010662da", Tenant: "greenbank",
		Flows: []savedFlow{{ID: "transfer", Version: 1, File: args[0], XML: xml}},
	}
	env := enginetest.NewEnv(enginetest.NewMemTx())
	var jobs []*enginev1.Event
	apply := func(cmd *enginev1.Command) {
		for _, ev := range env.Apply(cmd).Events {
			if ev.Payment == 0 || ev.Seq == 0 {
				continue
			}
			raw, err := ev.MarshalVTStrict()
			ts.Check(err)
			l.Events = append(l.Events, raw)
			if ev.Kind == enginev1.EventKind_EVENT_KIND_JOB_CREATED {
				jobs = append(jobs, ev)
			}
		}
	}
	digest := bytes.Repeat([]byte{1}, 32)
	apply(&enginev1.Command{Verb: &enginev1.Command_PutTenant{PutTenant: &enginev1.PutTenant{Tenant: &enginev1.Tenant{Id: "greenbank"}}}})
	apply(&enginev1.Command{Verb: &enginev1.Command_InstallConnector{InstallConnector: &enginev1.InstallConnector{
		Connector: &enginev1.Connector{Name: "bank", Digest: digest, JobTypes: []string{"hold", "book"}},
	}}})
	apply(&enginev1.Command{Verb: &enginev1.Command_ActivateConnector{ActivateConnector: &enginev1.ActivateConnector{
		Tenant: "greenbank", Connector: "bank", Digest: digest,
	}}})
	apply(&enginev1.Command{Verb: &enginev1.Command_Deploy{Deploy: &enginev1.Deploy{Tenant: "greenbank", File: args[0], Xml: []byte(xml)}}})
	apply(&enginev1.Command{Verb: &enginev1.Command_StartPayment{StartPayment: &enginev1.StartPayment{Tenant: "greenbank", Flow: "transfer"}}})
	for len(jobs) > 0 {
		job := jobs[0]
		jobs = jobs[1:]
		apply(&enginev1.Command{Verb: &enginev1.Command_FinishJob{FinishJob: &enginev1.FinishJob{
			Origin: &enginev1.Origin{Payment: job.Payment, Job: job.Job, Attempt: 1, Epoch: 1},
			Outcome: &enginev1.FinishJob_Complete{Complete: &enginev1.Complete{
				Variables: []*enginev1.Variable{{Name: "ok", Json: []byte("true")}},
			}},
		}}})
	}
	ts.Check(l.save(ts.MkAbs(args[1])))
}

// model FLOW FILE writes a flow as BPMN.
func model(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: model FLOW FILE")
	}
	xml, err := enginetest.Model("transfer", ts.ReadFile(args[0]))
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(xml), 0o600))
}

// asflow LIFE FILE makes a recorded payment one of the flow in the file.
func asflow(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: asflow LIFE FILE")
	}
	l := &life{}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), l))
	l.Flows[0].XML = ts.ReadFile(args[1])
	ts.Check(l.save(ts.MkAbs(args[0])))
}
