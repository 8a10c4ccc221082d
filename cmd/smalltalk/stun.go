package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pion/stun/v4"
)

const (
	// stunWait bounds the questions to STUN servers at the start.
	stunWait = 2 * time.Second
	// stunRepeat is the time from one request to its repetition, as it may be lost.
	stunRepeat = 500 * time.Millisecond
)

// mapping is what a STUN server saw of a socket.
type mapping struct {
	socket, public netip.AddrPort
	server         string
}

// findPublic gives the addresses to offer: those of --public-address, else what
// STUN servers see of the sockets with private addresses.
func findPublic(ctx context.Context, s settings, socks sockets, log *slog.Logger) offered {
	if len(s.public) > 0 {
		return offered{public: s.public}
	}
	// Who serves on loopback tries out, and has nobody to be found by.
	if len(s.STUN) == 0 || socks.forThisMachine() && len(s.proxies) == 0 {
		return offered{own: true}
	}
	lonely := lonelyPrivate(socks.mediaAddresses())
	var ask []net.PacketConn
	for _, c := range socks.media {
		if slices.Contains(lonely, udpAddr(c).Addr()) {
			ask = append(ask, c)
		}
	}
	if len(ask) == 0 {
		return offered{own: true}
	}
	found := offered{own: true}
	for _, m := range askSTUN(ctx, ask, s.STUN, stunWait) {
		if m.public.Port() != m.socket.Port() {
			log.Warn("the NAT in front gives media another port: forward that port to this machine, over UDP and TCP",
				"port", m.socket.Port(), "seen", m.public)
		}
		if !slices.Contains(found.public, m.public.Addr()) && m.public.Addr() != m.socket.Addr() {
			found.public = append(found.public, m.public.Addr())
			log.Info("public address found: to set it by hand use --public-address "+m.public.Addr().String(), "server", m.server, "for", m.socket.Addr())
		}
	}
	if len(found.public) == 0 {
		log.Warn("private addresses, and no STUN server told a public one for them: only the same network can reach them; "+
			"if clients elsewhere should, give --public-address, else --stun off", "addresses", lonely, "asked", strings.Join(s.STUN, " "))
	}
	return found
}

// askSTUN asks from each socket what its address looks like outside, all servers
// at once, and takes each socket's first answer. What else arrives in that time
// is dropped: nobody is served yet.
func askSTUN(ctx context.Context, conns []net.PacketConn, servers []string, wait time.Duration) []mapping {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	var (
		asking sync.WaitGroup
		mu     sync.Mutex // guards list
		list   []mapping
	)
	for _, c := range conns {
		asking.Go(func() {
			m, err := askFrom(ctx, c, servers)
			if err != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			list = append(list, m)
		})
	}
	asking.Wait()
	slices.SortFunc(list, func(a, b mapping) int { return a.socket.Compare(b.socket) })
	return list
}

// askFrom asks from one socket until ctx is done, and leaves it without a deadline.
func askFrom(ctx context.Context, conn net.PacketConn, servers []string) (mapping, error) {
	self := udpAddr(conn)
	targets := resolveSTUN(ctx, servers, self.Addr().Is4())
	if len(targets) == 0 {
		return mapping{}, errors.New("no STUN server has an address of this family")
	}
	request, err := stun.Build(stun.TransactionID, stun.BindingRequest)
	if err != nil {
		return mapping{}, fmt.Errorf("build a STUN request: %w", err)
	}
	defer func() { _ = conn.SetReadDeadline(time.Time{}) }() // a broken socket shows later
	buf := make([]byte, 1500)
	for ctx.Err() == nil {
		for target := range targets {
			// An unreachable server is as one that does not answer.
			_, _ = conn.WriteTo(request.Raw, net.UDPAddrFromAddrPort(target))
		}
		deadline := time.Now().Add(stunRepeat)
		if end, ok := ctx.Deadline(); ok && end.Before(deadline) {
			deadline = end
		}
		if err := conn.SetReadDeadline(deadline); err != nil {
			return mapping{}, err
		}
		for {
			n, from, err := conn.ReadFrom(buf)
			if errors.Is(err, net.ErrClosed) {
				return mapping{}, err
			}
			if err != nil && !time.Now().Before(deadline) {
				break
			}
			udp, ok := from.(*net.UDPAddr)
			if err != nil || !ok {
				continue // such as an ICMP error about one of the servers
			}
			source := udp.AddrPort()
			server, asked := targets[netip.AddrPortFrom(source.Addr().Unmap(), source.Port())]
			if public, ok := readBinding(buf[:n], request.TransactionID); ok && asked {
				return mapping{socket: self, public: public, server: server}, nil
			}
		}
	}
	return mapping{}, ctx.Err()
}

// resolveSTUN looks the servers up, all at once, in one family.
func resolveSTUN(ctx context.Context, servers []string, ipv4 bool) map[netip.AddrPort]string {
	network := "ip6"
	if ipv4 {
		network = "ip4"
	}
	var (
		looking sync.WaitGroup
		mu      sync.Mutex // guards targets
		targets = map[netip.AddrPort]string{}
	)
	for _, server := range servers {
		looking.Go(func() {
			host, portText, err := net.SplitHostPort(server)
			if err != nil {
				return
			}
			port, err := strconv.ParseUint(portText, 10, 16)
			if err != nil {
				return
			}
			ips, err := net.DefaultResolver.LookupNetIP(ctx, network, host)
			if err != nil || len(ips) == 0 {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			targets[netip.AddrPortFrom(ips[0].Unmap(), uint16(port))] = server
		})
	}
	looking.Wait()
	return targets
}

// readBinding reads the address in the answer to a request (RFC 8489 section 14.2).
func readBinding(data []byte, id [stun.TransactionIDSize]byte) (netip.AddrPort, bool) {
	m := stun.New()
	if !stun.IsMessage(data) || stun.Decode(data, m) != nil || m.Type != stun.BindingSuccess || m.TransactionID != id {
		return netip.AddrPort{}, false
	}
	var mapped stun.XORMappedAddress
	if mapped.GetFrom(m) != nil {
		return netip.AddrPort{}, false
	}
	ip, ok := netip.AddrFromSlice(mapped.IP)
	return netip.AddrPortFrom(ip.Unmap(), uint16(mapped.Port)), ok
}

// udpAddr is the local address of a media socket.
func udpAddr(c net.PacketConn) netip.AddrPort {
	a, ok := c.LocalAddr().(*net.UDPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := a.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
