package sfu

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
)

// TestNomination: a client that nominates a worse path is followed when the
// better one is silent, and not before; one that nominates a better one, at once.
func TestNomination(t *testing.T) {
	e := newStreamEngine(t, nil)
	p := newRawPeer(t, e)
	var path atomic.Value
	path.Store("")
	p.pc.SCTP().Transport().ICETransport().OnSelectedCandidatePairChange(func(pair *webrtc.ICECandidatePair) {
		path.Store(pathOf(netip.MustParseAddr(pair.Remote.Address)))
	})
	const best, worst = 0x6e000001, 0x50000001
	udp, err := net.Dial("udp4", mediaAddress(t, e).String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = udp.Close() }()
	checkUDP := func() {
		if _, err := udp.Write(p.checkWith(t, p.password, best)); err != nil {
			t.Fatal(err)
		}
	}
	heard := time.Now()
	checkUDP()
	waitFor(t, "UDP is in use", func() bool { return path.Load() == pathUDP })
	tcp := dialTCP(t, e)
	tcp.send(p.checkWith(t, p.password, worst))
	tcp.mapped()
	if path.Load() != pathUDP && time.Since(heard) < pathSilence {
		t.Error("TCP is used while UDP works")
	}
	waitFor(t, "TCP is in use", func() bool {
		tcp.send(p.checkWith(t, p.password, worst))
		tcp.mapped()

		return path.Load() == pathTCP
	})
	if d := time.Since(heard); d < pathSilence {
		t.Errorf("after %v", d)
	}
	checkUDP()
	waitFor(t, "UDP is in use again", func() bool { return path.Load() == pathUDP })
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestAdvertise: what an answer offers, with the addresses given and with our own.
func TestAdvertise(t *testing.T) {
	public := []netip.Addr{netip.MustParseAddr("203.0.113.5"), netip.MustParseAddr("2001:db8::5")}
	for name, c := range map[string]struct {
		change func(*Config)
		hosts  []string
		tcp    string
	}{
		"own":       {nil, []string{"127.0.0.1"}, ""},
		"public":    {func(c *Config) { c.PublicAddresses = public; c.TCPPort = 443 }, []string{"203.0.113.5"}, "443"},
		"family":    {func(c *Config) { c.PublicAddresses = public[1:] }, []string{"127.0.0.1"}, ""},
		"two":       {func(c *Config) { c.PublicAddresses = append(slices.Clone(public), netip.MustParseAddr("203.0.113.6")) }, []string{"203.0.113.5", "203.0.113.6"}, ""},
		"no stream": {func(c *Config) { _ = (&Config{TCP: c.TCP, TURN: c.TURN}).close(); c.TCP, c.TURN = nil, nil }, []string{"127.0.0.1"}, "none"},
	} {
		e := newStreamEngine(t, c.change)
		p := newRawPeer(t, e)
		var udp, tcp []string
		priorities := map[string]bool{}
		for _, line := range lines(p.answer, "a=candidate:") {
			f := strings.Fields(line)
			if isVirtual(netip.MustParseAddr(f[4])) || f[1] != "1" || priorities[f[3]] {
				t.Errorf("%s: %s", name, line)
			}
			priorities[f[3]] = true
			if f[2] == "udp" {
				udp = append(udp, f[4])

				continue
			}
			tcp = append(tcp, f[4])
			if !strings.HasSuffix(line, " typ host tcptype passive") || c.tcp != "" && f[5] != c.tcp {
				t.Errorf("%s: %s", name, line)
			}
		}
		if c.tcp == "none" {
			tcp = udp
		}
		if !slices.Equal(udp, c.hosts) || !slices.Equal(tcp, c.hosts) {
			t.Errorf("%s: UDP %v, TCP %v, want %v", name, udp, tcp, c.hosts)
		}
	}
}

// TestPublicAddressOverTURN: the client's relay has to know the address that
// the client was told, and refuses the one that the socket has.
func TestPublicAddressOverTURN(t *testing.T) {
	e := newStreamEngine(t, func(c *Config) { c.PublicAddresses = []netip.Addr{netip.MustParseAddr("203.0.113.5")} })
	a, b := newClient(t, e, by(e, pathTLS, "a")), newClient(t, e, by(e, pathTLS, "b"))
	join(t, "room", a, b)
	stop := startTalking(a, b)
	a.waitFrom(video, 'B', 30)
	b.waitFrom(video, 'A', 30)
	stop()
	user, pass := e.TURNCredentials("me", time.Minute)
	c := dialTURN(t, e, user, pass)
	if _, err := c.Allocate(); err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"127.0.0.1", "127.0.0.53"} {
		if err := c.CreatePermission(&net.UDPAddr{IP: net.ParseIP(host), Port: e.config.UDP[0].LocalAddr().(*net.UDPAddr).Port}); err == nil {
			t.Errorf("permission for %s", host)
		}
	}
	a.close()
	b.close()
}
