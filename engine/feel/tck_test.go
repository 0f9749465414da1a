package feel

import (
	"encoding/xml"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/cockroachdb/apd/v3"
)

// tckFloor is how many results of the DMN Technology Compatibility Kit this package
// gets right, of those whose decision is a literal FEEL expression. It may only rise.
const tckFloor = 2833

var tckVerbose = flag.Bool("tck", false, "print every result of the compatibility kit that is wrong")

// TestCompatibilityKit runs every decision of the kit that is a literal expression,
// its inputs, the decisions it requires and the functions it invokes being such too.
// Decision tables and boxed expressions are not FEEL texts and are passed over.
func TestCompatibilityKit(t *testing.T) {
	root := os.Getenv("RAILHEAD_SHARED")
	if root == "" {
		t.Skip("needs RAILHEAD_SHARED, the folder of shared test data")
	}
	var files []string
	err := filepath.WalkDir(filepath.Join(root, "feel-tck"), func(path string, _ fs.DirEntry, err error) error {
		// What the kit itself calls non-compliant depends on Java.
		if strings.HasSuffix(path, ".xml") && !strings.Contains(path, "non-compliant") {
			files = append(files, path)
		}
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("RAILHEAD_SHARED is %s, and there is no feel-tck (%v)", root, err)
	}
	sort.Strings(files)
	passed, total := 0, 0
	for _, file := range files {
		p, n := runKit(t, file)
		if p < n && *tckVerbose {
			t.Logf("%s: %d of %d", filepath.Base(file), p, n)
		}
		passed += p
		total += n
	}
	t.Logf("FEEL compatibility kit: %d of %d results right (%.1f %%)", passed, total, 100*float64(passed)/float64(total))
	if passed < tckFloor {
		t.Errorf("%d results right, below the floor of %d", passed, tckFloor)
	}
}

// element is any XML element.
type element struct {
	XMLName  xml.Name
	Attrs    []xml.Attr `xml:",any,attr"`
	Children []*element `xml:",any"`
	Text     string     `xml:",chardata"`
}

func (e *element) attr(name string) string {
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

// model is one .dmn file.
type model struct {
	decisions map[string]*element // by name
	byID      map[string]*element
	types     map[string]*element
	names     []string
}

func runKit(t *testing.T, file string) (passed, total int) {
	cases := readXML(t, file)
	m := &model{decisions: map[string]*element{}, byID: map[string]*element{}, types: map[string]*element{}}
	dmn := filepath.Join(filepath.Dir(file), strings.TrimSpace(cases.first("modelName").Text))
	for _, e := range readXML(t, dmn).Children {
		switch e.XMLName.Local {
		case "decision":
			m.decisions[e.attr("name")] = e
		case "itemDefinition":
			m.types[e.attr("name")] = e
			m.learn(e)
		}
		m.byID[e.attr("id")] = e
		if name := e.attr("name"); name != "" && e.XMLName.Local != "itemDefinition" {
			m.names = append(m.names, name)
		}
	}
	for _, c := range cases.all("testCase") {
		inputs := Variables{}
		for _, in := range c.all("inputNode") {
			inputs[in.attr("name")] = tckValue(in)
		}
		for _, result := range c.all("resultNode") {
			decision := m.decisions[result.attr("name")]
			if decision == nil || result.attr("type") == "decisionService" {
				continue
			}
			got, ok := m.decide(decision, inputs, 0)
			if !ok {
				continue
			}
			total++
			want := Null
			if expected := result.first("expected"); expected != nil {
				want = tckValue(expected)
			}
			if tckEqual(got, want) {
				passed++
			} else if *tckVerbose {
				t.Logf("%s %s %s: %s = %s, want %s", filepath.Base(file), c.attr("id"), result.attr("name"),
					strings.TrimSpace(decision.first("literalExpression").first("text").Text), got, want)
			}
		}
	}
	return passed, total
}

func (m *model) learn(e *element) {
	for _, c := range e.all("itemComponent") {
		m.names = append(m.names, c.attr("name"))
		m.learn(c)
	}
}

// decide evaluates a decision; ok is false if it is not all literal expressions.
func (m *model) decide(decision *element, inputs Variables, depth int) (v Value, ok bool) {
	literal := decision.first("literalExpression")
	if literal == nil || literal.first("text") == nil || depth > 20 {
		return Null, false
	}
	scope, ok := m.scope(decision, inputs, depth)
	if !ok {
		return Null, false
	}
	x, err := CompileWith(literal.first("text").Text, m.names...)
	if err != nil {
		return Null, true // a text that is not FEEL has no value
	}
	v = x.Eval(clocked{scope})
	if variable := decision.first("variable"); variable != nil {
		v = m.conform(v, variable.attr("typeRef"))
	}
	return v, true
}

// scope holds what an element requires: inputs, decisions, functions.
func (m *model) scope(of *element, inputs Variables, depth int) (Variables, bool) {
	scope := Variables{}
	for _, requirement := range append(of.all("informationRequirement"), of.all("knowledgeRequirement")...) {
		for _, r := range requirement.Children {
			_, id, _ := strings.Cut(r.attr("href"), "#")
			required := m.byID[id]
			if required == nil {
				return nil, false
			}
			name := required.attr("name")
			switch required.XMLName.Local {
			case "inputData":
				v, ok := inputs[name]
				if ok {
					scope[name] = m.conform(v, required.first("variable").attr("typeRef"))
				}
			case "decision":
				v, ok := m.decide(required, inputs, depth+1)
				if !ok {
					return nil, false
				}
				scope[name] = v
			case "businessKnowledgeModel":
				v, ok := m.function(required, inputs, depth+1)
				if !ok {
					return nil, false
				}
				scope[name] = v
			default:
				return nil, false
			}
		}
	}
	return scope, true
}

// function is a business knowledge model whose logic is a literal expression.
func (m *model) function(of *element, inputs Variables, depth int) (Value, bool) {
	logic := of.first("encapsulatedLogic")
	literal := logic.first("literalExpression")
	if literal == nil || depth > 20 {
		return Null, false
	}
	var params []string
	for _, p := range logic.all("formalParameter") {
		param := p.attr("name")
		if builtin := p.attr("typeRef"); typeOf(builtin) != nil {
			param += ": " + builtin
		}
		params = append(params, param)
	}
	scope, ok := m.scope(of, inputs, depth)
	if !ok {
		return Null, false
	}
	x, err := CompileWith("function("+strings.Join(params, ", ")+") "+literal.first("text").Text, m.names...)
	if err != nil {
		return Null, true
	}
	return x.Eval(scope), true
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

// tckValue reads an input or expected value.
func tckValue(e *element) Value {
	if components := e.all("component"); len(components) > 0 {
		var entries []Entry
		for _, c := range components {
			entries = append(entries, Entry{c.attr("name"), tckValue(c)})
		}
		return NewContext(entries...)
	}
	if list := e.first("list"); list != nil {
		var items []Value
		for _, item := range list.all("item") {
			items = append(items, tckValue(item))
		}
		return List(items...)
	}
	value := e.first("value")
	if value == nil || value.attr("nil") == "true" {
		return Null
	}
	text := value.Text
	_, kind, _ := strings.Cut(value.attr("type"), ":")
	if kind != "string" && kind != "" {
		text = strings.TrimSpace(text)
	}
	switch kind {
	case "decimal", "double", "integer":
		v, _ := parseNumber(text)
		return v
	case "boolean":
		return Bool(text == "true")
	case "date":
		return parseDate(text)
	case "time":
		return parseTime(text)
	case "dateTime":
		return parseDateTime(text)
	case "duration":
		return parseDuration(text)
	}
	return String(text)
}

// tckEqual compares as the kit's own runner does: numbers to eight places.
func tckEqual(got, want Value) bool {
	if got.Kind() != want.Kind() {
		return false
	}
	switch got.Kind() {
	case KindNumber:
		d := new(apd.Decimal)
		if _, err := decimals.Sub(d, got.decimal(), want.decimal()); err != nil {
			return false
		}
		return d.Abs(d).Cmp(apd.New(1, -8)) < 0
	case KindList:
		if len(got.Items()) != len(want.Items()) {
			return false
		}
		for i := range got.Items() {
			if !tckEqual(got.Items()[i], want.Items()[i]) {
				return false
			}
		}
		return true
	case KindContext:
		if len(got.Entries()) != len(want.Entries()) {
			return false
		}
		for _, entry := range got.Entries() {
			other, ok := want.Get(entry.Key)
			if !ok || !tckEqual(entry.Value, other) {
				return false
			}
		}
		return true
	}
	return fmt.Sprint(got) == fmt.Sprint(want) || areEqual(&run{budget: maxBudget}, got, want)
}
