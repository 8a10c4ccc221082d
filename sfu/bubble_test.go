package sfu

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/transport/v4"
	"github.com/pion/transport/v4/vnet"
	"github.com/pion/webrtc/v4"
)

// lab is an Engine and clients on a virtual network in virtual time. It must
// be made and closed inside a synctest bubble.
type lab struct {
	t      *testing.T
	router *vnet.Router
	engine *Engine
	hosts  int
}

// newLab makes a network with the given delay each way, which loses the given
// share of all datagrams from the moment that lossy returns true. Each change is
// made to the Engine's configuration.
func newLab(t *testing.T, delay time.Duration, loss float64, lossy func() bool, changes ...func(*Config)) *lab {
	t.Helper()
	router, err := vnet.NewRouter(&vnet.RouterConfig{
		CIDR: "10.0.0.0/24", MinDelay: delay, LoggerFactory: pionLogs{discard}, QueueSize: 10_000,
	})
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	var mu sync.Mutex
	router.AddChunkFilter(func(vnet.Chunk) bool {
		mu.Lock()
		defer mu.Unlock()

		return !lossy() || random.Float64() >= loss
	})
	l := &lab{t: t, router: router}
	host := l.host()
	if err = router.Start(); err != nil {
		t.Fatal(err)
	}
	conn, err := host.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 443})
	if err != nil {
		t.Fatal(err)
	}
	config := Config{UDP: []net.PacketConn{conn}, Net: host, MediaPlane: *testPlane}
	for _, change := range changes {
		change(&config)
	}
	if l.engine, err = New(config); err != nil {
		t.Fatal(err)
	}

	return l
}

// host adds a computer to the network.
func (l *lab) host() transport.Net {
	l.t.Helper()
	l.hosts++
	n, err := vnet.NewNet(&vnet.NetConfig{StaticIPs: []string{fmt.Sprintf("10.0.0.%d", l.hosts)}})
	if err != nil {
		l.t.Fatal(err)
	}
	if err := l.router.AddNet(n); err != nil {
		l.t.Fatal(err)
	}

	return n
}

func (l *lab) close() {
	if err := l.engine.Close(); err != nil {
		l.t.Error(err)
	}
	if err := l.router.Stop(); err != nil {
		l.t.Error(err)
	}
}

// delivered returns how many different packets from name are in the list, and
// how often one came again.
func delivered(packets []rtp.Packet, name byte) (different, again int) {
	last := map[uint16]int{}
	for i := range packets {
		if sentBy(&packets[i]) != name {
			continue
		}
		if at, ok := last[packets[i].SequenceNumber]; ok && i-at < 1<<14 {
			again++
		} else {
			different++
		}
		last[packets[i].SequenceNumber] = i
	}

	return different, again
}

// plainVP8 are the codecs of a client without retransmission streams.
func plainVP8(m *webrtc.MediaEngine) error {
	return errors.Join(
		m.RegisterCodec(webrtc.RTPCodecParameters{PayloadType: 111, RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2,
		}}, webrtc.RTPCodecTypeAudio),
		m.RegisterCodec(webrtc.RTPCodecParameters{PayloadType: 96, RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypeVP8, ClockRate: 90000,
			RTCPFeedback: []webrtc.RTCPFeedback{{Type: "nack"}, {Type: "nack", Parameter: "pli"}},
		}}, webrtc.RTPCodecTypeVideo),
	)
}

// TestLossyMinute: two people talk for a minute of virtual time over 40 ms and
// 5 % loss each way, one goes on to a third, and all close. The bubble fails
// the test if a goroutine is left.
func TestLossyMinute(t *testing.T) {
	t.Run("plain", func(t *testing.T) { lossyMinute(t, clientConfig{repairs: true, codecs: plainVP8}, 0.005) })
	// Pion's client does not see that a retransmission stream has repaired a
	// loss, and goes on asking; what the relay sends it in vain is bounded.
	t.Run("rtx", func(t *testing.T) { lossyMinute(t, clientConfig{repairs: true}, 0.06*maxResends) })
}

func lossyMinute(t *testing.T, config clientConfig, twice float64) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, 40*time.Millisecond, 0.05, func() bool { return true })
		var clients []*client
		for range 3 {
			clients = append(clients, newLabClient(l, config))
		}
		a, b, c := clients[0], clients[1], clients[2]
		stop := startTalking(clients...)
		join(t, "first", a, b)
		time.Sleep(time.Minute)
		checkDelivery(t, b.packets(video), 'A', 60*90, twice)
		checkDelivery(t, a.packets(video), 'B', 60*90, twice)
		if s := a.peer.Stats(); s.RTT < 70*time.Millisecond || s.RTT > 150*time.Millisecond {
			t.Errorf("round trip measured as %v, want about 80 ms", s.RTT)
		}
		a.peer.Leave()
		start := time.Now()
		join(t, "second", a, c)
		a.waitFrom(video, 'C', 1)
		if wait := time.Since(start); wait > time.Second {
			t.Errorf("the new partner's picture took %v", wait)
		}
		time.Sleep(10 * time.Second)
		checkDelivery(t, a.packets(video), 'C', 10*90, twice)
		stop()
		for _, cl := range clients {
			cl.close()
		}
		for _, cl := range clients {
			<-cl.peer.Done()
		}
		l.close()
	})
}

func newLabClient(l *lab, config clientConfig) *client {
	config.net = l.host()

	return newClient(l.t, l.engine, config)
}

// checkDelivery wants about all of the packets, and at most the share twice of
// them again. Scheduling in a bubble is not deterministic, so the bounds have
// some room.
func checkDelivery(t *testing.T, packets []rtp.Packet, name byte, sent int, twice float64) {
	t.Helper()
	different, again := delivered(packets, name)
	t.Logf("from %c: %d of about %d, %d twice", name, different, sent, again)
	if different < sent*98/100 {
		t.Errorf("%d packets from %c arrived of about %d", different, name, sent)
	}
	if float64(again) > float64(sent)*twice {
		t.Errorf("%d packets from %c arrived twice", again, name)
	}
}
