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

// MaxDevices is how many tokens a person has at most. One more ends the one that was used least recently.
const MaxDevices = 32

// maxLabel is how many bytes of a device's name are kept.
const maxLabel = 128

// TokenSpec says what a token is good for.
type TokenSpec struct {
	TTL   time.Duration // from now on; must be positive
	Idle  time.Duration // if not 0, it ends this long after it was last used, if that is earlier
	Label string        // what the person shall know the device by; a long one is cut
}

// token is what is kept of a secret, under the secret's SHA-256. tokenExpiryBucket lists the hashes of all tokens by the time they
// expire, each with its user's ID, and devicesBucket the entries there by their users. Both list a guest's deleted tokens too: the last
// one that expires takes the guest with it.
type token struct {
	User    UserID        `json:"user"`
	Device  DeviceID      `json:"device"`
	Label   string        `json:"label,omitempty"`
	Created time.Time     `json:"created"`
	Seen    time.Time     `json:"seen"`
	Expires time.Time     `json:"expires"`        // unless it is used before
	Until   time.Time     `json:"until,omitzero"` // in any case; only where there is an idle time
	Idle    time.Duration `json:"idle,omitempty"` // nanoseconds
}

// CreateToken makes a secret that proves to be this user, for as long as the spec says: 256 random bits in base64url without padding.
// Only its SHA-256 is stored. The error is ErrNotFound if there is no such user. A few tokens that expired before now are removed on the
// way, and with its last one a guest.
func (db *DB) CreateToken(id UserID, now time.Time, spec TokenSpec) (string, error) {
	var secret string
	err := db.update(func(tx *bbolt.Tx) error {
		var err error
		secret, err = createToken(tx, id, now, spec)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("create token: %w", err)
	}
	return secret, nil
}

// RotateToken makes a token for the user of this one, and makes this one worthless. The error is that of UserByToken.
func (db *DB) RotateToken(secret string, now time.Time, spec TokenSpec) (string, error) {
	hash := sha256.Sum256([]byte(secret))
	var fresh string
	err := db.update(func(tx *bbolt.Tx) error {
		t, err := validToken(tx, hash, now)
		if err != nil {
			return err
		}
		if fresh, err = createToken(tx, t.User, now, spec); err != nil {
			return err
		}
		return removeToken(tx, hash)
	})
	if err != nil {
		return "", fmt.Errorf("rotate token: %w", err)
	}
	return fresh, nil
}

func createToken(tx *bbolt.Tx, id UserID, now time.Time, spec TokenSpec) (string, error) {
	if spec.TTL <= 0 || spec.Idle < 0 {
		return "", fmt.Errorf("user %s: lifetime %v, idle time %v", id, spec.TTL, spec.Idle)
	}
	if err := personIn(tx, id); err != nil {
		return "", err
	}
	var raw [32]byte
	rand.Read(raw[:]) // never fails, see newID
	secret := base64.RawURLEncoding.EncodeToString(raw[:])
	t := token{User: id, Device: newDeviceID(), Label: cut(spec.Label, maxLabel), Created: now.UTC(), Seen: now.UTC(), Expires: now.Add(spec.TTL).UTC()}
	if spec.Idle > 0 {
		t.Idle, t.Until = spec.Idle, t.Expires
		t.Expires = earlier(t.Until, t.Seen.Add(t.Idle))
	}
	if err := makeRoomForToken(tx, id); err != nil {
		return "", err
	}
	if err := putToken(tx, sha256.Sum256([]byte(secret)), t); err != nil {
		return "", err
	}
	return secret, pruneTokens(tx, now) // only now: a guest has a token again
}

// UserByToken returns the user whom this secret proves to be at the time now. The error is ErrNotFound for a secret that is
// unknown (or expired so long ago that it was removed) and ErrExpired for one that is too old.
func (db *DB) UserByToken(secret string, now time.Time) (User, error) {
	hash := sha256.Sum256([]byte(secret))
	var u User
	err := db.view(func(tx *bbolt.Tx) error {
		t, err := validToken(tx, hash, now)
		if err != nil {
			return err
		}
		u, err = userIn(tx, t.User)
		return err
	})
	return u, err
}

// DeleteToken makes this secret worthless. It is no error if it was already.
func (db *DB) DeleteToken(secret string) error {
	hash := sha256.Sum256([]byte(secret))
	err := db.update(func(tx *bbolt.Tx) error { return removeToken(tx, hash) })
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

func validToken(tx *bbolt.Tx, hash [sha256.Size]byte, now time.Time) (token, error) {
	t, err := tokenIn(tx, hash)
	if err == nil && !now.Before(t.Expires) {
		err = fmt.Errorf("token of user %s: %w", t.User, ErrExpired)
	}
	return t, err
}

func putToken(tx *bbolt.Tx, hash [sha256.Size]byte, t token) error {
	if err := put(tx.Bucket(tokensBucket), hash[:], t); err != nil {
		return err
	}
	key := expiryKey(t.Expires, hash)
	if err := tx.Bucket(tokenExpiryBucket).Put(key, []byte(t.User)); err != nil {
		return err
	}
	return tx.Bucket(devicesBucket).Put(deviceKey(t.User, t.Device), key)
}

// removeToken removes a token, if it is there. Of a guest's it leaves the entries in the lists, see token.
func removeToken(tx *bbolt.Tx, hash [sha256.Size]byte) error {
	rec := tx.Bucket(tokensBucket).Get(hash[:])
	if rec == nil {
		return nil
	}
	var t token
	err := decode(rec, &t)
	if err := tx.Bucket(tokensBucket).Delete(hash[:]); err != nil {
		return err
	}
	if err != nil {
		return nil //nolint:nilerr // what cannot be read is gone now; its entries in the lists go when their time comes
	}
	if u, err := userIn(tx, t.User); err == nil && u.Guest {
		return nil
	}
	if err := tx.Bucket(tokenExpiryBucket).Delete(expiryKey(t.Expires, hash)); err != nil {
		return err
	}
	return tx.Bucket(devicesBucket).Delete(deviceKey(t.User, t.Device))
}

// pruneTokens removes the oldest tokens that expired before now, pruneLimit of them at most, and the guests who have none any more.
func pruneTokens(tx *bbolt.Tx, now time.Time) error {
	limit := expiryLimit(now)
	type entry struct {
		key  []byte
		user UserID
	}
	var expired []entry // collected first: deleting under a cursor would make it skip
	c := tx.Bucket(tokenExpiryBucket).Cursor()
	for k, v := c.First(); k != nil && bytes.Compare(k, limit) < 0 && len(expired) < pruneLimit; k, v = c.Next() {
		if len(k) != len(limit) {
			return fmt.Errorf("token expiry key of %d bytes: %w", len(k), ErrDamaged)
		}
		expired = append(expired, entry{bytes.Clone(k), UserID(v)})
	}
	for _, e := range expired {
		if err := removeEntry(tx, e.user, e.key); err != nil {
			return err
		}
		if err := forgetGuest(tx, e.user); err != nil {
			return err
		}
	}
	return nil
}

// expiryKeySize is how long a key of tokenExpiryBucket is.
const expiryKeySize = 8 + sha256.Size

// expiryKey sorts by time: milliseconds since 1970, big endian, and the hash to make it unique.
func expiryKey(t time.Time, hash [sha256.Size]byte) []byte {
	ms := max(t.UnixMilli(), 0)
	return append(binary.BigEndian.AppendUint64(make([]byte, 0, expiryKeySize), uint64(ms)), hash[:]...)
}

// expiryLimit is above the keys of what has expired at the time now, and below all others.
func expiryLimit(now time.Time) []byte { return expiryKey(now, [sha256.Size]byte{}) }

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
