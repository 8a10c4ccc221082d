package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"smalltalk/store"
)

// adminFlags is the command line of the operator's own door.
type adminFlags struct {
	JSON bool `name:"json" env:"-" help:"Print what comes of it as JSON."`

	Invite struct {
		Create inviteFlags `cmd:"" help:"Make an invitation and print its code, which is shown only this once."`
		List   struct{}    `cmd:"" help:"List the invitations that are good."`
		Revoke struct {
			Invitation string `arg:"" placeholder:"ID" help:"Its ID from the list, or its code."`
		} `cmd:"" help:"Make an invitation worthless. Who came in with it stays."`
	} `cmd:"" help:"Invitations, for --access invite."`

	User struct {
		List struct {
			Guests bool `env:"-" help:"Guests, too."`
		} `cmd:"" help:"List those who have an account."`
		Show nameFlag `cmd:"" help:"Show one account."`
		Role struct {
			nameFlag
			Role string `arg:"" enum:"user,moderator,admin" help:"user, moderator or admin."`
		} `cmd:"" help:"Set what an account may do: the first admin is made here. The person must sign in again."`
		EndSessions nameFlag `cmd:"" help:"Sign somebody out everywhere."`
		Delete      nameFlag `cmd:"" help:"Delete somebody and all that is kept of the person. There is no way back."`
	} `cmd:"" help:"Accounts."`
}

type nameFlag struct {
	Name string `arg:"" help:"The username, or the ID."`
}

type inviteFlags struct {
	Uses  int           `env:"-" default:"1" help:"How many people it lets in."`
	Valid time.Duration `env:"-" default:"168h" help:"For how long."`
	Note  string        `env:"-" placeholder:"TEXT" help:"For whom it is, to know it again in the list."`
}

// adminHelp is what --help of the command says.
const adminHelp = `Give the --data of the server. While it runs, the command is carried out by it, through the socket admin.sock in that folder, ` +
	`which only the user who runs the server may open; otherwise the database is opened. The exit code is 0 if it was done, else 1.`

// Help implements kong.HelpProvider.
func (adminFlags) Help() string { return adminHelp }

// request is what the flags ask for; command is their path, as kong names it.
func (f adminFlags) request(command string) adminRequest {
	words := strings.Fields(command)
	r := adminRequest{Do: words[1] + " " + words[2]}
	switch r.Do {
	case inviteCreate:
		r.Uses, r.Valid, r.Note = f.Invite.Create.Uses, f.Invite.Create.Valid, f.Invite.Create.Note
	case inviteRevoke:
		r.Name = f.Invite.Revoke.Invitation
	case userList:
		r.Guests = f.User.List.Guests
	case userShow:
		r.Name = f.User.Show.Name
	case userRole:
		r.Name, r.Role = f.User.Role.Name, f.User.Role.Role
	case userEndSessions:
		r.Name = f.User.EndSessions.Name
	case userDelete:
		r.Name = f.User.Delete.Name
	}
	return r
}

// runAdmin carries out one command and prints what came of it. It returns the exit code.
func runAdmin(ctx context.Context, asJSON bool, r adminRequest, data string, stdout, stderr io.Writer) int {
	reply, err := askAdmin(ctx, data, r)
	if err == nil {
		err = reply.print(stdout, r, asJSON)
	}
	if err != nil {
		fmt.Fprintf(stderr, "smalltalk: %v\n", err)
		return exitFailure
	}
	return exitOK
}

// askAdmin gathers the pages of a long answer.
func askAdmin(ctx context.Context, data string, r adminRequest) (adminReply, error) {
	door, err := openDoor(ctx, data)
	if err != nil {
		return adminReply{}, err
	}
	defer door.close()
	all, err := door.ask(ctx, r)
	for more := all.More; err == nil && more != ""; {
		r.After = more
		var page adminReply
		page, err = door.ask(ctx, r)
		all.People, more = append(all.People, page.People...), page.More
	}
	return all, err
}

// print writes the answer for people, or as one JSON value.
func (a adminReply) print(w io.Writer, r adminRequest, asJSON bool) error {
	if asJSON {
		var v any
		switch r.Do {
		case inviteList:
			v = append([]store.Invite{}, a.Invites...) // never null
		case userList:
			v = append([]store.Person{}, a.People...)
		case inviteCreate:
			v = struct {
				Code string `json:"code"`
				store.Invite
			}{a.Code, a.Invites[0]}
		case inviteRevoke, userDelete:
			v = struct {
				Deleted string `json:"deleted"`
			}{a.Deleted}
		default:
			v = a.Account
		}
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(v)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	switch r.Do {
	case inviteCreate:
		fmt.Fprintf(t, "%s\nfor %d to come in until %s; it is not shown again\n", a.Code, a.Invites[0].Uses, minute(a.Invites[0].Expires))
	case inviteList:
		printInvites(t, a.Invites)
	case userList:
		printPeople(t, a.People)
	case inviteRevoke:
		fmt.Fprintf(t, "invitation %s revoked\n", a.Deleted)
	case userDelete:
		fmt.Fprintf(t, "%s deleted\n", a.Deleted)
	default:
		a.Account.print(t)
	}
	return t.Flush()
}

func printInvites(w io.Writer, list []store.Invite) {
	if len(list) == 0 {
		fmt.Fprintln(w, "no invitations")
		return
	}
	fmt.Fprintln(w, "ID\tLEFT\tUNTIL\tBY\tNOTE")
	for _, i := range list {
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\n", i.ID, i.Uses, minute(i.Expires), orDash(string(i.By)), printable(i.Note))
	}
}

func printPeople(w io.Writer, list []store.Person) {
	if len(list) == 0 {
		fmt.Fprintln(w, "nobody")
		return
	}
	fmt.Fprintln(w, "USERNAME\tNAME\tROLES\tSINCE\tLAST SEEN\tID")
	for _, p := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", orDash(p.Username), printable(p.Name), orDash(strings.Join(p.Roles, ",")), minute(p.Created), minute(p.Seen), p.ID)
	}
}

func (a *adminAccount) print(w io.Writer) {
	ways := fmt.Sprintf("%d passkeys, %d recovery codes", a.Passkeys, a.RecoveryCodes)
	if a.Password {
		ways = "password, " + ways
	}
	for _, line := range [][2]string{
		{"username", orDash(a.Username)}, {"name", printable(a.Name)}, {"id", string(a.ID)}, {"roles", orDash(strings.Join(a.Roles, ","))},
		{"since", minute(a.Created)}, {"last seen", minute(a.Seen)}, {"e-mail", orDash(a.Email)}, {"ways in", ways},
		{"devices", fmt.Sprint(a.Devices)}, {"friends", fmt.Sprint(a.Friends)}, {"blocks", fmt.Sprint(a.Blocks)},
	} {
		fmt.Fprintf(w, "%s\t%s\n", line[0], line[1])
	}
}

func minute(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04")
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return printable(s)
}

// printable takes out what could play tricks on a terminal: people choose their own names.
func printable(s string) string {
	quoted := fmt.Sprintf("%+q", s)
	if plain := fmt.Sprintf("%q", s); plain == `"`+s+`"` {
		return s
	}
	return quoted
}
