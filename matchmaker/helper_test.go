package matchmaker

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"smalltalk/store"
)

func openDB(t testing.TB) *store.DB {
	t.Helper()
	db, err := store.Open(filepath.Join(t.TempDir(), "rooms.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Check(); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// open makes a matcher that is closed at the end of the test.
func open(t testing.TB, cfg Config) *Matcher {
	t.Helper()
	if cfg.DB == nil {
		cfg.DB = openDB(t)
	}
	m, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// errDisk is what a disk says that a test made fail.
var errDisk = errors.New("disk on fire")

// disk is a way to write that can be made to fail. After a failure it may have written all the same, as a real one.
type disk struct {
	db      *store.DB
	broken  atomic.Bool
	put     atomic.Int64 // rooms that were to be written
	deleted atomic.Int64
}

func (d *disk) write(c store.Changes) error {
	if d.broken.Load() {
		return errDisk
	}
	d.put.Add(int64(len(c.PutRooms)))
	d.deleted.Add(int64(len(c.DeleteRooms)))
	return d.db.Write(c)
}

// openOn is open on a disk that can fail; the test closes the matcher.
func openOn(t testing.TB, d *disk, cfg Config) *Matcher {
	t.Helper()
	cfg.DB = d.db
	m, err := newMatcher(cfg, d.write)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// crash ends a matcher as kill -9 does: what is not on the disk by now never will be.
func crash(t testing.TB, m *Matcher, d *disk) {
	t.Helper()
	d.broken.Store(true)
	if err := m.Close(); err != nil && !errors.Is(err, errDisk) {
		t.Error(err)
	}
	d.broken.Store(false)
}

// ticket is one of the person name: "any" or topics, then languages after a slash.
func ticket(name, wants string) Ticket {
	t := Ticket{Session: store.SessionID("s-" + name), User: store.UserID("u-" + name)}
	topics, langs, _ := strings.Cut(wants, "/")
	if topics != "any" {
		for _, topic := range strings.Fields(topics) {
			t.Topics = append(t.Topics, store.Category(topic))
		}
	}
	t.Langs = strings.Fields(langs)
	return t
}

// finding is a Find under way.
type finding struct {
	ticket Ticket
	cancel context.CancelFunc
	done   chan struct{}
	room   *Room
	err    error
}

func find(t testing.TB, m *Matcher, tk Ticket) *finding {
	ctx, cancel := context.WithCancel(t.Context())
	f := &finding{ticket: tk, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(f.done)
		f.room, f.err = m.Find(ctx, tk)
		if (f.room == nil) == (f.err == nil) {
			t.Errorf("%s: room %v and error %v", tk.Session, f.room, f.err)
		}
	}()
	return f
}

// stop leaves the line and waits for that. In a bubble only.
func (f *finding) stop() {
	f.cancel()
	<-f.done
}

// partner returns who the person talks to, "" while waiting, or the error. In a bubble only.
func (f *finding) partner() string {
	synctest.Wait()
	select {
	case <-f.done:
	default:
		return ""
	}
	if f.err != nil {
		return f.err.Error()
	}
	return strings.TrimPrefix(string(f.room.Partner().Session), "s-")
}

// meet lets two people find each other. In a bubble only.
func meet(t testing.TB, m *Matcher, a, b Ticket) (*Room, *Room) {
	t.Helper()
	fa := find(t, m, a)
	synctest.Wait()
	fb := find(t, m, b)
	synctest.Wait()
	if fa.room == nil || fb.room == nil || fa.room.ID() != fb.room.ID() {
		t.Fatalf("%s and %s have not met: %v, %v", a.Session, b.Session, fa.err, fb.err)
	}
	return fa.room, fb.room
}

func ended(r *Room) bool {
	select {
	case <-r.Done():
		return true
	default:
		return false
	}
}

// onDisk returns the IDs of the rooms in the store, sorted.
func onDisk(t testing.TB, db *store.DB) []store.RoomID {
	t.Helper()
	rooms, err := db.Rooms()
	if err != nil {
		t.Fatal(err)
	}
	var ids []store.RoomID
	for _, r := range rooms {
		ids = append(ids, r.ID)
	}
	slices.Sort(ids)
	return ids
}

// placesOnDisk returns the sessions whose tickets are in the store, sorted.
func placesOnDisk(t testing.TB, db *store.DB) []store.SessionID {
	t.Helper()
	tickets, err := db.Tickets()
	if err != nil {
		t.Fatal(err)
	}
	var ids []store.SessionID
	for _, tk := range tickets {
		ids = append(ids, tk.Session)
	}
	return ids
}

// sleep lets time pass in a bubble, and everything come to rest.
func sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
