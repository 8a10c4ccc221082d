package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestStopsWithHalfOpen: a thousand connections that have said nothing, half a
// TLS hello or only a handshake do not hold up the stop.
func TestStopsWithHalfOpen(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writePair(t, testCertificate(t, "chat.example.org"), cert, key)
	p := start(t, t.TempDir(), "--cert", cert, "--key", key)
	hello := clientHello(t)
	for i := range 1000 {
		c, err := net.Dial("tcp", strings.TrimPrefix(p.base, "https://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		switch {
		case i%3 == 0:
			_, _ = c.Write(hello[:len(hello)/2])
		case i%10 == 1:
			if err := tls.Client(c, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}).HandshakeContext(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if code := p.stop(syscall.SIGTERM, 5*time.Second); code != exitOK {
		t.Errorf("exit code %d, log:\n%s", code, p.logged())
	}
}

// TestOnePort runs a call's signaling over TLS with certificate files, and looks
// at what else the port does.
func TestOnePort(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	pair := testCertificate(t, "chat.example.org")
	writePair(t, pair, cert, key)
	p := start(t, t.TempDir(), "--cert", cert, "--key", key)
	roots := x509.NewCertPool()
	roots.AddCert(pair.Leaf)
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "chat.example.org"}}
	defer tr.CloseIdleConnections()
	client := &http.Client{Transport: tr}
	a, b := guest(t, client, p.base), guest(t, client, p.base)
	a.queue("gaming")
	b.queue("gaming")
	a.expect("match")
	b.expect("match")
	// The cookie of a new guest is one that browsers keep to HTTPS.
	resp, err := client.Post(p.base+"/api/v1/guests", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := resp.Header.Get("Set-Cookie"); !strings.HasPrefix(got, "__Host-") || resp.Header.Get("Strict-Transport-Security") != "" {
		t.Errorf("cookie %q, headers %v", got, resp.Header)
	}
	if code := p.stop(syscall.SIGTERM, 5*time.Second); code != exitOK {
		t.Errorf("exit code %d, log:\n%s", code, p.logged())
	}
}

// TestBehindProxy: what a trusted proxy says decides over the cookie; the same
// from somebody else does not.
func TestBehindProxy(t *testing.T) {
	for _, tc := range []struct{ trust, cookie string }{{"127.0.0.0/8", "__Host-st"}, {"10.0.0.0/8", "st"}} {
		p := start(t, t.TempDir(), "--trust-proxy", tc.trust)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.base+"/api/v1/guests", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = http.Header{"Content-Type": {"application/json"}, "X-Forwarded-For": {"203.0.113.9"}, "X-Forwarded-Proto": {"https"}}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if got, _, _ := strings.Cut(resp.Header.Get("Set-Cookie"), "="); got != tc.cookie {
			t.Errorf("trusting %s: cookie %q, want %q", tc.trust, got, tc.cookie)
		}
		p.stop(syscall.SIGTERM, 5*time.Second)
	}
}

// TestMediaTCP: where media has a place of its own, TCP is open there too, for
// media only.
func TestMediaTCP(t *testing.T) {
	s := settings{Listen: "127.0.0.1:0", MediaListen: "127.0.0.1:0"}
	socks, err := openSockets(t.Context(), s, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if len(socks.mediaTCP) != 1 || socks.mediaTCP[0].Addr().(*net.TCPAddr).Port != socks.mediaPort() || !slices.Equal(socks.tcpAddresses(), ips("127.0.0.1")) {
		t.Errorf("media over TCP on %v, UDP on %d", addresses(socks.mediaTCP), socks.mediaPort())
	}
	g, err := newGate(s, socks, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		g.run(ctx)
	}()
	c, err := net.Dial("tcp", socks.mediaTCP[0].Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if got, _ := io.ReadAll(c); len(got) > 0 {
		t.Errorf("HTTP in the clear got %q where only media is", got)
	}
	cancel()
	g.close()
	<-ended
	socks.close()
}

// TestSocketsAtOnce: without a place of its own media shares the port's number,
// and TCP is what HTTP listens on.
func TestSocketsAtOnce(t *testing.T) {
	socks, err := openSockets(t.Context(), settings{Listen: "localhost:0"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer socks.close()
	if socks.mediaPort() != socks.httpPort() || len(socks.mediaTCP) != 0 {
		t.Errorf("HTTP on %d, media on %d and %v", socks.httpPort(), socks.mediaPort(), addresses(socks.mediaTCP))
	}
	for _, ip := range socks.tcpAddresses() {
		if !ip.IsLoopback() {
			t.Errorf("TCP is said to be on %v", ip)
		}
	}
}

func TestCovered(t *testing.T) {
	for _, tc := range []struct {
		listen, to string
		want       bool
	}{
		{"[::]:443", "203.0.113.5:443", true},
		{"[::]:443", "[2001:db8::5]:443", true},
		{"0.0.0.0:443", "203.0.113.5:443", true},
		{"0.0.0.0:443", "[2001:db8::5]:443", false},
		{"203.0.113.5:443", "203.0.113.5:443", true},
		{"203.0.113.5:443", "203.0.113.6:443", false},
		{"[::]:443", "203.0.113.5:8443", false},
	} {
		l := newSink(net.TCPAddrFromAddrPort(netip.MustParseAddrPort(tc.listen)))
		if got := covered(netip.MustParseAddrPort(tc.to), []net.Listener{newSink(pipeAddr{}), l}); got != tc.want {
			t.Errorf("%s by %s: %v", tc.to, tc.listen, got)
		}
	}
}

// TestPrivatePortWarning: what Chromium would pass over in silence is said aloud.
func TestPrivatePortWarning(t *testing.T) {
	var log bytes.Buffer
	low := privateAt{udpSocket(t), 443}
	logWaysIn(sockets{http: []net.Listener{newSink(&net.TCPAddr{IP: net.IPv6unspecified, Port: 443})}, media: []net.PacketConn{low}}, offered{own: true}, slog.New(slog.NewTextHandler(&log, nil)))
	if !strings.Contains(log.String(), "Chromium") || !strings.Contains(log.String(), "tcp=[10.0.0.5]") {
		t.Errorf("logged %q", log.String())
	}
}

// privateAt is a socket that says it has a private address and a port.
type privateAt struct {
	net.PacketConn
	port int
}

func (p privateAt) LocalAddr() net.Addr { return &net.UDPAddr{IP: net.IPv4(10, 0, 0, 5), Port: p.port} }

// TestCertificatesAtStart: what is wrong with certificates stops the start with
// one line.
func TestCertificatesAtStart(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	dir := t.TempDir()
	for _, tc := range []struct {
		s    settings
		want string
	}{
		{settings{Cert: filepath.Join(dir, "none"), Key: filepath.Join(dir, "none")}, "--cert"},
		{settings{Domain: []string{"chat.example.org"}, Data: "/proc/x"}, "--data"},
		{settings{Domain: []string{"chat.example.org"}, Data: dir, ACMECA: filepath.Join(dir, "none")}, "--acme-ca"},
	} {
		c, err := newCertificates(tc.s, log)
		if c != nil || err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got %v, %v; want %q", c, err, tc.want)
		}
	}
	if c, err := newCertificates(settings{}, log); c != nil || err != nil || tlsConfig(c) != nil {
		t.Errorf("without settings: %v, %v", c, err)
	}
}

// TestNoCertificateYet: until there is a certificate a hello fails at once, and
// never makes the CA busy.
func TestNoCertificateYet(t *testing.T) {
	a, err := newACME(settings{Domain: []string{"chat.example.org"}, Data: t.TempDir(), ACMEDirectory: "https://127.0.0.1:1/dir"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"chat.example.org", "CHAT.example.org.", ""} {
		if _, err := a.GetCertificate(&tls.ClientHelloInfo{ServerName: name}); !errors.Is(err, errNoCertificate) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := a.GetCertificate(&tls.ClientHelloInfo{ServerName: "evil.example"}); err == nil || errors.Is(err, errNoCertificate) {
		t.Errorf("a name that is not ours: %v", err)
	}
}
