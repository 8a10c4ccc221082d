package matchmaker

import "errors"

// Errors on which a caller may branch.
var (
	// ErrAlreadyWaiting says that this session, or another one of the same user, is in line already.
	ErrAlreadyWaiting = errors.New("already waiting")

	// ErrInRoom says that this session, or another one of the same user, is in a room; it must leave that first.
	ErrInRoom = errors.New("already in a room")

	// ErrUnknownTopic says that a ticket names a topic that this server does not have.
	ErrUnknownTopic = errors.New("unknown topic")

	// ErrNoRoom says that there is no room for this session to go back to: it never was in one, or it has ended.
	ErrNoRoom = errors.New("no room to resume")

	// ErrExpired says that nobody came for a private ticket in its time.
	ErrExpired = errors.New("the partner has not come in time")

	// ErrClosed says that the matcher is shutting down.
	ErrClosed = errors.New("the matcher is closed")
)
