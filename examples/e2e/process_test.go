//go:build e2e || kafka || postgres

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// binary is the program under test: bin/railhead, or what RAILHEAD_BIN names.
func binary(t *testing.T) string {
	t.Helper()
	path := os.Getenv("RAILHEAD_BIN")
	if path == "" {
		path = "../../bin/railhead"
	}
	path, err := filepath.Abs(path)
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		t.Fatalf("no program to test, \"make build\" builds it: %v", err)
	}
	return path
}

// workDir is a folder for a test's data and logs, removed if the test passes.
func workDir(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../../.tmp/e2e")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(root, 0o755); err != nil {
		t.Fatal(err)
	}
	//nolint:usetesting // it must outlive a test that fails
	dir, err := os.MkdirTemp(root, strings.NewReplacer("/", "-", " ", "-").Replace(t.Name())+"-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("data and logs are in %s", dir)
			return
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("clean up: %v", err)
		}
	})
	return dir
}

// process is a child that can be killed and started again.
type process struct {
	name string
	path string
	args []string
	log  string

	cmd  *exec.Cmd
	done chan struct{}
}

// launch starts a program; the test's end kills it.
func launch(t *testing.T, name, dir, path string, args ...string) *process {
	t.Helper()
	p := &process{name: name, path: path, args: args, log: filepath.Join(dir, name+".log")}
	if err := p.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	return p
}

func (p *process) start() error {
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	fmt.Fprintf(log, "---- %s %s\n", p.path, strings.Join(p.args, " "))
	p.cmd = exec.Command(p.path, p.args...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	// Held until the process ends. It closes when this one dies, however it dies,
	// and the child was told to stop then.
	if _, err := p.cmd.StdinPipe(); err != nil {
		return err
	}
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	done := make(chan struct{})
	p.done = done
	go func(cmd *exec.Cmd) {
		_ = cmd.Wait() // a killed process always has an error
		close(done)
	}(p.cmd)
	return nil
}

// kill ends the process as a power cut would: kill -9.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended already
	<-p.done
}

// signal sends the process a signal: SIGSTOP lets it hang, SIGCONT go on.
func (p *process) signal(s os.Signal) {
	_ = p.cmd.Process.Signal(s) // it may have ended, which the test then finds out
}

// ended says whether the process ended by itself, with the end of its log.
func (p *process) ended() error {
	select {
	case <-p.done:
	default:
		return nil
	}
	raw, _ := os.ReadFile(p.log)
	lines := bytes.Split(bytes.TrimSpace(raw), []byte("\n"))
	return fmt.Errorf("%s has ended:\n%s", p.name, bytes.Join(lines[max(0, len(lines)-15):], []byte("\n")))
}

// freePorts finds n loopback ports nobody uses.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	ports := make([]int, n)
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports
}

func address(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
func url(port int) string     { return "http://" + address(port) }

// until polls a condition, which says what is still missing, until it holds.
func until(t *testing.T, patience time.Duration, condition func() error) {
	t.Helper()
	if err := await(patience, condition); err != nil {
		t.Fatal(err)
	}
}

// await is until, for those who are not the test's own goroutine.
func await(patience time.Duration, condition func() error) error {
	deadline := time.Now().Add(patience)
	for {
		err := condition()
		if err == nil {
			return nil
		}
		if fatal := (stop{}); errors.As(err, &fatal) {
			return fatal.err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("after %s: %w", patience, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// stop is a condition's error that waiting will not mend.
type stop struct{ err error }

func (s stop) Error() string { return s.err.Error() }
