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

// CreateUser stores a new user. The error is ErrTaken if the ID is in use.
func (db *DB) CreateUser(u User) error {
	if u.ID == "" {
		return fmt.Errorf("create user: no id")
	}
	u.Created = u.Created.UTC()
	rec, err := encode(u)
	if err != nil {
		return err
	}
	err = db.update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(usersBucket)
		if b.Get([]byte(u.ID)) != nil {
			return ErrTaken
		}
		return b.Put([]byte(u.ID), rec)
	})
	if err != nil {
		return fmt.Errorf("create user %s: %w", u.ID, err)
	}
	return nil
}

// User returns the user with this ID, or ErrNotFound.
func (db *DB) User(id UserID) (User, error) {
	var u User
	err := db.view(func(tx *bbolt.Tx) error {
		var err error
		u, err = userIn(tx, id)
		return err
	})
	return u, err
}

func userIn(tx *bbolt.Tx, id UserID) (User, error) {
	rec := tx.Bucket(usersBucket).Get([]byte(id))
	if rec == nil {
		return User{}, fmt.Errorf("user %s: %w", id, ErrNotFound)
	}
	var u User
	if err := decode(rec, &u); err != nil {
		return User{}, fmt.Errorf("user %s: %w", id, err)
	}
	if u.ID != id {
		return User{}, fmt.Errorf("user %s: record says it is %s: %w", id, u.ID, ErrDamaged)
	}
	return u, nil
}
