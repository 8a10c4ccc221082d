package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// journal is a log that may be read while it is written.
type journal struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.String()
}

func (j *journal) logger() *slog.Logger { return slog.New(slog.NewTextHandler(j, nil)) }

// eventually waits until ok, and fails the test with what if it never is.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(30 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatal(what)
		}
	}
}

// TestCertificateSwap replaces the files of a running server: clients get the new
// certificate, a broken pair changes nothing, and the next good one is taken.
func TestCertificateSwap(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	first, second, third := testCertificate(t, "one.example.org"), testCertificate(t, "two.example.org"), testCertificate(t, "three.example.org")
	writePair(t, first, cert, key)
	var log journal
	files, err := loadCertFiles(cert, key, log.logger())
	if err != nil {
		t.Fatal(err)
	}
	files.poll = 20 * time.Millisecond
	running := make(chan struct{})
	go func() {
		defer close(running)
		files.run(t.Context())
	}()
	t.Cleanup(func() { <-running })
	p := newPort(t, true, func(c *splitConfig) { c.TLS = tlsConfig(files) })
	shown := func() string {
		c := tls.Client(p.dial(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
		if err := c.HandshakeContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].DNSNames[0]
	}
	if got := shown(); got != "one.example.org" {
		t.Errorf("at first: %s", got)
	}

	writePair(t, second, cert, key)
	eventually(t, "the second certificate is never shown", func() bool { return shown() == "two.example.org" })

	// A certificate with somebody else's key, as while the files are replaced.
	writePair(t, third, cert, filepath.Join(dir, "elsewhere.pem"))
	eventually(t, "the broken pair is not mentioned", func() bool { return strings.Contains(log.String(), "the old one stays in use") })
	if got := shown(); got != "two.example.org" {
		t.Errorf("with a broken pair: %s", got)
	}

	// Both gone, then good again.
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the missing file is not mentioned", func() bool { return strings.Contains(log.String(), "cannot be read") })
	if got := shown(); got != "two.example.org" {
		t.Errorf("without files: %s", got)
	}
	writePair(t, third, cert, key)
	eventually(t, "the third certificate is never shown", func() bool { return shown() == "three.example.org" })
}

// TestCertificateHangup: SIGHUP loads the files at once, and does not end the program.
func TestCertificateHangup(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writePair(t, testCertificate(t, "one.example.org"), cert, key)
	p := start(t, t.TempDir(), "--cert", cert, "--key", key)
	writePair(t, testCertificate(t, "two.example.org"), cert, key)
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the second certificate is never loaded", func() bool { return strings.Contains(p.logged(), "two.example.org") })
	if code := p.stop(syscall.SIGTERM, 5*time.Second); code != exitOK {
		t.Errorf("exit code %d, log:\n%s", code, p.logged())
	}
}

func TestCertificateErrors(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	writePair(t, testCertificate(t, "one.example.org"), file("cert"), file("key"))
	writePair(t, testCertificate(t, "two.example.org"), file("cert2"), file("key2"))
	if err := os.WriteFile(file("text"), []byte("no PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, cert, key, want string }{
		{"missing", "none", "key", "no such file"},
		{"missing key", "cert", "none", "no such file"},
		{"other key", "cert", "key2", "does not match"},
		{"no PEM", "text", "key", "PEM"},
		{"swapped", "key", "cert", "PEM"},
		{"a folder", ".", "key", "--cert"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var log journal
			_, err := loadCertFiles(file(tc.cert), file(tc.key), log.logger())
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "--key") || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want one line with %q", err, tc.want)
			}
		})
	}
}

func TestComplaints(t *testing.T) {
	now := time.Now()
	made := func(from, to time.Duration, names ...string) *x509.Certificate {
		return testCertificateFor(t, x509.Certificate{DNSNames: names, NotBefore: now.Add(from), NotAfter: now.Add(to)}).Leaf
	}
	const day = 24 * time.Hour
	for _, tc := range []struct {
		name    string
		leaf    *x509.Certificate
		trusted bool
		want    []string
	}{
		{"good", made(-day, 60*day, "a.example.org"), true, nil},
		{"an address is a name", testCertificateFor(t, x509.Certificate{IPAddresses: []net.IP{net.IPv4(203, 0, 113, 5)}, NotBefore: now.Add(-day), NotAfter: now.Add(60 * day)}).Leaf, true, nil},
		{"self-signed", made(-day, 60*day, "a.example.org"), false, []string{"signed"}},
		{"expired", made(-9*day, -day, "a.example.org"), true, []string{"expired"}},
		{"soon", made(-day, 3*day, "a.example.org"), true, []string{"expires soon"}},
		{"not yet", made(day, 60*day, "a.example.org"), true, []string{"clock"}},
		{"no name", made(-day, 60*day), true, []string{"names no host"}},
		{"all at once", made(-9*day, -day), false, []string{"expired", "names no host", "signed"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			roots := x509.NewCertPool()
			if tc.trusted {
				roots.AddCert(tc.leaf)
			}
			got := complaints([]*x509.Certificate{tc.leaf}, roots, now)
			if len(got) != len(tc.want) {
				t.Fatalf("got %q, want %q", got, tc.want)
			}
			for i, want := range tc.want {
				if !strings.Contains(got[i], want) {
					t.Errorf("got %q, want %q", got[i], want)
				}
			}
		})
	}
}

// TestWrongName: a client that asks for a host which the certificate does not
// name gets it all the same, and is mentioned once.
func TestWrongName(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writePair(t, testCertificate(t, "one.example.org"), cert, key)
	var log journal
	files, err := loadCertFiles(cert, key, log.logger())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "one.example.org", "other.example.org", "third.example.org"} {
		if pair, err := files.GetCertificate(&tls.ClientHelloInfo{ServerName: name}); err != nil || pair == nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	if n := strings.Count(log.String(), "does not name"); n != 1 || !strings.Contains(log.String(), "other.example.org") {
		t.Errorf("mentioned %d times:\n%s", n, log.String())
	}
}
