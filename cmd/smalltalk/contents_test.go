package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"smalltalk/store"
)

// TestDamagedContents: a file that opens, and in which a record was changed, is
// told of by the doctor, who leaves it, and by the server, which runs with it.
func TestDamagedContents(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "smalltalk.db")
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
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file = bytes.ReplaceAll(file, []byte("annabelle"), []byte("annabellf"))
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
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
