package signaling

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"smalltalk/store"
)

// Names of the session cookie. The __Host- prefix makes browsers insist on Secure, no Domain
// and Path=/. Plain HTTP on a loopback host, for trying out, cannot have it.
const (
	cookieSecure   = "__Host-st"
	cookieLoopback = "st"
)

// nativeHeader marks a client that keeps its token itself and wants it in the reply.
const nativeHeader = "Smalltalk-Client"

// cookieName is the name for this request. Over plain HTTP to another host than loopback it
// is the secure one too: behind a TLS proxy the browser takes it, and in the clear it rightly does not.
func cookieName(r *http.Request) string {
	if r.TLS == nil && isLoopback(r.Host) {
		return cookieLoopback
	}
	return cookieSecure
}

func isLoopback(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

func sessionCookie(r *http.Request, secret string, age time.Duration) *http.Cookie {
	name := cookieName(r)
	return &http.Cookie{
		Name: name, Value: secret, Path: "/", MaxAge: int(age / time.Second),
		Secure: name == cookieSecure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}

// cookieSecret is the token in the request's cookie, or "".
func cookieSecret(r *http.Request) string {
	c, err := r.Cookie(cookieName(r))
	if err != nil {
		return ""
	}
	return c.Value
}

// bearerSecret is the token in the Authorization header (RFC 6750 section 2.1), or "".
func bearerSecret(r *http.Request) string {
	scheme, secret, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(secret)
}

// ourOrigin says if the request's Origin is our own host or one that the operator allows.
func (s *Server) ourOrigin(r *http.Request) bool {
	origin := strings.ToLower(r.Header.Get("Origin"))
	if s.origins[origin] {
		return true
	}
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || !strings.EqualFold(u.Host, r.Host) {
		return false
	}
	// A page loaded in the clear must not drive a session that is encrypted.
	return u.Scheme == "https" || u.Scheme == "http" && r.TLS == nil
}

// rebound says if the request may come from a page of another site whose name was made to point to this
// machine (DNS rebinding): to the browser the server is then that page's own. That takes plain HTTP over a
// loopback address and a name: localhost and IP addresses cannot be rebound, and behind a TLS proxy the
// origin has https.
func (s *Server) rebound(r *http.Request) bool {
	origin := strings.ToLower(r.Header.Get("Origin"))
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "http" || s.origins[origin] || isLoopback(u.Host) {
		return false
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil {
		return false
	}
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return ok && isLoopback(local.String())
}

// credentials is what a WebSocket request brought along.
type credentials struct {
	cookie   string
	noOrigin bool
	addr     netip.Prefix
	host     string // under which the client reached us
	label    string // of the device
}

// userBySecret finds the user of a token.
func (s *Server) userBySecret(secret string, now time.Time) (store.User, *failure) {
	if len(secret) == 0 || len(secret) > maxToken {
		return store.User{}, unauthorized("You are not signed in.")
	}
	user, err := s.cfg.DB.UserByToken(secret, now)
	switch {
	case err == nil:
		return user, nil
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrExpired):
		return store.User{}, unauthorized("You are not signed in any more.")
	default:
		s.log.Error("look up a token", "err", err)
		return store.User{}, errInternal
	}
}

// identity is who the client of a hello is, and by which token.
type identity struct {
	user   store.User
	secret string
	device store.DeviceID
	fresh  bool // a new guest's, who is to be given the token
}

// identify says who the client of a hello is.
func (s *Server) identify(hello *helloMsg, cred credentials) (identity, *failure) {
	now := time.Now()
	who, fail := s.findOrMake(hello, cred, now)
	if fail != nil {
		return identity{}, fail
	}
	if who.user.Guest && s.cfg.Access != AccessOpen {
		return identity{}, errNoGuests
	}
	if fail := s.checkAddress(who.user); fail != nil {
		return identity{}, fail
	}
	device, err := s.cfg.DB.Device(who.secret, now)
	if err != nil {
		return identity{}, s.tokenFailure(err)
	}
	who.device = device.ID
	return who, nil
}

func (s *Server) findOrMake(hello *helloMsg, cred credentials, now time.Time) (identity, *failure) {
	if hello.Token != "" {
		user, fail := s.userBySecret(hello.Token, now)
		return identity{user: user, secret: hello.Token}, fail
	}
	fresh := hello.Guest != nil && hello.Guest.Fresh
	if cred.cookie != "" && !cred.noOrigin && !fresh {
		user, fail := s.userBySecret(cred.cookie, now)
		if fail == nil || hello.Guest == nil {
			return identity{user: user, secret: cred.cookie}, fail
		}
	}
	if hello.Guest == nil {
		if cred.noOrigin && cred.cookie != "" {
			return identity{}, unauthorized("A cookie needs an Origin.")
		}
		return identity{}, unauthorized("You are not signed in.")
	}
	// A guest who would be turned away next is not made.
	if hello.Resume != "" {
		return identity{}, errNotYours
	}
	if s.hub.full() {
		return identity{}, errFull
	}
	user, token, fail := s.newGuest(hello.Guest.Name, cred.addr, cred.label, now)
	return identity{user: user, secret: token, fresh: true}, fail
}

// newGuest makes a guest and a token for it. The name has passed checkName.
func (s *Server) newGuest(name string, addr netip.Prefix, label string, now time.Time) (store.User, string, *failure) {
	if s.cfg.Access != AccessOpen {
		return store.User{}, "", errNoGuests
	}
	if fail := s.guests.take(addr, now); fail != nil {
		return store.User{}, "", fail
	}
	user := store.User{ID: store.NewUserID(), Name: guestName(name), Guest: true, Created: now}
	token, err := s.storeGuest(user, store.TokenSpec{TTL: tokenTTL, Label: label}, now)
	if err != nil {
		if s.guestless.due(now) {
			s.log.Error("make a guest (said once a minute at most)", "err", err)
		}
		return store.User{}, "", errInternal
	}
	s.stats.guests.Add(1)
	return user, token, nil
}

func (s *Server) storeGuest(user store.User, spec store.TokenSpec, now time.Time) (string, error) {
	if err := s.cfg.DB.CreateUser(user); err != nil {
		return "", fmt.Errorf("store the user: %w", err)
	}
	token, err := s.cfg.DB.CreateToken(user.ID, now, spec)
	if err != nil {
		return "", fmt.Errorf("store the token: %w", err)
	}
	return token, nil
}

// infoOf is the user as clients see themselves.
func infoOf(u store.User) userInfo {
	roles := u.Roles
	if roles == nil {
		roles = []string{}
	}
	return userInfo{ID: string(u.ID), Name: u.Name, Guest: u.Guest, Roles: roles}
}
