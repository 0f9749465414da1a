package core

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"connectrpc.com/connect"

	corev1 "github.com/railhead-hub/railhead/core/v1"
)

func TestDrive(t *testing.T) {
	s := newSite(t, 1, nil)
	s.furnish(0)
	const payments = 1000
	d := must(s.control(0).Drive(t.Context()))
	var batch []*corev1.DriveStart
	for ref := range uint64(payments) {
		batch = append(batch, &corev1.DriveStart{
			Ref: ref, Tenant: "greenbank", Flow: []string{"nothing", "wait"}[ref%2], Channel: "drive",
			ClientKey: fmt.Sprint(ref), UuidVariable: "transactionId", NotifyEnd: true,
		})
	}
	check(t, d.Send(&corev1.DriveRequest{Starts: batch[:payments/2]}))
	check(t, d.Send(&corev1.DriveRequest{Starts: batch[payments/2:], Counts: []*corev1.DriveCount{
		{Ref: 1, Commands: 5, PaddingBytes: []uint32{100, 200}, InSequence: true}, {Ref: 2, Commands: 3}, {Ref: 3, Commands: 0},
	}}))
	check(t, d.Send(&corev1.DriveRequest{Starts: []*corev1.DriveStart{{Ref: payments, Tenant: "greenbank", Flow: "nowhere"}}}))
	ended, started, counted := map[uint64]bool{}, map[uint64]bool{}, map[uint64]string{}
	for len(ended) < payments || len(counted) < 3 || len(started) < payments+1 {
		r, err := d.Receive()
		if err != nil {
			t.Fatalf("after %d started, %d ended: %v", len(started), len(ended), err)
		}
		answer := &corev1.DriveRequest{}
		for _, a := range r.Started {
			if wrong := a.Ref == payments; wrong != (a.Code == "FLOW_UNKNOWN") {
				t.Fatalf("%v", a)
			}
			started[a.Ref] = true
			if a.Ref%2 == 1 {
				answer.Publishes = append(answer.Publishes, &corev1.DrivePublish{
					Ref: a.Ref, Tenant: "greenbank", Name: "go-on", Key: a.Payment, MessageId: a.Payment, TtlMs: 60_000})
			}
		}
		for _, p := range r.Published {
			if p.Code != "" {
				t.Fatalf("%v", p)
			}
		}
		for _, c := range r.Counted {
			counted[c.Ref] = c.Code
		}
		for _, e := range r.Ended {
			if e.Result != corev1.Result_RESULT_COMPLETED || ended[e.Ref] || !started[e.Ref] {
				t.Fatalf("%v", e)
			}
			ended[e.Ref] = true
		}
		if len(answer.Publishes) > 0 {
			check(t, d.Send(answer))
		}
	}
	if counted[1] != "" || counted[2] != "" || counted[3] != "BAD_COMMAND" {
		t.Fatalf("%v", counted)
	}
	check(t, d.CloseRequest())
	if _, err := d.Receive(); !errors.Is(err, io.EOF) {
		t.Fatalf("the stream ends with %v", err)
	}
}

// TestEveryoneWhoAsksIsToldOfTheEnd: a start that is repeated, on the same stream
// or on another, starts nothing and yet asks to be told.
func TestEveryoneWhoAsksIsToldOfTheEnd(t *testing.T) {
	s := newSite(t, 1, nil)
	s.furnish(0)
	start := func(ref uint64) *corev1.DriveStart {
		return &corev1.DriveStart{Ref: ref, Tenant: "greenbank", Flow: "wait", Channel: "drive",
			ClientKey: "one", UuidVariable: "transactionId", NotifyEnd: true}
	}
	var payment string
	streams := []*connect.BidiStreamForClientSimple[corev1.DriveRequest, corev1.DriveResponse]{
		must(s.control(0).Drive(t.Context())), must(s.control(0).Drive(t.Context())),
	}
	for i, d := range streams {
		check(t, d.Send(&corev1.DriveRequest{Starts: []*corev1.DriveStart{start(uint64(10 * i)), start(uint64(10*i + 1))}}))
		for started := 0; started < 2; {
			for _, a := range must(d.Receive()).Started {
				payment = a.Payment
				started++
			}
		}
		check(t, d.CloseRequest())
	}
	_, err := s.control(0).PublishMessage(t.Context(), &corev1.PublishMessageRequest{Tenant: "greenbank", Name: "go-on", Key: payment})
	check(t, err)
	for i, d := range streams {
		told := map[uint64]bool{}
		for {
			r, err := d.Receive()
			if errors.Is(err, io.EOF) {
				break
			}
			check(t, err)
			for _, e := range r.Ended {
				told[e.Ref] = true
			}
		}
		if len(told) != 2 || !told[uint64(10*i)] || !told[uint64(10*i+1)] {
			t.Errorf("stream %d was told of %v", i, told)
		}
	}
}
