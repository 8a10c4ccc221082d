package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	// pebbleModule is Let's Encrypt's small ACME server for tests. It is built
	// here and is no dependency of ours.
	pebbleModule = "github.com/letsencrypt/pebble/v2/cmd/"
	pebbleAt     = "@v2.10.1"
	// certLife is how long the test's certificates last. They are renewed when a
	// third of it is left.
	certLife = 18 * time.Second
)

// TestACME gets certificates from a real ACME server, which checks the domain by
// TLS-ALPN-01 on the port that also serves HTTPS: at the first start, not at the
// second, and again when the first is about to end.
func TestACME(t *testing.T) {
	t.Parallel()
	ca := startPebble(t)
	data := t.TempDir()
	args := []string{
		"--domain", "chat.example.org", "--acme-directory", ca.directory, "--acme-ca", ca.caFile, "--acme-email", "admin@example.org",
		"--listen", ca.target, "--media-listen", "127.0.0.1:0",
	}

	p := start(t, data, args...)
	if !strings.Contains(p.said, "is fetching its certificate: open https://chat.example.org:") {
		t.Errorf("before there is a certificate it says %q", p.said)
	}
	first := ca.waitCertificate(t, p, nil)
	if got := first.DNSNames; len(got) != 1 || got[0] != "chat.example.org" {
		t.Errorf("the certificate is for %v", got)
	}
	ca.checkHTTPS(t)
	if _, err := tls.Dial("tcp", ca.target, &tls.Config{ServerName: "evil.example.org", InsecureSkipVerify: true}); err == nil {
		t.Error("a name that is not ours got a certificate")
	}
	if code := p.stop(syscall.SIGTERM, 5*time.Second); code != exitOK {
		t.Fatalf("exit code %d, log:\n%s", code, p.logged())
	}
	checkPrivate(t, filepath.Join(data, "certificates"))

	p = start(t, data, args...)
	if !strings.Contains(p.said, "is ready: open https://chat.example.org:") {
		t.Errorf("with a stored certificate it says %q", p.said)
	}
	if again := ca.waitCertificate(t, p, nil); again.SerialNumber.Cmp(first.SerialNumber) != 0 || ca.issued() != 1 {
		t.Errorf("after a restart there is another certificate; the CA issued %d", ca.issued())
	}
	renewed := ca.waitCertificate(t, p, first)
	ca.checkHTTPS(t)
	if !renewed.NotAfter.After(first.NotAfter) || ca.issued() != 2 {
		t.Errorf("renewed to %v from %v; the CA issued %d", renewed.NotAfter, first.NotAfter, ca.issued())
	}
	eventually(t, "the renewal is not mentioned", func() bool { return strings.Count(p.logged(), "certificate ready") == 2 })
	if code := p.stop(syscall.SIGTERM, 5*time.Second); code != exitOK {
		t.Errorf("exit code %d, log:\n%s", code, p.logged())
	}
}

// TestStoredCertificate: only a certificate that browsers still take is one that
// need not be fetched.
func TestStoredCertificate(t *testing.T) {
	now := time.Now()
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writePair(t, testCertificateFor(t, x509.Certificate{DNSNames: []string{"chat.example.org"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}), cert, key)
	read := func(name string) string {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for _, tc := range []struct {
		text string
		at   time.Time
		want bool
	}{
		{"", now, false},
		{read(key) + read(cert), now, true},
		{read(key) + read(cert), now.Add(2 * time.Hour), false},
		{read(key), now, false},
		{"garbage", now, false},
	} {
		a, err := newACME(settings{Domain: []string{"chat.example.org"}, Data: t.TempDir()}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if tc.text != "" {
			if err := a.manager.Cache.Put(t.Context(), "chat.example.org", []byte(tc.text)); err != nil {
				t.Fatal(err)
			}
		}
		if got := a.stored(t.Context(), tc.at); got != tc.want {
			t.Errorf("%d bytes after %v: %v", len(tc.text), tc.at.Sub(now), got)
		}
	}
}

// TestACMERefused: when the CA cannot reach the port, one line says so and what
// to check, the reason is the CA's, and the server stays up.
func TestACMERefused(t *testing.T) {
	t.Parallel()
	ca := startPebble(t)
	elsewhere, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer elsewhere.Close()
	// The CA goes to ca.target, where nobody is.
	p := start(t, t.TempDir(), "--domain", "chat.example.org", "--acme-directory", ca.directory, "--acme-ca", ca.caFile, "--listen", "127.0.0.1:0")
	eventually(t, "the failure is not mentioned", func() bool { return strings.Contains(p.logged(), "no certificate yet") })
	line := lineOf(p.logged(), "no certificate yet")
	for _, want := range []string{"domain=chat.example.org", "Failed to connect", "check=", "DNS", "443", "next_try=1m"} {
		if !strings.Contains(line, want) {
			t.Errorf("the line does not mention %q: %s", want, line)
		}
	}
	base := strings.TrimPrefix(p.base, "https://")
	if _, err := tls.Dial("tcp", base, &tls.Config{ServerName: "chat.example.org", InsecureSkipVerify: true}); err == nil {
		t.Error("there is a certificate")
	}
	resp, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Get("http://" + base + "/x")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if got := resp.Header.Get("Location"); !strings.HasPrefix(got, "https://chat.example.org:") {
		t.Errorf("redirected to %q", got)
	}
	if code := p.stop(syscall.SIGTERM, 5*time.Second); code != exitOK {
		t.Errorf("exit code %d, log:\n%s", code, p.logged())
	}
}

func lineOf(text, with string) string {
	for line := range strings.Lines(text) {
		if strings.Contains(line, with) {
			return line
		}
	}
	return ""
}

// checkPrivate: keys are nobody else's business.
func checkPrivate(t *testing.T, folder string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		if !d.IsDir() {
			files++
		}
		return nil
	})
	if err != nil || files < 2 {
		t.Errorf("%d files (%v), want the account's key and the certificate at least", files, err)
	}
}

// pebble is a running ACME server.
type pebble struct {
	directory  string
	caFile     string // of its own HTTPS
	target     string // where it goes to check domains
	management string
	client     *http.Client
	roots      *x509.CertPool // of what it issues
	log        *journal
}

// startPebble builds and runs Pebble and its DNS server, for which every name is
// this machine. Validation is real.
func startPebble(t *testing.T) *pebble {
	t.Helper()
	bin := buildPebble(t)
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	own := testCertificate(t, "localhost")
	writePair(t, own, file("cert.pem"), file("key.pem"))
	ports := freePorts(t, 5)
	at := func(i int) string { return fmt.Sprintf("127.0.0.1:%d", ports[i]) }
	config := map[string]any{"pebble": map[string]any{
		"listenAddress": at(0), "managementListenAddress": at(1), "certificate": file("cert.pem"), "privateKey": file("key.pem"),
		"httpPort": 1, "tlsPort": ports[2], "keyAlgorithm": "ecdsa",
		"retryAfter": map[string]int{"authz": 1, "order": 1},
		"profiles":   map[string]any{"default": map[string]any{"description": "short", "validityPeriod": int(certLife.Seconds())}},
	}}
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file("config.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	runAside(t, filepath.Join(bin, "pebble-challtestsrv"), "-dnsserver", at(3), "-management", at(4),
		"-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", "", "-defaultIPv6", "")
	log := runAside(t, filepath.Join(bin, "pebble"), "-config", file("config.json"), "-dnsserver", at(3))

	own509 := x509.NewCertPool()
	own509.AddCert(own.Leaf)
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: own509}}
	t.Cleanup(tr.CloseIdleConnections)
	ca := &pebble{
		directory: fmt.Sprintf("https://localhost:%d/dir", ports[0]), caFile: file("cert.pem"), target: at(2),
		management: fmt.Sprintf("https://localhost:%d", ports[1]), client: &http.Client{Transport: tr}, roots: x509.NewCertPool(), log: log,
	}
	eventually(t, "Pebble does not answer", func() bool { return ca.roots.AppendCertsFromPEM(ca.get("/roots/0")) })
	return ca
}

// buildPebble builds the ACME server from the module proxy, or fails the test:
// without it nothing shows that certificates can be had.
func buildPebble(t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	cmd := exec.Command("go", "install", pebbleModule+"pebble"+pebbleAt, pebbleModule+"pebble-challtestsrv"+pebbleAt)
	cmd.Env = append(os.Environ(), "GOBIN="+bin, "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build Pebble: %v\n%s", err, out)
	}
	return bin
}

// runAside runs a program until the test ends, and gives what it prints.
func runAside(t *testing.T, name string, args ...string) *journal {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=5")
	out := &journal{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s:\n%s", filepath.Base(name), out.String())
		}
	})
	return out
}

// freePorts finds ports that are free now, for programs that cannot say which
// they took.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

func (ca *pebble) get(path string) []byte {
	resp, err := ca.client.Get(ca.management + path)
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil
	}
	return body
}

// waitCertificate waits until HTTPS shows a certificate, other than old.
func (ca *pebble) waitCertificate(t *testing.T, p *process, old *x509.Certificate) *x509.Certificate {
	t.Helper()
	var leaf *x509.Certificate
	ok := func() bool {
		c, err := tls.Dial("tcp", ca.target, &tls.Config{ServerName: "chat.example.org", InsecureSkipVerify: true})
		if err != nil {
			return false
		}
		defer c.Close()
		leaf = c.ConnectionState().PeerCertificates[0]
		return old == nil || leaf.SerialNumber.Cmp(old.SerialNumber) != 0
	}
	limit := time.Now().Add(certLife + 10*time.Second)
	for !ok() {
		if time.Now().After(limit) {
			t.Fatalf("no certificate (or the old one); log:\n%s", p.logged())
		}
		time.Sleep(100 * time.Millisecond) // another process in real time
	}
	return leaf
}

// checkHTTPS asks as a browser does that trusts the CA.
func (ca *pebble) checkHTTPS(t *testing.T) {
	t.Helper()
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.roots, ServerName: "chat.example.org"}, ForceAttemptHTTP2: true}
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr}).Get("https://" + ca.target + "/api/v1/healthz")
	if err != nil {
		t.Error(err)
		return
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.ProtoMajor != 2 || resp.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("status %d, %s, header %v", resp.StatusCode, resp.Proto, resp.Header)
	}
}

// issued is how many certificates the CA has made.
func (ca *pebble) issued() int { return strings.Count(ca.log.String(), "Issued certificate serial") }
