package core

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/railhead-hub/railhead/core/connector"
	"github.com/railhead-hub/railhead/core/outbox"
	corev1 "github.com/railhead-hub/railhead/core/v1"
	"github.com/railhead-hub/railhead/sdk/build"
	"github.com/railhead-hub/railhead/sdk/host"
)

// forms are the ways in which a secret could be recognised, in lower case.
func forms(secret string) [][]byte {
	raw := []byte(secret)
	texts := []string{
		secret, url.QueryEscape(secret), url.PathEscape(secret), html.EscapeString(secret),
		strings.ReplaceAll(secret, "/", `\/`), hex.EncodeToString(raw),
		// One half of it is as telling as the whole.
		secret[:len(secret)/2], secret[len(secret)/2:],
	}
	for before := range 3 {
		all := base64.StdEncoding.EncodeToString(append(make([]byte, before), raw...))
		inner := all[4 : len(all)-4]
		texts = append(texts, inner, strings.NewReplacer("+", "-", "/", "_").Replace(inner))
	}
	var out [][]byte
	for _, text := range texts {
		out = append(out, []byte(strings.ToLower(text)))
	}
	return out
}

// confessor is a peer that shows what it was sent, in the way it is asked for.
func confessor(t *testing.T, told *sync.Map) *httptest.Server {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		told.Store(sent, true)
		mine := r.Header.Get("X-Mine")
		body, _ := io.ReadAll(r.Body)
		switch _, how, _ := strings.Cut(r.URL.Path[1:], "/"); how {
		case "percent":
			sent = url.QueryEscape(sent)
		case "base64":
			sent = base64.StdEncoding.EncodeToString([]byte("Bearer " + sent))
		case "base64url":
			sent = base64.RawURLEncoding.EncodeToString([]byte(sent))
		case "hex":
			sent = hex.EncodeToString([]byte(sent))
		case "json":
			var out strings.Builder
			for _, c := range sent {
				fmt.Fprintf(&out, `\u%04x`, c)
			}
			sent = out.String()
		case "html":
			sent = html.EscapeString(sent)
		case "split":
			w.Header().Set("X-First", sent[:len(sent)/2])
			w.Header().Set("X-Second", sent[len(sent)/2:])
			return
		case "redirect":
			w.Header().Set("Location", "http://169.254.169.254/?t="+url.QueryEscape(sent))
			w.WriteHeader(http.StatusFound)
			return
		}
		switch r.URL.Path {
		case "/doubt":
			w.WriteHeader(http.StatusInternalServerError)
		case "/refusal":
			w.WriteHeader(http.StatusUnprocessableEntity)
		}
		w.Header().Set("X-Echo", mine)
		fmt.Fprintf(w, "you sent %s and %s and %s", sent, mine, body)
	}))
	t.Cleanup(srv.Close)
	return srv
}

// logBuffer is a log that is read while it is written.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.buf.Bytes())
}

// TestSecretsStayInTheHost: a sandboxed connector that does its best to get at a
// secret has it nowhere in its memory, and what it was told is not in the logs, in
// the log of commands and its checkpoints, in what the doors answer, or in Kafka. The
// secret is replaced on the way, and then it is true of both values. A marker that the
// connector spreads in the same ways is found in all these places, so that the search
// is known to search.
func TestSecretsStayInTheHost(t *testing.T) {
	const marker = "visible-marker-7261"
	first, second, apiKey := "kq83/Zx71+mm02&pL55", "wt46/Ab90+nn18&eR31", "gate-9f2c-77aa-key1"
	secrets := t.TempDir()
	put := func(name, value string) {
		t.Helper()
		check(t, os.MkdirAll(filepath.Join(secrets, "greenbank"), 0o700))
		path := filepath.Join(secrets, "greenbank", name)
		check(t, os.WriteFile(path+".new", []byte(value), 0o600))
		check(t, os.Rename(path+".new", path))
	}
	put("bank_token", first)
	put("gate", apiKey)

	kafka := must(kfake.NewCluster(kfake.NumBrokers(1)))
	t.Cleanup(kafka.Close)
	var told sync.Map
	peer := confessor(t, &told)
	logs := new(logBuffer)
	log := slog.New(slog.NewJSONHandler(logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	c := Default()
	c.Dir, c.SecretsDir = t.TempDir(), secrets
	c.Raft, c.Control, c.Ingress, c.Admin = free(t), free(t), free(t), free(t)
	c.Kafka = Kafka{Brokers: kafka.ListenAddrs(), ReplicationFactor: 1, MinInSync: 1, AllowEmbedded: true}
	var module interface{ Dump() [][]byte }
	sandbox := connector.Sandbox(host.Options{Log: log})
	node, err := Open(c, Options{Logger: log, Build: "test", Load: func(ctx context.Context, wasm []byte) (connector.Stepper, error) {
		stepper, err := sandbox(ctx, wasm)
		if err == nil {
			module = stepper.(interface{ Dump() [][]byte })
		}
		return stepper, err
	}})
	check(t, err)
	s := &site{t: t, configs: []Config{c}, nodes: []*Node{node}}
	t.Cleanup(func() { s.close(0) })
	s.ready()

	endpoint := fmt.Sprintf(`{"url":%q,"allow":["127.0.0.1/32"],"retries":0`, peer.URL)
	bound := endpoint + `,"secrets":["bank_token"],"headers":{"authorization":"Bearer {{secret:bank_token}}"}}`
	door := s.control(0)
	_, err = door.PutTenant(t.Context(), &corev1.PutTenantRequest{Tenant: &corev1.Tenant{Id: "greenbank", Config: `{"connectors":{"spy":{
		"auth":{"kind":"api_key","keys":[{"secret":"gate","principal":"the gate"}]},
		"endpoints":{"bound":` + bound + `,"money":` + bound + `,"unbound":` + endpoint + `}}}}}`}})
	check(t, err)
	s.install(must(build.Module(t.Context(), "testdata/spy")))
	_, err = door.DeployFlow(t.Context(), &corev1.DeployFlowRequest{
		File: "spy.bpmn", Xml: flowXML("spy", "spy", ""), Tenants: []string{"greenbank"},
		Ends: []*corev1.EndResult{{Element: "done", Result: corev1.Result_RESULT_COMPLETED, Code: "paid"}},
	})
	check(t, err)

	// The payments: one under the first value, one under the second.
	var answers bytes.Buffer
	pay := func(key string) {
		t.Helper()
		status, answer := s.call(0, "POST", "/spy", map[string]string{
			"Platform-TenantId": "greenbank", "X-CorrelationID": key, "X-API-Key": apiKey, "X-Railhead-Principal": "somebody else",
		}, "{}")
		if status != 202 {
			t.Fatalf("%d %v", status, answer)
		}
		// Neither the key nor the name that the caller gave itself.
		if !strings.HasSuffix(answer["seen"], "|||the gate") {
			t.Errorf("the connector was told of the caller: %q", answer["seen"])
		}
		_ = json.NewEncoder(&answers).Encode(answer)
		until(t, "the payment's end", func() bool {
			p, err := door.GetPayment(t.Context(), &corev1.GetPaymentRequest{By: &corev1.GetPaymentRequest_Payment{Payment: answer["transactionId"]}})
			check(t, err)
			fmt.Fprintln(&answers, answer, p)
			if len(p.Incidents) > 0 {
				t.Fatalf("%v", p)
			}
			return p.Payment.Result == corev1.Result_RESULT_COMPLETED
		})
	}
	pay("before")
	put("bank_token", second)
	pay("after")
	for _, value := range []string{first, second} {
		if _, ok := told.Load(value); !ok {
			t.Fatal("the peer was not sent the secret")
		}
	}

	search := func(where string, what []byte, marked bool) {
		t.Helper()
		lower := bytes.ToLower(what)
		for name, value := range map[string]string{"the first value": first, "the second value": second, "the caller's key": apiKey} {
			for _, form := range forms(value) {
				if at := bytes.Index(lower, form); at >= 0 {
					t.Errorf("%s holds %s as %q: %q", where, name, form, what[max(0, at-100):min(len(what), at+100)])
					break
				}
			}
		}
		if marked && !bytes.Contains(lower, []byte(marker)) {
			t.Errorf("%s does not even hold the marker, in %d bytes", where, len(what))
		}
	}
	search("what the doors answer", answers.Bytes(), false)
	memories := module.Dump()
	search("the connector's memory", bytes.Join(memories, nil), true)
	if !bytes.Contains(bytes.Join(memories, nil), []byte("you sent {{secret:bank_token}}")) {
		t.Error("the connector's memory does not hold what it was told")
	}

	// Kafka, until both payments' ends have come.
	consumer := must(kgo.NewClient(kgo.SeedBrokers(kafka.ListenAddrs()...), kgo.ConsumeTopics(outbox.TopicEvents, outbox.TopicAudit)))
	defer consumer.Close()
	var exported bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for strings.Count(exported.String(), "paid") < 2 {
		fetches := consumer.PollFetches(ctx)
		check(t, ctx.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			exported.Write(r.Key)
			exported.Write(r.Value)
		})
	}
	search("Kafka", exported.Bytes(), true)

	// The disk, when the last checkpoint is on it.
	s.close(0)
	var disk bytes.Buffer
	check(t, filepath.WalkDir(c.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		file, err := os.ReadFile(path)
		disk.Write(file)
		return err
	}))
	search("the disk", disk.Bytes(), true)
	search("the logs", logs.bytes(), false)
	if !bytes.Contains(logs.bytes(), []byte("you sent {{secret:bank_token}}")) {
		t.Error("the logs do not hold what the connector was told")
	}
}

// install uploads a module and activates it for the tenant.
func (s *site) install(module []byte) {
	s.t.Helper()
	stream := must(s.control(0).InstallConnector(s.t.Context()))
	for from := 0; from < len(module); from += 512 << 10 {
		r := &corev1.InstallConnectorRequest{Part: module[from:min(len(module), from+512<<10)]}
		if from == 0 {
			sum := sha256.Sum256(module)
			r.Digest = sum[:]
		}
		check(s.t, stream.Send(r))
	}
	installed, err := stream.CloseAndReceive()
	check(s.t, err)
	_, err = s.control(0).ActivateConnector(s.t.Context(), &corev1.ActivateConnectorRequest{
		Tenant: "greenbank", Connector: installed.Name, Digest: installed.Digest,
	})
	check(s.t, err)
}
