package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"

	"smalltalk/sfu"
)

// gate is all that stands between the TCP sockets and the parts: splitting,
// encryption and certificates.
type gate struct {
	http  *sink // for net/http
	ice   *sink // for the relay, ICE-TCP
	turn  *sink // for the relay, TURN over TLS; nil where there is no TLS
	certs certificates
	log   *slog.Logger

	ways []way
}

// way is a group of sockets whose connections go to the same sinks.
type way struct {
	*splitter
	listeners []net.Listener
}

// newGate prepares to serve the sockets, which stay the caller's until run.
func newGate(s settings, socks sockets, log *slog.Logger) (*gate, error) {
	certs, err := newCertificates(s, log)
	if err != nil {
		return nil, err
	}
	addr := socks.http[0].Addr()
	g := &gate{http: newSink(addr), ice: newSink(addr), certs: certs, log: log}
	config := splitConfig{TLS: tlsConfig(certs), HTTP: g.http, ICE: g.ice, MaxHalfOpen: halfOpenLimit(fileLimit()), Logger: log}
	if certs != nil {
		g.turn = newSink(addr)
		config.TURN = g.turn
	}
	if len(s.Domain) > 0 {
		config.Host = hostOf(s.Domain)
		if port := socks.httpPort(); port != 443 {
			log.Warn("ACME checks the domain on TCP port 443: forward that port to this one, or no certificate comes", "port", port)
		}
	}
	g.ways = append(g.ways, way{newSplitter(config), socks.http})
	if len(socks.mediaTCP) > 0 {
		config.HTTP = nil // where media comes, nothing is served in the clear
		g.ways = append(g.ways, way{newSplitter(config), socks.mediaTCP})
	}
	return g, nil
}

// media is where the relay receives: the media sockets, and what the gate tells
// apart for it. Where the relay is not told of TCP, nobody would take such
// connections: their sinks are closed, so that they are refused and not held.
func (g *gate) media(socks sockets) sfu.Config {
	c := sfu.Config{UDP: slices.Concat(socks.media, socks.shared), IncludeLoopback: anyLoopback(socks.media)}
	if len(socks.tcpAddresses()) == 0 {
		_ = g.ice.Close()
		if g.turn != nil {
			_ = g.turn.Close()
		}
		return c
	}
	c.TCP, c.TCPAddresses, c.TCPPort = g.ice, socks.tcpAddresses(), uint16(socks.mediaPort())
	if g.turn != nil {
		c.TURN = g.turn
	}
	return c
}

// run takes connections until close, and keeps the certificates fresh until ctx
// is cancelled.
func (g *gate) run(ctx context.Context) {
	var running sync.WaitGroup
	for _, w := range g.ways {
		for _, l := range w.listeners {
			g.log.Info("listening", "address", l.Addr().String(), "tls", g.certs != nil)
			running.Go(func() { w.serve(l) }) //nolint:contextcheck // it goes on while people are told, until close
		}
	}
	if g.certs != nil {
		running.Go(func() { g.certs.run(ctx) })
	}
	running.Wait()
}

// close closes the ports and all connections that nobody has taken yet.
func (g *gate) close() {
	for _, w := range g.ways {
		w.close()
		g.log.Info("port closed", "address", addresses(w.listeners), "connections", fmt.Sprintf("%+v", w.stats()))
	}
}

func addresses(listeners []net.Listener) []string {
	list := make([]string, 0, len(listeners))
	for _, l := range listeners {
		list = append(list, l.Addr().String())
	}
	slices.Sort(list)
	return list
}
