package lint

import "github.com/railhead-hub/railhead/engine/bpmn"

// Rule is one thing the linter looks for.
type Rule struct {
	Code     string
	Severity bpmn.Severity
	Text     string // what is wrong, and what may come of it
}

// Rules are all of them, by code.
var Rules = []Rule{
	{"boundary-never-triggered", bpmn.Warning, "an event whose cause cannot happen where it is attached: dead paper that looks like safety"},
	{"branch-never-taken", bpmn.Warning, "an earlier branch of the gateway always wins"},
	{"condition-never-true", bpmn.Warning, "no values of the variables make the condition true"},
	{"doubtful-completed", bpmn.Warning, "an end marked completed is reached after an activity ended with an error"},
	{"failed-looks-completed", bpmn.Error, "an end marked completed is reached after a branch that says the payment failed"},
	{"gateway-gap", bpmn.Warning, "values for which no branch is taken: the payment stops with an incident"},
	{"money-not-undone", bpmn.Warning, "the payment can fail after money moved without anything that gives it back"},
	{"no-default-flow", bpmn.Note, "when a variable is missing no branch is taken: the payment stops with an incident"},
	{"no-result", bpmn.Warning, "an end that does not say what became of the payment"},
	{"no-way-out", bpmn.Warning, "nothing follows, and it is no end event"},
	{"unpublished-message", bpmn.Warning, "a message that nobody publishes"},
	{"unquoted-text", bpmn.Warning, "a name that is compared with and set nowhere: a text without its quotes"},
	{"unreachable", bpmn.Warning, "no start event leads there"},
	{"unserved-job-type", bpmn.Warning, "no connector does the job: the payment stops there"},
	{"variable-never-set", bpmn.Warning, "nobody who is known sets the variable"},
	{"waits-for-ever", bpmn.Warning, "nothing but the message ends the wait"},
}

var severities = func() map[string]bpmn.Severity {
	m := map[string]bpmn.Severity{}
	for _, r := range Rules {
		m[r.Code] = r.Severity
	}
	return m
}()
