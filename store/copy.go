package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"
)

// copyPath is where the file as it was under an older schema version is kept.
func copyPath(path string, version uint32) string { return fmt.Sprintf("%s.v%d", path, version) }

// keepCopy writes the file as it is to its copyPath, over an older copy: whoever went back to the former program and comes again wants
// what was there last. The copy is whole or not there at all.
func (db *DB) keepCopy(version uint32) (err error) {
	folder := filepath.Dir(db.path)
	f, err := os.CreateTemp(folder, filepath.Base(db.path)+".copy-*") // 0600, like the file itself
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	err = db.view(func(tx *bbolt.Tx) error {
		_, err := tx.WriteTo(f)
		return err
	})
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), copyPath(db.path, version)); err != nil {
		return err
	}
	return syncFolder(folder)
}

// syncFolder puts the names in a folder on the disk.
func syncFolder(folder string) error {
	d, err := os.Open(folder)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, os.ErrInvalid) {
		err = nil // some file systems know no such thing
	}
	return errors.Join(err, d.Close())
}
