package sfu

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v4"
)

// States of a Peer's transport, see [Peer.State].
const (
	stateNew          = "new"
	stateConnected    = "connected"
	stateDisconnected = "disconnected"
	stateFailed       = "failed"
)

const (
	// An ICE-lite server only hears of a client by the client's own checks,
	// which browsers send every 2.5 s when all is well.
	disconnectedAfter = 5 * time.Second
	failedAfter       = 10 * time.Second // after that
	keepAlive         = 2 * time.Second
	replayWindow      = 1024
	// maxCandidates is from how many addresses a client may come before it must begin
	// ICE anew: enough for hours behind a NAT that keeps giving it new ones.
	maxCandidates = 512
	// A client that is reachable and does not finish its handshake is given up.
	handshakeTimeout = 30 * time.Second
)

// Peer is one client's connection to the relay. It is made once, outlives any
// number of partners, and ends when its transport does. All its methods may be
// called from anywhere at any time; none may be called from within another.
type Peer struct {
	engine *Engine
	pc     *webrtc.PeerConnection
	leg    *leg
	tracks [kinds]*track

	answering sync.Mutex // guards offer; held for the whole of Answer
	offer     *offer     // the last one answered

	mu      sync.Mutex // guards state, changed and closing
	state   string
	changed chan struct{}
	closing bool
	done    chan struct{}

	rtpStreams, rtcpStreams atomic.Int32
	lastRTCP                []byte // SRTCP session goroutine

	nominated nomination
	// candidates is how many addresses the client has come from since ICE began, or
	// began anew.
	candidates atomic.Int32
	ufrag      string // ours since then, guarded by mu

	end     *endpoint              // the hub's, guarded by mu
	where   *destination           // what ICE has selected last, guarded by mu
	lane    atomic.Pointer[lane]   // on the fast plane, once served
	capture keyCapture             // wiped when a plane serves the peer
	served  atomic.Pointer[string] // which that is
}

func newPeer(e *Engine) (*Peer, error) {
	p := &Peer{
		engine: e, state: stateNew, changed: make(chan struct{}), done: make(chan struct{}),
		tracks: [kinds]*track{{kind: audio}, {kind: video}},
	}
	p.leg = newLeg(p, uint64(e.config.MaxBitrate), e.wall(), random)
	certificate, err := e.identity()
	if err != nil {
		return nil, err
	}
	engine, err := mediaEngine()
	if err != nil {
		return nil, err
	}
	settings, err := p.settings()
	if err != nil {
		return nil, err
	}
	api := webrtc.NewAPI(webrtc.WithMediaEngine(engine), webrtc.WithSettingEngine(settings),
		webrtc.WithInterceptorRegistry(&interceptor.Registry{}))
	p.pc, err = api.NewPeerConnection(webrtc.Configuration{
		Certificates: []webrtc.Certificate{certificate},
		BundlePolicy: webrtc.BundlePolicyMaxBundle,
	})
	if err != nil {
		return nil, err
	}
	p.ice().OnSelectedCandidatePairChange(p.selected)
	p.pc.OnConnectionStateChange(func(webrtc.PeerConnectionState) { p.follow() })

	return p, nil
}

func (p *Peer) settings() (webrtc.SettingEngine, error) {
	var s webrtc.SettingEngine
	s.LoggerFactory = pionLogs{p.engine.log}
	s.BufferFactory = p.newBuffer
	s.SetLite(true)
	s.SetICEUDPMux(p.engine.mux)
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6})
	s.DisableActiveTCP(true)
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.SetIncludeLoopbackCandidate(p.engine.config.IncludeLoopback)
	s.SetICEUseCandidateCheckPriority(true)
	s.SetICEBindingRequestHandler(p.nominated.nominate)
	s.SetRemoteIPFilter(p.admitCandidate)
	s.SetICETimeouts(disconnectedAfter, failedAfter, keepAlive)
	s.SetSRTPReplayProtectionWindow(replayWindow)
	s.SetDTLSInsecureSkipHelloVerify(true)
	s.SetSRTPProtectionProfiles(srtpProfiles...)
	if p.engine.fast {
		s.SetDTLSKeyLogWriter(&p.capture)
		s.SetDTLSServerHelloMessageHook(p.capture.hello)
	}
	s.SetDTLSConnectContextMaker(func() (context.Context, func()) {
		return context.WithTimeout(context.Background(), handshakeTimeout)
	})
	s.SetFireOnTrackBeforeFirstRTP(true)
	if p.engine.config.Net != nil {
		s.SetNet(p.engine.config.Net)
	}
	if err := s.SetAnsweringDTLSRole(webrtc.DTLSRoleServer); err != nil {
		return s, fmt.Errorf("choose the DTLS role: %w", err)
	}

	return s, nil
}

// admitCandidate is asked for each new address that a client comes from: anybody
// can come from thousands, and ICE looks through all of them.
func (p *Peer) admitCandidate(net.IP) bool {
	if p.candidates.Load() >= maxCandidates {
		return false
	}
	p.candidates.Add(1)

	return true
}

// Answer takes the client's offer, SDP with one audio and one video line, and
// returns the answer with all candidates in it. A second offer is answered
// only if it is an ICE restart of the same connection. Errors are *Error:
// "sdp_rejected", "media_failed" if the peer has joined a room already whose
// other side it does not suit, "internal" after Close. If an offer is well
// formed but cannot be answered the Peer closes itself.
func (p *Peer) Answer(offer string) (string, error) {
	p.answering.Lock()
	defer p.answering.Unlock()
	o, bad := parseOffer(offer)
	if bad != nil {
		return "", bad
	}
	if p.offer != nil && !o.restarts(p.offer) {
		return "", rejected("a second offer must be an ICE restart of the first", nil)
	}
	answer, err := p.negotiate(o)
	if err != nil {
		if errors.Is(err, ErrClosed) || p.isClosing() {
			return "", internal("answer", ErrClosed)
		}
		p.closeSoon("negotiation failed") // it has stopped half way

		return "", rejected("the offer cannot be answered", err)
	}
	if p.offer == nil {
		m, err := newMedia(o, p.pc.GetTransceivers(), &p.tracks)
		if err != nil {
			p.closeSoon("negotiation failed")

			return "", rejected("the offer cannot be answered", err)
		}
		p.leg.negotiated(m)
	}
	p.offer = o
	p.openStreams(answer)
	if !p.engine.rooms.check(p.leg) {
		return "", &Error{code: codeMedia, text: "the partner", err: errNoCodec}
	}

	return answer, nil
}

func (p *Peer) negotiate(o *offer) (string, error) {
	if err := p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: o.sdp}); err != nil {
		return "", fmt.Errorf("take the offer: %w", err)
	}
	if p.offer == nil {
		if err := p.addTracks(o); err != nil {
			return "", err
		}
	}
	answer, err := p.pc.CreateAnswer(nil)
	if err != nil {
		return "", fmt.Errorf("make the answer: %w", err)
	}
	gathered := webrtc.GatheringCompletePromise(p.pc)
	if err := p.pc.SetLocalDescription(answer); err != nil {
		return "", fmt.Errorf("use the answer: %w", err)
	}
	select {
	case <-gathered:
	case <-p.done:
		return "", ErrClosed
	}
	local := p.pc.LocalDescription()
	if local == nil {
		return "", ErrClosed
	}

	return p.engine.advertise(tidy(local.SDP)), nil
}

// addTracks puts our two tracks into the offered m-lines.
func (p *Peer) addTracks(o *offer) error {
	for k := range kinds {
		if o.direction[k] == "sendonly" {
			continue
		}
		if _, err := p.pc.AddTrack(p.tracks[k]); err != nil {
			return fmt.Errorf("add the %s track: %w", k, err)
		}
	}

	return prefer(p.pc)
}

// Join puts the peer into the room of that name, which must be known only to
// its two sides. Media flows when both have joined and are connected; it may
// be called before that, and again with the same name. Errors are *Error:
// "media_failed" if the other side could not show what this one sends or the
// other way round, "internal" if the room has two sides or the peer is in another.
func (p *Peer) Join(room string) error {
	if p.isClosing() {
		return internal("join", ErrClosed)
	}
	now := p.engine.now()
	wired, err := p.engine.rooms.join(p.leg, room, now)
	if errors.Is(err, errNoCodec) {
		return &Error{code: codeMedia, text: "join", err: err}
	}
	if err != nil {
		return internal("join", err)
	}
	if p.isClosing() { // Close may have left before we joined
		p.engine.rooms.leave(p.leg)

		return internal("join", ErrClosed)
	}
	wired.greet(now)

	return nil
}

// Leave takes the peer out of its room, if it is in one. No packet that is
// read after Leave returns crosses, in either direction.
func (p *Peer) Leave() { p.engine.rooms.leave(p.leg) }

// State returns what the transport is doing: "new", "connected",
// "disconnected" (nothing heard for 5 s; may come back) or "failed" (gone for
// good), and a channel that is closed at the next change.
func (p *Peer) State() (state string, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()

	return p.state, p.changed
}

// Done returns a channel that is closed when the transport is gone for good
// and everything that belonged to it has ended.
func (p *Peer) Done() <-chan struct{} { return p.done }

// Stats returns the peer's counters, and what of its connection only the server
// knows: the way and the plane that it takes, and how each hop does.
func (p *Peer) Stats() PeerStats {
	s := p.leg.count.snapshot()
	s.ReceiveBitrate, s.SendBitrate = p.leg.meter.read(p.engine.now(), s.BytesReceived, s.BytesSent)
	s.RTT = time.Duration(p.leg.rtt.Load())
	s.Estimate = p.leg.estimate.Load()
	s.Path = p.path()
	if served := p.served.Load(); served != nil {
		s.Plane = *served
	}

	return s
}

// Close leaves the room, ends the transport and waits for all of its
// goroutines. Calling it again waits for the first call.
func (p *Peer) Close() error {
	p.mu.Lock()
	again := p.closing
	p.closing = true
	p.setState(stateFailed)
	p.mu.Unlock()
	if again {
		<-p.done

		return nil
	}
	p.engine.rooms.leave(p.leg)
	p.closeStreams()
	p.closeLane()
	err := p.pc.GracefulClose()
	p.capture.wipeAll() // of a handshake that has ended meanwhile
	p.engine.forget(p)
	close(p.done)
	if err != nil {
		return internal("close", err)
	}

	return nil
}

func (p *Peer) isClosing() bool {
	p.mu.Lock()
	defer p.mu.Unlock()

	return p.closing
}

// closeSoon closes the peer from a place that must not wait for it.
func (p *Peer) closeSoon(reason string) {
	if p.isClosing() {
		return
	}
	p.engine.log.Debug("drop peer", "reason", reason)
	p.engine.background(func() { _ = p.Close() })
}

// follow is told that Pion's state has changed. Pion may call it for two
// changes at once and in either order, so it looks for itself, under the lock:
// who comes last has seen the newest.
func (p *Peer) follow() {
	p.mu.Lock()
	state := p.pc.ConnectionState()
	switch state {
	case webrtc.PeerConnectionStateConnected:
		p.serve()
		p.setState(stateConnected)
	case webrtc.PeerConnectionStateDisconnected:
		p.setState(stateDisconnected)
	default:
	}
	p.mu.Unlock()
	switch state {
	case webrtc.PeerConnectionStateConnected:
		now := p.engine.now()
		p.engine.rooms.setReady(p.leg, now).greet(now)
	case webrtc.PeerConnectionStateFailed:
		p.closeSoon("transport failed")
	case webrtc.PeerConnectionStateClosed:
		p.closeSoon("transport closed")
	default:
	}
}

// setState changes what State returns; p.mu is held.
func (p *Peer) setState(state string) {
	if p.state == state || p.state == stateFailed {
		return
	}
	p.state = state
	close(p.changed)
	p.changed = make(chan struct{})
}
