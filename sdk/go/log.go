package connector

import (
	"strconv"

	"github.com/railhead-hub/railhead/sdk/abi"
)

// Level is the weight of a log line.
type Level int32

// The levels, as in log/slog.
const (
	Debug Level = abi.LevelDebug
	Info  Level = abi.LevelInfo
	Warn  Level = abi.LevelWarn
	Error Level = abi.LevelError
)

// Log writes a line to the node's log: a message, then keys and values. It is
// for whoever runs the connector; never log secrets or personal data. Lines
// that an earlier step has written already are not written again.
func (c *Context) Log(level Level, message string, keyValues ...any) {
	if c.next < len(c.history) {
		return
	}
	line := []byte(message)
	for i, kv := range keyValues {
		if i%2 == 0 {
			line = append(line, ' ')
		} else {
			line = append(line, '=')
		}
		line = appendText(line, kv)
	}
	logLine(level, line)
}

func appendText(dst []byte, v any) []byte {
	switch v := v.(type) {
	case string:
		if needsQuotes(v) {
			return strconv.AppendQuote(dst, v)
		}
		return append(dst, v...)
	case error:
		return strconv.AppendQuote(dst, v.Error())
	case interface{ String() string }:
		return strconv.AppendQuote(dst, v.String())
	}
	out, ok := appendJSON(dst, "log", v)
	if !ok {
		return append(dst, '?')
	}
	return out
}

func needsQuotes(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] == '"' || s[i] == '=' || s[i] >= 0x7f {
			return true
		}
	}
	return s == ""
}
