package sfu

import (
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/pion/ice/v4"
)

// socket is one UDP socket under the shared mux, with the say over which
// addresses are offered for it.
type socket struct {
	*ice.UDPMuxDefault
	addresses []netip.Addr // for an unspecified address; empty means interfaces
	loopback  bool
}

var _ ice.UDPMux = (*socket)(nil)

// newMux puts all sockets, and the hub if there are streams, under one
// ice.UDPMux, which owns them from then on.
func newMux(e *Engine) (ice.UDPMux, error) {
	c, h := &e.config, e.hub
	var has [families]bool
	for _, conn := range c.UDP {
		local, ok := conn.LocalAddr().(*net.UDPAddr)
		if !ok {
			return nil, fmt.Errorf("use socket: its address %v is not a UDP address", conn.LocalAddr())
		}
		has[familyOf(local.AddrPort().Addr())] = true
		has[ipv4] = has[ipv4] || local.IP.IsUnspecified()
	}
	var muxes []ice.UDPMux
	for _, sockets := range byAddress(c.UDP) {
		muxes = append(muxes, &socket{
			UDPMuxDefault: ice.NewUDPMuxDefault(ice.UDPMuxParams{
				Logger: pionLogs{e.log}.NewLogger("ice"), UDPConn: e.packetConn(sockets), Net: c.Net,
			}),
			addresses: c.Addresses, loopback: c.IncludeLoopback,
		})
	}
	if c.TCP != nil || c.TURN != nil {
		for f := range families {
			if has[f] {
				h.families = append(h.families, f)
			}
		}
		muxes = append(muxes, h)
	}
	if len(muxes) == 1 {
		return muxes[0], nil
	}

	return ice.NewMultiUDPMuxDefault(muxes...), nil
}

// packetConn is what ICE reads and writes for the sockets of one address.
func (e *Engine) packetConn(sockets []net.PacketConn) net.PacketConn {
	if !e.fast && len(sockets) == 1 {
		return guarded(sockets[0], &e.hub.count)
	}

	return newGroup(e.plane, sockets)
}

// byAddress puts the sockets of each address together, in their order.
func byAddress(sockets []net.PacketConn) (groups [][]net.PacketConn) {
	for _, s := range sockets {
		at := slices.IndexFunc(groups, func(g []net.PacketConn) bool {
			return g[0].LocalAddr().String() == s.LocalAddr().String()
		})
		if at < 0 {
			groups = append(groups, []net.PacketConn{s})
		} else {
			groups[at] = append(groups[at], s)
		}
	}

	return groups
}

// GetListenAddresses implements ice.UDPMux: the addresses to offer.
func (s *socket) GetListenAddresses() []net.Addr {
	local, ok := s.LocalAddr().(*net.UDPAddr)
	if !ok {
		return nil
	}
	if !local.IP.IsUnspecified() {
		return []net.Addr{local}
	}
	if len(s.addresses) > 0 {
		offered := make([]net.Addr, 0, len(s.addresses))
		for _, a := range s.addresses {
			if a = a.Unmap(); a.Is6() && local.IP.To4() != nil {
				continue // an IPv4 socket cannot be reached there
			}
			offered = append(offered, net.UDPAddrFromAddrPort(netip.AddrPortFrom(a, uint16(local.Port))))
		}

		return offered
	}
	var offered []net.Addr
	for _, a := range s.UDPMuxDefault.GetListenAddresses() {
		if u, ok := a.(*net.UDPAddr); ok && s.offers(u.IP) {
			offered = append(offered, a)
		}
	}

	return offered
}

// offers reports whether an interface's address is worth offering.
func (s *socket) offers(ip net.IP) bool {
	if ip.IsLoopback() {
		return s.loopback
	}

	return ip.IsGlobalUnicast()
}
