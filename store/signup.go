package store

import (
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// SignUp is what makes an account.
type SignUp struct {
	User     UserID   // a guest, who becomes the account and keeps the ID; an ID that nobody has is given to the new person; may be empty
	Name     string   // shown to others; empty keeps the guest's, or is the username
	Username Username // must not be taken
	Password string   // hash in PHC form; empty only with a Passkey
	Passkey  *Passkey // may be nil
	Email    string   // folded, and shown to be the person's own; may be empty
	Invite   string   // the code of an invitation, which is used once; empty where none is needed
	Token    TokenSpec
}

// SignUp makes an account and its first token, all in one transaction; a guest's older tokens are worthless then. The errors are ErrTaken
// (the username, the ID or the passkey), ErrLookAlike, ErrEmailTaken and ErrInvite.
func (db *DB) SignUp(s SignUp, now time.Time) (User, string, error) {
	if err := s.check(); err != nil {
		return User{}, "", err
	}
	if s.User == "" {
		s.User = NewUserID()
	}
	var u User
	var secret string
	err := db.update(func(tx *bbolt.Tx) error {
		var err error
		if u, err = s.person(tx, now); err != nil {
			return err
		}
		if err := takeUsername(tx, u.ID, Username{}, s.Username); err != nil {
			return err
		}
		if s.Invite != "" {
			if err := useInvite(tx, s.Invite, now); err != nil {
				return err
			}
		}
		a := Account{User: u.ID, Username: s.Username, Password: s.Password, Created: now}
		if s.Password != "" {
			a.PasswordChanged = now
		}
		if err := takeEmail(tx, &a, s.Email); err != nil {
			return err
		}
		if err := putAccount(tx, a); err != nil {
			return err
		}
		if s.Passkey != nil {
			if err := addPasskey(tx, u.ID, *s.Passkey); err != nil {
				return err
			}
		}
		if err := removeTokens(tx, u.ID); err != nil {
			return err
		}
		secret, err = createToken(tx, u.ID, now, s.Token)
		return err
	})
	if err != nil {
		return User{}, "", fmt.Errorf("sign up %q: %w", s.Username.Name, err)
	}
	return u, secret, nil
}

func (s SignUp) check() error {
	if s.User != "" && len(s.User) != idSize {
		return fmt.Errorf("sign up: %q is no id", s.User)
	}
	if s.Password == "" && s.Passkey == nil {
		return fmt.Errorf("sign up %q: neither a password nor a passkey", s.Username.Name)
	}
	return s.Username.check()
}

// person stores the user of the new account.
func (s SignUp) person(tx *bbolt.Tx, now time.Time) (User, error) {
	u := User{ID: s.User, Name: s.Username.Name, Created: now.UTC()}
	if tx.Bucket(usersBucket).Get([]byte(s.User)) != nil {
		var err error
		if u, err = userIn(tx, s.User); err != nil {
			return User{}, err
		}
		if !u.Guest {
			return User{}, fmt.Errorf("user %s: %w", u.ID, ErrTaken)
		}
		u.Guest = false
	}
	if s.Name != "" {
		u.Name = s.Name
	}
	return u, putUser(tx, u)
}
