package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestHTTPConnsOneSource: the connection that has waited longest has to go, and
// the new one if each is at work.
func TestHTTPConnsOneSource(t *testing.T) {
	h := newHTTPConns(httpLimits{Total: 100, PerSource: 3})
	var conns []*dripConn
	add := func(ip string) *dripConn {
		c := from(ip)
		h.admit(t.Context(), c)
		conns = append(conns, c)
		return c
	}
	a, b, c := add("192.0.2.1"), add("192.0.2.1"), add("192.0.2.1")
	h.state(a, http.StateActive) // b now waits longest
	if add("192.0.2.1"); !b.closed {
		t.Error("the second, which waited longest, is open")
	}
	h.state(b, http.StateClosed) // as net/http says when it notices
	h.state(a, http.StateIdle)   // c, the fourth, a
	if add("192.0.2.1"); !c.closed || a.closed {
		t.Errorf("closed: a %v, c %v; want c, which has waited since its beginning", a.closed, c.closed)
	}
	for _, c := range conns {
		h.state(c, http.StateActive)
	}
	if refused := add("192.0.2.1"); !refused.closed || h.stats().Refused != 1 {
		t.Error("one more than the bound is open, with all at work")
	}
	if other := add("192.0.2.2"); other.closed {
		t.Error("another address suffers")
	}
	for _, c := range conns {
		h.state(c, http.StateClosed)
	}
	if got, want := h.stats(), (httpStats{Admitted: 6, Evicted: 2, Refused: 1}); got != want || len(h.sources)+len(h.conns)+h.waiting.Len() != 0 {
		t.Errorf("in the end %+v, want %+v; %d sources, %d connections", got, want, len(h.sources), len(h.conns))
	}
}

func TestHTTPConnsTotal(t *testing.T) {
	h := newHTTPConns(httpLimits{Total: 4})
	var conns []*dripConn
	for i := range 4 {
		conns = append(conns, from(fmt.Sprintf("192.0.2.%d", i)))
		h.admit(t.Context(), conns[i])
	}
	h.state(conns[0], http.StateActive)
	if h.admit(t.Context(), from("2001:db8::1")); conns[0].closed || !conns[1].closed || h.stats().Open != 4 {
		t.Errorf("closed %v %v, want the second; %d open", conns[0].closed, conns[1].closed, h.stats().Open)
	}
}

// TestHTTPConnsBound: whom the bound of an address is for.
func TestHTTPConnsBound(t *testing.T) {
	h := newHTTPConns(httpLimits{Total: 1000, PerSource: 2, Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:9::7/128")}})
	for addrs, bounded := range map[string]bool{
		"127.0.0.1 127.0.0.1 127.0.0.1":                     false,
		"::1 ::1 ::1":                                       false,
		"10.1.2.3 ::ffff:10.1.2.3 10.1.2.3":                 false,
		"2001:db8:9::7 2001:db8:9::7 2001:db8:9::7":         false,
		"2001:db8:9::8 2001:db8:9::9 2001:db8:9::a":         true, // beside a proxy
		"192.0.2.1 ::ffff:192.0.2.1 192.0.2.1":              true,
		"192.0.2.2 192.0.2.3 192.0.2.4":                     false,
		"2001:db8::1 2001:db8::2 2001:db8:0:0:ffff::3":      true,
		"2001:db8:1:1::1 2001:db8:1:2::1 2001:db8:1:3::1":   false,
		"100.64.0.1 100.64.0.1 100.64.0.1":                  true,
		"fe80::1 fe80::2 fe80::3":                           true,
		"172.16.0.9 172.16.0.9 172.16.0.9":                  true,
		"2001:db8:2::1 2001:db8:2:0:1::1 2001:db8:2:0:2::1": true,
	} {
		var first *dripConn
		for _, ip := range strings.Fields(addrs) {
			c := from(ip)
			if first == nil {
				first = c
			}
			h.admit(t.Context(), c)
		}
		if first.closed != bounded {
			t.Errorf("%s: bounded %v, want %v", addrs, first.closed, bounded)
		}
	}
	h.admit(t.Context(), &dripConn{from: pipeAddr{}}) // has no address
}

// TestHTTPConnsSays: what is wrong is said, and once a minute at most.
func TestHTTPConnsSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		h := newHTTPConns(httpLimits{Total: 6, PerSource: 2, Raise: "give it more files", Logger: slog.New(slog.NewTextHandler(&log, nil))})
		said := func(what string, want ...string) {
			t.Helper()
			line := log.String()
			log.Reset()
			if lines := strings.Count(line, "\n"); lines != min(len(want), 1) {
				t.Errorf("%s: %d lines\n%s", what, lines, line)
			}
			for _, w := range want {
				if !strings.Contains(line, w) {
					t.Errorf("%s: %q does not say %q", what, line, w)
				}
			}
		}
		h.admit(t.Context(), from("192.0.2.1"))
		h.admit(t.Context(), from("192.0.2.1"))
		said("within bounds")
		h.admit(t.Context(), from("192.0.2.1"))
		said("at the bound", "192.0.2.1/32", "limit_of_address=2", "evicted=1 refused=0", "--trust-proxy", "firewall")
		for range 50 {
			h.admit(t.Context(), from("192.0.2.1"))
			time.Sleep(time.Second)
		}
		said("a moment later")
		time.Sleep(10 * time.Second)
		for i := range 5 {
			h.admit(t.Context(), from(fmt.Sprintf("192.0.2.%d", 10+i)))
		}
		said("full", "limit=6", "evicted=51", "give it more files")
	})
}

func TestHTTPTotal(t *testing.T) {
	for _, tc := range []struct {
		files   uint64
		clients int
		want    int
		raise   string
	}{
		{0, 2000, 9024, "--max-clients"},
		{1 << 20, 2000, 9024, "--max-clients"},
		{1<<64 - 1, 2000, 9024, "--max-clients"},
		{1 << 20, 10, 1064, "--max-clients"},
		{65536, 50000, 32768, "LimitNOFILE"},
		{1024, 2000, 512, "LimitNOFILE"},
		{300, 2000, 256, "LimitNOFILE"},
	} {
		if got, raise := httpTotal(tc.files, tc.clients); got != tc.want || !strings.Contains(raise, tc.raise) {
			t.Errorf("%d files, %d clients: %d, %q; want %d, %q", tc.files, tc.clients, got, raise, tc.want, tc.raise)
		}
	}
	for files, want := range map[uint64]int{0: 2048, 1 << 20: 2048, 4096: 512, 256: 128} {
		if got := halfOpenLimit(files); got != want {
			t.Errorf("%d files: %d undecided connections, want %d", files, got, want)
		}
	}
}

// TestHTTPFlood: one address fills its bound of the real server, first with
// connections that wait, then with requests that never end.
func TestHTTPFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, 0)
		const idle, stuck = "GET /api/v1/healthz HTTP/1.1\r\nHost: x\r\n\r\n", "POST /api/v1/guests HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{"
		answer := func(c net.Conn) int {
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				return 0
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			return resp.StatusCode
		}
		conns := make([]net.Conn, httpPerSource)
		for i := range conns {
			conns[i] = l.rawFrom("203.0.113.9", idle)
			if got := answer(conns[i]); got != http.StatusOK {
				t.Fatalf("connection %d got %d", i, got)
			}
			synctest.Wait() // the server has done with it, so the first waits longest
		}
		begin := time.Now()
		if got := answer(l.rawFrom("203.0.113.9", idle)); got != http.StatusOK {
			t.Errorf("a neighbour behind the same address got %d", got)
		}
		if _, err := conns[0].Read(make([]byte, 1)); err == nil || time.Since(begin) > 0 {
			t.Errorf("the one that waited longest was open for %v more: %v", time.Since(begin), err)
		}
		for range 2 * httpPerSource {
			l.rawFrom("203.0.113.9", stuck)
			synctest.Wait()
		}
		s := l.srv.conns.stats()
		if s.Open != httpPerSource || s.Evicted != 1+httpPerSource || s.Refused != httpPerSource {
			t.Errorf("%+v", s)
		}
		if got := answer(l.rawFrom("203.0.113.9", idle)); got != 0 {
			t.Errorf("one more got %d", got)
		}
		if got := answer(l.rawFrom("203.0.113.10", idle)); got != http.StatusOK {
			t.Errorf("another address got %d", got)
		}
		time.Sleep(requestTime + time.Second)
		if got := answer(l.rawFrom("203.0.113.9", idle)); got != http.StatusOK {
			t.Errorf("after the flood the address got %d", got)
		}
		l.shutdown()
		l.end()
		synctest.Wait()
		if n := l.srv.conns.stats().Open; n != 0 {
			t.Errorf("%d connections are counted after the end", n)
		}
	})
}

// TestHTTPConnsWebSocket: a WebSocket counts as long as it is open, and is not
// closed for a newer connection.
func TestHTTPConnsWebSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, 0)
		c := guest(t, l.http, "http://127.0.0.1:1")
		synctest.Wait()
		l.srv.conns.mu.Lock()
		l.srv.conns.config.Total = 1
		l.srv.conns.mu.Unlock()
		if _, err := l.http.Get("http://127.0.0.1:1/"); err == nil {
			t.Error("a second connection was let in")
		}
		if s := l.srv.conns.stats(); s.Open != 1 || s.Refused == 0 || s.Evicted != 0 {
			t.Errorf("beside a WebSocket: %+v", s)
		}
		c.queue("gaming")
		c.expect("queue.state")
		_ = c.ws.CloseNow()
		synctest.Wait()
		if n := l.srv.conns.stats().Open; n != 0 {
			t.Errorf("%d counted after its end", n)
		}
		l.shutdown()
		l.end()
	})
}

// TestHTTPConnsTLS: with encryption and HTTP/2 a connection is idle between
// requests too, and the client that lost it connects again.
func TestHTTPConnsTLS(t *testing.T) {
	p := newPort(t, true, nil)
	p.conns.mu.Lock()
	p.conns.config.Total = 2
	p.conns.mu.Unlock()
	clients := []*http.Client{p.client("h2", "http/1.1"), p.client("http/1.1"), p.client(), p.client("h2", "http/1.1")}
	want := []string{"HTTP/2.0 tls=true", "HTTP/1.1 tls=true", "HTTP/1.1 tls=true", "HTTP/2.0 tls=true"}
	for round := range 3 {
		for i, c := range clients {
			if got := p.get(c, "https"); got != want[i] {
				t.Errorf("round %d, client %d got %q, want %q", round, i, got, want[i])
			}
		}
	}
	if s := p.conns.stats(); s.Open > 2 || s.Evicted < 10 || s.Refused > 0 {
		t.Errorf("%+v", s)
	}
}

// rawFrom opens a connection to the server that comes from an address.
func (l *lab) rawFrom(ip, text string) net.Conn {
	l.t.Helper()
	ours, theirs := net.Pipe()
	l.t.Cleanup(func() { _ = ours.Close() })
	l.pipes.conns <- &fromConn{theirs, &net.TCPAddr{IP: net.ParseIP(ip), Port: 1}}
	_, _ = io.WriteString(ours, text) // fails where the server closes it at once
	return ours
}

// fromConn is a connection that says where it comes from.
type fromConn struct {
	net.Conn
	from net.Addr
}

func (c *fromConn) RemoteAddr() net.Addr { return c.from }
