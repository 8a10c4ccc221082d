package store

import (
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// MaxFriends is how many friends a person has at most.
const MaxFriends = 1000

// Friend is somebody whom a person may call.
type Friend struct {
	User          UserID    `json:"user"`
	Name          string    `json:"name"`
	Guest         bool      `json:"guest,omitempty"`
	HidesPresence bool      `json:"-"` // from everybody
	Since         time.Time `json:"since"`
}

// Friends returns the friends of a user, the latest first.
func (db *DB) Friends(id UserID) ([]Friend, error) {
	var list []Friend
	err := db.view(func(tx *bbolt.Tx) error {
		var err error
		list, err = friendsIn(tx, id)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("friends of user %s: %w", id, err)
	}
	return list, nil
}

func friendsIn(tx *bbolt.Tx, id UserID) ([]Friend, error) {
	found, err := edges(tx.Bucket(friendsBucket), id)
	if err != nil {
		return nil, err
	}
	list := make([]Friend, 0, len(found))
	for _, e := range found {
		u, err := namedIn(tx, e.Other)
		if err != nil {
			return nil, err
		}
		f := Friend{User: u.ID, Name: u.Name, Guest: u.Guest, Since: e.At}
		if !u.Guest {
			a, err := accountIfAny(tx, u.ID)
			if err != nil {
				return nil, err
			}
			f.HidesPresence = a.HidePresence
		}
		list = append(list, f)
	}
	return list, nil
}

// FriendIDs returns the friends of a user in the order of their IDs. It reads no records.
func (db *DB) FriendIDs(id UserID) ([]UserID, error) { return db.othersIn(friendsBucket, id) }

// AreFriends says whether the two are friends.
func (db *DB) AreFriends(a, b UserID) (bool, error) {
	var yes bool
	err := db.view(func(tx *bbolt.Tx) error {
		yes = hasEdge(tx.Bucket(friendsBucket), a, b)
		return nil
	})
	return yes, err
}

// RemoveFriend ends a friendship for both, and removes the calls that they missed from each other. The error is ErrNotFound if they are
// no friends.
func (db *DB) RemoveFriend(a, b UserID) error {
	err := db.update(func(tx *bbolt.Tx) error {
		if !hasEdge(tx.Bucket(friendsBucket), a, b) {
			return ErrNotFound
		}
		return unfriend(tx, a, b)
	})
	if err != nil {
		return fmt.Errorf("end friendship of %s and %s: %w", a, b, err)
	}
	return nil
}

// befriend makes friends of two people who are not, and removes what they asked each other.
func befriend(tx *bbolt.Tx, a, b UserID, now time.Time) error {
	friends := tx.Bucket(friendsBucket)
	for _, id := range []UserID{a, b} {
		if countUnder(friends, []byte(id)) >= MaxFriends {
			return fmt.Errorf("friends of user %s: %w", id, ErrTooMany)
		}
	}
	if err := dropRequests(tx, a, b); err != nil {
		return err
	}
	if err := putEdge(friends, edge{Owner: a, Other: b, At: now}); err != nil {
		return err
	}
	return putEdge(friends, edge{Owner: b, Other: a, At: now})
}

func unfriend(tx *bbolt.Tx, a, b UserID) error {
	friends := tx.Bucket(friendsBucket)
	if err := dropEdge(friends, friends, a, b); err != nil {
		return err
	}
	if err := dropMissed(tx, a, b); err != nil {
		return err
	}
	return dropMissed(tx, b, a)
}

func (db *DB) othersIn(bucket []byte, id UserID) ([]UserID, error) {
	var ids []UserID
	err := db.view(func(tx *bbolt.Tx) error {
		ids = others(tx.Bucket(bucket), id)
		return nil
	})
	return ids, err
}
