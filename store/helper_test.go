package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"
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

// limits are of how many one person has of something.
var limits = [...]struct {
	bucket []byte
	most   int
}{
	{passkeysBucket, MaxPasskeys},
	{devicesBucket, MaxDevices},
	{friendsBucket, MaxFriends},
	{requestsBucket, MaxRequests},
	{requestsSentBucket, MaxRequests},
	{blocksBucket, MaxBlocks},
	{partnersBucket, MaxPartners},
	{missedBucket, MaxMissed},
}

// checkSound says what is wrong with the contents of a database that only this program has written, which also keeps the limits.
func checkSound(db *DB) error {
	err := db.CheckContents(context.Background()) // a test's own context is over in its cleanup
	limitsErr := db.view(func(tx *bbolt.Tx) error {
		for _, l := range limits {
			of := map[string]int{}
			under(tx.Bucket(l.bucket), nil, func(k, _ []byte) bool {
				of[string(k[:min(len(k), idSize)])]++
				return true
			})
			for owner, n := range of {
				if n > l.most {
					return fmt.Errorf("bucket %s, user %q: %d, at most %d", l.bucket, owner, n, l.most)
				}
			}
		}
		return nil
	})
	return errors.Join(err, limitsErr)
}

// closeSound checks the database and closes it.
func closeSound(t *testing.T, db *DB) {
	t.Helper()
	if err := errors.Join(db.Check(), checkSound(db)); err != nil {
		t.Error(err)
	}
	if err := errors.Join(db.Close(), verify(db.Path())); err != nil {
		t.Error(err)
	}
}
