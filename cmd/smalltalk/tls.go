package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/crypto/acme"
)

// certificates is where the server's certificate comes from: files, or ACME.
type certificates interface {
	// GetCertificate serves as that of tls.Config.
	GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error)
	// run keeps the certificates fresh until ctx is cancelled.
	run(ctx context.Context)
}

var (
	_ certificates = (*certFiles)(nil)
	_ certificates = (*acmeCerts)(nil)
)

// newCertificates chooses by the settings; nil means plain HTTP.
func newCertificates(s settings, log *slog.Logger) (certificates, error) {
	switch {
	case len(s.Domain) > 0:
		c, err := newACME(s, log)
		if err != nil {
			return nil, err
		}
		return c, nil
	case s.Cert != "":
		c, err := loadCertFiles(s.Cert, s.Key, log)
		if err != nil {
			return nil, err
		}
		return c, nil
	}
	return nil, nil
}

// tlsConfig is how to talk TLS with these certificates; nil for nil.
func tlsConfig(c certificates) *tls.Config {
	if c == nil {
		return nil
	}
	config := &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: c.GetCertificate,
		NextProtos:     []string{"h2", "http/1.1", alpnTURN},
	}
	if _, ok := c.(*acmeCerts); ok {
		config.NextProtos = append(config.NextProtos, acme.ALPNProto)
	}
	return config
}

// expirySoon is how long before its end a certificate is worth a warning.
const expirySoon = 14 * 24 * time.Hour

// complaints lists what is wrong with a certificate that can be used all the
// same. chain begins with the certificate itself; roots are whom browsers trust.
func complaints(chain []*x509.Certificate, roots *x509.CertPool, now time.Time) []string {
	leaf, list := chain[0], []string(nil)
	switch left := leaf.NotAfter.Sub(now); {
	case left <= 0:
		list = append(list, fmt.Sprintf("it expired at %s: browsers refuse it", leaf.NotAfter.Format(time.RFC3339)))
	case left < expirySoon:
		list = append(list, fmt.Sprintf("it expires soon, at %s", leaf.NotAfter.Format(time.RFC3339)))
	}
	if now.Before(leaf.NotBefore) {
		list = append(list, fmt.Sprintf("it is valid only from %s: is the clock of this machine right?", leaf.NotBefore.Format(time.RFC3339)))
	}
	if len(leaf.DNSNames) == 0 && len(leaf.IPAddresses) == 0 {
		list = append(list, "it names no host: browsers refuse it, and calls over TLS (TURN) will not work")
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	// The time is that of its own validity, which was looked at above.
	when := leaf.NotBefore.Add(leaf.NotAfter.Sub(leaf.NotBefore) / 2)
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: when}); err != nil {
		list = append(list, "nobody that this machine trusts has signed it (self-signed, or --cert lacks the intermediate certificates): "+
			"where a browser does not trust it, pages open only after a warning and calls over TLS (TURN) will not work")
	}
	return list
}
