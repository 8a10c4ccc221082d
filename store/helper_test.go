package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestMain lets the test program be the process that TestKill kills.
func TestMain(m *testing.M) {
	if path := os.Getenv(writerEnv); path != "" {
		os.Exit(writeUntilKilled(path))
	}
	os.Exit(m.Run())
}

// openTemp opens a new database; when the test is over it must be sound.
func openTemp(t *testing.T) *DB {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "test.db"))
}

func openAt(t *testing.T, path string) *DB {
	t.Helper()
	db := mustOpen(t, path)
	t.Cleanup(func() { closeSound(t, db) })
	return db
}

// mustOpen opens a database that the test closes.
func mustOpen(t *testing.T, path string) *DB {
	t.Helper()
	db, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// closeSound checks the database and closes it.
func closeSound(t *testing.T, db *DB) {
	t.Helper()
	if err := errors.Join(db.Check(), db.CheckContents(context.Background())); err != nil { // a test's own context is over in its cleanup
		t.Error(err)
	}
	if err := errors.Join(db.Close(), verify(db.Path())); err != nil {
		t.Error(err)
	}
}
