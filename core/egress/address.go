package egress

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"

	"code.dny.dev/ssrf"
)

// This file says which addresses may be connected to. It is asked twice: about the
// host that a tenant writes, if that is an address, and about the address that the host
// resolved to, at the moment it is connected to. Only the second is protection: a name
// may resolve to anything, and to something else the next time. The first tells whoever
// writes the configuration what no payment would get through.
//
//	never              unspecified, broadcast, multicast and link-local addresses;
//	                   where clouds serve their machines' credentials; 6to4, Teredo
//	                   and what else carries an IPv4 address in an IPv6 one, but for
//	                   the two below
//	loopback           if the allow list has a range within it: 127.0.0.1, not 0.0.0.0/0
//	::ffff:a.b.c.d     as a.b.c.d
//	64:ff9b::a.b.c.d   as a.b.c.d, for that is who answers behind a NAT64
//	all others         if they are in the allow list; without one, if they are public

var errAddress = errors.New("the address is not allowed")

// metadata are the addresses, beside the link-local ones, at which clouds serve
// credentials to whoever asks.
var metadata = []netip.Prefix{
	netip.MustParsePrefix("fd00:ec2::/32"),          // AWS: machines (::254), EKS pods (::23)
	netip.MustParsePrefix("fd20:ce::254/128"),       // Google Cloud
	netip.MustParsePrefix("100.100.100.200/32"),     // Alibaba Cloud
	netip.MustParsePrefix("fd00:100::100:200/128"),  // Alibaba Cloud
	netip.MustParsePrefix("168.63.129.16/32"),       // Azure
	netip.MustParsePrefix("192.0.0.192/32"),         // Oracle Cloud
	netip.MustParsePrefix("fd00:c1::a9fe:a9fe/128"), // Oracle Cloud
	netip.MustParsePrefix("fd00:42::42/128"),        // Scaleway
	netip.MustParsePrefix("fd00:a9fe:a9fe::1/128"),  // Linode
}

// never are the ranges that no allow list opens.
var never = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),      // this network: some systems take it for loopback
	netip.MustParsePrefix("169.254.0.0/16"), // link-local
	netip.MustParsePrefix("224.0.0.0/4"),    // multicast
	netip.MustParsePrefix("255.255.255.255/32"),
	netip.MustParsePrefix("::/96"),           // IPv4-compatible; ::1 is looked at before
	netip.MustParsePrefix("::ffff:0:0:0/96"), // IPv4-translated
	netip.MustParsePrefix("64:ff9b:1::/48"),  // NAT64 of local use: where the IPv4 address is, is not known
	netip.MustParsePrefix("100::/64"),        // discarded
	netip.MustParsePrefix("2001::/32"),       // Teredo
	netip.MustParsePrefix("2002::/16"),       // 6to4
	netip.MustParsePrefix("fe80::/10"),       // link-local
	netip.MustParsePrefix("fec0::/10"),       // site-local, deprecated
	netip.MustParsePrefix("ff00::/8"),        // multicast
}

var loopback4 = netip.MustParsePrefix("127.0.0.0/8")

// permit says why an address may not be connected to.
func permit(ip netip.Addr, allow []netip.Prefix) error {
	if ip.Zone() != "" {
		return fmt.Errorf("%w: %s has a zone", errAddress, ip)
	}
	ip = ip.Unmap()
	if ssrf.IPv6NAT64Prefix.Contains(ip) {
		all := ip.As16()
		ip = netip.AddrFrom4([4]byte(all[12:]))
	}
	within := func(p netip.Prefix) bool { return p.Contains(ip) }
	if ip.IsLoopback() {
		for _, p := range allow {
			if p.Contains(ip) && (ip.Is6() && p.IsSingleIP() || ip.Is4() && p.Bits() >= loopback4.Bits()) {
				return nil
			}
		}
		return fmt.Errorf("%w: %s is this machine, and no range in allow says so", errAddress, ip)
	}
	if slices.ContainsFunc(never, within) || isatap(ip) {
		return fmt.Errorf("%w: %s is never connected to", errAddress, ip)
	}
	if slices.ContainsFunc(metadata, within) {
		return fmt.Errorf("%w: %s is where a cloud serves credentials", errAddress, ip)
	}
	if len(allow) > 0 {
		if slices.ContainsFunc(allow, within) {
			return nil
		}
		return fmt.Errorf("%w: %s is in no allowed range", errAddress, ip)
	}
	if public.SafeAddr(ip) != nil {
		return fmt.Errorf("%w: %s is not public", errAddress, ip)
	}
	return nil
}

var public = ssrf.New(ssrf.WithAnyPort(), ssrf.WithAnyNetwork())

// isatap reports an address that is an IPv4 address behind an interface's prefix
// (RFC 5214).
func isatap(ip netip.Addr) bool {
	if !ip.Is6() {
		return false
	}
	b := ip.As16()
	return b[8]&^3 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe
}

// control is called with the address that a name resolved to, just before it is
// connected to: checking names earlier would let a second resolution answer
// otherwise.
func control(allow []netip.Prefix, port uint16) func(context.Context, string, string, syscall.RawConn) error {
	return func(_ context.Context, network, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil || to.Port() != port || network != "tcp4" && network != "tcp6" {
			return fmt.Errorf("%w: %s", errAddress, address)
		}
		return permit(to.Addr(), allow)
	}
}

// reachable says why a host could never be connected to.
func reachable(host string, allow []netip.Prefix) error {
	if err := checkHost(host); err != nil {
		return err
	}
	if address, err := netip.ParseAddr(host); err == nil {
		return permit(address, allow)
	}
	return nil
}

// checkHost says why a host is none that a tenant may write. What is refused here
// is what different programs read differently: 2130706433, 0177.1 and 0x7f.1 are
// 127.0.0.1 to some and names to others.
func checkHost(host string) error {
	if host == "" {
		return errors.New("no host is given")
	}
	if address, err := netip.ParseAddr(host); err == nil {
		if address.Zone() != "" {
			return fmt.Errorf("host %q has a zone", host)
		}
		return nil
	}
	if len(host) > 253 {
		return errors.New("the host's name is too long")
	}
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, func(c rune) bool {
			return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_'
		}) {
			return fmt.Errorf("host %q: a name is letters, digits and dashes between single dots, without one at its end", host)
		}
	}
	// A name whose end is a number is meant for an address (WHATWG URL, section 3.5).
	last := strings.ToLower(labels[len(labels)-1])
	digits := strings.TrimPrefix(last, "0x")
	if strings.Trim(last, "0123456789") == "" || digits != last && strings.Trim(digits, "0123456789abcdef") == "" {
		return fmt.Errorf("host %q: write an address as four decimal numbers, or as IPv6 in brackets", host)
	}
	return nil
}
