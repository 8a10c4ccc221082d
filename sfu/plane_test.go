package sfu

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/ice/v4"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
	"github.com/pion/transport/v4/reuseport"
	"github.com/pion/webrtc/v4"
)

// testPlane is the media plane of the tests' engines: the suite runs once for
// each.
var testPlane = flag.String("plane", planeFast, "the media plane to test")

// served fails the test unless all clients' media takes the plane under test
// and Pion has tried to send none on the fast one.
func served(t testing.TB, clients ...*client) {
	t.Helper()
	for _, c := range clients {
		if got := c.peer.Stats().Plane; got != *testPlane {
			t.Errorf("a peer's media takes the plane %q, not %q", got, *testPlane)
		}
		if s := c.peer.engine.Stats().Plane; s.PionMedia != 0 || s.FallenBack != 0 {
			t.Errorf("the plane counts %+v", s)
		}
	}
}

// onlyFast skips a test of what only the fast plane has.
func onlyFast(t *testing.T) {
	t.Helper()
	if *testPlane != planeFast {
		t.Skip("for the fast plane")
	}
}

// TestCapture: the keys are those of the handshake, what they are made of is
// wiped, and what cannot be understood is an error.
func TestCapture(t *testing.T) {
	if err := checkCapture(); err != nil {
		t.Fatal(err)
	}
	var none keyCapture
	if _, err := none.take(); !errors.Is(err, errNoKeys) {
		t.Errorf("without a handshake: %v", err)
	}
	for name, change := range map[string]func(*keyCapture){
		"suite":   func(c *keyCapture) { c.suite = 0x1301 },
		"profile": func(c *keyCapture) { c.chosen = srtp.ProtectionProfileAes128CmHmacSha1_32 },
		"line":    func(c *keyCapture) { c.master = nil; _, _ = c.Write([]byte("CLIENT_RANDOM xx yy\n")) },
		"label":   func(c *keyCapture) { c.master = nil; _, _ = c.Write([]byte("EXPORTER_SECRET 00 00\n")) },
	} {
		master := []byte{1, 2, 3}
		c := keyCapture{
			client: []byte{1}, server: []byte{2}, master: master,
			suite: dtls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, chosen: srtp.ProtectionProfileAeadAes128Gcm,
		}
		change(&c)
		if _, err := c.take(); err == nil {
			t.Errorf("a bad %s gives keys", name)
		}
		if c.client != nil || c.master != nil || name == "suite" && master[0] != 0 {
			t.Errorf("after a bad %s the secret is still there", name)
		}
	}
}

// TestCaptureIsWiped: once a call is served its secret is in nobody's hands but
// the contexts'.
func TestCaptureIsWiped(t *testing.T) {
	onlyFast(t)
	e := newTestEngine(t)
	a, b := newClient(t, e, clientConfig{}), newClient(t, e, clientConfig{})
	join(t, "room", a, b)
	for _, c := range []*client{a, b} {
		c.peer.capture.mu.Lock()
		if c.peer.capture.master != nil || c.peer.capture.client != nil {
			t.Error("the secret of the handshake was kept")
		}
		c.peer.capture.mu.Unlock()
		c.close()
	}
}

// TestFallBack: a connection that the fast plane cannot serve is served by
// Pion, beside others that it can, and the two talk. The log has one line about it.
func TestFallBack(t *testing.T) {
	onlyFast(t)
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var log warnings
	e, err := New(Config{UDP: []net.PacketConn{conn}, IncludeLoopback: true, MediaPlane: *testPlane, Logger: slog.New(&log)})
	if err != nil {
		t.Fatal(err)
	}
	a := newClient(t, e, clientConfig{})
	a.waitState(stateConnected)
	groups := e.plane.groups
	e.plane.groups = nil // nobody is connecting: b finds no socket of the plane
	b := newClient(t, e, clientConfig{})
	b.waitState(stateConnected)
	e.plane.groups = groups
	for c, want := range map[*client]string{a: planeFast, b: planePion} {
		if err := c.peer.Join("room"); err != nil {
			t.Fatal(err)
		}
		if got := c.peer.Stats().Plane; got != want {
			t.Errorf("served by %q, want %q", got, want)
		}
	}
	stop := startTalking(a, b)
	a.waitFrom(video, 'B', 30)
	b.waitFrom(video, 'A', 30)
	a.waitFrom(audio, 'B', 10)
	stop()
	if s := e.Stats().Plane; s.Fast != 1 || s.Pion != 1 || s.FallenBack != 1 || s.PionMedia != 0 {
		t.Errorf("the plane counts %+v", s)
	}
	a.close()
	b.close()
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if got := log.lines(); len(got) != 1 || got[0] != "a connection takes the slow media plane" {
		t.Errorf("the log has %q", got)
	}
}

// warnings is a log that keeps what an operator should see.
type warnings struct {
	mu   sync.Mutex
	list []string
}

func (w *warnings) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }
func (w *warnings) WithAttrs([]slog.Attr) slog.Handler           { return w }
func (w *warnings) WithGroup(string) slog.Handler                { return w }

func (w *warnings) Handle(_ context.Context, r slog.Record) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append(w.list, r.Message)

	return nil
}

func (w *warnings) lines() []string {
	w.mu.Lock()
	defer w.mu.Unlock()

	return slices.Clone(w.list)
}

// TestPionSendsNoMedia: what Pion would send to a client of the fast plane goes
// nowhere and is counted; so the count of zero that all other tests see means
// something.
func TestPionSendsNoMedia(t *testing.T) {
	onlyFast(t)
	e := newTestEngine(t)
	a, b := newClient(t, e, clientConfig{}), newClient(t, e, clientConfig{})
	join(t, "room", a, b)
	var h rtp.Header
	track := a.peer.tracks[video]
	p := raw{pt: ptVP8, ssrc: track.context.Load().ssrc}.bytes(keyFrame...)
	if err := track.write(&h, p); err != nil {
		t.Fatal(err)
	}
	if err := a.peer.pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: 1}}); err != nil {
		t.Fatal(err)
	}
	if s := e.Stats().Plane; s.PionMedia != 2 {
		t.Errorf("Pion's media was counted %d times", s.PionMedia)
	}
	if got := a.packets(video); len(got) != 0 {
		t.Errorf("%d packets of Pion's arrived", len(got))
	}
	a.close()
	b.close()
}

// TestPionSendsNoMediaOnStreams: nor to one that comes by TCP.
func TestPionSendsNoMediaOnStreams(t *testing.T) {
	onlyFast(t)
	e := newStreamEngine(t, nil)
	a, b := newClient(t, e, by(e, pathTCP, "a")), newClient(t, e, by(e, pathUDP, "b"))
	join(t, "room", a, b)
	var h rtp.Header
	track := a.peer.tracks[video]
	p := raw{pt: ptVP8, ssrc: track.context.Load().ssrc}.bytes(keyFrame...)
	if err := track.write(&h, p); err != nil {
		t.Fatal(err)
	}
	if s := e.Stats().Plane; s.PionMedia != 1 {
		t.Errorf("Pion's media was counted %d times", s.PionMedia)
	}
	a.close()
	b.close()
}

// TestSharedOuterAddress: a NAT gives two clients the same outer address, since
// they talk to different addresses of ours. Each has his own call.
func TestSharedOuterAddress(t *testing.T) {
	var sockets []net.PacketConn
	for range 2 {
		conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		sockets = append(sockets, conn)
	}
	e, err := New(Config{UDP: sockets, IncludeLoopback: true, MediaPlane: *testPlane})
	if err != nil {
		t.Fatal(err)
	}
	nat, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	mux := ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: nat, Logger: pionLogs{discard}.NewLogger("ice")})
	var clients []*client
	for _, s := range sockets {
		port := s.LocalAddr().(*net.UDPAddr).Port
		clients = append(clients, newClient(t, e, clientConfig{
			answer: func(sdp string) string { return onlyCandidates(sdp, fmt.Sprintf(" %d ", port)) },
			extra: func(s *webrtc.SettingEngine) {
				s.SetICEUDPMux(mux)
				s.SetIncludeLoopbackCandidate(true)
				s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
			},
		}))
	}
	a, b := clients[0], clients[1]
	stop := startTalking(a, b)
	join(t, "room", a, b)
	a.waitFrom(video, 'B', 30)
	b.waitFrom(video, 'A', 30)
	stop()
	a.close()
	b.close()
	if err := errors.Join(e.Close(), mux.Close()); err != nil {
		t.Error(err)
	}
}

// TestWorkers: several sockets of one address share the clients, and any two of
// those talk, whichever socket they come by.
func TestWorkers(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("other systems do not share clients among sockets")
	}
	listen := net.ListenConfig{Control: reuseport.Control}
	var sockets []net.PacketConn
	address := "127.0.0.1:0"
	for range 4 {
		conn, err := listen.ListenPacket(t.Context(), "udp4", address)
		if err != nil {
			t.Fatal(err)
		}
		address = conn.LocalAddr().String()
		sockets = append(sockets, conn)
	}
	e, err := New(Config{UDP: sockets, IncludeLoopback: true, MediaPlane: *testPlane})
	if err != nil {
		t.Fatal(err)
	}
	clients := make([]*client, 8)
	for i := range clients {
		clients[i] = newClient(t, e, clientConfig{})
	}
	stop := startTalking(clients...)
	for i := 0; i < len(clients); i += 2 {
		join(t, fmt.Sprint(i), clients[i], clients[i+1])
	}
	for i, c := range clients {
		c.waitFrom(video, byte('A'+(i^1)), 20)
		c.waitFrom(audio, byte('A'+(i^1)), 20)
	}
	stop()
	if got := lines(clients[0].answer, "a=candidate:"); len(got) != 1 {
		t.Errorf("one address is offered as %q", got)
	}
	for _, c := range clients {
		c.close()
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if n := e.plane.addresses(); n != 0 {
		t.Errorf("%d addresses are left", n)
	}
}

// TestAddresses: an address is its last owner's, and a lane that moves keeps
// the place before, until it moves again or ends.
func TestAddresses(t *testing.T) {
	g, other := &group{table: newAddresses()}, &group{table: newAddresses()}
	at := func(port uint16) netip.AddrPort { return netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), port) }
	to := func(port uint16) *destination { return &destination{addr: at(port), group: g} }
	first, second := &lane{}, &lane{}
	owner := func(a netip.AddrPort) *lane {
		if p := g.table.find(a); p != nil {
			return p.lane
		}

		return nil
	}
	check := func(what string, owners map[uint16]*lane) {
		t.Helper()
		for port := range uint16(5) {
			if owner(at(port)) != owners[port] {
				t.Errorf("%s: port %d has the wrong owner", what, port)
			}
		}
		mapped := netip.AddrPortFrom(netip.MustParseAddr("::ffff:192.0.2.1"), 1)
		if owner(mapped) != owners[1] {
			t.Errorf("%s: an address mapped into IPv6 is another one", what)
		}
	}
	first.move(to(1))
	check("first", map[uint16]*lane{1: first})
	first.move(to(2))
	check("moved", map[uint16]*lane{1: first, 2: first})
	first.move(to(3))
	check("moved twice", map[uint16]*lane{2: first, 3: first})
	second.move(to(3))
	check("taken over", map[uint16]*lane{2: first, 3: second})
	first.move(to(2))
	check("moved back", map[uint16]*lane{2: first, 3: second})
	first.close()
	check("closed", map[uint16]*lane{3: second})
	first.move(to(4))
	check("moved after its end", map[uint16]*lane{3: second})
	second.move(&destination{addr: at(3), group: other})
	check("moved to another address of ours", map[uint16]*lane{3: second})
	second.close()
	if n := g.table.count() + other.table.count(); n != 0 {
		t.Errorf("%d addresses are left", n)
	}
}

// flaky is a socket that reports an error for some datagrams.
type flaky struct {
	net.PacketConn
	reads int
}

func (f *flaky) ReadFrom(b []byte) (int, net.Addr, error) {
	if f.reads++; f.reads%2 == 1 {
		return 0, nil, errors.New("the message is too long")
	}

	return f.PacketConn.ReadFrom(b)
}

// TestReadErrors: an error about one datagram does not end a worker.
func TestReadErrors(t *testing.T) {
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &plane{now: func() time.Duration { return 0 }, hub: &hubCounters{}, log: discard}
	g := newGroup(p, []net.PacketConn{&flaky{PacketConn: conn}})
	b := make([]byte, 100)
	for i := range byte(3) {
		if _, err := conn.WriteTo([]byte{i}, conn.LocalAddr()); err != nil {
			t.Fatal(err)
		}
		if n, _, err := g.ReadFromAddrPort(b); err != nil || n != 1 || b[0] != i {
			t.Errorf("datagram %d came as %x: %v", i, b[:n], err)
		}
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	if _, _, err := g.ReadFromAddrPort(b); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// TestUnknownPlane: a plane that there is not is refused, and the sockets are
// closed.
func TestUnknownPlane(t *testing.T) {
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(Config{UDP: []net.PacketConn{conn}, MediaPlane: "slow"}); err == nil || !strings.Contains(err.Error(), "slow") {
		t.Errorf("a plane that there is not: %v", err)
	}
	if err := conn.Close(); !errors.Is(err, net.ErrClosed) {
		t.Error("the socket is still open")
	}
}

// TestManyAddresses has several in one shard, which come and go in any order
// while others look for those that stay.
func TestManyAddresses(t *testing.T) {
	const places = 4 * addressShards
	table := newAddresses()
	at := func(i int) netip.AddrPort {
		addr := netip.AddrFrom4([4]byte{192, 0, 2, byte(i >> 13)})
		if i%3 == 0 {
			addr = netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 15: byte(i >> 13)})
		}

		return netip.AddrPortFrom(addr, uint16(i))
	}
	lanes := []*lane{{}, {}, {}}
	owners := make([]*lane, places)
	stays := func(i int) bool { return i%64 == 0 }
	for i := range owners {
		owners[i] = lanes[0]
		table.add(at(i), lanes[0])
	}
	done := make(chan struct{})
	var readers sync.WaitGroup
	readers.Go(func() {
		for i := 0; ; i = (i + 64) % places {
			select {
			case <-done:
				return
			default:
			}
			if p := table.find(at(i)); p == nil || p.lane != lanes[0] {
				t.Errorf("address %d was not there for a moment", i)

				return
			}
		}
	})
	random := rand.New(rand.NewPCG(7, 7))
	for range 4 * places {
		i, l := random.IntN(places), lanes[random.IntN(len(lanes))]
		switch {
		case stays(i):
		case random.IntN(2) == 0:
			table.add(at(i), l)
			owners[i] = l
		default:
			table.remove(at(i), l)
			if owners[i] == l {
				owners[i] = nil
			}
		}
	}
	close(done)
	readers.Wait()
	known := 0
	for i, l := range owners {
		p := table.find(at(i))
		if (p == nil) != (l == nil) || p != nil && p.lane != l {
			t.Fatalf("address %d has the wrong owner", i)
		}
		if l != nil {
			known++
		}
	}
	if n := table.count(); n != known {
		t.Errorf("%d addresses, want %d", n, known)
	}
}

// addresses is how many addresses of clients are known.
func (p *plane) addresses() (n int) {
	for _, g := range p.groups {
		n += g.table.count()
	}

	return n
}

// past is what a plane's statistics say of what has ended.
func past(s Stats) PlaneStats {
	s.Plane.Fast, s.Plane.Pion = 0, 0

	return s.Plane
}

// count is how many addresses are known.
func (t *addresses) count() (n int) {
	for i := range t.shards {
		for p := t.shards[i].Load(); p != nil; p = p.next {
			n++
		}
	}

	return n
}
