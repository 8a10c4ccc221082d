package signaling

import (
	"time"

	"smalltalk/store"
)

const (
	// errandsAtOnce is how many errands of a session may wait for the disk.
	errandsAtOnce = 16
	// presencesAtOnce is how many presences a client is told in one go, and presencesEvery how long it has then to read
	// them: somebody may have a thousand friends, and they may all come at once.
	presencesAtOnce = 100
	presencesEvery  = 100 * time.Millisecond
)

// errands are what a session has to do on the disk, one after the other, while it goes on itself.
type errands struct {
	waiting  []func() func()
	away     bool        // one is being done
	returned chan func() // what is to be done with its outcome
	moreNews *time.Timer // nil unless presences wait to be told
}

// errand does f while the session goes on, and then, in the session, what f returns.
func (s *session) errand(f func() func()) *failure {
	if len(s.waiting) >= errandsAtOnce {
		return rateLimited(time.Second)
	}
	s.waiting = append(s.waiting, f)
	s.nextErrand()
	return nil
}

func (s *session) nextErrand() {
	if s.away || len(s.waiting) == 0 {
		return
	}
	f := s.waiting[0]
	s.waiting = s.waiting[1:]
	s.away = true
	s.work.Go(func() { s.returned <- f() })
}

func (s *session) handleReturned(done func()) {
	s.away = false
	done()
	s.nextErrand()
}

// finishErrands does what is left when the session is over: who blocks somebody and goes has blocked.
func (s *session) finishErrands() {
	for _, f := range s.waiting {
		f()
	}
	s.waiting = nil
}

// reply answers a message that an errand was for.
func (s *session) reply(id string, fail *failure) {
	if fail != nil {
		s.srv.stats.refused.Add(1)
		s.fail(id, fail)
		return
	}
	s.ok(id)
}

func (s *session) handleFriendRequest(id string, m *friendRequestMsg, now time.Time) *failure {
	if fail := s.srv.asks.take(s.user.ID, now); fail != nil {
		return fail
	}
	other, srv, me := s.partnerIn(m.Call), s.srv, s.user.ID
	return s.errand(func() func() {
		to, fail := srv.find(me, other, &m.personMsg, now)
		if fail == nil {
			_, fail = srv.ask(me, to, now)
		}
		return func() { s.reply(id, fail) }
	})
}

// find is whom a message means, if the session does not know it already.
func (s *Server) find(me, known store.UserID, m *personMsg, now time.Time) (store.UserID, *failure) {
	if known != "" {
		return known, nil
	}
	return s.acquaintance(me, &personBody{Call: m.Call, User: m.User}, now)
}

// handleBlock ends a call with that person before anything else.
func (s *session) handleBlock(id string, m *blockMsg, now time.Time) *failure {
	if fail := s.srv.shuns.take(s.user.ID, now); fail != nil {
		return fail
	}
	if len(s.waiting) >= errandsAtOnce {
		return rateLimited(time.Second)
	}
	known, srv, me := s.partnerIn(m.Call), s.srv, s.user.ID
	if s.room != nil && m.User != "" && s.room.Partner().User == store.UserID(m.User) && srv.lobby.friends(me, store.UserID(m.User)) {
		known = s.room.Partner().User
	}
	if known != "" {
		srv.lobby.keepApart(me, known)
		s.endApart(known)
	}
	return s.errand(func() func() {
		whom, fail := srv.find(me, known, &m.personMsg, now)
		if fail == nil {
			fail = srv.block(me, whom, store.RoomID(m.Call), now)
		}
		if known != "" {
			srv.lobby.settle(me, known)
		}
		return func() { s.reply(id, fail) }
	})
}

// endApart ends what the session has with somebody whom it must not meet.
func (s *session) endApart(other store.UserID) {
	if s.room != nil && s.room.Partner().User == other {
		s.leaveMedia()
		s.room.Leave(endBlocked)
		s.closeCall("", false)
	}
	if s.member.User == other {
		s.takeBackUndo(time.Now())
		s.undo = undo{}
	}
}

// handleApart is a block that was made elsewhere.
func (s *session) handleApart(a *apart) {
	s.endApart(a.other)
	if !a.mine || s.found == nil {
		return
	}
	// The wait goes on at the same place, without the other.
	if !s.metMeanwhile() {
		s.resumeFind()
	}
}

// tellLobby notes what has changed about the session for friends and for the person's other devices.
func (s *session) tellLobby() {
	n := noted{here: s.conn != nil, talking: s.phase == phaseCall, seated: s.phase != phaseIdle || s.found != nil || s.dial != nil}
	if n != s.noted && !s.over {
		s.noted = n
		s.srv.lobby.note(s, n)
	}
}

// wake says that the lobby has news. Any goroutine may call it.
func (s *session) wake() {
	select {
	case s.woken <- struct{}{}:
	default: // it has not looked since the last time
	}
}

// handleNews takes what the lobby has. A client that is away gets a snapshot instead, and asks for its friends anew.
func (s *session) handleNews() {
	limit := presencesAtOnce
	if s.moreNews != nil {
		limit = 0 // the client is still reading the last ones
	}
	list, presences, more := s.srv.lobby.collect(s, limit)
	for _, n := range list {
		s.handleOne(n)
	}
	for i := range presences {
		presences[i].Type = "friend.presence"
		s.send(&presences[i])
	}
	if more && s.moreNews == nil {
		s.moreNews = time.NewTimer(presencesEvery)
	}
}

func (s *session) handleOne(n news) {
	switch {
	case n.dial != nil:
		s.connect(n.dial)
	case n.vacate:
		s.vacate()
	case n.apart != nil:
		s.handleApart(n.apart)
	case n.msg != nil:
		if m, ok := n.msg.(interface{ about() *friendNews }); ok {
			s.nameCall(m.about())
		}
		s.send(n.msg)
		if m, ok := n.msg.(*friendRemovedOut); ok {
			s.stopDialingTo(store.UserID(m.User.ID))
		}
	}
}

// about lets a session say in which call the other is with it.
func (n *friendNews) about() *friendNews { return n }

func (s *session) nameCall(n *friendNews) {
	if s.room != nil && string(s.room.Partner().User) == n.User.ID {
		n.Call = s.callID()
	}
}

func (s *session) stopTimers() {
	if s.moreNews != nil {
		s.moreNews.Stop()
	}
	s.stopDialing()
}
