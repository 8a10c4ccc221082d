package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"smalltalk/store"
)

// adminSays runs one command of the operator's as a process of its own.
func adminSays(t *testing.T, data string, args ...string) (out, errs string, code int) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := program(append([]string{"admin", "--data", data}, args...)...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()
}

// adminJSON runs a command that must succeed, and reads its answer into v.
func adminJSON(t *testing.T, v any, data string, args ...string) {
	t.Helper()
	out, errs, code := adminSays(t, data, append([]string{"--json"}, args...)...)
	if code != exitOK || errs != "" {
		t.Fatalf("admin %v: exit code %d: %s", args, code, errs)
	}
	if err := json.Unmarshal([]byte(out), v); err != nil {
		t.Fatalf("admin %v printed %s: %v", args, out, err)
	}
}

// withAccount makes a data folder in which paula has an account.
func withAccount(t *testing.T) (data string, paula store.User, token string) {
	t.Helper()
	data = t.TempDir()
	db, err := openStore(data)
	if err != nil {
		t.Fatal(err)
	}
	paula, token, err = db.SignUp(store.SignUp{
		Name: "Paula \x1b[31mred", Username: store.Username{Name: "Paula", Folded: "paula", Skeleton: "paula"}, Password: "hash", Email: "p@example.org",
		Token: store.TokenSpec{TTL: time.Hour},
	}, time.Now())
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return data, paula, token
}

// TestAdmin does the same with a server running and without.
func TestAdmin(t *testing.T) {
	for _, running := range []bool{false, true} {
		t.Run(map[bool]string{false: "stopped", true: "running"}[running], func(t *testing.T) {
			data, paula, _ := withAccount(t)
			if running {
				start(t, data)
			}
			adminUsers(t, data, paula)
			adminInvites(t, data)
			for _, tc := range []struct {
				args []string
				want string
			}{
				{[]string{"user", "show", "nobody"}, `"nobody"`},
				{[]string{"user", "role", "nobody", "admin"}, `"nobody"`},
				{[]string{"user", "delete", string(store.NewUserID())}, "nobody with"},
				{[]string{"invite", "revoke", "nothing"}, "invite list"},
				{[]string{"invite", "create", "--uses", "0"}, "--uses"},
				{[]string{"invite", "create", "--valid", "1s"}, "--valid"},
			} {
				out, errs, code := adminSays(t, data, tc.args...)
				if code != exitFailure || out != "" || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, tc.want) {
					t.Errorf("admin %v: exit code %d, printed %q and %q, want %q", tc.args, code, out, errs, tc.want)
				}
			}
		})
	}
}

func adminUsers(t *testing.T, data string, paula store.User) {
	t.Helper()
	var shown adminAccount
	for _, name := range []string{"PAULA", string(paula.ID)} { // the first admin of a fresh server
		adminJSON(t, &shown, data, "user", "role", name, "admin")
		if shown.ID != paula.ID || !slices.Equal(shown.Roles, []string{"admin"}) || shown.Devices != 0 || !shown.Password {
			t.Errorf("role admin: %+v", shown)
		}
	}
	var list []store.Person
	adminJSON(t, &list, data, "user", "list")
	if len(list) != 1 || list[0].ID != paula.ID || list[0].Username != "Paula" || !slices.Equal(list[0].Roles, []string{"admin"}) {
		t.Errorf("list: %+v", list)
	}
	for _, args := range [][]string{{"user", "list"}, {"user", "show", "paula"}} {
		out, _, code := adminSays(t, data, args...)
		if code != exitOK || !strings.Contains(out, string(paula.ID)) || !strings.Contains(out, "Paula") || strings.Contains(out, "\x1b") {
			t.Errorf("%v: exit code %d, printed %q", args, code, out)
		}
	}
	shown = adminAccount{}
	adminJSON(t, &shown, data, "user", "role", "paula", "user")
	if len(shown.Roles) > 0 || shown.Email != "p@example.org" {
		t.Errorf("role user: %+v", shown)
	}
	adminJSON(t, &shown, data, "user", "end-sessions", "paula")
	var gone struct{ Deleted string }
	adminJSON(t, &gone, data, "user", "delete", "paula")
	if gone.Deleted != string(paula.ID) {
		t.Errorf("deleted: %+v", gone)
	}
	adminJSON(t, &list, data, "user", "list")
	if len(list) > 0 {
		t.Errorf("list: %+v", list)
	}
}

func adminInvites(t *testing.T, data string) {
	t.Helper()
	var made struct {
		Code string
		store.Invite
	}
	adminJSON(t, &made, data, "invite", "create", "--uses", "3", "--valid", "2h", "--note", "for the choir")
	if len(made.Code) < 16 || made.Uses != 3 || time.Until(made.Expires) > 2*time.Hour || time.Until(made.Expires) < time.Hour {
		t.Errorf("made %+v", made)
	}
	out, _, code := adminSays(t, data, "invite", "create")
	second, _, _ := strings.Cut(out, "\n")
	if code != exitOK || len(second) != len(made.Code) {
		t.Errorf("exit code %d, printed %q", code, out)
	}
	var list []store.Invite
	adminJSON(t, &list, data, "invite", "list")
	if len(list) != 2 || list[1].ID != made.ID || list[1].Note != "for the choir" {
		t.Errorf("list %+v", list)
	}
	for _, which := range []string{made.ID, second} {
		if out, errs, code := adminSays(t, data, "invite", "revoke", which); code != exitOK || !strings.Contains(out, "revoked") {
			t.Errorf("revoke: exit code %d, printed %q %q", code, out, errs)
		}
	}
	adminJSON(t, &list, data, "invite", "list")
	if list == nil || len(list) > 0 {
		t.Errorf("list %+v", list)
	}
}

// TestAdminEndsLiveSessions: who is signed out or deleted by the operator is thrown
// out of the call, too.
func TestAdminEndsLiveSessions(t *testing.T) {
	p := start(t, t.TempDir())
	var list []store.Person
	known := func() []store.UserID {
		adminJSON(t, &list, dataOf(p), "user", "list", "--guests")
		var ids []store.UserID
		for _, p := range list {
			ids = append(ids, p.ID)
		}
		return ids
	}
	for _, command := range []string{"end-sessions", "delete"} {
		before := known()
		a := guest(t, http.DefaultClient, p.base)
		after := slices.DeleteFunc(known(), func(id store.UserID) bool { return slices.Contains(before, id) })
		if len(after) != 1 {
			t.Fatalf("%d new guests", len(after))
		}
		b := guest(t, http.DefaultClient, p.base)
		a.queue("gaming")
		b.queue("gaming")
		a.expect("match")
		b.expect("match")
		if _, errs, code := adminSays(t, dataOf(p), "user", command, string(after[0])); code != exitOK {
			t.Fatalf("%s: exit code %d: %s", command, code, errs)
		}
		a.expect("error")
		b.expect("call.end")
		if _, errs, code := adminSays(t, dataOf(p), "user", "role", string(after[0]), "admin"); code != exitFailure {
			t.Errorf("after %s: exit code %d: %s", command, code, errs)
		}
		if left := slices.Contains(known(), after[0]); left == (command == "delete") {
			t.Errorf("after %s: still known: %v", command, left)
		}
	}
	if !strings.Contains(p.logged(), "user end-sessions") {
		t.Errorf("the log does not tell:\n%s", p.logged())
	}
}

// TestAdminSocket: it is private, gone after an orderly stop, and what a killed
// server leaves of it is in nobody's way.
func TestAdminSocket(t *testing.T) {
	data, _, _ := withAccount(t)
	path := filepath.Join(data, adminSocketName)
	works := func(when string) {
		t.Helper()
		if out, errs, code := adminSays(t, data, "user", "list"); code != exitOK || !strings.Contains(out, "Paula") {
			t.Errorf("%s: exit code %d, printed %q %q", when, code, out, errs)
		}
	}
	for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		p := start(t, data)
		if info, err := os.Stat(path); err != nil || info.Mode() != fs.ModeSocket|0o600 {
			t.Errorf("the socket: %v, %v", info, err)
		}
		works("running")
		p.stop(sig, 5*time.Second)
		if _, err := os.Lstat(path); (sig == syscall.SIGKILL) != (err == nil) {
			t.Errorf("after %v: %v", sig, err)
		}
		works("after " + sig.String())
	}
	names, err := filepath.Glob(filepath.Join(data, ".admin*"))
	if err != nil || len(names) > 0 {
		t.Errorf("left: %v, %v", names, err)
	}
}

// TestAdminSocketTakesBadClients: who says nothing, or nonsense, or too much
// holds up neither others nor the stop.
func TestAdminSocketTakesBadClients(t *testing.T) {
	data, _, _ := withAccount(t)
	p := start(t, data)
	for _, says := range []string{"", "{", "nonsense\n", `{"do":"shut down"}` + "\n", `{"do":"` + strings.Repeat("x", maxAdminRequest) + `"}`} {
		conn, err := net.Dial("unix", filepath.Join(data, adminSocketName))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, _ = conn.Write([]byte(says)) // it may have hung up
		if strings.Contains(says, "shut down") {
			var reply adminReply
			if err := json.NewDecoder(conn).Decode(&reply); err != nil || reply.Error == "" {
				t.Errorf("an unknown command: %+v, %v", reply, err)
			}
		}
	}
	if out, errs, code := adminSays(t, data, "user", "list"); code != exitOK || !strings.Contains(out, "Paula") {
		t.Errorf("exit code %d, printed %q %q", code, out, errs)
	}
	if code := p.stop(syscall.SIGTERM, 5*time.Second); code != exitOK {
		t.Errorf("exit code %d, log:\n%s", code, p.logged())
	}
}

func TestAdminClearErrors(t *testing.T) {
	held, _, _ := withAccount(t)
	db, err := openStore(held)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	damaged := t.TempDir()
	if err := os.WriteFile(filepath.Join(damaged, "smalltalk.db"), bytes.Repeat([]byte("garbage "), 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, data string
		args       []string
		code       int
		want       []string
	}{
		{"no database", t.TempDir(), []string{"user", "list"}, exitFailure, []string{"no database", "--data"}},
		{"no folder", filepath.Join(t.TempDir(), "x"), []string{"user", "list"}, exitFailure, []string{"no database", "--data"}},
		{"held by another", held, []string{"user", "list"}, exitFailure, []string{"in use", adminSocketName}},
		{"damaged", damaged, []string{"user", "list"}, exitFailure, []string{"damaged", "backup"}},
		{"no such role", held, []string{"user", "role", "paula", "king"}, exitUsage, []string{"admin", "king"}},
		{"no such command", held, []string{"user", "promote"}, exitUsage, []string{"promote"}},
		{"no name", held, []string{"user", "show"}, exitUsage, []string{"<name>"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out, errs, code := adminSays(t, tc.data, tc.args...)
			if code != tc.code || out != "" || strings.Count(errs, "\n") != 1 {
				t.Errorf("exit code %d, printed %q and %q", code, out, errs)
			}
			for _, want := range tc.want {
				if !strings.Contains(errs, want) {
					t.Errorf("printed %q, which does not mention %q", errs, want)
				}
			}
		})
	}
	if names, err := filepath.Glob(filepath.Join(damaged, "*")); err != nil || len(names) != 1 {
		t.Errorf("in the damaged folder: %v, %v", names, err)
	}
}

// TestAdminHelp: its flags are its own, and no settings.
func TestAdminHelp(t *testing.T) {
	for _, args := range [][]string{{"admin", "--help"}, {"admin", "user", "role", "--help"}, {"admin", "invite", "create", "--help"}} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), args, &out, &errs); code != exitOK || errs.Len() > 0 || !strings.Contains(out.String(), "--data") || !strings.Contains(out.String(), "--json") {
			t.Errorf("%v: exit code %d, help:\n%s%s", args, code, out.String(), errs.String())
		}
	}
	t.Setenv("SMALLTALK_USES", "7")
	var out, errs bytes.Buffer
	cmd, err := parse([]string{"admin", "invite", "create"}, &out, &errs)
	if err != nil || cmd.request.Do != inviteCreate || cmd.request.Uses != 1 || cmd.request.Valid != 7*24*time.Hour {
		t.Errorf("got %+v, %v", cmd.request, err)
	}
}

func TestPrintable(t *testing.T) {
	for name, want := range map[string]string{
		"Paula": "Paula", "Ünï ☃": "Ünï ☃", "a\x1b[2Jb": `"a\x1b[2Jb"`, "a\u202eb": `"a\u202eb"`, "a\nb": `"a\nb"`, `say "hi"`: `"say \"hi\""`,
	} {
		if got := printable(name); got != want {
			t.Errorf("%q is printed as %s, want %s", name, got, want)
		}
	}
}
