package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

const (
	acmeProduction = autocert.DefaultACMEDirectory // Let's Encrypt
	acmeStaging    = "https://acme-staging-v02.api.letsencrypt.org/directory"
)

// acmeRetry is how long to wait after each failure in a row; the last repeats.
// autocert answers with the old failure for a minute, and Let's Encrypt allows
// five failures of a name in an hour.
var acmeRetry = []time.Duration{65 * time.Second, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour}

// acmeCerts gets certificates from an ACME server (RFC 8555) by TLS-ALPN-01
// (RFC 8737): the CA connects to the port of the server itself.
//
// autocert would ask for a certificate when the first client wants one. Here a
// client's hello never makes it ask: strangers could use up the CA's limits, and
// the first person would wait. It is asked at the start, and renews by itself.
type acmeCerts struct {
	domains []string // lower case, punycode
	manager *autocert.Manager
	listen  *overhear
	ready   map[string]*atomic.Bool
	log     *slog.Logger
}

var errNoCertificate = errors.New("there is no certificate for this name yet")

// newACME prepares the folder of the certificates, and asks nobody yet.
func newACME(s settings, log *slog.Logger) (*acmeCerts, error) {
	directory := s.acmeURL()
	// Each CA has its own folder: a certificate of a staging CA must not be found
	// when the real one is asked.
	folder := filepath.Join(s.Data, "certificates", folderOf(directory))
	if err := writable(folder); err != nil {
		return nil, fmt.Errorf("folder of certificates: %w: make it writable for this user, or choose another folder with --data", err)
	}
	roots, err := acmeRoots(s.ACMECA)
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
	a := &acmeCerts{domains: s.Domain, log: log, listen: newOverhear(transport), ready: map[string]*atomic.Bool{}}
	for _, d := range a.domains {
		a.ready[d] = &atomic.Bool{}
	}
	a.manager = &autocert.Manager{
		Prompt: autocert.AcceptTOS, Email: s.ACMEEmail, HostPolicy: autocert.HostWhitelist(s.Domain...),
		Cache: autocert.DirCache(folder),
		Client: &acme.Client{
			DirectoryURL: directory, UserAgent: "smalltalk",
			HTTPClient: &http.Client{Transport: a.listen, Timeout: 30 * time.Second},
		},
	}
	return a, nil
}

// folderOf makes a folder's name of a directory's address.
func folderOf(directory string) string {
	u, err := url.Parse(directory)
	if err != nil {
		return slug(directory)
	}
	return slug(u.Host + u.Path)
}

// writable makes a folder that only this user can read, and proves that a file
// can be written: autocert would say nothing, and ask for a new certificate at
// each start until the CA has had enough.
func writable(folder string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(folder, ".writable")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// acmeRoots is whom to trust as the ACME server: the system's, and those of file.
func acmeRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--acme-ca: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("--acme-ca %s holds no certificate in PEM form", file)
	}
	return roots, nil
}

// GetCertificate implements certificates.
func (a *acmeCerts) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if len(hello.SupportedProtos) == 1 && hello.SupportedProtos[0] == acme.ALPNProto {
		return a.manager.GetCertificate(hello)
	}
	name := strings.ToLower(strings.TrimSuffix(hello.ServerName, "."))
	if name == "" {
		name = a.domains[0] // a client that was given an IP address names nobody
	}
	ready, ours := a.ready[name]
	if !ours {
		return nil, fmt.Errorf("%q is not a name of this server", name)
	}
	if !ready.Load() {
		return nil, errNoCertificate
	}
	return a.obtain(name)
}

// obtain gets the certificate of a name: autocert's own, a stored one, or after
// minutes a new one. It always has an ECDSA key, which all clients of TLS 1.2
// with WebRTC take; asking for RSA beside would double the orders.
func (a *acmeCerts) obtain(name string) (*tls.Certificate, error) {
	return a.manager.GetCertificate(&tls.ClientHelloInfo{
		ServerName: name, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
	})
}

// stored says whether the certificate of the first name is there from an earlier
// start, so that people can come at once. It asks nobody.
func (a *acmeCerts) stored(ctx context.Context, now time.Time) bool {
	text, err := a.manager.Cache.Get(ctx, a.domains[0])
	if err != nil {
		return false
	}
	block, rest := pem.Decode(text)
	for block != nil && block.Type != "CERTIFICATE" { // its key comes first
		block, rest = pem.Decode(rest)
	}
	if block == nil {
		return false
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	return err == nil && now.Before(leaf.NotAfter)
}

// run implements certificates: one keeper for each name.
func (a *acmeCerts) run(ctx context.Context) {
	defer context.AfterFunc(ctx, a.listen.stop)()
	var keepers sync.WaitGroup
	for _, d := range a.domains {
		keepers.Go(func() { a.keep(ctx, d) })
	}
	keepers.Wait()
}

// keep gets the certificate of one name and then watches over its renewal, which
// is autocert's, until ctx is cancelled.
func (a *acmeCerts) keep(ctx context.Context, domain string) {
	var known *x509.Certificate
	var warned time.Time
	failures := 0
	for {
		leaf, err := a.fetch(ctx, domain)
		var wait time.Duration
		switch now := time.Now(); {
		case ctx.Err() != nil:
			return
		case err != nil:
			wait = acmeRetry[min(failures, len(acmeRetry)-1)]
			wait += rand.N(wait / 10)
			failures++
			a.failed("no certificate yet", domain, err, "next_try", wait.Round(time.Second))
		default:
			if known == nil || known.SerialNumber.Cmp(leaf.SerialNumber) != 0 {
				a.log.Info("certificate ready", "domain", domain, "issuer", leaf.Issuer.CommonName, "expires", leaf.NotAfter)
			}
			a.ready[domain].Store(true)
			failures, known, wait = 0, leaf, glance(leaf)
			if overdue(leaf, now) && now.Sub(warned) > certRemind {
				warned = now
				a.failed("the certificate is not renewed", domain, nil, "expires", leaf.NotAfter)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// glance is how long to wait before looking at a certificate again.
func glance(leaf *x509.Certificate) time.Duration {
	return min(max(leaf.NotAfter.Sub(leaf.NotBefore)/20, time.Second), time.Hour)
}

// overdue says whether a certificate should have been renewed a while ago:
// autocert begins with a third of its time left, thirty days at most.
func overdue(leaf *x509.Certificate, now time.Time) bool {
	life := leaf.NotAfter.Sub(leaf.NotBefore)
	return leaf.NotAfter.Sub(now) < min(life/4, 23*24*time.Hour)
}

// fetch gets the certificate of a name. When ctx is cancelled it does not wait
// for autocert, which takes no context: without its HTTP client that soon fails.
func (a *acmeCerts) fetch(ctx context.Context, domain string) (*x509.Certificate, error) {
	type result struct {
		cert *tls.Certificate
		err  error
	}
	done := make(chan result, 1)
	go func() {
		cert, err := a.obtain(domain)
		done <- result{cert, err}
	}()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-done:
		if r.err != nil {
			return nil, r.err
		}
		return r.cert.Leaf, nil
	}
}

// failed says in one line what went wrong and what to look at.
func (a *acmeCerts) failed(what, domain string, err error, more ...any) {
	reason := a.listen.reason(domain)
	if reason == "" && err != nil {
		reason = err.Error()
	}
	args := append([]any{"domain", domain, "reason", reason}, more...)
	a.log.Error(what, append(args, "check", "that DNS gives the address of this server for the domain (and an AAAA record only if IPv6 works), "+
		"that TCP port 443 is reachable from the internet, and that the clock is right")...)
}
