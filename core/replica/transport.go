package replica

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// The first byte of a connection says what it is for.
const (
	linkRaft = 'r'
	linkAsk  = 'a' // answered with what the node says about itself
)

// linkTimeout bounds dialling, the handshake and the first byte.
const linkTimeout = 10 * time.Second

// links is the TCP connections between nodes, over TLS where configured. It
// implements raft.StreamLayer for the connections that are Raft's and answers
// the others itself.
type links struct {
	listener net.Listener
	tls      *tls.Config
	about    func() about
	address  net.Addr // under which the others reach this node

	raft   chan net.Conn
	closed chan struct{}
	once   sync.Once
	done   sync.WaitGroup
}

func listenLinks(cfg *Config, about func() about) (*links, error) {
	listener := cfg.Listener
	if listener == nil {
		var err error
		if listener, err = net.Listen("tcp", cfg.Bind); err != nil {
			return nil, fmt.Errorf("replica: listen for the other nodes: %w", err)
		}
	}
	l := &links{
		listener: listener, tls: cfg.TLS, about: about, address: listener.Addr(),
		raft: make(chan net.Conn), closed: make(chan struct{}),
	}
	if known := cfg.Peers[cfg.ID]; known != "" {
		l.address = address(known) // the listener's may be a wildcard
	}
	l.done.Add(1)
	go l.accept()
	return l, nil
}

func (l *links) accept() {
	defer l.done.Done()
	for {
		conn, err := l.listener.Accept()
		if err != nil {
			select {
			case <-l.closed:
				return
			default:
			}
			if errors.Is(err, net.ErrClosed) {
				return
			}
			// Out of descriptors, most likely: let some be closed.
			select {
			case <-time.After(50 * time.Millisecond):
			case <-l.closed:
				return
			}
			continue
		}
		l.done.Add(1)
		go l.serve(conn)
	}
}

func (l *links) serve(conn net.Conn) {
	defer l.done.Done()
	if l.tls != nil {
		conn = tls.Server(conn, l.tls)
	}
	// A stranger that says nothing must not keep the connection, nor the close.
	conn.SetDeadline(time.Now().Add(linkTimeout))
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-l.closed:
			conn.SetDeadline(time.Now())
		case <-stop:
		}
	}()
	var kind [1]byte
	if _, err := io.ReadFull(conn, kind[:]); err != nil {
		conn.Close()
		return
	}
	switch kind[0] {
	case linkRaft:
		conn.SetDeadline(time.Time{})
		select {
		case l.raft <- conn:
		case <-l.closed:
			conn.Close()
		}
	case linkAsk:
		_, _ = conn.Write(l.about().encode()) // who gets no answer asks again
		conn.Close()
	default:
		conn.Close()
	}
}

func (l *links) dial(address string, timeout time.Duration, kind byte) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: timeout}
	var conn net.Conn
	var err error
	if l.tls != nil {
		conn, err = tls.DialWithDialer(dialer, "tcp", address, l.tls)
	} else {
		conn, err = dialer.Dial("tcp", address)
	}
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write([]byte{kind}); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// Dial implements raft.StreamLayer.
func (l *links) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	return l.dial(string(address), timeout, linkRaft)
}

// Accept implements net.Listener for Raft.
func (l *links) Accept() (net.Conn, error) {
	select {
	case conn := <-l.raft:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *links) Close() error {
	var err error
	l.once.Do(func() {
		close(l.closed)
		err = l.listener.Close()
		l.done.Wait()
	})
	return err
}

// Addr implements net.Listener: it is the address Raft gives to the others.
func (l *links) Addr() net.Addr { return l.address }

// address is a host:port, perhaps by name.
type address string

func (address) Network() string  { return "tcp" }
func (a address) String() string { return string(a) }
