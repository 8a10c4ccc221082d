package store

import (
	"crypto/rand"
	"encoding/base32"
)

// UserID names a person, whether guest or with an account. It lasts as long as the user's record.
type UserID string

// SessionID names one client's conversation with the server. It survives a lost connection and a crash of the server.
type SessionID string

// RoomID names one call between two people.
type RoomID string

// Category is the stored form of a topic that people pick.
type Category string

// DeviceID names a token without proving anything, so that a person can tell the tokens apart and end one.
type DeviceID string

// idSize is how long an ID is.
const idSize = 26

// NewUserID returns an ID that nobody has: 128 random bits in 26 characters of a-z and 2-7.
func NewUserID() UserID { return UserID(newID()) }

// NewSessionID returns an ID that nobody has: 128 random bits in 26 characters of a-z and 2-7.
func NewSessionID() SessionID { return SessionID(newID()) }

// NewRoomID returns an ID that nobody has: 128 random bits in 26 characters of a-z and 2-7.
func NewRoomID() RoomID { return RoomID(newID()) }

func newDeviceID() DeviceID { return DeviceID(newID()) }

// idEncoding is base32 in lower case, which is safe in URLs and file names and survives being read aloud.
var idEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

func newID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program if the system has no randomness
	return idEncoding.EncodeToString(b[:])
}
