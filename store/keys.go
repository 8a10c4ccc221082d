package store

import (
	"bytes"
	"fmt"

	"go.etcd.io/bbolt"
)

// Keys of what belongs to a person begin with the person's ID. IDs are all of one length, so that they are one range that no other
// person's keys fall into.

// under calls f with each key that begins with prefix, and its value, until f returns false. f must not change the bucket.
func under(b *bbolt.Bucket, prefix []byte, f func(k, v []byte) (more bool)) {
	c := b.Cursor()
	for k, v := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, v = c.Next() {
		if !f(k, v) {
			return
		}
	}
}

// keysUnder returns copies of the keys that begin with prefix.
func keysUnder(b *bbolt.Bucket, prefix []byte) [][]byte {
	var keys [][]byte
	under(b, prefix, func(k, _ []byte) bool {
		keys = append(keys, bytes.Clone(k))
		return true
	})
	return keys
}

// countUnder counts the keys that begin with prefix.
func countUnder(b *bbolt.Bucket, prefix []byte) int {
	n := 0
	under(b, prefix, func(_, _ []byte) bool {
		n++
		return true
	})
	return n
}

// put stores v as a record.
func put(b *bbolt.Bucket, key []byte, v any) error {
	rec, err := encode(v)
	if err != nil {
		return err
	}
	return b.Put(key, rec)
}

// personIn says whether there is such a user, as an error if not.
func personIn(tx *bbolt.Tx, ids ...UserID) error {
	for _, id := range ids {
		if len(id) != idSize || tx.Bucket(usersBucket).Get([]byte(id)) == nil {
			return fmt.Errorf("user %s: %w", id, ErrNotFound)
		}
	}
	return nil
}

// indexed is the value of an entry that says all with its key.
var indexed = []byte{1}
