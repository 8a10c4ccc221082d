package store

import (
	"fmt"

	"go.etcd.io/bbolt"
)

// Changes are what one transaction does to the rooms and the line. What is removed is removed first, so a ticket that is in both
// lists is there afterwards.
type Changes struct {
	DeleteRooms   []RoomID
	PutRooms      []Room // over an older record of the same ID if there is one
	DeleteTickets []SessionID
	PutTickets    []Ticket // over an older record of the same session if there is one
}

// Empty says whether there is nothing to do.
func (c Changes) Empty() bool { return c.Len() == 0 }

// Len is how many records change.
func (c Changes) Len() int {
	return len(c.DeleteRooms) + len(c.PutRooms) + len(c.DeleteTickets) + len(c.PutTickets)
}

// Write does all of it in one transaction: after a crash either everything of it is there or nothing. It is no error if what shall
// be removed was not there.
func (db *DB) Write(c Changes) error {
	rooms, tickets, err := c.encode()
	if err != nil {
		return err
	}
	err = db.update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(roomsBucket)
		for _, id := range c.DeleteRooms {
			if err := b.Delete([]byte(id)); err != nil {
				return fmt.Errorf("room %s: %w", id, err)
			}
		}
		for i, r := range c.PutRooms {
			if err := b.Put([]byte(r.ID), rooms[i]); err != nil {
				return fmt.Errorf("room %s: %w", r.ID, err)
			}
		}
		b = tx.Bucket(ticketsBucket)
		for _, s := range c.DeleteTickets {
			if err := b.Delete([]byte(s)); err != nil {
				return fmt.Errorf("ticket %s: %w", s, err)
			}
		}
		for i, t := range c.PutTickets {
			if err := b.Put([]byte(t.Session), tickets[i]); err != nil {
				return fmt.Errorf("ticket %s: %w", t.Session, err)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("write %d changes of rooms and tickets: %w", c.Len(), err)
	}
	return nil
}

// encode makes the records, outside of any transaction.
func (c Changes) encode() (rooms, tickets [][]byte, err error) {
	rooms, tickets = make([][]byte, len(c.PutRooms)), make([][]byte, len(c.PutTickets))
	for i, r := range c.PutRooms {
		if r.ID == "" {
			return nil, nil, fmt.Errorf("write room: no id")
		}
		r.Created = r.Created.UTC()
		if rooms[i], err = encode(r); err != nil {
			return nil, nil, err
		}
	}
	for i, t := range c.PutTickets {
		if t.Session == "" {
			return nil, nil, fmt.Errorf("write ticket: no session")
		}
		t.Since, t.Joined = t.Since.UTC(), t.Joined.UTC()
		if tickets[i], err = encode(t); err != nil {
			return nil, nil, err
		}
	}
	return rooms, tickets, nil
}
