package store

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"
)

const (
	// MaxMissed is how many missed calls are kept for each person.
	MaxMissed = 50
	// MissedTime is how long a missed call is kept.
	MissedTime = 30 * 24 * time.Hour
)

// MissedCall is a friend's call that nobody answered.
type MissedCall struct {
	User UserID    `json:"user"` // who called
	Name string    `json:"name"`
	At   time.Time `json:"at"` // to the millisecond
}

// missedCall is what is kept of it. It goes with the friendship.
type missedCall struct {
	Owner UserID    `json:"owner"`
	From  UserID    `json:"from"`
	At    time.Time `json:"at"`
}

const missedKeySize = idSize + 8 + idSize

// missedKey sorts a person's missed calls by time.
func missedKey(owner, from UserID, at time.Time) []byte {
	k := binary.BigEndian.AppendUint64([]byte(owner), uint64(max(at.UnixMilli(), 0)))
	return append(k, from...)
}

// AddMissed keeps a call that a user has missed, over the oldest one if there are MaxMissed. The error is ErrNotFound if the two are no
// friends.
func (db *DB) AddMissed(id, from UserID, at time.Time) error {
	at = at.UTC().Truncate(time.Millisecond)
	err := db.update(func(tx *bbolt.Tx) error {
		if !hasEdge(tx.Bucket(friendsBucket), id, from) {
			return ErrNotFound
		}
		b := tx.Bucket(missedBucket)
		if err := put(b, missedKey(id, from, at), missedCall{Owner: id, From: from, At: at}); err != nil {
			return err
		}
		keys := keysUnder(b, []byte(id))
		for _, k := range keys[:max(0, len(keys)-MaxMissed)] {
			if err := b.Delete(k); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("missed call of user %s from %s: %w", id, from, err)
	}
	return nil
}

// Missed returns the calls that the user has missed, the latest first.
func (db *DB) Missed(id UserID, now time.Time) ([]MissedCall, error) {
	var list []MissedCall
	err := db.view(func(tx *bbolt.Tx) error {
		var err error
		list, err = missedIn(tx, id, now)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("missed calls of user %s: %w", id, err)
	}
	return list, nil
}

func missedIn(tx *bbolt.Tx, id UserID, now time.Time) ([]MissedCall, error) {
	if len(id) != idSize {
		return nil, nil
	}
	var list []MissedCall
	var err error
	under(tx.Bucket(missedBucket), []byte(id), func(k, rec []byte) bool {
		var m missedCall
		if m, err = decodeMissed(k, rec); err != nil {
			return false
		}
		if missedOver(m, now) {
			return true
		}
		var u User
		if u, err = namedIn(tx, m.From); err == nil {
			list = append(list, MissedCall{User: u.ID, Name: u.Name, At: m.At})
		}
		return err == nil
	})
	slices.Reverse(list)
	return list, err
}

// ClearMissed removes the calls that the user missed until then.
func (db *DB) ClearMissed(id UserID, until time.Time) error {
	err := db.update(func(tx *bbolt.Tx) error {
		if err := personIn(tx, id); err != nil {
			return err
		}
		b, end := tx.Bucket(missedBucket), string(missedKey(id, "", until.Add(time.Millisecond)))
		for _, k := range keysUnder(b, []byte(id)) {
			if string(k) < end {
				if err := b.Delete(k); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("clear missed calls of user %s: %w", id, err)
	}
	return nil
}

func decodeMissed(k, rec []byte) (missedCall, error) {
	var m missedCall
	if err := decode(rec, &m); err != nil {
		return missedCall{}, fmt.Errorf("missed call %q: %w", k, err)
	}
	if string(missedKey(m.Owner, m.From, m.At)) != string(k) {
		return missedCall{}, fmt.Errorf("missed call %q: record says it is of %s and %s: %w", k, m.Owner, m.From, ErrDamaged)
	}
	return m, nil
}

func missedOver(m missedCall, now time.Time) bool { return now.Sub(m.At) >= MissedTime }

// dropMissed removes the calls that owner missed from somebody.
func dropMissed(tx *bbolt.Tx, owner, from UserID) error {
	b := tx.Bucket(missedBucket)
	for _, k := range missedFrom(b, owner, from) {
		if err := b.Delete(k); err != nil {
			return err
		}
	}
	return nil
}

// missedFrom returns the keys of the calls that owner missed from somebody.
func missedFrom(b *bbolt.Bucket, owner, from UserID) [][]byte {
	return slices.DeleteFunc(keysUnder(b, []byte(owner)), func(k []byte) bool {
		return len(k) != missedKeySize || UserID(k[idSize+8:]) != from
	})
}
