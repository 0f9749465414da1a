package secret

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// File is one secret. It is safe for concurrent use.
type File struct {
	tenant, name, path string
	log                *slog.Logger

	state atomic.Pointer[state]
	// renewing is held by whoever reads the file again; others go on with what they
	// have.
	renewing sync.Mutex
	// refused is what the log was last told about, so that it is told once.
	refused string
}

// state is what was read of a file, frozen.
type state struct {
	value   string
	version uint64
	info    os.FileInfo
	// read is when the file was read. A file changed again within the grain of its
	// time stamp looks unchanged, so one that was young when it was read is read
	// again.
	read   time.Time
	former []former
}

// former is a value that the file had.
type former struct {
	value string
	until time.Time
}

const (
	// young is the age of a file below which its time stamp is not trusted.
	young = 2 * time.Second
	// quiet is for how long a file that is written in place must not have changed.
	quiet     = 50 * time.Millisecond
	quietWait = 20 // times, until it is left for later
	// Former values are scrubbed for that long, and that many of them.
	formerFor = time.Hour
	formerMax = 8
)

// Name is the secret's name.
func (f *File) Name() string { return f.name }

// Value is the secret as it is now. It costs a look at the file's time stamp.
func (f *File) Value() string { return f.current().value }

// Version rises with every new value.
func (f *File) Version() uint64 { return f.current().version }

// Unfit tells the log that what the file holds now is of no use, and that whoever
// wanted it goes on with what it had.
func (f *File) Unfit(err error) {
	f.log.Warn("a secret's new value is of no use; the one before stays in use",
		"tenant", f.tenant, "secret", f.name, "err", err)
}

func (f *File) current() *state {
	now := f.state.Load()
	info, err := os.Stat(f.path)
	if err == nil && now.is(info) {
		return now
	}
	if !f.renewing.TryLock() {
		return now
	}
	defer f.renewing.Unlock()
	now = f.state.Load()
	next, err := f.renew(now)
	if err != nil {
		if text := err.Error(); text != f.refused {
			f.refused = text
			f.log.Warn("a secret's file cannot be used; the value read before stays in use",
				"tenant", f.tenant, "secret", f.name, "err", err)
		}
		return now
	}
	f.refused = ""
	if next.value == now.value {
		next.version, next.former = now.version, now.former
	} else {
		next.version = now.version + 1
		next.former = append([]former{{now.value, time.Now().Add(formerFor)}}, now.former[:min(len(now.former), formerMax-1)]...)
		f.log.Info("a secret has a new value", "tenant", f.tenant, "secret", f.name)
	}
	f.state.Store(next)
	return next
}

// is reports whether a file is still the one that was read.
func (s *state) is(info os.FileInfo) bool {
	return os.SameFile(s.info, info) && s.info.Size() == info.Size() && s.info.ModTime().Equal(info.ModTime()) &&
		s.read.Sub(info.ModTime()) > young
}

// renew reads the file again. One that is being written in place is waited for,
// since half a secret is a wrong one.
func (f *File) renew(now *state) (*state, error) {
	for range quietWait {
		next, err := f.read()
		if err != nil || !os.SameFile(now.info, next.info) || next.value == now.value {
			return next, err
		}
		age := time.Since(next.info.ModTime())
		if age >= quiet {
			return next, nil
		}
		time.Sleep(min(quiet, quiet-age))
	}
	return nil, fmt.Errorf("secret %s of tenant %s is being written", f.name, f.tenant)
}

// read reads the file. The error names the secret, never its value.
func (f *File) read() (*state, error) {
	file, err := os.Open(f.path)
	if err != nil {
		return nil, f.explain(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, f.explain(err)
	}
	begun := time.Now()
	value, err := io.ReadAll(io.LimitReader(file, ValueMax+3)) // and a line's end
	if err != nil {
		return nil, f.explain(err)
	}
	value = bytes.TrimRight(value, "\r\n")
	if len(value) < ValueMin || len(value) > ValueMax {
		return nil, fmt.Errorf("secret %s of tenant %s has %d bytes; %d to %d are allowed",
			f.name, f.tenant, len(value), ValueMin, ValueMax)
	}
	return &state{value: string(value), version: 1, info: info, read: begun}, nil
}
