package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"
)

const (
	// MaxPasskeys is how many passkeys an account has at most.
	MaxPasskeys = 20
	// maxCredentialID is how long the ID of a credential is at most, by WebAuthn section 4.
	maxCredentialID = 1023
)

// Passkey is a WebAuthn credential. Its JSON is the caller's and not looked into.
type Passkey struct {
	ID         []byte          `json:"id"` // the credential's, 1 to 1023 bytes
	User       UserID          `json:"user"`
	Name       string          `json:"name"`
	Credential json.RawMessage `json:"credential"`
	Created    time.Time       `json:"created"` // kept in UTC
	Used       time.Time       `json:"used,omitzero"`
}

// AddPasskey gives the account one more way in. The error is ErrTaken if the credential is somebody's already, ErrTooMany beyond
// MaxPasskeys, and ErrGuest for a guest.
func (db *DB) AddPasskey(id UserID, p Passkey) error {
	err := db.update(func(tx *bbolt.Tx) error { return addPasskey(tx, id, p) })
	if err != nil {
		return fmt.Errorf("add passkey to user %s: %w", id, err)
	}
	return nil
}

func addPasskey(tx *bbolt.Tx, id UserID, p Passkey) error {
	if len(p.ID) == 0 || len(p.ID) > maxCredentialID {
		return fmt.Errorf("credential id of %d bytes", len(p.ID))
	}
	if _, err := accountIn(tx, id); err != nil {
		return err
	}
	ids := tx.Bucket(passkeyIDsBucket)
	if ids.Get(p.ID) != nil {
		return fmt.Errorf("passkey: %w", ErrTaken)
	}
	if countUnder(tx.Bucket(passkeysBucket), []byte(id)) >= MaxPasskeys {
		return fmt.Errorf("passkeys: %w", ErrTooMany)
	}
	p.User = id
	if err := ids.Put(p.ID, []byte(id)); err != nil {
		return err
	}
	return putPasskey(tx, p)
}

func putPasskey(tx *bbolt.Tx, p Passkey) error {
	p.Created = p.Created.UTC()
	if !p.Used.IsZero() {
		p.Used = p.Used.UTC()
	}
	return put(tx.Bucket(passkeysBucket), passkeyKey(p.User, p.ID), p)
}

// Passkeys returns those of the user, the oldest first.
func (db *DB) Passkeys(id UserID) ([]Passkey, error) {
	var list []Passkey
	err := db.view(func(tx *bbolt.Tx) error {
		if err := personIn(tx, id); err != nil {
			return err
		}
		var err error
		list, err = passkeysIn(tx, id)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("passkeys of user %s: %w", id, err)
	}
	return list, nil
}

func passkeysIn(tx *bbolt.Tx, id UserID) ([]Passkey, error) {
	var list []Passkey
	var err error
	under(tx.Bucket(passkeysBucket), []byte(id), func(k, rec []byte) bool {
		var p Passkey
		if p, err = decodePasskey(k, rec); err == nil {
			list = append(list, p)
		}
		return err == nil
	})
	slices.SortStableFunc(list, func(a, b Passkey) int { return a.Created.Compare(b.Created) })
	return list, err
}

// PasskeyUser returns whose credential this is, or ErrNotFound.
func (db *DB) PasskeyUser(credential []byte) (UserID, error) {
	var id UserID
	err := db.view(func(tx *bbolt.Tx) error {
		if id = UserID(tx.Bucket(passkeyIDsBucket).Get(credential)); id == "" {
			return fmt.Errorf("passkey: %w", ErrNotFound)
		}
		return nil
	})
	return id, err
}

// UsePasskey notes that a passkey was used and what its credential is now. The error is ErrNotFound if it is gone.
func (db *DB) UsePasskey(id UserID, credential []byte, now json.RawMessage, at time.Time) error {
	return db.changePasskey(id, credential, func(p *Passkey) { p.Credential, p.Used = now, at })
}

// RenamePasskey changes the name by which the person knows it. The error is ErrNotFound if it is gone.
func (db *DB) RenamePasskey(id UserID, credential []byte, name string) error {
	return db.changePasskey(id, credential, func(p *Passkey) { p.Name = name })
}

func (db *DB) changePasskey(id UserID, credential []byte, change func(*Passkey)) error {
	err := db.update(func(tx *bbolt.Tx) error {
		p, err := passkeyIn(tx, id, credential)
		if err != nil {
			return err
		}
		change(&p)
		return putPasskey(tx, p)
	})
	if err != nil {
		return fmt.Errorf("change passkey of user %s: %w", id, err)
	}
	return nil
}

// DeletePasskey removes one of the account's passkeys. The error is ErrLastWayIn if it is the only one and there is no password, and
// ErrNotFound if it is gone.
func (db *DB) DeletePasskey(id UserID, credential []byte) error {
	err := db.update(func(tx *bbolt.Tx) error {
		a, err := accountIn(tx, id)
		if err != nil {
			return err
		}
		b := tx.Bucket(passkeysBucket)
		if _, err := passkeyIn(tx, id, credential); errors.Is(err, ErrNotFound) {
			return err
		}
		if a.Password == "" && countUnder(b, []byte(id)) == 1 {
			return ErrLastWayIn
		}
		if err := tx.Bucket(passkeyIDsBucket).Delete(credential); err != nil {
			return err
		}
		return b.Delete(passkeyKey(id, credential))
	})
	if err != nil {
		return fmt.Errorf("delete passkey of user %s: %w", id, err)
	}
	return nil
}

func passkeyKey(id UserID, credential []byte) []byte { return append([]byte(id), credential...) }

func passkeyIn(tx *bbolt.Tx, id UserID, credential []byte) (Passkey, error) {
	if len(id) != idSize || len(credential) == 0 {
		return Passkey{}, fmt.Errorf("passkey: %w", ErrNotFound)
	}
	k := passkeyKey(id, credential)
	rec := tx.Bucket(passkeysBucket).Get(k)
	if rec == nil {
		return Passkey{}, fmt.Errorf("passkey: %w", ErrNotFound)
	}
	return decodePasskey(k, rec)
}

func decodePasskey(k, rec []byte) (Passkey, error) {
	var p Passkey
	if err := decode(rec, &p); err != nil {
		return Passkey{}, fmt.Errorf("passkey: %w", err)
	}
	if string(passkeyKey(p.User, p.ID)) != string(k) {
		return Passkey{}, fmt.Errorf("passkey: record says it is of %s: %w", p.User, ErrDamaged)
	}
	return p, nil
}

// removePasskeys removes all of a user.
func removePasskeys(tx *bbolt.Tx, id UserID) error {
	b := tx.Bucket(passkeysBucket)
	for _, k := range keysUnder(b, []byte(id)) {
		if err := tx.Bucket(passkeyIDsBucket).Delete(k[idSize:]); err != nil {
			return err
		}
		if err := b.Delete(k); err != nil {
			return err
		}
	}
	return nil
}
