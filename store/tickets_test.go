package store

import (
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

func testTicket() Ticket {
	return Ticket{
		Session: NewSessionID(), User: NewUserID(),
		Topics: []Category{"general", "news"}, Langs: []string{"en"},
		Strict: true, WidenAfter: 10 * time.Second, Widened: 2,
		Since:  time.Date(2026, 11, 22, 10, 0, 0, 123456789, time.UTC),
		Joined: time.Date(2026, 11, 22, 11, 0, 0, 0, time.UTC),
	}
}

func TestTicketsRoundTrip(t *testing.T) {
	db := openTemp(t)
	a, b, c := testTicket(), testTicket(), testTicket()
	c.Topics, c.Langs, c.Strict, c.WidenAfter, c.Widened = nil, nil, false, 0, 0
	if err := db.Write(Changes{PutTickets: []Ticket{a, b, c}, DeleteTickets: []SessionID{"never-there"}}); err != nil {
		t.Fatal(err)
	}
	// The same session again, first without and then with its removal beside it; and a zone that must not change what is read back.
	a.Since = a.Since.Add(time.Hour)
	c.Since, c.Joined = c.Since.In(time.FixedZone("", 3600)), c.Joined.In(time.FixedZone("", 3600))
	err := db.Write(Changes{PutTickets: []Ticket{a, c}, DeleteTickets: []SessionID{b.Session, c.Session}})
	if err != nil {
		t.Fatal(err)
	}
	c.Since, c.Joined = c.Since.UTC(), c.Joined.UTC()
	got, err := db.Tickets()
	if err != nil {
		t.Fatal(err)
	}
	want := []Ticket{a, c}
	if a.Session > c.Session {
		want = []Ticket{c, a}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("tickets:\n got %+v\nwant %+v", got, want)
	}
}

// A match is the end of two tickets and the beginning of a room, all or nothing.
func TestChangesTogether(t *testing.T) {
	db := openTemp(t)
	a, b, r := testTicket(), testTicket(), testRoom()
	if err := db.Write(Changes{PutTickets: []Ticket{a, b}}); err != nil {
		t.Fatal(err)
	}
	bad := Changes{DeleteTickets: []SessionID{a.Session, b.Session}, PutRooms: []Room{r}, PutTickets: []Ticket{{Session: SessionID(strings.Repeat("x", bbolt.MaxKeySize+1))}}}
	if err := db.Write(bad); err == nil {
		t.Fatal("a key that is too long is taken")
	}
	for _, c := range []Changes{{PutRooms: []Room{{}}}, {PutTickets: []Ticket{{}}}} {
		if err := db.Write(c); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
	check := func(rooms, tickets int) {
		t.Helper()
		gotRooms, err1 := db.Rooms()
		gotTickets, err2 := db.Tickets()
		if err := errors.Join(err1, err2); err != nil || len(gotRooms) != rooms || len(gotTickets) != tickets {
			t.Errorf("%d rooms and %d tickets, %v; want %d and %d", len(gotRooms), len(gotTickets), err, rooms, tickets)
		}
	}
	check(0, 2)
	bad.PutTickets = nil
	if bad.Len() != 3 || bad.Empty() || !(Changes{}).Empty() {
		t.Errorf("%d changes", bad.Len())
	}
	if err := db.Write(bad); err != nil {
		t.Error(err)
	}
	check(1, 0)
}

func TestDamagedTickets(t *testing.T) {
	for name, damage := range map[string]func(b *bbolt.Bucket, t Ticket) error{
		"garbage":       func(b *bbolt.Bucket, t Ticket) error { return b.Put([]byte(t.Session), []byte("\x01garbage")) },
		"another's key": func(b *bbolt.Bucket, t Ticket) error { return b.Put([]byte("other"), b.Get([]byte(t.Session))) },
	} {
		db := mustOpen(t, filepath.Join(t.TempDir(), "test.db"))
		defer db.Close() // not sound, by purpose
		ticket := testTicket()
		if err := db.Write(Changes{PutTickets: []Ticket{ticket}}); err != nil {
			t.Fatal(err)
		}
		if err := db.update(func(tx *bbolt.Tx) error { return damage(tx.Bucket(ticketsBucket), ticket) }); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Tickets(); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "ticket \"") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
