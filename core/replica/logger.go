package replica

import (
	"context"
	"io"
	"log"
	"log/slog"

	"github.com/hashicorp/go-hclog"
)

// raftLogger lets Raft log through slog. Raft's Info is about its own doings, so
// it arrives as Debug; what asks for attention keeps its level.
type raftLogger struct {
	slog *slog.Logger
	name string
	args []any
}

var _ hclog.Logger = (*raftLogger)(nil)

func (l *raftLogger) Log(level hclog.Level, msg string, args ...any) {
	to := slog.LevelDebug
	switch level {
	case hclog.Warn:
		to = slog.LevelWarn
	case hclog.Error:
		to = slog.LevelError
	case hclog.Trace, hclog.NoLevel, hclog.Off:
		return
	}
	if !l.slog.Enabled(context.Background(), to) {
		return
	}
	for i, a := range args {
		if f, ok := a.(hclog.Format); ok && len(f) > 0 {
			args[i] = f[1:]
		}
	}
	l.slog.Log(context.Background(), to, msg, args...) //nolint:sloglint // the words are Raft's
}

func (l *raftLogger) Trace(string, ...any)             {}
func (l *raftLogger) Debug(msg string, args ...any)    { l.Log(hclog.Debug, msg, args...) }
func (l *raftLogger) Info(msg string, args ...any)     { l.Log(hclog.Info, msg, args...) }
func (l *raftLogger) Warn(msg string, args ...any)     { l.Log(hclog.Warn, msg, args...) }
func (l *raftLogger) Error(msg string, args ...any)    { l.Log(hclog.Error, msg, args...) }
func (l *raftLogger) IsTrace() bool                    { return false }
func (l *raftLogger) IsDebug() bool                    { return l.slog.Enabled(context.Background(), slog.LevelDebug) }
func (l *raftLogger) IsInfo() bool                     { return l.IsDebug() }
func (l *raftLogger) IsWarn() bool                     { return true }
func (l *raftLogger) IsError() bool                    { return true }
func (l *raftLogger) ImpliedArgs() []any               { return l.args }
func (l *raftLogger) Name() string                     { return l.name }
func (l *raftLogger) SetLevel(hclog.Level)             {}
func (l *raftLogger) GetLevel() hclog.Level            { return hclog.NoLevel }
func (l *raftLogger) ResetNamed(n string) hclog.Logger { return l.Named(n) }

func (l *raftLogger) With(args ...any) hclog.Logger {
	return &raftLogger{l.slog.With(args...), l.name, append(append([]any(nil), l.args...), args...)}
}

func (l *raftLogger) Named(name string) hclog.Logger {
	return &raftLogger{l.slog.With("part", name), name, l.args}
}

func (l *raftLogger) StandardLogger(*hclog.StandardLoggerOptions) *log.Logger {
	return slog.NewLogLogger(l.slog.Handler(), slog.LevelDebug)
}

func (l *raftLogger) StandardWriter(*hclog.StandardLoggerOptions) io.Writer {
	return l.StandardLogger(nil).Writer()
}
