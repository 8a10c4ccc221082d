package main

import (
	"cmp"
	"container/list"
	"context"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

const (
	// httpPerSource is for one address: mobile carriers and campuses put hundreds
	// of people behind one, each with a connection or two.
	httpPerSource = 512
	// httpSpare and httpPerClient make the bound of all. Each client that
	// --max-clients allows has a WebSocket, the connection that its page came by,
	// and the others are for whoever is just looking. They are not more because
	// an idle one takes some 32 kB with TLS.
	httpSpare     = 1024
	httpPerClient = 4
	// httpLeast is what a limit of open files cannot push the bound below.
	httpLeast = 256
	// httpRemind is how often it is said at most that there are too many.
	httpRemind = time.Minute
)

// httpConns bounds how many connections net/http has, over all and from one
// address, where an IPv6 address counts as its /64. Their timeouts bound each of
// them, but not their number, and each holds a file descriptor.
//
// At a bound the connection that has waited longest for a request has to go: of
// the same address, or of all. Its client lost nothing and connects again. If
// each of them is at work, the new one is closed. Addresses that stand for many
// (loopback, trusted proxies) and those that are no IP address have no bound of
// their own.
//
// A WebSocket counts until its handler returns, and is never closed from here:
// how many there may be is up to signaling (Limits.Open and MaxSessions there).
//
// All methods may be called from anywhere at any time.
type httpConns struct {
	config httpLimits
	log    *slog.Logger

	mu      sync.Mutex             // guards what follows
	conns   map[net.Conn]*httpConn // those of which net/http tells the state
	waiting *list.List             // of *httpConn without a request, the longest first
	sources map[netip.Prefix]*httpSource
	count   httpStats
	told    time.Time // when it was last said that there are too many
	since   httpStats // what had been counted then
}

// httpLimits is what an httpConns needs.
type httpLimits struct {
	// Total and PerSource bound the connections; 0 means httpSpare and 512.
	Total, PerSource int
	// Proxies have no bound of their own.
	Proxies []netip.Prefix
	// Raise is what an operator can do about Total.
	Raise string
	// Logger hears when there are too many; nil means silence.
	Logger *slog.Logger
}

// httpConn is one connection in an httpConns, whose mu guards it.
type httpConn struct {
	conn     net.Conn
	source   netip.Prefix // zero for those without a bound
	counted  bool
	hijacked bool

	// Both are nil while it is at work.
	inAll, inSource *list.Element
}

// httpSource is what one address has.
type httpSource struct {
	open    int
	waiting *list.List // as httpConns.waiting
}

// httpStats counts connections: open now, and since the start those that were
// let in, closed for a newer one, and closed at once.
type httpStats struct {
	Open                       int
	Admitted, Evicted, Refused uint64
}

func newHTTPConns(c httpLimits) *httpConns {
	c.Total = cmp.Or(c.Total, httpSpare)
	c.PerSource = min(cmp.Or(c.PerSource, httpPerSource), max(c.Total/2, 1))
	return &httpConns{
		config: c, log: cmp.Or(c.Logger, slog.New(slog.DiscardHandler)),
		conns: map[net.Conn]*httpConn{}, waiting: list.New(), sources: map[netip.Prefix]*httpSource{},
	}
}

// httpTotal is how many connections HTTP may have where a process may have this
// many files open (0 if that is unknown): half of them, since media over TCP,
// undecided connections and the database need theirs, and no more than clients
// can make use of, since each takes memory as well. raise says what to change.
func httpTotal(files uint64, clients int) (total int, raise string) {
	total = httpSpare + httpPerClient*min(clients, math.MaxInt32/8)
	if files == 0 || files/2 >= uint64(total) {
		return total, "block in the firewall who floods; if all of them are people, raise --max-clients"
	}
	return max(int(files/2), httpLeast), raiseFiles
}

// httpConnKey is the context key of a connection's *httpConn.
type httpConnKey struct{}

// admit takes a connection in, or closes it. It is for http.Server.ConnContext,
// with what watch needs in the context that it returns.
func (h *httpConns) admit(ctx context.Context, conn net.Conn) context.Context {
	c := &httpConn{conn: conn, source: h.sourceOf(conn.RemoteAddr())}
	h.mu.Lock()
	out := h.add(c)
	line := h.complaint(out, c)
	h.mu.Unlock()
	if out != nil {
		closeSocket(out.conn) // whoever reads from it notices
	}
	if line != nil {
		h.log.Warn("too many HTTP connections: those that wait longest for a request are closed, and new ones if all are at work", line...)
	}
	return context.WithValue(ctx, httpConnKey{}, c)
}

// add counts c, unless it returns c: what it returns has to be closed. The
// caller holds mu.
func (h *httpConns) add(c *httpConn) (out *httpConn) {
	src := h.sources[c.source]
	switch {
	case c.source.IsValid() && src != nil && src.open >= h.config.PerSource:
		out = longest(src.waiting, c)
	case h.count.Open >= h.config.Total:
		out = longest(h.waiting, c)
	}
	if out == c {
		h.count.Refused++
		return c
	}
	if out != nil {
		h.count.Evicted++
		h.drop(out)
	}
	if src = h.sources[c.source]; src == nil { // drop may have taken it away
		src = &httpSource{waiting: list.New()}
		h.sources[c.source] = src
	}
	h.conns[c.conn], c.counted = c, true
	h.count.Admitted++
	h.count.Open++
	src.open++
	h.wait(c)
	return out
}

// longest is the first of a list of *httpConn, or else other.
func longest(waiting *list.List, other *httpConn) *httpConn {
	if e := waiting.Front(); e != nil {
		return e.Value.(*httpConn)
	}
	return other
}

// complaint is what to say about out, which has to go because of c; nil if that
// is nothing, or was said a moment ago. The caller holds mu.
func (h *httpConns) complaint(out, c *httpConn) []any {
	now := time.Now()
	if out == nil || !h.told.IsZero() && now.Sub(h.told) < httpRemind {
		return nil
	}
	line := []any{
		"open", h.count.Open, "limit", h.config.Total,
		"evicted", h.count.Evicted - h.since.Evicted, "refused", h.count.Refused - h.since.Refused,
	}
	h.told, h.since = now, h.count
	if src := h.sources[c.source]; c.source.IsValid() && src != nil && src.open >= h.config.PerSource {
		return append(line, "address", c.source, "of_address", src.open, "limit_of_address", h.config.PerSource,
			"change", "if this address is a reverse proxy of yours, name it with --trust-proxy; if it floods, block it in the firewall")
	}
	return append(line, "change", h.config.Raise)
}

// state follows a connection. It is for http.Server.ConnState: a connection is
// at work from the end of a request's header to the end of the answer.
func (h *httpConns) state(conn net.Conn, state http.ConnState) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.conns[conn]
	if c == nil { // it had to go
		return
	}
	switch state {
	case http.StateNew: // as which admit has taken it in
	case http.StateActive:
		h.work(c)
	case http.StateIdle:
		h.work(c)
		h.wait(c)
	case http.StateHijacked: // the last that net/http tells of it
		h.work(c)
		c.hijacked = true
		delete(h.conns, conn)
	case http.StateClosed:
		h.drop(c)
	}
}

// watch notices when the handler is through with a connection that it has taken
// over, of which net/http says nothing any more.
func (h *httpConns) watch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer h.handled(r.Context())
		next.ServeHTTP(w, r)
	})
}

func (h *httpConns) handled(ctx context.Context) {
	c, ok := ctx.Value(httpConnKey{}).(*httpConn)
	if !ok {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if c.hijacked && c.counted {
		h.drop(c)
	}
}

// wait puts c at the end of both lists. The caller holds mu.
func (h *httpConns) wait(c *httpConn) {
	c.inAll, c.inSource = h.waiting.PushBack(c), h.sources[c.source].waiting.PushBack(c)
}

// work takes c out of both lists, if it is in them. The caller holds mu.
func (h *httpConns) work(c *httpConn) {
	if c.inAll == nil {
		return
	}
	h.waiting.Remove(c.inAll)
	h.sources[c.source].waiting.Remove(c.inSource)
	c.inAll, c.inSource = nil, nil
}

// drop forgets c, which is counted. The caller holds mu.
func (h *httpConns) drop(c *httpConn) {
	h.work(c)
	c.counted = false
	h.count.Open--
	src := h.sources[c.source]
	if src.open--; src.open == 0 {
		delete(h.sources, c.source)
	}
	delete(h.conns, c.conn)
}

func (h *httpConns) stats() httpStats {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.count
}

// sourceOf is the address by which a connection is counted, zero if it has no
// bound of its own.
func (h *httpConns) sourceOf(remote net.Addr) netip.Prefix {
	tcp, ok := remote.(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}
	}
	if ip := tcp.AddrPort().Addr().Unmap(); ip.IsLoopback() || contains(h.config.Proxies, ip) {
		return netip.Prefix{}
	}
	return sourceOf(remote)
}

// closeSocket closes what is at the bottom of a connection. Closing TLS would
// first say goodbye, and wait for a client that does not read.
func closeSocket(conn net.Conn) {
	for {
		outer, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			_ = conn.Close()
			return
		}
		conn = outer.NetConn()
	}
}
