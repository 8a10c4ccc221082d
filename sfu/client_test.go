package sfu

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/transport/v4"
	"github.com/pion/webrtc/v4"
)

// clientConfig says what a test client is like.
type clientConfig struct {
	net    transport.Net
	codecs func(*webrtc.MediaEngine) error // nil means Pion's default ones
	// repairs gives the client Pion's interceptors: NACK both ways, reports.
	repairs bool
	// wrap, if not nil, stands before the transport of the client's peer.
	wrap  func(sender) sender
	extra func(*webrtc.SettingEngine)
	// offer changes the offer before it is used, answer the answer.
	offer, answer func(string) string
	connection    webrtc.Configuration
}

// client is a browser as far as the relay can tell: it offers one audio and
// one video line, sends VP8-like frames and remembers what it receives.
type client struct {
	t    testing.TB
	pc   *webrtc.PeerConnection
	peer *Peer
	// change, if not nil, changes answers before the client has them.
	change func(string) string
	send   [kinds]*webrtc.TrackLocalStaticRTP

	mu       sync.Mutex
	received [kinds][]rtp.Packet
	control  []rtcp.Packet
	arrived  chan struct{} // closed and replaced at each packet

	seq       [kinds]uint16
	ts        [kinds]uint32
	wantKey   atomic.Bool
	readers   sync.WaitGroup
	connected chan struct{} // closed when the client itself is connected
	sdp       string
	answer    string
}

func newClient(t testing.TB, e *Engine, c clientConfig) *client {
	t.Helper()
	peer, err := e.NewPeer()
	if err != nil {
		t.Fatal(err)
	}
	if c.wrap != nil {
		peer.leg.out = c.wrap(peer.leg.out)
	}
	cl := &client{t: t, change: c.answer, peer: peer, arrived: make(chan struct{}), connected: make(chan struct{})}
	cl.wantKey.Store(true)
	cl.pc = newClientConnection(t, c)
	var once sync.Once
	cl.pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateConnected {
			once.Do(func() { close(cl.connected) })
		}
	})
	cl.pc.OnTrack(func(remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
		cl.readers.Go(func() { cl.read(remote) })
		cl.readers.Go(func() { cl.readControl(receiver) })
	})
	for k, mime := range [kinds]string{webrtc.MimeTypeOpus, webrtc.MimeTypeVP8} {
		if k == int(video) && c.codecs != nil {
			mime = clientVideoCodec(cl.pc)
		}
		cl.addTrack(kind(k), mime)
	}
	cl.negotiate(c.offer, nil)

	return cl
}

// clientVideoCodec is the first video codec that the client has.
func clientVideoCodec(pc *webrtc.PeerConnection) string {
	tr, err := pc.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
	if err != nil {
		return webrtc.MimeTypeVP8
	}

	return tr.Receiver().GetParameters().Codecs[0].MimeType
}

func newClientConnection(t testing.TB, c clientConfig) *webrtc.PeerConnection {
	t.Helper()
	m, registry := &webrtc.MediaEngine{}, &interceptor.Registry{}
	register := (*webrtc.MediaEngine).RegisterDefaultCodecs
	if c.codecs != nil {
		register = c.codecs
	}
	if err := register(m); err != nil {
		t.Fatal(err)
	}
	for _, uri := range []string{uriAbsSendTime, uriPlayoutDelay, uriOrientation, "urn:ietf:params:rtp-hdrext:sdes:mid"} {
		ext := webrtc.RTPHeaderExtensionCapability{URI: uri}
		if err := m.RegisterHeaderExtension(ext, webrtc.RTPCodecTypeVideo); err != nil {
			t.Fatal(err)
		}
	}
	if err := webrtc.ConfigureTWCCHeaderExtensionSender(m, registry); err != nil {
		t.Fatal(err)
	}
	var s webrtc.SettingEngine
	s.SetIncludeLoopbackCandidate(true)
	s.LoggerFactory = pionLogs{discard}
	if c.net != nil {
		s.SetNet(c.net)
	}
	if c.extra != nil {
		c.extra(&s)
	}
	if c.repairs {
		if err := webrtc.RegisterDefaultInterceptors(m, registry); err != nil {
			t.Fatal(err)
		}
	}
	pc, err := webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithSettingEngine(s),
		webrtc.WithInterceptorRegistry(registry)).NewPeerConnection(c.connection)
	if err != nil {
		t.Fatal(err)
	}

	return pc
}

func (c *client) addTrack(k kind, mime string) {
	c.t.Helper()
	local, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: mime}, "secret-track", "secret-stream")
	if err != nil {
		c.t.Fatal(err)
	}
	sender, err := c.pc.AddTrack(local)
	if err != nil {
		c.t.Fatal(err)
	}
	c.send[k] = local
	c.readers.Go(func() { c.readControl(sender) })
}

// readControl reads RTCP, which also feeds the client's interceptors.
func (c *client) readControl(from interface {
	ReadRTCP() ([]rtcp.Packet, interceptor.Attributes, error)
}) {
	for {
		packets, _, err := from.ReadRTCP()
		if err != nil {
			return
		}
		c.mu.Lock()
		c.control = append(c.control, packets...)
		c.mu.Unlock()
		for _, p := range packets {
			if _, ok := p.(*rtcp.PictureLossIndication); ok {
				c.wantKey.Store(true)
			}
		}
	}
}

func (c *client) read(remote *webrtc.TrackRemote) {
	k := video
	if remote.Kind() == webrtc.RTPCodecTypeAudio {
		k = audio
	}
	for {
		p, _, err := remote.ReadRTP()
		if err != nil {
			return
		}
		c.mu.Lock()
		c.received[k] = append(c.received[k], *p)
		close(c.arrived)
		c.arrived = make(chan struct{})
		c.mu.Unlock()
	}
}

// negotiate offers and takes the answer; options may ask for an ICE restart.
func (c *client) negotiate(change func(string) string, options *webrtc.OfferOptions) {
	c.t.Helper()
	offer, err := c.pc.CreateOffer(options)
	if err != nil {
		c.t.Fatal(err)
	}
	gathered := webrtc.GatheringCompletePromise(c.pc)
	if err = c.pc.SetLocalDescription(offer); err != nil {
		c.t.Fatal(err)
	}
	<-gathered
	c.sdp = c.pc.LocalDescription().SDP
	if change != nil {
		c.sdp = change(c.sdp)
	}
	if c.answer, err = c.peer.Answer(c.sdp); err != nil {
		c.t.Fatal(err)
	}
	answer := c.answer
	if c.change != nil {
		answer = c.change(answer)
	}
	if err = c.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) close() {
	if err := c.pc.GracefulClose(); err != nil {
		c.t.Error(err)
	}
	c.readers.Wait()
}

// waitState waits until the peer is in the given state.
func (c *client) waitState(want string) {
	c.t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		state, changed := c.peer.State()
		if state == want {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			c.t.Fatalf("state is %q, want %q", state, want)
		}
	}
}

// sendFrame sends one picture of n packets; the first byte of the payload
// after the descriptor tells who sent it. It is a key frame if one is wanted.
func (c *client) sendFrame(name byte, n int) {
	key := byte(1)
	if c.wantKey.Swap(false) {
		key = 0
	}
	c.ts[video] += 3000
	for i := range n {
		c.seq[video]++
		descriptor := byte(0)
		if i == 0 {
			descriptor = 0x10
		}
		c.write(video, &rtp.Packet{
			Header: rtp.Header{
				Version: 2, SequenceNumber: c.seq[video], Timestamp: c.ts[video], Marker: i == n-1,
			},
			Payload: append([]byte{descriptor, key, name, byte(i)}, make([]byte, 600)...),
		})
	}
}

func (c *client) sendAudio(name byte) {
	c.seq[audio]++
	c.ts[audio] += 960
	c.write(audio, &rtp.Packet{
		Header:  rtp.Header{Version: 2, SequenceNumber: c.seq[audio], Timestamp: c.ts[audio]},
		Payload: append([]byte{0xfc, 0, name}, make([]byte, 60)...),
	})
}

func (c *client) write(k kind, p *rtp.Packet) {
	if err := c.send[k].WriteRTP(p); err != nil && !errors.Is(err, net.ErrClosed) {
		c.t.Errorf("send %s: %v", k, err)
	}
}

// talk sends a frame each 33 ms and audio each 20 ms until ctx ends.
func (c *client) talk(ctx context.Context, name byte, packets int) {
	pictures, sounds := time.NewTicker(33*time.Millisecond), time.NewTicker(20*time.Millisecond)
	defer pictures.Stop()
	defer sounds.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-pictures.C:
			c.sendFrame(name, packets)
		case <-sounds.C:
			c.sendAudio(name)
		}
	}
}

// waitFrom waits until n packets of kind k have come from name.
func (c *client) waitFrom(k kind, name byte, n int) {
	c.t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		c.mu.Lock()
		got, arrived := 0, c.arrived
		for i := range c.received[k] {
			if sentBy(&c.received[k][i]) == name {
				got++
			}
		}
		c.mu.Unlock()
		if got >= n {
			return
		}
		select {
		case <-arrived:
		case <-deadline:
			c.t.Fatalf("%d %s packets from %c, want %d; peer: %+v", got, k, name, n, c.peer.Stats())
		}
	}
}

// sentBy is the name that sendFrame and sendAudio put into the payload.
func sentBy(p *rtp.Packet) byte {
	if len(p.Payload) < 3 {
		return 0
	}

	return p.Payload[2]
}

func (c *client) packets(k kind) []rtp.Packet {
	c.mu.Lock()
	defer c.mu.Unlock()

	return append([]rtp.Packet(nil), c.received[k]...)
}

func lines(text, prefix string) (found []string) {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, prefix) {
			found = append(found, strings.TrimSpace(line))
		}
	}

	return found
}
