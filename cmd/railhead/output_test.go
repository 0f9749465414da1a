package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	opsv1 "github.com/railhead-hub/railhead/opsd/v1"
)

// TestPlain holds that nothing a stranger wrote commands the terminal.
func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"":                       "",
		"Žluťoučký → 10 €":       "Žluťoučký → 10 €",
		"\x1b[2J\x1b]0;paid\x07": `\x1b[2J\x1b]0;paid\a`,
		"\u009b31m":              `\u009b31m`,
		"one\ntwo\tthree\r":      `one\ntwo\tthree\r`,
		"\u202eDSU 01 \u2066":    `\u202eDSU 01 \u2066`,
		"a\x00b":                 `a\x00b`,
	} {
		if got := plain(in); got != want {
			t.Errorf("plain(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestTimeline shows events that a stranger wrote and events that have not
// arrived, each on a line of its own.
func TestTimeline(t *testing.T) {
	start := time.UnixMilli(1_700_000_000_000)
	var out bytes.Buffer
	writeTimeline(&out, &opsv1.GetPaymentResponse{
		Payment: &opsv1.Payment{Uuid: "u", Flow: "f", StartedTime: timestamppb.New(start)},
		Timeline: []*opsv1.TimelineEntry{
			{Seq: 1, Kind: "job_failed", Time: timestamppb.New(start.Add(time.Second)), Text: "no\x1b[1A\nway"},
			{Seq: 2, Kind: "missing", MissingTo: 4},
		},
	})
	lines := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
	if len(lines) != 4 || !strings.HasPrefix(lines[2], "1.000s") || !strings.HasSuffix(lines[2], `no\x1b[1A\nway`) ||
		!strings.HasPrefix(lines[3], "-  ") || !strings.HasSuffix(lines[3], "events 2  to 4 have not arrived") {
		t.Errorf("%s", out.String())
	}
}
