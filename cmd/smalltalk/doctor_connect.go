package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/crypto/fingerprint"
	"github.com/pion/dtls/v3/pkg/crypto/selfsign"
	dtlsnet "github.com/pion/dtls/v3/pkg/net"
	"github.com/pion/ice/v4"
	"github.com/pion/logging"
)

// checkEvery is the time between connectivity checks, about that of browsers.
const checkEvery = 50 * time.Millisecond

// errDTLS marks a connection on which ICE succeeded and DTLS did not.
var errDTLS = errors.New("ICE got through, DTLS did not")

// noLogs keeps Pion from printing: what matters is in errors.
func noLogs() logging.LoggerFactory {
	return &logging.DefaultLoggerFactory{Writer: io.Discard, DefaultLogLevel: logging.LogLevelDisabled, ScopeLevels: map[string]logging.LogLevel{}}
}

// negotiation is one offer and its answer: what a connection is made with.
type negotiation struct {
	started     time.Time
	used        bool // a connection was tried with it
	certificate tls.Certificate

	ufrag, password  string // ours
	theirUfrag       string
	theirPassword    string
	theirFingerprint string // as in the answer: algorithm and digest (RFC 8122 section 5)
	candidates       []ice.Candidate
}

// negotiate has the server answer an offer of a call, without media in it.
func negotiate(ctx context.Context, g *guestSession) (*negotiation, error) {
	n := &negotiation{started: time.Now(), ufrag: rand.Text()[:8], password: rand.Text()}
	var err error
	if n.certificate, err = selfsign.GenerateSelfSigned(); err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(n.certificate.Certificate[0])
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	digest, err := fingerprint.Fingerprint(leaf, crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	answer, err := g.offer(ctx, offerSDP(n.ufrag, n.password, digest))
	if err != nil {
		return nil, err
	}
	return n, n.read(answer)
}

// spent is a negotiation with which nothing can be connected any more, but whose
// candidates hold: the server offers the same each time.
func (n *negotiation) spent() *negotiation {
	return &negotiation{used: true, candidates: n.candidates}
}

// offerSDP is an offer of audio and video in one bundle, as a browser's.
func offerSDP(ufrag, password, digest string) string {
	var b strings.Builder
	b.WriteString("v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n")
	for mid, m := range []struct{ kind, payload, codec string }{
		{"audio", "111", "opus/48000/2"},
		{"video", "96", "VP8/90000"},
	} {
		fmt.Fprintf(&b, "m=%s 9 UDP/TLS/RTP/SAVPF %s\r\nc=IN IP4 0.0.0.0\r\n", m.kind, m.payload)
		fmt.Fprintf(&b, "a=ice-ufrag:%s\r\na=ice-pwd:%s\r\na=fingerprint:sha-256 %s\r\na=setup:actpass\r\n", ufrag, password, strings.ToUpper(digest))
		fmt.Fprintf(&b, "a=mid:%d\r\na=sendrecv\r\na=rtcp-mux\r\na=rtpmap:%s %s\r\n", mid, m.payload, m.codec)
	}
	return b.String()
}

// read takes what is needed from an answer.
func (n *negotiation) read(answer string) error {
	for line := range strings.Lines(answer) {
		key, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), ":")
		switch key {
		case "a=ice-ufrag":
			n.theirUfrag = value
		case "a=ice-pwd":
			n.theirPassword = value
		case "a=fingerprint":
			n.theirFingerprint = value
		case "a=candidate":
			c, err := ice.UnmarshalCandidate(value)
			if err != nil {
				return fmt.Errorf("candidate %q: %w", value, err)
			}
			n.candidates = append(n.candidates, c)
		}
	}
	if n.theirUfrag == "" || n.theirPassword == "" || n.theirFingerprint == "" {
		return errors.New("the answer lacks ICE credentials or a fingerprint")
	}
	return nil
}

// connect makes ICE and DTLS by one way, and ends them again.
func (n *negotiation) connect(ctx context.Context, w wayIn) (wayFound, error) {
	return n.run(ctx, w, ice.WithNetworkTypes([]ice.NetworkType{w.network}))
}

// run connects by the server's candidates of one way.
func (n *negotiation) run(ctx context.Context, w wayIn, options ...ice.AgentOption) (wayFound, error) {
	n.used = true
	options = append(options,
		ice.WithLocalCredentials(n.ufrag, n.password), ice.WithMulticastDNSMode(ice.MulticastDNSModeDisabled),
		ice.WithCandidateTypes([]ice.CandidateType{ice.CandidateTypeHost}), ice.WithLoggerFactory(noLogs()),
		ice.WithCheckInterval(checkEvery), ice.WithMaxBindingRequests(uint16(checkTime/checkEvery)),
		ice.WithIncludeLoopback()) // the server may be on this machine
	remote := w.of(n.candidates)
	agent, err := ice.NewAgentWithOptions(options...)
	if err != nil {
		return wayFound{}, fmt.Errorf("start ICE: %w", err)
	}
	defer agent.Close()
	if err := gather(ctx, agent); err != nil {
		return wayFound{}, err
	}
	for _, c := range remote {
		if err := agent.AddRemoteCandidate(c); err != nil {
			return wayFound{}, fmt.Errorf("candidate %s: %w", c, err)
		}
	}
	conn, err := agent.Dial(ctx, n.theirUfrag, n.theirPassword)
	if err != nil {
		return wayFound{}, noPath(ctx, w, err)
	}
	srtp, err := n.secure(ctx, conn)
	if err != nil {
		return wayFound{}, fmt.Errorf("%w: %w", errDTLS, err)
	}
	found := wayFound{Milliseconds: time.Since(n.started).Milliseconds(), Path: w.path(), SRTP: srtp}
	pair, err := agent.GetSelectedCandidatePair()
	if err != nil || pair == nil {
		return wayFound{}, fmt.Errorf("the selected pair is gone: %w", err)
	}
	found.Local, found.Remote = addressOf(pair.Local).String(), addressOf(pair.Remote).String()
	return found, nil
}

// noPath says that no check was answered, which is what a closed port looks like.
func noPath(ctx context.Context, w wayIn, err error) error {
	if ctx.Err() != nil {
		kind := "UDP"
		if w.network.IsTCP() {
			kind = "TCP"
		}
		if w.relay {
			kind = "relayed"
		}
		return fmt.Errorf("no ICE check over %s was answered in %v", kind, checkTime)
	}
	return fmt.Errorf("ICE: %w", err)
}

// gather waits until the agent knows its own addresses.
func gather(ctx context.Context, agent *ice.Agent) error {
	all := make(chan struct{})
	err := agent.OnCandidate(func(c ice.Candidate) {
		if c == nil {
			close(all)
		}
	})
	if err == nil {
		err = agent.GatherCandidates()
	}
	if err != nil {
		return fmt.Errorf("gather addresses: %w", err)
	}
	select {
	case <-all:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("gather addresses: %w", ctx.Err())
	}
}

// profiles are the SRTP protection profiles that browsers offer, in their order.
var profiles = map[dtls.SRTPProtectionProfile]string{
	dtls.SRTP_AEAD_AES_128_GCM:       "AEAD_AES_128_GCM",
	dtls.SRTP_AEAD_AES_256_GCM:       "AEAD_AES_256_GCM",
	dtls.SRTP_AES128_CM_HMAC_SHA1_80: "AES128_CM_HMAC_SHA1_80",
}

// secure makes a DTLS handshake, looks at the server's fingerprint and returns
// the SRTP protection profile that was agreed on. It closes conn.
func (n *negotiation) secure(ctx context.Context, conn net.Conn) (string, error) {
	c, err := dtls.ClientWithOptions(dtlsnet.PacketConnFromConn(conn), conn.RemoteAddr(),
		dtls.WithCertificates(n.certificate),
		dtls.WithInsecureSkipVerify(true), // WebRTC goes by the fingerprint
		dtls.WithVerifyPeerCertificate(n.verify),
		dtls.WithSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AEAD_AES_256_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80),
		dtls.WithLoggerFactory(noLogs()))
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := c.HandshakeContext(ctx); err != nil {
		return "", err
	}
	profile, ok := c.SelectedSRTPProtectionProfile()
	if !ok {
		return "", errors.New("no SRTP protection profile was agreed on")
	}
	if name, ok := profiles[profile]; ok {
		return name, nil
	}
	return fmt.Sprintf("profile 0x%04x", uint16(profile)), nil
}

// verify compares the server's certificate with the fingerprint in its answer.
func (n *negotiation) verify(raw [][]byte, _ [][]*x509.Certificate) error {
	if len(raw) == 0 {
		return errors.New("the server has no DTLS certificate")
	}
	leaf, err := x509.ParseCertificate(raw[0])
	if err != nil {
		return err
	}
	algorithm, want, _ := strings.Cut(n.theirFingerprint, " ")
	hash, err := fingerprint.HashFromString(strings.ToLower(algorithm))
	if err != nil {
		return fmt.Errorf("fingerprint %q: %w", n.theirFingerprint, err)
	}
	got, err := fingerprint.Fingerprint(leaf, hash)
	if err != nil {
		return err
	}
	if !strings.EqualFold(got, want) {
		return errors.New("the DTLS certificate is not the one in the answer: somebody is in between")
	}
	return nil
}
