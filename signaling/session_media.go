package signaling

import "time"

// media is the session's media connection.
type media struct {
	peer        Peer            // nil before the first offer and after the transport's end
	peerChanged <-chan struct{} // closed at the next change of the peer's state
	reported    string          // state the client was told last
	joined      bool            // the peer is in the room
	mediaLost   bool            // it was connected, or should be, and is not

	gen        uint64 // of the last offer taken
	answering  bool   // one offer is being answered
	pending    *offer // comes next
	answered   chan answered
	answerLost bool // an answer came while the WebSocket was lost

	wants wants // over all peers and partners
}

// wants is what the client wants to receive.
type wants struct {
	audio, video bool
	maxBitrate   int // bit/s; 0 is no wish
}

var wantsAll = wants{audio: true, video: true}

func (w wants) tell(p Peer) { p.Want(w.audio, w.video, w.maxBitrate) }

type offer struct {
	id string
	*offerMsg
}

// answered is the outcome of an offer.
type answered struct {
	offer offer
	peer  Peer
	sdp   string
	err   error
}

func (s *session) handleOffer(id string, m *offerMsg, now time.Time) *failure {
	if m.Gen <= s.gen {
		return badMessage("gen must rise with each offer.")
	}
	if fail := take(s.offers, now); fail != nil {
		return fail
	}
	s.gen = m.Gen
	o := offer{id, m}
	if s.answering {
		s.pending = &o // an older one that waits is of no use to the client any more
		return nil
	}
	return s.startAnswer(o)
}

func (s *session) handleMediaWant(id string, m *mediaWantMsg) *failure {
	s.wants = wants{audio: *m.Audio, video: *m.Video}
	if m.MaxKbps != nil {
		s.wants.maxBitrate = *m.MaxKbps * 1000
	}
	if s.peer != nil {
		s.wants.tell(s.peer)
	}
	s.tellPartner()
	s.ok(id)
	return nil
}

// startAnswer has the offer answered by the peer there is (an ICE restart) or a new one.
func (s *session) startAnswer(o offer) *failure {
	old := s.peer
	if o.Restart {
		if old == nil {
			return errMediaGone
		}
		s.answer(o, old)
		return nil
	}
	if old != nil {
		old.Leave() // before the new one joins
		s.forgetPeer()
		s.closePeer(old)
	}
	peer, err := s.srv.cfg.NewPeer()
	if err != nil {
		s.log.Error("make a peer", "err", err)
		s.loseMedia()
		s.tellPartner()
		return errInternal
	}
	s.peer = peer
	s.wants.tell(peer)
	_, s.peerChanged = peer.State()
	s.answer(o, peer)
	s.metMeanwhile() // else nobody is met until it is connected
	return nil
}

// answer works beside run, because it may take some 100 ms.
func (s *session) answer(o offer, peer Peer) {
	s.answering = true
	s.work.Go(func() {
		sdp, err := peer.Answer(o.SDP)
		s.answered <- answered{o, peer, sdp, err} // has room: one at a time
	})
}

func (s *session) handleAnswered(a answered) {
	s.answering = false
	switch {
	case a.peer != s.peer: // its transport ended meanwhile
		s.fail(a.offer.id, errMediaGone)
	case a.err != nil:
		s.answerFailed(a)
	default:
		s.answerLost = s.conn == nil
		s.send(&answerMsg{head{Type: "rtc.answer", Re: a.offer.id}, a.sdp, a.offer.Gen})
		s.reportPeer()
		s.joinMedia()
	}
	if s.pending == nil {
		return
	}
	next := *s.pending
	s.pending = nil
	if fail := s.startAnswer(next); fail != nil {
		s.fail(next.id, fail)
	}
}

// answerFailed tells the client why. A peer that has never worked is of no use; one that
// only could not restart may still be connected.
func (s *session) answerFailed(a answered) {
	fail := mediaFailure(a.err)
	if fail == errInternal {
		s.log.Error("answer an offer", "err", loggable(a.err))
	}
	s.fail(a.offer.id, fail)
	if a.offer.Restart {
		s.joinMedia() // a match may have waited for the answer
		return
	}
	s.forgetPeer()
	s.closePeer(a.peer)
	s.loseMedia()
	s.tellPartner()
}

// joinMedia puts the peer into the room of the call, if there are both. Peers without a
// format in common end the call for both.
func (s *session) joinMedia() {
	if s.peer == nil || s.room == nil || s.joined || s.answering {
		return
	}
	if err := s.peer.Join(roomName(s.room)); err != nil {
		s.callFailed(err)
		return
	}
	s.joined = true
}

// leaveMedia takes the peer out of the room. It comes first at the end of every call.
func (s *session) leaveMedia() {
	if s.peer != nil {
		s.peer.Leave()
	}
	s.joined = false
}

func (s *session) handlePeerChanged() { s.reportPeer() }

// reportPeer tells the client about its connection, and by tellPartner the partner.
func (s *session) reportPeer() {
	if s.peer == nil {
		return
	}
	var state string
	state, s.peerChanged = s.peer.State()
	switch state {
	case "connected":
		s.mediaLost = false
		s.resumeFind()
	case "disconnected", "failed":
		s.loseMedia()
	default:
		return
	}
	s.sayState(state)
	s.tellPartner()
}

// loseMedia remembers that the media connection is gone, or could not be made.
func (s *session) loseMedia() {
	s.mediaLost = true
	s.pauseFind()
}

// mediaReady is whether a partner would see and hear the client at once. One that has not
// offered a connection is taken at its word that it will.
func (s *session) mediaReady() bool {
	if s.peer == nil {
		return !s.mediaLost
	}
	state, _ := s.peer.State()
	return state == "connected"
}

func (s *session) sayState(state string) {
	if state != s.reported && s.conn != nil {
		s.reported = state
		s.send(&rtcStateMsg{head{Type: "rtc.state"}, state})
	}
}

// handlePeerDone is the end of the transport while the session goes on: the client is to
// make a new one.
func (s *session) handlePeerDone() {
	peer := s.peer
	peer.Leave()
	s.loseMedia()
	s.sayState("failed")
	s.forgetPeer()
	s.closePeer(peer)
	s.tellPartner()
}

func (s *session) forgetPeer() {
	s.peer, s.peerChanged, s.joined, s.reported = nil, nil, false, ""
}

// closePeer waits for the peer's end beside run.
func (s *session) closePeer(p Peer) {
	s.work.Go(func() {
		if err := p.Close(); err != nil {
			s.log.Debug("close a peer", "err", err)
		}
	})
}

// mediaVerdict is whether a client that comes back may go on with its connection.
func (s *session) mediaVerdict() string {
	s.reported = "" // the client may not have heard it
	if s.peer == nil || s.answerLost {
		return mediaNew
	}
	switch state, _ := s.peer.State(); state {
	case "new", "connected":
		return mediaKeep
	default:
		return mediaNew
	}
}
