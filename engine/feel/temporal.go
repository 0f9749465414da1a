package feel

import (
	"strconv"
	"strings"
)

const (
	daySeconds = 86_400
	dayNanos   = daySeconds * second
	second     = 1_000_000_000
	// maxSeconds bounds a days and time duration to about 30,000,000 years.
	maxSeconds = 1 << 50
)

// clock is a time of day.
type clock struct {
	nanos int64 // since midnight
	zone  zone
}

func dateValue(days int64) Value { return Value{kind: KindDate, num: days} }

func timeValue(c clock) Value { return Value{kind: KindTime, ref: &c} }

func dateTimeValue(days int64, c clock) Value {
	return Value{kind: KindDateTime, num: days, ref: &c}
}

// durationValue is a days and time duration; nanos may be any number of nanoseconds.
func durationValue(seconds, nanos int64) Value {
	seconds += floorDiv(nanos, second)
	if seconds > maxSeconds || seconds < -maxSeconds {
		return Null
	}
	return Value{kind: KindDuration, num: seconds, nano: int32(floorMod(nanos, second))}
}

func monthsValue(months int64) Value {
	if months > 12*maxYear || months < -12*maxYear {
		return Null
	}
	return Value{kind: KindMonths, num: months}
}

// reader takes a lexical form apart from its front.
type reader struct {
	s string
}

func (r *reader) byte(c byte) bool {
	if r.s == "" || r.s[0] != c {
		return false
	}
	r.s = r.s[1:]
	return true
}

// digits reads at least low and at most high digits.
func (r *reader) digits(low, high int) (int64, bool) {
	n := 0
	for n < len(r.s) && r.s[n] >= '0' && r.s[n] <= '9' {
		n++
	}
	if n < low || n > high {
		return 0, false
	}
	value, err := strconv.ParseInt(r.s[:n], 10, 64)
	r.s = r.s[n:]
	return value, err == nil
}

// fraction reads ".123" as nanoseconds; further digits are cut off.
func (r *reader) fraction() (int64, bool) {
	if !r.byte('.') {
		return 0, true
	}
	n, nanos, unit := 0, int64(0), int64(second/10)
	for n < len(r.s) && r.s[n] >= '0' && r.s[n] <= '9' {
		nanos += int64(r.s[n]-'0') * unit
		unit /= 10
		n++
	}
	r.s = r.s[n:]
	return nanos, n > 0
}

// date reads [-]YYYY-MM-DD; years longer than four digits have no leading zero.
func (r *reader) date() (int64, bool) {
	negative := r.byte('-')
	long := len(r.s) > 4 && r.s[4] >= '0' && r.s[4] <= '9'
	if long && r.s[0] == '0' {
		return 0, false
	}
	year, ok := r.digits(4, 9)
	if !ok || !r.byte('-') {
		return 0, false
	}
	month, ok := r.digits(2, 2)
	if !ok || month < 1 || month > 12 || !r.byte('-') {
		return 0, false
	}
	day, ok := r.digits(2, 2)
	if negative {
		year = -year
	}
	if !ok || day < 1 || int(day) > daysInMonth(year, int(month)) {
		return 0, false
	}
	return daysFromCivil(year, int(month), int(day)), true
}

// clock reads hh:mm:ss[.fff][Z|±hh:mm[:ss]|@Zone]. 24:00:00 is the next midnight.
func (r *reader) clock() (c clock, carry int64, ok bool) {
	hour, ok := r.digits(2, 2)
	if !ok || hour > 24 || !r.byte(':') {
		return c, 0, false
	}
	minute, ok := r.digits(2, 2)
	if !ok || minute > 59 || !r.byte(':') {
		return c, 0, false
	}
	seconds, ok := r.digits(2, 2)
	if !ok || seconds > 59 {
		return c, 0, false
	}
	nanos, ok := r.fraction()
	if !ok {
		return c, 0, false
	}
	c.nanos = (hour*3600+minute*60+seconds)*second + nanos
	if c.nanos >= dayNanos {
		if c.nanos > dayNanos {
			return c, 0, false
		}
		c.nanos, carry = 0, 1
	}
	c.zone, ok = r.zone()
	return c, carry, ok
}

func (r *reader) zone() (zone, bool) {
	switch {
	case r.s == "":
		return zone{}, true
	case r.byte('Z'), r.byte('z'):
		return zone{known: true}, true
	case r.byte('@'):
		name := r.s
		r.s = ""
		z, ok := findZone(name)
		if !ok {
			return zone{}, false
		}
		offset, constant := z.constant()
		return zone{known: constant, offset: offset, name: name}, true
	}
	sign := int64(1)
	if r.byte('-') {
		sign = -1
	} else if !r.byte('+') {
		return zone{}, false
	}
	hour, ok := r.digits(2, 2)
	if !ok || !r.byte(':') {
		return zone{}, false
	}
	minute, ok := r.digits(2, 2)
	if !ok || minute > 59 {
		return zone{}, false
	}
	offset := hour*3600 + minute*60
	if r.byte(':') {
		seconds, ok := r.digits(2, 2)
		if !ok || seconds > 59 {
			return zone{}, false
		}
		offset += seconds
	}
	if offset > 14*3600 {
		return zone{}, false
	}
	return zone{known: true, offset: int32(sign * offset)}, true
}

func parseDate(s string) Value {
	r := reader{s}
	if days, ok := r.date(); ok && r.s == "" {
		return dateValue(days)
	}
	return Null
}

func parseTime(s string) Value {
	r := reader{s}
	r.byte('T')
	if c, _, ok := r.clock(); ok && r.s == "" {
		return timeValue(c)
	}
	return Null
}

func parseDateTime(s string) Value {
	r := reader{s}
	days, ok := r.date()
	if !ok {
		return Null
	}
	if r.s == "" {
		return dateTimeValue(days, clock{})
	}
	if !r.byte('T') {
		return Null
	}
	c, carry, ok := r.clock()
	if !ok || r.s != "" {
		return Null
	}
	return inZone(days+carry, c)
}

// period is what ISO 8601's PnYnMnWnDTnHnMnS says.
type period struct {
	months, seconds, nanos int64
	calendar, exact        bool // has years or months; has days or smaller
}

// parsePeriod reads an ISO 8601 duration. Only the seconds may have a fraction.
func parsePeriod(s string) (p period, ok bool) {
	r := reader{s}
	sign := int64(1)
	if r.byte('-') {
		sign = -1
	}
	if !r.byte('P') {
		return p, false
	}
	units, inTime := "YMWD", false
	for r.s != "" {
		if !inTime && r.byte('T') {
			units, inTime = "HMS", true
			if r.s == "" {
				return p, false
			}
		}
		n, ok := r.digits(1, 15)
		if !ok {
			return p, false
		}
		nanos := int64(0)
		if inTime && strings.HasPrefix(r.s, ".") {
			// XML Schema's own lexical form allows a point without digits here.
			if nanos, _ = r.fraction(); !strings.HasPrefix(r.s, "S") {
				return p, false
			}
		}
		if r.s == "" {
			return p, false
		}
		at := strings.IndexByte(units, r.s[0])
		if at < 0 {
			return p, false
		}
		unit := units[at]
		units, r.s = units[at+1:], r.s[1:]
		switch {
		case unit == 'Y':
			p.months += min(n, 2*maxYear) * 12
		case unit == 'M' && !inTime:
			p.months += min(n, 24*maxYear)
		default:
			// n × the unit may not pass maxSeconds, which leaves room in an int64.
			length := map[byte]int64{'W': 7 * daySeconds, 'D': daySeconds, 'H': 3600, 'M': 60, 'S': 1}[unit]
			if n > maxSeconds/length {
				return p, false
			}
			p.seconds += n * length
			p.nanos += nanos
			p.exact = true
			continue
		}
		p.calendar = true
	}
	p.months, p.seconds, p.nanos = sign*p.months, sign*p.seconds, sign*p.nanos
	return p, (p.calendar || p.exact) && p.seconds <= maxSeconds && p.seconds >= -maxSeconds
}

// parseDuration reads one of FEEL's two duration types; they do not mix.
func parseDuration(s string) Value {
	p, ok := parsePeriod(s)
	switch {
	case !ok || p.calendar && p.exact || strings.Contains(s, "W"):
		return Null
	case p.calendar:
		return monthsValue(p.months)
	}
	return durationValue(p.seconds, p.nanos)
}

// parseTemporal reads what may stand in @"…".
func parseTemporal(s string) Value {
	switch {
	case strings.HasPrefix(s, "P"), strings.HasPrefix(s, "-P"):
		return parseDuration(s)
	case len(s) > 2 && (s[2] == ':' || s[0] == 'T'): // the T of a date's time may also be a zone's
		return parseTime(s)
	case strings.IndexByte(s, 'T') > 0:
		return parseDateTime(s)
	}
	return parseDate(s)
}

// temporal writes a date, time or duration in the form that is read back.
func (v Value) temporal() string {
	switch v.kind {
	case KindDate:
		return string(appendDate(nil, v.num))
	case KindTime:
		return string(appendClock(nil, v.ref.(*clock)))
	case KindDateTime:
		return string(appendClock(append(appendDate(nil, v.num), 'T'), v.ref.(*clock)))
	case KindMonths:
		return formatMonths(v.num)
	}
	return formatDuration(v.num, int64(v.nano))
}

func appendDate(b []byte, days int64) []byte {
	year, month, day := civilFromDays(days)
	if year < 0 {
		b = append(b, '-')
		year = -year
	}
	b = appendPadded(b, year, 4)
	b = append(b, '-')
	b = appendPadded(b, int64(month), 2)
	b = append(b, '-')
	return appendPadded(b, int64(day), 2)
}

func appendClock(b []byte, c *clock) []byte {
	seconds := c.nanos / second
	b = appendPadded(b, seconds/3600, 2)
	b = append(b, ':')
	b = appendPadded(b, seconds/60%60, 2)
	b = append(b, ':')
	b = appendPadded(b, seconds%60, 2)
	b = appendFraction(b, c.nanos%second)
	switch {
	case c.zone.name != "":
		return append(append(b, '@'), c.zone.name...)
	case !c.zone.known:
		return b
	case c.zone.offset == 0:
		return append(b, 'Z')
	}
	offset := int64(c.zone.offset)
	if offset < 0 {
		b = append(b, '-')
		offset = -offset
	} else {
		b = append(b, '+')
	}
	b = appendPadded(b, offset/3600, 2)
	b = append(b, ':')
	b = appendPadded(b, offset/60%60, 2)
	if offset%60 != 0 {
		b = append(b, ':')
		b = appendPadded(b, offset%60, 2)
	}
	return b
}

func appendFraction(b []byte, nanos int64) []byte {
	if nanos == 0 {
		return b
	}
	text := strconv.FormatInt(nanos+second, 10)
	return append(append(b, '.'), strings.TrimRight(text[1:], "0")...)
}

func appendPadded(b []byte, n int64, width int) []byte {
	text := strconv.FormatInt(n, 10)
	for range width - len(text) {
		b = append(b, '0')
	}
	return append(b, text...)
}

func formatMonths(months int64) string {
	if months == 0 {
		return "P0M"
	}
	b := []byte{}
	if months < 0 {
		b = append(b, '-')
		months = -months
	}
	b = append(b, 'P')
	if months >= 12 {
		b = append(strconv.AppendInt(b, months/12, 10), 'Y')
	}
	if months%12 != 0 {
		b = append(strconv.AppendInt(b, months%12, 10), 'M')
	}
	return string(b)
}

func formatDuration(seconds, nanos int64) string {
	if seconds == 0 && nanos == 0 {
		return "PT0S"
	}
	b := []byte{}
	if seconds < 0 {
		b = append(b, '-')
		seconds = -seconds
		if nanos > 0 {
			seconds--
			nanos = second - nanos
		}
	}
	b = append(b, 'P')
	if seconds >= daySeconds {
		b = append(strconv.AppendInt(b, seconds/daySeconds, 10), 'D')
		seconds %= daySeconds
	}
	if seconds == 0 && nanos == 0 {
		return string(b)
	}
	b = append(b, 'T')
	if seconds >= 3600 {
		b = append(strconv.AppendInt(b, seconds/3600, 10), 'H')
		seconds %= 3600
	}
	if seconds >= 60 {
		b = append(strconv.AppendInt(b, seconds/60, 10), 'M')
		seconds %= 60
	}
	if seconds > 0 || nanos > 0 {
		b = append(appendFraction(strconv.AppendInt(b, seconds, 10), nanos), 'S')
	}
	return string(b)
}
