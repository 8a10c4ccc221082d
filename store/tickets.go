package store

import (
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// Ticket is a person's place in line, and for what kind of partner.
//
// Its key is the session. A session has one place at most, and so it has one record at most, whatever went wrong. In order of age a
// hundred changes of ten thousand tickets would touch fewer pages, but nobody reads in that order more often than at a start.
type Ticket struct {
	Session    SessionID     `json:"session"`
	User       UserID        `json:"user"`
	Topics     []Category    `json:"topics,omitempty"`
	Langs      []string      `json:"langs,omitempty"`
	Strict     bool          `json:"strict,omitempty"`
	WidenAfter time.Duration `json:"widen_after,omitempty"` // nanoseconds
	WidenFrom  time.Time     `json:"widen_from,omitzero"`   // when the wait began that WidenAfter counts; zero is Since
	Widened    uint8         `json:"widened,omitempty"`     // what the person asked to widen, as a set of bits
	Since      time.Time     `json:"since"`                 // the place in line; kept in UTC
	Joined     time.Time     `json:"joined"`                // when this wait began, later than Since for one who kept his place; kept in UTC
}

// Tickets returns all tickets in the order of their sessions. One record that cannot be read is an error for all of them.
func (db *DB) Tickets() ([]Ticket, error) {
	var tickets []Ticket
	err := db.view(func(tx *bbolt.Tx) error {
		return tx.Bucket(ticketsBucket).ForEach(func(k, rec []byte) error {
			t, err := decodeTicket(k, rec)
			tickets = append(tickets, t)
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read tickets: %w", err)
	}
	return tickets, nil
}

func decodeTicket(k, rec []byte) (Ticket, error) {
	var t Ticket
	if err := decode(rec, &t); err != nil {
		return Ticket{}, fmt.Errorf("ticket %q: %w", k, err)
	}
	if string(t.Session) != string(k) {
		return Ticket{}, fmt.Errorf("ticket %q: record says it is of %q: %w", k, t.Session, ErrDamaged)
	}
	return t, nil
}
