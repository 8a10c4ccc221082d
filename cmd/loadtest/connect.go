package main

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/crypto/fingerprint"
	"github.com/pion/dtls/v3/pkg/crypto/selfsign"
	"github.com/pion/srtp/v3"
)

const (
	// Checks before the first answer, and how long one address is tried.
	firstChecks = 50 * time.Millisecond
	checkTime   = 2 * time.Second
)

// dialer connects clients to servers.
type dialer struct {
	pump        *pump
	certificate tls.Certificate // all virtual users share one
	fingerprint string
}

func newDialer(p *pump) (*dialer, error) {
	certificate, err := selfsign.GenerateSelfSigned()
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(certificate.Certificate[0])
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	digest, err := fingerprint.Fingerprint(leaf, crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}

	return &dialer{pump: p, certificate: certificate, fingerprint: strings.ToUpper(digest)}, nil
}

// connection is a client with ICE and DTLS done.
type connection struct {
	*client
	secure *dtls.Conn
	gone   chan struct{} // closed when the server has ended it, or close has
}

// close says goodbye to the server and ends the client.
func (c *connection) close() error {
	err := c.secure.Close()
	<-c.gone

	return errors.Join(err, c.client.close())
}

// dial makes an offer, has it answered by ask, and connects.
func (d *dialer) dial(ctx context.Context, ask func(ctx context.Context, offer string) (string, error)) (*connection, error) {
	local, ssrc := newCredentials(), newSSRCs()
	sdp, err := ask(ctx, offerSDP(local, d.fingerprint, ssrc))
	if err != nil {
		return nil, err
	}
	a, err := readAnswer(sdp)
	if err != nil {
		return nil, err
	}
	var tried error
	for _, to := range a.candidates {
		c, err := d.try(ctx, to, ssrc, newChecker(local, a.credentials, to))
		if err != nil {
			tried = errors.Join(tried, fmt.Errorf("%v: %w", to, err))

			continue
		}
		conn, err := d.secure(ctx, c, to, &a)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("DTLS with %v: %w", to, err), c.close())
		}

		return conn, nil
	}

	return nil, fmt.Errorf("no ICE check was answered: %w", tried)
}

// try sends checks to one address until one is answered.
func (d *dialer) try(ctx context.Context, to netip.AddrPort, ssrc [kinds]uint32, check *checker) (*client, error) {
	fd, err := openSocket(to)
	if err != nil {
		return nil, err
	}
	c, err := newClient(d.pump, fd, ssrc, check)
	if err != nil {
		return nil, errors.Join(err, closeSocket(fd))
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	again := time.NewTicker(firstChecks)
	defer again.Stop()
	for {
		d.pump.with(func() { check.check(fd) })
		select {
		case <-check.valid:
			return c, nil
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), c.close())
		case <-again.C:
		}
	}
}

// secure makes the DTLS handshake and gives the client its keys.
func (d *dialer) secure(ctx context.Context, c *client, to netip.AddrPort, a *answer) (*connection, error) {
	wire := &wire{client: c, remote: net.UDPAddrFromAddrPort(to)}
	options := []dtls.Option{
		dtls.WithCertificates(d.certificate),
		dtls.WithInsecureSkipVerify(true), // WebRTC goes by the fingerprint
		dtls.WithVerifyPeerCertificate(a.verify),
		dtls.WithSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80),
		dtls.WithLoggerFactory(noLogs()),
	}
	conn, err := handshake(wire, a.active, options)
	if err != nil {
		return nil, err
	}
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if err := c.keys(conn, !a.active); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	whole := &connection{client: c, secure: conn, gone: make(chan struct{})}
	go func() {
		defer close(whole.gone)
		b := make([]byte, maxPacket)
		for {
			if _, err := conn.Read(b); err != nil {
				return
			}
		}
	}()

	return whole, nil
}

// handshake prepares the side of DTLS that the server left to us.
func handshake(w *wire, asServer bool, options []dtls.Option) (*dtls.Conn, error) {
	if !asServer {
		list := make([]dtls.ClientOption, len(options))
		for i, o := range options {
			list[i] = o
		}

		return dtls.ClientWithOptions(w, w.remote, list...)
	}
	list := []dtls.ServerOption{dtls.WithClientAuth(dtls.RequireAnyClientCert)}
	for _, o := range options {
		list = append(list, o)
	}

	return dtls.ServerWithOptions(w, w.remote, list...)
}

// keys takes a connection's keys for SRTP.
func (c *client) keys(conn *dtls.Conn, asClient bool) error {
	agreed, ok := conn.SelectedSRTPProtectionProfile()
	state, known := conn.ConnectionState()
	if !ok || !known {
		return errors.New("no SRTP protection profile was agreed on")
	}
	config := srtp.Config{Profile: srtp.ProtectionProfile(agreed)}
	if err := config.ExtractSessionKeysFromDTLS(&state, asClient); err != nil {
		return fmt.Errorf("take the keys for SRTP: %w", err)
	}

	return c.setKeys(config)
}

// setKeys makes the client encrypt and decrypt.
func (c *client) setKeys(config srtp.Config) error {
	k := config.Keys
	seal, err := srtp.CreateContext(k.LocalMasterKey, k.LocalMasterSalt, config.Profile)
	if err != nil {
		return fmt.Errorf("prepare SRTP: %w", err)
	}
	open, err := srtp.CreateContext(k.RemoteMasterKey, k.RemoteMasterSalt, config.Profile)
	if err != nil {
		return fmt.Errorf("prepare SRTP: %w", err)
	}
	c.pump.with(func() { c.seal, c.open = seal, open })

	return nil
}

// verify compares the server's certificate with the fingerprint in its answer.
func (a *answer) verify(raw [][]byte, _ [][]*x509.Certificate) error {
	if len(raw) == 0 {
		return errors.New("the server has no DTLS certificate")
	}
	leaf, err := x509.ParseCertificate(raw[0])
	if err != nil {
		return err
	}
	algorithm, want, _ := strings.Cut(a.fingerprint, " ")
	hash, err := fingerprint.HashFromString(strings.ToLower(algorithm))
	if err != nil {
		return fmt.Errorf("fingerprint %q: %w", a.fingerprint, err)
	}
	got, err := fingerprint.Fingerprint(leaf, hash)
	if err != nil {
		return err
	}
	if !strings.EqualFold(got, want) {
		return errors.New("the DTLS certificate is not the one in the answer")
	}

	return nil
}

// wire carries a client's DTLS: the pump sorts out what comes.
type wire struct {
	*client
	remote net.Addr
}

var _ net.PacketConn = (*wire)(nil)

// ReadFrom implements net.PacketConn.
func (w *wire) ReadFrom(b []byte) (int, net.Addr, error) {
	n, err := w.inbox.Read(b)

	return n, w.remote, err
}

// WriteTo implements net.PacketConn.
func (w *wire) WriteTo(b []byte, _ net.Addr) (int, error) { return len(b), write(w.fd, b) }

// Close implements net.PacketConn; the socket is the client's.
func (w *wire) Close() error { return w.inbox.Close() }

// LocalAddr implements net.PacketConn.
func (w *wire) LocalAddr() net.Addr { return &net.UDPAddr{} }

// SetDeadline implements net.PacketConn.
func (w *wire) SetDeadline(t time.Time) error { return w.inbox.SetReadDeadline(t) }

// SetReadDeadline implements net.PacketConn.
func (w *wire) SetReadDeadline(t time.Time) error { return w.inbox.SetReadDeadline(t) }

// SetWriteDeadline implements net.PacketConn; writing never blocks.
func (w *wire) SetWriteDeadline(time.Time) error { return nil }
