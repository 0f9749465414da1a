package bpmn

import (
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"github.com/railhead-hub/railhead/engine/feel"
)

// Cron is a cycle given as six fields as Spring's CronExpression reads them, which
// is what Zeebe accepts: second, minute, hour, day of month, month, day of week, in
// UTC. A day must suit both of its fields. Fields are bit sets.
type Cron struct {
	seconds, minutes, hours uint64
	days, months, weekdays  uint64 // weekdays: Monday is 1, Sunday 7
	lastDay                 int    // L, L-n: so many days before the end of the month, plus 1
	lastWorkday             bool   // LW
	workday                 int    // nW: the working day nearest to this day
	lastOf                  int    // dL: the last such weekday of the month
	nth, nthOf              int    // d#n: the n-th such weekday
}

var cronMacros = map[string]string{
	"@yearly": "0 0 0 1 1 *", "@annually": "0 0 0 1 1 *", "@monthly": "0 0 0 1 * *", "@weekly": "0 0 0 * * 0",
	"@daily": "0 0 0 * * *", "@midnight": "0 0 0 * * *", "@hourly": "0 0 * * * *",
}

var (
	monthNames   = []string{"", "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}
	weekdayNames = []string{"", "MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"}
)

// ParseCron reads a cron expression or a macro such as @daily.
func ParseCron(s string) (*Cron, error) {
	text := strings.TrimSpace(s)
	if macro, ok := cronMacros[strings.ToLower(text)]; ok {
		text = macro
	}
	fields := strings.Fields(strings.ToUpper(text))
	if len(fields) != 6 {
		return nil, fmt.Errorf("%q is no cron expression: it has six fields, from seconds to the day of the week", clip(s))
	}
	c := &Cron{}
	var err error
	set := func(to *uint64, field string, low, high int, names []string) {
		if err == nil {
			if *to, err = cronField(field, low, high, names); err != nil {
				err = fmt.Errorf("%q is no cron expression: %w", clip(s), err)
			}
		}
	}
	set(&c.seconds, fields[0], 0, 59, nil)
	set(&c.minutes, fields[1], 0, 59, nil)
	set(&c.hours, fields[2], 0, 23, nil)
	set(&c.days, c.monthDay(fields[3]), 1, 31, nil)
	set(&c.months, fields[4], 1, 12, monthNames)
	set(&c.weekdays, c.weekday(fields[5]), 0, 7, weekdayNames)
	if err != nil {
		return nil, err
	}
	if c.weekdays&1 != 0 { // 0 is Sunday too
		c.weekdays |= 1 << 7
	}
	if _, ok := c.Next(0); !ok {
		return nil, fmt.Errorf("%q names a day that never comes", clip(s))
	}
	return c, nil
}

// monthDay takes what only a day of the month may say out of its field.
func (c *Cron) monthDay(field string) string {
	switch before, isWorkday := strings.CutSuffix(field, "W"); {
	case field == "L":
		c.lastDay = 1
	case field == "LW":
		c.lastWorkday = true
	case strings.HasPrefix(field, "L-"):
		n, err := strconv.ParseUint(field[2:], 10, 8)
		if err != nil || n > 30 {
			return field // refused as a field
		}
		c.lastDay = int(n) + 1
	case isWorkday:
		n, err := strconv.ParseUint(before, 10, 8)
		if err != nil || n < 1 || n > 31 {
			return field
		}
		c.workday = int(n)
	default:
		return field
	}
	return "*"
}

// weekday takes what only a day of the week may say out of its field.
func (c *Cron) weekday(field string) string {
	day := func(s string) int {
		n, err := cronNumber(s, 0, 7, weekdayNames)
		if err != nil {
			return 0
		}
		if n == 0 {
			return 7
		}
		return n
	}
	if before, ok := strings.CutSuffix(field, "L"); ok && before != "" {
		if c.lastOf = day(before); c.lastOf != 0 {
			return "*"
		}
	}
	if before, after, ok := strings.Cut(field, "#"); ok {
		n, err := strconv.ParseUint(after, 10, 8)
		if c.nthOf = day(before); c.nthOf != 0 && err == nil && n >= 1 && n <= 5 {
			c.nth = int(n)
			return "*"
		}
	}
	return field
}

// cronField reads a list of numbers, ranges and steps.
func cronField(field string, low, high int, names []string) (set uint64, err error) {
	for part := range strings.SplitSeq(field, ",") {
		span, stepText, stepped := strings.Cut(part, "/")
		from, to, step := low, high, 1
		if stepped {
			if step, err = cronNumber(stepText, 1, high, nil); err != nil {
				return 0, err
			}
		}
		if span != "*" && span != "?" {
			first, last, isRange := strings.Cut(span, "-")
			if from, err = cronNumber(first, low, high, names); err != nil {
				return 0, err
			}
			switch {
			case isRange:
				if to, err = cronNumber(last, low, high, names); err != nil {
					return 0, err
				}
			case !stepped:
				to = from
			}
		}
		if to < from {
			return 0, fmt.Errorf("the range %q runs backwards", clip(part))
		}
		for i := from; i <= to; i += step {
			set |= 1 << i
		}
	}
	return set, nil
}

func cronNumber(s string, low, high int, names []string) (int, error) {
	for i, name := range names {
		if name != "" && name == s {
			return i, nil
		}
	}
	n, err := strconv.ParseUint(s, 10, 8)
	if err != nil || int(n) < low || int(n) > high {
		return 0, fmt.Errorf("%q is not from %d to %d", clip(s), low, high)
	}
	return int(n), nil
}

const (
	msPerDay = 86_400_000
	// A calendar repeats after 400 years, but no expression has to look that far: a
	// 29 February on a given weekday comes within 40, over a turn of a century.
	cronDays = 41 * 366
)

// Next is the first moment after nowMS that the expression names, in milliseconds
// since 1970; false: none within forty years.
func (c *Cron) Next(nowMS int64) (int64, bool) {
	from := nowMS - mod(nowMS, 1000) + 1000 // the next whole second
	day, rest := from/msPerDay, mod(from, msPerDay)
	if from < 0 && rest != 0 {
		day--
	}
	for range cronDays {
		if c.suits(day) {
			if at, ok := c.timeOfDay(rest / 1000); ok {
				return day*msPerDay + at*1000, true
			}
		}
		day, rest = day+1, 0
	}
	return 0, false
}

func mod(a, b int64) int64 { return (a%b + b) % b }

// timeOfDay is the first second of the day, from one on, that suits.
func (c *Cron) timeOfDay(from int64) (int64, bool) {
	hour, minute, second := int(from/3600), int(from/60%60), int(from%60)
	if h := next(c.hours, hour); h != hour {
		hour, minute, second = h, 0, 0
	}
	for hour < 24 {
		if m := next(c.minutes, minute); m != minute {
			minute, second = m, 0
		}
		if minute < 60 {
			if s := next(c.seconds, second); s < 60 {
				return int64(hour*3600 + minute*60 + s), true
			}
			minute, second = minute+1, 0
			continue
		}
		hour, minute, second = next(c.hours, hour+1), 0, 0
	}
	return 0, false
}

// next is the smallest element of the set not below i, or 64.
func next(set uint64, i int) int {
	if i >= 64 {
		return 64
	}
	return bits.TrailingZeros64(set >> i << i)
}

// suits tells whether a day, counted from 1970-01-01, is named.
func (c *Cron) suits(day int64) bool {
	_, month, d, length := feel.Civil(day)
	weekday := int(mod(day+3, 7)) + 1 // 1970-01-01 was a Thursday
	switch {
	case c.months>>month&1 == 0, c.days>>d&1 == 0, c.weekdays>>weekday&1 == 0:
		return false
	case c.lastDay != 0:
		return d == length-c.lastDay+1
	case c.lastWorkday:
		return d == nearestWorkday(length, weekday+length-d, length)
	case c.workday != 0:
		return d == nearestWorkday(min(c.workday, length), weekday+c.workday-d, length)
	case c.lastOf != 0:
		return weekday == c.lastOf && d > length-7
	case c.nth != 0:
		return weekday == c.nthOf && (d-1)/7+1 == c.nth
	}
	return true
}

// nearestWorkday is the working day nearest to a day of which the weekday is given,
// within the month.
func nearestWorkday(day, weekday, length int) int {
	switch int(mod(int64(weekday-1), 7)) + 1 {
	case 6: // Saturday
		if day == 1 {
			return 3
		}
		return day - 1
	case 7:
		if day == length {
			return day - 2
		}
		return day + 1
	}
	return day
}

var errNeverAgain = errors.New("the cron expression names no moment within forty years")
