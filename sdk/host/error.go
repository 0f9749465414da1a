package host

import "errors"

// Code says what kind of thing went wrong. Codes are stable: callers switch on
// them, and operators see them.
type Code string

// Codes of admission: the module can never run here.
const (
	NotWasm          Code = "not-wasm"          // it is not a WebAssembly core module
	Malformed        Code = "malformed"         // it is broken
	ForbiddenFeature Code = "forbidden-feature" // it uses what is not in the WebAssembly 2.0 core, or table.grow
	BadManifest      Code = "bad-manifest"      // the manifest is missing or wrong
	NewerContract    Code = "newer-contract"    // it was built with a later minor version of the contract
	MissingExport    Code = "missing-export"    // an export of the ABI is missing or of another type
	ForbiddenExport  Code = "forbidden-export"  // it exports _start: a command, not a reactor
	ForbiddenImport  Code = "forbidden-import"  // it imports what the host does not give
	TooLarge         Code = "too-large"         // a size limit
	TooComplex       Code = "too-complex"       // its code would keep the compiler busy for too long
	InitFailed       Code = "init-failed"       // its start or _initialize trapped
)

// Codes of a step.
const (
	BadRequest Code = "bad-request" // the caller's request is over a limit
	Trap       Code = "trap"        // the guest trapped
	Exit       Code = "exit"        // the guest ended itself
	Timeout    Code = "timeout"     // it did not answer within its limit
	BadReply   Code = "bad-reply"   // the reply breaks the ABI or the contract
	Guest      Code = "guest"       // the guest reports its own error, such as a panic
	Cancelled  Code = "cancelled"   // the caller's context ended first
	Closed     Code = "closed"      // the module is closed
)

// Error is every error of this package.
type Error struct {
	Code Code
	// Module is the connector's name, or its digest while the name is unknown.
	Module string
	Text   string
	Err    error // what is behind it, may be nil
}

func (e *Error) Error() string {
	text := "connector " + e.Module + ": " + string(e.Code)
	if e.Text != "" {
		text += ": " + e.Text
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

// CodeOf is the code of an error of this package, or "".
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}
