package store

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"
)

// Export is all that is kept of one person, in a form to be handed out. In the place of secrets it says that there are some. It tells of
// nobody but friends, and of those who have asked to be, who it is: else one could see whom one has met twice. What others keep to be safe
// from the person, their blocks, is theirs and is not in it, nor are the calls that friends have missed, which show when a friend has looked.
type Export struct {
	User             User              `json:"user"`
	Account          *ExportedAccount  `json:"account,omitempty"`
	Devices          []Device          `json:"devices,omitempty"`
	Passkeys         []ExportedPasskey `json:"passkeys,omitempty"`
	Friends          []Friend          `json:"friends,omitempty"`
	RequestsReceived []FriendRequest   `json:"friend_requests_received,omitempty"`
	RequestsSent     []ExportedRequest `json:"friend_requests_sent,omitempty"`
	Blocks           []ExportedBlock   `json:"blocks,omitempty"`
	Partners         []Appearance      `json:"partners,omitempty"`   // the others
	PartnerOf        []Appearance      `json:"partner_of,omitempty"` // the person
	Missed           []MissedCall      `json:"missed_calls,omitempty"`
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

// ExportedRequest is a FriendRequest of the person's own.
type ExportedRequest struct {
	At time.Time `json:"at"`
}

// ExportedBlock is a Block without the other's ID.
type ExportedBlock struct {
	Name string    `json:"name,omitempty"` // at the time of the block; empty once that person is gone
	At   time.Time `json:"at"`
}

// Appearance is somebody as a last partner in one call. With whom does not stand in it.
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
	var sent []FriendRequest
	if e.RequestsReceived, sent, err = requestsIn(tx, id, anyAge); err != nil {
		return err
	}
	for _, r := range sent {
		e.RequestsSent = append(e.RequestsSent, ExportedRequest{r.At})
	}
	blocks, err := blocksIn(tx, id)
	for _, b := range blocks {
		e.Blocks = append(e.Blocks, ExportedBlock{b.Name, b.At})
	}
	return err
}

func (e *Export) meetings(tx *bbolt.Tx, id UserID) error {
	partners := tx.Bucket(partnersBucket)
	mine, err := edges(partners, id)
	if err != nil {
		return err
	}
	for _, of := range mine {
		e.Partners = append(e.Partners, of.appearances()...)
	}
	for _, owner := range others(tx.Bucket(partnerOfBucket), id) {
		of, found, err := edgeIn(partners, owner, id)
		if err != nil {
			return err
		}
		if found {
			e.PartnerOf = append(e.PartnerOf, of.appearances()...)
		}
	}
	// In the order of time: else those of one person would stand together.
	for _, list := range [][]Appearance{e.Partners, e.PartnerOf} {
		slices.SortStableFunc(list, func(a, b Appearance) int { return b.At.Compare(a.At) })
	}
	return nil
}

// appearances are the calls with a last partner, those that are hidden among them.
func (e edge) appearances() (list []Appearance) {
	for _, c := range e.calls() {
		list = append(list, Appearance{Name: c.Name, Call: c.Call, At: c.At})
	}
	return list
}

func (e *Export) missed(tx *bbolt.Tx, id UserID) (err error) {
	e.Missed, err = missedIn(tx, id, anyAge)
	return err
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
