package store

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"
)

func TestWritable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := openTemp(t)
		broken := errors.New("no space left on device")
		want := func(want error) {
			t.Helper()
			if err := db.Writable(); !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
		}
		want(nil)
		testUser(t, db)
		if err := db.CreateUser(User{}); err == nil {
			t.Error("a user without an ID is taken")
		}
		if err := db.update(func(*bbolt.Tx) error { return ErrTaken }); err == nil {
			t.Error("the refusal is lost")
		}
		want(nil) // what is refused is no trouble with the disk

		db.writes.note(broken)
		want(broken)
		time.Sleep(troubleFor - 1)
		testUser(t, db) // a small one that found its place
		want(broken)
		db.writes.note(broken)
		time.Sleep(time.Nanosecond)
		testUser(t, db)
		want(broken)
		time.Sleep(troubleFor)
		testUser(t, db)
		want(nil)

		db.writes.note(broken)
		time.Sleep(troubleFor)
		want(nil) // it tries by itself
		want(nil)
	})
}

// A panic of bbolt on a page that was damaged since Open is trouble, too.
func TestWritableOnDamage(t *testing.T) {
	db := openTemp(t)
	if err := db.update(func(*bbolt.Tx) error { panic("page 7 already freed") }); !errors.Is(err, ErrDamaged) {
		t.Errorf("got %v", err)
	}
	if err := db.Writable(); !errors.Is(err, ErrDamaged) {
		t.Errorf("writable: %v", err)
	}
}
