package signaling

import (
	"time"

	"smalltalk/matchmaker"
	"smalltalk/store"
)

// undoTime is for how long after a call its partner can be asked back.
const undoTime = 10 * time.Second

// undo is the last partner, who can be asked back for a while. It is empty during a call.
type undo struct {
	parted store.RoomID // the call that ended; empty when nobody can be asked back
	member store.Member
	until  time.Time
	asked  bool // this side wants the partner back
	wanted bool // the partner wants this side back
	passed bool // the partner has been told, once, that he is wanted back
}

// mayUndo says if the partner of that call can be asked back.
func (u *undo) mayUndo(call store.RoomID, now time.Time) bool {
	return u.parted == call && call != "" && now.Before(u.until)
}

// left is how much time there still is to ask, in milliseconds.
func (u *undo) left(now time.Time) int64 { return max(u.until.Sub(now).Milliseconds(), 0) }

// asking says if this side waits for the partner to want it back.
func (u *undo) asking(now time.Time) bool { return u.asked && now.Before(u.until) }

// wish adds to a ticket that the partner is wanted back. Who does not wait in line wants nobody else.
func (u *undo) wish(t *matchmaker.Ticket, queued bool, now time.Time) {
	if u.asking(now) {
		t.Partner, t.PartnerUntil, t.Private = u.member.User, u.until, !queued
	}
}

// parts makes the partner of a call that has just ended one who can be asked back, if it ended by somebody's choice.
func (s *session) parts(room *matchmaker.Room, reason string, now time.Time) {
	s.undo = undo{}
	if reason == endNext || reason == endLeft {
		s.undo = undo{parted: room.ID(), member: room.Partner(), until: now.Add(undoTime)}
	}
}

func (s *session) handleUndo(id string, m *callUndoMsg, now time.Time) *failure {
	if s.phase == phaseCall || s.dial != nil || !s.mayUndo(store.RoomID(m.Call), now) {
		return errTooLate
	}
	if fail := take(s.joins, now); fail != nil {
		return fail
	}
	if s.asked {
		s.ok(id)
		return nil
	}
	if s.metMeanwhile() {
		return errTooLate
	}
	s.asked = true
	s.ok(id) // before the match, if the partner has asked already
	if partner := s.srv.hub.session(s.member.Session); !s.passed && partner != nil && partner.user.ID == s.member.User {
		s.passed = partner.receive(mail{undo: s.parted})
	}
	s.resumeFind()
	return nil
}

// takeBackUndo is for who does not want the partner back after all. It says if there was anything to take back.
func (s *session) takeBackUndo(now time.Time) bool {
	was := s.asking(now)
	s.asked = false
	return was
}

// handleUndoMail hears that the partner of that call wants this side back.
func (s *session) handleUndoMail(call store.RoomID, now time.Time) {
	if s.room != nil && s.room.ID() == call {
		s.handleRoomDone() // it has ended, or nobody could ask; we only have not heard of it yet
	}
	if s.phase != phaseCall && s.mayUndo(call, now) {
		s.wanted = true
		s.tellUndo(now)
	}
}

// tellUndo tells the client that it is wanted back, also one that comes back from a lost WebSocket.
func (s *session) tellUndo(now time.Time) {
	if s.wanted && !s.asked && now.Before(s.until) {
		s.send(&callUndoOut{head{Type: "call.undo"}, string(s.parted), s.left(now)})
	}
}
