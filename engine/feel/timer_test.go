package feel

import "testing"

func TestParseDuration(t *testing.T) {
	for _, row := range []struct {
		text string
		want Period
	}{
		{"PT60S", Period{MS: 60_000}},
		{"PT10M", Period{MS: 600_000}},
		{"PT0S", Period{}},
		{"PT0.5S", Period{MS: 500}},
		{"PT0.0001S", Period{MS: 1}}, // never early
		{"P1DT12H", Period{MS: 129_600_000}},
		{"P2W", Period{MS: 1_209_600_000}},
		{"P1Y2M3DT4H", Period{Months: 14, MS: 273_600_000}},
		{"-PT5S", Period{MS: -5000}},
		{"-PT0.0001S", Period{MS: 0}},
	} {
		if got, err := ParseDuration(row.text); err != nil || got != row.want {
			t.Errorf("%s = %+v, %v; want %+v", row.text, got, err, row.want)
		}
	}
	for _, text := range []string{"", "P", "PT", "P1", "PT1", "60S", "P1S", "PT1D", "P1M1Y", "P1.5D", "PT1S ", "pt1s",
		"P99999999999999999999D", "P999999999999999D", "P9999999999999Y", "PT1S2M", "--PT1S", "P-1D", "P1Y\x00"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("%q = %+v, want an error", text, got)
		}
	}
}

func TestParseDateTime(t *testing.T) {
	for _, row := range []struct {
		text string
		want int64
	}{
		{"1970-01-01T00:00:00Z", 0},
		{"1970-01-01T00:00:00.001Z", 1},
		{"1970-01-01T00:00:00", 0}, // without an offset: UTC
		{"1970-01-01T01:00:00+01:00", 0},
		{"1969-12-31T23:59:59Z", -1000},
		{"2026-11-20T07:00:00Z", 1_795_158_000_000},
		{"2026-11-20T24:00:00Z", 1_795_219_200_000},
		{"2026-11-20T07:00:00@Etc/UTC", 1_795_158_000_000},
		{"2026-11-20T08:00:00@Europe/Paris", 1_795_158_000_000},
		{"2026-11-20T08:00:00+01:00[Europe/Paris]", 1_795_158_000_000},
		{"2026-11-20", 1_795_132_800_000},
	} {
		if got, err := ParseDateTime(row.text); err != nil || got != row.want {
			t.Errorf("%s = %d, %v; want %d", row.text, got, err, row.want)
		}
	}
	for _, text := range []string{"", "now", "2026-13-01T00:00:00Z", "2026-02-29T00:00:00Z", "2026-11-20T25:00:00Z",
		"2026-11-20T24:00:01Z", "2026-11-20T07:60:00Z", "2026-11-20 07:00:00Z", "2026-11-20T07:00:00@Europe/Lutetia",
		"2026-11-20T08:00:00[Europe/Paris]", "2026-11-20T08:00:00+01:00[Europe/Lutetia]", "2026-11-20T08:00:00+01:00[Europe/Paris",
		"2026-11-20T07:00:00+15:00", "999999999-01-01T00:00:00Z", "-999999999-01-01T00:00:00Z", "02026-11-20T07:00:00Z"} {
		if got, err := ParseDateTime(text); err == nil {
			t.Errorf("%q = %d, want an error", text, got)
		}
	}
}

// TestTimerValues: what a timer's expression may give.
func TestTimerValues(t *testing.T) {
	for _, row := range []struct {
		src  string
		want Period
		ok   bool
	}{
		{`"PT60S"`, Period{MS: 60_000}, true},
		{`duration("PT60S")`, Period{MS: 60_000}, true},
		{`duration("P1M")`, Period{Months: 1}, true},
		{`duration("PT1H") / 2`, Period{MS: 1_800_000}, true},
		{`"60 seconds"`, Period{}, false},
		{`60`, Period{}, false},
		{`missing`, Period{}, false},
	} {
		x, err := Compile(row.src)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := PeriodOf(x.Eval(nil)); ok != row.ok || got != row.want {
			t.Errorf("%s: %+v %v", row.src, got, ok)
		}
	}
	x, err := Compile(`now() + duration("PT1M")`)
	if err != nil {
		t.Fatal(err)
	}
	if ms, ok := InstantOf(x.Eval(clocked{})); !ok || ms != (clocked{}).NowMS()+60_000 {
		t.Errorf("a minute from now: %d %v", ms, ok)
	}
	if ms, ok := InstantOf(x.Eval(nil)); ok {
		t.Errorf("without a clock: %d", ms)
	}
	const far = 1<<63 - 1
	for _, p := range []Period{{MS: far}, {Months: far}, {Months: far, MS: far}, {Months: 2_000_000_000, MS: far}} {
		if got := p.After(1_795_158_000_000); got < 1e18 {
			t.Errorf("a very long time from now: %d", got)
		}
	}
	if got := (Period{Months: 1, MS: 1000}).After(0); got != 31*86_400_000+1000 {
		t.Errorf("a month and a second after 1970: %d", got)
	}
}
