package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	corev1 "github.com/railhead-hub/railhead/core/v1"
	opsv1 "github.com/railhead-hub/railhead/opsd/v1"
	"github.com/railhead-hub/railhead/opsd/v1/opsv1connect"
)

// pages is an opsd that has a payment of so many events and shows one at a time.
type pages struct {
	opsv1connect.UnimplementedOpsServiceHandler
	events int
}

func (p pages) GetPayment(_ context.Context, r *opsv1.GetPaymentRequest) (*opsv1.GetPaymentResponse, error) {
	n, _ := strconv.Atoi(r.GetPageToken())
	n++
	out := &opsv1.GetPaymentResponse{
		Payment:     &opsv1.Payment{Uuid: r.GetUuid(), LastSeq: uint32(p.events)},
		Timeline:    []*opsv1.TimelineEntry{{Seq: uint32(n), Kind: "emitted"}},
		Identifiers: []*opsv1.Identifier{{Kind: "transactionId", Value: r.GetUuid()}},
	}
	if n < p.events {
		out.NextPageToken = strconv.Itoa(n)
	}
	return out, nil
}

// TestTimelineHasAllPages holds that a long payment is told to its end.
func TestTimelineHasAllPages(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle(opsv1connect.NewOpsServiceHandler(pages{events: 4}))
	server := httptest.NewUnstartedServer(mux)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	defer server.Close()

	var out, faults bytes.Buffer
	args := []string{"payment", "get", "6b29fc40-ca47-4067-b31d-00dd010662da", "--timeline", "--json", "--ops", server.URL}
	if code := run(t.Context(), args, &out, &faults); code != exitOK {
		t.Fatalf("exit code %d: %s", code, faults.String())
	}
	var got struct {
		Timeline    []struct{ Seq int }
		Identifiers []struct{ Value string }
		Next        string `json:"next_page_token"`
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Timeline) != 4 || got.Timeline[3].Seq != 4 || len(got.Identifiers) != 1 || got.Next != "" {
		t.Errorf("%s", out.String())
	}
}

// TestTimelineSaysWhatPeopleDid holds that an operator's and a person's acts read as
// sentences do.
func TestTimelineSaysWhatPeopleDid(t *testing.T) {
	for want, e := range map[string]*opsv1.TimelineEntry{
		"from hold  by ada: told the payer":                     {Kind: "token_moved", Element: "done", Name: "hold", Actor: "ada", Reason: "told the payer"},
		"transfer  from version 1, hold to block  to version 2": {Kind: "payment_migrated", Type: "transfer", Number: 2, Text: "from version 1, hold to block"},
		"block-funds  attempt 3  by ada: bank is back":          {Kind: "job_retried", Type: "block-funds", Attempt: 3, Actor: "ada", Reason: "bank is back"},
		"handlers: 2":                          {Kind: "compensation_started", Number: 2},
		"undoes hold":                          {Kind: "compensating", Element: "release", Name: "hold"},
		"for ada":                              {Kind: "user_task_created", Key: "ada", Number: 5},
		"given to “bob”  by chief":             {Kind: "user_task_changed", Key: "bob", Text: "given to “bob”", Actor: "chief"},
		"for bob  by bob  sets approved":       {Kind: "user_task_completed", Key: "bob", Actor: "bob", Variables: []*opsv1.Variable{{Name: "approved", Json: "true"}}},
		"by ada: asked the payer  sets helped": {Kind: "variables_set", Actor: "ada", Reason: "asked the payer", Variables: []*opsv1.Variable{{Name: "helped", Json: "true"}}},
		"by ada: sent in error":                {Kind: "payment_cancelling", Actor: "ada", Reason: "sent in error"},
		"due 2026-11-20T18:00:00.000Z": {Kind: "timer_set", Element: "patience",
			DueTime: timestamppb.New(time.Date(2026, 11, 20, 18, 0, 0, 0, time.UTC))},
	} {
		if got := timelineText(e); got != want {
			t.Errorf("%s: %q, want %q", e.GetKind(), got, want)
		}
	}
}

// TestTablesSayWhatIs holds that what a node answers reads as it was written.
func TestTablesSayWhatIs(t *testing.T) {
	var out strings.Builder
	for _, c := range []struct {
		payment *corev1.PaymentInfo
		want    string
	}{
		{&corev1.PaymentInfo{State: "ended", Result: corev1.Result_RESULT_COMPLETED, Code: "PAID", EndElement: "done"}, "state    ended, completed PAID at done\n"},
		{&corev1.PaymentInfo{State: "ended", Result: corev1.Result_RESULT_CANCELLED, Code: "compensated"}, "state    ended, cancelled compensated\n"},
	} {
		out.Reset()
		if err := printPayment(&out, &corev1.GetPaymentResponse{Payment: c.payment}); err != nil || !strings.Contains(out.String(), c.want) {
			t.Errorf("%v: %s, want %q", err, out.String(), c.want)
		}
	}
	out.Reset()
	task := &corev1.UserTask{Payment: "6b29fc40", Task: 6, Name: "Approve", CreatedMs: 1_700_000_000_000}
	if err := printTask(&out, &corev1.GetUserTaskResponse{Task: task}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"6          6b29fc40\n", "name       Approve\n", "created    2023-11-14T22:13:20.000Z\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s: want %q", out.String(), want)
		}
	}
}
