package main

import (
	"container/list"
	"net"
	"net/netip"
	"sync"
)

// halfOpen holds the connections that have not yet shown what they are, and
// bounds how many there may be: over all, and from one address, where an IPv6
// address counts as its /64, which is what one customer has.
//
// When a bound is reached the oldest goes, not the newest. A client that means
// it is through in a few round trips, so whoever has waited longest is the least
// likely to be one. Refusing the newest would let a few hundred silent
// connections lock out everybody behind the same address for as long as they
// care to hold on; like this an attacker must open the whole bound anew within
// each honest handshake.
type halfOpen struct {
	limit, perSource int

	mu      sync.Mutex // guards what follows
	closed  bool
	all     *list.List                  // of *undecided, the oldest first
	sources map[netip.Prefix]*list.List // the same, by address
}

// undecided is one connection in a halfOpen.
type undecided struct {
	conn   net.Conn
	source netip.Prefix

	// Both are nil when it is not in the halfOpen any more.
	inAll, inSource *list.Element
}

func newHalfOpen(limit, perSource int) *halfOpen {
	return &halfOpen{limit: limit, perSource: perSource, all: list.New(), sources: map[netip.Prefix]*list.List{}}
}

// add takes a connection in. It returns nil after close.
func (h *halfOpen) add(conn net.Conn) *undecided {
	u := &undecided{conn: conn, source: sourceOf(conn.RemoteAddr())}
	var oldest *undecided
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return nil
	}
	mine := h.sources[u.source]
	switch {
	case mine != nil && mine.Len() >= h.perSource:
		oldest = mine.Front().Value.(*undecided)
	case h.all.Len() >= h.limit:
		oldest = h.all.Front().Value.(*undecided)
	}
	if oldest != nil {
		h.drop(oldest)
	}
	if mine = h.sources[u.source]; mine == nil { // drop may have taken it away
		mine = list.New()
		h.sources[u.source] = mine
	}
	u.inAll, u.inSource = h.all.PushBack(u), mine.PushBack(u)
	h.mu.Unlock()
	if oldest != nil {
		_ = oldest.conn.Close() // whoever reads from it notices
	}
	return u
}

// remove takes a connection out. It returns false when that had been done
// already, and the connection is closed or about to be.
func (h *halfOpen) remove(u *undecided) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if u.inAll == nil {
		return false
	}
	h.drop(u)
	return true
}

// drop takes u out of both lists. The caller holds mu.
func (h *halfOpen) drop(u *undecided) {
	h.all.Remove(u.inAll)
	mine := h.sources[u.source]
	mine.Remove(u.inSource)
	if mine.Len() == 0 {
		delete(h.sources, u.source)
	}
	u.inAll, u.inSource = nil, nil
}

func (h *halfOpen) len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.all.Len()
}

// close closes every connection and lets no more in.
func (h *halfOpen) close() {
	h.mu.Lock()
	h.closed = true
	var conns []net.Conn
	for e := h.all.Front(); e != nil; e = h.all.Front() {
		u := e.Value.(*undecided)
		conns = append(conns, u.conn)
		h.drop(u)
	}
	h.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
	}
}

// sourceOf is the address by which connections are counted. Those without an IP
// address share the zero prefix.
func sourceOf(remote net.Addr) netip.Prefix {
	tcp, ok := remote.(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}
	}
	addr, bits := tcp.AddrPort().Addr().Unmap().WithZone(""), 32
	if addr.Is6() {
		bits = 64
	}
	return netip.PrefixFrom(addr, bits).Masked()
}
