package signaling_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"smalltalk/matchmaker"
	"smalltalk/signaling"
	"smalltalk/store"
)

// TestTokenEndsMeanwhile: a session that goes on ends soon after its token, whatever has ended that, and until then it is what keeps the token.
func TestTokenEndsMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true, config: loose})
		id := store.NewUserID()
		if err := e.db.CreateUser(store.User{ID: id, Name: "anna", Created: time.Now()}); err != nil {
			t.Fatal(err)
		}
		come := func(spec store.TokenSpec) *client {
			t.Helper()
			token, err := e.db.CreateToken(id, time.Now(), spec)
			if err != nil {
				t.Fatal(err)
			}
			c := e.dial("anna")
			c.token = token
			c.hello(nil)
			return c
		}
		over := come(store.TokenSpec{TTL: 90 * time.Minute})
		gone := come(store.TokenSpec{TTL: 30 * 24 * time.Hour})
		used := come(store.TokenSpec{TTL: 30 * 24 * time.Hour, Idle: 3 * time.Hour})
		if err := e.db.DeleteToken(gone.token); err != nil { // as one more log-in than there may be does
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		gone.wantError("unauthorized")
		gone.wantClosed(4401)
		time.Sleep(time.Hour)
		over.wantError("unauthorized")
		over.wantClosed(4401)
		time.Sleep(10 * time.Hour)
		used.send(message{"type": "ping", "t": 1})
		used.want("pong")
		if _, err := e.db.UserByToken(used.token, time.Now()); err != nil {
			t.Errorf("the token of who was here all the time: %v", err)
		}
	})
}

// stuckMatcher lets nobody out of the line until hold is closed.
type stuckMatcher struct {
	signaling.Matcher
	hold chan struct{}
}

// Find implements signaling.Matcher.
func (m stuckMatcher) Find(ctx context.Context, t matchmaker.Ticket) (*matchmaker.Room, error) {
	room, err := m.Matcher.Find(ctx, t)
	<-m.hold
	return room, err
}

// TestDeletedWhileComing: who comes in while the person is being deleted is not left behind.
func TestDeletedWhileComing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		e := start(t, options{pipes: true, config: func(c *signaling.Config) { loose(c); c.Matcher = stuckMatcher{c.Matcher, hold} }})
		a := e.account("a")
		a.find("any")
		a.want("queue.state")
		synctest.Wait()
		var deleting sync.WaitGroup
		deleting.Go(func() {
			if err := e.srv.DeleteUser(t.Context(), store.UserID(a.id())); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait() // until it waits for the session
		b := e.device(a.id(), "a")
		close(hold)
		deleting.Wait()
		b.wantError("unauthorized")
		b.wantClosed(4401)
		a.wantError("unauthorized")
		synctest.Wait()
		if s := e.srv.Stats(); s.Sessions != 0 {
			t.Errorf("%+v", s)
		}
	})
}
