package feel

import (
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxPattern bounds a regular expression, in bytes.
const maxPattern = 1024

// pattern is a compiled regular expression. One that is a constant of an expression is
// compiled with it and lies beside the text it was made of.
type pattern struct {
	linear *regexp.Regexp // nil: it has back references
	flags  string
	size   int // how many characters it has with its counted repetitions written out
	groups int

	// With back references: the tree, the numbers of its groups (negative for a
	// reference to one), and whether case is ignored.
	tree   *syntax.Regexp
	places map[*syntax.Regexp]int
	fold   bool
}

// compilePattern compiles an XPath regular expression with its flags; nil if it is
// none. Running it once over the input is paid for.
func compilePattern(r *run, input string, from, flags Value) *pattern {
	from, flags = one(from), one(flags)
	text, ok := from.Text()
	if !ok || len(text) > maxPattern || !r.spend(len(text)) {
		return nil
	}
	letters, ok := flags.Text()
	if !ok && !flags.IsNull() {
		return nil
	}
	p, ok := from.ref.(*pattern)
	if !ok || p.flags != letters {
		if strings.Contains(text, "{") && !r.spend(32<<10) {
			return nil // counted repetitions are written out by the compiler
		}
		if p = newPattern(text, letters); p == nil {
			r.warn("a regular expression that cannot be used")
			return nil
		}
	}
	// At worst each character is held against all of the pattern.
	if !r.spend(len(input)*p.size/8 + 1) {
		return nil
	}
	return p
}

// newPattern is nil if the text or the flags cannot be used.
func newPattern(text, flags string) *pattern {
	if len(text) > maxPattern || strings.Trim(flags, "smixq") != "" {
		return nil
	}
	if strings.Contains(flags, "x") {
		text = withoutSpace(text)
	}
	refers := false
	if strings.Contains(flags, "q") {
		text = regexp.QuoteMeta(text)
	} else {
		var ok bool
		if text, refers, ok = translate(text, strings.Contains(flags, "s")); !ok {
			return nil
		}
	}
	prefix := ""
	for _, letter := range "smi" {
		if strings.ContainsRune(flags, letter) {
			prefix += string(letter)
		}
	}
	if prefix != "" {
		prefix = "(?" + prefix + ")"
	}
	p := &pattern{flags: flags, size: len(text), fold: strings.Contains(flags, "i")}
	if refers {
		return p.searched(prefix + text)
	}
	compiled, err := regexp.Compile(prefix + text)
	if err != nil {
		return nil
	}
	p.linear, p.groups = compiled, compiled.NumSubexp()
	if strings.Contains(text, "{") {
		if tree, err := syntax.Parse(prefix+text, syntax.Perl); err == nil {
			p.size = size(tree)
		}
	}
	return p
}

// searched makes the pattern one that is searched with backtracking.
func (p *pattern) searched(text string) *pattern {
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil
	}
	p.tree, p.places = tree, map[*syntax.Regexp]int{}
	var number func(part *syntax.Regexp)
	number = func(part *syntax.Regexp) {
		if name, refers := strings.CutPrefix(part.Name, reference); refers {
			n, _ := leading(name)
			p.places[part] = -int(n)
		} else if part.Op == syntax.OpCapture {
			p.groups++
			p.places[part] = p.groups
		}
		for _, inner := range part.Sub {
			number(inner)
		}
	}
	number(tree)
	return p
}

// matches tells whether the pattern is found in the input; ok is false if the search
// took too long.
func (p *pattern) matches(r *run, input string) (found, ok bool) {
	if p.linear != nil {
		return p.linear.MatchString(input), true
	}
	b := &backtrack{run: r, input: input, groups: make([]int, 2+2*p.groups)}
	return b.find(p, 0) != nil, !b.failed
}

// all are the places where the pattern is found, as regexp's submatch indexes are; ok
// is false if the search took too long.
func (p *pattern) all(r *run, input string) (found [][]int, ok bool) {
	if p.linear != nil {
		found = p.linear.FindAllStringSubmatchIndex(input, maxWeight)
		return found, r.spend(8 * len(found))
	}
	b := &backtrack{run: r, input: input, groups: make([]int, 2+2*p.groups)}
	for from, last := 0, -1; from <= len(input) && r.spend(8); {
		at := b.find(p, from)
		if at == nil {
			break
		}
		if at[1] > at[0] || at[0] != last { // an empty one right behind another is none
			found = append(found, at)
		}
		last, from = at[1], at[1]
		if at[1] == at[0] {
			_, size := utf8.DecodeRuneInString(input[from:])
			from += max(size, 1)
		}
	}
	return found, !b.failed && r.budget >= 0
}

// size is a pattern's with its counted repetitions written out; the parser bounds it.
func size(tree *syntax.Regexp) int {
	n := 1 + len(tree.Rune)
	for _, part := range tree.Sub {
		n += size(part)
	}
	if tree.Op == syntax.OpRepeat {
		n *= max(tree.Min, tree.Max, 1)
	}
	return n
}

// withoutSpace drops the white space outside character classes, as the flag x says,
// between a backslash and its letter too.
func withoutSpace(pattern string) string {
	var b strings.Builder
	class, escaped := false, false
	for _, c := range pattern {
		if !class && strings.ContainsRune(" \t\r\n", c) {
			continue
		}
		switch {
		case escaped:
			escaped = false
		case c == '\\':
			escaped = true
		case c == '[':
			class = true
		case c == ']':
			class = false
		}
		b.WriteRune(c)
	}
	return b.String()
}

// translate writes an XPath pattern for Go's regexp: the point matches no carriage
// return, classes may subtract others, and some escapes differ. A back reference
// becomes an empty group whose name says what it refers to.
func translate(pattern string, dotAll bool) (text string, refers, ok bool) {
	var b strings.Builder
	var open []int // groups that are not closed, 0 for one that does not count
	groups, closed := 0, []bool{true}
	for i := 0; i < len(pattern); {
		switch c := pattern[i]; {
		case c == '.' && !dotAll:
			b.WriteString(`[^\n\r]`)
			i++
		case c == '[':
			class, next, ok := translateClass(pattern, i, 0)
			if !ok {
				return "", false, false
			}
			b.WriteString(class)
			i = next
		case c == '\\' && i+1 < len(pattern) && pattern[i+1] >= '1' && pattern[i+1] <= '9':
			n, next := int(pattern[i+1]-'0'), i+2
			for next < len(pattern) && pattern[next] >= '0' && pattern[next] <= '9' && n*10+int(pattern[next]-'0') <= groups {
				n = n*10 + int(pattern[next]-'0')
				next++
			}
			if n > groups || !closed[n] {
				return "", false, false
			}
			b.WriteString("(?P<" + reference + strconv.Itoa(n) + "_" + strconv.Itoa(i) + ">)")
			refers, i = true, next
		case c == '\\':
			text, next, ok := translateEscape(pattern, i)
			if !ok {
				return "", false, false
			}
			b.WriteString(text)
			i = next
		case c == '(' && strings.HasPrefix(pattern[i:], "(?"):
			if !strings.HasPrefix(pattern[i:], "(?:") {
				return "", false, false
			}
			open = append(open, 0)
			b.WriteString("(?:")
			i += 3
		default:
			switch {
			case c == '(':
				groups++
				open, closed = append(open, groups), append(closed, false)
			case c == ')' && len(open) > 0:
				closed[open[len(open)-1]] = true
				open = open[:len(open)-1]
			}
			b.WriteByte(c)
			i++
		}
	}
	return b.String(), refers, true
}

// translateEscape reads one escape. Go's own are none.
func translateEscape(pattern string, i int) (text string, next int, ok bool) {
	if i+1 >= len(pattern) {
		return "", 0, false
	}
	switch c := pattern[i+1]; c {
	case 'n', 'r', 't', '\\', '|', '.', '?', '*', '+', '(', ')', '{', '}', '$', '-', '[', ']', '^', 's', 'S', 'w', 'W':
		return pattern[i : i+2], i + 2, true
	case 'd':
		return `\p{Nd}`, i + 2, true
	case 'D':
		return `\P{Nd}`, i + 2, true
	case 'p', 'P':
		end := strings.IndexByte(pattern[i:], '}')
		if !strings.HasPrefix(pattern[i+2:], "{") || end < 0 {
			return "", 0, false
		}
		name := pattern[i+3 : i+end]
		if name == "IsBasicLatin" {
			name = map[byte]string{'p': `[\x00-\x7F]`, 'P': `[^\x00-\x7F]`}[c]
			return name, i + end + 1, true
		}
		return pattern[i : i+end+1], i + end + 1, true
	}
	return "", 0, false
}

// translateClass reads a character class from its "[", which may end in the
// subtraction of another: [A-Z-[OI]].
func translateClass(pattern string, i, depth int) (class string, next int, ok bool) {
	var b strings.Builder
	b.WriteByte('[')
	i++
	if i < len(pattern) && pattern[i] == '^' {
		b.WriteByte('^')
		i++
	}
	for start := i; i < len(pattern); {
		switch c := pattern[i]; {
		case c == ']' && i > start:
			b.WriteByte(']')
			return b.String(), i + 1, true
		case c == '-' && strings.HasPrefix(pattern[i:], "-["):
			if depth > 8 {
				return "", 0, false
			}
			without, next, ok := translateClass(pattern, i+1, depth+1)
			if !ok || next >= len(pattern) || pattern[next] != ']' {
				return "", 0, false
			}
			b.WriteByte(']')
			class, ok = subtractClass(b.String(), without)
			return class, next + 1, ok
		case c == '[':
			return "", 0, false
		case c == '\\':
			text, next, ok := translateEscape(pattern, i)
			if !ok || strings.HasPrefix(text, "[") {
				return "", 0, false
			}
			b.WriteString(text)
			i = next
		default:
			b.WriteByte(c)
			i++
		}
	}
	return "", 0, false
}

// subtractClass is a class without the characters of another.
func subtractClass(class, without string) (string, bool) {
	from, fromErr := classRanges(class)
	drop, dropErr := classRanges(without)
	if fromErr || dropErr {
		return "", false
	}
	var b strings.Builder
	b.WriteByte('[')
	for i := 0; i+1 < len(from); i += 2 {
		low, high := from[i], from[i+1]
		for j := 0; j+1 < len(drop) && low <= high; j += 2 {
			if drop[j+1] < low || drop[j] > high {
				continue
			}
			writeRange(&b, low, drop[j]-1)
			low = drop[j+1] + 1
		}
		writeRange(&b, low, high)
	}
	b.WriteByte(']')
	if b.Len() == 2 {
		return `[^\x00-\x{10FFFF}]`, true
	}
	return b.String(), true
}

// classRanges are the pairs of first and last characters of a class, ascending.
func classRanges(class string) (pairs []rune, failed bool) {
	parsed, err := syntax.Parse(class, syntax.Perl)
	if err != nil {
		return nil, true
	}
	switch parsed.Op {
	case syntax.OpCharClass:
		return parsed.Rune, false
	case syntax.OpLiteral:
		if len(parsed.Rune) == 1 {
			return []rune{parsed.Rune[0], parsed.Rune[0]}, false
		}
	case syntax.OpNoMatch:
		return nil, false
	}
	return nil, true
}

func writeRange(b *strings.Builder, low, high rune) {
	if low > high {
		return
	}
	b.WriteString(`\x{` + strconv.FormatInt(int64(low), 16) + `}-\x{` + strconv.FormatInt(int64(high), 16) + `}`)
}
