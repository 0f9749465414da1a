package host

import (
	"bytes"
	"context"
	"log/slog"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/railhead-hub/railhead/sdk/abi"
)

// What one step may log. More is counted and said once, not written.
const (
	logLinesMax = 100
	logBytesMax = 64 << 10
)

// guestLog turns what a guest writes into lines of the node's log.
type guestLog struct {
	to           *slog.Logger
	lines, bytes int
	dropped      int
	// said is the step's last line of level error: of a guest that traps, the reason.
	said string
	// partial holds the unfinished lines of standard output and standard error.
	partial [2][]byte
}

// begin starts a step's allowance.
func (l *guestLog) begin() { l.lines, l.bytes, l.dropped, l.said = 0, 0, 0, "" }

// end writes what is left over.
func (l *guestLog) end() {
	for s := range l.partial {
		l.flush(s)
	}
	if l.dropped > 0 {
		l.to.Warn("the connector logs too much in one step", "dropped_lines", l.dropped)
	}
}

func (l *guestLog) line(level int32, text []byte) {
	if l.lines >= logLinesMax || l.bytes+min(len(text), abi.LogLineMaxBytes) > logBytesMax {
		l.dropped++
		return
	}
	l.lines++
	l.bytes += min(len(text), abi.LogLineMaxBytes)
	said := escape(text)
	if nearest(level) == slog.LevelError {
		l.said = said
	}
	l.to.Log(context.Background(), nearest(level), "the connector says", "text", said)
}

func nearest(level int32) slog.Level {
	switch {
	case level < abi.LevelInfo:
		return slog.LevelDebug
	case level < abi.LevelWarn:
		return slog.LevelInfo
	case level < abi.LevelError:
		return slog.LevelWarn
	}
	return slog.LevelError
}

// stream takes a piece of standard output (0) or standard error (1).
func (l *guestLog) stream(which int, piece []byte) {
	for len(piece) > 0 {
		end := bytes.IndexByte(piece, '\n')
		if end < 0 {
			l.gather(which, piece)
			return
		}
		l.gather(which, piece[:end])
		l.flush(which)
		piece = piece[end+1:]
	}
}

func (l *guestLog) gather(which int, piece []byte) {
	room := abi.LogLineMaxBytes - len(l.partial[which])
	l.partial[which] = append(l.partial[which], piece[:min(len(piece), room)]...)
}

func (l *guestLog) flush(which int) {
	if len(l.partial[which]) == 0 {
		return
	}
	level := int32(abi.LevelInfo)
	if which == 1 {
		level = abi.LevelWarn
	}
	l.line(level, l.partial[which])
	l.partial[which] = l.partial[which][:0]
}

// escape makes text fit for a log: cut to its limit, and without control or
// other invisible characters that could forge lines or colour a terminal.
func escape(text []byte) string {
	cut := len(text) > abi.LogLineMaxBytes
	if cut {
		text = text[:abi.LogLineMaxBytes]
	}
	out := make([]byte, 0, len(text)+3)
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && size == 1:
			out = append(out, `\x`...)
			out = append(out, "0123456789abcdef"[text[0]>>4], "0123456789abcdef"[text[0]&15])
		case unicode.IsPrint(r):
			out = utf8.AppendRune(out, r)
		default:
			quoted := strconv.QuoteRuneToASCII(r)
			out = append(out, quoted[1:len(quoted)-1]...)
		}
		text = text[size:]
	}
	if cut {
		out = append(out, "…"...)
	}
	return string(out)
}
