// Package network is the counterparty of examples/links/connector: a payment network
// in memory, with one link. It carries out every authorization that reaches it, the
// same one twice too, so that whoever asks twice is found out. It can be told to keep
// answers back. It is for tests and demonstrations.
package network

import (
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
)

// Network listens until it is closed. It is safe for concurrent use.
type Network struct {
	listener net.Listener
	serving  sync.WaitGroup

	mu         sync.Mutex
	conns      map[net.Conn]bool
	authorized map[string]int // carried out, by payment
	advices    []string       // by payment, in the order in which they were first heard
	heard      map[string]int // advices, repeated ones included
	signOns    int
	silent     map[string]bool // verbs that are not answered
	kept       []string        // answers kept back
	faults     []string
}

// Listen starts a network on an address such as 127.0.0.1:0.
func Listen(address string) (*Network, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("network: %w", err)
	}
	n := &Network{
		listener: listener, conns: make(map[net.Conn]bool), authorized: make(map[string]int),
		heard: make(map[string]int), silent: make(map[string]bool),
	}
	n.serving.Go(n.accept)
	return n, nil
}

// Addr is the address to connect to.
func (n *Network) Addr() string { return n.listener.Addr().String() }

// Close ends all connections and waits for what serves them.
func (n *Network) Close() error {
	err := n.listener.Close()
	n.CutOff()
	n.serving.Wait()
	return err
}

// CutOff ends all connections; new ones may come.
func (n *Network) CutOff() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for conn := range n.conns {
		_ = conn.Close()
	}
}

// Silence keeps the answers of a verb back, AUTH or ADVICE, or gives them again. What
// was kept back stays unsaid.
func (n *Network) Silence(verb string, silent bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.silent[verb] = silent
}

// Seen is what the network has seen so far.
type Seen struct {
	Authorized map[string]int // how often it was carried out, by payment
	Advices    []string       // payments, in the order in which they were first heard of
	SignOns    int
	Kept       int      // answers kept back
	Faults     []string // frames that came before a sign-on, or that nobody understands
}

// Seen returns a copy.
func (n *Network) Seen() Seen {
	n.mu.Lock()
	defer n.mu.Unlock()
	return Seen{
		Authorized: maps.Clone(n.authorized), Advices: slices.Clone(n.advices),
		SignOns: n.signOns, Kept: len(n.kept), Faults: slices.Clone(n.faults),
	}
}

func (n *Network) accept() {
	for {
		conn, err := n.listener.Accept()
		if err != nil {
			return
		}
		n.mu.Lock()
		n.conns[conn] = true
		n.mu.Unlock()
		n.serving.Go(func() {
			n.serve(conn)
			_ = conn.Close()
			n.mu.Lock()
			delete(n.conns, conn)
			n.mu.Unlock()
		})
	}
}

// serve reads frames until the connection ends.
func (n *Network) serve(conn net.Conn) {
	signedOn := false
	for {
		var length [2]byte
		if _, err := io.ReadFull(conn, length[:]); err != nil {
			return
		}
		data := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(conn, data); err != nil {
			return
		}
		answer := n.take(string(data), &signedOn)
		if answer == "" {
			continue
		}
		frame := append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)
		if _, err := conn.Write(frame); err != nil {
			return
		}
	}
}

// take deals with one frame and returns the answer, "" for none.
func (n *Network) take(frame string, signedOn *bool) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	words := strings.Fields(frame)
	switch {
	case frame == "SIGNON":
		*signedOn = true
		n.signOns++
		return "SIGNED"
	case !*signedOn:
		n.faults = append(n.faults, "before the sign-on: "+frame)
		return ""
	case frame == "ECHO":
		return "ECHOED"
	case len(words) == 4 && words[0] == "AUTH":
		n.authorized[words[2]]++
		return n.unless(words[0], "AUTH "+words[1]+" approved")
	case len(words) == 3 && words[0] == "ASK":
		if n.authorized[words[2]] > 0 {
			return "ASK " + words[1] + " approved"
		}
		return "ASK " + words[1] + " unknown"
	case len(words) == 3 && words[0] == "ADVICE":
		if n.heard[words[1]]++; n.heard[words[1]] == 1 {
			n.advices = append(n.advices, words[1])
		}
		return n.unless(words[0], "ADVICE "+words[1]+" noted")
	}
	n.faults = append(n.faults, "not understood: "+frame)
	return ""
}

func (n *Network) unless(verb, answer string) string {
	if n.silent[verb] {
		n.kept = append(n.kept, answer)
		return ""
	}
	return answer
}
