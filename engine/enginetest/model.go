package enginetest

import (
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
)

// Model turns the scripts' short notation of a flow into BPMN 2.0 XML. One line
// is one element or one sequence flow:
//
//	start s
//	task hold type=block-funds retries=3
//	pass note in=target:source out=target:source
//	receive answer message=transfer-response key=transactionId
//	catch pause timer=PT60S
//	boundary late on=answer timer=PT60S interrupting=false
//	exclusive ok default=no
//	parallel fork
//	event race
//	call sub flow=other
//	end done result=completed code=paid
//	terminate stop
//	inclusive any default=no
//	script add result=sum expr="a + b"
//	user approve assignee=ada groups=tellers
//	sub inner
//	task work of=inner type=book-funds error…
//	eventsub rescue
//	start late of=rescue error=E1 interrupting=false
//	throw note escalation=ESC
//	boundary caught on=inner error=E1
//	task refund undoes=work type=release-block
//	task each type=pay loop=items:item collect=results:result until="ok = false" sequential=true
//	end failed error=E1
//	s -> hold -> ok
//	ok -> done if transferPrepareFailed = false as yes
//
// A flow is called after its ends (ok-done) unless "as" names it. Values with
// spaces are written in double quotes. Any element may lie in a sub-process (of),
// any event have a message, timer, cycle, date, signal, error, escalation or
// compensate (the activity, or all), any activity undo another.
func Model(id, notation string) (string, error) {
	m := &model{messages: make(map[string]string), defaults: make(map[string]string), parents: make(map[string]string)}
	for i, line := range strings.Split(notation, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := m.line(line); err != nil {
			return "", fmt.Errorf("line %d, %q: %w", i+1, line, err)
		}
	}
	return m.xml(id), nil
}

type model struct {
	tags     []tag
	parents  map[string]string // id → sub-process
	shared   []string          // errors, escalations and signals
	undo     []undo
	flows    []sequence
	messages map[string]string // id → correlation key
	order    []string
	defaults map[string]string
}

type sequence struct{ id, from, to, condition string }

// tag is one element; what lies inside a sub-process comes between its own tags.
type tag struct{ name, id, parent, attributes, inner string }

// undo says that a handler compensates an activity.
type undo struct{ handler, activity string }

func (m *model) line(line string) error {
	if strings.Contains(line, "->") {
		return m.sequence(line)
	}
	words := fields(line)
	if len(words) < 2 {
		return fmt.Errorf("an element has a kind and an id")
	}
	kind, id := words[0], words[1]
	args := make(map[string]string)
	for _, w := range words[2:] {
		k, v, ok := strings.Cut(w, "=")
		if !ok {
			return fmt.Errorf("%q is not key=value", w)
		}
		args[k] = v
	}
	return m.element(kind, id, args)
}

func (m *model) element(kind, id string, args map[string]string) error {
	if d := args["default"]; d != "" {
		m.defaults[id] = d
	}
	m.parents[id] = args["of"]
	extensions := m.mappings(args)
	attributes := ""
	if args["undoes"] != "" {
		attributes = ` isForCompensation="true"`
		m.undo = append(m.undo, undo{id, args["undoes"]})
	}
	loop := m.loop(args)
	put := func(name, attributes, inner string) { m.put(tag{name, id, args["of"], attributes, inner}) }
	switch kind {
	case "start":
		if args["interrupting"] == "false" {
			attributes = ` isInterrupting="false"`
		}
		put("startEvent", attributes, wrap(extensions)+m.events(args))
	case "task":
		retries := ""
		if r := args["retries"]; r != "" {
			retries = ` retries="` + escape(r) + `"`
		}
		put("serviceTask", attributes, wrap(`<zeebe:taskDefinition type="`+escape(args["type"])+`"`+retries+`/>`+extensions)+loop)
	case "script":
		put("scriptTask", attributes, wrap(`<zeebe:script expression="=`+escape(args["expr"])+`" resultVariable="`+args["result"]+`"/>`+extensions)+loop)
	case "user":
		if args["assignee"] != "" || args["groups"] != "" {
			extensions += `<zeebe:assignmentDefinition assignee="` + escape(args["assignee"]) + `" candidateGroups="` + escape(args["groups"]) + `"/>`
		}
		if args["due"] != "" {
			extensions += `<zeebe:taskSchedule dueDate="` + escape(args["due"]) + `"/>`
		}
		put("userTask", attributes, wrap(`<zeebe:userTask/>`+extensions)+loop)
	case "pass":
		put("task", attributes, wrap(extensions)+loop)
	case "receive":
		put("receiveTask", attributes+` messageRef="`+m.message(args)+`"`, wrap(extensions)+loop)
	case "catch":
		put("intermediateCatchEvent", "", wrap(extensions)+m.events(args))
	case "throw":
		inner := m.events(args)
		if args["type"] != "" { // a message throw event
			extensions += `<zeebe:taskDefinition type="` + escape(args["type"]) + `"/>`
			inner = "<messageEventDefinition/>"
		}
		put("intermediateThrowEvent", "", wrap(extensions)+inner)
	case "boundary":
		m.parents[id] = m.parents[args["on"]]
		attributes := ` attachedToRef="` + args["on"] + `"`
		if args["interrupting"] == "false" {
			attributes += ` cancelActivity="false"`
		}
		m.put(tag{"boundaryEvent", id, m.parents[id], attributes, wrap(extensions) + m.events(args)})
	case "exclusive", "parallel", "inclusive":
		if d := args["default"]; d != "" {
			attributes = ` default="` + d + `"`
		}
		put(kind+"Gateway", attributes, "")
	case "event":
		put("eventBasedGateway", "", "")
	case "sub":
		put("subProcess", attributes, wrap(extensions)+loop)
	case "eventsub":
		put("subProcess", ` triggeredByEvent="true"`, "")
	case "call":
		put("callActivity", attributes, wrap(`<zeebe:calledElement processId="`+escape(args["flow"])+`"/>`+extensions)+loop)
	case "end", "terminate":
		if r := args["result"]; r != "" {
			extensions += `<zeebe:properties><zeebe:property name="railhead:result" value="` + r +
				`"/><zeebe:property name="railhead:code" value="` + args["code"] + `"/></zeebe:properties>`
		}
		if args["type"] != "" { // a message end event
			extensions += `<zeebe:taskDefinition type="` + escape(args["type"]) + `"/>`
		}
		inner := wrap(extensions) + m.events(args)
		switch {
		case kind == "terminate":
			inner += "<terminateEventDefinition/>"
		case args["type"] != "":
			inner += "<messageEventDefinition/>"
		}
		put("endEvent", "", inner)
	default:
		return fmt.Errorf("there is no element kind %q", kind)
	}
	return nil
}

// loop reads loop=collection:item, collect=variable:expression, until and sequential.
func (m *model) loop(args map[string]string) string {
	if args["loop"] == "" {
		return ""
	}
	collection, item, _ := strings.Cut(args["loop"], ":")
	attributes := ` inputCollection="=` + escape(collection) + `"`
	if item != "" {
		attributes += ` inputElement="` + item + `"`
	}
	if variable, expression, ok := strings.Cut(args["collect"], ":"); ok {
		attributes += ` outputCollection="` + variable + `" outputElement="=` + escape(expression) + `"`
	}
	until := ""
	if args["until"] != "" {
		until = `<completionCondition xsi:type="tFormalExpression">=` + escape(args["until"]) + `</completionCondition>`
	}
	sequential := ""
	if args["sequential"] != "" {
		sequential = ` isSequential="true"`
	}
	return "<multiInstanceLoopCharacteristics" + sequential + "><extensionElements><zeebe:loopCharacteristics" + attributes +
		"/></extensionElements>" + until + "</multiInstanceLoopCharacteristics>"
}

func wrap(extensions string) string {
	if extensions == "" {
		return ""
	}
	return "<extensionElements>" + extensions + "</extensionElements>"
}

// mappings reads in=target:source and out=target:source.
func (m *model) mappings(args map[string]string) string {
	var b strings.Builder
	for _, way := range []string{"in", "out"} {
		if target, source, ok := strings.Cut(args[way], ":"); ok {
			fmt.Fprintf(&b, `<zeebe:%sput source="=%s" target="%s"/>`, way, escape(source), escape(target))
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return "<zeebe:ioMapping>" + b.String() + "</zeebe:ioMapping>"
}

func (m *model) events(args map[string]string) string {
	switch {
	case args["timer"] != "":
		return "<timerEventDefinition><timeDuration>" + escape(args["timer"]) + "</timeDuration></timerEventDefinition>"
	case args["cycle"] != "":
		return "<timerEventDefinition><timeCycle>" + escape(args["cycle"]) + "</timeCycle></timerEventDefinition>"
	case args["date"] != "":
		return "<timerEventDefinition><timeDate>" + escape(args["date"]) + "</timeDate></timerEventDefinition>"
	case args["message"] != "":
		return `<messageEventDefinition messageRef="` + m.message(args) + `"/>`
	case args["compensate"] == "all":
		return "<compensateEventDefinition/>"
	case args["compensate"] != "":
		return `<compensateEventDefinition activityRef="` + args["compensate"] + `"/>`
	}
	for _, d := range [][2]string{{"error", "errorCode"}, {"escalation", "escalationCode"}, {"signal", "name"}} {
		if code, given := args[d[0]]; given {
			return m.definition(d[0], d[1], code)
		}
	}
	return ""
}

// definition refers to an error, an escalation or a signal; any stands for no code.
func (m *model) definition(kind, attribute, code string) string {
	if code == "any" {
		return "<" + kind + "EventDefinition/>"
	}
	id := kind + "_" + strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, code)
	element := fmt.Sprintf("<%s id=%q %s=%q/>\n", kind, id, attribute, escape(code))
	if !slices.Contains(m.shared, element) {
		m.shared = append(m.shared, element)
	}
	return fmt.Sprintf(`<%sEventDefinition %sRef=%q/>`, kind, kind, id)
}

func (m *model) message(args map[string]string) string {
	name := args["message"]
	if _, known := m.messages[name]; !known {
		m.order = append(m.order, name)
	}
	if m.messages[name] == "" {
		m.messages[name] = args["key"]
	}
	return "Message_" + name
}

func (m *model) sequence(line string) error {
	path, condition, _ := strings.Cut(line, " if ")
	var name string
	if condition != "" {
		condition, name, _ = strings.Cut(condition, " as ")
	} else {
		path, name, _ = strings.Cut(path, " as ")
	}
	stops := strings.Split(path, "->")
	for i := 1; i < len(stops); i++ {
		from, to := strings.TrimSpace(stops[i-1]), strings.TrimSpace(stops[i])
		if from == "" || to == "" {
			return fmt.Errorf("a sequence flow has two ends")
		}
		id := strings.TrimSpace(name)
		if id == "" {
			id = from + "-" + to
		}
		m.flows = append(m.flows, sequence{id, from, to, strings.TrimSpace(condition)})
	}
	return nil
}

func (m *model) put(t tag) { m.tags = append(m.tags, t) }

// inside writes what lies in a sub-process, or in the process itself.
func (m *model) inside(b *strings.Builder, parent string) {
	for _, t := range m.tags {
		if t.parent != parent {
			continue
		}
		fmt.Fprintf(b, "<%s id=%q name=%q%s>%s", t.name, t.id, t.id, t.attributes, t.inner)
		if t.name == "subProcess" {
			b.WriteByte('\n')
			m.inside(b, t.id)
		}
		fmt.Fprintf(b, "</%s>\n", t.name)
	}
	for _, f := range m.flows {
		if m.parents[f.from] != parent {
			continue
		}
		fmt.Fprintf(b, "<sequenceFlow id=%q sourceRef=%q targetRef=%q>", f.id, f.from, f.to)
		if f.condition != "" {
			fmt.Fprintf(b, `<conditionExpression xsi:type="tFormalExpression">=%s</conditionExpression>`, escape(f.condition))
		}
		b.WriteString("</sequenceFlow>\n")
	}
	for _, u := range m.undo {
		if m.parents[u.handler] == parent {
			fmt.Fprintf(b, "<boundaryEvent id=\"undo-%[1]s\" attachedToRef=%[1]q><compensateEventDefinition/></boundaryEvent>\n", u.activity)
			fmt.Fprintf(b, "<association id=\"a-%s\" associationDirection=\"One\" sourceRef=\"undo-%s\" targetRef=%q/>\n", u.activity, u.activity, u.handler)
		}
	}
}

func (m *model) xml(id string) string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" id="d" targetNamespace="t">
`)
	for _, name := range m.order {
		fmt.Fprintf(&b, `<message id="Message_%s" name="%s">`, name, escape(name))
		if key := m.messages[name]; key != "" {
			fmt.Fprintf(&b, `<extensionElements><zeebe:subscription correlationKey="=%s"/></extensionElements>`, escape(key))
		}
		b.WriteString("</message>\n")
	}
	for _, element := range m.shared {
		b.WriteString(element)
	}
	fmt.Fprintf(&b, "<process id=%q isExecutable=\"true\">\n", id)
	m.inside(&b, "")
	b.WriteString("</process></definitions>\n")
	return b.String()
}

func escape(s string) string {
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(s)); err != nil {
		panic(err) // a strings.Builder does not fail
	}
	return b.String()
}

// fields splits at spaces outside double quotes and drops the quotes.
func fields(line string) []string {
	var out []string
	var word strings.Builder
	quoted := false
	for _, c := range line {
		switch {
		case c == '"':
			quoted = !quoted
		case c == ' ' && !quoted:
			if word.Len() > 0 {
				out = append(out, word.String())
				word.Reset()
			}
		default:
			word.WriteRune(c)
		}
	}
	if word.Len() > 0 {
		out = append(out, word.String())
	}
	return out
}
