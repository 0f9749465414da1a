package wasm

import "fmt"

// Fault says in what way a module is not to be had.
type Fault int

// The faults.
const (
	Broken     Fault = iota // the bytes are no module
	Feature                 // it uses what is not in the WebAssembly 2.0 core, or table.grow
	TooLarge                // there is more of something than is allowed
	TooComplex              // its code would keep a compiler busy for too long
)

// FormatError says why a module is refused.
type FormatError struct {
	Fault Fault
	Text  string
}

func (e *FormatError) Error() string { return "wasm: " + e.Text }

func malformed(format string, args ...any) error { return faulty(Broken, format, args...) }

func faulty(fault Fault, format string, args ...any) error {
	return &FormatError{fault, fmt.Sprintf(format, args...)}
}
