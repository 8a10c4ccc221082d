package sfu

import (
	"net/netip"
	"sync/atomic"
)

// A client that comes by TCP or through TURN has a virtual address: ICE knows
// datagrams with addresses and nothing else. They lie in ranges that nobody on
// the Internet has: 198.18.0.0/15, which is for benchmarks of network devices
// (RFC 2544), and 100::/64, the discard prefix (RFC 6666). The lower half of
// the first and 100::/112 are for TURN, 198.19.0.0/16 and 100::100:0/112 for TCP.
var virtual6 = netip.MustParsePrefix("100::/64")

const (
	// lowestPort is the first port of a virtual address that has a client.
	lowestPort = 1024
	// ownPort is the port of the hub's own address, which no client has.
	ownPort = 1
	// relayPorts is how many addresses one allocation has: one for each address
	// of ours that its client sends to.
	relayPorts = 16
)

// family is the version of IP.
type family uint8

const (
	ipv4 family = iota
	ipv6
	families
)

func familyOf(a netip.Addr) family {
	if a.Unmap().Is4() {
		return ipv4
	}

	return ipv6
}

// isVirtual reports whether a is in the ranges above.
func isVirtual(a netip.Addr) bool {
	if a = a.Unmap(); a.Is4() {
		b := a.As4()

		return b[0] == 198 && b[1]&^1 == 18
	}

	return virtual6.Contains(a)
}

// Values of [PeerStats.Path].
const (
	pathUDP = "udp"
	pathTCP = "tcp"
	pathTLS = "tls"
)

// pathOf tells by a client's address how the client comes to us.
func pathOf(a netip.Addr) string {
	a = a.Unmap()
	switch {
	case !isVirtual(a):
		return pathUDP
	case a.Is4():
		if a.As4()[1] == 18 {
			return pathTLS
		}
	default:
		if a.As16()[12] == 0 {
			return pathTLS
		}
	}

	return pathTCP
}

// ownAddress is what the hub says to ICE that its own address is.
func ownAddress(f family) netip.AddrPort {
	return netip.AddrPortFrom(tcpIP(f, 0xffff), ownPort)
}

func tcpIP(f family, n uint16) netip.Addr {
	if f == ipv4 {
		return netip.AddrFrom4([4]byte{198, 19, byte(n >> 8), byte(n)})
	}

	return netip.AddrFrom16([16]byte{0: 1, 12: 1, 14: byte(n >> 8), 15: byte(n)})
}

func relayIP(f family, n uint16) netip.Addr {
	if f == ipv4 {
		return netip.AddrFrom4([4]byte{198, 18, byte(n >> 8), byte(n)})
	}

	return netip.AddrFrom16([16]byte{0: 1, 14: byte(n >> 8), 15: byte(n)})
}

// numbering gives out virtual addresses. None comes again before four thousand
// million connections or 250 million allocations, so that what is late for one
// client never reaches another.
type numbering struct{ connections, allocations atomic.Uint32 }

func (n *numbering) connection(f family) netip.AddrPort {
	i := n.connections.Add(1) - 1

	return netip.AddrPortFrom(tcpIP(f, uint16(i)), lowestPort+uint16((i>>16)%(1<<16-lowestPort)))
}

// allocation returns the first of the relayPorts addresses of an allocation.
func (n *numbering) allocation(f family) netip.AddrPort {
	i := n.allocations.Add(1) - 1

	return netip.AddrPortFrom(relayIP(f, uint16(i)), lowestPort+relayPorts*uint16((i>>16)%((1<<16-lowestPort)/relayPorts)))
}
