package store

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"
)

func TestOpenMakesPrivateFile(t *testing.T) {
	db := openTemp(t)
	info, err := os.Stat(db.Path())
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("mode %o", got)
	}
}

func TestOpenTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // bbolt waits by the clock
		db := openTemp(t)
		started := time.Now()
		_, err := Open(db.Path())
		if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), db.Path()) {
			t.Errorf("second open: %v", err)
		}
		if took := time.Since(started); took > lockTimeout {
			t.Errorf("took %v", took)
		}
	})
}

func TestClose(t *testing.T) {
	db, err := Open(filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := db.Rooms(); err == nil {
		t.Error("a closed database has rooms")
	}
	if err := db.PutRoom(testRoom()); err == nil {
		t.Error("a closed database takes rooms")
	}
	if db.Check() == nil {
		t.Error("a closed database can be checked")
	}
}

// rawFile makes a bbolt file with these buckets, and schema in the meta bucket if it is one of them.
func rawFile(t *testing.T, schema []byte, names ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "raw.db")
	b, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = b.Update(func(tx *bbolt.Tx) error {
		for _, name := range names {
			bucket, err := tx.CreateBucket([]byte(name))
			if err == nil && name == "meta" && schema != nil {
				err = bucket.Put(schemaKey, schema)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(err, b.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpenRefuses(t *testing.T) {
	write := func(content string) string {
		path := filepath.Join(t.TempDir(), "file.db")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	version := func(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }
	for _, c := range []struct {
		name string
		path string
		want error
	}{
		{"no folder", filepath.Join(t.TempDir(), "no", "such.db"), fs.ErrNotExist},
		{"a file as folder", filepath.Join(write("x"), "x.db"), syscall.ENOTDIR},
		{"one byte", write("x"), ErrDamaged},
		{"text", write(strings.Repeat("this is no database\n", 5000)), ErrDamaged},
		{"zeros", write(strings.Repeat("\x00", 1<<16)), ErrDamaged},
		{"newer schema", rawFile(t, version(schemaVersion+1), "meta"), ErrNewerVersion},
		{"schema 0", rawFile(t, version(0), "meta"), ErrDamaged},
		{"short schema", rawFile(t, []byte{1}, "meta"), ErrDamaged},
		{"no schema", rawFile(t, nil, "meta"), ErrDamaged},
		{"another program's", rawFile(t, nil, "widgets"), ErrDamaged},
		{"a bucket gone", rawFile(t, version(schemaVersion), "meta", "users", "tokens"), ErrDamaged},
	} {
		before, _ := os.ReadFile(c.path)
		db, err := Open(c.path)
		if err == nil {
			db.Close()
		}
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.path) {
			t.Errorf("%s: got %v, want %v with the path", c.name, err, c.want)
		}
		if after, _ := os.ReadFile(c.path); string(after) != string(before) {
			t.Errorf("%s: the file was changed", c.name)
		}
	}
	dir := t.TempDir()
	if _, err := Open(dir); err == nil || errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), dir) {
		t.Errorf("a folder: got %v", err)
	}
}

// An empty file is what a kill between creating and filling it leaves.
func TestOpenEmptyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "empty.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	openAt(t, path)
}

// A bbolt file without buckets is what a kill before the first transaction leaves.
func TestOpenFileWithoutBuckets(t *testing.T) {
	db := openAt(t, rawFile(t, nil))
	if _, err := db.Secret("x"); err != nil {
		t.Error(err)
	}
}
