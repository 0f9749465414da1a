package bpmn

// loop reads a multi-instance marker c of the element t. Its collection is Zeebe's
// extension: BPMN's own ways to say what is repeated are not executed.
func (p *parser) loop(t, c *tag, e *Element) {
	if !activities[t.name] || t.attr("triggeredByEvent") == "true" {
		p.failf(e.ID, "unsupported-loop", "only an activity can be repeated, not a %s", t.name)
		return
	}
	if e.Loop != nil {
		p.failf(e.ID, "bad-loop", "two multi-instance markers")
		return
	}
	e.Loop = &Loop{Sequential: c.attr("isSequential") == "true"}
	for _, x := range c.children {
		if x.is(nsModel, "loopCardinality") || x.is(nsModel, "complexBehaviorDefinition") {
			p.failf(e.ID, "unsupported-loop", "this build does not execute a %s: give zeebe:loopCharacteristics an inputCollection, such as =for i in 1..3 return i", x.name)
		}
	}
	if behavior := c.attr("behavior"); behavior != "" && behavior != "All" {
		p.failf(e.ID, "unsupported-loop", "this build does not execute behavior=%q", clip(behavior))
	}
	x := c.extension("loopCharacteristics")
	if x == nil {
		p.failf(e.ID, "bad-loop", "a multi-instance marker needs zeebe:loopCharacteristics with an inputCollection")
		return
	}
	e.Loop.InputCollection = p.expression(e.ID, "bad-loop", "the inputCollection", x.attr("inputCollection"))
	e.Loop.InputElement = p.loopVariable(x, "inputElement", e)
	e.Loop.OutputCollection = p.loopVariable(x, "outputCollection", e)
	switch element := x.attr("outputElement"); {
	case element != "" && e.Loop.OutputCollection == "", element == "" && e.Loop.OutputCollection != "":
		p.failf(e.ID, "bad-loop", "outputCollection and outputElement go together")
	case element != "":
		e.Loop.OutputElement = p.expression(e.ID, "bad-loop", "the outputElement", element)
	}
	if condition := c.child(nsModel, "completionCondition"); condition != nil {
		e.Loop.CompletionCondition = p.expression(e.ID, "bad-loop", "the completionCondition", condition.text)
	}
}

// loopVariable is the name of a variable in an attribute that may be missing.
func (p *parser) loopVariable(x *tag, attribute string, e *Element) string {
	name := x.attr(attribute)
	if name != "" && !identifier(name) {
		p.failf(e.ID, "bad-loop", "the %s %q is no name of a variable", attribute, clip(name))
	}
	return name
}
