package signaling

import (
	"errors"
	"sync"
	"time"

	"smalltalk/matchmaker"
	"smalltalk/store"
)

// keptAtOnce is how many meetings and missed calls may wait for the disk. More than that a disk that hangs costs.
const keptAtOnce = 10_000

// keeper writes what nobody waits for: who has met whom, and missed calls. The zero value is ready.
type keeper struct {
	mu       sync.Mutex // guards what follows
	meetings []store.Meeting
	missed   []missedCall
	writing  bool
	lost     remind // what did not get to the disk
}

// missedCall is a friend's ring that nobody has answered.
type missedCall struct {
	callee, caller store.UserID
	at             time.Time
}

// keepMeeting notes the two of a room as last partners of each other.
func (s *Server) keepMeeting(room *matchmaker.Room) {
	m := store.Meeting{Call: room.ID(), Users: [2]store.UserID{room.Self().User, room.Partner().User}, At: room.Created()}
	s.keepWith(func(k *keeper) bool {
		if len(k.meetings) >= keptAtOnce {
			return false
		}
		k.meetings = append(k.meetings, m)
		return true
	})
}

func (s *Server) keepMissed(m missedCall) {
	s.keepWith(func(k *keeper) bool {
		if len(k.missed) >= keptAtOnce {
			return false
		}
		k.missed = append(k.missed, m)
		return true
	})
}

// keepWith adds something and has it written. Who calls it is somebody that Shutdown waits for.
func (s *Server) keepWith(add func(*keeper) bool) {
	k := &s.keeper
	k.mu.Lock()
	added := add(k)
	begin := added && !k.writing
	if begin {
		k.writing = true
	}
	k.mu.Unlock()
	if !added && k.lost.due(time.Now()) {
		s.log.Error("the disk is too slow for the last partners and missed calls (said once a minute at most)")
	}
	if begin {
		s.work.Go(s.writeKept)
	}
}

// writeKept writes until there is nothing more; what gathers meanwhile goes together.
func (s *Server) writeKept() {
	k := &s.keeper
	for {
		k.mu.Lock()
		meetings, missed := k.meetings, k.missed
		k.meetings, k.missed = nil, nil
		if len(meetings)+len(missed) == 0 {
			k.writing = false
			k.mu.Unlock()
			return
		}
		k.mu.Unlock()
		s.writeMeetings(meetings)
		for _, m := range missed {
			err := s.cfg.DB.AddMissed(m.callee, m.caller, m.at)
			if err != nil && !errors.Is(err, store.ErrNotFound) { // friends no more
				s.lostKept(err)
			}
		}
	}
}

// writeMeetings leaves out those of two of whom one has blocked the other by now.
func (s *Server) writeMeetings(list []store.Meeting) {
	var apart []store.Meeting
	for _, m := range list {
		if s.lobby.mayMeet(m.Users[0], m.Users[1]) {
			apart = append(apart, m)
		}
	}
	if len(apart) == 0 {
		return
	}
	if err := s.cfg.DB.Met(apart...); err != nil {
		s.lostKept(err)
	}
}

func (s *Server) lostKept(err error) {
	if s.keeper.lost.due(time.Now()) {
		s.log.Error("keep last partners and missed calls (said once a minute at most)", "err", err)
	}
}
