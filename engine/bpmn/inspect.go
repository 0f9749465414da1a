package bpmn

import "strings"

// Verdict says of one process whether the engine could run it.
type Verdict struct {
	Process    string // its id
	Name       string
	Executable bool // as the file marks it: Parse passes over the others
	Elements   int
	// Problems are what Parse would say of it if it were executable.
	Problems []Problem
}

// Runs tells whether nothing stands against running the process.
func (v *Verdict) Runs() bool { return !Refused(v.Problems) }

// Needs tells what the process needs to run: "nothing"; "details", where it only leaves
// out what an engine must be told, such as a job type or a condition; "changes", where
// it contradicts itself or BPMN; or "another engine", where it has elements that this
// one does not execute.
func (v *Verdict) Needs() string {
	needs := "nothing"
	for i := range v.Problems {
		switch p := &v.Problems[i]; {
		case p.Severity != Error:
		case p.Unsupported():
			return "another engine"
		case !strings.HasPrefix(p.Code, "missing-"):
			needs = "changes"
		case needs == "nothing":
			needs = "details"
		}
	}
	return needs
}

// Unsupported tells whether the problem is something that BPMN has and the engine does
// not execute, rather than a fault of the file.
func (p *Problem) Unsupported() bool { return strings.HasPrefix(p.Code, "unsupported-") }

// Inspect judges every process of a file, whether it is marked executable or not: what
// a model made for people lacks to be run, element by element. The problems beside the
// verdicts are those of the file as a whole.
func Inspect(file []byte) ([]Verdict, []Problem) {
	p := newParser()
	p.every = true
	processes := p.definitions(file)
	whole := p.problems
	var verdicts []Verdict
	for _, t := range processes {
		p.problems, p.count = nil, [Warning + 1]int{}
		process := p.process(t)
		verdicts = append(verdicts, Verdict{
			Process: process.ID, Name: process.Name, Executable: t.attr("isExecutable") == "true",
			Elements: len(process.Elements), Problems: p.problems,
		})
	}
	return verdicts, whole
}
