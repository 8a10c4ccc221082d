package signaling

import (
	"errors"
	"time"

	"smalltalk/matchmaker"
	"smalltalk/store"
)

// redialAfter is how long a device waits for another one of either person to leave the queue or its call.
const redialAfter = 20 * time.Millisecond

// dialing is the friend with whom the session gets together, after an accepted ring.
type dialing struct {
	dial   *dial       // nil when there is none
	redial *time.Timer // when to try again, or to give up
}

// handleRing rings a friend. The session stays where it is.
func (s *session) handleRing(id string, m *ringMsg, now time.Time) *failure {
	callee := store.UserID(m.User)
	if fail := s.srv.rings.take(s.user.ID, now); fail != nil {
		return fail
	}
	if !s.srv.lobby.friends(s.user.ID, callee) {
		return errNotFound
	}
	if s.dial != nil {
		return errRinging
	}
	srv := s.srv
	return s.errand(func() func() {
		to := friend{id: callee, name: srv.nameOfUser(callee)}
		var err error
		to.hides, err = srv.hides(callee)
		return func() {
			if err != nil {
				s.log.Error("look up a friend", "err", err)
				s.reply(id, errInternal)
				return
			}
			s.ring(id, to)
		}
	})
}

func (s *session) ring(id string, to friend) {
	if s.dial != nil { // somebody has accepted a ring of this side meanwhile, or the other way round
		s.reply(id, errRinging)
		return
	}
	now := time.Now()
	came, fail := s.srv.lobby.ring(s, to, now)
	switch {
	case fail != nil:
		s.reply(id, fail)
	case came.dial != nil: // the friend was quicker by a moment
		s.ok(id)
		s.connect(came.dial)
	default:
		s.send(&ringOut{head{Type: "ring", Re: id}, ringInfo{
			Ring: came.ring.id, To: &personRef{string(to.id), to.name}, Expires: came.ring.expires.UnixMilli(),
		}})
		if came.end != "" {
			s.sendRingEnd("", came.ring.id, came.end)
		}
	}
}

func (s *session) sendRingEnd(re, ring, reason string) {
	s.send(&ringEndOut{head{Type: "ring.end", Re: re}, ring, reason})
}

func (s *session) handleRingAccept(id string, m *ringAcceptMsg, now time.Time) *failure {
	d, fail := s.srv.lobby.accept(s, m.Ring, now)
	if fail != nil {
		return fail
	}
	s.ok(id)
	s.connect(d)
	return nil
}

func (s *session) handleRingDecline(id string, m *ringDeclineMsg) *failure {
	if fail := s.srv.lobby.decline(s, m.Ring); fail != nil {
		return fail
	}
	s.sendRingEnd(id, m.Ring, ringDeclined)
	return nil
}

func (s *session) handleRingCancel(id string, m *ringCancelMsg) *failure {
	if fail := s.srv.lobby.cancel(s, m.Ring); fail != nil {
		return fail
	}
	s.sendRingEnd(id, m.Ring, ringCancelled)
	return nil
}

// connect leaves everything for the friend of an accepted ring and looks for nobody else. The friend's side does the same, so
// that the two meet as strangers do, on the connections they have.
func (s *session) connect(d *dial) {
	s.leaveAll()
	now := time.Now()
	if s.ticket.Session == "" { // who presses Next later has never said for whom else
		s.ticket = matchmaker.Ticket{Session: s.id, User: s.user.ID, Since: now}
	}
	s.dial, s.redial = d, time.NewTimer(d.until.Sub(now))
	s.resumeFind()
}

// vacate leaves the queue or the call to another device of the person.
func (s *session) vacate() {
	if s.dial != nil {
		s.sendRingEnd("", s.dial.ring, ringElsewhere)
	}
	s.leaveAll()
}

// leaveAll leaves the queue or the call.
func (s *session) leaveAll() {
	s.leaveLine()
	s.stopDialing()
	if s.room != nil {
		s.leaveMedia()
		s.room.Leave(endLeft)
		s.closeCall("", false)
	}
	s.undo = undo{}
}

func (s *session) dialTicket(now time.Time) matchmaker.Ticket {
	return matchmaker.Ticket{
		Session: s.id, User: s.user.ID, Partner: s.dial.partner, PartnerUntil: s.dial.until, Private: true, Since: now,
	}
}

// handleDialFailed is the end of a look for the friend. One that another device of the person stood in the way of is done again.
func (s *session) handleDialFailed(err error, now time.Time) {
	switch {
	case errors.Is(err, matchmaker.ErrAlreadyWaiting), errors.Is(err, matchmaker.ErrInRoom):
		s.redial.Reset(min(redialAfter, s.dial.until.Sub(now)))
	case errors.Is(err, matchmaker.ErrClosed):
	case errors.Is(err, matchmaker.ErrExpired):
		s.giveUpDialing()
	default:
		s.log.Error("find a friend", "err", err)
		s.giveUpDialing()
	}
}

// handleRedial tries again to get together with the friend, or gives up when the time is over.
func (s *session) handleRedial(now time.Time) {
	if now.Before(s.dial.until) {
		s.resumeFind()
		s.redial.Reset(s.dial.until.Sub(now))
		return
	}
	if room := s.stopFind(); room != nil {
		s.handleMatch(room)
		return
	}
	s.giveUpDialing()
}

// giveUpDialing is for a friend who has accepted, or was accepted, and then did not come.
func (s *session) giveUpDialing() {
	ring := s.dial.ring
	s.stopDialing()
	s.sendRingEnd("", ring, ringOffline)
}

// stopDialingTo is for a friendship that ended just after a ring was accepted.
func (s *session) stopDialingTo(other store.UserID) {
	if s.dial != nil && s.dial.partner == other {
		s.leaveLine()
		s.giveUpDialing()
	}
}

func (s *session) stopDialing() {
	if s.redial != nil {
		s.redial.Stop()
	}
	s.dialing = dialing{}
}
