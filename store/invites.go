package store

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"
)

const (
	// MaxInvites is how many invitations there are at most.
	MaxInvites = 10_000
	// MaxInviteUses is how many people one invitation lets in at most.
	MaxInviteUses = 100_000

	inviteCodeBytes = 10 // random: 80 bits, so a plain hash protects it
	inviteIDBytes   = 10 // of the hash
)

// Invite lets somebody make an account where that takes an invitation.
type Invite struct {
	ID      string    `json:"id"`             // of the code's hash, so it does not tell the code
	By      UserID    `json:"by,omitempty"`   // empty if it was the operator
	Note    string    `json:"note,omitempty"` // for whom it is
	Uses    int       `json:"uses"`           // left
	Created time.Time `json:"created"`        // kept in UTC
	Expires time.Time `json:"expires"`        // kept in UTC
}

// keptInvite is what is kept of it.
type keptInvite struct {
	Invite
	Hash []byte `json:"hash,omitempty"` // its key, of which the ID is a part only; older ones do not have it
}

func putInvite(b *bbolt.Bucket, hash []byte, inv Invite) error {
	return put(b, hash, keptInvite{inv, hash})
}

// CreateInvite stores an invitation, of which ID and Created are set here, and returns its code, which is not stored. The error is
// ErrTooMany beyond MaxInvites, and ErrGuest or ErrNotFound if By has no account.
func (db *DB) CreateInvite(inv Invite, now time.Time) (code string, _ Invite, err error) {
	if inv.Uses < 1 || inv.Uses > MaxInviteUses || !inv.Expires.After(now) {
		return "", Invite{}, fmt.Errorf("create invitation: %d uses until %v", inv.Uses, inv.Expires)
	}
	var raw [inviteCodeBytes]byte
	rand.Read(raw[:]) // never fails, see newID
	code = grouped(idEncoding.EncodeToString(raw[:]))
	hash := inviteHash(code)
	inv.ID, inv.Note, inv.Created, inv.Expires = inviteID(hash), cut(inv.Note, maxLabel), now.UTC(), inv.Expires.UTC()
	err = db.update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(invitesBucket)
		if inv.By != "" {
			if _, err := accountIn(tx, inv.By); err != nil {
				return err
			}
		}
		if countUnder(b, nil) >= MaxInvites {
			if err := dropInvites(b, func(i Invite) bool { return !i.Expires.After(now) }); err != nil {
				return err
			}
			if countUnder(b, nil) >= MaxInvites {
				return ErrTooMany
			}
		}
		return putInvite(b, hash, inv)
	})
	if err != nil {
		return "", Invite{}, fmt.Errorf("create invitation: %w", err)
	}
	return code, inv, nil
}

// CheckInvite says whether somebody may come in with this code, as ErrInvite if not. Only SignUp uses it up.
func (db *DB) CheckInvite(code string, now time.Time) error {
	return db.view(func(tx *bbolt.Tx) error {
		_, err := inviteIn(tx, inviteHash(code), now)
		return err
	})
}

// Invites returns those that are good at the time now, the latest first.
func (db *DB) Invites(now time.Time) ([]Invite, error) {
	var list []Invite
	err := db.view(func(tx *bbolt.Tx) error {
		return tx.Bucket(invitesBucket).ForEach(func(k, rec []byte) error {
			inv, err := decodeInvite(k, rec)
			if err == nil && inv.Expires.After(now) {
				list = append(list, inv)
			}
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read invitations: %w", err)
	}
	slices.SortStableFunc(list, func(a, b Invite) int { return b.Created.Compare(a.Created) })
	return list, nil
}

// RevokeInvite removes an invitation, by its ID or its code. The error is ErrNotFound if there is none.
func (db *DB) RevokeInvite(idOrCode string) error {
	err := db.update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(invitesBucket)
		key := inviteHash(idOrCode)
		if prefix, err := idEncoding.DecodeString(idOrCode); err == nil && len(prefix) == inviteIDBytes {
			if keys := keysUnder(b, prefix); len(keys) == 1 {
				key = keys[0]
			}
		}
		if b.Get(key) == nil {
			return ErrNotFound
		}
		return b.Delete(key)
	})
	if err != nil {
		return fmt.Errorf("revoke invitation %s: %w", idOrCode, err)
	}
	return nil
}

func inviteHash(code string) []byte {
	hash := sha256.Sum256([]byte(ungrouped(code)))
	return hash[:]
}

func inviteID(hash []byte) string { return idEncoding.EncodeToString(hash[:inviteIDBytes]) }

func inviteIn(tx *bbolt.Tx, hash []byte, now time.Time) (Invite, error) {
	rec := tx.Bucket(invitesBucket).Get(hash)
	if rec == nil {
		return Invite{}, ErrInvite
	}
	inv, err := decodeInvite(hash, rec)
	if err == nil && !inv.Expires.After(now) {
		err = ErrInvite
	}
	return inv, err
}

func decodeInvite(k, rec []byte) (Invite, error) {
	var inv keptInvite
	if err := decode(rec, &inv); err != nil {
		return Invite{}, fmt.Errorf("invitation: %w", err)
	}
	if len(k) != sha256.Size || inviteID(k) != inv.ID || inv.Hash != nil && !bytes.Equal(inv.Hash, k) {
		return Invite{}, fmt.Errorf("invitation %s: under the key of another: %w", inv.ID, ErrDamaged)
	}
	return inv.Invite, nil
}

// useInvite takes one of the invitation's uses; with the last one it is gone.
func useInvite(tx *bbolt.Tx, code string, now time.Time) error {
	hash := inviteHash(code)
	inv, err := inviteIn(tx, hash, now)
	if err != nil {
		return err
	}
	if inv.Uses--; inv.Uses > 0 {
		return putInvite(tx.Bucket(invitesBucket), hash, inv)
	}
	return tx.Bucket(invitesBucket).Delete(hash)
}

// dropInvites removes those of which f says so. One that cannot be read stays, for whoever looks into the damage.
func dropInvites(b *bbolt.Bucket, f func(Invite) bool) error {
	var gone [][]byte
	err := b.ForEach(func(k, rec []byte) error {
		if inv, err := decodeInvite(k, rec); err == nil && f(inv) {
			gone = append(gone, bytes.Clone(k))
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, k := range gone {
		if err := b.Delete(k); err != nil {
			return err
		}
	}
	return nil
}
