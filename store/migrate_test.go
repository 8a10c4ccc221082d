package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"
)

// version1 copies the file that a program of schema version 1 left, and returns where it is and what that program put in it.
func version1(t *testing.T) (path string, want version1Contents) {
	t.Helper()
	file, err := os.ReadFile("testdata/version1.db")
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "old.db")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	known, err := os.ReadFile("testdata/version1.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(known, &want); err != nil {
		t.Fatal(err)
	}
	return path, want
}

// version1Contents is what is in testdata/version1.db. Tokens are good until the year 2226.
type version1Contents struct {
	Users   []User            `json:"users"`
	Tokens  map[string]UserID `json:"tokens"`
	Secrets map[string][]byte `json:"secrets"`
	Rooms   []Room            `json:"rooms"`
}

// check compares a database with what should be in it.
func (want version1Contents) check(t *testing.T, db *DB) {
	t.Helper()
	want.compare(t, db)
	if len(want.Users) != 60 || len(want.Tokens) != 30 || len(want.Secrets) != 3 || len(want.Rooms) != 19 {
		t.Error("testdata/version1.json is not whole")
	}
}

func (want version1Contents) compare(t *testing.T, db *DB) {
	t.Helper()
	for _, u := range want.Users {
		if got, err := db.User(u.ID); err != nil || !reflect.DeepEqual(got, u) {
			t.Errorf("user %+v, %v, want %+v", got, err, u)
		}
	}
	for secret, id := range want.Tokens {
		if got, err := db.UserByToken(secret, time.Now()); err != nil || got.ID != id {
			t.Errorf("token of %s: %+v, %v", id, got, err)
		}
	}
	for name, key := range want.Secrets {
		if got, err := db.Secret(name); err != nil || !bytes.Equal(got, key) {
			t.Errorf("secret %s: %x, %v, want %x", name, got, err, key)
		}
	}
	if got, err := db.Rooms(); err != nil || !reflect.DeepEqual(got, want.Rooms) {
		t.Errorf("rooms %+v, %v", got, err)
	}
}

func TestMigrateFromVersion1(t *testing.T) {
	path, want := version1(t)
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := Examine(t.Context(), path); v != 1 || err != nil {
		t.Errorf("examined: version %d, %v", v, err)
	}
	if now, _ := os.ReadFile(path); !bytes.Equal(now, old) {
		t.Error("to look at it has changed it")
	}
	db := mustOpen(t, path)
	want.check(t, db)
	if tickets, err := db.Tickets(); err != nil || len(tickets) > 0 {
		t.Errorf("tickets %v, %v", tickets, err)
	}
	ticket := testTicket()
	if err := db.Write(Changes{PutTickets: []Ticket{ticket}}); err != nil {
		t.Error(err)
	}
	closeSound(t, db)
	if v, err := Examine(t.Context(), path); v != schemaVersion || err != nil {
		t.Errorf("afterwards: version %d, %v", v, err)
	}
	again := openAt(t, path)
	want.check(t, again)
	if got, err := again.Tickets(); err != nil || len(got) != 1 || !reflect.DeepEqual(got[0], ticket) {
		t.Errorf("tickets %v, %v", got, err)
	}
}

// version2Contents is what is in testdata/version2.db. Tokens are good until the year 2226, but for those that were ended.
type version2Contents struct {
	version1Contents
	Ended   []string `json:"ended"`
	Tickets []Ticket `json:"tickets"`
}

func TestMigrateFromVersion2(t *testing.T) {
	path := filepath.Join(t.TempDir(), "old.db")
	var want version2Contents
	file, err := os.ReadFile("testdata/version2.db")
	known, jsonErr := os.ReadFile("testdata/version2.json")
	if err := errors.Join(err, jsonErr, os.WriteFile(path, file, 0o600), json.Unmarshal(known, &want)); err != nil {
		t.Fatal(err)
	}
	if v, err := Examine(t.Context(), path); v != 2 || err != nil {
		t.Errorf("examined: version %d, %v", v, err)
	}
	db := openAt(t, path)
	if v, err := Examine(t.Context(), path+".v2"); v != 2 || err != nil {
		t.Errorf("the copy has version %d, %v", v, err)
	}
	if len(want.Users) != 50 || len(want.Tokens) != 49 || len(want.Ended) != 8 || len(want.Secrets) != 3 || len(want.Rooms) != 19 || len(want.Tickets) != 19 {
		t.Fatal("testdata/version2.json is not whole")
	}
	want.compare(t, db)
	if tickets, err := db.Tickets(); err != nil || !reflect.DeepEqual(tickets, want.Tickets) {
		t.Errorf("tickets %+v, %v", tickets, err)
	}
	for _, secret := range want.Ended {
		if _, err := db.UserByToken(secret, time.Now()); !errors.Is(err, ErrNotFound) {
			t.Errorf("an ended token: %v", err)
		}
	}
	perUser := map[UserID]int{}
	for secret, id := range want.Tokens {
		perUser[id]++
		d, err := db.Device(secret, time.Now())
		if err != nil || d.User != id || !d.Seen.Equal(d.Created) || d.Created.Year() != 2026 {
			t.Errorf("device %+v, %v", d, err)
		}
		if err := db.Touch(secret, d.Created.Add(time.Hour)); err != nil {
			t.Error(err)
		}
	}
	for _, u := range want.Users {
		if list, err := db.Devices(u.ID, time.Now()); err != nil || len(list) != perUser[u.ID] {
			t.Errorf("user %s: devices %+v, %v, want %d", u.ID, list, err, perUser[u.ID])
		}
		if _, err := db.Account(u.ID); u.Guest != errors.Is(err, ErrGuest) || err == nil {
			t.Errorf("account of %+v: %v", u, err)
		}
	}
	upgradeOldGuest(t, db, want.Users[1])
	// In the year 2227 all guests with a token, the ended ones too, are forgotten, as the old program would have forgotten them.
	if err := db.Sweep(t.Context(), time.Date(2227, 1, 1, 0, 0, 0, 0, time.UTC)); err != nil {
		t.Error(err)
	}
	for i, u := range want.Users {
		_, err := db.User(u.ID)
		if stays := !u.Guest || i == 1 || i%2 == 1 && i%7 > 0; stays != (err == nil) {
			t.Errorf("user %d, guest %v: %v", i, u.Guest, err)
		}
	}
}

// upgradeOldGuest makes an account of a guest of the old file, with a friend.
func upgradeOldGuest(t *testing.T, db *DB, guest User) {
	t.Helper()
	if !guest.Guest {
		t.Fatal("no guest")
	}
	u, _, err := db.SignUp(SignUp{User: guest.ID, Username: username("heron"), Password: "hash", Token: spec}, time.Now())
	if err != nil || u.ID != guest.ID || u.Name != guest.Name {
		t.Errorf("upgraded: %+v, %v", u, err)
	}
	friend := signUp(t, db, "fritz")
	for _, pair := range [][2]UserID{{u.ID, friend.ID}, {friend.ID, u.ID}} {
		if _, err := db.RequestFriend(pair[0], pair[1], time.Now()); err != nil {
			t.Error(err)
		}
	}
	if yes, err := db.AreFriends(u.ID, friend.ID); !yes || err != nil {
		t.Errorf("friends: %v, %v", yes, err)
	}
}

// The copy is the old file for the old program: whole, private, and of the old version. A second upgrade replaces it.
func TestMigrationKeepsCopy(t *testing.T) {
	path, want := version1(t)
	for _, before := range []string{"", "what an earlier upgrade left"} {
		if before != "" {
			if err := os.WriteFile(path+".v1", []byte(before), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		closeSound(t, mustOpen(t, path))
		if info, err := os.Stat(path + ".v1"); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("copy: %v, %v", info, err)
		}
		if v, err := Examine(t.Context(), path+".v1"); v != 1 || err != nil {
			t.Errorf("the copy has version %d, %v", v, err)
		}
		if err := os.Rename(path+".v1", path); err != nil { // as an operator who goes back does
			t.Fatal(err)
		}
	}
	want.check(t, openAt(t, path))
	names, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	if err != nil || len(names) != 2 {
		t.Errorf("left in the folder: %v, %v", names, err)
	}
}

// A new file, and one of today's version, is not copied.
func TestNoCopyWithoutMigration(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new.db")
	for range 2 {
		closeSound(t, mustOpen(t, path))
	}
	names, err := filepath.Glob(path + "*")
	if err != nil || len(names) != 1 {
		t.Errorf("in the folder: %v, %v", names, err)
	}
}

// Where no copy can be kept nothing is upgraded, and what was begun of the copy is gone.
func TestNoMigrationWithoutCopy(t *testing.T) {
	path, want := version1(t)
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(path+".v1", "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	db, err := Open(path)
	if err == nil {
		db.Close()
	}
	if err == nil || errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "copy") {
		t.Errorf("got %v", err)
	}
	if now, _ := os.ReadFile(path); !bytes.Equal(now, old) {
		t.Error("the file was changed")
	}
	if names, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); err != nil || len(names) != 2 {
		t.Errorf("left in the folder: %v, %v", names, err)
	}
	if err := os.RemoveAll(path + ".v1"); err != nil {
		t.Fatal(err)
	}
	want.check(t, openAt(t, path))
}

// An old file that is not whole is neither copied nor upgraded.
func TestNoMigrationOfDamage(t *testing.T) {
	path, _ := version1(t)
	b, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(b.Update(func(tx *bbolt.Tx) error { return tx.DeleteBucket(usersBucket) }), b.Close()); err != nil {
		t.Fatal(err)
	}
	if db, err := Open(path); !errors.Is(err, ErrDamaged) {
		t.Errorf("got %v", err)
		if err == nil {
			db.Close()
		}
	}
	if v, err := Examine(t.Context(), path); v != 0 || !errors.Is(err, ErrDamaged) {
		t.Errorf("examined: version %d, %v", v, err)
	}
	if _, err := os.Stat(path + ".v1"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a copy: %v", err)
	}
}

// A step that fails leaves the old file as it was.
func TestFailedMigrationStep(t *testing.T) {
	path, _ := version1(t)
	step := migrations[0]
	defer func() { migrations[0] = step }()
	failure := errors.New("no such luck")
	migrations[0] = func(tx *bbolt.Tx) error {
		return errors.Join(tx.Bucket(ticketsBucket).Put([]byte("half"), []byte("done")), failure)
	}
	db, err := Open(path)
	if err == nil {
		db.Close()
	}
	if !errors.Is(err, failure) || !strings.Contains(err.Error(), "1 to 2") {
		t.Errorf("got %v", err)
	}
	if v, err := Examine(t.Context(), path); v != 1 || err != nil {
		t.Errorf("version %d, %v", v, err)
	}
}

func TestExamine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	synctest.Test(t, func(t *testing.T) { // bbolt waits by the clock
		db := mustOpen(t, path)
		if _, err := Examine(t.Context(), path); !errors.Is(err, ErrLocked) {
			t.Errorf("while it is open: %v", err)
		}
		closeSound(t, db)
	})
	if v, err := Examine(t.Context(), path); v != schemaVersion || err != nil {
		t.Errorf("version %d, %v", v, err)
	}
	if NeedsUpgrade(0) || !NeedsUpgrade(1) || NeedsUpgrade(schemaVersion) {
		t.Error("the wrong versions need an upgrade")
	}
	if err := os.Truncate(path, 5000); err != nil {
		t.Fatal(err)
	}
	if _, err := Examine(t.Context(), path); !errors.Is(err, ErrDamaged) {
		t.Errorf("cut: %v", err)
	}
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	if v, err := Examine(t.Context(), path); v != 0 || err != nil {
		t.Errorf("empty: version %d, %v", v, err)
	}
	if _, err := Examine(t.Context(), filepath.Join(t.TempDir(), "none.db")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("none: %v", err)
	}
}
