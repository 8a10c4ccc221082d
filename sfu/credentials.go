package sfu

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"
)

// sweepInterval is how often sessions are forgotten that nobody revoked.
const sweepInterval = time.Minute

// credentials makes the passwords of user names: TURN credentials need not be
// kept, they are checked by making them again (the TURN REST scheme,
// draft-uberti-behave-turn-rest). They end with the process.
type credentials struct{ secret [32]byte }

func newCredentials() (c credentials) {
	_, _ = rand.Read(c.secret[:]) // never fails

	return c
}

func (c *credentials) password(user string) string {
	mac := hmac.New(sha256.New, c.secret[:])
	_, _ = mac.Write([]byte(user))

	return base64.RawStdEncoding.EncodeToString(mac.Sum(nil))
}

// TURNCredentials returns a user name and a password for TURN that work for
// ttl, and for what was allocated with them for as long as it is used. They are
// bound to session, an arbitrary name of the caller's that they do not tell.
// They are empty if the Engine has no TURN or is closed.
func (e *Engine) TURNCredentials(session string, ttl time.Duration) (user, pass string) {
	if e.turn == nil {
		return "", ""
	}

	return e.turn.issue(session, time.Now(), ttl)
}

// RevokeTURN ends the TURN credentials of a session and what was allocated
// with them. It does nothing if there are none.
func (e *Engine) RevokeTURN(session string) {
	if e.turn != nil {
		e.turn.revoke(session)
	}
}

func (t *turnServer) issue(name string, now time.Time, ttl time.Duration) (user, pass string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return "", ""
	}
	t.sweep(now)
	s := t.byName[name]
	if s == nil {
		var id [10]byte
		_, _ = rand.Read(id[:]) // never fails
		s = &turnSession{
			id: strings.ToLower(base32.StdEncoding.EncodeToString(id[:])), name: name,
			relays: map[*relay]struct{}{},
		}
		t.sessions[s.id], t.byName[name] = s, s
	}
	expires := now.Add(ttl)
	if expires.After(s.expires) {
		s.expires = expires
	}
	user = strconv.FormatInt(expires.Unix(), 10) + ":" + s.id

	return user, t.credentials.password(user)
}

// sweep forgets sessions whose credentials are of no use any more. t.mu is held.
func (t *turnServer) sweep(now time.Time) {
	if now.Sub(t.swept) < sweepInterval {
		return
	}
	t.swept = now
	for id, s := range t.sessions {
		if now.After(s.expires) && len(s.relays) == 0 {
			delete(t.sessions, id)
			delete(t.byName, s.name)
		}
	}
}

func (t *turnServer) revoke(name string) {
	t.mu.Lock()
	s := t.byName[name]
	var ended []*relay
	if s != nil {
		delete(t.sessions, s.id)
		delete(t.byName, name)
		for r := range s.relays {
			ended = append(ended, r)
		}
	}
	t.mu.Unlock()
	for _, r := range ended {
		_ = r.Close() // never fails
	}
}

// authenticate is the server's question for each request: whose is the user
// name, and what is its key. Expired credentials go on for what they have
// allocated already, or a long call would end with them.
func (t *turnServer) authenticate(r *turn.RequestAttributes) (id string, key []byte, ok bool) {
	stamp, id, _ := strings.Cut(r.Username, ":")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	t.mu.Lock()
	s := t.sessions[id]
	used := s != nil && len(s.relays) > 0
	t.mu.Unlock()
	expired := err != nil || time.Now().After(time.Unix(seconds, 0))
	if s == nil || expired && (r.Method == stun.MethodAllocate || !used) {
		t.count.refusedCredentials.Add(1)

		return "", nil, false
	}

	return id, turn.GenerateAuthKey(r.Username, r.Realm, t.credentials.password(r.Username)), true
}
