package feel

// Most expressions of a flow are plain: a variable, or a condition that compares
// variables with constants. They are compiled a second time, to closures that need
// no environment, no budget and no memory. Where the values turn out to need the
// budget (lists, long texts) or the answer needs a built-in function's value, they
// leave the answer to the general code, which gives the same in every other case:
// the fuzz test holds the two against each other.

// verdict is what a plain condition gives.
type verdict uint8

const (
	unsure verdict = iota // the general code must say
	null
	no
	yes
)

func (v verdict) value() Value {
	if v == null {
		return Null
	}
	return Bool(v == yes)
}

func verdictOf(v Value) verdict {
	switch {
	case v.kind != KindBool:
		return null
	case v.num == 1:
		return yes
	}
	return no
}

func decided(holds bool) verdict {
	if holds {
		return yes
	}
	return no
}

// plainTest computes a condition; plainValue a value, unless ok is false.
type (
	plainTest  func(s Scope) verdict
	plainValue func(s Scope) (v Value, ok bool)
)

// maxPlain bounds the texts that are compared without paying for it.
const maxPlain = 4096

// plainTest is nil if the node is no plain condition.
func (c *compiler) plainTest(n node) plainTest {
	switch n := n.(type) {
	case *logicNode:
		return c.plainLogic(n)
	case *compareNode:
		return c.plainComparison(n)
	case *betweenNode:
		value, low, high := c.plainValue(n.value), c.plainValue(n.low), c.plainValue(n.high)
		if value == nil || low == nil || high == nil {
			return nil
		}
		return func(s Scope) verdict {
			v, ok := value(s)
			from, fromOK := low(s)
			to, toOK := high(s)
			if !ok || !fromOK || !toOK {
				return unsure
			}
			above, below := plainCompare(opAtLeast, &v, &from), plainCompare(opAtMost, &v, &to)
			switch {
			case above == unsure || below == unsure:
				return unsure
			case above == no || below == no:
				return no
			}
			return min(above, below)
		}
	case *inNode:
		return c.plainIn(n)
	case *callNode:
		name, ok := n.callee.(*nameNode)
		if !ok || name.name != "not" || len(n.args) != 1 || len(n.names) > 0 {
			return nil
		}
		operand := c.plainOperand(n.args[0])
		if operand == nil {
			return nil
		}
		return func(s Scope) verdict {
			switch operand(s) {
			case yes:
				return no
			case no:
				return yes
			case null:
				return null
			}
			return unsure
		}
	}
	return nil
}

func (c *compiler) plainLogic(n *logicNode) plainTest {
	left, right := c.plainOperand(n.left), c.plainOperand(n.right)
	if left == nil || right == nil {
		return nil
	}
	decides, otherwise := no, yes
	if n.or {
		decides, otherwise = yes, no
	}
	return func(s Scope) verdict {
		a := left(s)
		if a == decides || a == unsure {
			return a
		}
		switch b := right(s); {
		case b == decides || b == unsure:
			return b
		case a == otherwise && b == otherwise:
			return otherwise
		}
		return null
	}
}

// plainOperand is an operand of "and" and "or": a condition, or a value that may be
// a boolean.
func (c *compiler) plainOperand(n node) plainTest {
	if test := c.plainTest(n); test != nil {
		return test
	}
	value := c.plainValue(n)
	if value == nil {
		return nil
	}
	return func(s Scope) verdict {
		v, ok := value(s)
		if !ok {
			return unsure
		}
		return verdictOf(v)
	}
}

func (c *compiler) plainComparison(n *compareNode) plainTest {
	op, a, b := operators[n.op], n.left, n.right
	if _, constant := c.constant(a); constant {
		a, b, op = b, a, op.turned()
	}
	name, isName := a.(*nameNode)
	value, constant := c.constant(b)
	if isName && constant && builtins[name.name] == nil {
		return compareWithConstant(name.name, op, value)
	}
	left, right := c.plainValue(n.left), c.plainValue(n.right)
	if left == nil || right == nil {
		return nil
	}
	op = operators[n.op]
	return func(s Scope) verdict {
		x, ok := left(s)
		y, okToo := right(s)
		if !ok || !okToo {
			return unsure
		}
		return plainCompare(op, &x, &y)
	}
}

// compareWithConstant is the condition that flows use most.
func compareWithConstant(name string, op operator, constant Value) plainTest {
	if constant.kind == KindString && (op == opEqual || op == opUnequal) && isASCII(constant.text) {
		return func(s Scope) verdict {
			if texts, ok := s.(Texts); ok {
				if text, ok := texts.LookupJSON(name); ok {
					if text, ok := plainText(text); ok {
						return decided((string(text) == constant.text) == (op == opEqual))
					}
				}
			}
			v, _ := s.Lookup(name)
			return plainCompare(op, &v, &constant)
		}
	}
	return func(s Scope) verdict {
		v, _ := s.Lookup(name)
		return plainCompare(op, &v, &constant)
	}
}

// plainIn is "x in (a, b, …)" for constants that are neither lists nor ranges.
func (c *compiler) plainIn(n *inNode) plainTest {
	value := c.plainValue(n.value)
	if value == nil {
		return nil
	}
	ops, constants := make([]operator, len(n.tests)), make([]Value, len(n.tests))
	for i, t := range n.tests {
		constant, ok := c.constant(t.value)
		if !ok || t.negated || t.asks || constant.kind > KindString {
			return nil
		}
		ops[i], constants[i] = operators[t.op], constant
	}
	return func(s Scope) verdict {
		v, ok := value(s)
		if !ok {
			return unsure
		}
		answer := no
		for i := range constants {
			switch plainCompare(ops[i], &v, &constants[i]) {
			case yes:
				return yes
			case null:
				answer = null
			case unsure:
				return unsure
			}
		}
		return answer
	}
}

// plainValue is nil if the node is no plain value.
func (c *compiler) plainValue(n node) plainValue {
	if constant, ok := c.constant(n); ok {
		return func(Scope) (Value, bool) { return constant, true }
	}
	switch n := n.(type) {
	case *nameNode:
		name := n.name
		if name == "?" || builtins[name] != nil {
			return nil
		}
		return func(s Scope) (Value, bool) {
			v, _ := s.Lookup(name)
			return v, true
		}
	case *arithmeticNode:
		return c.plainArithmetic(n)
	case *ifNode:
		condition, then, otherwise := c.plainOperand(n.condition), c.plainValue(n.then), c.plainValue(n.otherwise)
		if condition == nil || then == nil || otherwise == nil {
			return nil
		}
		return func(s Scope) (Value, bool) {
			switch condition(s) {
			case yes:
				return then(s)
			case unsure:
				return Null, false
			}
			return otherwise(s)
		}
	}
	test := c.plainTest(n)
	if test == nil {
		return nil
	}
	return func(s Scope) (Value, bool) {
		v := test(s)
		return v.value(), v != unsure
	}
}

// plainArithmetic adds, subtracts and multiplies numbers.
func (c *compiler) plainArithmetic(n *arithmeticNode) plainValue {
	combine := map[byte]func(a, b Value) Value{'+': addNumbers, '-': subtractNumbers, '*': multiplyNumbers}[n.op]
	left, right := c.plainValue(n.left), c.plainValue(n.right)
	if combine == nil || left == nil || right == nil {
		return nil
	}
	return func(s Scope) (Value, bool) {
		a, ok := left(s)
		b, okToo := right(s)
		if !ok || !okToo || a.kind != KindNumber || b.kind != KindNumber {
			return Null, false
		}
		return combine(a, b), true
	}
}

// constant is the value of a node that has one before the evaluation.
func (c *compiler) constant(n node) (Value, bool) {
	if literal, ok := n.(*literalNode); ok {
		return literal.value, true
	}
	v, ok := c.constants[n]
	return v, ok
}

// operator is a comparison operator.
type operator uint8

const (
	opEqual operator = iota
	opUnequal
	opLess
	opAtMost
	opMore
	opAtLeast
)

// operators by their symbols; a test without one compares for equality.
var operators = map[string]operator{
	"": opEqual, "=": opEqual, "!=": opUnequal, "<": opLess, "<=": opAtMost, ">": opMore, ">=": opAtLeast,
}

// turned is the operator with its operands exchanged.
func (o operator) turned() operator {
	switch o {
	case opLess:
		return opMore
	case opAtMost:
		return opAtLeast
	case opMore:
		return opLess
	case opAtLeast:
		return opAtMost
	}
	return o
}

// plainCompare compares what can be compared without a budget.
func plainCompare(o operator, a, b *Value) verdict {
	order := 0
	switch {
	case a.kind == KindNumber && b.kind == KindNumber:
		order = compareNumbers(*a, *b)
	case a.kind == KindString && b.kind == KindString:
		if len(a.text) > maxPlain && len(b.text) > maxPlain {
			return unsure
		}
		if a.text != b.text {
			order = 1
			if o > opUnequal && a.text < b.text {
				order = -1
			}
		}
	case o > opUnequal:
		if a.kind > KindString || b.kind > KindString {
			return unsure
		}
		return null
	case a.kind == KindNull || b.kind == KindNull:
		return decided((a.kind == b.kind) == (o == opEqual))
	case a.kind != b.kind:
		return null
	case a.kind == KindBool:
		order = sign(a.num, b.num)
	default:
		return unsure
	}
	switch o {
	case opEqual:
		return decided(order == 0)
	case opUnequal:
		return decided(order != 0)
	case opLess:
		return decided(order < 0)
	case opAtMost:
		return decided(order <= 0)
	case opMore:
		return decided(order > 0)
	}
	return decided(order >= 0)
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
