package feel

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// TestZones compares the table with what package time says of every zone, in
// testdata/zones.txt.
func TestZones(t *testing.T) {
	text, err := os.ReadFile("testdata/zones.txt")
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for line := range strings.Lines(string(text)) {
		columns := strings.Fields(line)
		if columns[0] == "#" {
			continue
		}
		z, ok := findZone(columns[0])
		if !ok {
			t.Errorf("there is no zone %s", columns[0])
			continue
		}
		count++
		for pair := columns[1:]; len(pair) > 1; pair = pair[2:] {
			moment, _ := strconv.ParseInt(pair[0], 10, 64)
			if got := z.offset(moment); strconv.Itoa(int(got)) != pair[1] {
				t.Errorf("%s at %d: offset %d, want %s", columns[0], moment, got, pair[1])
			}
		}
	}
	if count != len(zoneLines) {
		t.Errorf("%d zones probed, the table has %d", count, len(zoneLines))
	}
	for _, name := range []string{"", "#", "# ", "Europe", "Europe/", "europe/paris", "Europe/Paris ", "Europe/Paris\t3600", "Zz", "Factory", "\n"} {
		if _, ok := findZone(name); ok {
			t.Errorf("there is a zone %q", name)
		}
	}
}

// TestZonedTimes: a date and time in a named zone is a moment.
func TestZonedTimes(t *testing.T) {
	for _, row := range []struct{ src, want string }{
		{`date and time("2024-07-01T12:00:00@Europe/Paris") = @"2024-07-01T10:00:00Z"`, `true`},
		{`date and time("2024-01-01T12:00:00@Europe/Paris") = @"2024-01-01T11:00:00Z"`, `true`},
		{`@"2024-07-01T12:00:00@Europe/Paris" < @"2024-07-01T12:00:00@America/New_York"`, `true`},
		{`@"2024-07-01T12:00:00@Europe/Paris" - @"2024-07-01T12:00:00@America/New_York"`, `-PT6H`},
		{`@"2024-07-01T12:00:00@Europe/Paris".time offset`, `PT2H`},
		{`@"2024-07-01T12:00:00@Europe/Paris".timezone`, `"Europe/Paris"`},
		// A day is not always 24 hours: days and hours count on the moment, months on
		// the calendar.
		{`@"2024-03-30T12:00:00@Europe/Paris" + @"P1D"`, `2024-03-31T13:00:00@Europe/Paris`},
		{`@"2024-02-29T12:00:00@Europe/Paris" + @"P1M" + @"P1Y"`, `2025-03-29T12:00:00@Europe/Paris`},
		{`@"2024-03-15T12:00:00@Europe/Paris" + @"P1M" - @"2024-03-15T12:00:00@Europe/Paris"`, `P30DT23H`},
		{`@"2024-10-27T00:30:00Z" = @"2024-10-26T23:30:00@Europe/Paris" + @"PT3H"`, `true`},
		// An hour that is left out, and one that comes twice.
		{`@"2024-03-31T02:30:00@Europe/Paris"`, `2024-03-31T03:30:00@Europe/Paris`},
		{`@"2024-10-27T02:30:00@Europe/Paris" = @"2024-10-27T00:30:00Z"`, `true`},
		{`(@"2024-10-27T02:30:00@Europe/Paris" + @"PT1H") = @"2024-10-27T01:30:00Z"`, `true`},
		{`(@"2024-10-27T02:30:00@Europe/Paris" + @"PT1H" + @"P0M") = @"2024-10-27T01:30:00Z"`, `true`},
		// The southern summer, a zone without one, half hours, and before there were zones.
		{`@"2024-01-15T12:00:00@Australia/Sydney" = @"2024-01-15T01:00:00Z"`, `true`},
		{`@"2024-07-15T12:00:00@Asia/Kolkata" = @"2024-07-15T06:30:00Z"`, `true`},
		{`@"2101-07-15T12:00:00@Europe/Paris" = @"2101-07-15T10:00:00Z"`, `true`},
		{`@"1800-01-01T12:00:00@Europe/Paris".time offset`, `PT9M21S`},
		{`@"999999999-12-31T23:59:59@America/New_York" + @"P1D"`, `null`},
		{`@"999999999-12-31T23:59:59@America/New_York" = null`, `false`},
		// A time of day knows its offset only where it never changes.
		{`time(@"2024-07-01T12:00:00@Europe/Paris") = @"12:00:00@Europe/Paris"`, `true`},
		{`@"12:00:00@Europe/Paris" < @"12:00:00Z"`, `null`},
		{`@"12:00:00@Etc/GMT-2" = @"10:00:00Z"`, `true`},
		{`date and time(@"2024-07-01", @"12:00:00@Europe/Paris") = @"2024-07-01T10:00:00Z"`, `true`},
		{`@"2024-07-01T12:00:00@Nowhere/Land"`, `null`},
		{`@"2024-07-01T12:00:00@UTC" = @"2024-07-01T12:00:00Z"`, `true`},
	} {
		x, err := Compile(row.src)
		if err != nil {
			t.Errorf("%s: %v", row.src, err)
			continue
		}
		var b strings.Builder
		x.Eval(nil).write(&b)
		if got := b.String(); got != row.want {
			t.Errorf("%s = %s, want %s", row.src, got, row.want)
		}
	}
}

func BenchmarkZone(b *testing.B) {
	for _, name := range []string{"Europe/Paris", "America/New_York", "UTC"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				parseDateTime("2026-07-01T12:00:00@" + name)
			}
		})
	}
}
