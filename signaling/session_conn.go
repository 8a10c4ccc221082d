package signaling

import (
	"math/rand/v2"
	"time"
)

// handleEvent takes what the reader has: a message, an error or the end of the connection.
func (s *session) handleEvent(ev event, ok bool) {
	if !ok {
		s.handleLost()
		return
	}
	now := time.Now()
	s.srv.stats.messages.Add(1)
	s.lowest = s.seq // the client has the welcome, so the token before it is used up
	fail := ev.fail
	if slow := take(s.messages, now); slow != nil && !ev.fatal {
		fail = slow
	}
	if fail == nil {
		fail = s.dispatch(ev.id, ev.msg, now)
	}
	if fail == nil {
		s.refused = max(s.refused-1, 0) // a good word now and then does not buy a flood
		return
	}
	s.refused++
	s.srv.stats.refused.Add(1)
	s.fail(ev.id, fail)
	switch {
	case ev.fatal:
		s.conn.close(closeBadMessage)
		s.end(endLost)
	case s.refused > abuseAfter:
		s.conn.close(closeTooMany)
		s.end(endLost)
	}
}

// dispatch hands a message to its handler.
func (s *session) dispatch(id string, msg clientMessage, now time.Time) *failure {
	switch m := msg.(type) {
	case *helloMsg:
		return badMessage("hello was said already.")
	case *offerMsg:
		return s.handleOffer(id, m, now)
	case *queueJoinMsg:
		return s.handleQueueJoin(id, m, now)
	case *queueWidenMsg:
		return s.handleQueueWiden(id, m, now)
	case *queueLeaveMsg:
		return s.handleQueueLeave(id, now)
	case *callNextMsg:
		return s.handleNext(id, m, now)
	case *callLeaveMsg:
		return s.handleLeave(id, m, now)
	case *callUndoMsg:
		return s.handleUndo(id, m, now)
	case *peerStateMsg:
		return s.handlePeerState(id, m)
	case *mediaWantMsg:
		return s.handleMediaWant(id, m)
	case *chatMsg:
		return s.handleChat(id, m, now)
	case *typingMsg:
		return s.handleTyping(id, m)
	case *topicsWatchMsg:
		return s.handleTopicsWatch(id, m, now)
	case *pingMsg:
		s.send(&pingOut{head{Type: "pong", Re: id}, m.T})
		return nil
	case *pongMsg:
		s.ok(id) // it has served its purpose by arriving
		return nil
	default:
		return s.dispatchPeople(id, msg, now)
	}
}

// dispatchPeople is dispatch for friends, blocks and rings.
func (s *session) dispatchPeople(id string, msg clientMessage, now time.Time) *failure {
	switch m := msg.(type) {
	case *friendRequestMsg:
		return s.handleFriendRequest(id, m, now)
	case *blockMsg:
		return s.handleBlock(id, m, now)
	case *ringMsg:
		return s.handleRing(id, m, now)
	case *ringAcceptMsg:
		return s.handleRingAccept(id, m, now)
	case *ringDeclineMsg:
		return s.handleRingDecline(id, m)
	case *ringCancelMsg:
		return s.handleRingCancel(id, m)
	default:
		return badMessage("The server does not know this type of message.")
	}
}

// handleLost keeps everything for the grace time, unless the client closed on purpose.
func (s *session) handleLost() {
	clean := s.conn.clean
	s.conn.close(closeNormal) // lets the writer end
	s.conn = nil
	if clean {
		s.end(endLeft)
		return
	}
	s.grace = time.NewTimer(s.srv.cfg.Grace)
	s.pauseFind()
	s.stopTyping()
	s.tellPartner()
	s.log.Debug("connection lost", "phase", s.phase)
}

// handleAttach lets another connection of the same user take the session over.
func (s *session) handleAttach(a attachment) {
	if a.seq < s.lowest || a.seq > s.seq {
		a.result <- unauthorized("This session was resumed already.")
		return
	}
	s.srv.hub.place(s, a.device) // before the answer: from then on the end of the token is looked for by its device
	a.result <- nil
	if s.conn != nil {
		s.fail("", errReplaced)
		s.conn.close(closeReplaced)
	}
	s.attach(a, true)
}

// attach makes the connection the session's own and tells the client where it is.
func (s *session) attach(a attachment, resumed bool) {
	s.conn = a.conn
	if s.grace != nil {
		s.grace.Stop()
		s.grace = nil
	}
	s.seq++
	now := time.Now()
	s.watching = false
	if !s.welcome(a, resumed, now) {
		s.conn.close(errInternal.closeCode())
		s.end(endLost)
		return
	}
	s.ended = nil
	s.reportPeer()
	s.resumeFind() // it was paused while the client was away
	if s.phase == phaseQueued {
		s.sendQueueState("", now)
	}
	s.tellUndo(now)
	s.tellPartner()
}

func (s *session) welcome(a attachment, resumed bool, now time.Time) bool {
	token, err := s.srv.signer.resume(resumeClaims{
		Session: s.id, User: s.user.ID, Seq: s.seq, Expires: now.Add(resumeTTL).UnixMilli(),
	})
	if err != nil {
		s.log.Error("sign a resume token", "err", err)
		return false
	}
	state := stateInfo{Phase: s.phase, Ended: s.ended, Ring: s.srv.lobby.ringOf(s)}
	if s.phase == phaseIdle && (state.Ring != nil || s.dial != nil) {
		state.Phase = phaseRinging
	}
	if s.ended != nil {
		s.ended.UndoMS = s.left(now)
	}
	switch s.phase {
	case phaseQueued:
		state.Ticket = s.signTicket(now)
	case phaseCall:
		if !s.guessed { // a client may know better
			state.Ticket = s.signTicket(now) // a reloaded page has forgotten it, and may be left by its partner
		}
		state.Call = s.callInfo(s.sealPair(now))
		state.Call.PeerState = s.theirs
		state.Chat = s.lines
	}
	s.send(&welcomeMsg{
		head: head{Type: "welcome", Re: a.re}, Version: protocolVersion,
		Session: string(s.id), Resume: token, Token: a.token, User: infoOf(*s.known.Load()),
		PingMS: s.srv.cfg.Ping.Milliseconds(), GraceMS: s.srv.cfg.Grace.Milliseconds(),
		ICEServers: s.iceServers(a.host), Topics: s.srv.counts.get(now).topics, FreeTopics: s.srv.cfg.FreeTopics,
		Resumed: resumed, Media: s.mediaVerdict(), State: state,
	})
	return true
}

func (s *session) iceServers(host string) []ICEServer {
	if s.srv.cfg.ICEServers == nil {
		return []ICEServer{}
	}
	return s.srv.cfg.ICEServers(s.id, host)
}

func (s *session) handleTopicsWatch(id string, m *topicsWatchMsg, now time.Time) *failure {
	s.watching = m.On
	if m.On {
		s.showTopics(id, s.srv.counts.get(now).topics)
	} else {
		s.ok(id)
	}
	return nil
}

func (s *session) showTopics(re string, topics []topicInfo) {
	s.shown = topics
	s.send(&topicsMsg{head{Type: "topics", Re: re}, topics})
}

// reconnectAfter spreads the return of all clients over a time that grows with their number.
func (s *Server) reconnectAfter() int64 {
	return 100 + rand.Int64N(50+int64(min(s.hub.len(), 2500))*2)
}
