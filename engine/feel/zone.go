package feel

import (
	_ "embed" // the table of zones
	"slices"
	"strconv"
	"strings"
)

//go:generate go run ../../tools/zonetable -o .

// zones is the IANA database as text; its head says its version and how its lines
// are read. Another version of it is other behaviour: a cluster must not evaluate
// with two. A line is taken apart each time it is asked for, which needs no state
// and is quick for the present, whose rule stands first.
//
//go:embed zones.txt
var zones string

// zoneLines are the lines of the table behind its head.
var zoneLines = slices.DeleteFunc(strings.Split(strings.TrimSuffix(zones, "\n"), "\n"), func(line string) bool {
	return strings.HasPrefix(line, "#")
})

// zone is how a time relates to UTC. A date and time in a named zone knows the offset
// that holds there and then; a time of day without a date knows it only in a zone
// that never changes.
type zone struct {
	known  bool  // the offset is given
	offset int32 // seconds east of UTC
	name   string
}

// zoneData is one line of the table: its three columns.
type zoneData struct {
	rule, offsets, changes string
}

// findZone looks a zone up by its name, such as Europe/Paris.
func findZone(name string) (zoneData, bool) {
	columns, ok := zoneLine(name)
	if same, is := strings.CutPrefix(columns, "="); is {
		columns, ok = zoneLine(same)
	}
	var z zoneData
	z.rule, columns, _ = strings.Cut(columns, "\t")
	z.offsets, z.changes, _ = strings.Cut(columns, "\t")
	return z, ok
}

// zoneLine is the line of a name without the name.
func zoneLine(name string) (columns string, ok bool) {
	at, ok := slices.BinarySearchFunc(zoneLines, name, func(line, name string) int {
		found, _, _ := strings.Cut(line, "\t")
		return strings.Compare(found, name)
	})
	if !ok {
		return "", false
	}
	return zoneLines[at][len(name)+1:], true
}

// constant is the only offset a zone ever had, if there is one.
func (z zoneData) constant() (offset int32, ok bool) {
	n, rest := leading(z.rule)
	if z.changes != "" || rest != "" {
		return 0, false
	}
	return int32(n), true
}

// offset is what holds at a moment, in seconds since 1970 in UTC.
func (z zoneData) offset(moment int64) int32 {
	if z.changes == "" {
		return z.ruled(moment)
	}
	newest, since := true, int64(0)
	for changes := z.changes; changes != ""; newest = false {
		letter := changes[0]
		var n int64
		if n, changes = leading(changes[1:]); newest {
			since = n
		} else {
			since -= n
		}
		switch {
		case moment < since:
		case newest:
			return z.ruled(moment)
		default:
			return z.lettered(letter)
		}
	}
	return z.lettered('a')
}

// lettered is the offset that the changes call by a letter.
func (z zoneData) lettered(letter byte) int32 {
	n, rest := leading(z.offsets)
	for ; letter > 'a' && rest != ""; letter-- {
		n, rest = leading(rest[1:])
	}
	return int32(n)
}

// ruled is what the rule for the time after all changes says.
func (z zoneData) ruled(moment int64) int32 {
	standard, rest := leading(z.rule)
	if rest == "" {
		return int32(standard)
	}
	summer, rest := leading(rest[1:])
	year, _, _ := civilFromDays(floorDiv(moment+standard, daySeconds))
	start, rest := yearly(rest[1:], year)
	end, _ := yearly(rest[1:], year)
	start, end = start-standard, end-summer
	if start < end && start <= moment && moment < end || start > end && (moment >= start || moment < end) {
		return int32(summer)
	}
	return int32(standard)
}

// yearly reads "month.week.day seconds" and answers when that is in a year, on the
// clock of the place.
func yearly(s string, year int64) (moment int64, rest string) {
	month, rest := leading(s)
	week, rest := leading(rest[1:])
	day, rest := leading(rest[1:])
	seconds, rest := leading(rest[1:])
	first := daysFromCivil(year, int(month), 1)
	days := first + floorMod(day-weekday(first), 7) + (week-1)*7
	if days >= first+int64(daysInMonth(year, int(month))) {
		days -= 7 // week 5 is the last
	}
	return days*daySeconds + seconds, rest
}

// leading reads the whole number a text begins with.
func leading(s string) (n int64, rest string) {
	end := 0
	for end < len(s) && (s[end] == '-' && end == 0 || s[end] >= '0' && s[end] <= '9') {
		end++
	}
	n, _ = strconv.ParseInt(s[:end], 10, 64) // the table is well-formed: its test reads it all
	return n, s[end:]
}

// inZone is a date and a time on the clock of the time's zone as a date and time.
func inZone(days int64, c clock) Value {
	if !validDay(days) {
		return Null // 24:00 on the last day there is
	}
	if c.zone.name != "" {
		if z, ok := findZone(c.zone.name); ok {
			return z.place(days, c)
		}
	}
	return dateTimeValue(days, c)
}

// ofDay is the time of day of a date and time, which without the date no longer
// knows its zone's offset.
func ofDay(c clock) Value {
	if c.zone.name != "" {
		z, _ := findZone(c.zone.name)
		if _, ok := z.constant(); !ok {
			c.zone.known, c.zone.offset = false, 0
		}
	}
	return timeValue(c)
}

// place is a time on a zone's clock as a date and time with its offset. An hour that
// comes twice is the first of them, unless the offset held before is that of the
// second; one that is left out is as much later as the clock jumps.
func (z zoneData) place(days int64, c clock) Value {
	local := days*daySeconds + c.nanos/second
	earlier, later := z.offset(local-daySeconds), z.offset(local+daySeconds)
	holds := func(offset int32) bool { return z.offset(local-int64(offset)) == offset }
	offset := earlier
	switch {
	case c.zone.known && holds(c.zone.offset):
		offset = c.zone.offset
	case !holds(earlier) && holds(later):
		offset = later
	}
	return z.at(local-int64(offset), c.nanos%second, c.zone.name)
}

// at is the moment as the zone's clock shows it.
func (z zoneData) at(moment, nanos int64, name string) Value {
	offset := z.offset(moment)
	local := moment + int64(offset)
	days := floorDiv(local, daySeconds)
	if !validDay(days) {
		return Null
	}
	return dateTimeValue(days, clock{
		nanos: (local-days*daySeconds)*second + nanos,
		zone:  zone{known: true, offset: offset, name: name},
	})
}
