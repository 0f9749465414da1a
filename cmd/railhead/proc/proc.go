// Package proc starts other railhead processes: this same binary again, with
// other arguments. Its children end with it, however it ends: each holds the
// reading end of a pipe as its standard input and stops when that closes.
package proc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// ExitWithParent is the flag that makes a railhead process stop when its
// standard input closes.
const ExitWithParent = "exit-with-parent"

// Process is a child.
type Process struct {
	Name string
	Log  string // path of the file with its output

	cmd   *exec.Cmd
	stdin io.WriteCloser
	done  chan struct{}
	err   error
}

// Start runs this binary with args. Its output is appended to the file
// NAME.log in dir.
func Start(name, dir string, args ...string) (*Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this binary: %w", err)
	}
	p := &Process{Name: name, Log: filepath.Join(dir, name+".log"), done: make(chan struct{})}
	log, err := os.OpenFile(p.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	defer log.Close() // the child has its own
	p.cmd = exec.Command(self, append(args, "--"+ExitWithParent)...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// Exited is closed when the process has ended, by itself or not.
func (p *Process) Exited() <-chan struct{} { return p.done }

// PID is the process's number.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Stop asks the process to end and, if it does not within the grace, kills it.
func (p *Process) Stop(grace time.Duration) error {
	_ = p.stdin.Close()
	select {
	case <-p.done:
	case <-time.After(grace):
		_ = p.cmd.Process.Kill()
		<-p.done
		return fmt.Errorf("%s did not stop within %s and was killed", p.Name, grace)
	}
	return nil
}

// Fault says why an ended process ended, with the last lines of its log.
func (p *Process) Fault() error {
	select {
	case <-p.done:
	default:
		return nil
	}
	why := "it ended"
	if p.err != nil {
		why = p.err.Error()
	}
	return fmt.Errorf("%s: %s\n%s(all of it: %s)", p.Name, why, tail(p.Log, 12), p.Log)
}

func tail(path string, lines int) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	all := strings.SplitAfter(strings.TrimRight(string(raw), "\n")+"\n", "\n")
	if len(all) > lines+1 {
		all = all[len(all)-lines-1:]
	}
	return "  " + strings.TrimRight(strings.Join(all, "  "), " ")
}

// AwaitReady polls a readiness address until it answers 200, the process ends or
// ctx does.
func (p *Process) AwaitReady(ctx context.Context, url string) error {
	client := &http.Client{Timeout: time.Second}
	for {
		if response, err := client.Get(url); err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-p.done:
			return p.Fault()
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w\n%s", p.Name, ctx.Err(), tail(p.Log, 12))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// FreePorts finds n loopback ports that nobody uses now.
func FreePorts(n int) ([]int, error) {
	var held []net.Listener
	defer func() {
		for _, l := range held {
			_ = l.Close()
		}
	}()
	ports := make([]int, 0, n)
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		held = append(held, l)
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// StopAll stops processes, the last started first.
func StopAll(all []*Process, grace time.Duration) error {
	var errs []error
	for _, p := range slices.Backward(all) {
		errs = append(errs, p.Stop(grace))
	}
	return errors.Join(errs...)
}
