package store

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"
)

// recoveryCodes is how many are made at a time; each is of 80 random bits, so a plain hash protects it.
const (
	recoveryCodes     = 10
	recoveryCodeBytes = 10
)

// SetPassword changes the password hash, ends all tokens of the account and makes a new one for who changed it. The error is
// ErrChanged if the hash is not old any more.
func (db *DB) SetPassword(id UserID, old, hash string, now time.Time, spec TokenSpec) (secret string, err error) {
	if hash == "" {
		return "", fmt.Errorf("set password of user %s: no hash", id)
	}
	err = db.changeAccount(id, func(tx *bbolt.Tx, a *Account) error {
		if a.Password != old {
			return ErrChanged
		}
		secret, err = replacePassword(tx, a, hash, now, spec)
		return err
	})
	if err != nil {
		return "", err
	}
	return secret, nil
}

func replacePassword(tx *bbolt.Tx, a *Account, hash string, now time.Time, spec TokenSpec) (secret string, err error) {
	a.Password, a.PasswordChanged = hash, now
	if err := removeTokens(tx, a.User); err != nil {
		return "", err
	}
	return createToken(tx, a.User, now, spec)
}

// Rehash puts a better hash of the same password in the place of the old one. The error is ErrChanged if the hash is not old any more.
func (db *DB) Rehash(id UserID, old, hash string) error {
	if hash == "" {
		return fmt.Errorf("rehash password of user %s: no hash", id)
	}
	return db.changeAccount(id, func(_ *bbolt.Tx, a *Account) error {
		if a.Password != old {
			return ErrChanged
		}
		a.Password = hash
		return nil
	})
}

// NewRecoveryCodes makes codes, each good for one Recover, in the place of all older ones. Only their hashes are stored.
func (db *DB) NewRecoveryCodes(id UserID) ([]string, error) {
	codes, hashes := make([]string, recoveryCodes), make([][]byte, recoveryCodes)
	for i := range codes {
		var raw [recoveryCodeBytes]byte
		rand.Read(raw[:]) // never fails, see newID
		code := idEncoding.EncodeToString(raw[:])
		codes[i], hashes[i] = grouped(code), recoveryHash(id, code)
	}
	err := db.changeAccount(id, func(_ *bbolt.Tx, a *Account) error {
		a.Recovery = hashes
		return nil
	})
	if err != nil {
		return nil, err
	}
	return codes, nil
}

// CheckRecoveryCode says whether the account with this folded username has such a code, so that no password need be hashed for one that
// it has not. The error is ErrNotFound for an unknown name and a wrong code alike.
func (db *DB) CheckRecoveryCode(folded, code string) error {
	a, err := db.AccountByName(folded)
	if err != nil {
		return err
	}
	if a.recovery(code) < 0 {
		return fmt.Errorf("recovery code: %w", ErrNotFound)
	}
	return nil
}

// Recover uses up a recovery code of the account with this folded username: it sets the password, ends all tokens and makes a new one.
// The error is ErrNotFound for an unknown name and a wrong code alike.
func (db *DB) Recover(folded, code, hash string, now time.Time, spec TokenSpec) (u User, secret string, err error) {
	if hash == "" {
		return User{}, "", fmt.Errorf("recover %q: no hash", folded)
	}
	a, err := db.AccountByName(folded)
	if err != nil {
		return User{}, "", err
	}
	err = db.changeAccount(a.User, func(tx *bbolt.Tx, a *Account) error {
		i := a.recovery(code)
		if i < 0 || a.Username.Folded != folded {
			return fmt.Errorf("recovery code: %w", ErrNotFound)
		}
		a.Recovery = slices.Delete(a.Recovery, i, i+1)
		if u, err = userIn(tx, a.User); err != nil {
			return err
		}
		secret, err = replacePassword(tx, a, hash, now, spec)
		return err
	})
	if err != nil {
		return User{}, "", err
	}
	return u, secret, nil
}

// ResetPassword lets whoever has shown to own this folded e-mail address into the account that has it: it sets the password, ends all tokens
// and makes a new one. The error is ErrNotFound if no account has the address, or not any more.
func (db *DB) ResetPassword(email, hash string, now time.Time, spec TokenSpec) (u User, secret string, err error) {
	if hash == "" {
		return User{}, "", fmt.Errorf("reset password: no hash")
	}
	a, err := db.AccountByEmail(email)
	if err != nil {
		return User{}, "", err
	}
	err = db.changeAccount(a.User, func(tx *bbolt.Tx, a *Account) error {
		if !a.Verified || a.Email != email {
			return fmt.Errorf("e-mail address: %w", ErrNotFound)
		}
		if u, err = userIn(tx, a.User); err != nil {
			return err
		}
		secret, err = replacePassword(tx, a, hash, now, spec)
		return err
	})
	if err != nil {
		return User{}, "", err
	}
	return u, secret, nil
}

// recovery returns which of the account's codes this is, -1 if none. It takes as long for each.
func (a Account) recovery(code string) int {
	hash, found := recoveryHash(a.User, ungrouped(code)), -1
	for i, h := range a.Recovery {
		if subtle.ConstantTimeCompare(h, hash) == 1 {
			found = i
		}
	}
	return found
}

func recoveryHash(id UserID, code string) []byte {
	hash := sha256.Sum256([]byte(string(id) + code))
	return bytes.Clone(hash[:])
}

// grouped makes a code easier to copy: abcd-efgh-...
func grouped(code string) string {
	var parts []string
	for part := range slices.Chunk([]byte(code), 4) {
		parts = append(parts, string(part))
	}
	return strings.Join(parts, "-")
}

// ungrouped takes back what grouped did and what people do to a code.
func ungrouped(code string) string {
	return strings.ToLower(strings.NewReplacer("-", "", " ", "").Replace(code))
}
