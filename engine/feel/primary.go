package feel

// primary = number | string | @"…" | ( … ) | list | range | context | ? | word
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
		p.failf("an expression expected")
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
			p.failf("a string expected after @")
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
		p.failf("a number beyond 34 digits and exponent 6144")
	}
	return &literalNode{value: v}
}

// word reads a literal word, a function definition or a name.
func (p *parser) word() node {
	start := p.at
	name, ok := p.name()
	if !ok {
		p.failf("an expression expected, not %q", firstRune(p.src[p.at:]))
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
		p.failf("an expression expected, not the word %s", name)
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
		p.failf("the end of a range expected: ], ) or [")
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
