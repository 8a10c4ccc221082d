package store

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// lockTimeout is how long Open waits for another process to let go of the file, as the old one does in a quick restart.
const lockTimeout = time.Second

// DB is an open database file. Its methods may be called by any number of goroutines at the same time; after Close they return
// errors.
type DB struct {
	bolt   *bbolt.DB
	path   string
	writes writes
}

// Open opens the database file at path, or makes it (readable by its owner only) if there is none. The directory must exist. A file of
// an older version is upgraded; a copy of it stays beside it, with ".v" and its schema version behind the name.
//
// The errors are ErrLocked after a second's wait for another process, ErrDamaged, ErrNewerVersion, or that of the file system,
// each with the path. The shape of the whole file is read through once (0.15 s for 200 MB that the system has cached), because a torn one
// would make bbolt crash the program later. What only the contents tell is for CheckContents.
func Open(path string) (*DB, error) {
	if err := verify(path); err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	b, err := openBolt(path, false)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	db := &DB{bolt: b, path: path}
	if err := db.prepare(); err != nil {
		b.Close()
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	return db, nil
}

// openBolt opens the file and translates the ways in which bbolt fails, a panic among them.
func openBolt(path string, readOnly bool) (b *bbolt.DB, err error) {
	var file *os.File
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true)) // a read beyond the end of the map is a panic then, not the end
	defer func() {
		if r := recover(); r != nil {
			file.Close() // which also gives up the lock; bbolt has lost the handle
			b, err = nil, fmt.Errorf("%w: %v", ErrDamaged, r)
		}
	}()
	b, err = bbolt.Open(path, 0o600, &bbolt.Options{
		ReadOnly:     readOnly,
		Timeout:      lockTimeout,
		FreelistType: bbolt.FreelistMapType,
		OpenFile: func(name string, flag int, perm os.FileMode) (*os.File, error) {
			f, err := os.OpenFile(name, flag, perm)
			file = f
			return f, err
		},
	})
	switch {
	case err == nil:
		return b, nil
	case errors.Is(err, berrors.ErrTimeout):
		return nil, ErrLocked
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrVersionMismatch), errors.Is(err, berrors.ErrChecksum):
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	default:
		return nil, err
	}
}

// prepare makes the buckets of a new file and brings an old one to this program's schema version.
func (db *DB) prepare() error {
	var version uint32
	err := db.view(func(tx *bbolt.Tx) error {
		var err error
		version, err = checkSchema(tx)
		return err
	})
	switch {
	case err != nil:
		return err
	case version == 0:
		return db.update(func(tx *bbolt.Tx) error { return makeLayout(tx, 0, schemaVersion) })
	case version < schemaVersion:
		return db.migrate(version)
	default:
		return nil
	}
}

// Path returns the path with which the database was opened.
func (db *DB) Path() string { return db.path }

// Close waits for running operations and closes the file. It may be called again.
func (db *DB) Close() error {
	if err := db.bolt.Close(); err != nil {
		return fmt.Errorf("close database %s: %w", db.path, err)
	}
	return nil
}

// Check reads the whole file and returns what is wrong with its structure. Writers wait meanwhile; it is for tests and for
// looking into trouble.
func (db *DB) Check() error {
	tx, err := db.bolt.Begin(true) // writable: bbolt's check must not run beside a writer
	if err != nil {
		return fmt.Errorf("check database %s: %w", db.path, err)
	}
	var errs []error
	for err := range tx.Check() { // to the end, or bbolt's goroutine would stay
		errs = append(errs, err)
	}
	if err := tx.Rollback(); err != nil {
		errs = append(errs, err)
	}
	if len(errs) > 0 {
		return fmt.Errorf("check database %s: %w: %w", db.path, ErrDamaged, errors.Join(errs...))
	}
	return nil
}

func (db *DB) view(f func(*bbolt.Tx) error) (err error) {
	defer recoverDamage(&err)
	return db.bolt.View(f)
}

func (db *DB) update(f func(*bbolt.Tx) error) (err error) {
	refused := false // by f, which is no trouble with the file
	defer func() {
		if !refused {
			db.writes.note(err)
		}
	}()
	defer recoverDamage(&err)
	return db.bolt.Update(func(tx *bbolt.Tx) error {
		err := f(tx)
		refused = err != nil
		return err
	})
}

// recoverDamage turns bbolt's panic on a page that was damaged since Open into an error; bbolt has rolled back by then.
func recoverDamage(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%w: %v", ErrDamaged, r)
	}
}
