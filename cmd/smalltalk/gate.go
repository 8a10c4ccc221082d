package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
)

// gate is all that stands between the TCP sockets and the parts: splitting,
// encryption and certificates.
type gate struct {
	http  *sink // for net/http
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
	g := &gate{http: newSink(socks.http[0].Addr()), certs: certs, log: log}
	config := splitConfig{TLS: tlsConfig(certs), HTTP: g.http, Logger: log}
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
