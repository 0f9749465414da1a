package bpmn

import (
	"testing"

	"github.com/railhead-hub/railhead/engine/feel"
)

func ms(t *testing.T, text string) int64 {
	t.Helper()
	at, err := feel.ParseDateTime(text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// TestCron: the examples of Spring's CronExpression, each with two moments after it.
func TestCron(t *testing.T) {
	const now = "2026-11-20T07:00:00Z" // a Friday
	for cron, want := range map[string][2]string{
		"0 0 * * * *":            {"2026-11-20T08:00:00Z", "2026-11-20T09:00:00Z"},
		"*/10 * * * * *":         {"2026-11-20T07:00:10Z", "2026-11-20T07:00:20Z"},
		"0 0 8-10 * * *":         {"2026-11-20T08:00:00Z", "2026-11-20T09:00:00Z"},
		"0 0 6,19 * * *":         {"2026-11-20T19:00:00Z", "2026-11-21T06:00:00Z"},
		"0 0/30 8-10 * * *":      {"2026-11-20T08:00:00Z", "2026-11-20T08:30:00Z"},
		"0 0 9-17 * * MON-FRI":   {"2026-11-20T09:00:00Z", "2026-11-20T10:00:00Z"},
		"0 0 0 25 DEC ?":         {"2026-12-25T00:00:00Z", "2027-12-25T00:00:00Z"},
		"0 0 0 L * *":            {"2026-11-30T00:00:00Z", "2026-12-31T00:00:00Z"},
		"0 0 0 L-3 * *":          {"2026-11-27T00:00:00Z", "2026-12-28T00:00:00Z"},
		"0 0 0 1W * *":           {"2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"},
		"0 0 0 15W * *":          {"2026-12-15T00:00:00Z", "2027-01-15T00:00:00Z"},
		"0 0 0 LW * *":           {"2026-11-30T00:00:00Z", "2026-12-31T00:00:00Z"},
		"0 0 0 * * 5L":           {"2026-11-27T00:00:00Z", "2026-12-25T00:00:00Z"},
		"0 0 0 * * THUL":         {"2026-11-26T00:00:00Z", "2026-12-31T00:00:00Z"},
		"0 0 0 ? * 5#2":          {"2026-12-11T00:00:00Z", "2027-01-08T00:00:00Z"},
		"0 0 0 ? * MON#1":        {"2026-12-07T00:00:00Z", "2027-01-04T00:00:00Z"},
		"0 0 0 29 2 *":           {"2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"},
		"0 0 0 * * 0":            {"2026-11-22T00:00:00Z", "2026-11-29T00:00:00Z"},
		"0 0 0 * * 7":            {"2026-11-22T00:00:00Z", "2026-11-29T00:00:00Z"},
		"@hourly":                {"2026-11-20T08:00:00Z", "2026-11-20T09:00:00Z"},
		"@midnight":              {"2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z"},
		"@weekly":                {"2026-11-22T00:00:00Z", "2026-11-29T00:00:00Z"},
		"0 59 23 31 12 *":        {"2026-12-31T23:59:00Z", "2027-12-31T23:59:00Z"},
		"30 15 10 1-7 * MON,TUE": {"2026-12-01T10:15:30Z", "2026-12-07T10:15:30Z"},
	} {
		c, err := ParseCron(cron)
		if err != nil {
			t.Errorf("%s: %v", cron, err)
			continue
		}
		at := ms(t, now)
		for _, text := range want {
			next, ok := c.Next(at)
			if !ok || next != ms(t, text) {
				t.Errorf("%s after %d gives %d, %v; want %s", cron, at, next, ok, text)
			}
			at = next
		}
	}
	for _, cron := range []string{"", "* * * * *", "60 * * * * *", "* * 24 * * *", "* * * 0 * *", "* * * * 13 *", "* * * * * 8",
		"5-1 * * * * *", "*/0 * * * * *", "0 0 0 30 2 *", "0 0 0 * * MON#6", "0 0 0 L-31 * *", "@never", "a b c d e f", "0 0 0 32W * *"} {
		if c, err := ParseCron(cron); err == nil {
			t.Errorf("%q = %+v", cron, c)
		}
	}
}

func FuzzCron(f *testing.F) {
	f.Add("0 0 9-17 * * MON-FRI", int64(1_795_158_000_000))
	f.Add("0 0 0 L-3 2 5#2", int64(-1))
	f.Fuzz(func(t *testing.T, text string, now int64) {
		c, err := ParseCron(text)
		if err != nil || now < -1<<50 || now > 1<<50 {
			return
		}
		if at, ok := c.Next(now); ok && (at <= now || at%1000 != 0) {
			t.Errorf("%q after %d gives %d", text, now, at)
		}
	})
}
