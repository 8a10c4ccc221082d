package matchmaker

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"smalltalk/store"
)

// restarted has a and b, and c and d, in rooms, kills the matcher and starts another one on the same disk.
func restarted(t *testing.T, cfg Config) (m *Matcher, db *store.DB, ab, cd store.RoomID) {
	t.Helper()
	d := &disk{db: openDB(t)}
	old := openOn(t, d, cfg)
	ra, _ := meet(t, old, ticket("a", "x y/de"), ticket("b", "x y/de"))
	rc, _ := meet(t, old, ticket("c", "any"), ticket("d", "any"))
	sleep(writeGap)
	crash(t, old, d)
	cfg.DB = d.db
	return open(t, cfg), d.db, ra.ID(), rc.ID()
}

func resume(t *testing.T, m *Matcher, session store.SessionID) *Room {
	t.Helper()
	r, err := m.Resume(t.Context(), session)
	if err != nil {
		t.Fatalf("resume %s: %v", session, err)
	}
	return r
}

func TestResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, db, ab, cd := restarted(t, Config{Node: "n"})
		a, b := resume(t, m, "s-a"), resume(t, m, "s-b")
		if a.ID() != ab || b.ID() != ab || a.Self() != b.Partner() || a.Partner() != b.Self() || a.Self().User != "u-a" {
			t.Errorf("a: %s %v with %v, b: %s %v with %v", a.ID(), a.Self(), a.Partner(), b.ID(), b.Self(), b.Partner())
		}
		if len(a.Topics()) != 2 || len(b.Langs()) != 1 {
			t.Errorf("topics %v, languages %v", a.Topics(), b.Langs())
		}
		if resume(t, m, "s-a") != a {
			t.Error("another room the second time")
		}
		c := resume(t, m, "s-c") // d does not come
		sleep(30*time.Second - 1)
		if ended(a) || ended(c) {
			t.Errorf("too soon: a's ended %v, c's ended %v", ended(a), ended(c))
		}
		sleep(1)
		if ended(a) || !ended(c) || c.Reason() != "lost" || c.EndedBy() != "s-d" {
			t.Errorf("a's ended %v, c's ended %v, %q by %q", ended(a), ended(c), c.Reason(), c.EndedBy())
		}
		if _, err := m.Resume(t.Context(), "s-d"); !errors.Is(err, ErrNoRoom) {
			t.Errorf("d comes too late: %v", err)
		}
		if got := onDisk(t, db); len(got) != 1 || got[0] != ab {
			t.Errorf("on disk %v, want %s but not %s", got, ab, cd)
		}
		b.Leave("next")
		<-a.Done()
		if got := find(t, m, ticket("a", "x")).partner(); got != "" {
			t.Errorf("a goes on: %q", got)
		}
		if got := find(t, m, ticket("b", "x")).partner(); got != "" {
			t.Errorf("b meets %q again at once", got)
		}
	})
}

func TestNobodyResumes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, db, _, _ := restarted(t, Config{Grace: time.Second})
		sleep(time.Second)
		if got := onDisk(t, db); len(got) != 0 {
			t.Errorf("on disk %v", got)
		}
		if s := m.Stats(); s.Rooms != 0 || len(m.bySess)+len(m.byUser)+len(m.talking)+len(m.restored) != 0 {
			t.Errorf("left behind: %+v", s)
		}
	})
}

// A page that was loaded anew after the restart has another session and knows nothing of the room.
func TestFindInsteadOfResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, db, _, cd := restarted(t, Config{})
		b := resume(t, m, "s-b")
		fresh := ticket("a", "x")
		fresh.Session = "s-fresh"
		f := find(t, m, fresh)
		if got := f.partner(); got != "" {
			t.Errorf("a meets %q", got)
		}
		if !ended(b) || b.Reason() != "left" || b.EndedBy() != "s-a" {
			t.Errorf("b's ended %v, %q by %q", ended(b), b.Reason(), b.EndedBy())
		}
		if _, err := m.Resume(t.Context(), "s-a"); !errors.Is(err, ErrNoRoom) {
			t.Errorf("a's old session: %v", err)
		}
		if got := find(t, m, ticket("b", "x")).partner(); got != "" {
			t.Errorf("b meets %q again at once", got)
		}
		// The old session may give up as well; whoever waits is there to be met.
		if got := find(t, m, ticket("c", "x")).partner(); got != "fresh" {
			t.Errorf("c meets %q", got)
		}
		sleep(writeGap)
		for _, id := range onDisk(t, db) {
			if id == cd {
				t.Error("c's old room is on disk")
			}
		}
	})
}

func TestFindAfterResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _, _, _ := restarted(t, Config{})
		a := resume(t, m, "s-a")
		fresh := ticket("a", "x")
		fresh.Session = "s-fresh"
		for _, tk := range []Ticket{ticket("a", "x"), fresh} {
			if _, err := m.Find(t.Context(), tk); !errors.Is(err, ErrInRoom) {
				t.Errorf("%s: %v", tk.Session, err)
			}
		}
		if ended(a) {
			t.Error("the room has ended")
		}
	})
}

func TestResumeWithoutRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := open(t, Config{Grace: time.Second})
		sleep(time.Minute)
		a, b := meet(t, m, ticket("a", "x"), ticket("b", "x"))
		if resume(t, m, "s-a") != a || resume(t, m, "s-b") != b {
			t.Error("another room")
		}
		sleep(time.Hour)
		if ended(a) {
			t.Error("a living room was ended by the clock")
		}
		over, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := m.Resume(over, "s-a"); !errors.Is(err, context.Canceled) {
			t.Errorf("over: %v", err)
		}
		if _, err := m.Resume(t.Context(), "s-nobody"); !errors.Is(err, ErrNoRoom) {
			t.Errorf("nobody: %v", err)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	db := openDB(t)
	for _, cfg := range []Config{{}, {DB: db, RecentAfter: -1}, {DB: db, Grace: -1}} {
		if m, err := New(cfg); err == nil {
			t.Errorf("%+v is taken", cfg)
			m.Close()
		}
	}
	closed, err := store.Open(filepath.Join(t.TempDir(), "closed.db"))
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	if m, err := New(Config{DB: closed}); err == nil {
		t.Error("a closed database is taken")
		m.Close()
	}
}

// A room whose record does not parse stops the start: dropping it in silence would hide that the disk is bad.
func TestNewRefusesDamagedRoom(t *testing.T) {
	db := openDB(t)
	if err := db.PutRoom(store.Room{ID: "r", Members: [2]store.Member{{Session: "s-anna", User: "u1"}, {Session: "s2", User: "u2"}}}); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(db.Path())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "bad.db")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(file), "s-anna", "s-otto")), 0o600); err != nil {
		t.Fatal(err)
	}
	bad, err := store.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer bad.Close()
	if m, err := New(Config{DB: bad}); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("got %v", err)
		if err == nil {
			m.Close()
		}
	}
}

func TestRoomsThatCannotBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := openDB(t)
		who := func(name string) store.Member {
			return store.Member{Session: store.SessionID("s-" + name), User: store.UserID("u-" + name)}
		}
		for id, members := range map[store.RoomID][2]store.Member{
			"1-good":           {who("a"), who("b")},
			"2-user-twice":     {who("c"), {Session: "s-other", User: "u-a"}},
			"3-session-twice":  {who("d"), {Session: "s-b", User: "u-other"}},
			"4-with-himself":   {who("e"), {Session: "s-e2", User: "u-e"}},
			"5-one-session":    {who("f"), {Session: "s-f", User: "u-f2"}},
			"6-nobody":         {who("g"), {}},
			"7-nobody-and-all": {},
		} {
			if err := db.PutRoom(store.Room{ID: id, Members: members}); err != nil {
				t.Fatal(err)
			}
		}
		m := open(t, Config{DB: db})
		synctest.Wait()
		if got := onDisk(t, db); len(got) != 1 || got[0] != "1-good" || m.Stats().Rooms != 1 {
			t.Errorf("on disk %v, %+v", got, m.Stats())
		}
	})
}
