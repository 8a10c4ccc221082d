package main

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// quietLogs keeps Pion silent: what matters is asserted.
type quietLogs struct{}

func (quietLogs) NewLogger(string) logging.LeveledLogger {
	return logging.NewDefaultLeveledLoggerForScope("", logging.LogLevelDisabled, io.Discard)
}

// Media that the tests send: 25 frames a second of two packets each, and 50
// audio packets a second.
const (
	frameTime  = 40 * time.Millisecond
	audioTime  = 20 * time.Millisecond
	videoClock = 90000
	audioClock = 48000
)

// camera is a client's media side: a real Pion client that sends marked packets
// and keeps account of what it gets.
type camera struct {
	*client
	id      byte // who painted a packet: the last byte of each payload
	host    string
	pc      *webrtc.PeerConnection
	video   *webrtc.TrackLocalStaticRTP
	audio   *webrtc.TrackLocalStaticRTP
	wantKey atomic.Bool // a key frame was asked for
	stop    chan struct{}
	wg      sync.WaitGroup

	mu      sync.Mutex // guards what follows
	got     map[byte]*tally
	ssrcs   map[uint32]bool
	lastV   *rtp.Packet     // last video packet received
	repeats int             // video packets that came twice
	seen    map[uint16]bool // by sequence number: did it come by retransmission
}

// tally counts what came from one sender.
type tally struct {
	video, audio int
	keyFirst     bool // the first video packet was of a key frame
	last         time.Time
}

// newCamera connects a guest with media from a host of its own in the lab.
func newCamera(t *testing.T, l *lab, id byte) *camera {
	t.Helper()
	net, ip := l.newHost()
	c := &camera{id: id, host: ip, stop: make(chan struct{}), got: map[byte]*tally{}, ssrcs: map[uint32]bool{}, seen: map[uint16]bool{}}
	c.client = guest(t, l.http, "http://lab")

	media := &webrtc.MediaEngine{}
	if err := media.RegisterDefaultCodecs(); err != nil {
		t.Fatal(err)
	}
	registry := &interceptor.Registry{}
	if err := webrtc.RegisterDefaultInterceptors(media, registry); err != nil {
		t.Fatal(err)
	}
	setting := webrtc.SettingEngine{LoggerFactory: quietLogs{}}
	setting.SetNet(net)
	setting.SetSRTPReplayProtectionWindow(1024)
	api := webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithInterceptorRegistry(registry), webrtc.WithSettingEngine(setting))
	var err error
	if c.pc, err = api.NewPeerConnection(webrtc.Configuration{}); err != nil {
		t.Fatal(err)
	}
	c.video = c.addTrack(webrtc.MimeTypeVP8, videoClock)
	c.audio = c.addTrack(webrtc.MimeTypeOpus, audioClock)
	c.pc.OnTrack(c.receive)
	c.connect()
	return c
}

func (c *camera) addTrack(mime string, clock uint32) *webrtc.TrackLocalStaticRTP {
	c.t.Helper()
	kind := "video"
	channels := uint16(0)
	if mime == webrtc.MimeTypeOpus {
		kind, channels = "audio", 2
	}
	track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: mime, ClockRate: clock, Channels: channels}, kind, "secret-stream-name")
	if err != nil {
		c.t.Fatal(err)
	}
	sender, err := c.pc.AddTrack(track)
	if err != nil {
		c.t.Fatal(err)
	}
	c.wg.Go(func() {
		for {
			packets, _, err := sender.ReadRTCP()
			if err != nil {
				return
			}
			for _, p := range packets {
				switch p.(type) {
				case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
					c.wantKey.Store(true)
				}
			}
		}
	})
	return track
}

// connect makes the only offer of this client's life and waits until media can
// flow.
func (c *camera) connect() {
	c.t.Helper()
	connected := make(chan struct{})
	var once sync.Once
	c.pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateConnected {
			once.Do(func() { close(connected) })
		}
	})
	offer, err := c.pc.CreateOffer(nil)
	if err != nil {
		c.t.Fatal(err)
	}
	gathered := webrtc.GatheringCompletePromise(c.pc)
	if err := c.pc.SetLocalDescription(offer); err != nil {
		c.t.Fatal(err)
	}
	<-gathered
	c.send(map[string]any{"type": "rtc.offer", "sdp": c.pc.LocalDescription().SDP, "gen": 1})
	answer := c.expect("rtc.answer")
	if err := c.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer.SDP}); err != nil {
		c.t.Fatal(err)
	}
	select {
	case <-connected:
	case <-time.After(20 * time.Second):
		c.t.Fatal("not connected")
	}
	c.wg.Go(c.publish)
}

// publish sends audio and video until the camera is closed.
func (c *camera) publish() {
	tick := time.NewTicker(audioTime)
	defer tick.Stop()
	var vseq, aseq uint16 = 65500, 10 // sequence numbers wrap early in the test
	var vts, ats uint32 = 0xFFFF0000, 1
	c.wantKey.Store(true)
	for n := 0; ; n++ {
		select {
		case <-c.stop:
			return
		case <-tick.C:
		}
		aseq, ats = aseq+1, ats+audioClock/50
		_ = c.audio.WriteRTP(&rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: aseq, Timestamp: ats}, Payload: c.payload(60, 0xF8)})
		if n%2 == 1 {
			continue
		}
		vts += videoClock / 25
		key := c.wantKey.Swap(false)
		for i := range 2 {
			vseq++
			_ = c.video.WriteRTP(&rtp.Packet{
				Header:  rtp.Header{Version: 2, SequenceNumber: vseq, Timestamp: vts, Marker: i == 1},
				Payload: c.vp8(key, i == 0),
			})
		}
	}
}

func (c *camera) payload(n int, first byte) []byte {
	b := make([]byte, n)
	b[0], b[n-1] = first, c.id
	return b
}

// vp8 makes a packet with a VP8 payload descriptor (RFC 7741, section 4.2) and,
// at the start of a frame, its header (section 4.3).
func (c *camera) vp8(key, start bool) []byte {
	b := c.payload(900, 0)
	if !start {
		return b
	}
	b[0] = 0x10
	if key {
		copy(b[1:], []byte{0x00, 0, 0, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xf0, 0x00})
	} else {
		b[1] = 0x01
	}
	return b
}

func isKey(payload []byte) bool {
	return len(payload) > 10 && payload[0]&0x10 != 0 && payload[1]&1 == 0
}

// receive reads one of the two tracks of this client's life.
func (c *camera) receive(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
	c.wg.Add(1) // OnTrack runs in Pion's own goroutine
	defer c.wg.Done()
	for {
		p, attributes, err := track.ReadRTP()
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrClosedPipe) {
				c.t.Errorf("read: %v", err)
			}
			return
		}
		if len(p.Payload) > 0 {
			// Pion's own client does not see that a packet came by
			// retransmission and asks again for it, so repeats on that stream
			// are its doing.
			resent := attributes.Get(webrtc.AttributeRtxSsrc) != nil
			c.account(p, track.Kind() == webrtc.RTPCodecTypeVideo, resent)
		}
	}
}

func (c *camera) account(p *rtp.Packet, video, resent bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	from := p.Payload[len(p.Payload)-1]
	tl := c.got[from]
	if tl == nil {
		tl = &tally{}
		c.got[from] = tl
	}
	tl.last = time.Now()
	c.ssrcs[p.SSRC] = true
	if !video {
		tl.audio++
		return
	}
	if tl.video == 0 {
		tl.keyFirst = isKey(p.Payload)
	}
	first, known := c.seen[p.SequenceNumber]
	if known {
		if !first && !resent {
			c.repeats++
		}
		return
	}
	c.seen[p.SequenceNumber] = resent
	delete(c.seen, p.SequenceNumber-30000)
	tl.video++
	if !resent {
		c.lastV = p
	}
}

// from reads the account of one sender.
func (c *camera) from(id byte) tally {
	c.mu.Lock()
	defer c.mu.Unlock()
	if tl := c.got[id]; tl != nil {
		return *tl
	}
	return tally{}
}

// close ends the client's media; its WebSocket is the caller's to close.
func (c *camera) close() {
	c.t.Helper()
	close(c.stop)
	if err := c.pc.GracefulClose(); err != nil {
		c.t.Error(err)
	}
	c.wg.Wait()
}
