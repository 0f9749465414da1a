package lint

import (
	"strings"

	"github.com/railhead-hub/railhead/engine/feel"
)

// condition is what can be known of a condition without running a flow. Most are
// comparisons joined by and, or and not: for these a few values of each variable
// decide what can happen, since a comparison changes its answer only at the values
// written in the text or where two variables pass each other.
type condition struct {
	expr      *feel.Expr
	simple    bool // of that form; else nothing is known of it
	kinds     map[string]feel.Kind
	pairs     [][2]string // variables compared with each other
	null      map[string]bool
	texts     [][2]string // two names compared with = or !=
	constant  bool        // it has no variables and gives the same always
	outcome   bool        // what a constant gives
	variables []string
}

func newCondition(x *feel.Expr) *condition {
	c := &condition{expr: x, kinds: map[string]feel.Kind{}, null: map[string]bool{}, variables: x.Variables()}
	tokens, ok := tokenize(x.String())
	if !ok {
		c.constant = len(c.variables) == 0 && !changing(x.String())
		if c.constant {
			c.outcome, _ = x.EvalBool(nil)
		}
		return c
	}
	c.simple = true
	for i, t := range tokens {
		if t.class != comparison {
			if t.class == name && !compared(tokens, i) {
				c.kinds[t.text] = feel.KindBool
			}
			continue
		}
		if i == 0 || i+1 == len(tokens) {
			continue
		}
		c.compare(tokens[i-1], t, tokens[i+1])
	}
	return c
}

// changing tells whether a text calls what is not the same every time.
func changing(src string) bool {
	return strings.Contains(src, "now") || strings.Contains(src, "today") || strings.Contains(src, "random")
}

func compared(tokens []token, i int) bool {
	return i > 0 && tokens[i-1].class == comparison || i+1 < len(tokens) && tokens[i+1].class == comparison
}

// compare notes what a comparison says of the kinds of its variables.
func (c *condition) compare(left, op, right token) {
	if left.class != name {
		left, right = right, left
	}
	if left.class != name {
		return
	}
	switch right.class {
	case name:
		c.pairs = append(c.pairs, [2]string{left.text, right.text})
		if op.text == "=" || op.text == "!=" {
			c.texts = append(c.texts, [2]string{left.text, right.text})
		} else {
			c.kinds[left.text], c.kinds[right.text] = feel.KindNumber, feel.KindNumber
		}
	case number:
		c.kinds[left.text] = feel.KindNumber
	case text:
		c.kinds[left.text] = feel.KindString
	case boolean:
		c.kinds[left.text] = feel.KindBool
	case null:
		c.null[left.text] = true
	}
}

type class uint8

const (
	name class = iota + 1
	number
	text
	boolean
	null
	comparison
	word // and, or, not, parentheses
)

type token struct {
	class class
	text  string
}

// tokenize reads a text of comparisons joined by and, or and not. ok is false if it
// is anything else.
func tokenize(src string) (tokens []token, ok bool) {
	for src = strings.TrimSpace(src); src != ""; src = strings.TrimSpace(src) {
		t, rest := next(src)
		if t.class == 0 {
			return nil, false
		}
		if last := len(tokens) - 1; last >= 0 && !follows(tokens[last], t) {
			return nil, false
		}
		tokens, src = append(tokens, t), rest
	}
	return tokens, true
}

// follows refuses two operands side by side, which are a name of two words, and calls
// of functions. A "not" is a call in FEEL, but is known.
func follows(last, t token) bool {
	operand := func(t token) bool { return t.class != comparison && t.class != word }
	if operand(last) {
		return !operand(t) && t.text != "(" && t.text != "not"
	}
	// A comparison's right side is one operand, not something in parentheses, whose
	// answer would be a boolean.
	return last.class != comparison || operand(t)
}

func next(src string) (t token, rest string) {
	for _, op := range []string{"!=", "<=", ">=", "=", "<", ">"} {
		if strings.HasPrefix(src, op) {
			return token{comparison, op}, src[len(op):]
		}
	}
	switch first := src[0]; {
	case first == '(' || first == ')':
		return token{word, src[:1]}, src[1:]
	case first == '"':
		end := strings.IndexByte(src[1:], '"')
		if end < 0 || strings.Contains(src[:end+2], `\`) {
			return token{}, ""
		}
		return token{text, src[:end+2]}, src[end+2:]
	case first == '-' || first >= '0' && first <= '9':
		end := 1
		for end < len(src) && (src[end] >= '0' && src[end] <= '9' || src[end] == '.' && end+1 < len(src) && src[end+1] != '.') {
			end++
		}
		if src[:end] == "-" {
			return token{}, ""
		}
		return token{number, src[:end]}, src[end:]
	}
	end := 0
	for end < len(src) && (src[end] == '_' || src[end] >= 0x80 || src[end]|0x20 >= 'a' && src[end]|0x20 <= 'z' || end > 0 && src[end] >= '0' && src[end] <= '9') {
		end++
	}
	switch w := src[:end]; w {
	case "":
		return token{}, ""
	case "and", "or", "not":
		return token{word, w}, src[end:]
	case "true", "false":
		return token{boolean, w}, src[end:]
	case "null":
		return token{null, w}, src[end:]
	case "between", "in", "instance", "if", "then", "else", "for", "some", "every", "satisfies", "return", "function":
		return token{}, ""
	default:
		return token{name, w}, src[end:]
	}
}
