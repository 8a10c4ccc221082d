package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
)

// naiveHost is the relay that everybody writes first with Pion, and what many
// stay with: default interceptors, a goroutine per track that reads a packet
// from one side and writes it to the other, key frame requests passed on.
type naiveHost struct {
	api *webrtc.API

	mu    sync.Mutex // guards all that follows
	rooms map[string]*naivePeer
	open  []*webrtc.PeerConnection
}

// naivePeer is one side of a room.
type naivePeer struct {
	pc   *webrtc.PeerConnection
	out  map[webrtc.RTPCodecType]*webrtc.TrackLocalStaticRTP
	done chan struct{} // closed when partner is set

	partner *naivePeer
	mu      sync.Mutex // guards video
	video   webrtc.SSRC
}

func newNaiveHost(conn *net.UDPConn) (*naiveHost, error) {
	m, registry := &webrtc.MediaEngine{}, &interceptor.Registry{}
	if err := m.RegisterDefaultCodecs(); err != nil {
		return nil, err
	}
	if err := webrtc.RegisterDefaultInterceptors(m, registry); err != nil {
		return nil, err
	}
	var s webrtc.SettingEngine
	s.SetICEUDPMux(webrtc.NewICEUDPMux(nil, conn))
	s.SetIncludeLoopbackCandidate(true)
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.LoggerFactory = noLogs()

	return &naiveHost{
		api:   webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithInterceptorRegistry(registry), webrtc.WithSettingEngine(s)),
		rooms: map[string]*naivePeer{},
	}, nil
}

func (h *naiveHost) answer(room, offer string) (string, error) {
	pc, err := h.api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return "", err
	}
	p := &naivePeer{pc: pc, out: map[webrtc.RTPCodecType]*webrtc.TrackLocalStaticRTP{}, done: make(chan struct{})}
	h.mu.Lock()
	h.open = append(h.open, pc)
	h.mu.Unlock()
	pc.OnTrack(func(t *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { p.forward(t) })
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}); err != nil {
		return "", fmt.Errorf("take the offer: %w", err)
	}
	for kind, mime := range map[webrtc.RTPCodecType]string{
		webrtc.RTPCodecTypeAudio: webrtc.MimeTypeOpus, webrtc.RTPCodecTypeVideo: webrtc.MimeTypeVP8,
	} {
		if err := p.addTrack(kind, mime); err != nil {
			return "", fmt.Errorf("add a track: %w", err)
		}
	}
	text, err := pc.CreateAnswer(nil)
	if err != nil {
		return "", fmt.Errorf("make the answer: %w", err)
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(text); err != nil {
		return "", fmt.Errorf("use the answer: %w", err)
	}
	<-gathered
	h.join(room, p)

	return pc.LocalDescription().SDP, nil
}

// join makes p the first or the second in its room.
func (h *naiveHost) join(room string, p *naivePeer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	other := h.rooms[room]
	if room == "" || other == nil {
		h.rooms[room] = p

		return
	}
	delete(h.rooms, room)
	p.partner, other.partner = other, p
	close(p.done)
	close(other.done)
}

func (p *naivePeer) addTrack(kind webrtc.RTPCodecType, mime string) error {
	track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: mime}, kind.String(), "relay")
	if err != nil {
		return err
	}
	sender, err := p.pc.AddTrack(track)
	if err != nil {
		return err
	}
	p.out[kind] = track
	go p.passRequests(sender)

	return nil
}

// forward copies a track to the partner until the connection ends.
func (p *naivePeer) forward(t *webrtc.TrackRemote) {
	if t.Kind() == webrtc.RTPCodecTypeVideo {
		p.mu.Lock()
		p.video = t.SSRC()
		p.mu.Unlock()
	}
	for {
		packet, _, err := t.ReadRTP()
		if err != nil {
			return
		}
		select {
		case <-p.done:
		default:
			continue // nobody is there yet
		}
		if err := p.partner.out[t.Kind()].WriteRTP(packet); err != nil {
			return
		}
	}
}

// passRequests hands the receiver's wishes for key frames on to who sends.
func (p *naivePeer) passRequests(sender *webrtc.RTPSender) {
	for {
		packets, _, err := sender.ReadRTCP()
		if err != nil {
			return
		}
		for _, packet := range packets {
			if _, ok := packet.(*rtcp.PictureLossIndication); ok {
				p.requestKeyFrame()
			}
		}
	}
}

func (p *naivePeer) requestKeyFrame() {
	select {
	case <-p.done:
	default:
		return
	}
	p.partner.mu.Lock()
	ssrc := p.partner.video
	p.partner.mu.Unlock()
	if ssrc != 0 {
		// It may just be closing; the receiver asks again if it does not.
		_ = p.partner.pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: uint32(ssrc)}})
	}
}

func (*naiveHost) link(_, _ netip.AddrPort) error { return errNoLinks }

func (h *naiveHost) close() (err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, pc := range h.open {
		err = errors.Join(err, pc.GracefulClose())
	}

	return err
}
