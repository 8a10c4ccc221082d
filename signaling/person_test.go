package signaling_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"smalltalk/signaling"
	"smalltalk/store"
)

// quickHash is the least that a password's hash may cost.
func quickHash(c *signaling.Config) { c.Hashing = signaling.Hashing{MemoryKiB: 19 << 10, Passes: 2} }

// person is somebody who keeps the token, as native clients do.
type person struct {
	t        *testing.T
	e        *env
	id       string
	token    string
	username string
	from     string // address, if not empty
	host     string // of the server, if not empty
}

const goodPassword = "correct horse battery"

// guest is a new one.
func (e *env) guest() *person {
	e.t.Helper()
	p := &person{t: e.t, e: e}
	p.come(p.want(http.StatusCreated, http.MethodPost, "/guests", message{}))
	return p
}

// signUp is a new account.
func (e *env) signUp(username string) *person {
	e.t.Helper()
	p := &person{t: e.t, e: e, username: username}
	p.come(p.want(http.StatusCreated, http.MethodPost, "/users", message{"username": username, "password": goodPassword}))
	return p
}

// come takes over what a way in has answered.
func (p *person) come(m message) {
	p.t.Helper()
	p.id, p.token = m.sub("user").str("id"), m.str("token")
	if p.id == "" || p.token == "" {
		p.t.Fatalf("came in as %v", m)
	}
}

// do sends a request with the person's token.
func (p *person) do(method, path string, body any, header ...string) (int, message, *http.Response) {
	p.t.Helper()
	text := ""
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			p.t.Fatal(err)
		}
		text = string(b)
		header = append(header, "Content-Type", jsonType)
	}
	header = append(header, "Smalltalk-Client", "native")
	if p.token != "" {
		header = append(header, "Authorization", "Bearer "+p.token)
	}
	if p.host != "" {
		header = append(header, "Host", p.host)
	}
	if p.from != "" {
		header = append(header, "X-Forwarded-For", p.from)
	}
	return p.e.on(p.t).do(method, "/api/v1"+path, text, header...)
}

// want sends a request that must have this status.
func (p *person) want(status int, method, path string, body any) message {
	p.t.Helper()
	got, m, _ := p.do(method, path, body)
	if got != status {
		p.t.Fatalf("%s %s: %d %v, want %d", method, path, got, m, status)
	}
	return m
}

// refused sends a request that must be refused with this status and code.
func (p *person) refused(status int, code, method, path string, body any) {
	p.t.Helper()
	got, m, _ := p.do(method, path, body)
	if got != status || m.str("code") != code || m.str("message") == "" || m.str("retry") == "" {
		p.t.Errorf("%s %s: %d %v, want %d %s", method, path, got, m, status, code)
	}
}

// ws opens the person's WebSocket.
func (p *person) ws() *client {
	p.t.Helper()
	c := p.e.dial("")
	c.token = p.token
	c.hello(nil)
	return c
}

// meet makes two people last partners and returns the call.
func (e *env) meet(a, b *person) string {
	e.t.Helper()
	call := store.NewRoomID()
	err := e.db.Met(store.Meeting{Call: call, Users: [2]store.UserID{store.UserID(a.id), store.UserID(b.id)}, At: time.Now()})
	if err != nil {
		e.t.Fatal(err)
	}
	return string(call)
}

// befriend makes friends of two people.
func (e *env) befriend(a, b *person) {
	e.t.Helper()
	call := e.meet(a, b)
	a.want(http.StatusOK, http.MethodPost, "/friends/requests", message{"call": call})
	if m := b.want(http.StatusOK, http.MethodPost, "/friends/requests", message{"call": call}); m.str("state") != "friends" {
		e.t.Fatalf("asked each other: %v", m)
	}
}

// items reads a list of a reply.
func (m message) items(key string) []message {
	raw, _ := m[key].([]any)
	list := make([]message, 0, len(raw))
	for _, v := range raw {
		list = append(list, message(v.(map[string]any)))
	}
	return list
}

func contains(list []message, key, value string) bool {
	for _, m := range list {
		if m.str(key) == value {
			return true
		}
	}
	return false
}

// str is a value as JSON.
func str(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// cookieOf is what a browser sends back of a reply's cookie.
func cookieOf(t *testing.T, resp *http.Response) string {
	t.Helper()
	for _, c := range resp.Cookies() {
		if strings.HasSuffix(c.Name, "st") && c.Value != "" {
			return c.Name + "=" + c.Value
		}
	}
	t.Fatalf("no cookie in %v", resp.Header)
	return ""
}
