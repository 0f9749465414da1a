package bpmn

import (
	"testing"

	"github.com/railhead-hub/railhead/engine/feel"
)

func TestSchedule(t *testing.T) {
	const now = 1_795_158_000_000 // 2026-11-20T07:00:00Z
	hour := feel.Period{MS: 3_600_000}
	scope := feel.Variables{"timer": feel.String("PT45S"), "n": feel.Int(3), "at": feel.String("2026-11-20T08:00:00Z")}
	for _, row := range []struct {
		kind TimerKind
		text string
		want Schedule
		ok   bool
	}{
		{TimerDuration, "PT60S", Schedule{DueMS: now + 60_000}, true},
		{TimerDuration, "=timer", Schedule{DueMS: now + 45_000}, true},
		{TimerDuration, `=duration("PT1H") * n`, Schedule{DueMS: now + 3*3_600_000}, true},
		{TimerDuration, "-PT5S", Schedule{DueMS: now - 5000}, true},
		{TimerDuration, "=missing", Schedule{}, false},
		{TimerDuration, "=n", Schedule{}, false},
		{TimerDate, "2026-11-20T07:00:01Z", Schedule{DueMS: now + 1000}, true},
		{TimerDate, "=at", Schedule{DueMS: now + 3_600_000}, true},
		{TimerDate, "=timer", Schedule{}, false},
		{TimerCycle, "R3/PT1H", Schedule{DueMS: now + 3_600_000, Repeat: 2, Period: hour}, true},
		{TimerCycle, "R/PT1H", Schedule{DueMS: now + 3_600_000, Repeat: -1, Period: hour}, true},
		{TimerCycle, "R2/2026-11-20T07:00:30Z/PT1H", Schedule{DueMS: now + 30_000, Repeat: 1, Period: hour}, true},
		{TimerCycle, `="R" + string(n) + "/PT1H"`, Schedule{DueMS: now + 3_600_000, Repeat: 2, Period: hour}, true},
		{TimerCycle, "R0/PT1H", Schedule{}, false},
		{TimerCycle, "=n", Schedule{}, false},
	} {
		timer := Timer{Kind: row.kind, Text: Text{Static: row.text}}
		if row.text[0] == '=' {
			x, err := feel.Compile(row.text[1:])
			if err != nil {
				t.Fatal(err)
			}
			timer.Text = Text{Expr: x}
		}
		got, err := timer.Schedule(scope, now)
		if (err == nil) != row.ok || got != row.want {
			t.Errorf("%s = %+v, %v; want %+v", row.text, got, err, row.want)
		}
	}
}

func TestParseCycle(t *testing.T) {
	for _, text := range []string{"", "R", "R3", "3/PT1H", "R3/", "R3/PT0S", "R3/-PT1H", "Rx/PT1H", "R-1/PT1H", "R3/now/PT1H",
		"R3/PT1H/PT1H/PT1H", "R99999999999/PT1H", "0 0 9 * * *"} {
		if c, err := ParseCycle(text); err == nil {
			t.Errorf("%q = %+v", text, c)
		}
	}
}

// TestKey: strings and numbers are correlation keys; nothing else is.
func TestKey(t *testing.T) {
	scope := feel.Variables{"id": feel.String("a-1"), "n": feel.Int(17), "b": feel.Bool(true), "none": feel.String("")}
	for src, want := range map[string]string{"id": "a-1", "n": "17", "b": "", "none": "", "missing": "", `id + "x"`: "a-1x"} {
		x, err := feel.Compile(src)
		if err != nil {
			t.Fatal(err)
		}
		key, ok := (&Message{CorrelationKey: x}).Key(scope)
		if ok != (want != "") || ok && key != want {
			t.Errorf("%s gives key %q, %v; want %q", src, key, ok, want)
		}
	}
	if _, ok := (&Message{}).Key(scope); ok {
		t.Error("a message without a key has one")
	}
}
