package egress

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
)

// hostileDNS is a name server on loopback that says what it is told to, with a time to
// live of nothing: answer gets the name and how many questions came before. It is
// asked for IPv4 and for IPv6 addresses and gives of each question's kind only.
func hostileDNS(t *testing.T, answer func(name string, before int) []netip.Addr) *net.Resolver {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pc.Close() })
	go func() {
		asked := make(map[string]int)
		buf := make([]byte, 1500)
		for {
			_, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			var labels []string
			end := 12
			for buf[end] != 0 {
				labels = append(labels, string(buf[end+1:end+1+int(buf[end])]))
				end += int(buf[end]) + 1
			}
			name := strings.ToLower(strings.Join(labels, "."))
			kind := binary.BigEndian.Uint16(buf[end+1:])
			reply := append([]byte{buf[0], buf[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, buf[12:end+5]...)
			key := name + string(rune(kind))
			for _, address := range answer(name, asked[key]) {
				if address.Is4() != (kind == 1) || kind != 1 && kind != 28 {
					continue
				}
				raw := address.AsSlice()
				reply[7]++
				reply = append(reply, 0xc0, 12, 0, byte(kind), 0, 1, 0, 0, 0, 0, 0, byte(len(raw)))
				reply = append(reply, raw...)
			}
			asked[key]++
			_, _ = pc.WriteTo(reply, from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", pc.LocalAddr().String())
	}}
}

// listener counts the connections that are made to an address of this machine.
func listener(t *testing.T, address string) *atomic.Int32 {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	made := new(atomic.Int32)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			made.Add(1)
			_ = c.Close()
		}
	}()
	return made
}
