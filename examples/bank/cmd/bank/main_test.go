package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestMain lets the test binary be the program: a child with BANK_TEST_MAIN runs
// main.
func TestMain(m *testing.M) {
	if os.Getenv("BANK_TEST_MAIN") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

type process struct {
	cmd    *exec.Cmd
	stderr io.Reader
	base   string
}

func start(t *testing.T, args ...string) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "BANK_TEST_MAIN=1", "BANK_ADDR=127.0.0.1:0", "BANK_SEED=demo")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			cmd.Process.Kill() // it may have ended by itself
			cmd.Wait()         // it was killed
		}
	})
	lines := bufio.NewReader(stderr)
	var said strings.Builder
	for {
		line, err := lines.ReadBytes('\n')
		said.Write(line)
		if err != nil {
			t.Fatalf("the bank did not open: %s", said.String())
		}
		var entry struct{ Msg, Addr string }
		if json.Unmarshal(line, &entry) == nil && entry.Msg == "the bank is open" {
			return &process{cmd, lines, "http://" + entry.Addr}
		}
	}
}

// client never repeats a request by itself, which net/http does with requests
// that bear an idempotency key.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

func (p *process) post(path, key, body string) (int, string, error) {
	r, err := http.NewRequest(http.MethodPost, p.base+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Idempotency-Key", key)
	r.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

func (p *process) get(t *testing.T, path string) map[string]any {
	t.Helper()
	resp, err := client.Get(p.base + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	out := map[string]any{}
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

// busy reports whether a request besides its own is being worked on.
func (p *process) busy(t *testing.T) bool {
	t.Helper()
	resp, err := client.Get(p.base + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(text), "bank_http_requests_in_flight 2")
}

func deposit(i int) (key, body string) {
	key = fmt.Sprint("deposit-", i)
	return key, fmt.Sprintf(`{"account":{"id":"greenbank-27710101999-usd"},"amount":"1","currency":"USD","reference":%q}`, key)
}

// TestKill kills the bank while it books, three times, and sends everything again
// under the same keys: each deposit is in the ledger once, and who was answered
// before gets that answer again.
func TestKill(t *testing.T) {
	db := filepath.Join(t.TempDir(), "bank.db")
	const deposits, rounds = 150, 3
	var mu sync.Mutex
	answers := make(map[int]string)

	for round := range rounds {
		p := start(t, "--db="+db)
		var wg sync.WaitGroup
		work := make(chan int)
		for range 8 {
			wg.Go(func() {
				for i := range work {
					key, body := deposit(i)
					status, text, err := p.post("/deposits", key, body)
					if err != nil {
						continue
					}
					mu.Lock()
					if before, ok := answers[i]; status != http.StatusCreated || ok && before != text {
						t.Errorf("deposit %d: status %d, %s, before %s", i, status, text, before)
					}
					answers[i] = text
					if len(answers) == (round+1)*deposits/(rounds+1) {
						p.cmd.Process.Kill() // whether it dies now or has died is the same
					}
					mu.Unlock()
				}
			})
		}
		for i := range deposits {
			work <- i
		}
		close(work)
		wg.Wait()
		p.cmd.Wait() // it was killed
	}

	p := start(t, "--db="+db)
	for i := range deposits {
		key, body := deposit(i)
		status, text, err := p.post("/deposits", key, body)
		if before, ok := answers[i]; err != nil || status != http.StatusCreated || ok && before != text {
			t.Fatalf("deposit %d: status %d, %s, before %s, %v", i, status, text, before, err)
		}
	}
	if got := p.get(t, "/accounts/greenbank-27710101999-usd")["balance"]; got != fmt.Sprintf("%d.00", 10_000+deposits) {
		t.Errorf("balance is %v", got)
	}
	if check := p.get(t, "/ledger/check"); check["ok"] != true {
		t.Errorf("the ledger is not sound: %v", check)
	}
}

// TestGracefulStop lets a request that is being worked on finish.
func TestGracefulStop(t *testing.T) {
	p := start(t, "--db="+filepath.Join(t.TempDir(), "bank.db"), "--delay=500ms")
	answered := make(chan string, 1)
	go func() {
		key, body := deposit(1)
		status, _, err := p.post("/deposits", key, body)
		answered <- fmt.Sprint(status, " ", err)
	}()
	for deadline := time.Now().Add(10 * time.Second); !p.busy(t); {
		if time.Now().After(deadline) {
			t.Fatal("the request never arrived")
		}
	}
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if got := <-answered; got != "201 <nil>" {
		t.Errorf("the request in flight got %s", got)
	}
	if _, err := io.Copy(io.Discard, p.stderr); err != nil {
		t.Error(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("the bank ended with %v", err)
	}
}

func TestOptions(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	db := "--db=" + filepath.Join(dir, "bank.db")
	for _, row := range []struct{ args, says string }{
		{"--keys=lost", "keys is"},
		{"--addr=0.0.0.0:0", "bearer token"},
		{"--seed=" + filepath.Join(dir, "nowhere"), "read the seed"},
		{"--seed=" + empty, "not as it should be"},
		{"--log=loud", "--log"},
		{"--token-file=" + empty, "is empty"},
		{"--request-timeout=-1s", "below zero"},
		{"extra", "unexpected argument"},
		{"--db=" + filepath.Join(dir, "no", "such", "folder"), "sqlite"},
		{"--db=postgres://127.0.0.1:1/nothing", "postgres"},
	} {
		args := []string{db, row.args}
		if err := run(ctx, args, io.Discard); err == nil || !strings.Contains(err.Error(), row.says) {
			t.Errorf("%s: %v, want it to say %q", row.args, err, row.says)
		}
	}
	t.Setenv("BANK_DELAY", "soon")
	if err := run(ctx, nil, io.Discard); err == nil || !strings.Contains(err.Error(), "BANK_DELAY") {
		t.Errorf("a bad environment: %v", err)
	}
}
