package store

import "errors"

// Errors on which a caller may branch. They come wrapped with the path of the file or the key of the record.
var (
	// ErrLocked says that another process has the database open.
	ErrLocked = errors.New("the database is in use by another process")

	// ErrDamaged says that the file, or a record in it, is not what was written: it was cut short, overwritten, or never was a
	// database of this program.
	ErrDamaged = errors.New("the database is damaged")

	// ErrNewerVersion says that a newer version of this program wrote the file, in which nothing was changed then, or a record in it.
	ErrNewerVersion = errors.New("the database was written by a newer version of this program")

	// ErrNotFound says that there is no such record.
	ErrNotFound = errors.New("not found")

	// ErrExpired says that a token was valid once and is not any more.
	ErrExpired = errors.New("expired")

	// ErrTaken says that a record with this key exists already.
	ErrTaken = errors.New("already taken")

	// ErrLookAlike says that a username can be mistaken for one that is in use.
	ErrLookAlike = errors.New("looks like a name that is taken")

	// ErrEmailTaken says that another account has this e-mail address.
	ErrEmailTaken = errors.New("another account has this e-mail address")

	// ErrTooMany says that there are as many as there may be.
	ErrTooMany = errors.New("too many")

	// ErrBlocked says that one of the two has blocked the other. The other must not be able to tell.
	ErrBlocked = errors.New("blocked")

	// ErrSelf says that somebody wants with oneself what takes two.
	ErrSelf = errors.New("the same person")

	// ErrGuest says that only an account can have this.
	ErrGuest = errors.New("a guest has no account")

	// ErrChanged says that the record is not what the caller took it for.
	ErrChanged = errors.New("changed meanwhile")

	// ErrInvite says that an invitation is unknown, used up or too old.
	ErrInvite = errors.New("the invitation is not valid")

	// ErrLastWayIn says that without this nobody could get into the account any more.
	ErrLastWayIn = errors.New("the last way into the account")
)
