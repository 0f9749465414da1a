package feel

import "testing"

// TestCalendar walks 800 years day by day beside a count that knows only the lengths
// of months.
func TestCalendar(t *testing.T) {
	year, month, day := int64(1600), 1, 1
	days := daysFromCivil(year, month, day)
	for ; year < 2400; days++ {
		if y, m, d := civilFromDays(days); y != year || m != month || d != day {
			t.Fatalf("day %d is %d-%d-%d, want %d-%d-%d", days, y, m, d, year, month, day)
		}
		if back := daysFromCivil(year, month, day); back != days {
			t.Fatalf("%d-%d-%d is day %d, want %d", year, month, day, back, days)
		}
		if day++; day > daysInMonth(year, month) {
			day = 1
			if month++; month > 12 {
				month = 1
				year++
			}
		}
	}
	if daysFromCivil(1970, 1, 1) != 0 || weekday(0) != 4 || daysFromCivil(2026, 11, 20) != 20_777 || weekday(20_777) != 5 {
		t.Error("1970-01-01 is day 0 and a Thursday, 2026-11-20 day 20777 and a Friday")
	}
	for _, year := range []int64{-maxYear, -1, 0, 1, maxYear} {
		for _, month := range []int{1, 2, 3, 12} {
			days := daysFromCivil(year, month, 28)
			if y, m, d := civilFromDays(days); y != year || m != month || d != 28 {
				t.Errorf("%d-%d-28 becomes %d-%d-%d", year, month, y, m, d)
			}
		}
	}
}

func TestAddMonths(t *testing.T) {
	for _, row := range []struct {
		from   string
		months int64
		want   string
	}{
		{"2026-01-31T10:00:00Z", 1, "2026-02-28T10:00:00Z"},
		{"2024-01-31T10:00:00Z", 1, "2024-02-29T10:00:00Z"},
		{"2024-02-29T00:00:00Z", 12, "2025-02-28T00:00:00Z"},
		{"2026-01-15T00:00:00Z", -1, "2025-12-15T00:00:00Z"},
		{"2026-11-20T23:59:59.999Z", 25, "2028-12-20T23:59:59.999Z"},
		{"1969-12-31T23:59:59Z", 2, "1970-02-28T23:59:59Z"},
	} {
		from, err := ParseDateTime(row.from)
		if err != nil {
			t.Fatal(err)
		}
		want, err := ParseDateTime(row.want)
		if err != nil {
			t.Fatal(err)
		}
		if got := AddMonths(from, row.months); got != want {
			t.Errorf("%s + %d months = %d, want %d (%s)", row.from, row.months, got, want, row.want)
		}
	}
	for _, months := range []int64{1 << 62, -1 << 62, 12 * 900_000_000, -12 * 900_000_000} {
		if got := AddMonths(5, months); got != maxInstant && got != -maxInstant || (got > 0) != (months > 0) {
			t.Errorf("%d months: %d", months, got)
		}
	}
}
