package store

import (
	"context"
	"fmt"
	"os"

	"go.etcd.io/bbolt"
)

// Examine looks at the database file at path without changing it, and returns its schema version, 0 for an empty file. The errors
// are those of Open and, for a file of this program's version, of CheckContents, which takes its time, without the rests, and ends early
// when ctx does; a file that is open elsewhere is ErrLocked, and one that is not there is fs.ErrNotExist. The file is locked meanwhile,
// though others may examine it too: a server that starts then is refused with ErrLocked.
func Examine(ctx context.Context, path string) (version uint32, err error) {
	version, err = examine(ctx, path)
	if err != nil {
		return 0, fmt.Errorf("examine database %s: %w", path, err)
	}
	return version, nil
}

func examine(ctx context.Context, path string) (version uint32, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	if err := verify(path); err != nil || info.Size() == 0 {
		return 0, err
	}
	b, err := openBolt(path, true)
	if err != nil {
		return 0, err
	}
	db := &DB{bolt: b, path: path}
	err = db.view(func(tx *bbolt.Tx) error {
		version, err = checkSchema(tx)
		return err
	})
	if err == nil && version == schemaVersion { // the rules are those of this one
		err = db.checkContents(ctx, goOn)
	}
	if closeErr := b.Close(); err == nil {
		err = closeErr
	}
	return version, err
}

// NeedsUpgrade says whether Open would bring a file of this schema version to a newer one.
func NeedsUpgrade(version uint32) bool { return version > 0 && version < schemaVersion }
