package main

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"smalltalk/store"
)

// changedStore makes a database with an account in the folder, changes its file
// and returns that.
func changedStore(t *testing.T, folder string, change func([]byte) []byte) []byte {
	t.Helper()
	db, err := openStore(folder)
	if err != nil {
		t.Fatal(err)
	}
	name := store.Username{Name: "Annabelle", Folded: "annabelle", Skeleton: "annabe11e"}
	if _, _, err := db.SignUp(store.SignUp{Username: name, Password: "hash", Token: store.TokenSpec{TTL: time.Hour}}, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "smalltalk.db")
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file = change(file)
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// newerRecord gives the record whose JSON begins so the format after the present
// one, which stands 5 bytes before.
func newerRecord(t *testing.T, begin string) func([]byte) []byte {
	return func(file []byte) []byte {
		at := bytes.Index(file, []byte(begin)) - 5
		if at < 0 {
			t.Fatalf("there is no %s", begin)
		}
		file[at]++
		return file
	}
}

// TestDoctorLooksNoLonger: a file that takes too long to look through, or until
// somebody interrupts it, opens, and nobody is told to restore it or to make it
// writable.
func TestDoctorLooksNoLonger(t *testing.T) {
	folder := t.TempDir()
	changedStore(t, folder, func(file []byte) []byte { return file })
	late, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	interrupted, interrupt := context.WithCancel(t.Context())
	interrupt()
	for change, ctx := range map[string]context.Context{"log": late, "again": interrupted} {
		f := checkData(ctx, folder, false)
		if f.Verdict != isWarning || !strings.Contains(f.Detail, "not looked through to the end") || !strings.Contains(f.Change, change) {
			t.Errorf("%+v", f)
		}
	}
}

// TestNewerContents: what a newer program wrote is told from damage, by the
// doctor and in the log.
func TestNewerContents(t *testing.T) {
	folder := t.TempDir()
	changedStore(t, folder, newerRecord(t, `{"user":`))
	f := checkData(t.Context(), folder, false)
	if f.Verdict != isFailure || !strings.Contains(f.Detail, "too old to read") || !strings.Contains(f.Change, "newer version") {
		t.Errorf("%+v", f)
	}
	db, err := openStore(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var log bytes.Buffer
	checkContents(t.Context(), db, slog.New(slog.NewTextHandler(&log, nil)))
	if got := log.String(); strings.Count(got, "level=ERROR") != 1 || !strings.Contains(got, "newer version") || strings.Contains(got, "damaged") {
		t.Errorf("logged:\n%s", got)
	}
}

// TestDamagedContents: a file that opens, and in which a record was changed, is
// told of by the doctor, who leaves it, and by the server, which runs with it.
func TestDamagedContents(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "smalltalk.db")
	file := changedStore(t, folder, func(file []byte) []byte { return bytes.ReplaceAll(file, []byte("annabelle"), []byte("annabellf")) })
	f := checkData(t.Context(), folder, false)
	if f.Verdict != isFailure || !strings.Contains(f.Detail, "annabellf") || !strings.Contains(f.Change, "backup") {
		t.Errorf("%+v", f)
	}
	if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, file) {
		t.Errorf("the doctor has changed the file, or %v", err)
	}
	p := start(t, folder)
	eventually(t, "the log does not say it", func() bool { return strings.Contains(p.logged(), "the database is damaged") })
	if code := p.stop(syscall.SIGTERM, 5*time.Second); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if log := p.logged(); strings.Count(log, "level=ERROR") != 1 || !strings.Contains(log, "smalltalk doctor") || !strings.Contains(log, "entries=") {
		t.Errorf("logged:\n%s", log)
	}
}
