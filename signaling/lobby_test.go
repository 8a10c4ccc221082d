package signaling

import (
	"sync"
	"testing"
	"testing/synctest"

	"smalltalk/store"
)

// TestSlowReading: a reading of blocks that was begun for somebody who has gone and come back does not take the place of a later one.
func TestSlowReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var work sync.WaitGroup
		stop := make(chan struct{})
		l := newLobby(stop, func(f func()) { work.Go(f) }, func(missedCall) {})
		defer work.Wait()
		defer close(stop)
		come := func() *session {
			s := &session{user: store.User{ID: "anna"}, woken: make(chan struct{}, 1)}
			s.tell(s.user)
			l.enter(s)
			return s
		}
		read := func() uint64 {
			number, here := l.ask("anna")
			if !here {
				t.Fatal("nobody is here")
			}
			return number
		}
		first := come()
		for range 4 {
			read()
		}
		slow := read()
		l.leave(first)
		synctest.Wait()
		if _, here := l.ask("anna"); here {
			t.Fatal("still here")
		}
		come()
		l.learn("anna", read(), relations{blocks: []store.UserID{"bert"}})
		l.learn("anna", slow, relations{})
		if l.mayMeet("anna", "bert") {
			t.Error("a reading from before the block is taken for the last")
		}
		l.learn("anna", read(), relations{blocks: []store.UserID{"carl"}})
		if l.mayMeet("anna", "carl") || !l.mayMeet("anna", "bert") {
			t.Error("the last reading is not taken")
		}
	})
}
