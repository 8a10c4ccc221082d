package store

import (
	"bytes"
	"crypto/rand"
	"fmt"

	"go.etcd.io/bbolt"
)

const secretSize = 32

// secret is a key that this server made for itself.
type secret struct {
	Name string `json:"name,omitempty"` // by which it is kept; older ones do not have it
	Key  []byte `json:"key"`
}

func decodeSecret(name string, rec []byte) (secret, error) {
	var s secret
	if err := decode(rec, &s); err != nil {
		return secret{}, err
	}
	if s.Name != "" && s.Name != name {
		return secret{}, fmt.Errorf("record says it is %q: %w", s.Name, ErrDamaged)
	}
	if len(s.Key) != secretSize {
		return secret{}, fmt.Errorf("key of %d bytes: %w", len(s.Key), ErrDamaged)
	}
	return s, nil
}

// Secret returns the server's own key of this name, 32 random bytes made at the first call and the same ever after. It is for
// signing what clients hand back (resume tokens, tickets); it never leaves the server.
func (db *DB) Secret(name string) ([]byte, error) {
	if name == "" {
		return nil, fmt.Errorf("secret: no name")
	}
	var key []byte
	read := func(tx *bbolt.Tx) error {
		rec := tx.Bucket(secretsBucket).Get([]byte(name))
		if rec == nil {
			return nil
		}
		s, err := decodeSecret(name, rec)
		key = s.Key
		return err
	}
	err := db.view(read)
	if err == nil && key == nil {
		err = db.update(func(tx *bbolt.Tx) error {
			if err := read(tx); err != nil || key != nil {
				return err // another caller made it in the meantime
			}
			s := secret{Name: name, Key: make([]byte, secretSize)}
			rand.Read(s.Key) // never fails, see newID
			rec, err := encode(s)
			if err != nil {
				return err
			}
			key = bytes.Clone(s.Key)
			return tx.Bucket(secretsBucket).Put([]byte(name), rec)
		})
	}
	if err != nil {
		return nil, fmt.Errorf("secret %q: %w", name, err)
	}
	return key, nil
}
