//go:build !wasip1

package connector

import "os"

// logLine writes to standard error, where go test shows it.
func logLine(level Level, line []byte) {
	name := "ERROR "
	switch {
	case level < Info:
		name = "DEBUG "
	case level < Warn:
		name = "INFO "
	case level < Error:
		name = "WARN "
	}
	// A log line that cannot be written is lost, as it is in the sandbox.
	_, _ = os.Stderr.Write(append(append([]byte(name), line...), '\n'))
}
