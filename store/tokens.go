package store

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// pruneLimit is how many expired tokens one CreateToken removes at most: more than it adds, so that they cannot pile up, and few
// enough that nobody waits for it.
const pruneLimit = 32

// token is what is kept of a secret, under the secret's SHA-256. tokenExpiryBucket lists the hashes of all tokens, deleted ones too,
// by the time they expire, each with its user's ID.
type token struct {
	User    UserID    `json:"user"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
}

// CreateToken makes a secret that proves to be this user until now+ttl: 256 random bits in base64url without padding. Only its
// SHA-256 is stored. The error is ErrNotFound if there is no such user. A few tokens that expired before now are removed on the way,
// and with its last one a guest.
func (db *DB) CreateToken(id UserID, now time.Time, ttl time.Duration) (string, error) {
	if ttl <= 0 {
		return "", fmt.Errorf("create token for user %s: lifetime %v is not positive", id, ttl)
	}
	var raw [32]byte
	rand.Read(raw[:]) // never fails, see newID
	secret := base64.RawURLEncoding.EncodeToString(raw[:])
	t := token{User: id, Created: now.UTC(), Expires: now.Add(ttl).UTC()}
	rec, err := encode(t)
	if err != nil {
		return "", err
	}
	hash := sha256.Sum256([]byte(secret))
	err = db.update(func(tx *bbolt.Tx) error {
		u, err := userIn(tx, id)
		if err != nil {
			return err
		}
		if u.Guest && t.Expires.After(u.Until) {
			u.Until = t.Expires
			if err := putUser(tx, u); err != nil {
				return err
			}
		}
		if err := pruneTokens(tx, now); err != nil {
			return err
		}
		if err := tx.Bucket(tokensBucket).Put(hash[:], rec); err != nil {
			return err
		}
		return tx.Bucket(tokenExpiryBucket).Put(expiryKey(t.Expires, hash), []byte(id))
	})
	if err != nil {
		return "", fmt.Errorf("create token: %w", err)
	}
	return secret, nil
}

// UserByToken returns the user whom this secret proves to be at the time now. The error is ErrNotFound for a secret that is
// unknown (or expired so long ago that it was removed) and ErrExpired for one that is too old.
func (db *DB) UserByToken(secret string, now time.Time) (User, error) {
	hash := sha256.Sum256([]byte(secret))
	var u userRecord
	err := db.view(func(tx *bbolt.Tx) error {
		t, err := tokenIn(tx, hash)
		if err != nil {
			return err
		}
		if !now.Before(t.Expires) {
			return fmt.Errorf("token of user %s: %w", t.User, ErrExpired)
		}
		u, err = userIn(tx, t.User)
		return err
	})
	return u.User, err
}

// DeleteToken makes this secret worthless. It is no error if it was already.
func (db *DB) DeleteToken(secret string) error {
	hash := sha256.Sum256([]byte(secret))
	err := db.update(func(tx *bbolt.Tx) error { return tx.Bucket(tokensBucket).Delete(hash[:]) })
	if err != nil {
		return fmt.Errorf("delete token: %w", err)
	}
	return nil
}

func tokenIn(tx *bbolt.Tx, hash [sha256.Size]byte) (token, error) {
	rec := tx.Bucket(tokensBucket).Get(hash[:])
	if rec == nil {
		return token{}, fmt.Errorf("token: %w", ErrNotFound)
	}
	var t token
	if err := decode(rec, &t); err != nil {
		return token{}, fmt.Errorf("token: %w", err)
	}
	return t, nil
}

// pruneTokens removes the oldest tokens that expired before now, pruneLimit of them at most, and the guests who have none any more.
func pruneTokens(tx *bbolt.Tx, now time.Time) error {
	byExpiry, tokens := tx.Bucket(tokenExpiryBucket), tx.Bucket(tokensBucket)
	limit := expiryKey(now, [sha256.Size]byte{})
	type entry struct {
		key  []byte
		user UserID
	}
	var expired []entry // collected first: deleting under a cursor would make it skip
	c := byExpiry.Cursor()
	for k, v := c.First(); k != nil && bytes.Compare(k, limit) < 0 && len(expired) < pruneLimit; k, v = c.Next() {
		if len(k) != len(limit) {
			return fmt.Errorf("token expiry key of %d bytes: %w", len(k), ErrDamaged)
		}
		expired = append(expired, entry{bytes.Clone(k), UserID(v)})
	}
	for _, e := range expired {
		if err := tokens.Delete(e.key[8:]); err != nil {
			return err
		}
		if err := byExpiry.Delete(e.key); err != nil {
			return err
		}
		if err := forgetGuest(tx, e.user, now); err != nil {
			return err
		}
	}
	return nil
}

// expiryKey sorts by time: milliseconds since 1970, big endian, and the hash to make it unique.
func expiryKey(t time.Time, hash [sha256.Size]byte) []byte {
	ms := max(t.UnixMilli(), 0)
	return append(binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(hash)), uint64(ms)), hash[:]...)
}
