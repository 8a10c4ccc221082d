package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// certPoll is how often certificate files are looked at.
	certPoll = 3 * time.Second
	// certRemind is how often a certificate near its end is mentioned.
	certRemind = 24 * time.Hour
)

// certFiles is a certificate in two files that may be replaced at any time.
type certFiles struct {
	cert, key string
	log       *slog.Logger
	poll      time.Duration
	hangup    chan os.Signal
	current   atomic.Pointer[tls.Certificate]
	mismatch  atomic.Bool // a client's wrong name was mentioned for this certificate

	seen     stamp     // of what was tried last; run's own
	reminded time.Time // when its state was last mentioned; run's own
}

// stamp tells versions of the two files apart.
type stamp struct {
	cert, key         time.Time
	certSize, keySize int64
}

// loadCertFiles reads the certificate at the start, when an error still can stop
// it. From then on SIGHUP does not end the program, but waits for run.
func loadCertFiles(cert, key string, log *slog.Logger) (*certFiles, error) {
	f := &certFiles{cert: cert, key: key, log: log, poll: certPoll, hangup: make(chan os.Signal, 1)}
	if err := f.load(); err != nil {
		return nil, err
	}
	signal.Notify(f.hangup, syscall.SIGHUP)
	return f, nil
}

// load takes over what is in the files now, or leaves everything as it is.
func (f *certFiles) load() error {
	var err error
	// The stamp comes first: a change while reading is then a change to come.
	if f.seen, err = f.stat(); err != nil {
		return fmt.Errorf("certificate files: %w: look at --cert and --key", err)
	}
	pair, err := tls.LoadX509KeyPair(f.cert, f.key)
	if pathErr := (*fs.PathError)(nil); errors.As(err, &pathErr) {
		return fmt.Errorf("certificate files: %w: --cert and --key must be files that this user can read", err)
	}
	if err != nil {
		return fmt.Errorf("--cert %s with --key %s cannot be used: %w: both must be PEM files, the certificate first in its file, and the key must be its own", f.cert, f.key, err)
	}
	f.current.Store(&pair)
	f.mismatch.Store(false)
	f.log.Info("certificate loaded", "names", pair.Leaf.DNSNames, "addresses", pair.Leaf.IPAddresses, "expires", pair.Leaf.NotAfter)
	f.complain(pair)
	return nil
}

// complain mentions what is wrong with the certificate in use.
func (f *certFiles) complain(pair tls.Certificate) {
	f.reminded = time.Now()
	chain := []*x509.Certificate{pair.Leaf}
	for _, der := range pair.Certificate[1:] {
		if c, err := x509.ParseCertificate(der); err == nil {
			chain = append(chain, c)
		}
	}
	for _, text := range complaints(chain, nil, f.reminded) {
		f.log.Warn("the certificate has a problem", "file", f.cert, "problem", text)
	}
}

func (f *certFiles) stat() (stamp, error) {
	cert, err := os.Stat(f.cert)
	if err != nil {
		return stamp{}, err
	}
	key, err := os.Stat(f.key)
	if err != nil {
		return stamp{}, err
	}
	return stamp{cert.ModTime(), key.ModTime(), cert.Size(), key.Size()}, nil
}

// GetCertificate implements certificates.
func (f *certFiles) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	pair := f.current.Load()
	if hello.ServerName != "" && pair.Leaf.VerifyHostname(hello.ServerName) != nil && f.mismatch.CompareAndSwap(false, true) {
		f.log.Warn("a client asked for a host that the certificate does not name (said once): under that name pages open only after a warning, and calls over TLS (TURN) will not work",
			"host", hello.ServerName, "names", pair.Leaf.DNSNames)
	}
	return pair, nil
}

// run implements certificates: it loads the files again when they change, and at
// once at SIGHUP.
func (f *certFiles) run(ctx context.Context) {
	defer signal.Stop(f.hangup)
	ticker := time.NewTicker(f.poll)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.hangup:
			f.refresh(true)
		case <-ticker.C:
			f.refresh(false)
		}
	}
}

// refresh loads the files if they have changed since they were last tried, or if
// it is told to. While they are being replaced the two may not fit each other:
// then the old certificate stays until the next change.
func (f *certFiles) refresh(always bool) {
	now, err := f.stat()
	switch {
	case err != nil:
		if f.seen != (stamp{}) {
			f.log.Error("certificate files cannot be read, the old certificate stays in use", "error", err)
		}
		f.seen = stamp{} // said once; what appears next is new
	case always || now != f.seen:
		if err := f.load(); err != nil {
			f.log.Error("the new certificate is refused, the old one stays in use", "error", err)
		}
	case time.Since(f.reminded) > certRemind:
		f.complain(*f.current.Load())
	}
}
