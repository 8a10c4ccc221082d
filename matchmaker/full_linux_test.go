package matchmaker

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"smalltalk/store"
)

// TestFullDisk has matching go on while a real file system is full, and all of it written when there is space again. TestFailingDisk has
// the same happen everywhere.
func TestFullDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "small")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("cannot mount a small file system here (needs root): %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		db, err := store.Open(filepath.Join(dir, "full.db"))
		if err != nil {
			t.Fatal(err)
		}
		var log syncBuffer
		m, err := New(Config{DB: db, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		before, _ := meet(t, m, ticket("before-a", "x"), ticket("before-b", "x"))
		goes, _ := meet(t, m, ticket("goes-a", "x"), ticket("goes-b", "x"))
		sleep(time.Second)

		filler := fillUp(t, dir)
		goes.Leave("next")
		rooms := []*Room{before}
		for i := range 500 {
			a, _ := meet(t, m, ticket(fmt.Sprint("a", i), "x"), ticket(fmt.Sprint("b", i), "x"))
			rooms = append(rooms, a)
			find(t, m, ticket(fmt.Sprint("w", i), fmt.Sprint("only", i)))
		}
		sleep(time.Minute - time.Second)
		if s := m.Stats(); !errors.Is(s.LastWriteError, syscall.ENOSPC) || s.Rooms != 501 || s.Waiting != 500 || s.Unwritten < 1000 {
			t.Errorf("on the full disk: %+v", s)
		}
		if lines, do := log.count("level=ERROR"), log.count("make space on the disk of the data folder"); lines != 1 || do != 1 {
			t.Errorf("%d errors in the log in a minute, %d say what to do", lines, do)
		}
		if err := db.Writable(); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("writable: %v", err)
		}
		if err := db.Check(); err != nil {
			t.Error(err)
		}

		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		sleep(retryMax)
		if s := m.Stats(); s.LastWriteError != nil || s.Unwritten != 0 {
			t.Errorf("with space again: %+v", s)
		}
		if got := onDisk(t, db); len(got) != len(rooms) {
			t.Errorf("%d rooms on disk", len(got))
		}
		if got := placesOnDisk(t, db); len(got) != 500 {
			t.Errorf("%d places on disk", len(got))
		}
		sleep(10 * time.Second)
		if err := errors.Join(db.Writable(), m.Close(), db.Check()); err != nil {
			t.Error(err)
		}
		next := open(t, Config{DB: db})
		for _, r := range rooms {
			if got := resume(t, next, r.Self().Session); got.ID() != r.ID() {
				t.Errorf("%s is back in %s", r.Self().Session, got.ID())
			}
		}
		if tk, ok := next.Place("s-w7"); !ok {
			t.Errorf("no place: %+v", tk)
		}
		if err := errors.Join(next.Close(), db.Close()); err != nil {
			t.Error(err)
		}
	})
}

// fillUp takes all the space that is left, and returns the file that has it.
func fillUp(t *testing.T, dir string) string {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}
