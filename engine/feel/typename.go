package feel

import (
	"strings"
	"unicode/utf8"
)

// typeName is a type as written after "instance of" or a parameter.
type typeName struct {
	kind   typeKind
	name   string
	values Kind // typePlain
	elem   *typeName
	keys   []string
	fields []*typeName
	params int
}

type typeKind uint8

const (
	typeUnknown typeKind = iota
	typeAny
	typePlain
	typeList
	typeRange
	typeContext
	typeFunction
)

var typeNames = []struct {
	name string
	kind typeKind
	of   Kind
}{
	{"years and months duration", typePlain, KindMonths},
	{"days and time duration", typePlain, KindDuration},
	{"year-month duration", typePlain, KindMonths},
	{"day-time duration", typePlain, KindDuration},
	{"date and time", typePlain, KindDateTime},
	{"date time", typePlain, KindDateTime},
	{"dateTime", typePlain, KindDateTime},
	{"function", typeFunction, KindFunction},
	{"boolean", typePlain, KindBool},
	{"context", typeContext, KindContext},
	{"number", typePlain, KindNumber},
	{"string", typePlain, KindString},
	{"range", typeRange, KindRange},
	{"list", typeList, KindList},
	{"date", typePlain, KindDate},
	{"time", typePlain, KindTime},
	{"Null", typePlain, KindNull},
	{"Any", typeAny, KindNull},
}

// typeName reads a type.
func (p *parser) typeName() *typeName {
	t := &typeName{}
	if !p.enter() {
		return t
	}
	defer p.leave()
	p.space()
	for i := range typeNames {
		end, ok := p.matchType(typeNames[i].name)
		if !ok {
			continue
		}
		p.at = end
		t.kind, t.values, t.name = typeNames[i].kind, typeNames[i].of, typeNames[i].name
		p.typeArguments(t)
		return t
	}
	var words []string
	for {
		word, ok := p.name()
		if !ok {
			p.failf("a type expected")
			return t
		}
		words = append(words, word)
		if p.peek("..") || !p.accept(".") {
			break
		}
	}
	t.name = strings.Join(words, ".")
	return t
}

func (p *parser) matchType(name string) (int, bool) {
	at := p.at
	for i, word := range strings.Split(name, " ") {
		from := at
		for i > 0 && at < len(p.src) && strings.IndexByte(" \t\r\n", p.src[at]) >= 0 {
			at++
		}
		if i > 0 && at == from || !strings.HasPrefix(p.src[at:], word) {
			return 0, false
		}
		at += len(word)
	}
	next, _ := utf8.DecodeRuneInString(p.src[at:])
	return at, !namePart(next)
}

func (p *parser) typeArguments(t *typeName) {
	switch t.kind {
	case typeList, typeRange:
		if p.accept("<") {
			t.elem = p.typeName()
			p.expect(">")
		}
	case typeContext:
		if !p.accept("<") {
			return
		}
		for p.err == nil && !p.peek(">") {
			t.keys = append(t.keys, p.label(":,>", ""))
			p.expect(":")
			t.fields = append(t.fields, p.typeName())
			if !p.accept(",") {
				break
			}
		}
		p.expect(">")
	case typeFunction:
		t.params = -1
		if !p.accept("<") {
			return
		}
		t.params = 0
		for p.err == nil && !p.peek(">") {
			p.typeName()
			t.params++
			if !p.accept(",") {
				break
			}
		}
		p.expect(">")
		p.expect("->")
		t.elem = p.typeName()
	}
}

// holds tells whether a value is of the type. Null is of no type but Null; inside a
// list or context it may stand for a missing value.
func (t *typeName) holds(v Value, top bool) bool {
	if v.IsNull() {
		return t.kind == typePlain && t.values == KindNull || !top && t.kind != typeUnknown
	}
	switch t.kind {
	case typeAny:
		return true
	case typePlain:
		return v.kind == t.values
	case typeList:
		if v.kind != KindList {
			return false
		}
		for _, item := range v.Items() {
			if t.elem != nil && !t.elem.holds(item, false) {
				return false
			}
		}
		return true
	case typeRange:
		if v.kind != KindRange {
			return false
		}
		i := v.ref.(*interval)
		return t.elem == nil || t.elem.holds(i.low, false) && t.elem.holds(i.high, false)
	case typeContext:
		if v.kind != KindContext {
			return false
		}
		for i, key := range t.keys {
			field, ok := v.Get(key)
			if !ok || !t.fields[i].holds(field, false) {
				return false
			}
		}
		return true
	case typeFunction:
		f, ok := v.ref.(*function)
		if !ok {
			return false
		}
		return t.params < 0 || f.takes(t.params)
	}
	return false
}

// conform is the value as a parameter of the type takes it: as it is, or a list of
// one for its element, or the element for a list of it.
func (t *typeName) conform(v Value) (Value, bool) {
	if t == nil || t.kind == typeUnknown || v.IsNull() || t.holds(v, true) {
		return v, true
	}
	if items := v.Items(); t.kind != typeList && len(items) == 1 && t.holds(items[0], true) {
		return items[0], true
	}
	if t.kind == typeList && v.kind != KindList && (t.elem == nil || t.elem.holds(v, true)) {
		return List(v), true
	}
	return Null, false
}
