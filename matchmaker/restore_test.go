package matchmaker

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"smalltalk/store"
)

// lined has people in line for so long, kills the matcher and starts another one on the same disk. Nobody of them must be
// compatible with another.
func lined(t *testing.T, cfg Config, tickets ...Ticket) (*Matcher, *store.DB) {
	t.Helper()
	d := &disk{db: openDB(t)}
	old := openOn(t, d, cfg)
	for _, tk := range tickets {
		if got := find(t, old, tk).partner(); got != "" {
			t.Fatalf("%s meets %s", tk.Session, got)
		}
		sleep(time.Second)
	}
	crash(t, old, d)
	cfg.DB = d.db
	return open(t, cfg), d.db
}

func TestPlaceAfterCrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full := ticket("a", "x y/de")
		full.Strict, full.WidenAfter, full.Widened = true, time.Minute, WidenLangs
		full.Since = time.Now().Add(-time.Hour)
		full.Blocks, full.Partner = []store.UserID{"u-c"}, "u-d"
		m, db := lined(t, Config{}, full, ticket("b", "z"))
		if s := m.Stats(); s.Places != 2 || s.Waiting != 0 {
			t.Errorf("%+v", s)
		}
		got, ok := m.Place("s-a")
		want := full
		want.Blocks, want.Partner = nil, "" // these the client's session knows
		want.Since = want.Since.UTC()
		if !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("place %+v, %v; want %+v", got, ok, want)
		}
		for _, s := range []store.SessionID{"s-a", "s-nobody"} {
			if again, ok := m.Place(s); ok {
				t.Errorf("%s: %+v", s, again)
			}
		}
		sleep(time.Second)
		if got := placesOnDisk(t, db); len(got) != 2 {
			t.Errorf("on disk while nobody is in line: %v", got)
		}
		find(t, m, full)
		find(t, m, ticket("b", "z"))
		sleep(time.Hour)
		if got := placesOnDisk(t, db); len(got) != 2 || m.Waiting() != 2 || m.Stats().Places != 0 {
			t.Errorf("on disk %v, %+v", got, m.Stats())
		}
	})
}

// since is ticket with a place in line.
func since(name, wants string, ago time.Duration) Ticket {
	tk := ticket(name, wants)
	tk.Since = time.Now().Add(-ago)
	return tk
}

// The place is kept for a user who comes back as another session, but only for the same wish and unless Place gave it away.
func TestFindKeepsOldPlace(t *testing.T) {
	for name, c := range map[string]struct {
		change func(tk *Ticket)
		place  bool
		want   string
	}{
		"same session":      {want: "a"},
		"another session":   {change: func(tk *Ticket) { tk.Session = "s-new" }, want: "new"},
		"widened meanwhile": {change: func(tk *Ticket) { tk.Widened, tk.WidenAfter = WidenTopics, 24*time.Hour }, want: "a"},
		"another topic":     {change: func(tk *Ticket) { tk.Topics = []store.Category{"x"} }, want: "c"},
		"another language":  {change: func(tk *Ticket) { tk.Langs = []string{"fr"} }, want: "c"},
		"strict now":        {change: func(tk *Ticket) { tk.Strict = true }, want: "c"},
		"given away":        {place: true, want: "c"},
		"older by itself":   {change: func(tk *Ticket) { tk.Since = time.Now().Add(-2 * time.Hour) }, want: "a"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, db := lined(t, Config{}, since("a", "x y/de", time.Hour))
				tk := ticket("a", "x y/de")
				if c.change != nil {
					c.change(&tk)
				}
				if c.place {
					m.Place("s-a")
				}
				find(t, m, since("c", "x/es", 30*time.Minute)) // shares no language with a, and has waited for half as long
				find(t, m, tk)
				sleep(4 * time.Second)
				if got := placesOnDisk(t, db); len(got) != 2 {
					t.Errorf("on disk %v", got)
				}
				if got := find(t, m, ticket("p", "x")).partner(); got != c.want {
					t.Errorf("who comes meets %q, want %q", got, c.want)
				}
			})
		})
	}
}

// Somebody new comes first, and then the one who has waited less: the one who has waited longest is still the first to be met.
func TestMatchingHolds(t *testing.T) {
	for name, c := range map[string]struct {
		back time.Duration // when the one who has waited longest is back
		at   time.Duration // when the new one meets somebody
		want string
	}{
		"in time":  {back: 2 * time.Second, at: 3 * time.Second, want: "a"},
		"too late": {back: 3500 * time.Millisecond, at: 3 * time.Second, want: "b"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, _ := lined(t, Config{}, since("a", "x/de", time.Hour), since("b", "x/en", time.Minute))
				start := time.Now()
				fresh := find(t, m, ticket("c", "x"))
				sleep(time.Second)
				if got := find(t, m, ticket("b", "x/en")).partner(); got != "" {
					t.Errorf("b meets %q at once", got)
				}
				time.AfterFunc(c.back-time.Since(start), func() { find(t, m, ticket("a", "x/de")) })
				<-fresh.done
				if took := time.Since(start); took != c.at || fresh.partner() != c.want {
					t.Errorf("after %v: %q, want %q after %v", took, fresh.partner(), c.want, c.at)
				}
				sleep(time.Second)
				if got := find(t, m, ticket("e", "y")); got.partner() != "" || find(t, m, ticket("f", "y")).partner() != "e" {
					t.Error("matching is held for ever")
				}
			})
		})
	}
}

// Where nobody waited, nobody waits for them; rooms are no reason.
func TestNoHoldWithoutPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _, _, _ := restarted(t, Config{})
		find(t, m, ticket("e", "y"))
		if got := find(t, m, ticket("f", "y")).partner(); got != "e" {
			t.Errorf("f meets %q", got)
		}
	})
}

func TestPlacesEndWithGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, db := lined(t, Config{}, since("a", "x/de", time.Hour), ticket("b", "y"), ticket("c", "z"))
		f := find(t, m, ticket("b", "y"))
		m.Place("s-c") // back, but not in line: its media takes its time
		sleep(30*time.Second - 1)
		if got := placesOnDisk(t, db); len(got) != 3 {
			t.Errorf("too soon: %v", got)
		}
		sleep(1)
		if got := placesOnDisk(t, db); len(got) != 1 || got[0] != "s-b" || m.Stats().Places != 0 {
			t.Errorf("after the grace: %v, %+v", got, m.Stats())
		}
		if tk, ok := m.Place("s-a"); ok {
			t.Errorf("a comes too late and gets %+v", tk)
		}
		f.stop()
		sleep(writeGap)
		if got := placesOnDisk(t, db); len(got) != 0 {
			t.Errorf("left the line: %v", got)
		}
	})
}

// A match by somebody who never was in line removes the old place in the same transaction.
func TestMatchOfRestoredAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, db := lined(t, Config{Hold: time.Second}, ticket("a", "x"))
		sleep(2 * time.Second)
		find(t, m, ticket("b", "x"))
		sleep(writeGap)
		if got := find(t, m, ticket("a", "x")).partner(); got != "b" {
			t.Fatalf("a meets %q", got)
		}
		sleep(writeGap)
		if rooms, places := onDisk(t, db), placesOnDisk(t, db); len(rooms) != 1 || len(places) != 0 {
			t.Errorf("rooms %v, places %v", rooms, places)
		}
	})
}

// What a stopping server leaves: who was in line stays there, who left it does not, whatever came first.
func TestStopKeepsPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{db: openDB(t)}
		m := openOn(t, d, Config{})
		findUntil := func(tk Ticket, cause error) func() {
			ctx, cancel := context.WithCancelCause(t.Context())
			done := make(chan struct{})
			go func() {
				defer close(done)
				if room, err := m.Find(ctx, tk); room != nil || !errors.Is(err, context.Canceled) {
					t.Errorf("%v, %v", room, err)
				}
			}()
			synctest.Wait()
			return func() { cancel(cause); <-done }
		}
		stops, leaves := findUntil(ticket("a", "x"), ErrClosed), findUntil(ticket("b", "y"), nil)
		find(t, m, ticket("c", "z"))
		private := ticket("d", "friends")
		private.Private, private.Partner = true, "u-x"
		find(t, m, private)
		sleep(time.Second)
		written := placesOnDisk(t, d.db)
		soon := findUntil(ticket("e", "v"), ErrClosed)
		stops()
		leaves()
		soon()
		if m.Waiting() != 2 {
			t.Errorf("%d wait", m.Waiting())
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		if got := placesOnDisk(t, d.db); !reflect.DeepEqual(got, []store.SessionID{"s-a", "s-c", "s-e"}) || len(written) != 3 {
			t.Errorf("on disk %v, before %v", got, written)
		}
	})
}

// A Find that is stopped at the moment of a match has the room, which stays for the next start.
func TestStopKeepsRoomOfTheMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := open(t, Config{})
		m.mu.Lock()
		a := m.enqueue(ticket("a", "x"))
		m.mu.Unlock()
		c := newCall(m, store.Room{ID: "r", Members: [2]store.Member{{Session: "s-a", User: "u-a"}, {Session: "s-b", User: "u-b"}}})
		m.mu.Lock()
		m.enter(c)
		m.dequeue(a)
		a.room = c.sides[0]
		m.mu.Unlock()
		for _, keep := range []bool{true, false} {
			if room := m.abandon(a, keep); room != c.sides[0] || ended(room) {
				t.Errorf("got %v", room)
			}
		}
	})
}

func TestPlacesThatCannotBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log syncBuffer
		db := openDB(t)
		tk := func(session, user string, topics ...store.Category) store.Ticket {
			return store.Ticket{Session: store.SessionID(session), User: store.UserID(user), Topics: topics, Since: time.Now()}
		}
		err := db.Write(store.Changes{
			PutRooms: []store.Room{{ID: "r", Members: [2]store.Member{{Session: "s-a", User: "u-a"}, {Session: "s-b", User: "u-b"}}}},
			PutTickets: []store.Ticket{
				tk("s-a", "u-other", "x"), tk("s-other", "u-b", "x"), // in a room
				tk("s-c", "u-c", "x"), tk("s-d", "u-c", "x"), // the same user
				tk("s-e", ""), tk("s-f", "u-f", "dropped by the operator"), tk("s-g", "u-g", "x"),
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		m := open(t, Config{DB: db, Topics: []store.Category{"x"}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		sleep(writeGap)
		if got := placesOnDisk(t, db); !reflect.DeepEqual(got, []store.SessionID{"s-c", "s-g"}) || m.Stats().Rooms != 1 {
			t.Errorf("on disk %v, %+v", got, m.Stats())
		}
		if errs, warns := log.count("level=ERROR"), log.count("level=WARN"); errs != 3 || warns != 2 {
			t.Errorf("%d errors and %d warnings in the log", errs, warns)
		}
	})
}

// A ticket whose record does not parse stops the start, and says which.
func TestNewRefusesDamagedTicket(t *testing.T) {
	db := openDB(t)
	if err := db.Write(store.Changes{PutTickets: []store.Ticket{{Session: "s1", User: "u-anna"}}}); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(db.Path())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "bad.db")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(file), "u-anna", "u-otto")), 0o600); err != nil {
		t.Fatal(err)
	}
	bad, err := store.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer bad.Close()
	if m, err := New(Config{DB: bad}); !errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), `ticket "s1"`) {
		t.Errorf("got %v", err)
		if err == nil {
			m.Close()
		}
	}
}
