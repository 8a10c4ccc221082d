package main

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
)

// hstsYear makes browsers that have been here insist on HTTPS for a year.
const hstsYear = "max-age=31536000"

// clientPath is where every client comes, and nobody else: others, such as those
// who look whether the server is alive, come without the proxy.
const clientPath = "/api/v1/ws"

// front makes requests look to the handler as the client sent them, whatever
// stands between: r.RemoteAddr is the client's, r.Host the one in its address
// bar and r.TLS is set if its connection is encrypted.
type front struct {
	next    http.Handler
	proxies []netip.Prefix // who may say so of others
	hsts    bool
	log     *slog.Logger
	silent  atomic.Bool // it was said that a proxy does not name its clients
}

// ServeHTTP implements http.Handler.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	r = r.WithContext(ctx) // a copy, since a handler must not change the request
	if r.TLS == nil {
		r.TLS = encryption(ctx)
	}
	if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil && f.trusts(peer.Addr()) {
		f.believe(r)
	}
	if f.hsts && r.TLS != nil {
		w.Header().Set("Strict-Transport-Security", hstsYear)
	}
	f.next.ServeHTTP(w, r)
}

func (f *front) trusts(ip netip.Addr) bool { return contains(f.proxies, ip) }

// contains says whether an address is in one of the networks.
func contains(networks []netip.Prefix, ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// believe takes over what a trusted proxy says of the client's connection.
func (f *front) believe(r *http.Request) {
	if ip, ok := f.client(r.Header.Values("X-Forwarded-For")); ok {
		r.RemoteAddr = netip.AddrPortFrom(ip, 0).String()
	} else if r.URL.Path == clientPath && f.silent.CompareAndSwap(false, true) {
		f.log.Warn("a trusted proxy names no client in X-Forwarded-For (said once): all who come through it share the limits of one; let it pass that on",
			"proxy", r.RemoteAddr)
	}
	// The first is what the client's own proxy saw.
	switch proto, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Proto"), ","); strings.ToLower(strings.TrimSpace(proto)) {
	case "https", "wss":
		if r.TLS == nil {
			r.TLS = &tls.ConnectionState{HandshakeComplete: true}
		}
	case "http", "ws":
		r.TLS = nil
	}
	host, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Host"), ",")
	if host = strings.TrimSpace(host); host != "" {
		r.Host = host
	}
}

// client finds the client in X-Forwarded-For. Each proxy appends whom it saw, so
// the list is read from its end, and what stands before the first address that
// is no proxy of ours is whatever the client liked to write.
func (f *front) client(headers []string) (client netip.Addr, ok bool) {
	list := strings.Split(strings.Join(headers, ","), ",")
	for i := len(list) - 1; i >= 0; i-- {
		ip, err := forwarded(strings.TrimSpace(list[i]))
		if err != nil {
			return client, ok
		}
		client, ok = ip, true
		if !f.trusts(ip) {
			break
		}
	}
	return client, ok
}

// forwarded reads one entry: an address, which some proxies write with a port.
func forwarded(text string) (netip.Addr, error) {
	if ap, err := netip.ParseAddrPort(text); err == nil {
		return ap.Addr().Unmap().WithZone(""), nil
	}
	ip, err := netip.ParseAddr(strings.Trim(text, "[]"))
	return ip.Unmap().WithZone(""), err
}

// encryptedKey is the context key of a connection's *tls.ConnectionState.
type encryptedKey struct{}

// markEncrypted is an http.Server's ConnContext. net/http sets Request.TLS for a
// bare *tls.Conn only, and a client that names no protocol comes in a replay.
func markEncrypted(ctx context.Context, conn net.Conn) context.Context {
	r, ok := conn.(*replay)
	if !ok {
		return ctx
	}
	c, ok := r.NetConn().(*tls.Conn)
	if !ok {
		return ctx
	}
	state := c.ConnectionState()
	return context.WithValue(ctx, encryptedKey{}, &state)
}

func encryption(ctx context.Context) *tls.ConnectionState {
	state, _ := ctx.Value(encryptedKey{}).(*tls.ConnectionState)
	return state
}
