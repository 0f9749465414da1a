package feel

// compiled iterators of for, some and every.
type source struct {
	name   string
	values code // a list, or anything as a list of one
	end    code // not nil: values is the start of a range
}

func compileIterators(c *compiler, iterators []iterator) []source {
	all := make([]source, len(iterators))
	for i, it := range iterators {
		if i > 0 {
			c.loops++ // once for each turn of the one before
		}
		all[i] = source{name: it.name, values: c.code(it.source)}
		if it.end != nil {
			all[i].end = c.code(it.end)
		}
		c.locals = append(c.locals, it.name)
	}
	c.loops -= max(len(iterators)-1, 0)
	return all
}

// each calls visit with every combination of the iterators' values bound, the last
// iterator turning fastest. ok is false if an iterator had nothing to iterate.
func each(e *env, sources []source, visit func(e *env) bool) (more, ok bool) {
	if len(sources) == 0 {
		return visit(e), true
	}
	s := &sources[0]
	step := func(v Value) (bool, bool) {
		if !e.run.spend(4) {
			return false, false
		}
		return each(e.bind(s.name, v), sources[1:], visit)
	}
	start := s.values(e)
	if s.end != nil {
		return count(e, start, s.end(e), step)
	}
	switch start.kind {
	case KindNull:
		return true, false
	case KindRange:
		r := start.ref.(*interval)
		if !r.lowClosed || !r.highClosed {
			return true, false
		}
		return count(e, r.low, r.high, step)
	case KindList:
		for _, item := range start.Items() {
			if more, ok := step(item); !more || !ok {
				return more, ok
			}
		}
		return true, true
	}
	return step(start)
}

// count steps from one whole number or date to another, up or down.
func count(e *env, from, to Value, step func(Value) (bool, bool)) (more, ok bool) {
	value := Int
	if from.kind == KindDate && to.kind == KindDate {
		value = dateValue
	} else if from.kind != KindNumber || to.kind != KindNumber {
		e.run.warn("an iteration from ", from.kind.String(), " to ", to.kind.String())
		return true, false
	}
	first, last := from.num, to.num
	if from.kind == KindNumber {
		var whole bool
		if first, whole = from.Int64(); !whole {
			return true, false
		}
		if last, whole = to.Int64(); !whole {
			return true, false
		}
	}
	delta := int64(1)
	if last < first {
		delta = -1
	}
	for n := first; ; n += delta {
		if more, ok := step(value(n)); !more || !ok {
			return more, ok
		}
		if n == last {
			return true, true
		}
	}
}

func (n *forNode) compile(c *compiler) code {
	mark := len(c.locals)
	sources := compileIterators(c, n.iterators)
	outer := c.partial
	c.partial = false
	body := c.with(n.body, "partial")
	c.locals = c.locals[:mark]
	usesPartial := c.partial
	c.partial = c.partial || outer
	return func(e *env) Value {
		var results []Value
		_, ok := each(e, sources, func(inner *env) bool {
			if usesPartial {
				// The list so far is built anew for each turn, which the budget pays.
				if !inner.run.spend(len(results)) {
					return false
				}
				inner = inner.bind("partial", List(append([]Value(nil), results...)...))
			}
			results = append(results, body(inner))
			return true
		})
		if !ok {
			return Null
		}
		return makeList(e.run, results)
	}
}

func (n *quantifiedNode) compile(c *compiler) code {
	mark := len(c.locals)
	sources := compileIterators(c, n.iterators)
	body := c.with(n.body)
	c.locals = c.locals[:mark]
	every := n.every
	return func(e *env) Value {
		answer := Bool(every)
		_, ok := each(e, sources, func(inner *env) bool {
			holds, isBool := body(inner).Bool()
			if isBool && holds != every {
				answer = Bool(!every)
				return false
			}
			if !isBool {
				answer = Null
			}
			return true
		})
		if !ok {
			return Null
		}
		return answer
	}
}
