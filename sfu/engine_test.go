package sfu

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"testing"
)

var discard = slog.New(slog.DiscardHandler)

func newTestEngine(t testing.TB) *Engine {
	t.Helper()

	return newTestEngineOn(t, "udp4", "127.0.0.1:0")
}

// newTestEngineOn makes an Engine that offers 127.0.0.1 on the given socket.
func newTestEngineOn(t testing.TB, network, address string) *Engine {
	t.Helper()
	conn, err := net.ListenPacket(network, address)
	if err != nil {
		t.Fatal(err)
	}
	e, err := New(Config{
		UDP: []net.PacketConn{conn}, IncludeLoopback: true, MediaPlane: *testPlane,
		Addresses: []netip.Addr{netip.MustParseAddr("127.0.0.1")},
	})
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

// startTalking lets clients talk, the first as 'A', until the function it
// returns is called.
func startTalking(clients ...*client) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var talking sync.WaitGroup
	for i, c := range clients {
		talking.Go(func() { c.talk(ctx, 'A'+byte(i), 3) })
	}

	return func() {
		cancel()
		talking.Wait()
	}
}

func TestMediaCrosses(t *testing.T) {
	t.Run("one address", func(t *testing.T) { mediaCrosses(t, newTestEngine(t)) })
	t.Run("any address", func(t *testing.T) { mediaCrosses(t, newTestEngineOn(t, "udp4", "0.0.0.0:0")) })
	t.Run("both families", func(t *testing.T) { mediaCrosses(t, newTestEngineOn(t, "udp", "[::]:0")) })
}

func mediaCrosses(t *testing.T, e *Engine) {
	a, b := newClient(t, e, clientConfig{}), newClient(t, e, clientConfig{})
	for _, c := range []*client{a, b} {
		if err := c.peer.Join("room"); err != nil {
			t.Fatal(err)
		}
		c.waitState(stateConnected)
	}
	stop := startTalking(a, b)
	a.waitFrom(video, 'B', 50)
	b.waitFrom(video, 'A', 50)
	a.waitFrom(audio, 'B', 20)
	b.waitFrom(audio, 'A', 20)
	stop()
	if s := e.Stats(); s.Pairs != 1 || s.Rooms != 1 || s.Peers != 2 {
		t.Errorf("stats are %+v", s)
	}
	a.close()
	b.close()
	<-a.peer.Done()
	<-b.peer.Done()
}
