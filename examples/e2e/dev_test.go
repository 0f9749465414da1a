//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"
)

// TestDevKilled kills "railhead dev", everything in one process, and starts it
// again on the same folder: it comes up, proves another transfer, and stops when
// asked.
func TestDevKilled(t *testing.T) {
	dir := workDir(t)
	dev := launch(t, "dev", dir, binary(t), "dev", "--dir", dir+"/data", "--free-ports", "--connectors", connector, "--exit-with-parent")
	proven := func(times int) {
		t.Helper()
		until(t, 2*time.Minute, func() error {
			if err := dev.ended(); err != nil {
				return stop{err}
			}
			log, err := os.ReadFile(dev.log)
			if err != nil {
				return err
			}
			if n := bytes.Count(log, []byte("interrupt (Ctrl-C) to stop")); n < times {
				return fmt.Errorf("it has proven %d transfers, want %d", n, times)
			}
			return nil
		})
	}
	proven(1)
	dev.kill()
	if err := dev.start(); err != nil {
		t.Fatal(err)
	}
	proven(2)
	dev.signal(syscall.SIGTERM)
	select {
	case <-dev.done:
	case <-time.After(patience):
		t.Fatal("it does not stop when asked")
	}
	if code := dev.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("asked to stop, it exits with %d", code)
	}
}
