package secret

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Set are the secrets that one outside endpoint is bound to. It is safe for
// concurrent use. A nil Set has none.
type Set struct {
	files []*File
	last  atomic.Pointer[built]
}

// built is a scrubber and what it was made of.
type built struct {
	versions []uint64
	until    time.Time // of the first former value to be forgotten; zero: none
	scrubber *Scrubber
}

// Set opens the secrets of these names.
func (s *Store) Set(tenant string, names []string) (*Set, error) {
	if len(names) == 0 {
		return nil, nil
	}
	set := new(Set)
	for _, name := range names {
		f, err := s.Open(tenant, name)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(set.files, f) {
			set.files = append(set.files, f)
		}
	}
	return set, nil
}

var reference = regexp.MustCompile(`\{\{secret:([a-z][a-z0-9_]{0,63})\}\}`)

// Opening is how a reference begins.
const Opening = "{{secret:"

// meant is how a reference begins that is misspelt, or not.
var meant = regexp.MustCompile(`(?i)\{\{\s*secret`)

// referencesMax bounds the references of one text, which a guest may have written.
const referencesMax = 16

// Fill replaces references by values. A reference to a secret that is not of the
// set is an error, so that a guest cannot carry one secret to another host; so is
// one that is misspelt and would be sent as it stands.
func (s *Set) Fill(text string) (string, error) {
	if !strings.Contains(text, "{{") {
		return text, nil
	}
	begun := len(meant.FindAllStringIndex(text, -1))
	if begun == 0 {
		return text, nil
	}
	if len(reference.FindAllStringIndex(text, -1)) != begun {
		return "", errors.New("a reference is not of the form {{secret:name}}, with lower-case letters, digits and _")
	}
	if begun > referencesMax {
		return "", fmt.Errorf("%d references; %d are allowed", begun, referencesMax)
	}
	var unknown string
	out := reference.ReplaceAllStringFunc(text, func(ref string) string {
		name := reference.FindStringSubmatch(ref)[1]
		if s != nil {
			for _, f := range s.files {
				if f.name == name {
					return f.Value()
				}
			}
		}
		unknown = name
		return ""
	})
	if unknown != "" {
		return "", fmt.Errorf("secret %s is not bound to this endpoint", unknown)
	}
	return out, nil
}

// Scrubber takes the set's secrets out of texts: their values now, and those they
// had within the last hour. A nil Scrubber, of a nil Set, changes nothing.
func (s *Set) Scrubber() *Scrubber {
	if s == nil {
		return nil
	}
	states := make([]*state, len(s.files))
	for i, f := range s.files {
		states[i] = f.current()
	}
	now := time.Now()
	last := s.last.Load()
	if last != nil && (last.until.IsZero() || now.Before(last.until)) &&
		slices.EqualFunc(last.versions, states, func(v uint64, st *state) bool { return v == st.version }) {
		return last.scrubber
	}
	next := &built{versions: make([]uint64, len(states))}
	var values []Named
	for i, st := range states {
		next.versions[i] = st.version
		values = append(values, Named{s.files[i].name, st.value})
		for _, old := range st.former {
			if now.After(old.until) {
				continue
			}
			values = append(values, Named{s.files[i].name, old.value})
			if next.until.IsZero() || old.until.Before(next.until) {
				next.until = old.until
			}
		}
	}
	next.scrubber = NewScrubber(values)
	s.last.Store(next)
	return next.scrubber
}
