package store

import (
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

const (
	// MaxPartners is how many of the last partners are kept for each person.
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

// Partner is somebody whom a person has met.
type Partner struct {
	User UserID    `json:"user"`
	Name string    `json:"name"` // at the time
	Call RoomID    `json:"call"` // the last one
	At   time.Time `json:"at"`
}

// Met keeps the meetings for both sides, MaxPartners each, all in one transaction. Somebody who is no user any more meets nobody.
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
	if err := putEdge(partners, edge{Owner: owner, Other: other, At: m.At, Name: u.Name, Call: m.Call}); err != nil {
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

// Partners returns whom the user has met in the last PartnerTime, the latest first.
func (db *DB) Partners(id UserID, now time.Time) ([]Partner, error) {
	var list []Partner
	err := db.view(func(tx *bbolt.Tx) error {
		var err error
		list, err = partnersIn(tx, id, now)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("partners of user %s: %w", id, err)
	}
	return list, nil
}

func partnersIn(tx *bbolt.Tx, id UserID, now time.Time) ([]Partner, error) {
	found, err := edges(tx.Bucket(partnersBucket), id)
	if err != nil {
		return nil, err
	}
	list := make([]Partner, 0, len(found))
	for _, e := range found {
		if !partnerOver(e, now) {
			list = append(list, Partner{User: e.Other, Name: e.Name, Call: e.Call, At: e.At})
		}
	}
	return list, nil
}

// Partner returns the user's partner of this ID, if they have met in the last PartnerTime, or ErrNotFound.
func (db *DB) Partner(id, other UserID, now time.Time) (Partner, error) {
	var p Partner
	err := db.view(func(tx *bbolt.Tx) error {
		e, found, err := edgeIn(tx.Bucket(partnersBucket), id, other)
		if err == nil && (!found || partnerOver(e, now)) {
			err = ErrNotFound
		}
		p = Partner{User: e.Other, Name: e.Name, Call: e.Call, At: e.At}
		return err
	})
	if err != nil {
		return Partner{}, fmt.Errorf("partner %s of user %s: %w", other, id, err)
	}
	return p, nil
}

func partnerOver(e edge, now time.Time) bool { return now.Sub(e.At) >= PartnerTime }
