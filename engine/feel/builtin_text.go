package feel

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// texts are the functions on strings (DMN 1.3, table 73). Positions and lengths
// count characters, not bytes.
var texts = []builtin{
	{"substring", [][]string{{"string", "start position", "length?"}}, substring},
	{"string length", [][]string{{"string"}}, func(_ *run, args []Value) Value {
		if s, ok := one(args[0]).Text(); ok {
			return Int(int64(utf8.RuneCountInString(s)))
		}
		return Null
	}},
	{"upper case", [][]string{{"string"}}, mapText(strings.ToUpper)},
	{"lower case", [][]string{{"string"}}, mapText(strings.ToLower)},
	{"trim", [][]string{{"string"}}, mapText(strings.TrimSpace)},
	{"substring before", [][]string{{"string", "match"}}, withTexts(func(r *run, s, match string) Value {
		if before, _, found := strings.Cut(s, match); found {
			return String(before)
		}
		return String("")
	})},
	{"substring after", [][]string{{"string", "match"}}, withTexts(func(r *run, s, match string) Value {
		if _, after, found := strings.Cut(s, match); found {
			return String(after)
		}
		return String("")
	})},
	{"contains", [][]string{{"string", "match"}}, withTexts(func(_ *run, s, match string) Value {
		return Bool(strings.Contains(s, match))
	})},
	{"starts with", [][]string{{"string", "match"}}, withTexts(func(_ *run, s, match string) Value {
		return Bool(strings.HasPrefix(s, match))
	})},
	{"ends with", [][]string{{"string", "match"}}, withTexts(func(_ *run, s, match string) Value {
		return Bool(strings.HasSuffix(s, match))
	})},
	{"matches", [][]string{{"input", "pattern", "flags?"}}, func(r *run, args []Value) Value {
		input, ok := one(args[0]).Text()
		pattern := compilePattern(r, input, args[1], arg(args, 2))
		if !ok || pattern == nil {
			return Null
		}
		found, ok := pattern.matches(r, input)
		if !ok {
			return Null
		}
		return Bool(found)
	}},
	{"replace", [][]string{{"input", "pattern", "replacement", "flags?"}}, replaceText},
	{"split", [][]string{{"string", "delimiter"}}, func(r *run, args []Value) Value {
		input, ok := one(args[0]).Text()
		pattern := compilePattern(r, input, args[1], Null)
		if !ok || pattern == nil {
			return Null
		}
		var items []Value
		places, ok := pattern.all(r, input)
		if !ok {
			return Null
		}
		last := 0
		for _, at := range places {
			if at[1] == 0 || at[0] == at[1] && at[0] == len(input) {
				continue // an empty match at either end parts nothing
			}
			items, last = append(items, String(input[last:at[0]])), at[1]
		}
		items = append(items, String(input[last:]))
		return makeList(r, items)
	}},
	{"string join", [][]string{{"list", "delimiter?"}, {"list", "delimiter", "prefix", "suffix"}}, joinTexts},
}

// mapText is a function of one string.
func mapText(f func(string) string) func(*run, []Value) Value {
	return func(r *run, args []Value) Value {
		if s, ok := one(args[0]).Text(); ok {
			return makeText(r, f(s))
		}
		return Null
	}
}

// withTexts is a function of two strings.
func withTexts(f func(r *run, a, b string) Value) func(*run, []Value) Value {
	return func(r *run, args []Value) Value {
		a, aOK := one(args[0]).Text()
		b, bOK := one(args[1]).Text()
		if !aOK || !bOK || !r.spend(len(a)/16+1) {
			return Null
		}
		return f(r, a, b)
	}
}

func substring(r *run, args []Value) Value {
	s, ok := one(args[0]).Text()
	start, whole := truncated(one(args[1]))
	if !ok || !whole || start == 0 || !r.spend(len(s)/16+1) {
		return Null
	}
	length := int64(len(s))
	if v := arg(args, 2); len(args) > 2 && !v.IsNull() {
		if length, whole = truncated(one(v)); !whole || length < 1 {
			return Null
		}
	}
	runes := []rune(s)
	count := int64(len(runes))
	if start < 0 {
		start += count + 1
	}
	if start < 1 || start > count {
		if start == count+1 || start > count {
			return String("")
		}
		return Null
	}
	end := count
	if length < count-start+1 {
		end = start - 1 + length
	}
	return String(string(runes[start-1 : end]))
}

// joinTexts joins a list of strings, nulls left out; prefix and suffix are Camunda's.
func joinTexts(r *run, args []Value) Value {
	var between [3]string // the delimiter, the prefix and the suffix
	for i := range between {
		if v := one(arg(args, i+1)); !v.IsNull() {
			var ok bool
			if between[i], ok = v.Text(); !ok {
				return Null
			}
		}
	}
	delimiter := between[0]
	items, ok := items(args[0])
	if !ok {
		return Null
	}
	var b strings.Builder
	written := false
	for _, item := range items {
		if item.IsNull() {
			continue
		}
		s, ok := item.Text()
		if !ok || b.Len()+len(delimiter)+len(s) > maxWeight || !r.spend((len(delimiter)+len(s))/16+1) {
			return Null
		}
		if written {
			b.WriteString(delimiter)
		}
		b.WriteString(s)
		written = true
	}
	return makeText(r, between[1]+b.String()+between[2])
}

func replaceText(r *run, args []Value) Value {
	input, ok := one(args[0]).Text()
	replacement, isText := one(args[2]).Text()
	pattern := compilePattern(r, input, args[1], arg(args, 3))
	if !ok || !isText || pattern == nil {
		return Null
	}
	template, ok := expansion(replacement, pattern.groups)
	if !ok {
		return Null
	}
	places, ok := pattern.all(r, input)
	if !ok {
		return Null
	}
	var out []byte
	last := 0
	references := strings.Count(template, "${")
	for _, at := range places {
		// No group is longer than the match.
		if size := len(template) + references*(at[1]-at[0]); len(out)+size > maxWeight || !r.spend(size/16) {
			return Null
		}
		out = append(out, input[last:at[0]]...)
		out = numbered.ExpandString(out, template, input, at)
		last = at[1]
	}
	return makeText(r, string(append(out, input[last:]...)))
}

// numbered expands templates that name groups by number only, as expansion writes
// them: of any pattern.
var numbered = regexp.MustCompile("")

// expansion turns XPath's replacement ($1, \$, \\) into Go's. A group number takes
// as many digits as still name a group.
func expansion(s string, groups int) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '\\':
			if i++; i >= len(s) || s[i] != '\\' && s[i] != '$' {
				return "", false
			}
			if s[i] == '$' {
				b.WriteByte('$')
			}
			b.WriteByte(s[i])
		case '$':
			n, digits := 0, 0
			for i+1 < len(s) && s[i+1] >= '0' && s[i+1] <= '9' {
				if next := n*10 + int(s[i+1]-'0'); digits > 0 && next > groups {
					break
				} else {
					n = next
				}
				digits++
				i++
			}
			if digits == 0 {
				return "", false
			}
			b.WriteString("${")
			b.WriteString(Int(int64(n)).String())
			b.WriteByte('}')
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), true
}
