package conformance

import (
	"context"
	"log/slog"
	"strings"
	"sync"

	"github.com/railhead-hub/railhead/sdk/host"
)

// Open compiles a module for the tests of this package: its log lines are kept for
// them instead of being written. The caller closes the module.
func Open(ctx context.Context, module []byte, options host.Options) (Subject, *host.Module, error) {
	lines := &recorder{}
	options.Log = slog.New(lines)
	opened, err := host.Open(ctx, module, options)
	if err != nil {
		return Subject{}, nil, err
	}
	subject := Module(opened)
	subject.Logged = lines.drain
	return subject, opened, nil
}

// recorder keeps log lines, the newest up to a limit.
type recorder struct {
	mu    sync.Mutex
	lines []string
}

const recordedMax = 10_000

func (r *recorder) drain() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := r.lines
	r.lines = nil
	return out
}

// Enabled takes lines of every level.
func (r *recorder) Enabled(context.Context, slog.Level) bool { return true }

// Handle keeps a line.
func (r *recorder) Handle(_ context.Context, record slog.Record) error {
	var line strings.Builder
	line.WriteString(record.Message)
	record.Attrs(func(a slog.Attr) bool {
		line.WriteString(" " + a.Value.String())
		return true
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.lines) < recordedMax {
		r.lines = append(r.lines, line.String())
	}
	return nil
}

// WithAttrs ignores what is the same for all lines: the connector's name and digest.
func (r *recorder) WithAttrs([]slog.Attr) slog.Handler { return r }

// WithGroup has no groups to keep apart.
func (r *recorder) WithGroup(string) slog.Handler { return r }
