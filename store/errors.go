package store

import "errors"

// Errors on which a caller may branch. They come wrapped with the path of the file or the key of the record.
var (
	// ErrLocked says that another process has the database open.
	ErrLocked = errors.New("the database is in use by another process")

	// ErrDamaged says that the file, or a record in it, is not what was written: it was cut short, overwritten, or never was a
	// database of this program.
	ErrDamaged = errors.New("the database is damaged")

	// ErrNewerVersion says that a newer version of this program wrote the file. Nothing was changed in it.
	ErrNewerVersion = errors.New("the database was written by a newer version of this program")

	// ErrNotFound says that there is no such record.
	ErrNotFound = errors.New("not found")

	// ErrExpired says that a token was valid once and is not any more.
	ErrExpired = errors.New("expired")

	// ErrTaken says that a record with this key exists already.
	ErrTaken = errors.New("already taken")
)
