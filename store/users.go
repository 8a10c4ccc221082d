package store

import (
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// User is a person known to this server.
type User struct {
	ID      UserID    `json:"id"`
	Name    string    `json:"name"` // shown to the partner
	Guest   bool      `json:"guest,omitempty"`
	Roles   []string  `json:"roles,omitempty"`
	Created time.Time `json:"created"` // kept in UTC
}

// userRecord is what is kept of a user.
type userRecord struct {
	User
	Until time.Time `json:"until,omitzero"` // of a guest: when the last token expires, and with it the only way back
}

// CreateUser stores a new user. The error is ErrTaken if the ID is in use. A guest is forgotten some time after the last token of
// its own has expired.
func (db *DB) CreateUser(u User) error {
	if u.ID == "" {
		return fmt.Errorf("create user: no id")
	}
	u.Created = u.Created.UTC()
	err := db.update(func(tx *bbolt.Tx) error {
		if tx.Bucket(usersBucket).Get([]byte(u.ID)) != nil {
			return ErrTaken
		}
		return putUser(tx, userRecord{User: u})
	})
	if err != nil {
		return fmt.Errorf("create user %s: %w", u.ID, err)
	}
	return nil
}

// User returns the user with this ID, or ErrNotFound.
func (db *DB) User(id UserID) (User, error) {
	var u userRecord
	err := db.view(func(tx *bbolt.Tx) error {
		var err error
		u, err = userIn(tx, id)
		return err
	})
	return u.User, err
}

func putUser(tx *bbolt.Tx, u userRecord) error {
	rec, err := encode(u)
	if err != nil {
		return err
	}
	return tx.Bucket(usersBucket).Put([]byte(u.ID), rec)
}

func userIn(tx *bbolt.Tx, id UserID) (userRecord, error) {
	rec := tx.Bucket(usersBucket).Get([]byte(id))
	if rec == nil {
		return userRecord{}, fmt.Errorf("user %s: %w", id, ErrNotFound)
	}
	var u userRecord
	if err := decode(rec, &u); err != nil {
		return userRecord{}, fmt.Errorf("user %s: %w", id, err)
	}
	if u.ID != id {
		return userRecord{}, fmt.Errorf("user %s: record says it is %s: %w", id, u.ID, ErrDamaged)
	}
	return u, nil
}

// forgetGuest removes a guest whose last token has expired. A record that cannot be read stays, for whoever looks into the damage:
// it must not keep others out.
func forgetGuest(tx *bbolt.Tx, id UserID, now time.Time) error {
	if u, err := userIn(tx, id); err == nil && u.Guest && !u.Until.After(now) {
		return tx.Bucket(usersBucket).Delete([]byte(id))
	}
	return nil
}
