//go:build linux && (amd64 || arm64)

package sfu

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"
)

// TestBatch: what is written in one batch, to several clients in turn, in
// sizes that can be cut from one piece and sizes that cannot, is read in one
// or more batches, whole and in order for each client.
func TestBatch(t *testing.T) {
	for _, c := range []struct{ network, address string }{{"udp4", "127.0.0.1:0"}, {"udp6", "[::1]:0"}, {"udp", "[::]:0"}} {
		for _, segments := range []bool{true, false} {
			t.Run(c.address, func(t *testing.T) { batch(t, c.network, c.address, segments) })
		}
	}
}

func batch(t *testing.T, network, address string, segments bool) {
	open := func(network, address string) *net.UDPConn {
		conn, err := net.ListenPacket(network, address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })

		return conn.(*net.UDPConn)
	}
	from := open(network, address)
	sender := newBatchConn(from).sending().(*multi)
	if !sender.out.segments {
		t.Log("this kernel cuts no segments")
	}
	sender.out.segments = sender.out.segments && segments
	host := "127.0.0.1:0"
	if network == "udp6" {
		host = "[::1]:0"
	}
	readers := make([]*net.UDPConn, 3)
	to := make([]*destination, 3)
	for i := range readers {
		readers[i] = open("udp", host)
		a := readers[i].LocalAddr().(*net.UDPAddr).AddrPort()
		to[i] = &destination{addr: a, raw: newRawAddress(a, network != "udp4")}
	}
	sizes := []int{1100, 1100, 40, 1100, 1101, 1100, 3, 3, 1100, 1100, 1100, 1100, 5}
	var out [burstSize]slotOut
	for i := range out {
		out[i].to, out[i].n = to[i%3], sizes[i%len(sizes)]
		binary.BigEndian.PutUint16(out[i].b[:], uint16(i))
	}
	if unsent := sender.write(out[:]); unsent != 0 {
		t.Fatalf("%d datagrams were refused", unsent)
	}
	// Each client has the sizes in an order of its own.
	if got := sender.out.messages; got > burstSize*2/3 && sender.out.segments || got < burstSize && !sender.out.segments {
		t.Errorf("%d datagrams went out in %d messages", burstSize, got)
	}
	for i, conn := range readers {
		reader := newBatchConn(conn)
		want := i
		in := make([]datagram, burstSize)
		_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		err := reader.read(in, func(n int) {
			for _, d := range in[:n] {
				if d.n != sizes[want%len(sizes)] || int(binary.BigEndian.Uint16(d.b[:])) != want {
					t.Fatalf("datagram %d of %d bytes came for %d", binary.BigEndian.Uint16(d.b[:]), d.n, want)
				}
				if int(d.from.Port()) != from.LocalAddr().(*net.UDPAddr).Port || !d.from.Addr().IsLoopback() {
					t.Fatalf("it came from %v", d.from)
				}
				want += 3
			}
			if want >= burstSize {
				_ = conn.SetReadDeadline(time.Now()) // the end
			}
		})
		if want < burstSize || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("after datagram %d: %v", want, err)
		}
	}
}

// TestRunsAreMerged: datagrams of one size to one client go to the kernel as one
// message, with a shorter one at the end, whatever goes to others between them.
func TestRunsAreMerged(t *testing.T) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	sender := newBatchConn(conn).sending().(*multi)
	if !sender.out.segments {
		t.Skip("this kernel cuts no segments")
	}
	var to [2]*destination
	for i := range to {
		a := netip.MustParseAddrPort("127.0.0.1:9")
		to[i] = &destination{addr: a, raw: newRawAddress(a, false)}
	}
	for name, c := range map[string]struct {
		sizes []int // below 0: to the other client
		want  []int // datagrams in each message
	}{
		"one run":          {[]int{1100, 1100, 1100, 1100}, []int{4}},
		"a shorter end":    {[]int{1100, 1100, 1099}, []int{3}},
		"two runs":         {[]int{1100, 1100, 900, 900}, []int{3, 1}},
		"growing":          {[]int{40, 41, 42}, []int{1, 1, 1}},
		"two clients":      {[]int{1100, -900, 1100, -900, 1100, -20}, []int{3, 3}},
		"too long for one": {slices.Repeat([]int{1400}, 50), []int{maxSegmented / 1400, 50 - maxSegmented/1400}},
		"too many for one": {slices.Repeat([]int{10}, burstSize), []int{min(maxSegments, burstSize)}},
	} {
		out := make([]slotOut, len(c.sizes))
		for i, n := range c.sizes {
			if out[i].to, out[i].n = to[0], n; n < 0 {
				out[i].to, out[i].n = to[1], -n
			}
		}
		if unsent := sender.write(out); unsent != 0 {
			t.Errorf("%s: %d datagrams were refused", name, unsent)
		}
		var got []int
		for _, chain := range sender.out.chains[:sender.out.messages] {
			got = append(got, chain.count)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: went out as %v, want %v", name, got, c.want)
		}
	}
}

// TestBatchRefused: a datagram that the system does not take is counted, and
// those after it go out; so do those of a run that it will not cut.
func TestBatchRefused(t *testing.T) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	sender := newBatchConn(conn).sending().(*multi)
	self := conn.LocalAddr().(*net.UDPAddr).AddrPort()
	good := &destination{addr: self, raw: newRawAddress(self, false)}
	nowhere := netip.MustParseAddrPort("127.0.0.1:0") // there is no such port
	bad := &destination{addr: nowhere, raw: newRawAddress(nowhere, false)}
	out := make([]slotOut, 4)
	for i, to := range []*destination{good, bad, bad, good} {
		out[i].to, out[i].n = to, 10
	}
	if unsent := sender.write(out); unsent != 2 {
		t.Errorf("%d datagrams were refused, want 2", unsent)
	}
	if !bad.whole.Load() || good.whole.Load() {
		t.Error("a run that was refused concerns others than its client")
	}
	if one := newBatchConn(conn); one.writeOne([]byte{1}, bad) || one.writeOne(nil, good) {
		t.Error("what the system refuses was sent")
	}
	// A run is refused as too much for the device: it goes one by one.
	sender.out.segments = true
	sender.out.load(out[:1])
	sender.out.chains[0].count = 2
	_ = sender.raw.Control(func(fd uintptr) { sender.out.refused(fd, 0, 5) }) // EIO
	if sender.out.segments || sender.out.unsent != 0 {
		t.Errorf("after a refused run: %v, %d refused", sender.out.segments, sender.out.unsent)
	}
	got := 0
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	in := make([]datagram, 2) // so that one call cannot read all
	err = newBatchConn(conn).read(in, func(n int) {
		if got += n; got == 3 {
			_ = conn.SetReadDeadline(time.Now()) // the end
		}
	})
	if got != 3 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("%d datagrams came: %v", got, err)
	}
	_ = conn.Close()
	if unsent := sender.write(out); unsent != 4 {
		t.Errorf("a closed socket took %d of 4", 4-unsent)
	}
	if err := newBatchConn(conn).read(in, func(int) {}); err == nil {
		t.Error("a closed socket was read")
	}
}

// TestBatchTooLong: a datagram longer than any that we take comes as nothing.
func TestBatchTooLong(t *testing.T) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.WriteTo(make([]byte, parcelSize+1), conn.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	in := make([]datagram, burstSize)
	err = newBatchConn(conn).read(in, func(n int) {
		if n != 1 || in[0].n != 0 {
			t.Errorf("%d datagrams, of %d bytes", n, in[0].n)
		}
		_ = conn.SetReadDeadline(time.Now()) // the end
	})
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
}
