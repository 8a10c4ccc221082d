package store

import (
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
)

// troubleFor is how long after a failed write the file counts as failing, whatever else goes well meanwhile: on a full disk a small
// change may still find the place that a large one does not.
const troubleFor = 10 * time.Second

// failedWrite is a transaction that did not reach the disk, or may not have.
type failedWrite struct {
	err error
	at  time.Time
}

// writes remembers the last transaction that failed, until one has gone well troubleFor later.
type writes struct{ failed atomic.Pointer[failedWrite] }

func (w *writes) note(err error) {
	now := time.Now()
	if err != nil {
		w.failed.Store(&failedWrite{err, now})
		return
	}
	if f := w.failed.Load(); f != nil && now.Sub(f.at) >= troubleFor {
		w.failed.CompareAndSwap(f, nil)
	}
}

// Writable returns nil if changes reach the disk, else the error of the write that failed last. When that was a while ago and
// nobody has written since, it tries.
func (db *DB) Writable() error {
	f := db.writes.failed.Load()
	if f == nil {
		return nil
	}
	if time.Since(f.at) >= troubleFor {
		if err := db.update(func(tx *bbolt.Tx) error { return putSchema(tx, schemaVersion) }); err != nil {
			return err
		}
		f = db.writes.failed.Load() // somebody else's write may have failed
	}
	if f == nil {
		return nil
	}
	return f.err
}
