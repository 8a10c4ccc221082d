package signaling

import (
	"slices"
	"time"

	"smalltalk/matchmaker"
	"smalltalk/store"
)

const (
	// callsKept is how many ended calls a late call.next or call.leave may still name.
	callsKept = 8
	// earlyMail bounds what is kept of a partner who has heard of the match before us.
	earlyMail = 16
)

// reasonMedia is why a room ended whose two had no format in common. It stays inside the
// server; clients see "lost" and an error.
const reasonMedia = "media_failed"

// call is the session's side of the running call, and what has to be known of past ones.
type call struct {
	room      *matchmaker.Room // nil when there is none
	peerName  string
	startedAt time.Time
	mine      peerStateMsg // what the client said last, kept from call to call
	told      *mediaState  // what the partner was told last
	untold    bool         // the partner was not there to be told
	theirs    *mediaState  // what the partner told
	past      []pastCall   // the last ones that ended
	ended     *callEnded   // ended while the WebSocket was lost

	chatting
}

// pastCall is a call that has ended.
type pastCall struct {
	id   string
	user store.UserID // the partner
}

// mail is what one side's session gives to the other's. It says nothing of the sender but
// the room they share.
type mail struct {
	room   *matchmaker.Room // the sender's view
	state  *mediaState
	line   *chatLine
	typing *bool

	undo store.RoomID // the call whose sender wants the partner back; then the rest is empty
}

// enterRoom makes the room the session's call.
func (s *session) enterRoom(room *matchmaker.Room) {
	s.phase = phaseCall
	s.undo = undo{}
	s.stopDialing()
	s.call = call{room: room, mine: s.mine, past: s.past, startedAt: room.Created()}
	s.peerName = s.srv.nameOf(room.Partner())
}

// nameOf is the display name of a room's member. A match has both online, so that only after
// a restart the database is asked.
func (s *Server) nameOf(m store.Member) string {
	if live := s.hub.session(m.Session); live != nil && live.user.ID == m.User {
		return live.known.Load().Name
	}
	user, err := s.cfg.DB.User(m.User)
	if err != nil {
		s.log.Warn("look up a partner's name", "err", err)
	}
	return user.Name
}

// shuns leaves a room that was made in the moment in which one of the two blocked the other.
func (s *session) shuns(room *matchmaker.Room) bool {
	if s.srv.lobby.mayMeet(s.user.ID, room.Partner().User) {
		return false
	}
	room.Leave(endBlocked)
	return true
}

// handleMatch begins a call: first the media, so that the picture is not later than the news.
func (s *session) handleMatch(room *matchmaker.Room) {
	if s.shuns(room) {
		s.early = nil
		s.resumeFind()
		return
	}
	s.enterRoom(room)
	s.srv.stats.matches.Add(1)
	if room.Self() == room.Record().Members[0] { // one of the two does it for both
		s.srv.keepMeeting(room)
	}
	pair := s.sealPair(time.Now())
	var joinErr error
	if s.peer != nil && !s.answering {
		joinErr = s.peer.Join(roomName(room))
		s.joined = joinErr == nil
	}
	s.sendSince(&matchMsg{head{Type: "match"}, *s.callInfo(pair)}, room.Created())
	early := s.early
	s.early = nil
	if joinErr != nil {
		s.callFailed(joinErr)
		return
	}
	s.tellPartner()
	for _, m := range early {
		s.handleMail(m)
	}
}

// callInfo is what the client knows of its call, with its pair token.
func (s *session) callInfo(pair string) *callInfo {
	shared := s.room.Topics()
	topics := make([]string, len(shared))
	for i, topic := range shared {
		topics[i] = string(topic)
	}
	langs := s.room.Langs()
	if langs == nil {
		langs = []string{}
	}
	return &callInfo{
		Call: s.callID(), Topics: topics, Langs: langs, StartedAt: s.startedAt.UnixMilli(),
		Peer: peerInfo{
			ID: s.srv.signer.peerID(s.room.ID(), s.room.Partner().Session), Name: s.peerName,
			Friend: s.srv.lobby.friends(s.user.ID, s.room.Partner().User),
		},
		Pair: pair,
	}
}

// sealPair makes the token with which the client can prove its call. It is empty if it cannot be made, which matters only
// if the server loses its own record.
func (s *session) sealPair(now time.Time) string {
	claims := pairClaims{Room: s.room.Record(), Self: s.id, Expires: now.Add(pairTTL).UnixMilli()}
	if !s.guessed {
		wait := s.ticketClaims(now)
		claims.Wait = &wait
	}
	token, err := s.srv.sealer.pair(claims)
	if err != nil {
		s.log.Error("seal a pair token", "err", err)
	}
	return token
}

func (s *session) callID() string { return string(s.room.ID()) }

func (s *session) handleNext(id string, m *callNextMsg, now time.Time) *failure {
	if done, fail := s.notThisCall(id, m.Call); done {
		return fail
	}
	if fail := take(s.joins, now); fail != nil {
		return fail
	}
	s.leaveMedia()
	s.room.Leave(endNext)
	s.closeCall(id, true)
	s.voidBefore = now // who skips goes to the end of the line
	s.ticket.Since, s.ticket.Widened, s.ticket.WidenFrom = now, 0, time.Time{}
	s.joinLine("", now)
	return nil
}

func (s *session) handleLeave(id string, m *callLeaveMsg, now time.Time) *failure {
	if done, fail := s.notThisCall(id, m.Call); done {
		return fail
	}
	s.voidBefore = now
	s.leaveMedia()
	s.room.Leave(endLeft)
	s.closeCall(id, false)
	return nil
}

// notThisCall answers a message about a call that is not the running one: one about a past
// call came too late and does nothing, any other is a mistake.
func (s *session) notThisCall(id, call string) (done bool, fail *failure) {
	switch {
	case s.room != nil && call == s.callID():
		return false, nil
	case s.partnerIn(call) != "":
		s.ok(id)
		return true, nil
	default:
		return true, errNotInCall
	}
}

// partnerIn is whom the running call, or one that was there lately, is or was with; empty for any other.
func (s *session) partnerIn(call string) store.UserID {
	if s.room != nil && call == s.callID() {
		return s.room.Partner().User
	}
	for _, past := range s.past {
		if past.id == call {
			return past.user
		}
	}
	return ""
}

// handleRoomDone is the end of the call by the partner, or by the matcher.
func (s *session) handleRoomDone() {
	s.leaveMedia()
	if s.room.Reason() == reasonMedia {
		s.fail("", errMediaFailed)
	}
	s.closeCall("", false)
}

// callFailed ends the call for both because the media could not be joined.
func (s *session) callFailed(err error) {
	fail := mediaFailure(err)
	reason := reasonMedia
	if fail.Code != codeMediaFailed {
		s.log.Error("join a room", "err", loggable(err))
		reason = endLost
	}
	s.leaveMedia()
	s.room.Leave(reason)
	s.fail("", fail)
	s.closeCall("", false)
}

// closeCall tells the client, once, that the call has ended, and forgets it. Whoever ended
// the room first has named the reason.
func (s *session) closeCall(re string, requeued bool) {
	ended := callEnded{Call: s.callID(), Reason: wireReason(s.room.Reason())}
	now := time.Now()
	s.parts(s.room, ended.Reason, now)
	ended.UndoMS = s.left(now)
	if s.conn == nil {
		s.ended = &ended
	}
	s.send(&callEndMsg{head{Type: "call.end", Re: re}, ended, requeued})
	if s.past = append(s.past, pastCall{ended.Call, s.room.Partner().User}); len(s.past) > callsKept {
		s.past = slices.Delete(s.past, 0, 1)
	}
	if s.typing != nil {
		s.typing.Stop()
	}
	s.phase = phaseIdle
	s.call = call{mine: s.mine, past: s.past, ended: s.ended}
}

// wireReason is the reason as the protocol knows it.
func wireReason(reason string) string {
	switch reason {
	case endNext, endLeft, endLost, endBlocked, endKicked, endRestart:
		return reason
	default:
		return endLost
	}
}

func (s *session) handlePeerState(id string, m *peerStateMsg) *failure {
	s.mine = *m
	s.tellPartner()
	s.ok(id)
	return nil
}

// tellPartner passes on what the partner has to know of this side, if it has changed. Where
// the partner cannot be told now, a tick or the partner's own news try again.
func (s *session) tellPartner() {
	if s.room == nil {
		return
	}
	state := mediaState{Audio: s.mine.Audio, Video: s.mine.Video, Watching: s.wants.video, Connection: connectionOK}
	if s.conn == nil || s.mediaLost {
		state.Connection = connectionReconnecting
	}
	if s.told != nil && *s.told == state {
		return
	}
	s.untold = !s.post(mail{state: &state})
	if !s.untold {
		s.told = &state
	}
}

// post puts mail into the partner's box. It never waits: a full box, or a partner who is not
// on this server now, is false.
func (s *session) post(m mail) bool {
	partner := s.srv.hub.session(s.room.Partner().Session)
	if partner == nil {
		return false
	}
	m.room = s.room
	return partner.receive(m)
}

// receive puts mail into the session's own box, if it is not full. Any goroutine may call it.
func (s *session) receive(m mail) bool {
	select {
	case s.mail <- m:
		return true
	default:
		return false
	}
}

// handleMail takes what the partner's session sent. News of a match that this side is about
// to hear of is kept for that moment.
func (s *session) handleMail(m mail) {
	if m.undo != "" {
		s.handleUndoMail(m.undo, time.Now())
		return
	}
	if s.room == nil || m.room.ID() != s.room.ID() {
		if s.found != nil && len(s.early) < earlyMail {
			s.early = append(s.early, m)
		}
		return
	}
	switch {
	case m.state != nil:
		s.theirs = m.state
		s.send(&peerStateOut{head{Type: "peer.state"}, *m.state})
		if s.untold { // so the partner is there now
			s.tellPartner()
		}
	case m.line != nil:
		s.keepLine(*m.line)
		s.send(&chatOut{head{Type: "chat"}, *m.line})
	case m.typing != nil:
		s.send(&typingOut{head{Type: "chat.typing"}, *m.typing})
	}
}
