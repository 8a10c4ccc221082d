package store

import (
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// MaxBlocks is how many people one person blocks at most.
const MaxBlocks = 1000

// Block is somebody whom a person must never meet again.
type Block struct {
	User UserID    `json:"user"`
	Name string    `json:"name,omitempty"` // at the time of the block; empty once that person is gone
	At   time.Time `json:"at"`
}

// Block keeps the two apart. It ends their friendship and removes what they asked each other; friends says whether there was a friendship to
// end. They stay last partners of each other, see HidePartner. A block is kept when the other leaves, but then without the name. The error
// is ErrNotFound if one of them is no user, ErrSelf, and ErrTooMany beyond MaxBlocks of people who are there. To block again changes nothing.
func (db *DB) Block(from, whom UserID, now time.Time) (friends bool, err error) {
	err = db.update(func(tx *bbolt.Tx) error {
		if from == whom {
			return ErrSelf
		}
		if err := personIn(tx, from); err != nil {
			return err
		}
		b := tx.Bucket(blocksBucket)
		if hasEdge(b, from, whom) {
			return nil
		}
		if err := personIn(tx, whom); err != nil {
			return err
		}
		other, err := userIn(tx, whom)
		if err != nil {
			return err
		}
		if err := makeRoomForBlock(tx, from); err != nil {
			return err
		}
		friends = hasEdge(tx.Bucket(friendsBucket), from, whom)
		if err := unfriend(tx, from, whom); err != nil {
			return err
		}
		if err := dropRequests(tx, from, whom); err != nil {
			return err
		}
		if err := putEdge(b, edge{Owner: from, Other: whom, At: now, Name: other.Name}); err != nil {
			return err
		}
		return tx.Bucket(blockedByBucket).Put(edgeKey(whom, from), indexed)
	})
	if err != nil {
		return false, fmt.Errorf("block %s for %s: %w", whom, from, err)
	}
	return friends, nil
}

// CopyBlocks keeps away from somebody with an account whom the same person has blocked as a guest; friends of the account stay friends, and
// beyond MaxBlocks nobody is added. It says if there was anything to copy. The error is ErrNotFound if one of the two is no user, and
// ErrGuest if the one to copy to has no account. The blocks of one who is no guest are not copied.
func (db *DB) CopyBlocks(guest, to UserID) (copied bool, err error) {
	err = db.view(func(tx *bbolt.Tx) error { // as a rule there is nothing to write
		u, err := userIn(tx, guest)
		copied = u.Guest && countUnder(tx.Bucket(blocksBucket), []byte(guest)) > 0
		return err
	})
	if err == nil && copied {
		copied = false
		err = db.update(func(tx *bbolt.Tx) error {
			if _, err := accountIn(tx, to); err != nil {
				return err
			}
			list, err := edges(tx.Bucket(blocksBucket), guest)
			if err != nil {
				return err
			}
			for _, e := range list {
				done, err := copyBlock(tx, e, to)
				if err != nil {
					return err
				}
				copied = copied || done
			}
			return nil
		})
	}
	if err != nil {
		return false, fmt.Errorf("copy blocks of %s to %s: %w", guest, to, err)
	}
	return copied, nil
}

func copyBlock(tx *bbolt.Tx, e edge, to UserID) (done bool, err error) {
	b := tx.Bucket(blocksBucket)
	switch {
	case e.Other == to, hasEdge(b, to, e.Other), hasEdge(tx.Bucket(friendsBucket), to, e.Other), tx.Bucket(usersBucket).Get([]byte(e.Other)) == nil:
		return false, nil
	case countUnder(b, []byte(to)) >= MaxBlocks:
		return false, nil
	}
	if err := dropRequests(tx, to, e.Other); err != nil {
		return false, err
	}
	e.Owner = to
	if err := putEdge(b, e); err != nil {
		return false, err
	}
	return true, tx.Bucket(blockedByBucket).Put(edgeKey(e.Other, to), indexed)
}

// Unblock takes a block back. The error is ErrNotFound if there is none.
func (db *DB) Unblock(from, whom UserID) error {
	err := db.update(func(tx *bbolt.Tx) error {
		if !hasEdge(tx.Bucket(blocksBucket), from, whom) {
			return ErrNotFound
		}
		return dropEdge(tx.Bucket(blocksBucket), tx.Bucket(blockedByBucket), from, whom)
	})
	if err != nil {
		return fmt.Errorf("unblock %s for %s: %w", whom, from, err)
	}
	return nil
}

// Blocks returns whom the user has blocked, the latest first.
func (db *DB) Blocks(id UserID) ([]Block, error) {
	var list []Block
	err := db.view(func(tx *bbolt.Tx) error {
		var err error
		list, err = blocksIn(tx, id)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("blocks of user %s: %w", id, err)
	}
	return list, nil
}

func blocksIn(tx *bbolt.Tx, id UserID) ([]Block, error) {
	found, err := edges(tx.Bucket(blocksBucket), id)
	if err != nil {
		return nil, err
	}
	list := make([]Block, len(found))
	for i, e := range found {
		list[i] = Block{User: e.Other, Name: e.Name, At: e.At}
	}
	return list, nil
}

// BlockIDs returns whom the user has blocked in the order of their IDs. It reads no records.
func (db *DB) BlockIDs(id UserID) ([]UserID, error) { return db.othersIn(blocksBucket, id) }

// Blocked says whether one of the two has blocked the other.
func (db *DB) Blocked(a, b UserID) (bool, error) {
	var yes bool
	err := db.view(func(tx *bbolt.Tx) error {
		yes = blockedIn(tx, a, b)
		return nil
	})
	return yes, err
}

func blockedIn(tx *bbolt.Tx, a, b UserID) bool {
	blocks := tx.Bucket(blocksBucket)
	return hasEdge(blocks, a, b) || hasEdge(blocks, b, a)
}

// makeRoomForBlock removes the blocks of people who are gone, if there is no room else: their IDs never come back.
func makeRoomForBlock(tx *bbolt.Tx, from UserID) error {
	b := tx.Bucket(blocksBucket)
	blocked := others(b, from)
	if len(blocked) < MaxBlocks {
		return nil
	}
	left := len(blocked)
	for _, whom := range blocked {
		if personIn(tx, whom) == nil {
			continue
		}
		if err := b.Delete(edgeKey(from, whom)); err != nil {
			return err
		}
		left--
	}
	if left >= MaxBlocks {
		return fmt.Errorf("blocks: %w", ErrTooMany)
	}
	return nil
}

// forgetBlocked takes the name of somebody who goes out of the blocks of others.
func forgetBlocked(tx *bbolt.Tx, id UserID) error {
	blocks, by := tx.Bucket(blocksBucket), tx.Bucket(blockedByBucket)
	for _, owner := range others(by, id) {
		e, found, err := edgeIn(blocks, owner, id)
		switch {
		case err != nil: // it may hold the name; whom it keeps away never comes again
			err = blocks.Delete(edgeKey(owner, id))
		case found:
			e.Name = ""
			err = putEdge(blocks, e)
		}
		if err != nil {
			return err
		}
		if err := by.Delete(edgeKey(id, owner)); err != nil {
			return err
		}
	}
	return nil
}
