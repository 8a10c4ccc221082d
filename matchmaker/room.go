package matchmaker

import (
	"slices"
	"time"

	"smalltalk/store"
)

// Room is one member's view of a call between two people. Its methods may be called by any number of goroutines.
type Room struct {
	call *call
	self int // index in call.record.Members
}

// ID returns the room's ID, the same for both members.
func (r *Room) ID() store.RoomID { return r.call.record.ID }

// Self returns the member who got this Room.
func (r *Room) Self() store.Member { return r.call.record.Members[r.self] }

// Partner returns the other member.
func (r *Room) Partner() store.Member { return r.call.record.Members[1-r.self] }

// Topics returns what both had picked, sorted: all of one's topics if the other takes any, nothing if both take any.
func (r *Room) Topics() []store.Category { return slices.Clone(r.call.record.Topics) }

// Langs returns the languages that both named, sorted. It is empty if one of them named none.
func (r *Room) Langs() []string { return slices.Clone(r.call.record.Langs) }

// Created returns when the two were matched.
func (r *Room) Created() time.Time { return r.call.record.Created }

// Record returns what the store keeps of the room, the same for both members. It is a copy.
func (r *Room) Record() store.Room {
	record := r.call.record
	record.Topics, record.Langs = r.Topics(), r.Langs()
	return record
}

// Done returns a channel that is closed when the room has ended, by whichever of the two or by the matcher. Closing the matcher
// ends no room.
func (r *Room) Done() <-chan struct{} { return r.call.done }

// Leave ends the room for both. Only the first call of either member does something, and its reason counts. Who leaves for the reason
// "next" or "left" more than 20 times in a minute will wait a second longer for each further time, up to 30 s. After the
// matcher is closed it ends the room for this process only: the store keeps it, and a restarted server resumes it.
func (r *Room) Leave(reason string) {
	m := r.call.m
	m.mu.Lock()
	defer m.release()
	if !r.call.ended {
		m.end(r.call, reason, r.Self().Session)
		skipper := store.UserID("")
		if reason == reasonNext || reason == reasonLeft {
			skipper = r.Self().User
		}
		m.line.parted(m.advance(), r.Self().User, r.Partner().User, skipper)
	}
}

// Reason returns why the room has ended: what was given to Leave, "left" if after a restart of the server somebody looked for another partner,
// or "lost" if after a restart of the server somebody did not come back in time. It is empty until Done is closed.
func (r *Room) Reason() string {
	select {
	case <-r.call.done:
		return r.call.reason
	default:
		return ""
	}
}

// EndedBy returns the session that left or did not come back; it is empty if neither came back, and until Done is closed.
func (r *Room) EndedBy() store.SessionID {
	select {
	case <-r.call.done:
		return r.call.endedBy
	default:
		return ""
	}
}
