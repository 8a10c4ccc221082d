package sfu

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
)

// newStreamEngine makes an Engine on 127.0.0.1 with UDP, TCP and TURN over TLS.
func newStreamEngine(t testing.TB, change func(*Config)) *Engine {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := Config{UDP: []net.PacketConn{conn}, IncludeLoopback: true, TCP: listen(t), TURN: tls.NewListener(listen(t), selfSigned(t)), MediaPlane: *testPlane}
	if change != nil {
		change(&c)
	}
	e, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})

	return e
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	return l
}

func selfSigned(t testing.TB) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}

	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

// insecureTLS is a proxy dialer that makes a TLS connection to a server whose
// certificate nobody has signed; a client uses it for TURN.
type insecureTLS struct{}

func (insecureTLS) Dial(network, address string) (net.Conn, error) {
	d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // the test made the certificate

	return d.DialContext(context.Background(), network, address)
}

// by makes the configuration of a client that can connect only in one way.
func by(e *Engine, path, session string) clientConfig {
	switch path {
	case pathTCP:
		return clientConfig{
			answer: func(sdp string) string { return onlyCandidates(sdp, " tcp ") },
			extra: func(s *webrtc.SettingEngine) {
				s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeTCP4})
			},
		}
	case pathTLS:
		user, pass := e.TURNCredentials(session, time.Minute)

		return clientConfig{
			connection: webrtc.Configuration{
				ICETransportPolicy: webrtc.ICETransportPolicyRelay,
				ICEServers: []webrtc.ICEServer{{
					URLs:     []string{"turns:" + e.config.TURN.Addr().String() + "?transport=tcp"},
					Username: user, Credential: pass,
				}},
			},
			extra: func(s *webrtc.SettingEngine) {
				s.SetICEProxyDialer(insecureTLS{})
				s.SetRelayAcceptanceMinWait(0)
			},
		}
	}

	return clientConfig{answer: func(sdp string) string { return onlyCandidates(sdp, " udp ") }}
}

// onlyCandidates leaves only the candidates with the given transport.
func onlyCandidates(sdp, transport string) string {
	var b strings.Builder
	for line := range strings.Lines(sdp) {
		if !strings.HasPrefix(line, "a=candidate:") || strings.Contains(line, transport) {
			b.WriteString(line)
		}
	}

	return b.String()
}

// TestEveryPairOfPaths: people see each other whichever way they come.
func TestEveryPairOfPaths(t *testing.T) {
	for _, paths := range [][2]string{
		{pathUDP, pathTCP}, {pathTCP, pathTLS}, {pathTLS, pathUDP}, {pathTCP, pathTCP}, {pathTLS, pathTLS},
	} {
		t.Run(paths[0]+" "+paths[1], func(t *testing.T) {
			e := newStreamEngine(t, nil)
			a, b := newClient(t, e, by(e, paths[0], "a")), newClient(t, e, by(e, paths[1], "b"))
			join(t, "room", a, b)
			stop := startTalking(a, b)
			a.waitFrom(video, 'B', 100)
			b.waitFrom(video, 'A', 100)
			a.waitFrom(audio, 'B', 30)
			b.waitFrom(audio, 'A', 30)
			stop()
			for i, c := range []*client{a, b} {
				if s := c.peer.Stats(); s.Path != paths[i] {
					t.Errorf("path %q, want %q", s.Path, paths[i])
				}
			}
			if s := e.Stats(); s.TCP.Dropped+s.TURN.Dropped+s.Hub.Overflowed > 0 {
				t.Errorf("dropped: %+v %+v %+v", s.TCP, s.TURN, s.Hub)
			}
			a.close()
			b.close()
			<-a.peer.Done()
			<-b.peer.Done()
			waitFor(t, "no connection is left", func() bool {
				s := e.Stats()

				return s.TCP.Open == 0 && s.TURN.Allocations == 0
			})
		})
	}
}

// waitFor waits until a condition holds that nothing tells of.
func waitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}
