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
				p.fail("a name expected after the point")
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

func (p *parser) primary() node {
	if !p.enter() || !p.node() {
		return nil
	}
	defer p.leave()
	p.space()
	if p.err != nil {
		return nil
	}
	if p.at >= len(p.src) {
		p.fail("an expression expected")
		return nil
	}
	switch c := p.src[p.at]; {
	case c >= '0' && c <= '9' || c == '.' && p.at+1 < len(p.src) && p.src[p.at+1] >= '0' && p.src[p.at+1] <= '9':
		return p.number()
	case c == '"':
		return &literalNode{value: String(p.text())}
	case c == '@':
		p.at++
		if !p.peek(`"`) {
			p.fail("a string expected after @")
			return nil
		}
		return &literalNode{value: parseTemporal(p.text())}
	case c == '(':
		return p.parenthesis()
	case c == '[':
		return p.bracket()
	case c == ']':
		p.at++
		return p.rangeFrom(p.endpoint(), false)
	case c == '{':
		return p.context()
	case c == '?':
		p.at++
		p.inTest = true
		return &nameNode{name: "?"}
	}
	return p.word()
}

func (p *parser) number() node {
	start := p.at
	digits := func() {
		for p.at < len(p.src) && p.src[p.at] >= '0' && p.src[p.at] <= '9' {
			p.at++
		}
	}
	digits()
	if p.at+1 < len(p.src) && p.src[p.at] == '.' && p.src[p.at+1] >= '0' && p.src[p.at+1] <= '9' {
		p.at++
		digits()
	}
	if p.at < len(p.src) && (p.src[p.at] == 'e' || p.src[p.at] == 'E') {
		mark := p.at
		p.at++
		if p.at < len(p.src) && (p.src[p.at] == '+' || p.src[p.at] == '-') {
			p.at++
		}
		from := p.at
		if digits(); p.at == from {
			p.at = mark
		}
	}
	v, ok := parseNumber(p.src[start:p.at])
	if !ok {
		p.at = start
		p.fail("a number beyond 34 digits and exponent 6144")
	}
	return &literalNode{value: v}
}

// word reads a literal word, a function definition or a name.
func (p *parser) word() node {
	start := p.at
	name, ok := p.name()
	if !ok {
		p.fail("an expression expected, not %q", firstRune(p.src[p.at:]))
		return nil
	}
	switch name {
	case "true":
		return &literalNode{value: Bool(true)}
	case "false":
		return &literalNode{value: Bool(false)}
	case "null":
		return &literalNode{}
	case "function":
		return p.function()
	case "for", "if", "some", "every":
		p.at = start
		return p.expression()
	}
	if keywords[name] {
		p.at = start
		p.fail("an expression expected, not the word %s", name)
		return nil
	}
	return &nameNode{name: name}
}

func firstRune(s string) string {
	for _, r := range s {
		return string(r)
	}
	return ""
}

// parenthesis reads (expression), (low..high or a one-sided range such as (< 5).
func (p *parser) parenthesis() node {
	p.expect("(")
	saved := p.endsAt
	p.endsAt = false
	defer func() { p.endsAt = saved }()
	if symbol := p.operator(); symbol != "" {
		n := &rangeNode{op: symbol, low: p.sum()}
		p.expect(")")
		return n
	}
	n := p.expression()
	if p.peek("..") {
		return p.rangeFrom(n, false)
	}
	p.expect(")")
	return n
}

// bracket reads a list or a range that includes its start.
func (p *parser) bracket() node {
	p.expect("[")
	saved := p.endsAt
	p.endsAt = false
	defer func() { p.endsAt = saved }()
	n := &listNode{}
	if p.accept("]") {
		return n
	}
	for p.err == nil {
		item := p.item()
		if len(n.items) == 0 && p.peek("..") {
			return p.rangeFrom(item, true)
		}
		n.items = append(n.items, item)
		if !p.accept(",") {
			break
		}
	}
	p.expect("]")
	return n
}

// item is an expression, or a one-sided range without parentheses.
func (p *parser) item() node {
	if symbol := p.operator(); symbol != "" {
		return &rangeNode{op: symbol, low: p.sum()}
	}
	return p.expression()
}

func (p *parser) endpoint() node {
	saved := p.endsAt
	p.endsAt = true
	n := p.sum()
	p.endsAt = saved
	return n
}

func (p *parser) rangeFrom(low node, closed bool) node {
	p.expect("..")
	n := &rangeNode{low: low, lowClosed: closed, high: p.endpoint()}
	switch {
	case p.accept("]"):
		n.highClosed = true
	case p.accept(")"), p.accept("["):
	default:
		p.fail("the end of a range expected: ], ) or [")
	}
	return n
}

func (p *parser) context() node {
	p.expect("{")
	saved := p.endsAt
	p.endsAt = false
	defer func() { p.endsAt = saved }()
	n := &contextNode{}
	if p.accept("}") {
		return n
	}
	for p.err == nil {
		var key string
		if p.peek(`"`) {
			key = p.text()
		} else {
			key = p.label(":,(){}[]\"", "")
		}
		p.expect(":")
		n.keys = append(n.keys, key)
		n.values = append(n.values, p.expression())
		p.learn(key)
		if !p.accept(",") {
			break
		}
	}
	p.expect("}")
	return n
}

func (p *parser) function() node {
	n := &functionNode{}
	p.expect("(")
	for p.err == nil && !p.peek(")") {
		name := p.label(":,)", "")
		p.learn(name)
		n.params = append(n.params, name)
		var of *typeName
		if p.accept(":") {
			of = p.typeName()
		}
		n.types = append(n.types, of)
		if !p.accept(",") {
			break
		}
	}
	p.expect(")")
	if p.acceptWord("external") {
		// A function in another language cannot run here: it parses, and calling it
		// gives null.
		n.external = true
	}
	saved := p.endsAt
	p.endsAt = false
	n.body = p.expression()
	p.endsAt = saved
	return n
}
