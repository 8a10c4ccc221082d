package store

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"go.etcd.io/bbolt"
)

// touchEvery is how old the time of last use may grow before it is written anew.
const touchEvery = time.Hour

// Device is a token as its user sees it.
type Device struct {
	ID      DeviceID  `json:"id"`
	User    UserID    `json:"-"`
	Label   string    `json:"label,omitempty"`
	Created time.Time `json:"created"`
	Seen    time.Time `json:"seen"`    // to within an hour
	Expires time.Time `json:"expires"` // unless it is used before
}

func (t token) public() Device {
	return Device{ID: t.Device, User: t.User, Label: t.Label, Created: t.Created, Seen: t.Seen, Expires: t.Expires}
}

// Device returns what this secret's token is. The error is that of UserByToken.
func (db *DB) Device(secret string, now time.Time) (Device, error) {
	var t token
	err := db.view(func(tx *bbolt.Tx) error {
		var err error
		t, err = validToken(tx, sha256.Sum256([]byte(secret)), now)
		return err
	})
	if err != nil {
		return Device{}, err
	}
	return t.public(), nil
}

// Touch notes that a token is in use, which puts off its end where it has an idle time. It writes at most once an hour and otherwise only
// reads; the write takes as long as a commit does. The error is that of UserByToken.
func (db *DB) Touch(secret string, now time.Time) error {
	return db.touch(sha256.Sum256([]byte(secret)), now)
}

// TouchDevice is Touch for the user's token of this ID. The error is ErrNotFound if there is none any more, and ErrExpired.
func (db *DB) TouchDevice(id UserID, device DeviceID, now time.Time) error {
	var hash [sha256.Size]byte
	err := db.view(func(tx *bbolt.Tx) error {
		key := tx.Bucket(devicesBucket).Get(deviceKey(id, device))
		if len(id) != idSize || len(device) != idSize || len(key) != expiryKeySize {
			return fmt.Errorf("device %s of user %s: %w", device, id, ErrNotFound)
		}
		hash = hashOfEntry(key)
		return nil
	})
	if err != nil {
		return err
	}
	return db.touch(hash, now)
}

func (db *DB) touch(hash [sha256.Size]byte, now time.Time) error {
	var t token
	due := func(tx *bbolt.Tx) (err error) {
		t, err = validToken(tx, hash, now)
		return err
	}
	err := db.view(due)
	if err != nil || now.Sub(t.Seen) < touchEvery {
		return err
	}
	err = db.update(func(tx *bbolt.Tx) error {
		if err := due(tx); err != nil || now.Sub(t.Seen) < touchEvery {
			return err
		}
		if err := tx.Bucket(tokenExpiryBucket).Delete(expiryKey(t.Expires, hash)); err != nil {
			return err
		}
		t.Seen = now.UTC()
		if t.Idle > 0 {
			t.Expires = earlier(t.Until, t.Seen.Add(t.Idle))
		}
		return putToken(tx, hash, t)
	})
	if err != nil {
		return fmt.Errorf("touch token: %w", err)
	}
	return nil
}

// Devices returns the user's tokens that are good at the time now, the one used last first.
func (db *DB) Devices(id UserID, now time.Time) ([]Device, error) {
	var list []Device
	err := db.view(func(tx *bbolt.Tx) error {
		if err := personIn(tx, id); err != nil {
			return err
		}
		var err error
		list, err = devicesIn(tx, id, now)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("devices of user %s: %w", id, err)
	}
	return list, nil
}

func devicesIn(tx *bbolt.Tx, id UserID, now time.Time) ([]Device, error) {
	var list []Device
	var err error
	under(tx.Bucket(devicesBucket), []byte(id), func(_, v []byte) bool {
		var t token
		t, err = tokenOfEntry(tx, v)
		if err == nil && t.User == id && now.Before(t.Expires) {
			list = append(list, t.public())
		}
		return err == nil
	})
	slices.SortStableFunc(list, func(a, b Device) int { return b.Seen.Compare(a.Seen) })
	return list, err
}

// EndDevice makes the user's token of this ID worthless. The error is ErrNotFound if there is none.
func (db *DB) EndDevice(id UserID, device DeviceID) error {
	err := db.update(func(tx *bbolt.Tx) error {
		if len(id) != idSize || len(device) != idSize {
			return ErrNotFound
		}
		v := tx.Bucket(devicesBucket).Get(deviceKey(id, device))
		t, err := tokenOfEntry(tx, v)
		if err != nil {
			return err
		}
		if t.User == "" {
			return ErrNotFound
		}
		return removeToken(tx, hashOfEntry(v))
	})
	if err != nil {
		return fmt.Errorf("end device %s of user %s: %w", device, id, err)
	}
	return nil
}

// EndDevices makes all of the user's tokens worthless, but for the one of this ID if it is not empty.
func (db *DB) EndDevices(id UserID, except DeviceID) error {
	err := db.update(func(tx *bbolt.Tx) error {
		if err := personIn(tx, id); err != nil {
			return err
		}
		var hashes [][sha256.Size]byte
		under(tx.Bucket(devicesBucket), []byte(id), func(k, v []byte) bool {
			if DeviceID(k[idSize:]) != except && len(v) == expiryKeySize {
				hashes = append(hashes, hashOfEntry(v))
			}
			return true
		})
		for _, h := range hashes {
			if err := removeToken(tx, h); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("end devices of user %s: %w", id, err)
	}
	return nil
}

func deviceKey(id UserID, device DeviceID) []byte { return []byte(string(id) + string(device)) }

// hashOfEntry returns the hash in a key of tokenExpiryBucket.
func hashOfEntry(key []byte) (hash [sha256.Size]byte) {
	copy(hash[:], key[8:])
	return hash
}

// tokenOfEntry returns the token to which a key of tokenExpiryBucket leads, an empty one if it was deleted.
func tokenOfEntry(tx *bbolt.Tx, key []byte) (token, error) {
	if key == nil {
		return token{}, nil
	}
	if len(key) != expiryKeySize {
		return token{}, fmt.Errorf("token expiry key of %d bytes: %w", len(key), ErrDamaged)
	}
	rec := tx.Bucket(tokensBucket).Get(key[8:])
	if rec == nil {
		return token{}, nil
	}
	var t token
	if err := decode(rec, &t); err != nil {
		return token{}, fmt.Errorf("token: %w", err)
	}
	return t, nil
}

// removeEntry removes a token with its entries in the lists, by its key in tokenExpiryBucket.
func removeEntry(tx *bbolt.Tx, id UserID, key []byte) error {
	if len(key) == expiryKeySize { // else it leads nowhere
		if err := tx.Bucket(tokensBucket).Delete(key[8:]); err != nil {
			return err
		}
	}
	if err := tx.Bucket(tokenExpiryBucket).Delete(key); err != nil {
		return err
	}
	b := tx.Bucket(devicesBucket)
	var device []byte
	under(b, []byte(id), func(k, v []byte) bool {
		if bytes.Equal(v, key) {
			device = bytes.Clone(k)
		}
		return device == nil
	})
	return b.Delete(device) // nothing, if there is none
}

// removeTokens removes all tokens of a user, and their entries in the lists.
func removeTokens(tx *bbolt.Tx, id UserID) error {
	b := tx.Bucket(devicesBucket)
	for _, k := range keysUnder(b, []byte(id)) {
		if err := removeEntry(tx, id, bytes.Clone(b.Get(k))); err != nil {
			return err
		}
	}
	return nil
}

// makeRoomForToken ends the least recently used tokens of a user who has MaxDevices.
func makeRoomForToken(tx *bbolt.Tx, id UserID) error {
	type entry struct {
		key  []byte
		seen time.Time
	}
	var list []entry
	under(tx.Bucket(devicesBucket), []byte(id), func(_, v []byte) bool {
		t, err := tokenOfEntry(tx, v)
		if err != nil {
			t.Seen = time.Time{}
		}
		list = append(list, entry{bytes.Clone(v), t.Seen}) // those that are deleted or cannot be read, which have no time, first
		return true
	})
	if len(list) < MaxDevices {
		return nil
	}
	slices.SortStableFunc(list, func(a, b entry) int { return a.seen.Compare(b.seen) })
	for _, e := range list[:len(list)-MaxDevices+1] {
		if err := removeEntry(tx, id, e.key); err != nil {
			return err
		}
	}
	return nil
}

// listDevices gives the tokens of schema 2 what those of schema 3 have: an ID, a time of last use, and an entry under their user.
// Tokens whose user is gone go too, and what is left of deleted ones, but for guests.
func listDevices(tx *bbolt.Tx) error {
	type entry struct {
		key  []byte
		user UserID
	}
	var list []entry
	err := tx.Bucket(tokenExpiryBucket).ForEach(func(k, v []byte) error {
		if len(k) != expiryKeySize {
			return fmt.Errorf("token expiry key of %d bytes: %w", len(k), ErrDamaged)
		}
		list = append(list, entry{bytes.Clone(k), UserID(v)})
		return nil
	})
	if err != nil {
		return err
	}
	for _, e := range list {
		t, err := tokenOfEntry(tx, e.key)
		if err != nil {
			return err
		}
		u, err := userIn(tx, e.user)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if err != nil || t.User == "" && !u.Guest {
			if err := removeEntry(tx, e.user, e.key); err != nil {
				return err
			}
			continue
		}
		device := newDeviceID()
		if t.User != "" {
			t.Device, t.Seen = device, t.Created
			if err := put(tx.Bucket(tokensBucket), e.key[8:], t); err != nil {
				return err
			}
		}
		if err := tx.Bucket(devicesBucket).Put(deviceKey(e.user, device), e.key); err != nil {
			return err
		}
	}
	return nil
}

// cut shortens a text to so many bytes, at the end of a character, and takes out what is no text.
func cut(s string, most int) string {
	if s = strings.ToValidUTF8(s, ""); len(s) <= most {
		return s
	}
	for !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}
