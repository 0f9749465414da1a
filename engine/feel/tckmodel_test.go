package feel

import (
	"encoding/xml"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// element is any XML element.
type element struct {
	XMLName  xml.Name
	Attrs    []xml.Attr `xml:",any,attr"`
	Children []*element `xml:",any"`
	Text     string     `xml:",chardata"`
}

func (e *element) attr(name string) string {
	if e == nil {
		return ""
	}
	for _, a := range e.Attrs {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

func (e *element) all(name string) []*element {
	var found []*element
	if e != nil {
		for _, c := range e.Children {
			if c.XMLName.Local == name {
				found = append(found, c)
			}
		}
	}
	return found
}

func (e *element) first(name string) *element {
	if found := e.all(name); len(found) > 0 {
		return found[0]
	}
	return nil
}

func readXML(t *testing.T, file string) *element {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	root := &element{}
	if err := xml.Unmarshal(text, root); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return root
}

// model is one .dmn file. What is not a literal expression but has an equal in FEEL's
// grammar (a boxed context, list or function) is written as such; decision tables
// have none.
type model struct {
	decisions map[string]*element // by name
	services  map[string]*element // by name
	byID      map[string]*element
	types     map[string]*element
	names     []string
}

func readModel(t *testing.T, file string) *model {
	t.Helper()
	m := &model{
		decisions: map[string]*element{}, services: map[string]*element{},
		byID: map[string]*element{}, types: map[string]*element{},
	}
	for _, e := range readXML(t, file).Children {
		switch e.XMLName.Local {
		case "decision":
			m.decisions[e.attr("name")] = e
		case "decisionService":
			m.services[e.attr("name")] = e
		case "itemDefinition":
			m.types[e.attr("name")] = e
			m.learn(e)
		}
		m.byID[e.attr("id")] = e
		if name := e.attr("name"); name != "" && e.XMLName.Local != "itemDefinition" {
			m.names = append(m.names, name)
		}
		for _, p := range e.first("encapsulatedLogic").all("formalParameter") {
			m.names = append(m.names, p.attr("name"))
		}
	}
	return m
}

func (m *model) learn(e *element) {
	for _, c := range e.all("itemComponent") {
		m.names = append(m.names, c.attr("name"))
		m.learn(c)
	}
}

// sitting is one evaluation of a model. What is given stands for the decisions and
// inputs of the same name, as the inputs of a decision service do.
type sitting struct {
	*model
	inputs Variables
	given  Variables
	depth  int
}

// safely is decide, with a panic as an answer.
func (s sitting) safely(decision *element) (v Value, panicked any) {
	defer func() { panicked = recover() }()
	return s.decide(decision), nil
}

// within is the sitting of a decision service: its inputs are given, missing ones
// being null, and its type must fit the answer.
func (s sitting) within(service *element, arguments Variables) sitting {
	given := Variables{}
	for _, in := range append(service.all("inputDecision"), service.all("inputData")...) {
		e := s.byID[id(in)]
		given[e.attr("name")] = s.conform(arguments[e.attr("name")], e.first("variable").attr("typeRef"))
	}
	if of := s.types[service.first("variable").attr("typeRef")].first("functionItem").attr("outputTypeRef"); of != "" {
		// The kit's own reading: an answer that does not fit makes every output null.
		for _, out := range service.all("outputDecision") {
			e := s.byID[id(out)]
			inner := sitting{model: s.model, inputs: s.inputs, given: given, depth: s.depth + 1}
			given[e.attr("name")] = s.conform(inner.decide(e), of)
		}
	}
	return sitting{model: s.model, inputs: s.inputs, given: given, depth: s.depth + 1}
}

// decide is the value of a decision; null if it is a decision table or needs one.
func (s sitting) decide(decision *element) Value {
	if v, ok := s.given[decision.attr("name")]; ok {
		return v
	}
	text, ok := s.text(decision)
	if !ok || s.depth > 20 {
		return Null
	}
	v := s.evaluate(text, s.scope(decision))
	return s.conform(v, decision.first("variable").attr("typeRef"))
}

func (s sitting) evaluate(text string, scope Variables) Value {
	x, err := CompileWith(s.typed(text), s.names...)
	if err != nil {
		return Null // a text that is not FEEL has no value
	}
	return x.Eval(clocked{scope})
}

// scope holds what an element requires: inputs, decisions, functions.
func (s sitting) scope(of *element) Variables {
	s.depth++
	scope := Variables{}
	for _, requirement := range append(of.all("informationRequirement"), of.all("knowledgeRequirement")...) {
		for _, r := range requirement.Children {
			required := s.byID[id(r)]
			name := required.attr("name")
			v, given := s.given[name]
			switch {
			case required == nil:
				continue
			case given:
			case required.XMLName.Local == "inputData":
				if v, given = s.inputs[name]; !given {
					continue
				}
				v = s.conform(v, required.first("variable").attr("typeRef"))
			case required.XMLName.Local == "decision":
				v = s.decide(required)
			case required.XMLName.Local == "decisionService":
				v = s.service(required)
			default:
				v = s.knowledge(required, scope)
			}
			scope[name] = v
		}
	}
	return scope
}

// knowledge is a business knowledge model as a function. It sees itself in the
// scope of who asks for it, which recursion needs.
func (s sitting) knowledge(of *element, scope Variables) Value {
	logic := of.first("encapsulatedLogic")
	text, ok := s.text(logic)
	if s.depth > 20 || !ok {
		return Null
	}
	own := s.scope(&element{Children: slices.DeleteFunc(of.all("knowledgeRequirement"), func(r *element) bool {
		return id(r.Children[0]) == of.attr("id")
	})})
	f := s.evaluate("function("+s.parameters(logic)+") "+text, own)
	own[of.attr("name")] = f
	result := logic.first("literalExpression").attr("typeRef")
	inner, isFunction := f.ref.(*function)
	if result == "" || !isFunction {
		return f
	}
	var form []string
	for _, p := range logic.all("formalParameter") {
		form = append(form, p.attr("name"))
	}
	return native(of.attr("name"), form, func(r *run, args []Value) Value {
		return s.conform(inner.call(r, nil, args), result)
	})
}

// service is a decision service as a function of its input decisions and data.
func (s sitting) service(of *element) Value {
	var form, types []string
	for _, in := range append(of.all("inputData"), of.all("inputDecision")...) {
		e := s.byID[id(in)]
		form, types = append(form, e.attr("name")), append(types, e.first("variable").attr("typeRef"))
	}
	return native(of.attr("name"), form, func(_ *run, args []Value) Value {
		if len(args) != len(form) {
			return Null
		}
		arguments := Variables{}
		for i, name := range form {
			arguments[name] = args[i]
			if s.conform(args[i], types[i]).IsNull() && !args[i].IsNull() {
				return Null
			}
		}
		inner := s.within(of, arguments)
		outputs := of.all("outputDecision")
		if len(outputs) == 1 {
			return inner.decide(s.byID[id(outputs[0])])
		}
		var entries []Entry
		for _, out := range outputs {
			e := s.byID[id(out)]
			entries = append(entries, Entry{e.attr("name"), inner.decide(e)})
		}
		return NewContext(entries...)
	})
}

func native(name string, form []string, call func(*run, []Value) Value) Value {
	return Value{kind: KindFunction, ref: &function{builtin: &builtin{name: name, forms: [][]string{form}, call: call}}}
}

// id is the element that a reference names.
func id(reference *element) string {
	_, id, _ := strings.Cut(reference.attr("href"), "#")
	return id
}

func (s sitting) parameters(of *element) string {
	var params []string
	for _, p := range of.all("formalParameter") {
		param := p.attr("name")
		if t := s.typeText(p.attr("typeRef"), 0); t != "" {
			param += ": " + t
		}
		params = append(params, param)
	}
	return strings.Join(params, ", ")
}

// text is an element's logic as a FEEL text; ok is false for a decision table.
func (s sitting) text(of *element) (text string, ok bool) {
	for _, e := range of.Children {
		switch e.XMLName.Local {
		case "literalExpression":
			return e.first("text").Text, true
		case "context":
			var entries []string
			for _, entry := range e.all("contextEntry") {
				name := "the result"
				if v := entry.first("variable"); v != nil {
					name = v.attr("name")
				}
				value, ok := s.text(entry)
				if !ok {
					return "", false
				}
				entries = append(entries, name+": "+value)
			}
			text = "{" + strings.Join(entries, ", ") + "}"
			if last := e.Children[len(e.Children)-1]; last.first("variable") == nil {
				text += ".the result"
			}
			return text, true
		case "relation":
			var rows []string
			for _, row := range e.all("row") {
				var cells []string
				for i, cell := range row.all("literalExpression") {
					cells = append(cells, e.all("column")[i].attr("name")+": "+cell.first("text").Text)
				}
				rows = append(rows, "{"+strings.Join(cells, ", ")+"}")
			}
			return "[" + strings.Join(rows, ", ") + "]", true
		case "functionDefinition":
			body, ok := s.text(e)
			return "function(" + s.parameters(e) + ") " + body, ok
		}
	}
	return "", false
}

var typeReference = regexp.MustCompile(`(instance of\s+|<\s*)(\w+)`)

// typed writes the model's own types out in the expressions that name them.
func (m *model) typed(text string) string {
	return typeReference.ReplaceAllStringFunc(text, func(found string) string {
		parts := typeReference.FindStringSubmatch(found)
		if m.types[parts[2]] == nil {
			return found
		}
		return parts[1] + m.typeText(parts[2], 0)
	})
}

// typeText is a type of FEEL or of the model in FEEL's own syntax.
func (m *model) typeText(name string, depth int) string {
	definition := m.types[name]
	if typeOf(name) != nil || definition == nil {
		if typeOf(name) == nil {
			return ""
		}
		return name
	}
	return m.definitionText(definition, depth)
}

func (m *model) definitionText(definition *element, depth int) string {
	if depth > 10 {
		return "Any"
	}
	text := "Any"
	if ref := definition.first("typeRef"); ref != nil {
		text = m.typeText(strings.TrimSpace(ref.Text), depth+1)
	} else if item := definition.first("functionItem"); item != nil {
		var params []string
		for _, p := range item.all("parameters") {
			params = append(params, orAny(m.typeText(p.attr("typeRef"), depth+1)))
		}
		text = "function<" + strings.Join(params, ", ") + "> -> " + orAny(m.typeText(item.attr("outputTypeRef"), depth+1))
	} else if components := definition.all("itemComponent"); len(components) > 0 {
		var fields []string
		for _, c := range components {
			fields = append(fields, c.attr("name")+": "+m.definitionText(c, depth+1))
		}
		text = "context<" + strings.Join(fields, ", ") + ">"
	}
	if definition.attr("isCollection") == "true" {
		text = "list<" + text + ">"
	}
	return text
}

func orAny(name string) string {
	if name == "" {
		return "Any"
	}
	return name
}

// typeOf is a built-in type by its name, or nil.
func typeOf(name string) *typeName {
	p := &parser{src: name}
	if t := p.typeName(); p.err == nil && p.at == len(name) && t.kind != typeUnknown {
		return t
	}
	return nil
}

// clocked is a scope that knows the time, as the kit's now() and today() ask.
type clocked struct{ Variables }

func (clocked) NowMS() int64 { return 1_795_158_000_000 }

// conform is a value as a type of the model takes it: null if it does not fit.
func (m *model) conform(v Value, name string) Value {
	if v.IsNull() || name == "" {
		return v
	}
	if m.holds(v, name) {
		return v
	}
	if items := v.Items(); len(items) == 1 && m.holds(items[0], name) {
		return items[0]
	}
	if wrapped := List(v); v.Kind() != KindList && m.holds(wrapped, name) {
		return wrapped
	}
	if v.Kind() == KindDate && name == "date and time" {
		return midnight(v)
	}
	return Null
}

func (m *model) holds(v Value, name string) bool {
	if t := typeOf(name); t != nil {
		return t.holds(v, false)
	}
	definition := m.types[name]
	if definition == nil {
		return true
	}
	return m.defined(v, definition)
}

func (m *model) defined(v Value, definition *element) bool {
	if v.IsNull() {
		return true
	}
	if definition.attr("isCollection") == "true" {
		if v.Kind() != KindList {
			return false
		}
		for _, item := range v.Items() {
			if !m.one(item, definition) {
				return false
			}
		}
		return true
	}
	return m.one(v, definition)
}

func (m *model) one(v Value, definition *element) bool {
	if v.IsNull() {
		return true
	}
	if ref := definition.first("typeRef"); ref != nil {
		return m.holds(v, strings.TrimSpace(ref.Text))
	}
	if definition.first("functionItem") != nil {
		return v.Kind() == KindFunction
	}
	components := definition.all("itemComponent")
	if len(components) > 0 && v.Kind() != KindContext {
		return false
	}
	for _, c := range components {
		field, ok := v.Get(c.attr("name"))
		if !ok || !m.defined(field, c) {
			return false
		}
	}
	return true
}
