package store

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestFullDisk fills a real file system. Where none can be mounted, TestFileLimit has the same happen by other means.
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
	fill := func() (repair func()) {
		filler := filepath.Join(dir, "filler")
		f, err := os.Create(filler)
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
		return func() {
			if err := os.Remove(filler); err != nil {
				t.Fatal(err)
			}
		}
	}
	onFullDisk(t, filepath.Join(dir, "full.db"), fill, syscall.ENOSPC)
}

// fileLimitEnv says that this is the process that TestFileLimit started for itself: the limit holds for all files of a process.
const fileLimitEnv = "SMALLTALK_STORE_TEST_FILE_LIMIT"

func TestFileLimit(t *testing.T) {
	if os.Getenv(fileLimitEnv) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestFileLimit$", "-test.v")
		cmd.Env = append(os.Environ(), fileLimitEnv+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	fill := func() (repair func()) {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 0, Max: old.Max}); err != nil {
			t.Fatal(err)
		}
		return func() {
			if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
				t.Fatal(err)
			}
		}
	}
	onFullDisk(t, filepath.Join(t.TempDir(), "full.db"), fill, syscall.EFBIG)
}

// says compares by text, as bbolt does not wrap the error of a file that cannot grow.
func says(err, want error) bool { return err != nil && strings.Contains(err.Error(), want.Error()) }

// onFullDisk sees that a disk that fills up costs what was not written and nothing else.
func onFullDisk(t *testing.T, path string, fill func() (repair func()), want error) {
	db := mustOpen(t, path)
	u := testUser(t, db)
	var kept []Room
	for range 20 {
		kept = append(kept, testRoom())
	}
	if err := db.Write(Changes{PutRooms: kept}); err != nil {
		t.Fatal(err)
	}
	repair := fill()
	var lost Changes
	for range 2000 { // more than free pages could take
		lost.PutTickets = append(lost.PutTickets, testTicket())
	}
	for range 3 {
		if err := db.Write(lost); !says(err, want) {
			t.Fatalf("write: %v, want %v", err, want)
		}
	}
	if err := db.Writable(); !says(err, want) {
		t.Errorf("writable: %v, want %v", err, want)
	}
	if got, err := db.Rooms(); err != nil || len(got) != len(kept) {
		t.Errorf("%d rooms, %v", len(got), err)
	}
	if _, err := db.User(u.ID); err != nil {
		t.Error(err)
	}
	if err := db.Check(); err != nil {
		t.Error(err)
	}
	repair()
	if err := db.Write(lost); err != nil {
		t.Errorf("with space again: %v", err)
	}
	db.writes.failed.Store(&failedWrite{want, time.Now().Add(-troubleFor)})
	if err := db.Writable(); err != nil {
		t.Errorf("writable again: %v", err)
	}
	closeSound(t, db)

	again := mustOpen(t, path)
	rooms, err1 := again.Rooms()
	tickets, err2 := again.Tickets()
	if err := errors.Join(err1, err2); err != nil || len(rooms) != len(kept) || len(tickets) != len(lost.PutTickets) {
		t.Errorf("%d rooms and %d tickets, %v", len(rooms), len(tickets), err)
	}
	closeSound(t, again)
}
