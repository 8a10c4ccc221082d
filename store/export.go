package store

import (
	"bytes"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// Export is all that is kept of one person, in a form to be handed out. In the place of secrets it says that there are some. What others keep
// to be safe from the person, their blocks, is theirs and is not in it.
type Export struct {
	User             User              `json:"user"`
	Account          *ExportedAccount  `json:"account,omitempty"`
	Devices          []Device          `json:"devices,omitempty"`
	Passkeys         []ExportedPasskey `json:"passkeys,omitempty"`
	Friends          []Friend          `json:"friends,omitempty"`
	RequestsReceived []FriendRequest   `json:"friend_requests_received,omitempty"`
	RequestsSent     []FriendRequest   `json:"friend_requests_sent,omitempty"`
	Blocks           []Block           `json:"blocks,omitempty"`
	Partners         []Partner         `json:"partners,omitempty"`
	PartnerOf        []Appearance      `json:"partner_of,omitempty"`
	Missed           []MissedCall      `json:"missed_calls,omitempty"`
	MissedBy         []MissedCall      `json:"calls_missed_by_friends,omitempty"` // User is who missed it
	Invites          []Invite          `json:"invitations,omitempty"`
	Rooms            []ExportedRoom    `json:"calls,omitempty"` // that are going on
	Tickets          []Ticket          `json:"places_in_line,omitempty"`
}

// ExportedAccount is an Account without its secrets.
type ExportedAccount struct {
	Username        string    `json:"username"`
	Password        bool      `json:"password"` // there is one
	PasswordChanged time.Time `json:"password_changed,omitzero"`
	RecoveryCodes   int       `json:"recovery_codes"` // left
	HidePresence    bool      `json:"hide_presence"`
	Email           string    `json:"email,omitempty"`
	Verified        bool      `json:"email_verified,omitempty"`
	Created         time.Time `json:"created"`
}

// ExportedPasskey is a Passkey without its credential's record.
type ExportedPasskey struct {
	ID      []byte    `json:"id"`
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
	Used    time.Time `json:"used,omitzero"`
}

// Appearance is the person as one of somebody else's last partners. Who that is does not stand in it.
type Appearance struct {
	Name string    `json:"name"`
	Call RoomID    `json:"call"`
	At   time.Time `json:"at"`
}

// ExportedRoom is a Room without the other's part of it.
type ExportedRoom struct {
	ID      RoomID     `json:"id"`
	Session SessionID  `json:"session"`
	Topics  []Category `json:"topics,omitempty"`
	Langs   []string   `json:"langs,omitempty"`
	Created time.Time  `json:"created"`
}

// anyAge is a time at which nothing is over: what has had its time and was not yet removed is kept, and so exported.
var anyAge time.Time

// Export returns all that is kept of a person. The error is ErrNotFound if there is no such user. It reads all rooms, tickets and
// invitations.
func (db *DB) Export(id UserID) (Export, error) {
	var e Export
	err := db.view(func(tx *bbolt.Tx) error {
		var err error
		if e.User, err = userIn(tx, id); err != nil {
			return err
		}
		for _, part := range []func(*bbolt.Tx, UserID) error{
			e.access, e.relations, e.meetings, e.missed, e.invites, e.live,
		} {
			if err := part(tx, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return Export{}, fmt.Errorf("export user %s: %w", id, err)
	}
	return e, nil
}

func (e *Export) access(tx *bbolt.Tx, id UserID) error {
	a, err := accountIfAny(tx, id)
	if err != nil {
		return err
	}
	if a.User != "" {
		e.Account = &ExportedAccount{
			Username: a.Username.Name, Password: a.Password != "", PasswordChanged: a.PasswordChanged, RecoveryCodes: len(a.Recovery),
			HidePresence: a.HidePresence, Email: a.Email, Verified: a.Verified, Created: a.Created,
		}
	}
	passkeys, err := passkeysIn(tx, id)
	if err != nil {
		return err
	}
	for _, p := range passkeys {
		e.Passkeys = append(e.Passkeys, ExportedPasskey{ID: p.ID, Name: p.Name, Created: p.Created, Used: p.Used})
	}
	e.Devices, err = devicesIn(tx, id, anyAge)
	return err
}

func (e *Export) relations(tx *bbolt.Tx, id UserID) (err error) {
	if e.Friends, err = friendsIn(tx, id); err != nil {
		return err
	}
	if e.RequestsReceived, e.RequestsSent, err = requestsIn(tx, id, anyAge); err != nil {
		return err
	}
	e.Blocks, err = blocksIn(tx, id)
	return err
}

func (e *Export) meetings(tx *bbolt.Tx, id UserID) (err error) {
	if e.Partners, err = partnersIn(tx, id, anyAge); err != nil {
		return err
	}
	for _, owner := range others(tx.Bucket(partnerOfBucket), id) {
		of, found, err := edgeIn(tx.Bucket(partnersBucket), owner, id)
		if err != nil {
			return err
		}
		if found {
			e.PartnerOf = append(e.PartnerOf, Appearance{Name: of.Name, Call: of.Call, At: of.At})
		}
	}
	return nil
}

func (e *Export) missed(tx *bbolt.Tx, id UserID) (err error) {
	if e.Missed, err = missedIn(tx, id, anyAge); err != nil {
		return err
	}
	b := tx.Bucket(missedBucket)
	for _, f := range e.Friends {
		for _, k := range missedFrom(b, f.User, id) {
			m, err := decodeMissed(k, b.Get(k))
			if err != nil {
				return err
			}
			e.MissedBy = append(e.MissedBy, MissedCall{User: f.User, Name: f.Name, At: m.At})
		}
	}
	return nil
}

func (e *Export) invites(tx *bbolt.Tx, id UserID) error {
	return tx.Bucket(invitesBucket).ForEach(func(k, rec []byte) error {
		inv, err := decodeInvite(k, rec)
		if err == nil && inv.By == id {
			e.Invites = append(e.Invites, inv)
		}
		return err
	})
}

func (e *Export) live(tx *bbolt.Tx, id UserID) error {
	rooms, tickets := tx.Bucket(roomsBucket), tx.Bucket(ticketsBucket)
	for _, k := range keysNaming(rooms, id) {
		var r Room
		if err := decode(rooms.Get(k), &r); err != nil {
			return fmt.Errorf("room %q: %w", k, err)
		}
		for _, m := range r.Members {
			if m.User == id {
				e.Rooms = append(e.Rooms, ExportedRoom{ID: r.ID, Session: m.Session, Topics: r.Topics, Langs: r.Langs, Created: r.Created})
			}
		}
	}
	for _, k := range keysNaming(tickets, id) {
		var t Ticket
		if err := decode(tickets.Get(k), &t); err != nil {
			return fmt.Errorf("ticket %q: %w", k, err)
		}
		if bytes.Equal(k, []byte(t.Session)) && t.User == id {
			e.Tickets = append(e.Tickets, t)
		}
	}
	return nil
}
