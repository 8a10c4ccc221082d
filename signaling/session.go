package signaling

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"smalltalk/matchmaker"
	"smalltalk/store"
)

// stillUsedEvery is how often a session looks whether its token is still good, and notes that it is used.
const stillUsedEvery = time.Hour

// mailbox is how many messages of the partner may wait for a session.
const mailbox = 64

// session is one client's conversation with the server. It outlives a lost WebSocket for the
// grace time. All fields below the channels belong to run; other goroutines use takeOver,
// evict, tell and post, and wait on released.
type session struct {
	srv  *Server
	id   store.SessionID
	user store.User
	log  *slog.Logger

	device store.DeviceID             // whose token this is; the hub's mu guards it
	known  atomic.Pointer[store.User] // the user as he is now, while user is as he was at the begin; anybody may read it

	attaching chan attachment
	evicted   chan *failure
	mail      chan mail
	released  chan struct{} // closed when the session is out of the hub and the matcher

	conn  *conn  // nil while the WebSocket is lost
	n     uint64 // of the last message sent
	over  bool   // run is to return
	phase string
	tick  *time.Ticker // nil when nothing needs it
	grace *time.Timer  // nil while there is a connection

	resumption
	flood
	media
	queue
	call
	undo
	dialing
	errands
	watch
	lobbied
	noted noted         // what the lobby was told last
	woken chan struct{} // capacity 1: the lobby has news

	work sync.WaitGroup // short goroutines: one in Find, one in Answer, one that waits for the disk, those that close Peers
}

// resumption says which resume tokens are good. A token is used up when the client has
// spoken on the connection that its use opened: until then the welcome with the next one may
// have been lost on the way.
type resumption struct {
	seq     uint64 // of the token sent last
	lowest  uint64 // that is still good
	restore bool   // look for a room from before a restart
}

// flood holds the session's buckets.
type flood struct {
	messages, offers, joins, chats *rate.Limiter
	refused                        int // messages, less those that were fine
}

// watch is what a client that shows the topics needs.
type watch struct {
	watching bool
	shown    []topicInfo // sent last
}

// attachment is a connection for a session, and what the hello on it asked for.
type attachment struct {
	conn   *conn
	host   string // under which the client reached us
	re     string // id of the hello
	token  string // of a new guest
	device store.DeviceID
	seq    uint64 // of the resume token
	pair   string // of the running call
	result chan<- *failure
}

func newSession(srv *Server, user store.User) *session {
	limits := srv.cfg.Limits
	s := &session{
		srv: srv, id: store.NewSessionID(), user: user,
		attaching: make(chan attachment),
		evicted:   make(chan *failure, 1),
		mail:      make(chan mail, mailbox),
		released:  make(chan struct{}),
		phase:     phaseIdle,
		flood: flood{
			messages: limits.Messages.bucket(), offers: limits.Offers.bucket(),
			joins: limits.Queue.bucket(), chats: limits.Chat.bucket(),
		},
		media:   media{answered: make(chan answered, 1), wants: wantsAll},
		errands: errands{returned: make(chan func(), 1)},
		woken:   make(chan struct{}, 1),
	}
	s.tell(user)
	s.name()
	return s
}

func (s *session) name() { s.log = s.srv.log.With("session", string(s.id), "user", string(s.user.ID)) }

// recreate makes a new session the one that the claims name, which a former server process had.
func (s *session) recreate(claims resumeClaims) {
	s.id = claims.Session
	s.resumption = resumption{seq: claims.Seq, lowest: claims.Seq, restore: true}
	s.name()
}

// takeOver gives the session another connection. It reports false without a failure when the
// session has ended meanwhile.
func (s *session) takeOver(a attachment) (attached bool, fail *failure) {
	result := make(chan *failure, 1)
	a.result = result
	select {
	case s.attaching <- a:
		fail = <-result
		return fail == nil, fail
	case <-s.released:
		return false, nil
	}
}

// evict ends the session with an error for its client. It does not wait.
func (s *session) evict(why *failure) {
	select {
	case s.evicted <- why:
	default: // somebody else was quicker
	}
}

// tell lets the session know of another name or of an account. The partner of a call that runs keeps the name it was told.
func (s *session) tell(user store.User) { s.known.Store(&user) }

// run is the session: it alone reads and changes its state.
func (s *session) run(first attachment) {
	s.log.Info("session begins", "guest", s.user.Guest)
	stillUsed := time.NewTicker(stillUsedEvery)
	defer stillUsed.Stop()
	s.begin(first)
	for !s.over {
		select {
		case ev, ok := <-s.incoming():
			s.handleEvent(ev, ok)
		case a := <-s.attaching:
			s.handleAttach(a)
		case m := <-s.mail:
			s.handleMail(m)
		case f := <-s.found:
			s.handleFound(f)
		case <-s.roomDone():
			s.handleRoomDone()
		case a := <-s.answered:
			s.handleAnswered(a)
		case <-s.peerChanged:
			s.handlePeerChanged()
		case <-s.peerDone():
			s.handlePeerDone()
		case now := <-s.ticks():
			s.handleTick(now)
		case <-s.woken:
			s.handleNews()
		case <-timerC(s.moreNews):
			s.moreNews = nil
			s.handleNews()
		case done := <-s.returned:
			s.handleReturned(done)
		case <-timerC(s.redial):
			s.handleRedial(time.Now())
		case <-stillUsed.C:
			s.work.Go(func() { s.srv.noteStillUsed(s) })
		case <-timerC(s.grace):
			s.end(endLost)
		case <-timerC(s.typing):
			s.stopTyping()
		case why := <-s.evicted:
			s.handleEvicted(why)
		case <-s.srv.stop:
			s.handleStop()
		}
		s.setTick()
		s.tellLobby()
	}
	s.finish()
}

// begin welcomes the client, back into its call or its wait if a former server process had one for it.
func (s *session) begin(first attachment) {
	now := time.Now()
	resumed := s.restore && (s.restoreCall(first.pair, now) || s.restoreWait(now))
	s.attach(first, resumed)
	s.tellLobby()
}

// restoreCall goes back into the call in which the session was.
func (s *session) restoreCall(pair string, now time.Time) bool {
	room := s.formerRoom(pair, now)
	if room == nil {
		return false
	}
	if s.shuns(room) {
		return false
	}
	s.enterRoom(room)
	if claims, err := s.srv.sealer.openPair(pair, now); err == nil && claims.Room.ID == room.ID() && claims.Wait != nil && claims.Wait.User == s.user.ID {
		s.ticket = claims.Wait.wait(s.id)
	} else { // what the two share is the best guess
		s.guessed = true
		s.ticket = matchmaker.Ticket{Session: s.id, User: s.user.ID, Topics: room.Topics(), Langs: room.Langs(), Since: now}
	}
	s.mediaLost = true // until the client has made a new connection
	return true
}

// formerRoom is the room in which a former process left the session, by the client's proof or from the matcher's record. The proof comes
// first: the record may be one write older. The matcher brings nobody back by the partner's proof alone, else whoever has kept the token
// of a call that is over could have the other one back after a restart.
func (s *session) formerRoom(pair string, now time.Time) *matchmaker.Room {
	if claims, err := s.srv.sealer.openPair(pair, now); err == nil && claims.names(s.id, s.user.ID) {
		room, err := s.srv.cfg.Matcher.Rejoin(context.Background(), claims.Room, s.id)
		if err == nil {
			s.log.Debug("back in a call by its token", "room", room.ID())
			return room
		}
		s.log.Info("a call could not be brought back", "room", claims.Room.ID, "err", err)
	}
	room, err := s.srv.cfg.Matcher.Resume(context.Background(), s.id)
	if err != nil {
		return nil
	}
	return room
}

// restoreWait goes back to the place in line that the session had.
func (s *session) restoreWait(now time.Time) bool {
	t, ok := s.srv.cfg.Matcher.Place(s.id)
	if !ok || t.User != s.user.ID || t.Private || t.Since.After(now) {
		return false
	}
	for _, topic := range t.Topics {
		if id, ok := s.srv.words.topic(string(topic)); !ok || id != topic {
			return false // the operator has other topics now
		}
	}
	t.Partner, t.PartnerUntil = "", time.Time{} // to be asked for again
	s.ticket = t
	s.phase = phaseQueued
	return true
}

// finish leaves nothing behind: the partner is free first, then the name, then the media.
func (s *session) finish() {
	s.leaveLine()
	s.srv.lobby.leave(s)
	s.srv.voids.keep(s.user.ID, s.voidBefore, time.Now())
	s.srv.hub.remove(s)
	close(s.released)
	s.stopTimers()
	if s.tick != nil {
		s.tick.Stop()
	}
	if s.conn != nil {
		s.conn.close(closeNormal)
	}
	if s.peer != nil {
		s.closePeer(s.peer)
	}
	s.work.Wait()
	s.finishErrands()
	if end := s.srv.cfg.EndICEServers; end != nil {
		end(s.id)
	}
	s.log.Info("session ends")
}

// end is the end of the session by its own client's doing, for the partner's eyes.
func (s *session) end(reason string) {
	if s.peer != nil {
		s.peer.Leave()
	}
	if s.room != nil {
		s.room.Leave(reason)
	}
	s.over = true
}

func (s *session) handleEvicted(why *failure) {
	s.fail("", why)
	if s.conn != nil {
		s.conn.close(why.closeCode())
	}
	s.end(endLeft)
}

// handleStop is the end of the session by the server's restart. The room stays: both come back to it.
func (s *session) handleStop() {
	s.send(&drainMsg{head: head{Type: "drain"}, ReconnectAfterMS: s.srv.reconnectAfter()})
	if s.conn != nil {
		s.conn.close(closeRestart)
	}
	s.over = true
}

// handleTick does what has to be done about once a second.
func (s *session) handleTick(now time.Time) {
	s.tellPartner()
	reading := s.srv.counts.get(now)
	if s.watching && !slices.Equal(s.shown, reading.topics) {
		s.showTopics("", reading.topics)
	}
	if s.phase == phaseQueued {
		s.refreshQueue(reading, now)
	}
}

// setTick keeps the ticker only while something needs it, so that an idle session costs nothing.
func (s *session) setTick() {
	need := s.conn != nil && (s.watching || s.phase == phaseQueued) || s.untold
	switch {
	case need && s.tick == nil:
		s.tick = time.NewTicker(countsAge)
	case !need && s.tick != nil:
		s.tick.Stop()
		s.tick = nil
	}
}

// send gives a message its number and queues it. Without a connection it is lost: a resumed
// client gets a snapshot instead.
func (s *session) send(msg serverMessage) { s.sendSince(msg, time.Time{}) }

// sendSince is send for news whose age, when they are on their way, belongs in the statistics.
func (s *session) sendSince(msg serverMessage, from time.Time) {
	if s.conn == nil {
		return
	}
	s.n++
	msg.header().N = s.n
	b, err := json.Marshal(msg)
	if err != nil {
		s.log.Error("encode a message", "type", msg.header().Type, "err", err)
		return
	}
	if !s.conn.send(frame{b, from}) {
		s.srv.stats.dropped.Add(1)
	}
}

func (s *session) fail(re string, f *failure) {
	s.send(&errorMsg{head{Type: "error", Re: re}, *f})
}

// ok confirms a message that asked for it by having an id.
func (s *session) ok(re string) {
	if re != "" {
		s.send(&okMsg{head{Type: "ok", Re: re}})
	}
}

// The channels for run's select; nil ones are never ready.

func (s *session) incoming() <-chan event {
	if s.conn == nil {
		return nil
	}
	return s.conn.in
}

func (s *session) roomDone() <-chan struct{} {
	if s.room == nil {
		return nil
	}
	return s.room.Done()
}

func (s *session) peerDone() <-chan struct{} {
	if s.peer == nil {
		return nil
	}
	return s.peer.Done()
}

func (s *session) ticks() <-chan time.Time {
	if s.tick == nil {
		return nil
	}
	return s.tick.C
}

func timerC(t *time.Timer) <-chan time.Time {
	if t == nil {
		return nil
	}
	return t.C
}

// roomName is how the media side knows a room.
func roomName(r *matchmaker.Room) string { return string(r.ID()) }
