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
	"syscall"
)

// socketBuffer is asked for in each direction of a media socket, in bytes. A
// key frame of several hundred packets arrives in one burst, and one blocked
// write would hold up everybody who shares the socket.
const socketBuffer = 8 << 20

// sockets are what the server listens on.
type sockets struct {
	http     []net.Listener   // one for each address of --listen
	media    []net.PacketConn // one for each address of --media-listen
	shared   []net.PacketConn // more of the same addresses, see share
	mediaTCP []net.Listener   // the same addresses, where http does not cover them
}

// openSockets opens every socket of the server, or none. log hears about
// addresses that had to be left out.
func openSockets(ctx context.Context, s settings, log *slog.Logger) (_ sockets, err error) {
	var open sockets
	defer func() {
		if err != nil {
			open.close()
		}
	}()
	if open.http, err = listenHTTP(ctx, s.Listen); err != nil {
		return sockets{}, err
	}
	addr := s.MediaListen
	if addr == "" {
		addr = ":" + strconv.Itoa(open.httpPort())
	}
	// Behind a proxy loopback is not where the clients are.
	loopback := open.forThisMachine() && len(s.proxies) == 0
	if open.media, err = listenMedia(ctx, addr, loopback, log); err != nil {
		return sockets{}, err
	}
	if s.MediaListen != "" {
		err = open.listenMediaTCP(ctx)
	}
	return open, err
}

func (s sockets) close() {
	for _, l := range slices.Concat(s.http, s.mediaTCP) {
		_ = l.Close()
	}
	for _, c := range slices.Concat(s.media, s.shared) {
		_ = c.Close()
	}
}

func (s sockets) httpPort() int { return s.http[0].Addr().(*net.TCPAddr).Port }

func (s sockets) mediaPort() int { return int(udpAddr(s.media[0]).Port()) }

// mediaAddresses lists where media is received over UDP.
func (s sockets) mediaAddresses() []netip.Addr {
	list := make([]netip.Addr, 0, len(s.media))
	for _, c := range s.media {
		list = append(list, udpAddr(c).Addr())
	}
	return list
}

// tcpAddresses lists those of the media addresses that are reached over TCP on
// the port of media as well.
func (s sockets) tcpAddresses() []netip.Addr {
	var list []netip.Addr
	for _, c := range s.media {
		if covered(udpAddr(c), s.http) || covered(udpAddr(c), s.mediaTCP) {
			list = append(list, udpAddr(c).Addr())
		}
	}
	return list
}

// covered says whether one of the listeners takes connections to an address.
func covered(to netip.AddrPort, listeners []net.Listener) bool {
	for _, l := range listeners {
		a, ok := l.Addr().(*net.TCPAddr)
		if !ok || a.Port != int(to.Port()) {
			continue
		}
		ip, _ := netip.AddrFromSlice(a.IP)
		ip = ip.Unmap()
		if ip == to.Addr() || ip.IsUnspecified() && (ip.Is6() || to.Addr().Is4()) {
			return true // an unspecified IPv6 listener takes both families
		}
	}
	return false
}

// listenMediaTCP opens TCP beside UDP where people named a place for media that
// HTTP does not have.
func (s *sockets) listenMediaTCP(ctx context.Context) error {
	var listen net.ListenConfig
	for _, c := range s.media {
		to := udpAddr(c)
		if covered(to, s.http) {
			continue
		}
		l, err := listen.Listen(ctx, "tcp", to.String())
		if err != nil {
			return explainListen(err, "TCP", to.String(), "--media-listen")
		}
		s.mediaTCP = append(s.mediaTCP, l)
	}
	return nil
}

// listenHTTP listens on one TCP address. "localhost" means both loopback
// addresses, since a browser may try either first.
func listenHTTP(ctx context.Context, addr string) ([]net.Listener, error) {
	var listen net.ListenConfig
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("--listen %q: %w", addr, err)
	}
	if host != "localhost" {
		l, err := listen.Listen(ctx, "tcp", addr)
		if err != nil {
			return nil, explainListen(err, "TCP", addr, "--listen")
		}
		return []net.Listener{l}, nil
	}
	l4, err := listen.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		return nil, explainListen(err, "TCP", addr, "--listen")
	}
	list := []net.Listener{l4}
	// The second socket takes the port that the first was given.
	port = strconv.Itoa(l4.Addr().(*net.TCPAddr).Port)
	l6, err := listen.Listen(ctx, "tcp", net.JoinHostPort("::1", port))
	switch {
	case err == nil:
		list = append(list, l6)
	case errors.Is(err, syscall.EADDRINUSE):
		_ = l4.Close()
		return nil, explainListen(err, "TCP", addr, "--listen")
	default: // a machine without IPv6
	}
	return list, nil
}

// forThisMachine says whether browsers on this machine are meant to connect:
// then the loopback addresses are offered to them too.
func (s sockets) forThisMachine() bool {
	for _, l := range s.http {
		ip := l.Addr().(*net.TCPAddr).IP
		if ip.IsLoopback() {
			return true
		}
	}
	return false
}

// listenMedia opens one UDP socket for each address, because a socket that is
// bound to one address answers from that address: a client that asked 10.0.0.5
// drops an answer from 10.0.0.6.
func listenMedia(ctx context.Context, addr string, loopback bool, log *slog.Logger) ([]net.PacketConn, error) {
	host, portText, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("--media-listen %q: %w", addr, err)
	}
	port, err := net.DefaultResolver.LookupPort(ctx, "udp", portText)
	if err != nil {
		return nil, fmt.Errorf("--media-listen %q: %w", addr, err)
	}
	ips, err := mediaAddresses(ctx, host, loopback)
	if err != nil {
		return nil, err
	}
	var list []net.PacketConn
	for _, ip := range ips {
		c, err := listenUDP(ctx, netip.AddrPortFrom(ip, uint16(port)))
		if errors.Is(err, syscall.EADDRNOTAVAIL) {
			log.Warn("an address of this machine cannot be used for media", "address", ip, "error", err)
			continue
		}
		if err != nil {
			sockets{media: list}.close()
			return nil, explainListen(err, "UDP", net.JoinHostPort(ip.String(), portText), "--media-listen")
		}
		// With port 0 the first socket is given a port; the others take the same.
		port = c.LocalAddr().(*net.UDPAddr).Port
		setBuffers(c, log)
		list = append(list, c)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("no address of this machine can be used for media on %s: name one with --media-listen", addr)
	}
	return list, nil
}

// setBuffers asks for large socket buffers. The kernel clamps them without an
// error, so what an operator can do about it is in the README, not in the log.
func setBuffers(c *net.UDPConn, log *slog.Logger) {
	if err := errors.Join(c.SetReadBuffer(socketBuffer), c.SetWriteBuffer(socketBuffer)); err != nil {
		log.Warn("media socket buffers", "address", c.LocalAddr(), "error", err)
	}
}

// mediaAddresses lists the addresses of a media host. An empty or unspecified
// host means all usable addresses of the interfaces that are up.
func mediaAddresses(ctx context.Context, host string, loopback bool) ([]netip.Addr, error) {
	if host != "" && host != "0.0.0.0" && host != "::" {
		return resolve(ctx, host)
	}
	list, err := hostAddresses()
	if err != nil {
		return nil, err
	}
	return pickAddresses(list, host, loopback)
}

func resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{ip.Unmap()}, nil
	}
	found, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("--media-listen: %w", err)
	}
	var ips []netip.Addr
	for _, text := range found {
		if ip, err := netip.ParseAddr(text); err == nil {
			ips = append(ips, ip.Unmap())
		}
	}
	return ips, nil
}

// explainListen says what to do about a socket that did not open.
func explainListen(err error, network, addr, flag string) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s port of %s is in use by another program: stop it, or choose another port with %s", network, addr, flag)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("not allowed to open %s port of %s: ports below 1024 need root or CAP_NET_BIND_SERVICE (AmbientCapabilities=CAP_NET_BIND_SERVICE in the service's unit, or setcap cap_net_bind_service=+ep on the program); or choose a higher port with %s", network, addr, flag)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%s is no address of this machine: choose one that is with %s", addr, flag)
	}
	return fmt.Errorf("open %s %s: %w", network, addr, err)
}
