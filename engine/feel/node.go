package feel

// node is one node of the syntax tree.
type node interface {
	compile(c *compiler) code
}

type (
	literalNode struct{ value Value }
	nameNode    struct{ name string }
	logicNode   struct {
		or          bool
		left, right node
	}
	compareNode struct {
		op          string
		left, right node
	}
	betweenNode struct{ value, low, high node }
	inNode      struct {
		value node
		tests []test
	}
	// test is one unary test: op value, a value, or not(inner…).
	test struct {
		op      string
		value   node
		asks    bool // it uses "?", so its own boolean is the answer
		negated bool
		inner   []test
	}
	arithmeticNode struct {
		op          byte
		left, right node
	}
	negateNode   struct{ operand node }
	instanceNode struct {
		value node
		of    *typeName
	}
	pathNode struct {
		value node
		name  string
	}
	filterNode struct{ value, filter node }
	callNode   struct {
		callee node
		args   []node
		names  []string // empty: by position
	}
	listNode  struct{ items []node }
	rangeNode struct {
		op                    string // one-sided: the comparison with low
		low, high             node
		lowClosed, highClosed bool
	}
	contextNode struct {
		keys   []string
		values []node
	}
	functionNode struct {
		params   []string
		types    []*typeName
		external bool
		body     node
	}
	ifNode   struct{ condition, then, otherwise node }
	iterator struct {
		name        string
		source, end node // end: source is the start of a range
	}
	forNode struct {
		iterators []iterator
		body      node
	}
	quantifiedNode struct {
		every     bool
		iterators []iterator
		body      node
	}
)

func (n *literalNode) compile(c *compiler) code {
	value := n.value
	c.literals = append(c.literals, value)
	return func(*env) Value { return value }
}

func (n *nameNode) compile(c *compiler) code {
	name := n.name
	c.varies++
	if name == "partial" {
		c.partial = true
	}
	local := c.local(name)
	if local && c.filters == 0 {
		return func(e *env) Value {
			if v, ok := e.lookup(name, -1); ok {
				return v
			}
			return absent(e, name)
		}
	}
	slot := -1
	if !local {
		slot = c.free(name)
	}
	if c.filters > 0 {
		return func(e *env) Value {
			if v, ok := e.lookup(name, slot); ok {
				return v
			}
			return absent(e, name)
		}
	}
	return func(e *env) Value {
		if v, ok := e.run.variable(name, slot); ok {
			return v
		}
		return absent(e, name)
	}
}

func absent(e *env, name string) Value {
	if b := builtins[name]; b != nil {
		return Value{kind: KindFunction, ref: &function{builtin: b}}
	}
	return e.run.warn("there is no variable ", name)
}

func (n *logicNode) compile(c *compiler) code {
	left, right, decides := c.code(n.left), c.code(n.right), n.or
	return func(e *env) Value {
		a, aOK := left(e).Bool()
		if aOK && a == decides {
			return Bool(decides)
		}
		b, bOK := right(e).Bool()
		switch {
		case bOK && b == decides:
			return Bool(decides)
		case aOK && bOK:
			return Bool(!decides)
		}
		return Null
	}
}

func (n *ifNode) compile(c *compiler) code {
	condition, then, otherwise := c.code(n.condition), c.code(n.then), c.code(n.otherwise)
	return func(e *env) Value {
		if holds, _ := condition(e).Bool(); holds {
			return then(e)
		}
		return otherwise(e)
	}
}

func (n *arithmeticNode) compile(c *compiler) code {
	left, right, op := c.code(n.left), c.code(n.right), n.op
	return func(e *env) Value { return arithmetic(e.run, op, left(e), right(e)) }
}

func (n *negateNode) compile(c *compiler) code {
	operand := c.code(n.operand)
	return func(e *env) Value {
		switch v := operand(e); v.kind {
		case KindNumber:
			return negateNumber(v)
		case KindDuration:
			return durationValue(-v.num, -int64(v.nano))
		case KindMonths:
			return monthsValue(-v.num)
		default:
			return e.run.warn("the negative of a ", v.kind.String())
		}
	}
}

func (n *compareNode) compile(c *compiler) code {
	left, right := c.code(n.left), c.code(n.right)
	holds := comparison(n.op)
	return func(e *env) Value { return holds(e.run, left(e), right(e)) }
}

func (n *betweenNode) compile(c *compiler) code {
	value, low, high := c.code(n.value), c.code(n.low), c.code(n.high)
	return func(e *env) Value {
		v := value(e)
		return both(atLeast(e.run, v, low(e)), atMost(e.run, v, high(e)))
	}
}

func (n *inNode) compile(c *compiler) code {
	value, tests := c.code(n.value), compileTests(c, n.tests)
	return func(e *env) Value { return tests(e.bind("?", value(e))) }
}

// compileTests is true if any of the tests holds of "?".
func compileTests(c *compiler, tests []test) code {
	all := make([]code, len(tests))
	for i := range tests {
		all[i] = compileTest(c, &tests[i])
	}
	return func(e *env) Value {
		answer := Bool(false)
		for _, one := range all {
			holds := one(e)
			if b, ok := holds.Bool(); ok && b {
				return holds
			} else if !ok {
				answer = Null
			}
		}
		return answer
	}
}

func compileTest(c *compiler, t *test) code {
	if t.negated {
		inner := compileTests(c, t.inner)
		return func(e *env) Value {
			if b, ok := inner(e).Bool(); ok {
				return Bool(!b)
			}
			return Null
		}
	}
	c.locals = append(c.locals, "?")
	value := c.code(t.value)
	c.locals = c.locals[:len(c.locals)-1]
	switch {
	case t.op != "":
		holds := comparison(t.op)
		return func(e *env) Value { return holds(e.run, e.value, value(e)) }
	case t.asks:
		return value
	}
	return func(e *env) Value { return matches(e.run, e.value, value(e)) }
}

func (n *listNode) compile(c *compiler) code {
	items := make([]code, len(n.items))
	for i := range n.items {
		items[i] = c.code(n.items[i])
	}
	return func(e *env) Value {
		values := make([]Value, len(items))
		for i := range items {
			values[i] = items[i](e)
		}
		return makeList(e.run, values)
	}
}

func (n *contextNode) compile(c *compiler) code {
	mark := len(c.locals)
	keys := n.keys
	values := make([]code, len(n.values))
	repeated := false
	for i := range n.values {
		values[i] = c.code(n.values[i])
		for _, earlier := range keys[:i] {
			repeated = repeated || earlier == keys[i]
		}
		c.locals = append(c.locals, keys[i])
	}
	c.locals = c.locals[:mark]
	return func(e *env) Value {
		if repeated {
			return e.run.warn("a context with the same key twice")
		}
		entries := make([]Entry, len(values))
		for i := range values {
			v := values[i](e)
			entries[i] = Entry{keys[i], v}
			e = e.bind(keys[i], v)
		}
		return makeContext(e.run, entries)
	}
}

func (n *rangeNode) compile(c *compiler) code {
	low := c.code(n.low)
	if n.op != "" {
		op := n.op
		return func(e *env) Value { return oneSided(e.run, op, low(e)) }
	}
	high := c.code(n.high)
	return func(e *env) Value {
		return makeRange(e.run, interval{low: low(e), high: high(e), lowClosed: n.lowClosed, highClosed: n.highClosed})
	}
}

func (n *pathNode) compile(c *compiler) code {
	value, name := c.code(n.value), n.name
	return func(e *env) Value { return property(e.run, value(e), name) }
}

func (n *filterNode) compile(c *compiler) code {
	value := c.code(n.value)
	c.filters++
	filter := c.with(n.filter, "item")
	c.filters--
	return func(e *env) Value {
		v := value(e)
		if v.IsNull() {
			return Null
		}
		items := v.Items()
		if v.kind != KindList {
			items = []Value{v}
		}
		// The filter is evaluated per item; if it is a number it was an index.
		var kept []Value
		for i, item := range items {
			if !e.run.spend(2) {
				return Null
			}
			inner := e.bind("item", item)
			inner.fields = item.kind == KindContext
			answer := filter(inner)
			if answer.kind == KindNumber && i == 0 {
				return at(items, answer)
			}
			if holds, _ := answer.Bool(); holds {
				kept = append(kept, item)
			}
		}
		return makeList(e.run, kept)
	}
}

// at is the n-th item, from 1, or from the end if negative.
func at(items []Value, index Value) Value {
	n, ok := index.Int64()
	if ok && n < 0 {
		n += int64(len(items)) + 1
	}
	if !ok || n < 1 || n > int64(len(items)) {
		return Null
	}
	return items[n-1]
}

func (n *instanceNode) compile(c *compiler) code {
	value, of := c.code(n.value), n.of
	return func(e *env) Value {
		if of.kind == typeUnknown {
			return e.run.warn("there is no type ", of.name)
		}
		v := value(e)
		if !e.run.spend(v.weight() / 8) {
			return Null
		}
		return Bool(of.holds(v, true))
	}
}
