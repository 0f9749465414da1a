package feel

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Period is a length of civil time, as a timer needs it: whole months and
// milliseconds, either of which may be negative.
type Period struct {
	Months int64
	MS     int64
}

// ParseDuration reads an ISO 8601 duration such as PT60S, P1DT12H, P2W or P1Y2M.
// Unlike a FEEL duration it may mix months with days. A part of a millisecond
// counts as a whole one, so that a timer is never early.
func ParseDuration(s string) (Period, error) {
	p, ok := parsePeriod(s)
	if !ok || p.months > 12*maxYear || p.months < -12*maxYear {
		return Period{}, fmt.Errorf("%q is not an ISO 8601 duration such as PT60S", clip(s))
	}
	return Period{Months: p.months, MS: p.seconds*1000 + ceilMS(p.nanos)}, nil
}

// ParseDateTime reads an ISO 8601 date and time such as 2026-11-20T07:00:00Z and
// answers milliseconds since 1970 in UTC. One without an offset is taken as UTC. A
// named zone may stand for the offset as in FEEL (@Europe/Paris) or behind it as
// Zeebe has it (+01:00[Europe/Paris]); there the offset decides.
func ParseDateTime(s string) (int64, error) {
	if ms, ok := InstantOf(String(s)); ok {
		return ms, nil
	}
	return 0, fmt.Errorf("%q is not an ISO 8601 date and time with an offset such as 2026-11-20T07:00:00Z", clip(s))
}

// PeriodOf is the period a value stands for: one of FEEL's durations, or a text in
// the form ParseDuration reads.
func PeriodOf(v Value) (Period, bool) {
	switch v.kind {
	case KindDuration:
		return Period{MS: v.num*1000 + ceilMS(int64(v.nano))}, true
	case KindMonths:
		return Period{Months: v.num}, true
	case KindString:
		p, err := ParseDuration(v.text)
		return p, err == nil
	}
	return Period{}, false
}

// InstantOf is the moment a value stands for, in milliseconds since 1970 in UTC: a
// date and time, or a text in the form ParseDateTime reads. One without an offset is
// taken as UTC.
func InstantOf(v Value) (ms int64, ok bool) {
	switch v.kind {
	case KindString:
		text, bracket, named := strings.Cut(v.text, "[")
		name, closed := strings.CutSuffix(bracket, "]")
		if _, known := findZone(name); named && (!closed || !known || strings.Contains(text, "@")) {
			return 0, false
		}
		if v = parseDateTime(text); v.kind != KindDateTime || named && !v.ref.(*clock).zone.known {
			return 0, false
		}
	case KindDateTime:
	default:
		return 0, false
	}
	c := v.ref.(*clock)
	if v.num > maxInstant/dayMS-1 || v.num < -maxInstant/dayMS+1 {
		return 0, false
	}
	return (v.num*daySeconds-int64(c.zone.offset))*1000 + ceilMS(c.nanos), true
}

const (
	dayMS = daySeconds * 1000
	// maxInstant, about 200 million years from 1970 in milliseconds, bounds moments:
	// what lies beyond is the bound itself, so that a timer of absurd length is never
	// one that fires at once.
	maxInstant = 6_000_000_000_000_000_000
)

// AddMonths moves a moment by months in UTC, keeping the time of day. A day the
// target month lacks becomes its last: 31 January plus one month is 28 or 29
// February. The answer is bounded to 200 million years from 1970.
func AddMonths(ms, months int64) int64 {
	days, ok := addMonths(floorDiv(ms, dayMS), months)
	if !ok || days > maxInstant/dayMS || days < -maxInstant/dayMS {
		if months > 0 {
			return maxInstant
		}
		return -maxInstant
	}
	return days*dayMS + floorMod(ms, dayMS)
}

// After is the moment one period after ms: months first, then the rest. The answer
// is bounded like AddMonths's.
func (p Period) After(ms int64) int64 {
	if p.Months != 0 {
		ms = AddMonths(ms, p.Months)
	}
	// Bounded so, the sum of both fits.
	return bounded(bounded(ms, maxInstant)+bounded(p.MS, maxInstant/2), maxInstant)
}

func bounded(n, limit int64) int64 { return min(max(n, -limit), limit) }

func ceilMS(nanos int64) int64 { return -floorDiv(-nanos, 1_000_000) }

// clip shortens a text for an error message.
func clip(s string) string {
	if len(s) <= 80 {
		return s
	}
	end := 80
	for end > 0 && !utf8.RuneStart(s[end]) { // down to none, in a text that is not UTF-8
		end--
	}
	return s[:end] + "…"
}
