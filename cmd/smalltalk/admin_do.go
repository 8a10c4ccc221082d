package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/text/secure/precis"

	"smalltalk/signaling"
	"smalltalk/store"
)

// What the operator can ask for, named as on the command line.
const (
	inviteCreate    = "invite create"
	inviteList      = "invite list"
	inviteRevoke    = "invite revoke"
	userList        = "user list"
	userShow        = "user show"
	userRole        = "user role"
	userEndSessions = "user end-sessions"
	userDelete      = "user delete"
)

// peoplePage is how many people one answer lists.
const peoplePage = 500

// adminRequest is one command of the operator. It crosses the socket as JSON.
type adminRequest struct {
	Do     string        `json:"do"`
	Name   string        `json:"name,omitempty"`
	Role   string        `json:"role,omitempty"`
	Uses   int           `json:"uses,omitempty"`
	Valid  time.Duration `json:"valid,omitempty"` // nanoseconds
	Note   string        `json:"note,omitempty"`
	Guests bool          `json:"guests,omitempty"`
	After  string        `json:"after,omitempty"` // the ID after which a list goes on
}

// adminReply is the answer: what belongs to the request, or Error.
type adminReply struct {
	Error   string         `json:"error,omitempty"` // for people
	Code    string         `json:"code,omitempty"`
	Invites []store.Invite `json:"invites,omitempty"`
	People  []store.Person `json:"people,omitempty"`
	More    string         `json:"more,omitempty"` // the list goes on after this ID
	Account *adminAccount  `json:"account,omitempty"`
	Deleted string         `json:"deleted,omitempty"`
}

// adminAccount is what an operator is shown of one person: not with whom the person has to do.
type adminAccount struct {
	store.Person
	Email         string `json:"email,omitempty"`
	EmailVerified bool   `json:"email_verified,omitempty"`
	Password      bool   `json:"password"` // there is one
	Passkeys      int    `json:"passkeys"`
	RecoveryCodes int    `json:"recovery_codes"` // left
	Devices       int    `json:"devices"`
	Friends       int    `json:"friends"`
	Blocks        int    `json:"blocks"`
}

// people is who is signed in at this moment, where a server runs.
type people interface {
	// SignOut ends the live sessions of somebody whose tokens are worthless.
	SignOut(id store.UserID)
	// DeleteUser ends them and deletes the person.
	DeleteUser(ctx context.Context, id store.UserID) error
}

var _ people = (*signaling.Server)(nil)

// nobodyLive stands for them where no server runs.
type nobodyLive struct{ db *store.DB }

func (nobodyLive) SignOut(store.UserID) {}

func (n nobodyLive) DeleteUser(_ context.Context, id store.UserID) error {
	_, err := n.db.DeleteUser(id)
	return err
}

// admin carries out the operator's commands. Any number of goroutines may call it.
type admin struct {
	db   *store.DB
	live people
}

func (a admin) do(ctx context.Context, r adminRequest) (adminReply, error) {
	switch r.Do {
	case inviteCreate:
		return a.createInvite(r)
	case inviteList:
		list, err := a.db.Invites(time.Now())
		return adminReply{Invites: list}, err
	case inviteRevoke:
		err := a.db.RevokeInvite(r.Name)
		if errors.Is(err, store.ErrNotFound) {
			err = errors.New("there is no such invitation: look at smalltalk admin invite list")
		}
		return adminReply{Deleted: r.Name}, err
	case userList:
		return a.list(r)
	}
	id, err := a.find(r.Name)
	if err != nil {
		return adminReply{}, err
	}
	switch r.Do {
	case userShow:
	case userRole:
		err = a.setRole(id, r.Role)
	case userEndSessions:
		if err = a.db.EndDevices(id, ""); err == nil {
			a.live.SignOut(id)
		}
	case userDelete:
		return adminReply{Deleted: string(id)}, a.live.DeleteUser(ctx, id)
	default:
		err = fmt.Errorf("the server knows no command %q: is it of the same version?", r.Do)
	}
	if err != nil {
		return adminReply{}, err
	}
	shown, err := a.show(id)
	return adminReply{Account: shown}, err
}

func (a admin) createInvite(r adminRequest) (adminReply, error) {
	if r.Uses < 1 || r.Uses > store.MaxInviteUses {
		return adminReply{}, fmt.Errorf("--uses %d is out of range: 1 to %d", r.Uses, store.MaxInviteUses)
	}
	if r.Valid < time.Minute || r.Valid > 10*365*24*time.Hour {
		return adminReply{}, fmt.Errorf("--valid %v is out of range: 1m to ten years", r.Valid)
	}
	now := time.Now()
	code, inv, err := a.db.CreateInvite(store.Invite{Uses: r.Uses, Expires: now.Add(r.Valid), Note: r.Note}, now)
	if errors.Is(err, store.ErrTooMany) {
		err = fmt.Errorf("there are %d invitations, the most is %d: revoke some", store.MaxInvites, store.MaxInvites)
	}
	return adminReply{Code: code, Invites: []store.Invite{inv}}, err
}

func (a admin) list(r adminRequest) (adminReply, error) {
	list, err := a.db.People(store.UserID(r.After), peoplePage, r.Guests)
	reply := adminReply{People: list}
	if len(list) == peoplePage {
		reply.More = string(list[len(list)-1].ID)
	}
	return reply, err
}

// find returns who has this username or ID. No username is as long as an ID.
func (a admin) find(name string) (store.UserID, error) {
	if folded, err := precis.UsernameCaseMapped.String(strings.TrimSpace(name)); err == nil {
		account, err := a.db.AccountByName(folded)
		if !errors.Is(err, store.ErrNotFound) {
			return account.User, err
		}
	}
	u, err := a.db.User(store.UserID(name))
	if errors.Is(err, store.ErrNotFound) {
		err = fmt.Errorf("there is nobody with the username or ID %q", name)
	}
	return u.ID, err
}

func (a admin) setRole(id store.UserID, role string) error {
	roles := []string{role}
	switch role {
	case "user":
		roles = nil
	case "moderator", "admin":
	default:
		return fmt.Errorf("there is no role %q: user, moderator or admin", role)
	}
	err := a.db.SetRoles(id, roles)
	if errors.Is(err, store.ErrGuest) {
		return fmt.Errorf("%s is a guest: only an account can have a role", id)
	}
	if err == nil {
		a.live.SignOut(id)
	}
	return err
}

func (a admin) show(id store.UserID) (*adminAccount, error) {
	u, err1 := a.db.User(id)
	account, err2 := a.db.Account(id)
	if errors.Is(err2, store.ErrGuest) || errors.Is(err2, store.ErrNotFound) {
		err2 = nil
	}
	passkeys, err3 := a.db.Passkeys(id)
	devices, err4 := a.db.Devices(id, time.Now())
	friends, err5 := a.db.FriendIDs(id)
	blocks, err6 := a.db.BlockIDs(id)
	if err := errors.Join(err1, err2, err3, err4, err5, err6); err != nil {
		return nil, fmt.Errorf("show user %s: %s", id, strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	shown := &adminAccount{
		Person: store.Person{User: u, Username: account.Username.Name}, Email: account.Email, EmailVerified: account.Verified,
		Password: account.Password != "", Passkeys: len(passkeys), RecoveryCodes: len(account.Recovery),
		Devices: len(devices), Friends: len(friends), Blocks: len(blocks),
	}
	if len(devices) > 0 {
		shown.Seen = devices[0].Seen
	}
	return shown, nil
}
