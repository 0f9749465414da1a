package feel

import (
	"fmt"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of a source text.
const (
	maxSource = 64 << 10 // bytes
	maxDepth  = 128      // nesting of the grammar's rules
	maxNodes  = 4096     // operands: 1 + 1 + 1 … nests to the left as deep as it is long
)

// SyntaxError says where a source text stops being FEEL.
type SyntaxError struct {
	Offset int    // in bytes
	Text   string // what was expected or is wrong
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("at %d: %s", e.Offset, e.Text) }

// parser reads FEEL by recursive descent straight from the text: names may contain
// spaces and operators ("date and time", "monthly rate"), so where a token ends
// depends on which names are known at that place, and a lexer of its own would have
// to guess. After the first error every method is a no-op that accepts nothing.
type parser struct {
	src    string
	at     int
	depth  int
	nodes  int
	spoken []string // known names that are more than one word, longest first
	inTest bool     // a "?" was read
	endsAt bool     // reading the end of a range: "[" closes it and is no filter
	err    *SyntaxError
}

func (p *parser) failf(format string, args ...any) {
	if p.err == nil {
		p.err = &SyntaxError{Offset: p.at, Text: fmt.Sprintf(format, args...)}
	}
}

// space skips white space and comments.
func (p *parser) space() {
	for p.at < len(p.src) {
		rest := p.src[p.at:]
		switch {
		case strings.HasPrefix(rest, "//"):
			if n := strings.IndexByte(rest, '\n'); n >= 0 {
				p.at += n + 1
			} else {
				p.at = len(p.src)
			}
		case strings.HasPrefix(rest, "/*"):
			n := strings.Index(rest, "*/")
			if n < 0 {
				p.failf("a comment that is not closed")
				return
			}
			p.at += n + 2
		default:
			r, size := utf8.DecodeRuneInString(rest)
			if !unicode.IsSpace(r) && r != '\ufeff' {
				return
			}
			p.at += size
		}
	}
}

// peek tells whether the symbol comes next.
func (p *parser) peek(symbol string) bool {
	if p.err != nil {
		return false
	}
	p.space()
	return strings.HasPrefix(p.src[p.at:], symbol)
}

func (p *parser) accept(symbol string) bool {
	if !p.peek(symbol) {
		return false
	}
	p.at += len(symbol)
	return true
}

func (p *parser) expect(symbol string) {
	if !p.accept(symbol) {
		p.failf("%s expected", symbol)
	}
}

// peekWord tells whether the keyword comes next as a whole word.
func (p *parser) peekWord(word string) bool {
	if !p.peek(word) {
		return false
	}
	r, _ := utf8.DecodeRuneInString(p.src[p.at+len(word):])
	return !namePart(r)
}

func (p *parser) acceptWord(word string) bool {
	if !p.peekWord(word) {
		return false
	}
	p.at += len(word)
	return true
}

func (p *parser) expectWord(word string) {
	if !p.acceptWord(word) {
		p.failf("%q expected", word)
	}
}

// enter bounds the recursion; leave undoes it.
func (p *parser) enter() bool {
	p.depth++
	if p.depth > maxDepth {
		p.failf("nested deeper than %d", maxDepth)
	}
	return p.err == nil
}

func (p *parser) leave() { p.depth-- }

// node counts an operand or a postfix.
func (p *parser) node() bool {
	if p.nodes++; p.nodes > maxNodes {
		p.failf("more than %d operands", maxNodes)
	}
	return p.err == nil
}

// nameStart and namePart are the characters of a name, as the grammar lists them.
func nameStart(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || r >= 0x1F000 && r <= 0x1FAFF
}

func namePart(r rune) bool {
	return nameStart(r) || unicode.IsDigit(r) || unicode.Is(unicode.Mn, r) || r == 0xB7
}

var keywords = map[string]bool{
	"and": true, "between": true, "else": true, "every": true, "false": true,
	"for": true, "function": true, "if": true, "in": true, "instance": true, "null": true, "or": true,
	"return": true, "satisfies": true, "some": true, "then": true, "true": true,
}

// learn makes a name of several words or with symbols known from here on.
func (p *parser) learn(name string) {
	if !spoken(name) {
		return
	}
	at := sort.Search(len(p.spoken), func(i int) bool {
		return len(p.spoken[i]) < len(name) || len(p.spoken[i]) == len(name) && p.spoken[i] >= name
	})
	if at < len(p.spoken) && p.spoken[at] == name {
		return
	}
	// A copy: the parser begins with the shared list of built-in names.
	grown := make([]string, 0, len(p.spoken)+1)
	grown = append(append(append(grown, p.spoken[:at]...), name), p.spoken[at:]...)
	p.spoken = grown
}

// spoken tells whether a name needs learning to be read.
func spoken(name string) bool {
	for i, r := range name {
		if !namePart(r) || i == 0 && !nameStart(r) {
			return name != ""
		}
	}
	return false
}

// name reads the longest known name, or else one word.
func (p *parser) name() (string, bool) {
	p.space()
	if p.err != nil {
		return "", false
	}
	for _, known := range p.spoken {
		if end, ok := p.match(known); ok {
			p.at = end
			return known, true
		}
	}
	start := p.at
	for p.at < len(p.src) {
		r, size := utf8.DecodeRuneInString(p.src[p.at:])
		if p.at == start && !nameStart(r) || !namePart(r) {
			break
		}
		p.at += size
	}
	return p.src[start:p.at], p.at > start
}

// match tells where a known name ends if it stands here; any white space stands for
// one space.
func (p *parser) match(name string) (end int, ok bool) {
	at := p.at
	for i := 0; i < len(name); i++ {
		if at >= len(p.src) {
			return 0, false
		}
		if name[i] == ' ' {
			from := at
			for at < len(p.src) && (p.src[at] == ' ' || p.src[at] == '\t' || p.src[at] == '\n' || p.src[at] == '\r') {
				at++
			}
			if at == from {
				return 0, false
			}
			continue
		}
		if p.src[at] != name[i] {
			return 0, false
		}
		at++
	}
	if r, _ := utf8.DecodeRuneInString(p.src[at:]); namePart(r) {
		last, _ := utf8.DecodeLastRuneInString(name)
		if namePart(last) {
			return 0, false
		}
	}
	if strings.Contains(name, " and ") {
		// "date and time" is only the function; elsewhere it is a conjunction.
		if rest := strings.TrimLeft(p.src[at:], " \t\r\n"); !strings.HasPrefix(rest, "(") {
			return 0, false
		}
	}
	return at, true
}

// label reads a name that is being introduced (a key, a parameter, a variable): all
// up to one of the stop characters or the stop word, its white space made single.
func (p *parser) label(stops, word string) string {
	p.space()
	start := p.at
	var words []string
	for p.err == nil && p.at < len(p.src) {
		p.space()
		r, size := utf8.DecodeRuneInString(p.src[p.at:])
		if p.at >= len(p.src) || strings.ContainsRune(stops, r) || word != "" && len(words) > 0 && p.peekWord(word) {
			break
		}
		from := p.at
		switch {
		case namePart(r):
			for p.at < len(p.src) && namePart(r) {
				p.at += size
				r, size = utf8.DecodeRuneInString(p.src[p.at:])
			}
		case strings.ContainsRune("./-'+*?", r):
			p.at += size
		default:
			p.failf("a name expected")
			return ""
		}
		if len(words) > 0 && from > start && !unicode.IsSpace(rune(p.src[from-1])) {
			words[len(words)-1] += p.src[from:p.at]
		} else {
			words = append(words, p.src[from:p.at])
		}
		if len(words) > 32 {
			p.failf("a name of more than 32 words")
		}
	}
	if len(words) == 0 {
		p.failf("a name expected")
		return ""
	}
	name := strings.Join(words, " ")
	if first, _ := utf8.DecodeRuneInString(name); !nameStart(first) && first != '?' {
		p.at = start
		p.failf("%q is not a name", name)
	}
	return name
}

// text reads a string literal, the opening quote being next.
func (p *parser) text() string {
	var b strings.Builder
	for p.at++; p.at < len(p.src); {
		c := p.src[p.at]
		if c == '"' {
			p.at++
			return b.String()
		}
		if c != '\\' {
			r, size := utf8.DecodeRuneInString(p.src[p.at:])
			b.WriteRune(r)
			p.at += size
			continue
		}
		p.escape(&b)
	}
	p.failf("a string that is not closed")
	return ""
}

// escape reads \n, \", \uXXXX, \UXXXXXX and the like; an unknown escape stands for
// itself, as patterns for matches() need.
func (p *parser) escape(b *strings.Builder) {
	if p.at+1 >= len(p.src) {
		p.at = len(p.src)
		return
	}
	c := p.src[p.at+1]
	switch c {
	case 'n', 'r', 't', '"', '\'', '\\':
		b.WriteByte(map[byte]byte{'n': '\n', 'r': '\r', 't': '\t', '"': '"', '\'': '\'', '\\': '\\'}[c])
		p.at += 2
		return
	case 'u':
		if r, ok := p.hex(p.at+2, 4); ok {
			p.at += 6
			if low, ok := p.hex(p.at+2, 4); ok && strings.HasPrefix(p.src[p.at:], `\u`) && r >= 0xD800 && r < 0xDC00 && low >= 0xDC00 && low < 0xE000 {
				r = 0x10000 + (r-0xD800)<<10 + (low - 0xDC00)
				p.at += 6
			}
			b.WriteRune(r)
			return
		}
	case 'U':
		if r, ok := p.hex(p.at+2, 6); ok {
			p.at += 8
			b.WriteRune(r)
			return
		}
	}
	b.WriteByte('\\')
	p.at++
}

func (p *parser) hex(at, digits int) (rune, bool) {
	if at+digits > len(p.src) {
		return 0, false
	}
	r := rune(0)
	for _, c := range []byte(p.src[at : at+digits]) {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}
