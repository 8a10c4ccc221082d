package sfu

import (
	"net"
	"net/netip"
	"strings"
	"testing"
)

// TestStickyAddress: a client that opens its connection again has the virtual
// address that it had, even if it sends media first, as Firefox does.
func TestStickyAddress(t *testing.T) {
	e := newStreamEngine(t, nil)
	p := newRawPeer(t, e)
	media := append([]byte{0x80, 96}, make([]byte, 100)...)
	first := dialTCP(t, e)
	first.send(p.check(t, p.password))
	address := first.mapped()
	if !strings.HasPrefix(address, "198.19.") {
		t.Errorf("the client is %s", address)
	}
	for range 3 {
		if err := first.conn.Close(); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "the server sees the end", func() bool { return e.Stats().TCP.Open == 0 })
		first = dialTCP(t, e)
		first.send(media, media, nil)
		first.send(p.check(t, p.password))
		_ = first.conn.Close() // an empty frame before the proof is refused
		first = dialTCP(t, e)
		first.send(media, media)
		first.send(p.check(t, p.password))
		if again := first.mapped(); again != address {
			t.Errorf("first %s, then %s", address, again)
		}
	}
	second := dialTCP(t, e)
	second.send(p.check(t, p.password))
	if other := second.mapped(); other == address {
		t.Error("two connections have one address")
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	first.waitClosed()
	second.waitClosed()
}

// TestTCPRefuses: who does not prove to know a session's password is closed,
// and does nothing to who did.
func TestTCPRefuses(t *testing.T) {
	e := newStreamEngine(t, nil)
	p := newRawPeer(t, e)
	victim := dialTCP(t, e)
	victim.send(p.check(t, p.password))
	victim.mapped()
	stranger := &rawPeer{ufrag: "nobody", password: p.password}
	forged := p.check(t, "the wrong password of some length")
	bare := forged[:20:20]
	bare[3] = 0
	for name, frames := range map[string][][]byte{
		"wrong password": {p.check(t, "the wrong password of some length")},
		"unknown ufrag":  {stranger.check(t, p.password)},
		"no user name":   {bare},
		"empty frame":    {nil},
		"short frame":    {make([]byte, minProof-1)},
		"long frame":     {make([]byte, maxDatagram+1)},
		"broken check":   {append(p.check(t, p.password)[:60], 1, 2, 3)},
	} {
		c := dialTCP(t, e)
		c.send(frames...)
		c.waitClosed()
		if s := e.Stats().TCP; s.Open != 1 {
			t.Errorf("%s: %+v", name, s)
		}
	}
	for range 4 * linksPerEndpoint {
		c := dialTCP(t, e)
		c.send(p.check(t, "the wrong password of some length"))
		c.waitClosed()
	}
	s := e.Stats()
	if s.TCP.Evicted != 0 || s.TCP.Refused != 7+4*linksPerEndpoint || s.TCP.Accepted != 1 {
		t.Errorf("counted %+v", s.TCP)
	}
	victim.send(p.check(t, p.password))
	victim.mapped()
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestEndlessFrames: frames that prove nothing are read for a while only.
func TestEndlessFrames(t *testing.T) {
	e := newStreamEngine(t, nil)
	c := dialTCP(t, e)
	frame := make([]byte, minProof)
	for range proofFrames {
		c.send(frame)
	}
	c.waitClosed()
}

// TestTooManyConnections: the oldest of a client's connections goes.
func TestTooManyConnections(t *testing.T) {
	e := newStreamEngine(t, nil)
	p := newRawPeer(t, e)
	oldest := dialTCP(t, e)
	oldest.send(p.check(t, p.password))
	oldest.mapped()
	for range linksPerEndpoint {
		c := dialTCP(t, e)
		c.send(p.check(t, p.password))
		c.mapped()
	}
	oldest.waitClosed()
	waitFor(t, "one connection less", func() bool { return e.Stats().TCP.Open == linksPerEndpoint })
	if s := e.Stats().TCP; s.Evicted != 1 {
		t.Errorf("counted %+v", s)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "no connection", func() bool { return e.Stats().TCP.Open == 0 })
}

// TestHalfOpenConnections: two thousand connections that say nothing, or the
// beginning of something, keep nobody out, and end.
func TestHalfOpenConnections(t *testing.T) {
	e := newStreamEngine(t, nil)
	conns := make([]net.Conn, 0, 2000)
	defer func() {
		for _, c := range conns {
			_ = c.Close()
		}
	}()
	for i := range cap(conns) {
		c, err := net.Dial("tcp4", e.config.TCP.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
		if i%2 == 0 {
			if _, err := c.Write([]byte{0, 100, 1}); err != nil {
				t.Fatal(err)
			}
		}
	}
	a, b := newClient(t, e, by(e, pathTCP, "a")), newClient(t, e, by(e, pathUDP, "b"))
	join(t, "room", a, b)
	stop := startTalking(a, b)
	a.waitFrom(video, 'B', 30)
	b.waitFrom(video, 'A', 30)
	stop()
	if s := e.Stats().TCP; s.Strangers > maxStrangers || s.Open == 0 {
		t.Errorf("counted %+v", s)
	}
	waitFor(t, "the strangers are gone", func() bool { return e.Stats().TCP.Strangers == 0 })
	a.close()
	b.close()
}

// TestStrangersOfOneSource: connections of one address that prove nothing do
// not push out another's that has yet to.
func TestStrangersOfOneSource(t *testing.T) {
	e := newStreamEngine(t, func(config *Config) {
		config.TCP = &disguise{Listener: config.TCP, source: func(i int) netip.Addr { return host(min(i, 1)) }}
	})
	p := newRawPeer(t, e)
	slow := dialTCP(t, e)
	idle := flood(t, e.config.TCP.Addr(), maxStrangers)
	waitEnd(t, idle[0])
	slow.send(p.check(t, p.password))
	slow.mapped()
	waitFor(t, "all but a source's share are displaced", func() bool {
		return e.Stats().TCP.Displaced == maxStrangers-maxSourceStrangers
	})
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestSpoofedDatagram: a datagram that really comes from a virtual address is
// not taken, and nothing is sent there.
func TestSpoofedDatagram(t *testing.T) {
	var count hubCounters
	virtual := &net.UDPAddr{IP: net.IPv4(198, 19, 0, 0), Port: lowestPort}
	for _, address := range []string{"198.18.0.1", "198.19.255.255", "100::1", "100::100:1", "::ffff:198.18.3.4"} {
		from := &net.UDPAddr{IP: net.ParseIP(address), Port: 5}
		conn := &scripted{from: []net.Addr{from, virtual, &net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 7}}}
		g := guarded(conn, &count)
		if _, a, err := g.ReadFrom(make([]byte, 10)); err != nil || a.String() != "192.0.2.1:7" {
			t.Errorf("read from %v: %v", a, err)
		}
		for _, to := range []net.Addr{from, virtual} {
			if _, err := g.WriteTo([]byte{1}, to); err != nil {
				t.Error(err)
			}
		}
		if conn.sent != 0 {
			t.Errorf("%d datagrams went to %s", conn.sent, from)
		}
	}
	if f, u := count.forged.Load(), count.unreachable.Load(); f != 10 || u != 10 {
		t.Errorf("counted %d and %d", f, u)
	}
}

// scripted is a socket on which datagrams arrive from the given addresses.
type scripted struct {
	net.PacketConn
	from []net.Addr
	sent int
}

func (s *scripted) ReadFrom([]byte) (int, net.Addr, error) {
	from := s.from[0]
	s.from = s.from[1:]

	return 1, from, nil
}

func (s *scripted) WriteTo(b []byte, _ net.Addr) (int, error) {
	s.sent++

	return len(b), nil
}

func TestPathOf(t *testing.T) {
	var n numbering
	for f := range families {
		if a := n.connection(f).Addr(); pathOf(a) != pathTCP || familyOf(a) != f {
			t.Errorf("a connection has %s", a)
		}
		if a := n.allocation(f).Addr(); pathOf(a) != pathTLS || familyOf(a) != f {
			t.Errorf("an allocation has %s", a)
		}
		if a := ownAddress(f); !isVirtual(a.Addr()) {
			t.Errorf("the hub has %s", a)
		}
	}
	seen := map[string]bool{}
	for range 1 << 17 {
		a := n.connection(ipv4).String()
		if seen[a] {
			t.Fatalf("%s came twice", a)
		}
		seen[a] = true
	}
}
