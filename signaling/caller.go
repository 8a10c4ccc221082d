package signaling

import (
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"smalltalk/store"
)

const (
	// tokenTTL is how long a token lasts.
	tokenTTL = 90 * 24 * time.Hour
	// accountIdle is how long somebody with an account stays signed in on a device that is not used.
	accountIdle = 14 * 24 * time.Hour
)

// caller is who sends a request.
type caller struct {
	user   store.User
	secret string
	device store.DeviceID
	addr   netip.Prefix
}

// keepsToken says if the client keeps its token itself. Then its cookies are not looked at: a page must never get to
// read a token.
func keepsToken(r *http.Request) bool {
	return r.Header.Get(nativeHeader) == "native" || bearerSecret(r) != ""
}

// secretOf is the token a request signs in with.
func secretOf(r *http.Request) string {
	if keepsToken(r) {
		return bearerSecret(r)
	}
	return cookieSecret(r)
}

// caller says who sends the request.
func (s *Server) caller(c echo.Context) (caller, *failure) {
	r, now := c.Request(), time.Now()
	who := caller{secret: secretOf(r), addr: clientAddr(r)}
	var fail *failure
	if who.user, fail = s.userBySecret(who.secret, now); fail != nil {
		return caller{}, fail
	}
	// The token is good, or was a moment ago.
	device, err := s.cfg.DB.Device(who.secret, now)
	if err == nil {
		err = s.cfg.DB.Touch(who.secret, now)
	}
	if err != nil {
		return caller{}, s.tokenFailure(err)
	}
	who.device = device.ID
	return who, nil
}

// owner is caller for what takes an account.
func (s *Server) owner(c echo.Context) (caller, *failure) {
	who, fail := s.caller(c)
	if fail == nil && who.user.Guest {
		return caller{}, errAccountRequired
	}
	return who, fail
}

// deviceToken is what a token for the device that sends the request is good for.
func deviceToken(r *http.Request, given string) store.TokenSpec {
	return store.TokenSpec{TTL: tokenTTL, Idle: accountIdle, Label: deviceLabel(r, given)}
}

// hand gives the client its new token: a native one keeps it itself, a browser gets a cookie.
func hand(c echo.Context, secret string) (token string) {
	if keepsToken(c.Request()) {
		return secret
	}
	c.SetCookie(sessionCookie(c.Request(), secret, tokenTTL))
	return ""
}

// goOn lets the session of somebody who logs in anew, as one does to confirm something by passkey, go on with the new token. It comes before
// replaceOld.
func (s *Server) goOn(r *http.Request, user store.User, secret string, now time.Time) {
	old, err := s.cfg.DB.Device(secretOf(r), now)
	if err != nil || old.User != user.ID {
		return // replaceOld ends what is somebody else's
	}
	s.moveDevices(user, func(id store.DeviceID) bool { return id == old.ID }, secret, now)
}

// keepBlocks keeps away from the user who logs in whom he has blocked as the guest that he was until now. It comes before replaceOld.
func (s *Server) keepBlocks(r *http.Request, user store.User, now time.Time) {
	old, err := s.cfg.DB.UserByToken(secretOf(r), now)
	if err != nil || !old.Guest {
		return
	}
	copied, err := s.cfg.DB.CopyBlocks(old.ID, user.ID)
	if err != nil {
		s.log.Error("copy the blocks of a guest", "err", err)
	}
	if copied {
		s.refresh(user.ID)
	}
}

// replaceOld makes the token with which a client came worthless, once it has a new one, and ends the session on it.
func (s *Server) replaceOld(r *http.Request, now time.Time) {
	old := secretOf(r)
	if old == "" || len(old) > maxToken {
		return
	}
	device, err := s.cfg.DB.Device(old, now)
	if err != nil {
		return // it was worthless already
	}
	if err := s.cfg.DB.DeleteToken(old); err != nil {
		s.log.Error("delete a token", "err", err)
		return
	}
	s.endDevices(device.User, func(id store.DeviceID) bool { return id == device.ID })
}

// endDevices ends the live sessions of a user on the devices of which f says so. Their tokens are worthless already,
// so that they cannot come back.
func (s *Server) endDevices(id store.UserID, f func(store.DeviceID) bool) []*session {
	ended := s.hub.on(id, f)
	for _, live := range ended {
		live.evict(errSignedOut)
	}
	return ended
}

func anyDevice(store.DeviceID) bool { return true }

// maxDevice is how many runes of a device's name a client may give.
const maxDevice = 64

// deviceLabel is what a person shall know a device by: what the client says, or what its browser does.
func deviceLabel(r *http.Request, given string) string {
	if given = strings.TrimSpace(given); given != "" && checkLabel(given) == nil {
		return given
	}
	agent := r.UserAgent()
	browser, system := firstIn(agent, browserMarks), firstIn(agent, systemMarks)
	switch {
	case browser == "":
		return system
	case system == "":
		return browser
	}
	return browser + " on " + system
}

// checkLabel accepts a name for a device or a passkey: up to 64 runes that can be shown.
func checkLabel(label string) *failure {
	if !short(label, maxDevice) {
		return badMessage("The name of a device or passkey is longer than 64 characters.")
	}
	return checkShown(label)
}

// Marks in a User-Agent header, the more special first: most name several others too.
var (
	browserMarks = [][2]string{
		{"Edg", "Edge"}, {"OPR/", "Opera"}, {"SamsungBrowser/", "Samsung Internet"}, {"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"},
		{"CriOS/", "Chrome"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"},
	}
	systemMarks = [][2]string{
		{"Android", "Android"}, {"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Windows", "Windows"}, {"CrOS", "ChromeOS"},
		{"Mac OS X", "macOS"}, {"Linux", "Linux"},
	}
)

func firstIn(agent string, marks [][2]string) string {
	for _, mark := range marks {
		if strings.Contains(agent, mark[0]) {
			return mark[1]
		}
	}
	return ""
}
