package store

import (
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// Member is one of the two people in a room.
type Member struct {
	Session SessionID `json:"session"`
	User    UserID    `json:"user"`
	Node    string    `json:"node,omitempty"` // the server on which the session lives; empty while there is only one
}

// Room is a call between two people.
type Room struct {
	ID      RoomID     `json:"id"`
	Members [2]Member  `json:"members"`
	Topics  []Category `json:"topics,omitempty"` // what both had picked
	Langs   []string   `json:"langs,omitempty"`  // what both speak
	Created time.Time  `json:"created"`          // kept in UTC
}

// PutRoom stores the room, over an older record of the same ID if there is one.
func (db *DB) PutRoom(r Room) error { return db.Write(Changes{PutRooms: []Room{r}}) }

// DeleteRoom removes the room. It is no error if there was none.
func (db *DB) DeleteRoom(id RoomID) error { return db.Write(Changes{DeleteRooms: []RoomID{id}}) }

// Rooms returns all rooms in the order of their IDs. One record that cannot be read is an error for all of them.
func (db *DB) Rooms() ([]Room, error) {
	var rooms []Room
	err := db.view(func(tx *bbolt.Tx) error {
		return tx.Bucket(roomsBucket).ForEach(func(k, rec []byte) error {
			r, err := decodeRoom(k, rec)
			rooms = append(rooms, r)
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read rooms: %w", err)
	}
	return rooms, nil
}

func decodeRoom(k, rec []byte) (Room, error) {
	var r Room
	if err := decode(rec, &r); err != nil {
		return Room{}, fmt.Errorf("room %q: %w", k, err)
	}
	if string(r.ID) != string(k) {
		return Room{}, fmt.Errorf("room %q: record says it is %q: %w", k, r.ID, ErrDamaged)
	}
	return r, nil
}
