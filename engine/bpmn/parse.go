package bpmn

import (
	"fmt"
	"strings"

	"github.com/railhead-hub/railhead/engine/feel"
)

// Parse reads every executable process of a file. If any problem is an error there
// are no processes. Processes, elements and problems come in document order.
func Parse(file []byte) ([]*Process, []Problem) {
	p := newParser()
	var processes []*Process
	for _, t := range p.definitions(file) {
		if process := p.process(t); process != nil {
			processes = append(processes, process)
		}
	}
	if len(processes) == 0 && !p.unreadable {
		p.failf("", "no-executable-process", "no process has isExecutable=\"true\"")
	}
	if Refused(p.problems) {
		return nil, p.problems
	}
	return processes, p.problems
}

func newParser() *parser {
	return &parser{ids: map[string]bool{}, blamed: map[string]bool{}, roots: map[string]*tag{}}
}

// definitions reads a file and what its processes may refer to, and returns the
// processes.
func (p *parser) definitions(file []byte) []*tag {
	root, err := read(file)
	if err != nil {
		p.unreadable = true
		p.add(Problem{Error, "", "bad-xml", err.Error()})
		return nil
	}
	if !root.is(nsModel, "definitions") {
		p.unreadable = true
		p.failf("", "not-bpmn", "the root element is {%s}%s, not BPMN 2.0 definitions", clip(root.space), clip(root.name))
		return nil
	}
	p.undeclared(root)
	p.id(root)
	var processes []*tag
	for _, t := range root.children {
		if t.is(nsModel, "process") {
			processes = append(processes, t)
			continue
		}
		p.register(t)
		if t.space == nsModel {
			p.roots[t.attr("id")] = t
		}
	}
	return processes
}

// parser collects the problems of one file.
type parser struct {
	every      bool // read processes that are not executable, too
	unreadable bool // the file is no BPMN

	problems []Problem
	count    [Warning + 1]int
	ids      map[string]bool
	blamed   map[string]bool // the elements and flows with an error
	roots    map[string]*tag // messages, signals, errors and escalations by id

	// Of the process that is read now.
	current      *Process
	tags         []*tag            // of its elements, by index
	flows        []*tag            // its sequence flows
	associations map[string]string // where the first association from an id leads
	depth        int               // sub-processes around what is read now
	tooLarge     bool
}

// Limits of a process.
const (
	maxElements = 10_000
	maxNesting  = 50        // of sub-processes
	maxUpstream = 2_000_000 // elements times ways into inclusive gateways that wait for several
)

// maxProblems bounds the answer to a file that is wrong everywhere: so many errors,
// and so many warnings.
const maxProblems = 200

func (p *parser) failf(element, code, format string, args ...any) {
	p.blamed[element] = true
	p.add(Problem{Error, element, code, fmt.Sprintf(format, args...)})
}

func (p *parser) warnf(element, code, format string, args ...any) {
	p.add(Problem{Warning, element, code, fmt.Sprintf(format, args...)})
}

func (p *parser) add(problem Problem) {
	// Errors and warnings are counted apart: no number of warnings may hide an error.
	if p.count[problem.Severity]++; p.count[problem.Severity] <= maxProblems {
		p.problems = append(p.problems, problem)
	}
}

// undeclared finds prefixes that no namespace was declared for: such elements would
// otherwise pass as decoration of an unknown vendor.
func (p *parser) undeclared(t *tag) {
	if t.space == "bpmn" || t.space == "bpmn2" || t.space == "zeebe" {
		p.failf(t.attr("id"), "undeclared-prefix", "the prefix %s of %s is not declared", t.space, t.name)
		return
	}
	for _, c := range t.children {
		p.undeclared(c)
	}
}

// id notes the id of a BPMN element, which must be the only one of its file.
func (p *parser) id(t *tag) {
	id := t.attr("id")
	if id == "" || t.space != nsModel {
		return
	}
	if p.ids[id] {
		p.failf(id, "duplicate-id", "two elements have this id")
	}
	p.ids[id] = true
}

func (p *parser) register(t *tag) {
	p.id(t)
	for _, c := range t.children {
		p.register(c)
	}
}

// decoration is what may stand in a process or sub-process without being executed
// there; what is read with the element it belongs to is among it.
var decoration = map[string]bool{
	"auditing": true, "correlationSubscription": true, "dataObject": true, "dataObjectReference": true,
	"dataStoreReference": true, "documentation": true, "extensionElements": true, "group": true,
	"incoming": true, "ioSpecification": true, "laneSet": true, "monitoring": true,
	"multiInstanceLoopCharacteristics": true, "outgoing": true, "property": true,
	"standardLoopCharacteristics": true, "supports": true, "textAnnotation": true,
}

func (p *parser) process(t *tag) *Process {
	p.register(t)
	if t.attr("isExecutable") != "true" && !p.every {
		return nil
	}
	process := &Process{ID: t.attr("id"), Name: t.attr("name"), elements: map[string]int{}, flows: map[string]int{}}
	if process.ID == "" {
		p.failf("", "missing-id", "an executable process has no id")
	}
	p.current, p.tags, p.flows, p.associations, p.tooLarge = process, nil, nil, map[string]string{}, false
	p.extensions(t, process.ID, "properties", "userTaskForm", "versionTag")
	p.content(t, -1)
	if p.tooLarge {
		return process
	}
	for _, c := range p.flows {
		p.flow(c)
	}
	p.graph()
	return process
}

// content reads what lies directly in a process, or in the sub-process of an index.
func (p *parser) content(t *tag, parent int) {
	for _, c := range t.children {
		if c.space != nsModel {
			continue
		}
		switch c.name {
		case "sequenceFlow":
			p.flows = append(p.flows, c)
		case "association":
			p.association(c)
		default:
			if !decoration[c.name] {
				p.element(c, parent)
			}
		}
		if p.tooLarge {
			return
		}
	}
}

// flow reads one sequence flow, once all elements are known.
func (p *parser) flow(t *tag) {
	process := p.current
	id := t.attr("id")
	if id == "" {
		p.failf(t.attr("sourceRef"), "missing-id", "a sequence flow from here has no id")
		return
	}
	source, sourceOK := process.elements[t.attr("sourceRef")]
	target, targetOK := process.elements[t.attr("targetRef")]
	if !sourceOK {
		p.failf(id, "dangling-flow", "sourceRef %q is no element of this process", clip(t.attr("sourceRef")))
	}
	if !targetOK {
		p.failf(id, "dangling-flow", "targetRef %q is no element of this process", clip(t.attr("targetRef")))
	}
	f := SequenceFlow{Index: len(process.Flows), ID: id, Name: t.attr("name"), Source: source, Target: target}
	if c := t.child(nsModel, "conditionExpression"); c != nil {
		f.Condition = p.expression(id, "bad-condition", "the condition", c.text)
	}
	if !sourceOK || !targetOK {
		return
	}
	if process.Elements[source].Parent != process.Elements[target].Parent {
		p.failf(id, "flow-across-border", "from %s to %s it crosses the border of a sub-process, which only events do",
			process.Elements[source].ID, process.Elements[target].ID)
		return
	}
	process.flows[id] = f.Index
	process.Flows = append(process.Flows, f)
	process.Elements[source].Outgoing = append(process.Elements[source].Outgoing, f.Index)
	process.Elements[target].Incoming = append(process.Elements[target].Incoming, f.Index)
}

// element reads one flow node, and what lies in it.
func (p *parser) element(t *tag, parent int) {
	process := p.current
	e := Element{
		Index: len(process.Elements), ID: t.attr("id"), Name: t.attr("name"),
		Default: -1, AttachedTo: -1, LinkTo: -1, Parent: parent, SubStart: -1, CompensatedBy: -1,
	}
	if e.ID == "" {
		p.failf(process.ID, "missing-id", "a %s has no id", t.name)
		return
	}
	if e.Index >= maxElements {
		p.failf(process.ID, "too-large", "a process of more than %d elements; divide it and call the parts", maxElements)
		p.tooLarge = true
		return
	}
	process.elements[e.ID] = e.Index
	process.Elements = append(process.Elements, Element{})
	p.tags = append(p.tags, t)
	if read := elements[t.name]; read == nil {
		instead := replacements[t.name]
		if instead == "" {
			instead = "no such element is executed"
		}
		p.failf(e.ID, "unsupported-element", "this build does not execute a %s: %s", clip(t.name), instead)
		e.Kind = kindUnsupported
	} else {
		p.modifiers(t, &e)
		read(p, t, &e)
		p.publisher(t, &e)
	}
	process.Elements[e.Index] = e
	if e.Kind == KindSub || e.Kind == KindEventSub {
		p.inside(t, e.Index)
	}
}

// elements are the readers of flow nodes by their BPMN name. What is missing here is
// refused.
var elements = map[string]func(*parser, *tag, *Element){
	"startEvent":             (*parser).startEvent,
	"endEvent":               (*parser).endEvent,
	"intermediateCatchEvent": (*parser).catchEvent,
	"intermediateThrowEvent": (*parser).throwEvent,
	"boundaryEvent":          (*parser).boundaryEvent,
	"serviceTask":            (*parser).jobTask,
	"sendTask":               (*parser).jobTask,
	"businessRuleTask":       (*parser).businessRuleTask,
	"scriptTask":             (*parser).scriptTask,
	"userTask":               (*parser).userTask,
	"receiveTask":            (*parser).receiveTask,
	"task":                   (*parser).passTask,
	"manualTask":             (*parser).passTask,
	"callActivity":           (*parser).callActivity,
	"subProcess":             (*parser).subProcess,
	"exclusiveGateway":       gateway(KindExclusive),
	"parallelGateway":        gateway(KindParallel),
	"inclusiveGateway":       gateway(KindInclusive),
	"eventBasedGateway":      gateway(KindEventBased),
}

// replacements say what to draw instead of an element that is not executed.
var replacements = map[string]string{
	"transaction":      "use a sub-process, with compensation events for what must be undone",
	"adHocSubProcess":  "draw the order of its activities as a sub-process",
	"complexGateway":   "use an inclusive gateway, or an exclusive one behind a script task",
	"choreographyTask": "it describes several participants; draw a process for each",
}

// activities are the flow nodes that may be repeated or undo another one.
var activities = map[string]bool{
	"serviceTask": true, "sendTask": true, "businessRuleTask": true, "scriptTask": true, "userTask": true,
	"receiveTask": true, "task": true, "manualTask": true, "callActivity": true, "subProcess": true,
}

// modifiers reads the attributes and children that change how any element executes.
func (p *parser) modifiers(t *tag, e *Element) {
	for _, c := range t.children {
		switch {
		case c.is(nsModel, "standardLoopCharacteristics"):
			p.failf(e.ID, "unsupported-loop", "this build does not execute a standard loop: draw the loop with a gateway")
		case c.is(nsModel, "multiInstanceLoopCharacteristics"):
			p.loop(t, c, e)
		}
	}
	if t.attr("isForCompensation") == "true" {
		p.handler(t, e)
	}
	for _, name := range []string{"startQuantity", "completionQuantity"} {
		if t.has(name) && t.attr(name) != "1" {
			p.failf(e.ID, "unsupported-attribute", "this build executes no %s but 1", name)
		}
	}
	for _, name := range []string{"instantiate", "parallelMultiple"} {
		if t.attr(name) == "true" {
			p.failf(e.ID, "unsupported-attribute", "this build does not execute %s=\"true\"", name)
		}
	}
	if kind := t.attr("eventGatewayType"); kind != "" && kind != "Exclusive" {
		p.failf(e.ID, "unsupported-attribute", "this build does not execute an event-based gateway of type %s", clip(kind))
	}
}

// extensions refuses Zeebe extensions that an element of this kind does not execute.
// Element templates' properties are allowed everywhere.
func (p *parser) extensions(t *tag, id string, allowed ...string) {
	ext := t.child(nsModel, "extensionElements")
	if ext == nil {
		return
	}
next:
	for _, c := range ext.children {
		if c.space != nsZeebe || c.name == "properties" {
			continue
		}
		for _, name := range allowed {
			if c.name == name {
				continue next
			}
		}
		p.failf(id, "unsupported-extension", "this build does not execute zeebe:%s on a %s", clip(c.name), t.name)
	}
}

// expression compiles what must be FEEL. The leading "=" that marks FEEL is required,
// as Zeebe requires it: without it the same text is a plain string there.
func (p *parser) expression(id, code, what, text string) *feel.Expr {
	text = strings.TrimSpace(text)
	if text == "" || text == "=" {
		p.failf(id, code, "%s is empty", what)
		return nil
	}
	src, ok := strings.CutPrefix(text, "=")
	if !ok {
		p.failf(id, code, "%s is plain text; an expression begins with \"=\": write =%s", what, clip(modern(text)))
		return nil
	}
	x, err := feel.Compile(src)
	if err != nil {
		p.failf(id, code, "%s %q is not FEEL: %v", what, clip(text), err)
		return nil
	}
	for _, name := range x.UnknownFunctions() {
		p.failf(id, code, "%s %q calls %s, which is no function", what, clip(text), clip(name))
	}
	return x
}

// modern rewrites the operators of the expression language Zeebe had before FEEL.
var modern = strings.NewReplacer("==", "=", "&&", "and", "||", "or").Replace

// textOr is static text, or an expression if it begins with "=".
func (p *parser) textOr(id, code, what, text string) Text {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "=") {
		return Text{Expr: p.expression(id, code, what, text)}
	}
	return Text{Static: text}
}
