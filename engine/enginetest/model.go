package enginetest

import (
	"encoding/xml"
	"fmt"
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
//	s -> hold -> ok
//	ok -> done if transferPrepareFailed = false as yes
//
// A flow is called after its ends (ok-done) unless "as" names it. Values with
// spaces are written in double quotes.
func Model(id, notation string) (string, error) {
	m := &model{messages: make(map[string]string), defaults: make(map[string]string)}
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
	body     strings.Builder
	flows    []sequence
	messages map[string]string // id → correlation key
	order    []string
	defaults map[string]string
}

type sequence struct{ id, from, to, condition string }

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
	inner := m.mappings(args)
	switch kind {
	case "start":
		m.tag("startEvent", id, "", wrap(inner)+m.events(args))
	case "task":
		retries := ""
		if r := args["retries"]; r != "" {
			retries = ` retries="` + escape(r) + `"`
		}
		m.tag("serviceTask", id, "", `<extensionElements><zeebe:taskDefinition type="`+escape(args["type"])+`"`+retries+`/>`+inner+`</extensionElements>`)
	case "pass":
		m.tag("task", id, "", wrap(inner))
	case "receive":
		m.tag("receiveTask", id, ` messageRef="`+m.message(args)+`"`, wrap(inner))
	case "catch":
		m.tag("intermediateCatchEvent", id, "", wrap(inner)+m.events(args))
	case "boundary":
		attributes := ` attachedToRef="` + args["on"] + `"`
		if args["interrupting"] == "false" {
			attributes += ` cancelActivity="false"`
		}
		m.tag("boundaryEvent", id, attributes, wrap(inner)+m.events(args))
	case "exclusive", "parallel":
		attributes := ""
		if d := args["default"]; d != "" {
			attributes = ` default="` + d + `"`
		}
		m.tag(kind+"Gateway", id, attributes, "")
	case "event":
		m.tag("eventBasedGateway", id, "", "")
	case "call":
		m.tag("callActivity", id, "", `<extensionElements><zeebe:calledElement processId="`+escape(args["flow"])+`"/>`+inner+`</extensionElements>`)
	case "end", "terminate":
		if r := args["result"]; r != "" {
			inner += `<zeebe:properties><zeebe:property name="railhead:result" value="` + r +
				`"/><zeebe:property name="railhead:code" value="` + args["code"] + `"/></zeebe:properties>`
		}
		inner = wrap(inner)
		if kind == "terminate" {
			inner += "<terminateEventDefinition/>"
		}
		m.tag("endEvent", id, "", inner)
	default:
		return fmt.Errorf("there is no element kind %q", kind)
	}
	return nil
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
	}
	return ""
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

func (m *model) tag(name, id, attributes, inner string) {
	fmt.Fprintf(&m.body, "<%s id=%q name=%q%s>%s</%s>\n", name, id, id, attributes, inner, name)
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
	fmt.Fprintf(&b, "<process id=%q isExecutable=\"true\">\n%s", id, m.body.String())
	for _, f := range m.flows {
		fmt.Fprintf(&b, "<sequenceFlow id=%q sourceRef=%q targetRef=%q>", f.id, f.from, f.to)
		if f.condition != "" {
			fmt.Fprintf(&b, `<conditionExpression xsi:type="tFormalExpression">=%s</conditionExpression>`, escape(f.condition))
		}
		b.WriteString("</sequenceFlow>\n")
	}
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
