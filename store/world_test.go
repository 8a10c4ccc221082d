package store

import (
	"encoding/json"
	"path/filepath"
	"testing"
	"time"
)

// start is the time at which tests begin.
var start = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// world is a database in which a person has one of everything, and so have others of the person.
type world struct {
	db     *DB
	now    time.Time
	broken bool // by purpose

	person, friend, asker, asked, stranger, blocker User
	guest                                           User
	secret                                          string // of one of the person's tokens
	passkey                                         []byte
	identifying                                     []string // what tells who the person is
}

// spec is that of an account's tokens.
var spec = TokenSpec{TTL: 90 * 24 * time.Hour, Idle: 14 * 24 * time.Hour, Label: "Firefox on Linux"}

func username(name string) Username {
	return Username{Name: name, Folded: "folded-" + name, Skeleton: "skeleton-" + name}
}

func signUp(t *testing.T, db *DB, name string) User {
	t.Helper()
	u, _, err := db.SignUp(SignUp{Username: username(name), Password: "$argon2id$" + name, Token: spec}, start)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// setEmail is SetEmail by somebody who knows the present password.
func setEmail(db *DB, id UserID, email string) (string, error) {
	a, _ := db.Account(id) // who has none is refused by SetEmail
	return db.SetEmail(id, a.Password, email)
}

// unsynced opens a new database that does not wait for the disk, for tests that write a lot.
func unsynced(t *testing.T) *DB {
	t.Helper()
	db := mustOpen(t, filepath.Join(t.TempDir(), "test.db"))
	db.bolt.NoSync = true
	return db
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{db: unsynced(t), now: start}
	t.Cleanup(func() {
		if w.broken {
			w.db.Close()
			return
		}
		closeSound(t, w.db)
	})
	w.fill(t)
	return w
}

func (w *world) fill(t *testing.T) {
	t.Helper()
	db := w.db
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	code, _, err := db.CreateInvite(Invite{Uses: 3, Expires: start.Add(time.Hour), Note: "for the neighbours"}, start)
	must(err)
	w.passkey = []byte("credential of paula")
	w.person, w.secret, err = db.SignUp(SignUp{
		Name: "Paula Person", Username: username("paula"), Password: "$argon2id$paula", Email: "paula@example.org", Invite: code, Token: spec,
		Passkey: &Passkey{ID: w.passkey, Name: "paula's key", Credential: json.RawMessage(`{"of":"paula"}`), Created: start},
	}, start)
	must(err)
	_, err = db.NewRecoveryCodes(w.person.ID, "$argon2id$paula")
	must(err)
	_, err = db.CreateToken(w.person.ID, start, TokenSpec{TTL: time.Hour, Label: "paula's phone"})
	must(err)
	w.friend, w.asker, w.asked, w.stranger, w.blocker = signUp(t, db, "fritz"), signUp(t, db, "anna"), signUp(t, db, "bert"), signUp(t, db, "sam"), signUp(t, db, "bo")
	w.guest = testUser(t, db)
	_, err = db.CreateToken(w.guest.ID, start, TokenSpec{TTL: time.Hour})
	must(err)
	for _, pair := range [][2]UserID{{w.friend.ID, w.person.ID}, {w.person.ID, w.friend.ID}, {w.friend.ID, w.guest.ID}, {w.guest.ID, w.friend.ID}, {w.asker.ID, w.person.ID}, {w.person.ID, w.asked.ID}} {
		_, err := db.RequestFriend(pair[0], pair[1], start)
		must(err)
	}
	must(db.AddMissed(w.person.ID, w.friend.ID, start))
	must(db.AddMissed(w.friend.ID, w.person.ID, start.Add(time.Second)))
	must(db.AddMissed(w.friend.ID, w.guest.ID, start.Add(2*time.Second)))
	for i, other := range []User{w.friend, w.asker, w.asked, w.guest} {
		must(db.Met(Meeting{Call: NewRoomID(), Users: [2]UserID{w.person.ID, other.ID}, At: start.Add(time.Duration(i) * time.Minute)}))
	}
	for _, pair := range [][2]UserID{{w.person.ID, w.stranger.ID}, {w.person.ID, w.blocker.ID}, {w.blocker.ID, w.person.ID}, {w.stranger.ID, w.blocker.ID}} {
		_, err := db.Block(pair[0], pair[1], start)
		must(err)
	}
	_, _, err = db.CreateInvite(Invite{By: w.person.ID, Uses: 1, Expires: start.Add(time.Hour), Note: "for bert"}, start)
	must(err)
	_, err = db.Secret("resume")
	must(err)
	session := NewSessionID()
	must(db.Write(Changes{
		PutRooms: []Room{
			{ID: NewRoomID(), Members: [2]Member{{Session: session, User: w.person.ID}, {Session: NewSessionID(), User: w.friend.ID}}, Created: start},
			{ID: NewRoomID(), Members: [2]Member{{Session: NewSessionID(), User: w.asker.ID}, {Session: NewSessionID(), User: w.asked.ID}}, Created: start},
		},
		PutTickets: []Ticket{{Session: session, User: w.person.ID, Since: start}, {Session: NewSessionID(), User: w.friend.ID, Since: start}},
	}))
	w.identifying = []string{string(w.person.ID), "paula", "Paula", string(w.passkey), string(session)}
}
