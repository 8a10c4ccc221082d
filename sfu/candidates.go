package sfu

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// tcpPriority is that of a passive TCP host candidate (RFC 6544 section 4.2),
// less than that of any UDP host candidate; each further one has one less.
const tcpPriority = 1671430143

// candidate is a host candidate in an answer (RFC 8839 section 5.1).
type candidate struct {
	foundation string
	priority   uint64
	address    netip.AddrPort
	rest       string // from "typ" on
}

func parseCandidate(line string) (c candidate, ok bool) {
	value, ok := strings.CutPrefix(strings.TrimRight(line, "\r\n"), "a=candidate:")
	fields := strings.Fields(value)
	if !ok || len(fields) < 8 || fields[1] != "1" || !strings.EqualFold(fields[2], "udp") {
		return c, false
	}
	ip, err := netip.ParseAddr(fields[4])
	port, portErr := strconv.ParseUint(fields[5], 10, 16)
	priority, priorityErr := strconv.ParseUint(fields[3], 10, 32)
	if errors.Join(err, portErr, priorityErr) != nil {
		return c, false
	}

	return candidate{
		foundation: fields[0], priority: priority,
		address: netip.AddrPortFrom(ip.Unmap(), uint16(port)), rest: strings.Join(fields[6:], " "),
	}, true
}

// advertise makes the candidates of an answer what a client is to try: public
// addresses instead of our own where they are given, passive TCP beside UDP
// where there is a listener, and none of the hub's.
func (e *Engine) advertise(answer string) string {
	var b strings.Builder
	var offered []netip.AddrPort
	for line := range strings.Lines(answer) {
		c, ok := parseCandidate(line)
		if !ok {
			b.WriteString(line)

			continue
		}
		for i, a := range e.public(c.address) {
			if isVirtual(a.Addr()) || slices.Contains(offered, a) {
				continue
			}
			offered = append(offered, a)
			foundation := c.foundation
			if i > 0 {
				foundation += "p" + strconv.Itoa(i)
			}
			priority := c.priority - uint64(i)<<8 // one less of the local preference
			fmt.Fprintf(&b, "a=candidate:%s 1 udp %d %s %d %s\r\n", foundation, priority, a.Addr(), a.Port(), c.rest)
			if e.tcp != nil && e.takesTCP(a.Addr()) {
				fmt.Fprintf(&b, "a=candidate:%st 1 tcp %d %s %d typ host tcptype passive\r\n",
					foundation, tcpPriority-len(offered)+1, a.Addr(), e.tcpPort())
			}
		}
	}
	e.hub.allow(offered)

	return b.String()
}

// takesTCP says whether TCP is offered at an address: one of our own on which we
// listen, or a public one that leads to such.
func (e *Engine) takesTCP(offered netip.Addr) bool {
	listens := e.config.TCPAddresses
	if len(listens) == 0 || slices.Contains(listens, offered) {
		return true
	}
	isOwn := slices.ContainsFunc(e.config.UDP, func(c net.PacketConn) bool {
		a, ok := c.LocalAddr().(*net.UDPAddr)

		return ok && a.AddrPort().Addr().Unmap() == offered
	})

	return !isOwn && slices.ContainsFunc(listens, func(a netip.Addr) bool { return familyOf(a) == familyOf(offered) })
}

// public returns what is offered for one of our own addresses.
func (e *Engine) public(own netip.AddrPort) (addresses []netip.AddrPort) {
	if isVirtual(own.Addr()) {
		return nil
	}
	for _, a := range e.config.PublicAddresses {
		if a = a.Unmap(); familyOf(a) == familyOf(own.Addr()) {
			addresses = append(addresses, netip.AddrPortFrom(a, own.Port()))
		}
	}
	if len(addresses) == 0 {
		return []netip.AddrPort{own}
	}

	return addresses
}

func (e *Engine) tcpPort() uint16 {
	if e.config.TCPPort != 0 {
		return e.config.TCPPort
	}
	if a, ok := e.config.TCP.Addr().(*net.TCPAddr); ok {
		return uint16(a.Port)
	}

	return 0
}
