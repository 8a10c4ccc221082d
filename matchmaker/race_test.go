package matchmaker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"smalltalk/store"
)

// lateContext is cancelled without waking anybody, as one is that is cancelled when the match has already woken Find.
type lateContext struct {
	context.Context
	over atomic.Bool
}

func (*lateContext) Done() <-chan struct{} { return nil }

func (c *lateContext) Err() error {
	if c.over.Load() {
		return context.Canceled
	}
	return nil
}

func TestCancelAfterTheMatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := open(t, Config{})
		ctx := &lateContext{Context: t.Context()}
		done := make(chan *Room)
		go func() {
			room, err := m.Find(ctx, ticket("a", "x"))
			if err != nil {
				t.Error(err)
			}
			done <- room
		}()
		synctest.Wait()
		ctx.over.Store(true)
		b := find(t, m, ticket("b", "x"))
		if got := b.partner(); got != "a" {
			t.Fatalf("b met %q", got)
		}
		room := <-done
		if room == nil || room.ID() != b.room.ID() || ended(b.room) {
			t.Fatalf("a has room %v; b's has ended: %v", room, ended(b.room))
		}
	})
}

// A Find that is cancelled at the moment of its match has the room, and leaves neither half a room nor a ghost in line.
func TestCancelAtTheMomentOfTheMatch(t *testing.T) {
	const people, rounds = 200, 100
	db := openDB(t)
	m := open(t, Config{DB: db})
	var met, cancelled, inTheMoment atomic.Int64
	var wg sync.WaitGroup
	for i := range people {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 1))
			for round := range rounds {
				// New names each time, so that nobody has met before and only cancelling can part people.
				name := store.SessionID(fmt.Sprint(i, "-", round))
				ctx, cancel := context.WithCancel(context.Background())
				spin := rng.IntN(30)
				wg.Go(func() {
					for range spin {
						runtime.Gosched()
					}
					cancel()
				})
				room, err := m.Find(ctx, Ticket{Session: name, User: store.UserID(name)})
				late := ctx.Err() != nil
				switch {
				case (room == nil) == (err == nil):
					t.Errorf("%s: room %v and error %v", name, room, err)
				case errors.Is(err, context.Canceled):
					cancelled.Add(1)
				case err != nil:
					t.Errorf("%s: %v", name, err)
				case room.Self().Session != name || room.Partner().Session == name:
					t.Errorf("%s got the room of %s", name, room.Self().Session)
				default:
					met.Add(1)
					if name < room.Partner().Session {
						room.Leave("next")
					}
					<-room.Done() // as one of the two leaves in any case
					if late {
						inTheMoment.Add(1)
					}
				}
			}
		})
	}
	wg.Wait()
	s := m.Stats()
	t.Logf("%d got a room, %d were cancelled; %d of those were cancelled, too", met.Load(), cancelled.Load(), inTheMoment.Load())
	if s.Waiting != 0 || s.Rooms != 0 || len(m.requests)+len(m.byUser)+m.line.byUser.len+m.line.buckets.used()+len(m.talking) != 0 {
		t.Errorf("left behind: %+v", s)
	}
	if inTheMoment.Load() == 0 {
		t.Error("no cancel fell in the moment of a match")
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	if got := onDisk(t, db); len(got) != 0 {
		t.Errorf("on disk: %v", got)
	}
}

// Who leaves one call after the other is as fickle as who presses Next.
func TestEndlessLeaverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := open(t, Config{})
		for i := range 40 {
			b := find(t, m, ticket(fmt.Sprint("b", i), "x"))
			a := find(t, m, ticket("a", "x"))
			sleep(100 * time.Millisecond)
			if a.partner() == "" {
				a.stop()
				b.stop()
				if i < 20 {
					t.Errorf("made to wait after %d", i)
				}
				return
			}
			a.room.Leave("left")
			<-b.done
		}
		t.Error("never made to wait")
	})
}
