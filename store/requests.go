package store

import (
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

const (
	// MaxRequests is how many friend requests wait for a person at most, and how many of a person's own may be on their way.
	MaxRequests = 200
	// RequestTime is how long a friend request waits for an answer.
	RequestTime = 30 * 24 * time.Hour
)

// Asked is what came of a friend request.
type Asked int

// What comes of a friend request.
const (
	AskedNow      Asked = iota + 1 // the other is to be told
	AskedBefore                    // nothing has changed
	FriendsNow                     // the other had asked too: both are to be told
	FriendsBefore                  // nothing has changed
)

// FriendRequest is a request that waits for an answer.
type FriendRequest struct {
	User UserID    `json:"user"` // the other
	Name string    `json:"name"`
	At   time.Time `json:"at"`
}

// RequestFriend asks to for friendship, or makes friends if to has asked already. The error is ErrNotFound if one of them is no user,
// ErrSelf, ErrBlocked if one has blocked the other, which takes as long as if not, and ErrTooMany.
func (db *DB) RequestFriend(from, to UserID, now time.Time) (Asked, error) {
	var asked Asked
	var blocked bool
	err := db.update(func(tx *bbolt.Tx) error {
		if from == to {
			return ErrSelf
		}
		if err := personIn(tx, from, to); err != nil {
			return err
		}
		if blocked = blockedIn(tx, from, to); blocked {
			return nil // a commit of nothing: without one the answer would be quicker than any other
		}
		var err error
		asked, err = requestFriend(tx, from, to, now)
		return err
	})
	if err == nil && blocked {
		err = ErrBlocked
	}
	if err != nil {
		return 0, fmt.Errorf("ask %s for friendship with %s: %w", to, from, err)
	}
	return asked, nil
}

func requestFriend(tx *bbolt.Tx, from, to UserID, now time.Time) (Asked, error) {
	if hasEdge(tx.Bucket(friendsBucket), from, to) {
		return FriendsBefore, nil
	}
	switch waits, err := requestWaits(tx, from, to, now); {
	case err != nil:
		return 0, err
	case waits:
		return FriendsNow, befriend(tx, from, to, now)
	}
	switch waits, err := requestWaits(tx, to, from, now); {
	case err != nil:
		return 0, err
	case waits:
		return AskedBefore, nil
	}
	received, sent := tx.Bucket(requestsBucket), tx.Bucket(requestsSentBucket)
	if countUnder(received, []byte(to)) >= MaxRequests || countUnder(sent, []byte(from)) >= MaxRequests {
		if err := dropOldRequests(tx, to, from, now); err != nil {
			return 0, err
		}
		if countUnder(received, []byte(to)) >= MaxRequests || countUnder(sent, []byte(from)) >= MaxRequests {
			return 0, fmt.Errorf("friend requests: %w", ErrTooMany)
		}
	}
	if err := putEdge(received, edge{Owner: to, Other: from, At: now}); err != nil {
		return 0, err
	}
	return AskedNow, sent.Put(edgeKey(from, to), indexed)
}

// AcceptFriend makes friends of a user and somebody who asked. The error is ErrNotFound if that one has not, and ErrTooMany.
func (db *DB) AcceptFriend(id, from UserID, now time.Time) error {
	err := db.update(func(tx *bbolt.Tx) error {
		waits, err := requestWaits(tx, id, from, now)
		if err != nil {
			return err
		}
		if !waits {
			return ErrNotFound
		}
		return befriend(tx, id, from, now)
	})
	if err != nil {
		return fmt.Errorf("accept friend %s of user %s: %w", from, id, err)
	}
	return nil
}

// DropRequest removes what one of the two asked the other: it declines, or takes back. The error is ErrNotFound if neither has asked.
func (db *DB) DropRequest(id, other UserID) error {
	err := db.update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(requestsBucket)
		if !hasEdge(b, id, other) && !hasEdge(b, other, id) {
			return ErrNotFound
		}
		return dropRequests(tx, id, other)
	})
	if err != nil {
		return fmt.Errorf("friend request of %s and %s: %w", id, other, err)
	}
	return nil
}

// FriendRequests returns the requests that wait for the user's answer, and those of the user's own that wait for others'; the latest first.
func (db *DB) FriendRequests(id UserID, now time.Time) (received, sent []FriendRequest, err error) {
	err = db.view(func(tx *bbolt.Tx) error {
		received, sent, err = requestsIn(tx, id, now)
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("friend requests of user %s: %w", id, err)
	}
	return received, sent, nil
}

func requestsIn(tx *bbolt.Tx, id UserID, now time.Time) (received, sent []FriendRequest, err error) {
	in, err := edges(tx.Bucket(requestsBucket), id)
	if err != nil {
		return nil, nil, err
	}
	var out []edge
	for _, to := range others(tx.Bucket(requestsSentBucket), id) {
		e, found, err := edgeIn(tx.Bucket(requestsBucket), to, id)
		if err != nil {
			return nil, nil, err
		}
		if found {
			out = append(out, edge{Owner: id, Other: to, At: e.At})
		}
	}
	sortEdges(out)
	if received, err = namedRequests(tx, in, now); err != nil {
		return nil, nil, err
	}
	sent, err = namedRequests(tx, out, now)
	return received, sent, err
}

func namedRequests(tx *bbolt.Tx, list []edge, now time.Time) ([]FriendRequest, error) {
	named := make([]FriendRequest, 0, len(list))
	for _, e := range list {
		if requestOver(e, now) {
			continue
		}
		u, err := namedIn(tx, e.Other)
		if err != nil {
			return nil, err
		}
		named = append(named, FriendRequest{User: u.ID, Name: u.Name, At: e.At})
	}
	return named, nil
}

func requestOver(e edge, now time.Time) bool { return now.Sub(e.At) >= RequestTime }

// requestWaits says whether from's request waits for to's answer.
func requestWaits(tx *bbolt.Tx, to, from UserID, now time.Time) (bool, error) {
	e, found, err := edgeIn(tx.Bucket(requestsBucket), to, from)
	return found && !requestOver(e, now), err
}

// dropRequests removes what the two asked each other.
func dropRequests(tx *bbolt.Tx, a, b UserID) error {
	received, sent := tx.Bucket(requestsBucket), tx.Bucket(requestsSentBucket)
	if err := dropEdge(received, sent, a, b); err != nil {
		return err
	}
	return dropEdge(received, sent, b, a)
}

// dropOldRequests removes those to one person and those from another that nobody has answered in time.
func dropOldRequests(tx *bbolt.Tx, to, from UserID, now time.Time) error {
	received := tx.Bucket(requestsBucket)
	list, err := edges(received, to)
	if err != nil {
		return err
	}
	for _, other := range others(tx.Bucket(requestsSentBucket), from) {
		e, found, err := edgeIn(received, other, from)
		if err != nil {
			return err
		}
		if found {
			list = append(list, e)
		}
	}
	for _, e := range list {
		if !requestOver(e, now) {
			continue
		}
		if err := dropEdge(received, tx.Bucket(requestsSentBucket), e.Owner, e.Other); err != nil {
			return err
		}
	}
	return nil
}
