package matchmaker

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"smalltalk/store"
)

// syncBuffer is a log that may be read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) count(what string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Count(s.b.String(), what)
}

func TestFailingDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log syncBuffer
		d := &disk{db: openDB(t)}
		m := openOn(t, d, Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		stays, _ := meet(t, m, ticket("a", "x"), ticket("b", "x"))
		goes, _ := meet(t, m, ticket("c", "x"), ticket("d", "x"))
		sleep(writeGap)
		d.broken.Store(true)
		goes.Leave("next")
		comes, _ := meet(t, m, ticket("e", "x"), ticket("f", "x"))
		brief, _ := meet(t, m, ticket("g", "x"), ticket("h", "x"))
		brief.Leave("next")
		sleep(30 * time.Second)
		s := m.Stats()
		if s.WriteErrors < 5 || s.WriteErrors > 20 || !errors.Is(s.LastWriteError, errDisk) || s.Unwritten < 2 {
			t.Errorf("after 30 s: %+v", s)
		}
		if n := log.count("level=ERROR"); n != 1 {
			t.Errorf("%d errors in the log in 30 s", n)
		}
		sleep(10 * time.Minute)
		if n := log.count("level=ERROR"); n < 5 || n > 11 {
			t.Errorf("%d errors in the log in ten minutes", n)
		}
		if got := onDisk(t, d.db); len(got) != 2 {
			t.Errorf("on the broken disk: %v", got)
		}
		d.broken.Store(false)
		sleep(retryMax)
		s = m.Stats()
		if s.LastWriteError != nil || s.Unwritten != 0 {
			t.Errorf("repaired: %+v", s)
		}
		if log.count("level=INFO") != 1 {
			t.Error("no word that all is well again")
		}
		got := onDisk(t, d.db)
		if len(got) != 2 || m.Stats().Rooms != 2 {
			t.Fatalf("on disk: %v", got)
		}
		for _, id := range got {
			if id != stays.ID() && id != comes.ID() {
				t.Errorf("%s is on disk", id)
			}
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A write that fails at the end may have been done all the same.
func TestWriteThatFailedAndWasDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := openDB(t)
		liar := func(c store.Changes) error { return errors.Join(db.Write(c), errDisk) }
		d := &disk{db: db}
		m, err := newMatcher(Config{DB: db}, func(c store.Changes) error {
			if d.broken.Load() {
				return liar(c)
			}
			return d.write(c)
		})
		if err != nil {
			t.Fatal(err)
		}
		d.broken.Store(true)
		r, _ := meet(t, m, ticket("a", "x"), ticket("b", "x"))
		synctest.Wait()
		d.broken.Store(false)
		r.Leave("next")
		sleep(retryMax)
		if got := onDisk(t, db); len(got) != 0 {
			t.Errorf("on disk: %v", got)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
}

// While a write is under way, what begins and ends never reaches the disk, and the rest goes together.
func TestCoalescing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{db: openDB(t)}
		turn := make(chan struct{}, 1)
		m, err := newMatcher(Config{DB: d.db}, func(c store.Changes) error {
			turn <- struct{}{}
			defer func() { <-turn }()
			return d.write(c)
		})
		if err != nil {
			t.Fatal(err)
		}
		first, _ := meet(t, m, ticket("a", "x"), ticket("b", "x"))
		sleep(writeGap)
		before := m.Stats()
		turn <- struct{}{}
		z := find(t, m, ticket("z", "z")) // its write hangs
		for range 50 {
			r, _ := meet(t, m, ticket("c", "y"), ticket("d", "y"))
			r.Leave("next")
			sleep(recentKept) // so that they may meet again at once
		}
		last, _ := meet(t, m, ticket("c", "y"), ticket("d", "y"))
		stays := find(t, m, ticket("s", "s"))
		find(t, m, ticket("e", "e")).stop()
		if s := m.Stats(); s.Matches != 52 || s.Writes != before.Writes || s.Rooms != 2 {
			t.Errorf("the disk held up the match: %+v", s)
		}
		first.Leave("next")
		z.stop()
		<-turn
		sleep(2 * writeGap)
		if got := onDisk(t, d.db); len(got) != 1 || got[0] != last.ID() {
			t.Errorf("on disk: %v", got)
		}
		if got := placesOnDisk(t, d.db); len(got) != 1 || got[0] != stays.ticket.Session {
			t.Errorf("in line on disk: %v", got)
		}
		s := m.Stats()
		if s.Writes != before.Writes+2 || s.Written-before.Written != 1+4 || d.put.Load() != 2 || d.deleted.Load() != 1 {
			t.Errorf("%d writes of %d changes, %d rooms put, %d deleted", s.Writes-before.Writes, s.Written-before.Written, d.put.Load(), d.deleted.Load())
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{db: openDB(t)}
		m := openOn(t, d, Config{})
		again(t, m, 0) // so that the clock has something to wait for
		waits := find(t, m, ticket("w", "other"))
		ra, rb := meet(t, m, ticket("c", "y"), ticket("d", "y"))
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if err := m.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got := waits.partner(); got != ErrClosed.Error() {
			t.Errorf("who waits gets %q", got)
		}
		if ended(ra) {
			t.Error("the room has ended")
		}
		if _, err := m.Find(t.Context(), ticket("e", "y")); !errors.Is(err, ErrClosed) {
			t.Errorf("find: %v", err)
		}
		if _, err := m.Resume(t.Context(), "s-c"); !errors.Is(err, ErrClosed) {
			t.Errorf("resume: %v", err)
		}
		ra.Leave("restart")
		if !ended(rb) || rb.Reason() != "restart" {
			t.Error("the room cannot be left any more")
		}
		sleep(time.Hour)
		if got := onDisk(t, d.db); len(got) != 1 || got[0] != ra.ID() {
			t.Errorf("on disk: %v, want %s", got, ra.ID())
		}
		next := open(t, Config{DB: d.db})
		if r := resume(t, next, "s-d"); r.ID() != ra.ID() {
			t.Errorf("resumed %s", r.ID())
		}
	})
}

// What was not written when Close began is written by it, even if somebody leaves in between.
func TestCloseWritesTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{db: openDB(t)}
		m := openOn(t, d, Config{})
		d.broken.Store(true)
		ra, _ := meet(t, m, ticket("a", "x"), ticket("b", "x"))
		rc, _ := meet(t, m, ticket("c", "x"), ticket("d", "x"))
		sleep(10 * time.Second)
		rc.Leave("next")
		m.mu.Lock()
		m.closed = true // the moment in which Close has begun
		m.mu.Unlock()
		ra.Leave("restart")
		d.broken.Store(false)
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		if got := onDisk(t, d.db); len(got) != 1 || got[0] != ra.ID() {
			t.Errorf("on disk: %v, want %s", got, ra.ID())
		}
	})
}

func TestCloseOnBrokenDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{db: openDB(t)}
		m := openOn(t, d, Config{})
		meet(t, m, ticket("a", "x"), ticket("b", "x"))
		synctest.Wait()
		d.broken.Store(true)
		meet(t, m, ticket("c", "x"), ticket("d", "x"))
		for range 2 {
			if err := m.Close(); !errors.Is(err, errDisk) {
				t.Errorf("close: %v", err)
			}
		}
	})
}

// A match out of the line is one transaction: after a crash either both wait or both talk.
func TestMatchIsOneTransaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := openDB(t)
		var mu sync.Mutex // guards all
		var all []store.Changes
		m, err := newMatcher(Config{DB: db}, func(c store.Changes) error {
			mu.Lock()
			all = append(all, c)
			mu.Unlock()
			return db.Write(c)
		})
		if err != nil {
			t.Fatal(err)
		}
		a, b := ticket("a", "x"), ticket("b", "y")
		a.WidenAfter, b.WidenAfter = time.Minute, time.Minute
		find(t, m, a)
		fb := find(t, m, b)
		sleep(time.Second)
		if got := placesOnDisk(t, db); len(got) != 2 {
			t.Fatalf("in line on disk: %v", got)
		}
		mu.Lock()
		before := len(all)
		mu.Unlock()
		sleep(time.Minute)
		if got := fb.partner(); got != "a" {
			t.Fatalf("b meets %q", got)
		}
		mu.Lock()
		writes := all[before:]
		mu.Unlock()
		if len(writes) != 1 {
			t.Fatalf("%d writes for a match: %+v", len(writes), writes)
		}
		if c := writes[0]; len(c.PutRooms) != 1 || len(c.DeleteTickets) != 2 || c.Len() != 3 {
			t.Errorf("written: %+v", c)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
}
