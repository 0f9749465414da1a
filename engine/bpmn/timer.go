package bpmn

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/railhead-hub/railhead/engine/feel"
)

// TimerKind is what a timer's text means.
type TimerKind uint8

// The kinds of timers.
const (
	TimerDuration TimerKind = iota + 1 // PT60S, or a FEEL duration
	TimerDate                          // 2026-11-20T07:00:00Z, or a FEEL date and time
	TimerCycle                         // R3/PT1H, R3/2026-11-20T07:00:00Z/PT1H or a cron expression
)

// Timer is when an event fires.
type Timer struct {
	Kind TimerKind
	Text Text
}

// Schedule is a timer evaluated.
type Schedule struct {
	DueMS  int64       // the first firing, milliseconds since 1970; may be past: fire at once
	Repeat int64       // firings after the first; -1 without end
	Period feel.Period // between firings; positive if Repeat is not 0 and there is no Cron
	Cron   *Cron
}

// Next is the firing after one at nowMS, if Repeat allows another.
func (s *Schedule) Next(nowMS int64) (dueMS int64, ok bool) {
	if s.Cron != nil {
		return s.Cron.Next(nowMS)
	}
	return max(s.Period.After(nowMS), nowMS+1), true
}

// Schedule evaluates the timer at a moment. The error is for an incident.
func (t *Timer) Schedule(scope feel.Scope, nowMS int64) (Schedule, error) {
	v := t.Text.Value(scope)
	switch t.Kind {
	case TimerDuration:
		period, ok := feel.PeriodOf(v)
		if !ok {
			return Schedule{}, fmt.Errorf("%s gives a %s that is no duration such as PT60S", t.Text, v.Kind())
		}
		return Schedule{DueMS: period.After(nowMS)}, nil
	case TimerDate:
		due, ok := feel.InstantOf(v)
		if !ok {
			return Schedule{}, fmt.Errorf("%s gives a %s that is no date and time such as 2026-11-20T07:00:00Z", t.Text, v.Kind())
		}
		return Schedule{DueMS: due}, nil
	}
	text, ok := v.Text()
	if !ok {
		return Schedule{}, fmt.Errorf("%s gives a %s that is no cycle such as R3/PT1H", t.Text, v.Kind())
	}
	if !strings.HasPrefix(text, "R") {
		cron, err := ParseCron(text)
		if err != nil {
			return Schedule{}, err
		}
		due, ok := cron.Next(nowMS)
		if !ok {
			return Schedule{}, errNeverAgain
		}
		return Schedule{DueMS: due, Repeat: -1, Cron: cron}, nil
	}
	c, err := ParseCycle(text)
	if err != nil {
		return Schedule{}, err
	}
	return c.schedule(nowMS)
}

// Cycle is an ISO 8601 repeating interval.
type Cycle struct {
	Count    int64 // firings in all; -1 without end
	HasStart bool
	StartMS  int64
	Period   feel.Period
}

// ParseCycle reads R[n]/[start/]period.
func ParseCycle(s string) (Cycle, error) {
	parts := strings.Split(s, "/")
	if !strings.HasPrefix(s, "R") || len(parts) < 2 || len(parts) > 3 {
		return Cycle{}, fmt.Errorf("%q is not a repeating interval such as R3/PT1H", clip(s))
	}
	c := Cycle{Count: -1}
	if digits := parts[0][1:]; digits != "" {
		n, err := strconv.ParseUint(digits, 10, 31)
		if err != nil {
			return Cycle{}, fmt.Errorf("%q: the count of repetitions is not a whole number", clip(s))
		}
		c.Count = int64(n)
	}
	var err error
	if len(parts) == 3 && parts[1] != "" {
		c.HasStart = true
		if c.StartMS, err = feel.ParseDateTime(parts[1]); err != nil {
			return Cycle{}, err
		}
	}
	if c.Period, err = feel.ParseDuration(parts[len(parts)-1]); err != nil {
		return Cycle{}, err
	}
	if c.Period.Months < 0 || c.Period.MS < 0 || c.Period.Months == 0 && c.Period.MS == 0 {
		return Cycle{}, fmt.Errorf("%q: the period of a cycle must be positive", clip(s))
	}
	return c, nil
}

func (c *Cycle) schedule(nowMS int64) (Schedule, error) {
	if c.Count == 0 {
		return Schedule{}, errors.New("a cycle of no repetitions never fires")
	}
	s := Schedule{DueMS: c.Period.After(nowMS), Repeat: -1, Period: c.Period}
	if c.HasStart {
		s.DueMS = c.StartMS
	}
	if c.Count > 0 {
		s.Repeat = c.Count - 1
	}
	return s, nil
}

// checkTimer parses a static timer.
func checkTimer(kind TimerKind, text string) error {
	var err error
	switch kind {
	case TimerDuration:
		_, err = feel.ParseDuration(text)
	case TimerDate:
		_, err = feel.ParseDateTime(text)
	case TimerCycle:
		if strings.HasPrefix(text, "R") {
			_, err = ParseCycle(text)
		} else {
			_, err = ParseCron(text)
		}
	}
	return err
}

// clip shortens a text for a message.
func clip(s string) string {
	if len(s) <= 80 {
		return s
	}
	end := 80
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}
