package feel

import (
	"regexp/syntax"
	"slices"
	"unicode"
	"unicode/utf8"
)

// maxBacktrack bounds how deeply a search nests. Repeating a single character does
// not nest.
const maxBacktrack = 10_000

// backtrack searches for a pattern with back references, which no search in linear
// time can. Each step is paid for, so the worst it can do is to use up the budget.
type backtrack struct {
	run    *run
	input  string
	groups []int // begin and end of the groups, the whole first; -1: not matched
	depth  int
	failed bool // out of budget or too deep: there is no answer
}

// reference is the name of the empty group that stands for a back reference: this,
// the group's number, and what makes it unique.
const reference = "ref"

// find is the first match at or after a place, as regexp's submatch indexes are.
func (b *backtrack) find(p *pattern, from int) []int {
	for at := from; at <= len(b.input) && !b.failed; {
		for i := range b.groups {
			b.groups[i] = -1
		}
		if b.step(p, p.tree, at, func(end int) bool {
			b.groups[0], b.groups[1] = at, end
			return true
		}) {
			return slices.Clone(b.groups)
		}
		_, size := utf8.DecodeRuneInString(b.input[at:])
		at += max(size, 1)
	}
	return nil
}

// step matches a part of the pattern at a place and goes on with what comes next.
func (b *backtrack) step(p *pattern, part *syntax.Regexp, at int, next func(end int) bool) bool {
	if b.depth++; b.depth > maxBacktrack || !b.run.spend(1) {
		b.failed = true
	}
	holds := !b.failed && b.match(p, part, at, next)
	b.depth--
	return holds
}

func (b *backtrack) match(p *pattern, part *syntax.Regexp, at int, next func(end int) bool) bool {
	switch part.Op {
	case syntax.OpEmptyMatch:
		return next(at)
	case syntax.OpBeginText:
		return at == 0 && next(at)
	case syntax.OpEndText:
		return at == len(b.input) && next(at)
	case syntax.OpBeginLine:
		return (at == 0 || b.input[at-1] == '\n') && next(at)
	case syntax.OpEndLine:
		return (at == len(b.input) || b.input[at] == '\n') && next(at)
	case syntax.OpLiteral:
		end, ok := b.literal(part.Rune, part.Flags&syntax.FoldCase != 0, at)
		return ok && next(end)
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		end, ok := b.character(part, at)
		return ok && next(end)
	case syntax.OpConcat:
		return b.sequence(p, part.Sub, at, next)
	case syntax.OpAlternate:
		for _, one := range part.Sub {
			if b.step(p, one, at, next) {
				return true
			}
		}
		return false
	case syntax.OpCapture:
		return b.group(p, part, at, next)
	case syntax.OpStar:
		return b.repeat(p, part, 0, -1, at, next)
	case syntax.OpPlus:
		return b.repeat(p, part, 1, -1, at, next)
	case syntax.OpQuest:
		return b.repeat(p, part, 0, 1, at, next)
	case syntax.OpRepeat:
		return b.repeat(p, part, part.Min, part.Max, at, next)
	}
	return false
}

func (b *backtrack) sequence(p *pattern, parts []*syntax.Regexp, at int, next func(end int) bool) bool {
	if len(parts) == 0 {
		return next(at)
	}
	return b.step(p, parts[0], at, func(end int) bool { return b.sequence(p, parts[1:], end, next) })
}

// group matches a group or, for an empty one that stands for it, what a group matched
// before.
func (b *backtrack) group(p *pattern, part *syntax.Regexp, at int, next func(end int) bool) bool {
	place := p.places[part]
	if place < 0 {
		begin, end := b.groups[2*-place], b.groups[2*-place+1]
		if begin < 0 {
			return next(at) // a group that matched nothing
		}
		if !b.run.spend((end - begin) / 16) {
			b.failed = true
			return false
		}
		end, ok := b.literal([]rune(b.input[begin:end]), p.fold, at)
		return ok && next(end)
	}
	return b.step(p, part.Sub[0], at, func(end int) bool {
		was, wasEnd := b.groups[2*place], b.groups[2*place+1]
		b.groups[2*place], b.groups[2*place+1] = at, end
		if next(end) {
			return true
		}
		b.groups[2*place], b.groups[2*place+1] = was, wasEnd
		return false
	})
}

// repeat matches a part several times, as often as it can or as seldom.
func (b *backtrack) repeat(p *pattern, part *syntax.Regexp, least, most, at int, next func(end int) bool) bool {
	sub, lazy := part.Sub[0], part.Flags&syntax.NonGreedy != 0
	switch sub.Op {
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		if !lazy {
			return b.span(sub, least, most, at, next)
		}
	}
	var again func(count, at int) bool
	again = func(count, at int) bool {
		more := func() bool {
			return (most < 0 || count < most) && b.step(p, sub, at, func(end int) bool {
				// An empty turn would be followed by more of them.
				return (end > at || count < least) && again(count+1, end)
			})
		}
		if lazy {
			return count >= least && next(at) || more()
		}
		return more() || count >= least && next(at)
	}
	return again(0, at)
}

// span repeats a single character as often as it can.
func (b *backtrack) span(one *syntax.Regexp, least, most, at int, next func(end int) bool) bool {
	ends := []int{at}
	for most < 0 || len(ends) <= most {
		end, ok := b.character(one, ends[len(ends)-1])
		if !ok || !b.run.spend(1) {
			break
		}
		ends = append(ends, end)
	}
	for count := len(ends) - 1; count >= least; count-- {
		if b.failed || !b.run.spend(1) {
			b.failed = true
			return false
		}
		if next(ends[count]) {
			return true
		}
	}
	return false
}

func (b *backtrack) literal(want []rune, fold bool, at int) (end int, ok bool) {
	for _, w := range want {
		r, size := utf8.DecodeRuneInString(b.input[at:])
		if size == 0 || r != w && !(fold && folds(r, w)) {
			return 0, false
		}
		at += size
	}
	return at, true
}

// folds tells whether two characters differ in case only.
func folds(a, b rune) bool {
	for r := unicode.SimpleFold(a); r != a; r = unicode.SimpleFold(r) {
		if r == b {
			return true
		}
	}
	return false
}

func (b *backtrack) character(part *syntax.Regexp, at int) (end int, ok bool) {
	r, size := utf8.DecodeRuneInString(b.input[at:])
	if size == 0 {
		return 0, false
	}
	switch part.Op {
	case syntax.OpAnyChar:
		return at + size, true
	case syntax.OpAnyCharNotNL:
		return at + size, r != '\n'
	}
	for i := 0; i+1 < len(part.Rune); i += 2 {
		if part.Rune[i] <= r && r <= part.Rune[i+1] {
			return at + size, true
		}
	}
	return 0, false
}
