//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestConnectorDev walks an author's path: a new connector, a hub, and what is saved
// is what serves. A version that fails its tests is not installed.
func TestConnectorDev(t *testing.T) {
	dir := workDir(t)
	railhead := binary(t)
	hub := launch(t, "dev", dir, railhead, "dev", "--dir", dir+"/data", "--free-ports", "--connectors", connector, "--exit-with-parent")
	address := regexp.MustCompile(`control, metrics +(http://\S+)`)
	var control string
	until(t, 2*time.Minute, func() error {
		if err := hub.ended(); err != nil {
			return stop{err}
		}
		log, err := os.ReadFile(hub.log)
		if err != nil {
			return err
		}
		found := address.FindSubmatch(log)
		if found == nil {
			return fmt.Errorf("the hub has not said where it is")
		}
		control = string(found[1])
		return nil
	})

	project := filepath.Join(dir, "green-ledger")
	if out, err := exec.CommandContext(t.Context(), railhead, "connector", "new", "green-ledger", "--dir", project).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	author := launch(t, "author", dir, railhead, "connector", "dev", project, "--control", control, "--exit-with-parent")
	says := func(times int, want string) {
		t.Helper()
		until(t, 2*time.Minute, func() error {
			if err := author.ended(); err != nil {
				return stop{err}
			}
			log, err := os.ReadFile(author.log)
			if err != nil {
				return err
			}
			if n := bytes.Count(log, []byte(want)); n < times {
				return fmt.Errorf("%q is there %d times, want %d:\n%s", want, n, times, log)
			}
			return nil
		})
	}
	const good = "; it serves green-ledger-dev"
	says(1, good)

	change := func(from, to string) {
		t.Helper()
		file := filepath.Join(project, "main.go")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(strings.Replace(string(text), from, to, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	change(`"holdId": id}`, `"holdId": "h-2"}`)
	says(1, "FAILED; green-ledger-dev still has ")
	change(`"holdId": "h-2"}`, `"holdId": id}`)
	says(2, good)
	change("func main() {}", "func main() {")
	says(1, "it does not build; green-ledger-dev still has ")
	change("func main() {", "func main() {}")
	says(3, good)
}
