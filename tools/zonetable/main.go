// Command zonetable writes the time zones that FEEL knows: engine/feel/zones.txt,
// and engine/feel/testdata/zones.txt to test it against, whose answers come from
// package time, which the engine itself may not import.
//
// Both are made from the IANA database in the Go distribution that runs it, so a
// newer database comes with a newer Go:
//
//	go generate ./engine/feel
//
// zones.txt says in its head how its lines are read.
package main

import (
	"archive/zip"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"go/build"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

func main() {
	out := flag.String("o", "engine/feel", "the folder of package feel")
	flag.Parse()
	if err := run(filepath.Join(build.Default.GOROOT, "lib", "time"), *out); err != nil {
		fmt.Fprintln(os.Stderr, "zonetable:", err)
		os.Exit(1)
	}
}

func run(source, out string) error {
	script, err := os.ReadFile(filepath.Join(source, "update.bash"))
	if err != nil {
		return err
	}
	version := regexp.MustCompile(`(?m)^DATA=(\w+)$`).FindSubmatch(script)
	if version == nil {
		return errors.New("update.bash names no version of the database")
	}
	files, err := read(filepath.Join(source, "zoneinfo.zip"))
	if err != nil {
		return err
	}
	table, err := table(files)
	if err != nil {
		return err
	}
	probes, err := probes(files)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(out, "zones.txt"), []byte(fmt.Sprintf(head, version[1])+table), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(out, "testdata", "zones.txt"), []byte(fmt.Sprintf(probeHead, version[1])+probes), 0o644)
}

// read is every zone of the archive by its name. Factory is a zone that says a
// machine's zone was never set: no payment's.
func read(archive string) (map[string][]byte, error) {
	z, err := zip.OpenReader(archive)
	if err != nil {
		return nil, err
	}
	defer func() { _ = z.Close() }()
	files := map[string][]byte{}
	for _, f := range z.File {
		if strings.HasSuffix(f.Name, "/") || f.Name == "Factory" {
			continue
		}
		r, err := f.Open()
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(r)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		files[f.Name] = data
	}
	return files, nil
}

const head = `# The time zones of the IANA database %s, written by tools/zonetable. Do not edit.
# Lines are sorted by name; after it, parted by tabs, comes "=" and the name of the
# zone it equals, or three columns (the first alone if nothing ever changed):
# 1. what holds after the last change: an offset in seconds east of UTC, or standard
#    and summer offset and when summer starts and ends each year, as month.week.day
#    (week 5 is the last, day 0 is Sunday) and seconds after that day's midnight on
#    the clock that ends there;
# 2. the offsets of the changes, called a, b, c …; the first one held before all;
# 3. the changes, newest first: the new offset's letter, then the seconds since 1970
#    for the newest, for the others the seconds by which they lie before it.
`

func table(files map[string][]byte) (string, error) {
	var b strings.Builder
	first := map[string]string{} // columns → the zone that has them already
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		columns, err := columns(files[name])
		if err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
		if same, ok := first[columns]; ok {
			columns = "=" + same
		} else {
			first[columns] = name
		}
		fmt.Fprintf(&b, "%s\t%s\n", name, columns)
	}
	return b.String(), nil
}

// columns reads a file as RFC 8536 has it: its second, 64-bit block.
func columns(data []byte) (string, error) {
	skip := func(data []byte, wide int) (times, kinds []byte, rest []byte, err error) {
		if len(data) < 44 || string(data[:4]) != "TZif" {
			return nil, nil, nil, errors.New("no TZif data")
		}
		count := func(i int) int { return int(binary.BigEndian.Uint32(data[20+4*i:])) }
		utc, std, leaps, changes, types, letters := count(0), count(1), count(2), count(3), count(4), count(5)
		body := data[44:]
		times = body[:changes*(wide+1)]
		kinds = body[changes*(wide+1):][:types*6]
		return times, kinds, body[changes*(wide+1)+types*6+letters+leaps*(wide+4)+std+utc:], nil
	}
	_, _, second, err := skip(data, 4)
	if err != nil {
		return "", err
	}
	times, kinds, footer, err := skip(second, 8)
	if err != nil {
		return "", err
	}
	rule, err := rule(strings.TrimSpace(string(footer)))
	if err != nil {
		return "", err
	}
	offset := func(kind byte) int32 { return int32(binary.BigEndian.Uint32(kinds[6*int(kind):])) }
	changes := len(times) / 9
	offsets := []int32{offset(0)}
	var at []int64
	var to []int
	for i := range changes {
		o := offset(times[8*changes+i])
		letter := slices.Index(offsets, o)
		if letter < 0 {
			letter = len(offsets)
			offsets = append(offsets, o)
		}
		// What changes only the name or the summer flag is none here; but from the last
		// one on the rule holds.
		if before := len(to); i < changes-1 && (before > 0 && to[before-1] == letter || before == 0 && letter == 0) {
			continue
		}
		at, to = append(at, int64(binary.BigEndian.Uint64(times[8*i:]))), append(to, letter)
	}
	if len(offsets) > 26 {
		return "", errors.New("more offsets than letters")
	}
	var held []string
	for _, o := range offsets {
		held = append(held, strconv.Itoa(int(o)))
	}
	var b strings.Builder
	for i, n := range slices.Backward(at) {
		if i < len(at)-1 {
			n = at[i+1] - n
		}
		fmt.Fprintf(&b, "%c%d", 'a'+to[i], n)
	}
	if len(at) == 0 {
		return rule, nil
	}
	return rule + "\t" + strings.Join(held, " ") + "\t" + b.String(), nil
}

var (
	name  = `(?:[A-Za-z]{3,}|<[-+\w]+>)`
	clock = `([-+]?\d+(?::\d+)*)`
	posix = regexp.MustCompile(`^` + name + clock + `(?:` + name + clock + `?,M([\d.]+)(?:/` + clock + `)?,M([\d.]+)(?:/` + clock + `)?)?$`)
)

// rule reads a POSIX TZ string, the end of a file. Its offsets count west of UTC.
func rule(s string) (string, error) {
	m := posix.FindStringSubmatch(s)
	if m == nil {
		return "", fmt.Errorf("the rule %q is of no known form", s)
	}
	standard := -seconds(m[1])
	if m[3] == "" {
		return strconv.Itoa(standard), nil
	}
	summer := standard + 3600
	if m[2] != "" {
		summer = -seconds(m[2])
	}
	start, end := 7200, 7200
	if m[4] != "" {
		start = seconds(m[4])
	}
	if m[6] != "" {
		end = seconds(m[6])
	}
	return fmt.Sprintf("%d %d %s %d %s %d", standard, summer, m[3], start, m[5], end), nil
}

// seconds reads [-]h[:m[:s]].
func seconds(s string) int {
	sign := 1
	if strings.HasPrefix(s, "-") {
		sign = -1
	}
	total, unit := 0, 3600
	for part := range strings.SplitSeq(strings.TrimLeft(s, "+-"), ":") {
		n, _ := strconv.Atoi(part) // the pattern has only digits
		total += n * unit
		unit /= 60
	}
	return sign * total
}

const probeHead = `# What package time says of every zone of the IANA database %s, written by
# tools/zonetable: the zone, then pairs of a moment in seconds since 1970 and the
# offset that holds at it, in seconds east of UTC.
`

// probes asks around every fortieth change of a zone, and by the calendar far from them.
func probes(files map[string][]byte) (string, error) {
	var b strings.Builder
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		zone, err := time.LoadLocationFromTZData(name, files[name])
		if err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
		var moments []int64
		for _, day := range []string{"1800-01-01", "1950-06-01", "2026-01-01", "2026-07-01", "2050-01-01", "2050-07-01", "9999-07-01"} {
			t, err := time.Parse(time.DateOnly, day)
			if err != nil {
				return "", err
			}
			moments = append(moments, t.Unix())
		}
		n := len(name) // so that zones are probed at different ones of their changes
		for t := time.Date(1850, 1, 1, 0, 0, 0, 0, zone); ; n++ {
			_, next := t.ZoneBounds()
			if next.IsZero() || next.Year() > 2200 || !next.After(t) {
				break
			}
			if n%40 == 0 {
				moments = append(moments, next.Unix()-1, next.Unix())
			}
			t = next
		}
		b.WriteString(name)
		for _, m := range moments {
			_, offset := time.Unix(m, 0).In(zone).Zone()
			fmt.Fprintf(&b, " %d %d", m, offset)
		}
		b.WriteByte('\n')
	}
	return b.String(), nil
}
