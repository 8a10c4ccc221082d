package signaling

import (
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"smalltalk/store"
)

// handleLogIn gives whoever knows a password a new token. An older one that came along is worthless then: nobody can
// plant a token that somebody else's log-in makes good.
func (s *Server) handleLogIn(c echo.Context) error {
	var body logInBody
	if fail := readJSON(c, &body); fail != nil {
		return fail
	}
	account, fail := s.logIn(c.Request(), &body, time.Now())
	if fail != nil {
		return fail
	}
	user, err := s.cfg.DB.User(account.User)
	if err != nil {
		return s.storeFailure("read a user", err)
	}
	now := time.Now()
	secret, err := s.cfg.DB.LogIn(user.ID, account.Password, now, deviceToken(c.Request(), body.Device))
	switch {
	case errors.Is(err, store.ErrChanged), errors.Is(err, store.ErrNotFound):
		return errWrongLogin // the password is another one by now, or the account is gone
	case err != nil:
		return s.storeFailure("create a token", err)
	}
	return s.let(c, user, secret, now)
}

// let gives the user who has logged in the new token, in the place of the one that came along.
func (s *Server) let(c echo.Context, user store.User, secret string, now time.Time) error {
	s.goOn(c.Request(), user, secret, now)
	s.keepBlocks(c.Request(), user, now)
	s.replaceOld(c.Request(), now)
	return c.JSON(http.StatusOK, signedInReply{User: infoOf(user), Token: hand(c, secret)})
}

// handleRecover lets somebody in who has lost the password but not the recovery codes.
func (s *Server) handleRecover(c echo.Context) error {
	var body recoverBody
	if fail := readJSON(c, &body); fail != nil {
		return fail
	}
	now := time.Now()
	user, secret, fail := s.recover(c.Request(), &body, now)
	if fail != nil {
		return fail
	}
	s.keepBlocks(c.Request(), user, now)
	s.replaceOld(c.Request(), now)
	s.endDevices(user.ID, anyDevice) // whoever had the account before
	s.tellPassword(user.ID)
	return c.JSON(http.StatusOK, signedInReply{User: infoOf(user), Token: hand(c, secret)})
}

// handleSignOut forgets the token and ends the session that runs on it.
func (s *Server) handleSignOut(c echo.Context) error {
	r := c.Request()
	who, fail := s.caller(c)
	if fail != nil && fail.Code == codeInternal {
		return fail
	}
	if fail == nil {
		if err := s.cfg.DB.DeleteToken(who.secret); err != nil {
			return s.storeFailure("delete a token", err)
		}
		s.endDevices(who.user.ID, func(id store.DeviceID) bool { return id == who.device })
	}
	c.SetCookie(sessionCookie(r, "", -time.Second))
	return c.NoContent(http.StatusNoContent)
}

// handleDevices lists where the person is signed in.
func (s *Server) handleDevices(c echo.Context) error {
	who, fail := s.caller(c)
	if fail != nil {
		return fail
	}
	devices, err := s.cfg.DB.Devices(who.user.ID, time.Now())
	if err != nil {
		return s.storeFailure("list devices", err)
	}
	reply := devicesReply{Sessions: []deviceInfo{}}
	for _, d := range devices {
		reply.Sessions = append(reply.Sessions, deviceInfo{
			ID: string(d.ID), Device: d.Label, Created: d.Created.UnixMilli(), Seen: d.Seen.UnixMilli(),
			Expires: d.Expires.UnixMilli(), Current: d.ID == who.device,
		})
	}
	return c.JSON(http.StatusOK, reply)
}

// handleEndDevice signs the person out somewhere else, or here.
func (s *Server) handleEndDevice(c echo.Context) error {
	who, fail := s.caller(c)
	if fail != nil {
		return fail
	}
	device := store.DeviceID(c.Param("id"))
	if err := s.cfg.DB.EndDevice(who.user.ID, device); err != nil {
		return s.storeFailure("end a device", err)
	}
	s.endDevices(who.user.ID, func(id store.DeviceID) bool { return id == device })
	return c.NoContent(http.StatusNoContent)
}

// tokenFailure is what a client hears of an error with its token.
func (s *Server) tokenFailure(err error) *failure {
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrExpired) {
		return unauthorized("You are not signed in any more.")
	}
	s.log.Error("look up a token", "err", err)
	return errInternal
}
