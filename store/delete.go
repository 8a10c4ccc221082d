package store

import (
	"bytes"
	"fmt"

	"go.etcd.io/bbolt"
)

// Deleted says who is to be told that somebody is gone.
type Deleted struct {
	Friends []UserID
}

// DeleteUser removes a person and all that is kept of the person, also what others have of it, in one transaction. Only in the blocks of
// others the ID stays, without the name. The caller ends the person's sessions first, and so calls and places in line; what is left of
// them in the file goes too. The error is ErrNotFound if there is no such user.
//
// It reads all rooms and tickets, a quarter of a second for a million.
func (db *DB) DeleteUser(id UserID) (Deleted, error) {
	var gone Deleted
	err := db.update(func(tx *bbolt.Tx) error {
		if err := personIn(tx, id); err != nil {
			return err
		}
		var err error
		if gone, err = removePerson(tx, id); err != nil {
			return err
		}
		if err := removeInvites(tx, id); err != nil {
			return err
		}
		return removeLive(tx, id)
	})
	if err != nil {
		return Deleted{}, fmt.Errorf("delete user %s: %w", id, err)
	}
	return gone, nil
}

// removePerson removes all of a person but rooms, tickets and invitations, for which it would have to read them all. Guests have no
// invitations. What cannot be read does not stop it, but for the account.
func removePerson(tx *bbolt.Tx, id UserID) (Deleted, error) {
	gone := Deleted{Friends: others(tx.Bucket(friendsBucket), id)}
	for _, friend := range gone.Friends {
		if err := unfriend(tx, id, friend); err != nil {
			return Deleted{}, err
		}
	}
	for _, step := range []func(*bbolt.Tx, UserID) error{
		removeAccount, removePasskeys, removeTokens, removeRequests, removeBlocks, forgetBlocked, removePartners,
	} {
		if err := step(tx, id); err != nil {
			return Deleted{}, err
		}
	}
	return gone, tx.Bucket(usersBucket).Delete([]byte(id))
}

func removeAccount(tx *bbolt.Tx, id UserID) error {
	a, err := accountIfAny(tx, id)
	if err != nil {
		return err
	}
	if err := dropUsername(tx, a.Username); err != nil {
		return err
	}
	if err := dropEmail(tx, a); err != nil {
		return err
	}
	return tx.Bucket(accountsBucket).Delete([]byte(id))
}

func removeRequests(tx *bbolt.Tx, id UserID) error {
	received, sent := tx.Bucket(requestsBucket), tx.Bucket(requestsSentBucket)
	if err := dropEdges(received, sent, id); err != nil {
		return err
	}
	return dropEdges(sent, received, id)
}

func removeBlocks(tx *bbolt.Tx, id UserID) error {
	return dropEdges(tx.Bucket(blocksBucket), tx.Bucket(blockedByBucket), id)
}

func removePartners(tx *bbolt.Tx, id UserID) error {
	partners, of := tx.Bucket(partnersBucket), tx.Bucket(partnerOfBucket)
	if err := dropEdges(partners, of, id); err != nil {
		return err
	}
	return dropEdges(of, partners, id)
}

func removeInvites(tx *bbolt.Tx, id UserID) error {
	return dropInvites(tx.Bucket(invitesBucket), func(i Invite) bool { return i.By == id })
}

// removeLive removes the rooms and tickets in which the person is.
func removeLive(tx *bbolt.Tx, id UserID) error {
	for _, name := range [][]byte{roomsBucket, ticketsBucket} {
		b := tx.Bucket(name)
		for _, k := range keysNaming(b, id) {
			if err := b.Delete(k); err != nil {
				return err
			}
		}
	}
	return nil
}

// keysNaming returns the keys of the records in which the ID stands. It does not decode them: there may be a million.
func keysNaming(b *bbolt.Bucket, id UserID) [][]byte {
	quoted := []byte(`"` + id + `"`)
	var keys [][]byte
	under(b, nil, func(k, rec []byte) bool {
		if bytes.Contains(rec, quoted) {
			keys = append(keys, bytes.Clone(k))
		}
		return true
	})
	return keys
}
