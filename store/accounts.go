package store

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// Username is the name by which somebody signs in. What it must look like, how it is folded and of what its skeleton is made is the
// caller's business; here the folded form and the skeleton are unique.
type Username struct {
	Name     string `json:"name"`     // as typed
	Folded   string `json:"folded"`   // the same for all ways to type it
	Skeleton string `json:"skeleton"` // the same for all names that look alike
}

func (n Username) check() error {
	if n.Name == "" || n.Folded == "" || n.Skeleton == "" {
		return fmt.Errorf("username %q is not complete", n.Name)
	}
	return nil
}

// Account is what a person who is no guest has besides the User.
type Account struct {
	User            UserID    `json:"user"`
	Username        Username  `json:"username"`
	Password        string    `json:"password,omitempty"` // hash in PHC form; empty for one with passkeys only
	HidePresence    bool      `json:"hide_presence,omitempty"`
	Email           string    `json:"email,omitempty"`    // folded
	Verified        bool      `json:"verified,omitempty"` // the person has shown to own the Email
	Created         time.Time `json:"created"`            // kept in UTC
	PasswordChanged time.Time `json:"password_changed,omitzero"`
	Recovery        [][]byte  `json:"recovery,omitempty"` // hashes of the recovery codes that are left
}

// Account returns the account of this user. The error is ErrGuest for a guest and ErrNotFound if there is no such user.
func (db *DB) Account(id UserID) (Account, error) {
	var a Account
	err := db.view(func(tx *bbolt.Tx) error {
		var err error
		a, err = accountIn(tx, id)
		return err
	})
	return a, err
}

// AccountByName returns the account with this folded username, or ErrNotFound.
func (db *DB) AccountByName(folded string) (Account, error) {
	return db.accountBy(usernamesBucket, "username", folded)
}

// AccountByEmail returns the account whose person has shown this folded address to be the own one, or ErrNotFound.
func (db *DB) AccountByEmail(folded string) (Account, error) {
	return db.accountBy(emailsBucket, "e-mail address", folded)
}

func (db *DB) accountBy(bucket []byte, what, key string) (Account, error) {
	var a Account
	err := db.view(func(tx *bbolt.Tx) error {
		id := tx.Bucket(bucket).Get([]byte(key))
		if id == nil {
			return fmt.Errorf("%s %q: %w", what, key, ErrNotFound)
		}
		var err error
		if a, err = accountIn(tx, UserID(id)); err != nil && !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNewerVersion) {
			return fmt.Errorf("%s %q leads to %w: %w", what, key, err, ErrDamaged)
		}
		return err
	})
	return a, err
}

// SetUsername changes the username. The error is ErrTaken or ErrLookAlike if another account has it, or one like it.
func (db *DB) SetUsername(id UserID, n Username) error {
	if err := n.check(); err != nil {
		return err
	}
	return db.changeAccount(id, func(tx *bbolt.Tx, a *Account) error {
		if err := takeUsername(tx, id, a.Username, n); err != nil {
			return err
		}
		a.Username = n
		return nil
	})
}

// SetHidePresence says whether friends shall not see when this person is there.
func (db *DB) SetHidePresence(id UserID, hide bool) error {
	return db.changeAccount(id, func(_ *bbolt.Tx, a *Account) error {
		a.HidePresence = hide
		return nil
	})
}

// SetEmail gives the account an e-mail address that the person has shown to be the own one, in the place of an older one, which is returned.
// An empty one only takes that away. It is for who has shown to be the owner while the password's hash was this one: an address is a way
// in. The errors are ErrEmailTaken if another account has it, and ErrChanged if the password is another one by now.
func (db *DB) SetEmail(id UserID, password, email string) (old string, err error) {
	err = db.changeAccount(id, func(tx *bbolt.Tx, a *Account) error {
		if a.Password != password {
			return ErrChanged
		}
		old = a.Email
		return takeEmail(tx, a, email)
	})
	if err != nil {
		return "", err
	}
	return old, nil
}

// takeEmail gives an address to the account instead of the one that it has; both may be empty.
func takeEmail(tx *bbolt.Tx, a *Account, email string) error {
	b := tx.Bucket(emailsBucket)
	if owner := b.Get([]byte(email)); owner != nil && UserID(owner) != a.User {
		return ErrEmailTaken
	}
	if err := dropEmail(tx, *a); err != nil {
		return err
	}
	a.Email, a.Verified = email, email != ""
	if email == "" {
		return nil
	}
	return b.Put([]byte(email), []byte(a.User))
}

// dropEmail removes the entry by which a verified address is found.
func dropEmail(tx *bbolt.Tx, a Account) error {
	if !a.Verified {
		return nil
	}
	return tx.Bucket(emailsBucket).Delete([]byte(a.Email))
}

// takeUsername gives a name to the user instead of the old one, which may be empty.
func takeUsername(tx *bbolt.Tx, id UserID, old, name Username) error {
	names, skeletons := tx.Bucket(usernamesBucket), tx.Bucket(skeletonsBucket)
	if owner := names.Get([]byte(name.Folded)); owner != nil && UserID(owner) != id {
		return ErrTaken
	}
	if owner := skeletons.Get([]byte(name.Skeleton)); owner != nil && UserID(owner) != id {
		return ErrLookAlike
	}
	if err := dropUsername(tx, old); err != nil {
		return err
	}
	if err := names.Put([]byte(name.Folded), []byte(id)); err != nil {
		return err
	}
	return skeletons.Put([]byte(name.Skeleton), []byte(id))
}

func dropUsername(tx *bbolt.Tx, name Username) error {
	if name.Name == "" {
		return nil
	}
	if err := tx.Bucket(usernamesBucket).Delete([]byte(name.Folded)); err != nil {
		return err
	}
	return tx.Bucket(skeletonsBucket).Delete([]byte(name.Skeleton))
}

func (db *DB) changeAccount(id UserID, change func(*bbolt.Tx, *Account) error) error {
	err := db.update(func(tx *bbolt.Tx) error {
		a, err := accountIn(tx, id)
		if err != nil {
			return err
		}
		if err := change(tx, &a); err != nil {
			return err
		}
		return putAccount(tx, a)
	})
	if err != nil {
		return fmt.Errorf("change account of user %s: %w", id, err)
	}
	return nil
}

func putAccount(tx *bbolt.Tx, a Account) error {
	a.Created = a.Created.UTC()
	if !a.PasswordChanged.IsZero() {
		a.PasswordChanged = a.PasswordChanged.UTC()
	}
	return put(tx.Bucket(accountsBucket), []byte(a.User), a)
}

func accountIn(tx *bbolt.Tx, id UserID) (Account, error) {
	u, err := userIn(tx, id)
	if err != nil {
		return Account{}, err
	}
	rec := tx.Bucket(accountsBucket).Get([]byte(id))
	switch {
	case rec == nil && u.Guest:
		return Account{}, fmt.Errorf("user %s: %w", id, ErrGuest)
	case rec == nil:
		return Account{}, fmt.Errorf("account of user %s: %w", id, ErrNotFound)
	}
	return decodeAccount(id, rec)
}

func decodeAccount(id UserID, rec []byte) (Account, error) {
	var a Account
	if err := decode(rec, &a); err != nil {
		return Account{}, fmt.Errorf("account of user %s: %w", id, err)
	}
	if a.User != id {
		return Account{}, fmt.Errorf("account of user %s: record says it is of %s: %w", id, a.User, ErrDamaged)
	}
	return a, nil
}

// accountIfAny returns an empty one for a guest.
func accountIfAny(tx *bbolt.Tx, id UserID) (Account, error) {
	a, err := accountIn(tx, id)
	if errors.Is(err, ErrGuest) || errors.Is(err, ErrNotFound) {
		return Account{}, nil
	}
	return a, err
}

// Person is a user with the account, if there is one.
type Person struct {
	User
	Username string    `json:"username,omitempty"` // empty for a guest
	Seen     time.Time `json:"seen,omitzero"`      // to within an hour; zero for one without a token
}

// People returns at most limit of those whose IDs come after this one, in the order of IDs; guests only if they are wanted. It is for
// going through all of them in steps.
func (db *DB) People(after UserID, limit int, guests bool) ([]Person, error) {
	var list []Person
	err := db.view(func(tx *bbolt.Tx) error {
		c := tx.Bucket(usersBucket).Cursor()
		k, rec := c.Seek([]byte(after))
		if bytes.Equal(k, []byte(after)) {
			k, rec = c.Next()
		}
		for ; k != nil && len(list) < limit; k, rec = c.Next() {
			u, err := decodeUser(UserID(k), rec)
			if err != nil {
				return err
			}
			if u.Guest && !guests {
				continue
			}
			p := Person{User: u}
			a, err := accountIfAny(tx, u.ID)
			if err != nil {
				return err
			}
			p.Username = a.Username.Name
			if p.Seen, err = lastSeen(tx, u.ID); err != nil {
				return err
			}
			list = append(list, p)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list people: %w", err)
	}
	return list, nil
}

// lastSeen returns when one of the user's tokens was used last.
func lastSeen(tx *bbolt.Tx, id UserID) (seen time.Time, err error) {
	under(tx.Bucket(devicesBucket), []byte(id), func(_, v []byte) bool {
		var t token
		if t, err = tokenOfEntry(tx, v); t.Seen.After(seen) {
			seen = t.Seen
		}
		return err == nil
	})
	return seen, err
}
