package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"golang.org/x/crypto/acme"
)

// port is a splitter on a real TCP port, with a server behind each sink: HTTP
// says what it saw, ICE and TURN send back what they get.
type port struct {
	t     *testing.T
	addr  string
	split *splitter
	conns *httpConns // of the HTTP server
	roots *x509.CertPool
}

// newPort starts one. change may replace the sinks; nobody reads from its own.
func newPort(t *testing.T, encrypted bool, change func(*splitConfig)) *port {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &port{t: t, addr: l.Addr().String(), conns: newHTTPConns(httpLimits{})}
	ice, turn := newSink(l.Addr()), newSink(l.Addr())
	c := splitConfig{HTTP: newSink(l.Addr()), ICE: ice, TURN: turn, Deadline: 5 * time.Second}
	if encrypted {
		pair := testCertificate(t, "chat.example.org")
		p.roots = x509.NewCertPool()
		p.roots.AddCert(pair.Leaf)
		c.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1", alpnTURN, acme.ALPNProto}}
	}
	if change != nil {
		change(&c)
	}
	p.split = newSplitter(c)
	served := make(chan struct{})
	go func() {
		defer close(served)
		p.split.serve(l)
	}()
	t.Cleanup(func() {
		p.split.close()
		<-served
		if n := p.split.stats().HalfOpen; n != 0 {
			t.Errorf("%d connections are half-open after close", n)
		}
	})
	if c.HTTP != nil {
		web := &http.Server{
			Handler: p.conns.watch(&front{next: http.HandlerFunc(tell)}), ReadHeaderTimeout: 5 * time.Second, ConnState: p.conns.state,
			ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
				return p.conns.admit(markEncrypted(ctx, conn), conn)
			},
		}
		t.Cleanup(func() { _ = web.Close() })
		go func() { _ = web.Serve(c.HTTP) }()
	}
	echo(t, ice, "ice:")
	echo(t, turn, "turn:")
	return p
}

// tell answers what the server knows of the request, or opens a WebSocket.
func tell(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") == "" {
		fmt.Fprintf(w, "%s tls=%v", r.Proto, r.TLS != nil)
		return
	}
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	_ = c.Write(r.Context(), websocket.MessageText, []byte("hello"))
	_ = c.Close(websocket.StatusNormalClosure, "")
}

// echo serves a sink: all that comes until the client's half ends goes back after
// a word.
func echo(t *testing.T, k *sink, word string) {
	t.Cleanup(func() { _ = k.Close() })
	go func() {
		for {
			c, err := k.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if got, err := io.ReadAll(c); err == nil {
					_, _ = c.Write(append([]byte(word), got...))
				}
			}()
		}
	}()
}

func (p *port) dial() net.Conn {
	p.t.Helper()
	c, err := net.Dial("tcp", p.addr)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		p.t.Fatal(err)
	}
	return c
}

func (p *port) config(protos ...string) *tls.Config {
	return &tls.Config{RootCAs: p.roots, ServerName: "chat.example.org", NextProtos: protos}
}

func (p *port) dialTLS(protos ...string) *tls.Conn {
	p.t.Helper()
	c := tls.Client(p.dial(), p.config(protos...))
	if err := c.HandshakeContext(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
	return c
}

func (p *port) client(protos ...string) *http.Client {
	tr := &http.Transport{TLSClientConfig: p.config(protos...), ForceAttemptHTTP2: false}
	if len(protos) > 0 && protos[0] == "h2" {
		tr.ForceAttemptHTTP2 = true
	} else {
		tr.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	p.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func (p *port) get(c *http.Client, scheme string) string {
	p.t.Helper()
	resp, err := c.Get(scheme + "://" + p.addr + "/")
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(body)
}

// say writes and reads until the end.
func (p *port) say(c net.Conn, text string) string {
	p.t.Helper()
	if _, err := io.WriteString(c, text); err != nil && text != "" {
		p.t.Fatal(err)
	}
	answer, _ := io.ReadAll(c) // a reset is an end too
	return string(answer)
}

// ask is say and then ends this half.
func (p *port) ask(c net.Conn, text string) string {
	p.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		p.t.Fatal(err)
	}
	if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		p.t.Fatal(err)
	}
	return p.say(c, "")
}

func TestSplitEncrypted(t *testing.T) {
	stunLike := "\x00\x01\x00\x00\x21\x12\xa4\x42"
	frame := "\x00\x03abc"
	for _, tc := range []struct {
		name string
		do   func(*port) string
		want string
		stat func(splitStats) uint64 // must be 1
	}{
		{"h2", func(p *port) string { return p.get(p.client("h2", "http/1.1"), "https") }, "HTTP/2.0 tls=true", func(s splitStats) uint64 { return s.HTTP }},
		{"HTTP/1.1 by ALPN", func(p *port) string { return p.get(p.client("http/1.1"), "https") }, "HTTP/1.1 tls=true", func(s splitStats) uint64 { return s.HTTP }},
		{"HTTP/1.1 without ALPN", func(p *port) string { return p.get(p.client(), "https") }, "HTTP/1.1 tls=true", func(s splitStats) uint64 { return s.HTTP }},
		{"WebSocket", func(p *port) string { return p.webSocket(p.client("http/1.1"), "wss") }, "hello", func(s splitStats) uint64 { return s.HTTP }},
		{"WebSocket without ALPN", func(p *port) string { return p.webSocket(p.client(), "wss") }, "hello", func(s splitStats) uint64 { return s.HTTP }},
		{"TURN without ALPN", func(p *port) string { return p.ask(p.dialTLS(), stunLike) }, "turn:" + stunLike, func(s splitStats) uint64 { return s.TURN }},
		{"TURN by ALPN", func(p *port) string { return p.ask(p.dialTLS(alpnTURN), stunLike) }, "turn:" + stunLike, func(s splitStats) uint64 { return s.TURN }},
		{"ICE-TCP", func(p *port) string { return p.ask(p.dial(), frame) }, "ice:" + frame, func(s splitStats) uint64 { return s.ICE }},
		{"a CA's check", func(p *port) string { return p.say(p.dialTLS(acme.ALPNProto), "") }, "", func(s splitStats) uint64 { return s.Challenged }},
		{"plain GET", func(p *port) string { return p.redirected(http.MethodGet) }, "308 https://SELF/t/gaming?x=1", func(s splitStats) uint64 { return s.Redirected }},
		{"plain HEAD", func(p *port) string { return p.redirected(http.MethodHead) }, "308 https://SELF/t/gaming?x=1", func(s splitStats) uint64 { return s.Redirected }},
		{"plain POST", func(p *port) string { return p.redirected(http.MethodPost) }, "400 ", func(s splitStats) uint64 { return s.Redirected }},
		{"plain GET of no host", func(p *port) string { return p.say(p.dial(), "GET / HTTP/1.0\r\n\r\n")[:12] }, "HTTP/1.1 400", func(s splitStats) uint64 { return s.Redirected }},
		{"plain nonsense", func(p *port) string { return p.say(p.dial(), "HELO example\r\n\r\n")[:12] }, "HTTP/1.1 400", func(s splitStats) uint64 { return s.Redirected }},
		{"garbage", func(p *port) string { return p.say(p.dial(), "\xff\xfe\xfd") }, "", func(s splitStats) uint64 { return s.Garbage }},
		{"TLS that is none", func(p *port) string { return p.say(p.dial(), "\x16\x03\x01\x00\x05hello")[1:3] }, "\x03\x01", func(s splitStats) uint64 { return s.TLSFailed }},
		{"gone", func(p *port) string { return p.goes() }, "", func(s splitStats) uint64 { return s.Gone }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newPort(t, true, nil)
			if got, want := tc.do(p), strings.ReplaceAll(tc.want, "SELF", p.addr); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			p.settle(1)
			if n := tc.stat(p.split.stats()); n != 1 {
				t.Errorf("counted %d, want 1: %+v", n, p.split.stats())
			}
		})
	}
}

// settle waits until n connections have found their fate.
func (p *port) settle(n uint64) {
	p.t.Helper()
	for {
		sum := uint64(0)
		for i := range p.split.count {
			sum += p.split.count[i].Load()
		}
		if sum >= n {
			return
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-p.t.Context().Done():
			p.t.Fatalf("%d of %d connections are decided", sum, n)
		}
	}
}

func (p *port) webSocket(c *http.Client, scheme string) string {
	p.t.Helper()
	ws, _, err := websocket.Dial(p.t.Context(), scheme+"://"+p.addr+"/", &websocket.DialOptions{HTTPClient: c})
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = ws.CloseNow() }()
	_, text, err := ws.Read(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}

func (p *port) redirected(method string) string {
	p.t.Helper()
	var body io.Reader
	if method == http.MethodPost {
		body = strings.NewReader(strings.Repeat("body ", 1000))
	}
	req, err := http.NewRequestWithContext(p.t.Context(), method, "http://"+p.addr+"/t/gaming?x=1", body)
	if err != nil {
		p.t.Fatal(err)
	}
	resp, err := p.client().Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	if !resp.Close {
		p.t.Error("the answer does not announce that the connection closes")
	}
	return fmt.Sprintf("%d %s", resp.StatusCode, resp.Header.Get("Location"))
}

func (p *port) goes() string {
	_ = p.dial().Close()
	return ""
}

func TestSplitPlain(t *testing.T) {
	frame := "\x00\x03abc"
	for _, tc := range []struct {
		name string
		do   func(*port) string
		want string
	}{
		{"HTTP", func(p *port) string { return p.get(p.client(), "http") }, "HTTP/1.1 tls=false"},
		{"WebSocket", func(p *port) string { return p.webSocket(p.client(), "ws") }, "hello"},
		{"ICE-TCP", func(p *port) string { return p.ask(p.dial(), frame) }, "ice:" + frame},
		{"TLS", func(p *port) string { return p.say(p.dial(), "\x16\x03\x01\x00\x05hello") }, ""},
		{"garbage", func(p *port) string { return p.say(p.dial(), "\x04") }, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := tc.do(newPort(t, false, nil)); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// TestSplitUnwired: a protocol that nobody takes is closed, whether it has no
// sink or a closed one.
func TestSplitUnwired(t *testing.T) {
	closed := newSink(nil)
	_ = closed.Close()
	p := newPort(t, true, func(c *splitConfig) { c.HTTP, c.ICE, c.TURN = nil, nil, closed })
	if got := p.say(p.dial(), "\x00\x03abc"); got != "" {
		t.Errorf("ICE-TCP got %q", got)
	}
	if got := p.say(p.dialTLS(), "\x00\x01"); got != "" {
		t.Errorf("TURN got %q", got)
	}
	if got := p.say(p.dialTLS("h2"), "PRI"); got != "" {
		t.Errorf("HTTP got %q", got)
	}
	if got := p.say(p.dial(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); got != "" {
		t.Errorf("plain HTTP got %q: there is nothing to redirect to", got)
	}
	p.settle(4)
	if n := p.split.stats().Refused; n != 4 {
		t.Errorf("refused %d, want 4", n)
	}
}

// TestSplitSocket: the sink of ICE-TCP and TURN can set options of the socket.
func TestSplitSocket(t *testing.T) {
	ice, turn := newSink(nil), newSink(nil)
	p := newPort(t, true, func(c *splitConfig) { c.ICE, c.TURN = ice, turn })
	_, _ = io.WriteString(p.dial(), "\x00\x01x")
	c, err := ice.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.(*replay).SyscallConn(); err != nil {
		t.Errorf("ICE-TCP: %v", err)
	}
	_, _ = io.WriteString(p.dialTLS(), "\x00\x01x")
	if c, err = turn.Accept(); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.(*replay).SyscallConn(); err != nil {
		t.Errorf("TURN: %v", err)
	}
	if _, err := (&replay{Conn: &dripConn{}}).SyscallConn(); err == nil {
		t.Error("a connection without a socket gave one")
	}
}

// TestShutdownOrder: net/http closes its listener first; ICE goes on until the
// splitter ends.
func TestShutdownOrder(t *testing.T) {
	p := newPort(t, false, nil)
	if err := p.split.config.HTTP.Close(); err != nil {
		t.Fatal(err)
	}
	if got := p.say(p.dial(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); got != "" {
		t.Errorf("HTTP got %q after its end", got)
	}
	if got := p.ask(p.dial(), "\x00\x01x"); got != "ice:\x00\x01x" {
		t.Errorf("ICE-TCP got %q", got)
	}
}
