package sfu

import (
	"net"
	"net/netip"
	"testing"

	"github.com/pion/ice/v4"
	"github.com/pion/stun/v4"
)

// BenchmarkUDP is a datagram's way through a socket and Pion's mux and an
// answer's way back, over loopback: without the hub, and with what the hub
// puts before the socket. The two must cost the same.
func BenchmarkUDP(b *testing.B) {
	for name, wrap := range map[string]func(net.PacketConn) net.PacketConn{
		"plain":   func(c net.PacketConn) net.PacketConn { return c },
		"guarded": func(c net.PacketConn) net.PacketConn { return guarded(c, &hubCounters{}) },
	} {
		b.Run(name, func(b *testing.B) { benchmarkUDP(b, wrap) })
	}
}

func benchmarkUDP(b *testing.B, wrap func(net.PacketConn) net.PacketConn) {
	server, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	mux := ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: wrap(server), Logger: pionLogs{discard}.NewLogger("ice")})
	defer func() { _ = mux.Close() }()
	muxed, err := mux.GetConn("ours", server.LocalAddr())
	if err != nil {
		b.Fatal(err)
	}
	client, err := net.Dial("udp4", server.LocalAddr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	agent := muxed.(ice.AddrPortReaderWriter)
	hello := stun.MustBuild(stun.BindingRequest, stun.TransactionID, stun.NewUsername("ours:theirs"))
	buf := make([]byte, 2<<10)
	echo := func(packet []byte) {
		if _, err := client.Write(packet); err != nil {
			b.Fatal(err)
		}
		n, from, err := agent.ReadFromAddrPort(buf)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := agent.WriteToAddrPort(buf[:n], from); err != nil {
			b.Fatal(err)
		}
		if _, err := client.Read(buf); err != nil {
			b.Fatal(err)
		}
	}
	echo(hello.Raw)
	packet := append([]byte{0x80, 96}, make([]byte, 1100)...)
	b.ReportAllocs()
	for b.Loop() {
		echo(packet)
	}
}

// BenchmarkGuard is what the guard alone adds to a datagram, without a socket.
func BenchmarkGuard(b *testing.B) {
	from := netip.MustParseAddrPort("203.0.113.7:5000")
	g := guarded(&instant{from: from}, &hubCounters{}).(ice.AddrPortReaderWriter)
	buf := make([]byte, 100)
	b.ReportAllocs()
	for b.Loop() {
		_, a, _ := g.ReadFromAddrPort(buf)
		_, _ = g.WriteToAddrPort(buf, a)
	}
}

// instant is a socket that always has a datagram and takes any.
type instant struct {
	net.PacketConn
	from netip.AddrPort
}

func (i *instant) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) { return len(b), i.from, nil }
func (i *instant) WriteToAddrPort(b []byte, _ netip.AddrPort) (int, error) {
	return len(b), nil
}

// BenchmarkVirtual is a datagram's way through the hub, in and out, without
// the stream.
func BenchmarkVirtual(b *testing.B) {
	h, end := armedHub(b)
	in := h.inbox(end, ipv4)
	out := &sink{}
	at := h.numbers.connection(ipv4)
	if !end.attach(out, at) {
		b.Fatal("the endpoint is closed")
	}
	packet, buf := make([]byte, 1100), make([]byte, 2<<10)
	b.ReportAllocs()
	for b.Loop() {
		in.deliver(packet, at)
		n, from, err := in.ReadFromAddrPort(buf)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := in.WriteToAddrPort(buf[:n], from); err != nil {
			b.Fatal(err)
		}
	}
	if out.got == 0 {
		b.Error("nothing came out")
	}
}

type sink struct{ got int }

func (s *sink) deliver(b []byte, _ bool) { s.got += len(b) }
func (s *sink) unbind(bool)              {}
