//go:build e2e || kafka || postgres

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	corev1 "github.com/railhead-hub/railhead/core/v1"
	"github.com/railhead-hub/railhead/core/v1/corev1connect"
	"github.com/railhead-hub/railhead/opsd/v1/opsv1connect"
)

const (
	tenant    = "greenbank"
	payer     = "27710101999" // of the bank's demo seed
	payee     = "27710203999"
	amount    = "25.00"
	currency  = "USD"
	ourFlow   = "payer-fund-transfer-{tenant}"
	phEEFlow  = "PayerFundTransfer-{tenant}"
	patience  = 60 * time.Second
	connector = "../../bin/connectors"
)

// options of a hub. The zero value is one node, a bank that honours idempotency
// keys, the embedded broker, and our own flow.
type options struct {
	nodes       int
	keysIgnored bool // the bank executes every POST again; its endpoint is asked, not repeated
	testClock   bool
	confirm     bool   // the payer's confirmation comes from outside
	brokers     string // a Kafka outside
	database    func(name string) string
	flow        string
}

// hub is a running installation.
type hub struct {
	t   *testing.T
	dir string
	bin string
	options

	nodes  []*node
	kafka  *process // the embedded broker, if it is used
	opsd   *process
	bank   party
	scheme party
	ops    opsv1connect.OpsServiceClient
	opsURL string
}

// node is one node's process and its doors.
type node struct {
	*process
	id      string
	ingress string // URL
	admin   string // URL
	control corev1connect.ControlServiceClient
	door    string // URL of control
}

// party is a counterpart: a URL and its process.
type party struct {
	*process
	url string
}

// startHub brings everything up, and the tenant into service.
func startHub(t *testing.T, o options) *hub {
	t.Helper()
	if o.nodes == 0 {
		o.nodes = 1
	}
	if o.flow == "" {
		o.flow = ourFlow
	}
	h := &hub{t: t, dir: workDir(t), bin: binary(t), options: o}
	if o.database == nil {
		h.database = func(name string) string { return filepath.Join(h.dir, name+".db") }
	}
	ports := freePorts(t, 5+4*o.nodes)
	if h.brokers == "" {
		h.brokers = address(ports[0])
		h.kafka = h.launch("kafka", "example", "kafka", "--dir", filepath.Join(h.dir, "kafka"), "--port", fmt.Sprint(ports[0]))
	}
	keys := "honoured"
	if o.keysIgnored {
		keys = "ignored"
	}
	h.bank = party{url: url(ports[1]), process: h.launch("bank", "example", "bank", "--listen", address(ports[1]),
		"--db", h.database("bank"), "--seed", "demo", "--keys", keys, "--faults", "--request-timeout", "3s")}

	members := make([]string, o.nodes)
	at := func(i int) []int { return ports[5+4*i:] }
	for i := range members {
		members[i] = fmt.Sprintf("n%d=%s/%s", i+1, address(at(i)[0]), address(at(i)[1]))
	}
	for i := range o.nodes {
		p := at(i)
		n := &node{id: fmt.Sprintf("n%d", i+1), door: url(p[1]), ingress: url(p[2]), admin: url(p[3])}
		args := []string{
			"node", "--id", n.id, "--dir", filepath.Join(h.dir, n.id),
			"--raft", address(p[0]), "--control", address(p[1]), "--ingress", address(p[2]), "--admin", address(p[3]),
			"--kafka-brokers", h.brokers, "--kafka-replication-factor", "1", "--kafka-min-in-sync", "1",
			fmt.Sprintf("--kafka-allow-embedded=%t", h.kafka != nil), fmt.Sprintf("--test-clock=%t", o.testClock),
		}
		if o.nodes > 1 {
			args = append(args, "--peers", strings.Join(members, ","))
		}
		n.process = h.launch(n.id, args...)
		n.control = corev1connect.NewControlServiceClient(h2c(), n.door, connect.WithGRPC())
		h.nodes = append(h.nodes, n)
	}
	callbacks := h.nodes[0].ingress
	if o.nodes > 1 {
		callbacks = h.balance()
	}
	h.scheme = party{url: url(ports[2]), process: h.launch("scheme", "example", "mojaloop-hub", "--listen", address(ports[2]),
		"--callback", tenant+"="+callbacks, "--payee", "MSISDN:"+payee+":Neema Okoye")}
	h.opsd = h.launch("opsd", "opsd", "--listen", address(ports[3]), "--admin", address(ports[4]),
		"--kafka-brokers", h.brokers, "--store", h.database("opsd"))
	h.opsURL = url(ports[3])
	h.ops = opsv1connect.NewOpsServiceClient(h2c(), h.opsURL, connect.WithGRPC())

	h.awaitHTTP(h.bank.process, h.bank.url+"/livez")
	for _, n := range h.nodes {
		h.awaitHTTP(n.process, n.admin+"/readyz")
	}
	h.provision()
	return h
}

func (h *hub) launch(name string, args ...string) *process {
	return launch(h.t, name, h.dir, h.bin, append(args, "--exit-with-parent")...)
}

// h2c speaks HTTP/2 in clear, as gRPC on loopback does.
func h2c() *http.Client {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	return &http.Client{Transport: &http.Transport{
		Protocols: &protocols, DialContext: (&net.Dialer{Timeout: 2 * time.Second}).DialContext,
	}}
}

func (h *hub) awaitHTTP(p *process, url string) {
	h.t.Helper()
	until(h.t, patience, func() error {
		if err := p.ended(); err != nil {
			return stop{err}
		}
		response, err := httpClient.Get(url)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answers %s", url, response.Status)
		}
		return nil
	})
}

// restart starts a node that was killed, and waits until it serves.
func (h *hub) restart(n *node) {
	h.t.Helper()
	if err := n.start(); err != nil {
		h.t.Fatal(err)
	}
	h.awaitHTTP(n.process, n.admin+"/readyz")
}

// leader waits until exactly one node says that it leads, and returns it.
func (h *hub) leader() *node {
	h.t.Helper()
	var leader *node
	until(h.t, patience, func() error {
		leader = nil
		for _, n := range h.nodes {
			ctx, cancel := context.WithTimeout(h.t.Context(), time.Second)
			s, err := n.control.Status(ctx, &corev1.StatusRequest{})
			cancel()
			if err == nil && s.GetRole() == "leader" {
				if leader != nil {
					return fmt.Errorf("%s and %s both lead", leader.id, n.id)
				}
				leader = n
			}
		}
		if leader == nil {
			return errors.New("nobody leads")
		}
		return nil
	})
	return leader
}

// provision configures the tenant with the command line, as an operator does.
func (h *hub) provision() {
	h.t.Helper()
	bank := map[string]any{"url": h.bank.url, "allow": []string{"127.0.0.1/32"}, "timeout_ms": 10_000}
	if h.keysIgnored {
		bank["mode"] = "ask"
	}
	anybody := map[string]any{"kind": "none"} // the hub listens on loopback
	scheme := map[string]any{"url": h.scheme.url, "allow": []string{"127.0.0.1/32"}, "timeout_ms": 10_000}
	config := map[string]any{"connectors": map[string]any{
		"bank": map[string]any{
			// The bank gives up a request after 3 s, so 4 s later it has the last word.
			"config":    map[string]any{"settle_ms": 4000},
			"endpoints": map[string]any{"ledger": bank},
		},
		"mojaloop":   map[string]any{"endpoints": map[string]any{"hub": scheme, "hub-query": scheme}, "auth": anybody},
		"paymenthub": map[string]any{"config": map[string]any{"flow": h.flow, "auto_confirm": !h.confirm}, "auth": anybody},
	}}
	file := filepath.Join(h.dir, "tenant.json")
	raw, err := json.Marshal(map[string]any{
		"id": tenant, "name": "Green Bank", "config": config,
		"aliases": []map[string]string{{"kind": "fsp_id", "value": tenant}},
	})
	if err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(file, raw, 0o644); err != nil {
		h.t.Fatal(err)
	}
	h.railhead("tenant", "put", file, "--reason", "test")
	h.railhead("connector", "install", "--activate", tenant,
		connector+"/ams-bank.wasm", connector+"/scheme-mojaloop.wasm", connector+"/channel-paymenthub.wasm")
	h.railhead("flow", "deploy", "../flows/payer-fund-transfer-DFSPID.bpmn", "--strict", "--tenant", tenant)
}

// railhead runs the command line against the leader and returns what it prints.
func (h *hub) railhead(args ...string) string {
	h.t.Helper()
	cmd := exec.CommandContext(h.t.Context(), h.bin, append(args, "--control", h.leader().door, "--timeout", "60s")...)
	var out, faults bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &faults
	if err := cmd.Run(); err != nil {
		h.t.Fatalf("railhead %s: %v\n%s%s", strings.Join(args, " "), err, out.String(), faults.String())
	}
	return out.String()
}
