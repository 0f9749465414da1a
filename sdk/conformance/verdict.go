package conformance

import "fmt"

// Status is how a case ended.
type Status string

// The statuses of a case.
const (
	Passed Status = "passed"
	Failed Status = "failed"
	// NotApplicable is a case that this connector gives no occasion for: it does not
	// serve the job type, or no vector shows the answer that the case is about. The
	// text says which.
	NotApplicable Status = "not applicable"
)

// Verdict is what became of one case.
type Verdict struct {
	// Case is the case's name, as in ams/hold/duplicate.
	Case   string
	Status Status
	// Text says in sentences what is wrong, or why the case is not applicable.
	Text string
}

func (v Verdict) String() string {
	if v.Text == "" {
		return v.Case + ": " + string(v.Status)
	}
	return v.Case + ": " + string(v.Status) + ": " + v.Text
}

// finding is what a case returns: nothing wrong is the zero value.
type finding struct {
	status Status
	text   string
}

var passed = finding{status: Passed}

func failed(format string, args ...any) finding { return finding{Failed, fmt.Sprintf(format, args...)} }

func absent(format string, args ...any) finding {
	return finding{NotApplicable, fmt.Sprintf(format, args...)}
}
