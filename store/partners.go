package store

import (
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"
)

const (
	// MaxPartners is of how many people the last calls are kept for each person, and how many calls are shown.
	MaxPartners = 50
	// PartnerTime is how long a last partner is kept.
	PartnerTime = 24 * time.Hour
)

// Meeting is a call that two people have had.
type Meeting struct {
	Call  RoomID
	Users [2]UserID
	At    time.Time
}

// Partner is somebody whom a person has met in a call. Whoever was met twice is there twice: that it was the same person is not for the
// other to know.
type Partner struct {
	User UserID
	Name string // at the time
	Call RoomID
	At   time.Time
}

// call is one with a last partner, as it is kept.
type call struct {
	Call   RoomID    `json:"call"`
	At     time.Time `json:"at"` // kept in UTC
	Name   string    `json:"name"`
	Hidden bool      `json:"hidden,omitempty"` // from the owner
}

// Met keeps the meetings for both sides, with MaxPartners people each, all in one transaction. Somebody who is no user any more meets nobody.
func (db *DB) Met(meetings ...Meeting) error {
	err := db.update(func(tx *bbolt.Tx) error {
		for _, m := range meetings {
			a, b := m.Users[0], m.Users[1]
			if a == b || personIn(tx, a, b) != nil {
				continue
			}
			if err := met(tx, a, b, m); err != nil {
				return err
			}
			if err := met(tx, b, a, m); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("keep %d meetings: %w", len(meetings), err)
	}
	return nil
}

func met(tx *bbolt.Tx, owner, other UserID, m Meeting) error {
	u, err := userIn(tx, other)
	if err != nil {
		return err
	}
	partners, of := tx.Bucket(partnersBucket), tx.Bucket(partnerOfBucket)
	e := edge{Owner: owner, Other: other, At: m.At, Name: u.Name, Call: m.Call}
	old, found, err := edgeIn(partners, owner, other)
	if err != nil {
		return err
	}
	if found {
		e.Before = recent(old.calls(), m.At)
		e.Before = e.Before[:min(len(e.Before), MaxPartners-1)] // more are never shown
	}
	if err := putEdge(partners, e); err != nil {
		return err
	}
	if err := of.Put(edgeKey(other, owner), indexed); err != nil {
		return err
	}
	if countUnder(partners, []byte(owner)) <= MaxPartners {
		return nil
	}
	list, err := edges(partners, owner)
	if err != nil {
		return err
	}
	for _, e := range list[MaxPartners:] {
		if err := dropEdge(partners, of, owner, e.Other); err != nil {
			return err
		}
	}
	return nil
}

// calls are all that are kept with a last partner, the latest first.
func (e edge) calls() []call {
	return append([]call{{Call: e.Call, At: e.At, Name: e.Name, Hidden: e.Hidden}}, e.Before...)
}

func recent(calls []call, now time.Time) []call {
	return slices.DeleteFunc(slices.Clone(calls), func(c call) bool { return callOver(c.At, now) })
}

// Partners returns whom the user has met in the last PartnerTime, MaxPartners calls at most, the latest first.
func (db *DB) Partners(id UserID, now time.Time) ([]Partner, error) {
	var list []Partner
	err := db.view(func(tx *bbolt.Tx) error {
		found, err := edges(tx.Bucket(partnersBucket), id)
		for _, e := range found {
			for _, c := range recent(e.calls(), now) {
				if !c.Hidden {
					list = append(list, Partner{User: e.Other, Name: c.Name, Call: c.Call, At: c.At})
				}
			}
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("partners of user %s: %w", id, err)
	}
	slices.SortStableFunc(list, func(a, b Partner) int { return b.At.Compare(a.At) })
	return list[:min(len(list), MaxPartners)], nil
}

// HidePartner takes the call with another, or all if it is empty, out of what Partners shows to the user. It stays with what others can
// see that is kept of them: who is blocked must not find it gone. It is no error if there is none.
func (db *DB) HidePartner(id, other UserID, in RoomID) error {
	err := db.update(func(tx *bbolt.Tx) error {
		e, found, err := edgeIn(tx.Bucket(partnersBucket), id, other)
		if err != nil || !found {
			return err
		}
		e.Hidden = e.Hidden || in == "" || e.Call == in
		for i := range e.Before {
			c := &e.Before[i]
			c.Hidden = c.Hidden || in == "" || c.Call == in
		}
		return putEdge(tx.Bucket(partnersBucket), e)
	})
	if err != nil {
		return fmt.Errorf("hide partner %s of user %s: %w", other, id, err)
	}
	return nil
}

// partnerOver says if anything of it has had its time.
func partnerOver(e edge, now time.Time) bool {
	return slices.ContainsFunc(e.calls(), func(c call) bool { return callOver(c.At, now) })
}

// dropPartner removes what has had its time of a last partner.
func dropPartner(tx *bbolt.Tx, k []byte, now time.Time) error {
	partners := tx.Bucket(partnersBucket)
	e, err := decodeEdge(k, partners.Get(k))
	if err != nil {
		return err
	}
	if callOver(e.At, now) { // the latest
		return dropEdge(partners, tx.Bucket(partnerOfBucket), e.Owner, e.Other)
	}
	e.Before = recent(e.Before, now)
	return putEdge(partners, e)
}

func callOver(at, now time.Time) bool { return now.Sub(at) >= PartnerTime }
