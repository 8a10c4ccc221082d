package store

import (
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"
)

// edge is what one person has about another: a friend, a request, a block, a last partner. Its key is the owner and the other.
type edge struct {
	Owner UserID    `json:"owner"`
	Other UserID    `json:"other"`
	At    time.Time `json:"at"`             // kept in UTC
	Name  string    `json:"name,omitempty"` // the other's, as the owner knew it

	// Of a last partner.
	Call   RoomID `json:"call,omitempty"`
	Hidden bool   `json:"hidden,omitempty"` // from the owner
	Before []call `json:"before,omitempty"` // with the same partner, the latest first
}

func edgeKey(owner, other UserID) []byte { return []byte(owner + other) }

func putEdge(b *bbolt.Bucket, e edge) error {
	e.At = e.At.UTC() // those of Before were kept once already
	return put(b, edgeKey(e.Owner, e.Other), e)
}

// hasEdge says whether there is one, without reading it.
func hasEdge(b *bbolt.Bucket, owner, other UserID) bool {
	return len(owner) == idSize && len(other) == idSize && b.Get(edgeKey(owner, other)) != nil
}

func decodeEdge(k, rec []byte) (edge, error) {
	var e edge
	if err := decode(rec, &e); err != nil {
		return edge{}, fmt.Errorf("record %q: %w", k, err)
	}
	if string(k) != string(edgeKey(e.Owner, e.Other)) {
		return edge{}, fmt.Errorf("record %q: says it is of %s and %s: %w", k, e.Owner, e.Other, ErrDamaged)
	}
	return e, nil
}

// edges returns all of an owner in the order of time, the latest first.
func edges(b *bbolt.Bucket, owner UserID) ([]edge, error) {
	if len(owner) != idSize {
		return nil, nil
	}
	var list []edge
	var err error
	under(b, []byte(owner), func(k, rec []byte) bool {
		var e edge
		if e, err = decodeEdge(k, rec); err == nil {
			list = append(list, e)
		}
		return err == nil
	})
	if err != nil {
		return nil, err
	}
	sortEdges(list)
	return list, nil
}

func sortEdges(list []edge) {
	slices.SortStableFunc(list, func(a, b edge) int { return b.At.Compare(a.At) })
}

func edgeIn(b *bbolt.Bucket, owner, other UserID) (e edge, found bool, err error) {
	if !hasEdge(b, owner, other) {
		return edge{}, false, nil
	}
	k := edgeKey(owner, other)
	e, err = decodeEdge(k, b.Get(k))
	return e, err == nil, err
}

// others returns whom the keys under owner name.
func others(b *bbolt.Bucket, owner UserID) []UserID {
	if len(owner) != idSize {
		return nil
	}
	var ids []UserID
	under(b, []byte(owner), func(k, _ []byte) bool {
		ids = append(ids, UserID(k[idSize:]))
		return true
	})
	return ids
}

// dropEdges removes an owner's edges, each with its mirror, the entry of other + owner.
func dropEdges(b, mirror *bbolt.Bucket, owner UserID) error {
	for _, other := range others(b, owner) {
		if err := dropEdge(b, mirror, owner, other); err != nil {
			return err
		}
	}
	return nil
}

func dropEdge(b, mirror *bbolt.Bucket, owner, other UserID) error {
	if err := b.Delete(edgeKey(owner, other)); err != nil {
		return err
	}
	return mirror.Delete(edgeKey(other, owner))
}
