package feel

// function is a value that can be called: built in, or defined in an expression
// together with the environment it was defined in.
type function struct {
	builtin *builtin
	params  []string
	types   []*typeName
	body    code
	env     *env
}

func (n *functionNode) compile(c *compiler) code {
	body := c.with(n.body, n.params...)
	params, types, external := n.params, n.types, n.external
	return func(e *env) Value {
		if external {
			return e.run.warn("an external function")
		}
		return Value{kind: KindFunction, ref: &function{params: params, types: types, body: body, env: e}}
	}
}

func (n *callNode) compile(c *compiler) code {
	name, named := n.callee.(*nameNode)
	// In a filter any name may be a field of the item, so it is looked up.
	outer := named && c.filters == 0 && !c.local(name.name)
	if outer && builtins[name.name] != nil {
		args := n.arguments(c)
		n.pattern(c, builtins[name.name], args)
		return n.builtin(builtins[name.name], args)
	}
	if outer {
		c.unknown = append(c.unknown, name.name)
	}
	callee := c.code(n.callee)
	args, names := n.arguments(c), n.names
	return func(e *env) Value {
		f, ok := callee(e).ref.(*function)
		if !ok {
			return e.run.warn("calling what is no function")
		}
		values := make([]Value, len(args))
		for i := range args {
			values[i] = args[i](e)
		}
		return f.call(e.run, names, values)
	}
}

func (n *callNode) arguments(c *compiler) []code {
	args := make([]code, len(n.args))
	for i := range n.args {
		args[i] = c.code(n.args[i])
	}
	return args
}

// pattern compiles the constant pattern of a call of matches and its like, the flags
// being constant too.
func (n *callNode) pattern(c *compiler, b *builtin, args []code) {
	if len(n.names) > 0 || len(args) < 2 {
		return
	}
	flags, text := "", Null
	switch {
	case b.name == "matches" && len(args) == 3:
		v, ok := c.constant(n.args[2])
		if flags, _ = v.Text(); !ok {
			return
		}
	case b.name == "replace" && len(args) == 4:
		v, ok := c.constant(n.args[3])
		if flags, _ = v.Text(); !ok {
			return
		}
	case b.name == "matches", b.name == "replace", b.name == "split", b.name == "extract":
	default:
		return
	}
	text, _ = c.constant(n.args[1])
	if text.kind != KindString {
		return
	}
	if compiled := newPattern(text.text, flags); compiled != nil {
		text.ref = compiled
		args[1] = func(*env) Value { return text }
	}
}

// builtin binds a call of a built-in function as far as can be done beforehand.
func (n *callNode) builtin(b *builtin, args []code) code {
	order, ok := b.order(n.names, len(args))
	width := len(args)
	if len(n.names) > 0 {
		width = 0
		for _, at := range order {
			width = max(width, at+1)
		}
	}
	return func(e *env) Value {
		if !ok {
			return e.run.warn("the arguments of ", b.name, " do not fit")
		}
		values := make([]Value, width)
		for i := range args {
			at := i
			if order != nil {
				at = order[i]
			}
			values[at] = args[i](e)
			if len(n.names) > 0 && !oneKey(n.names[i], values[at]) {
				return e.run.warn("the argument key of ", b.name, " is a list")
			}
		}
		return b.call(e.run, values)
	}
}

// oneKey tells whether an argument given by its name may have that name: what is
// called key is one key, and a path of them is called keys.
func oneKey(name string, v Value) bool {
	return name != "key" || v.kind != KindList || len(v.Items()) == 1
}

// takes tells whether the function can be called with so many arguments.
func (f *function) takes(count int) bool {
	if f.builtin != nil {
		_, ok := f.builtin.order(nil, count)
		return ok
	}
	return len(f.params) == count
}

// call runs a function on arguments given by position, or by name if there are
// names.
func (f *function) call(r *run, names []string, args []Value) Value {
	if !r.spend(4) {
		return Null
	}
	if b := f.builtin; b != nil {
		order, ok := b.order(names, len(args))
		if !ok {
			return r.warn("the arguments of ", b.name, " do not fit")
		}
		if order != nil {
			placed := make([]Value, 0, len(args))
			for i, at := range order {
				for len(placed) <= at {
					placed = append(placed, Null)
				}
				placed[at] = args[i]
				if !oneKey(names[i], args[i]) {
					return r.warn("the argument key of ", b.name, " is a list")
				}
			}
			args = placed
		}
		return b.call(r, args)
	}
	if len(args) != len(f.params) {
		return r.warn("a function called with the wrong number of arguments")
	}
	if r.calls++; r.calls > maxCalls {
		r.calls--
		return r.warn("function calls nested too deeply")
	}
	defer func() { r.calls-- }()
	e := f.env
	for i, param := range f.params {
		at := i
		if len(names) > 0 {
			at = -1
			for j := range names {
				if names[j] == param {
					at = j
				}
			}
			if at < 0 {
				return r.warn("a function called without its argument ", param)
			}
		}
		if f.types[i] != nil && !r.spend(args[at].weight()/8) {
			return Null
		}
		value, ok := f.types[i].conform(args[at])
		if !ok {
			return r.warn("the argument ", param, " is a ", args[at].kind.String())
		}
		e = e.bind(param, value)
	}
	return f.body(e)
}
