package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// hostAddress is one address of this machine.
type hostAddress struct {
	iface string
	ip    netip.Addr
	flags inet6Flags // IPv6 on Linux only, else 0
}

// inet6Flags are the kernel's IFA_F_* of an address.
type inet6Flags uint32

const (
	inet6Temporary  inet6Flags = 0x01 // changes each day, for privacy
	inet6Failed     inet6Flags = 0x08 // somebody else has it
	inet6Deprecated inet6Flags = 0x20 // about to go
	inet6Tentative  inet6Flags = 0x40 // not yet known to be free

	// inet6Useless are those under which a server should not be looked for.
	inet6Useless = inet6Temporary | inet6Failed | inet6Deprecated | inet6Tentative
)

// hostAddresses lists the addresses of the interfaces that are up.
func hostAddresses() ([]hostAddress, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list the network interfaces: %w", err)
	}
	var flags map[netip.Addr]inet6Flags
	if f, err := os.Open("/proc/net/if_inet6"); err == nil { // Linux only
		flags = readInet6(f)
		_ = f.Close()
	}
	var list []hostAddress
	for _, i := range interfaces {
		if i.Flags&net.FlagUp == 0 {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			return nil, fmt.Errorf("list the addresses of %s: %w", i.Name, err)
		}
		for _, a := range addrs {
			if prefix, err := netip.ParsePrefix(a.String()); err == nil { // else no IP address
				ip := prefix.Addr().Unmap().WithZone("")
				list = append(list, hostAddress{iface: i.Name, ip: ip, flags: flags[ip]})
			}
		}
	}
	return list, nil
}

// readInet6 reads the flags in Linux's /proc/net/if_inet6: address, interface
// number, prefix length, scope, flags and name, in hexadecimal without colons.
func readInet6(r io.Reader) map[netip.Addr]inet6Flags {
	list := map[netip.Addr]inet6Flags{}
	for lines := bufio.NewScanner(r); lines.Scan(); {
		f := strings.Fields(lines.Text())
		if len(f) < 5 || len(f[0]) != 32 {
			continue
		}
		var b [16]byte
		for i := range b {
			n, err := strconv.ParseUint(f[0][2*i:2*i+2], 16, 8)
			if err != nil {
				break
			}
			b[i] = byte(n)
		}
		if flags, err := strconv.ParseUint(f[4], 16, 32); err == nil {
			list[netip.AddrFrom16(b)] = inet6Flags(flags)
		}
	}
	return list
}

// pickAddresses chooses those of list that are worth a media socket. host is
// that of --media-listen: empty or unspecified, which may name a family.
func pickAddresses(list []hostAddress, host string, loopback bool) ([]netip.Addr, error) {
	var picked []netip.Addr
	for _, a := range list {
		if (host != "0.0.0.0" || a.ip.Is4()) && usable(a, loopback) && !slices.Contains(picked, a.ip) {
			picked = append(picked, a.ip)
		}
	}
	// Unique local addresses matter where IPv6 is not routed to the world only.
	global := func(ip netip.Addr) bool { return ip.Is6() && !ip.IsLoopback() && !private(ip) }
	if slices.ContainsFunc(picked, global) {
		picked = slices.DeleteFunc(picked, func(ip netip.Addr) bool { return ip.Is6() && private(ip) })
	}
	if len(picked) == 0 {
		return nil, errors.New("this machine has no address for media: name one with --media-listen")
	}
	return picked, nil
}

// usable leaves out what no client can reach: link-local and multicast
// addresses, loopback unless it was asked for, addresses that are not to stay,
// and the inner side of containers and virtual machines.
func usable(a hostAddress, loopback bool) bool {
	switch {
	case a.ip.IsLoopback():
		return loopback
	case !a.ip.IsGlobalUnicast(), a.flags&inet6Useless != 0:
		return false
	}
	return !private(a.ip) || !bridge.MatchString(a.iface)
}

// bridge matches the names that container engines and hypervisors give to their
// networks inside a machine. Docker's bridges are br- and twelve digits; other
// names with br- are of people, such as br-lan, and lead somewhere.
var bridge = regexp.MustCompile(`^(docker|br-[0-9a-f]{12}$|veth|virbr|vnet[0-9]|cni|flannel|podman|lxc|lxdbr|incusbr|cali|cilium|kube-|weave|vboxnet|vmnet)`)

// sharedSpace is RFC 6598: between a carrier's NAT and its customers.
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

// private says whether an address is only good inside somebody's network.
func private(ip netip.Addr) bool { return ip.IsPrivate() || sharedSpace.Contains(ip) }

// lonelyPrivate lists the private addresses of each family in which there is no
// public one: those whose public counterpart is worth a question.
func lonelyPrivate(own []netip.Addr) []netip.Addr {
	var list []netip.Addr
	for _, ip := range own {
		public := func(other netip.Addr) bool {
			return other.Is4() == ip.Is4() && !other.IsLoopback() && !private(other)
		}
		if private(ip) && !slices.ContainsFunc(own, public) {
			list = append(list, ip)
		}
	}
	return list
}

// offered are the addresses that clients are told.
type offered struct {
	// public are those that the operator gave or STUN servers saw.
	public []netip.Addr
	// own says that the machine's own are offered as well: what a STUN server
	// saw may be of no use to those in the same network.
	own bool
}

// addresses lists what is offered of a machine with these addresses: for each
// family the public ones in place of its own, or beside them.
func (o offered) addresses(own []netip.Addr) []netip.Addr {
	list := slices.Clone(o.public)
	for _, ip := range own {
		replaced := slices.ContainsFunc(o.public, func(p netip.Addr) bool { return p.Is4() == ip.Is4() })
		if (o.own || !replaced) && !slices.Contains(list, ip) {
			list = append(list, ip)
		}
	}
	return list
}

// ignoredByChromium says whether Chromium will pass over everything that is
// offered: it takes no private address with a port below 1024, and says nothing.
func ignoredByChromium(list []netip.Addr, port int) bool {
	return port < 1024 && len(list) > 0 && !slices.ContainsFunc(list, func(ip netip.Addr) bool { return !private(ip) && !ip.IsLoopback() })
}
