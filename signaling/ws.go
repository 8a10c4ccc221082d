package signaling

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"smalltalk/store"
)

// handleWS serves one WebSocket from the upgrade to its end.
func (s *Server) handleWS(c echo.Context) error {
	r := c.Request()
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		return &statusError{badMessage("This address is for WebSockets only."), http.StatusUpgradeRequired}
	}
	hasOrigin := r.Header.Get("Origin") != ""
	if hasOrigin && !s.ourOrigin(r) {
		return s.foreignOrigin(r)
	}
	addr := clientAddr(r)
	if fail := s.connects.take(addr, time.Now()); fail != nil {
		return fail
	}
	if !s.open.add(addr) {
		return rateLimited(10 * time.Second)
	}
	defer s.open.remove(addr)
	if !s.begin() {
		return errDraining
	}
	defer s.work.Done()
	conn, err := accept(c.Response(), r, &s.stats.matchSent)
	if err != nil {
		s.log.Debug("upgrade to WebSocket", "err", err) // the reply is written
		return nil
	}
	s.stats.connections.Add(1)
	defer s.stats.connections.Add(-1)
	s.converse(conn, credentials{cookie: cookieSecret(r), noOrigin: !hasOrigin, addr: addr, host: r.Host, label: deviceLabel(r, "")})
	return nil
}

// converse runs the connection's goroutines; itself it does the handshake and then writes.
func (s *Server) converse(c *conn, cred credentials) {
	var both sync.WaitGroup
	both.Go(c.read)
	both.Go(func() { c.keepAlive(s.cfg.Ping) })
	if re, fail := s.handshake(c, cred); fail != nil {
		s.refuse(c, re, fail)
	}
	c.write()
	c.abort() // also when the client went before anybody closed
	both.Wait()
}

// refuse answers a client that has no session and closes its connection.
func (s *Server) refuse(c *conn, re string, fail *failure) {
	s.stats.refused.Add(1)
	b, err := json.Marshal(&errorMsg{head{Type: "error", N: 1, Re: re}, *fail})
	if err != nil {
		s.log.Error("encode an error", "err", err)
	} else {
		c.send(frame{b: b})
	}
	c.close(fail.closeCode())
}

// handshake waits for hello and hands the connection to a session. After a failure, which
// may be one that the client has caused by going away, the connection is still the caller's.
func (s *Server) handshake(c *conn, cred credentials) (re string, fail *failure) {
	hello, re, fail := s.awaitHello(c)
	if fail != nil {
		return re, fail
	}
	if !slices.Contains(hello.Versions, protocolVersion) {
		return re, &failure{
			Code: codeUnsupportedVersion, Message: "The server speaks version 1 of the protocol.", Retry: retryNever,
		}
	}
	who, fail := s.identify(hello, cred)
	if fail != nil {
		return re, fail
	}
	a := attachment{conn: c, host: cred.host, re: re, device: who.device, pair: hello.Pair}
	if who.fresh {
		a.token = who.secret
	}
	if fail := s.admit(a, who.user, hello.Resume); fail != nil {
		return re, fail
	}
	s.work.Go(func() { s.noteUse(who) })
	return re, nil
}

// noteUse notes that the token is in use, and ends the session if the token was ended while the session began: whoever
// did that could not see the session yet.
func (s *Server) noteUse(who identity) {
	s.used(who.user.ID, who.device, s.cfg.DB.Touch(who.secret, time.Now()))
}

// noteStillUsed is noteUse for a session that goes on. Its token may have come to its end, or have given way to others.
func (s *Server) noteStillUsed(live *session) {
	device := s.hub.deviceOf(live)
	s.used(live.user.ID, device, s.cfg.DB.TouchDevice(live.user.ID, device, time.Now()))
}

// used ends the sessions on a device if noting its use has shown that its token is over.
func (s *Server) used(id store.UserID, on store.DeviceID, err error) {
	switch {
	case err == nil:
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrExpired):
		s.endDevices(id, func(device store.DeviceID) bool { return device == on })
	default:
		s.log.Error("note the use of a token", "err", err)
	}
}

func (s *Server) awaitHello(c *conn) (*helloMsg, string, *failure) {
	timer := time.NewTimer(helloWait)
	defer timer.Stop()
	select {
	case ev, ok := <-c.in:
		if !ok {
			return nil, "", badMessage("The connection ended before hello.")
		}
		s.stats.messages.Add(1)
		if ev.fail != nil {
			return nil, ev.id, ev.fail
		}
		hello, ok := ev.msg.(*helloMsg)
		if !ok {
			return nil, ev.id, badMessage("The first message must be hello.")
		}
		return hello, ev.id, nil
	case <-timer.C:
		return nil, "", badMessage("No hello came within 5 seconds.")
	case <-s.stop:
		return nil, "", errDraining
	}
}

// admit gives the connection to the session that the resume token names, or to a new one,
// which replaces an older one of the user on the same device.
func (s *Server) admit(a attachment, user store.User, resume string) *failure {
	fresh := newSession(s, user)
	fresh.device = a.device
	var named *session
	if resume != "" {
		claims, err := s.signer.openResume(resume)
		if err != nil || claims.User != user.ID {
			return errNotYours
		}
		a.seq = claims.Seq
		named = s.hub.session(claims.Session)
		// Expired means that it is no use to look for a room, not that anything is wrong.
		if time.Now().UnixMilli() < claims.Expires {
			fresh.recreate(claims)
		}
	}
	entered := false
	for {
		if named != nil {
			if attached, fail := named.takeOver(a); attached || fail != nil {
				if entered {
					s.lobby.leave(fresh)
				}
				return fail
			}
		}
		if !entered {
			entered = true
			if fail := s.enter(fresh); fail != nil {
				return fail
			}
		}
		old, ok := s.hub.claim(fresh)
		switch {
		case !ok:
			s.lobby.leave(fresh)
			return errFull
		case old != nil && old.id == fresh.id: // another connection was quicker to recreate it
			named = old
			continue
		case old != nil:
			old.evict(errReplaced)
			<-old.released
		}
		s.work.Go(func() { fresh.run(a) })
		return nil
	}
}
