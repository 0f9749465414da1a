package feel

import (
	"strings"
)

// The grammar, loosest binding first. Each rule is one method; where the rules of
// DMN 1.3 are ambiguous the choice is the TCK's.

// expression = for | if | some/every | function | disjunction
func (p *parser) expression() node {
	if !p.enter() {
		return nil
	}
	defer p.leave()
	switch {
	case p.acceptWord("for"):
		return p.loop()
	case p.acceptWord("if"):
		n := &ifNode{}
		n.condition = p.fresh()
		p.expectWord("then")
		n.then = p.fresh()
		p.expectWord("else")
		n.otherwise = p.expression()
		return n
	case p.acceptWord("some"):
		return p.quantified(false)
	case p.acceptWord("every"):
		return p.quantified(true)
	}
	return p.disjunction()
}

// fresh reads an expression between words or brackets, where "[" is a filter again.
func (p *parser) fresh() node {
	saved := p.endsAt
	p.endsAt = false
	n := p.expression()
	p.endsAt = saved
	return n
}

func (p *parser) loop() node {
	n := &forNode{iterators: p.iterators(true)}
	p.expectWord("return")
	n.body = p.expression()
	return n
}

func (p *parser) quantified(every bool) node {
	n := &quantifiedNode{every: every, iterators: p.iterators(false)}
	p.expectWord("satisfies")
	n.body = p.expression()
	return n
}

func (p *parser) iterators(ranges bool) []iterator {
	var all []iterator
	for p.err == nil {
		it := iterator{name: p.label(",", "in")}
		p.learn(it.name)
		p.expectWord("in")
		it.source = p.fresh()
		if ranges && p.accept("..") {
			it.end = p.fresh()
		}
		all = append(all, it)
		if !p.accept(",") {
			break
		}
	}
	return all
}

func (p *parser) disjunction() node {
	left := p.conjunction()
	for p.acceptWord("or") {
		left = &logicNode{or: true, left: left, right: p.conjunction()}
	}
	return left
}

func (p *parser) conjunction() node {
	left := p.comparison()
	for p.acceptWord("and") {
		left = &logicNode{left: left, right: p.comparison()}
	}
	return left
}

// operator reads a comparison operator.
func (p *parser) operator() string {
	for _, symbol := range [...]string{"<=", ">=", "!=", "<", ">", "="} {
		if p.accept(symbol) {
			return symbol
		}
	}
	return ""
}

func (p *parser) comparison() node {
	left := p.sum()
	for p.err == nil {
		if symbol := p.operator(); symbol != "" {
			left = &compareNode{op: symbol, left: left, right: p.sum()}
			continue
		}
		switch {
		case p.acceptWord("between"):
			n := &betweenNode{value: left, low: p.sum()}
			p.expectWord("and")
			n.high = p.sum()
			left = n
		case p.acceptWord("in"):
			left = &inNode{value: left, tests: p.tests()}
		default:
			return left
		}
	}
	return left
}

// tests reads what may follow "in": one test, or several in parentheses.
func (p *parser) tests() []test {
	if !p.peek("(") {
		return []test{p.test()}
	}
	at := p.at
	p.accept("(")
	saved := p.endsAt
	p.endsAt = false
	defer func() { p.endsAt = saved }()
	first := p.test()
	if first.op == "" && p.peek("..") {
		return []test{{value: p.rangeFrom(first.value, false)}}
	}
	all := []test{first}
	for p.accept(",") {
		all = append(all, p.test())
	}
	if p.err == nil && !p.peek(")") {
		p.at = max(p.at, at)
	}
	p.expect(")")
	return all
}

func (p *parser) test() test {
	if !p.enter() {
		return test{}
	}
	defer p.leave()
	if symbol := p.operator(); symbol != "" {
		return test{op: symbol, value: p.sum()}
	}
	if p.acceptWord("not") {
		t := test{negated: true}
		p.expect("(")
		for p.err == nil {
			t.inner = append(t.inner, p.test())
			if !p.accept(",") {
				break
			}
		}
		p.expect(")")
		return t
	}
	saved := p.inTest
	p.inTest = false
	t := test{value: p.disjunction()}
	t.asks = p.inTest
	p.inTest = saved
	return t
}

func (p *parser) sum() node {
	left := p.product()
	for p.err == nil {
		switch {
		case p.accept("+"):
			left = &arithmeticNode{op: '+', left: left, right: p.product()}
		case p.accept("-"):
			left = &arithmeticNode{op: '-', left: left, right: p.product()}
		default:
			return left
		}
	}
	return left
}

func (p *parser) product() node {
	left := p.power()
	for p.err == nil {
		switch {
		case !p.peek("**") && p.accept("*"):
			left = &arithmeticNode{op: '*', left: left, right: p.power()}
		case p.accept("/"):
			left = &arithmeticNode{op: '/', left: left, right: p.power()}
		default:
			return left
		}
	}
	return left
}

// power is left-associative, and a sign binds tighter: -2 ** 2 is 4.
func (p *parser) power() node {
	left := p.negation()
	for p.accept("**") {
		left = &arithmeticNode{op: '^', left: left, right: p.negation()}
	}
	return left
}

func (p *parser) negation() node {
	negative := false
	for p.accept("-") {
		negative = !negative
	}
	operand := p.instance()
	if !negative {
		return operand
	}
	if literal, ok := operand.(*literalNode); ok && literal.value.kind == KindNumber {
		return &literalNode{value: negateNumber(literal.value)}
	}
	return &negateNode{operand: operand}
}

func (p *parser) instance() node {
	n := p.postfix()
	for p.acceptWord("instance") {
		p.expectWord("of")
		n = &instanceNode{value: n, of: p.typeName()}
	}
	return n
}

func (p *parser) postfix() node {
	n := p.primary()
	for p.node() {
		switch {
		case !p.peek("..") && p.accept("."):
			name, ok := p.name()
			if !ok {
				p.failf("a name expected after the point")
				break
			}
			n = &pathNode{value: n, name: name}
		case !p.endsAt && p.accept("["):
			filter := p.fresh()
			p.expect("]")
			n = &filterNode{value: n, filter: filter}
		case p.accept("("):
			n = p.call(n)
		default:
			return n
		}
	}
	return n
}

// call reads the arguments of an invocation, all by position or all by name.
func (p *parser) call(callee node) node {
	n := &callNode{callee: callee}
	if name, ok := callee.(*nameNode); ok && refused[name.name] != "" {
		p.failf("%s", refused[name.name])
	}
	if p.accept(")") {
		return n
	}
	if !p.enter() {
		return n
	}
	defer p.leave()
	named := p.named()
	for p.err == nil {
		if named {
			n.names = append(n.names, p.label(":,()[]{}\"", ""))
			p.expect(":")
		}
		n.args = append(n.args, p.fresh())
		if !p.accept(",") {
			break
		}
	}
	p.expect(")")
	return n
}

// named looks ahead for "name :".
func (p *parser) named() bool {
	p.space()
	for _, r := range p.src[p.at:] {
		switch {
		case r == ':':
			return true
		case !namePart(r) && !strings.ContainsRune(" \t\r\n'-", r):
			return false
		}
	}
	return false
}
