package store

import (
	"errors"
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

// CreateUser stores a new user. The error is ErrTaken if the ID is in use. A guest is forgotten some time after the last token of
// its own has expired.
func (db *DB) CreateUser(u User) error {
	if len(u.ID) != idSize {
		return fmt.Errorf("create user: %q is no id", u.ID)
	}
	err := db.update(func(tx *bbolt.Tx) error {
		if tx.Bucket(usersBucket).Get([]byte(u.ID)) != nil {
			return ErrTaken
		}
		return putUser(tx, u)
	})
	if err != nil {
		return fmt.Errorf("create user %s: %w", u.ID, err)
	}
	return nil
}

// SetName changes the name that is shown to others.
func (db *DB) SetName(id UserID, name string) error {
	return db.changeUser(id, func(_ *bbolt.Tx, u *User) error {
		u.Name = name
		return nil
	})
}

// SetRoles changes what an account may do, and ends all its tokens: whoever was signed in must sign in again. The error is ErrGuest
// for a guest.
func (db *DB) SetRoles(id UserID, roles []string) error {
	return db.changeUser(id, func(tx *bbolt.Tx, u *User) error {
		if u.Guest {
			return ErrGuest
		}
		u.Roles = roles
		return removeTokens(tx, id)
	})
}

func (db *DB) changeUser(id UserID, change func(*bbolt.Tx, *User) error) error {
	err := db.update(func(tx *bbolt.Tx) error {
		u, err := userIn(tx, id)
		if err != nil {
			return err
		}
		if err := change(tx, &u); err != nil {
			return err
		}
		return putUser(tx, u)
	})
	if err != nil {
		return fmt.Errorf("change user %s: %w", id, err)
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

func putUser(tx *bbolt.Tx, u User) error {
	u.Created = u.Created.UTC()
	rec, err := encode(u)
	if err != nil {
		return err
	}
	return tx.Bucket(usersBucket).Put([]byte(u.ID), rec)
}

func userIn(tx *bbolt.Tx, id UserID) (User, error) {
	rec := tx.Bucket(usersBucket).Get([]byte(id))
	if rec == nil {
		return User{}, fmt.Errorf("user %s: %w", id, ErrNotFound)
	}
	return decodeUser(id, rec)
}

// namedIn is userIn for one whom a record names: that there is none is damage.
func namedIn(tx *bbolt.Tx, id UserID) (User, error) {
	u, err := userIn(tx, id)
	if errors.Is(err, ErrNotFound) {
		err = fmt.Errorf("user %s is named and not there: %w", id, ErrDamaged)
	}
	return u, err
}

func decodeUser(id UserID, rec []byte) (User, error) {
	var u User
	if err := decode(rec, &u); err != nil {
		return User{}, fmt.Errorf("user %s: %w", id, err)
	}
	if u.ID != id {
		return User{}, fmt.Errorf("user %s: record says it is %s: %w", id, u.ID, ErrDamaged)
	}
	return u, nil
}

// forgetGuest removes a guest of whom no token is left. A record that cannot be read stays, for whoever looks into the damage: it must
// not keep others out.
func forgetGuest(tx *bbolt.Tx, id UserID) error {
	u, err := userIn(tx, id)
	if err != nil || !u.Guest || countUnder(tx.Bucket(devicesBucket), []byte(id)) > 0 {
		return nil //nolint:nilerr // see above
	}
	_, err = removePerson(tx, id)
	return err
}
