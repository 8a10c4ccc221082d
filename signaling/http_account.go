package signaling

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"smalltalk/store"
)

// application is what somebody who wants to sign up gives, whether with a password or a passkey.
type application struct{ username, name, invite, email, emailCode string }

// newcomer is what signing up takes, checked, whether with a password or a passkey.
type newcomer struct {
	user     store.UserID // of the guest who becomes an account; empty for somebody new
	username username
	name     string
	invite   string
	email    string // may be empty
	code     string // that was mailed there
}

// welcomeNewcomer checks who wants to sign up: nobody who has an account, with a name that is free, invited where that is
// asked for, and with the e-mail address that is given or asked for.
func (s *Server) welcomeNewcomer(c echo.Context, a application) (newcomer, *failure) {
	now := time.Now()
	parsed, fail := parseUsername(a.username)
	if fail == nil {
		fail = checkName(a.name)
	}
	n := newcomer{username: parsed, name: strings.TrimSpace(a.name), code: a.emailCode}
	if fail == nil {
		n.email, fail = s.newcomersEmail(a)
	}
	if fail != nil {
		return newcomer{}, fail
	}
	switch who, fail := s.caller(c); {
	case fail == nil && !who.user.Guest:
		return newcomer{}, errHasAccount
	case fail == nil:
		n.user = who.user.ID
	case fail.Code == codeInternal:
		return newcomer{}, fail
	}
	if fail := s.signUps.take(clientAddr(c.Request()), now); fail != nil {
		return newcomer{}, fail
	}
	if s.cfg.Access == AccessInvite {
		if err := s.cfg.DB.CheckInvite(a.invite, now); err != nil || a.invite == "" {
			return newcomer{}, s.signUpFailure(err, errInvite)
		}
		n.invite = a.invite
	}
	// Asked before any work is done; SignUp asks again.
	switch _, err := s.cfg.DB.AccountByName(parsed.folded); {
	case err == nil:
		return newcomer{}, errUsernameTaken
	case !errors.Is(err, store.ErrNotFound):
		return newcomer{}, s.signUpFailure(err, errInternal)
	}
	if n.email != "" {
		if fail := s.checkMailCode(clientAddr(c.Request()), codeKey(forSignUp, "", n.email), n.code); fail != nil {
			return newcomer{}, fail
		}
	}
	return n, nil
}

// newcomersEmail is the address that somebody signs up with, or "" for none, where that may be.
func (s *Server) newcomersEmail(a application) (string, *failure) {
	if a.email != "" || a.emailCode != "" {
		return s.readEmail(a.email, forSignUp)
	}
	if s.cfg.Access == AccessDomain {
		return "", errEmailRequired
	}
	return "", nil
}

func (n newcomer) signUp(token store.TokenSpec) store.SignUp {
	return store.SignUp{
		User: n.user, Name: n.name, Username: n.username.stored(), Email: n.email, Invite: n.invite, Token: token,
	}
}

func (n username) stored() store.Username {
	return store.Username{Name: n.typed, Folded: n.folded, Skeleton: n.skeleton}
}

// signUpFailure is what a client hears of an error of the store; nil stands for one that otherwise says.
func (s *Server) signUpFailure(err error, otherwise *failure) *failure {
	switch {
	case err == nil:
		return otherwise
	case errors.Is(err, store.ErrTaken), errors.Is(err, store.ErrLookAlike):
		return errUsernameTaken
	case errors.Is(err, store.ErrEmailTaken):
		return errEmailTaken
	case errors.Is(err, store.ErrInvite):
		return errInvite
	}
	return s.storeFailure("sign up", err)
}

// storeFailure is what a client hears of an error of the store.
func (s *Server) storeFailure(what string, err error) *failure {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return errNotFound
	case errors.Is(err, store.ErrGuest):
		return errAccountRequired
	case errors.Is(err, store.ErrTooMany):
		return errTooMany
	case errors.Is(err, store.ErrLastWayIn):
		return errLastWayIn
	case errors.Is(err, store.ErrChanged):
		return errConfirm // the password is another one by now
	}
	s.log.Error(what, "err", err)
	return errInternal
}

// handleSignUp makes an account with a password, of the guest who asks if it is one.
func (s *Server) handleSignUp(c echo.Context) error {
	var body signUpBody
	if fail := readJSON(c, &body); fail != nil {
		return fail
	}
	r := c.Request()
	password, fail := newPassword(body.Password, body.Username, body.Name)
	if fail != nil {
		return fail
	}
	n, fail := s.welcomeNewcomer(c, application{body.Username, body.Name, body.Invite, body.Email, body.EmailCode})
	if fail != nil {
		return fail
	}
	hash, fail := s.gate.hash(r.Context(), clientAddr(r), password)
	if fail != nil {
		return fail
	}
	signUp := n.signUp(deviceToken(r, body.Device))
	signUp.Password = hash
	user, secret, fail := s.signUp(signUp, n.code)
	if fail != nil {
		return fail
	}
	return c.JSON(http.StatusCreated, signedInReply{User: infoOf(user), Token: hand(c, secret)})
}

// signUp stores the account, and uses up the code that was mailed to its address, if it has one. A guest's session goes on
// as the account's.
func (s *Server) signUp(signUp store.SignUp, code string) (store.User, string, *failure) {
	now := time.Now()
	giveBack := func() {}
	if signUp.Email != "" {
		var ok bool
		if giveBack, ok = s.codes.use(codeKey(forSignUp, "", signUp.Email), code, now); !ok {
			return store.User{}, "", errWrongCode // it is too old by now, or another request was quicker
		}
	}
	user, secret, err := s.cfg.DB.SignUp(signUp, now)
	if err != nil {
		giveBack()
		return store.User{}, "", s.signUpFailure(err, nil)
	}
	s.stats.accounts.Add(1)
	if signUp.User != "" {
		s.moveDevices(user, anyDevice, secret, now)
	}
	return user, secret, nil
}

// moveDevices lets the live sessions of the user whose device f names go on with a new token, and tells them who the
// user is now.
func (s *Server) moveDevices(user store.User, f func(store.DeviceID) bool, secret string, now time.Time) {
	device, err := s.cfg.DB.Device(secret, now)
	if err != nil {
		s.log.Error("look up a device", "err", err)
		return
	}
	for _, live := range s.hub.move(user.ID, f, device.ID) {
		live.tell(user)
	}
}

// tellUser tells all live sessions of the user who the user is now.
func (s *Server) tellUser(user store.User) {
	for _, live := range s.hub.on(user.ID, anyDevice) {
		live.tell(user)
	}
}

func (s *Server) handleMe(c echo.Context) error {
	who, fail := s.caller(c)
	if fail != nil {
		return fail
	}
	return s.replyMe(c, who.user)
}

func (s *Server) replyMe(c echo.Context, user store.User) error {
	me, fail := s.describe(user)
	if fail != nil {
		return fail
	}
	return c.JSON(http.StatusOK, me)
}

// describe is the user as the person sees it.
func (s *Server) describe(user store.User) (meReply, *failure) {
	me := meReply{userInfo: infoOf(user)}
	if user.Guest {
		return me, nil
	}
	account, err := s.cfg.DB.Account(user.ID)
	if errors.Is(err, store.ErrNotFound) {
		return me, nil // one whom an operator's tool has made
	}
	if err != nil {
		return meReply{}, s.storeFailure("read an account", err)
	}
	passkeys, err := s.cfg.DB.Passkeys(user.ID)
	if err != nil {
		return meReply{}, s.storeFailure("read passkeys", err)
	}
	me.Account = &accountInfo{
		Username: account.Username.Name, Password: account.Password != "", Passkeys: len(passkeys),
		RecoveryCodes: len(account.Recovery), HidePresence: account.HidePresence, Created: account.Created.UnixMilli(),
		EmailRequired: s.lacksEmail(user, account),
	}
	if s.post != nil && account.Verified {
		me.Account.Email = account.Email
	}
	return me, nil
}

// handleChange changes what the person asks for. A guest may change the name that is shown and nothing else.
func (s *Server) handleChange(c echo.Context) error {
	var body changeBody
	if fail := readJSON(c, &body); fail != nil {
		return fail
	}
	who, fail := s.caller(c)
	if fail != nil {
		return fail
	}
	if body.Name != nil {
		trimmed := strings.TrimSpace(*body.Name)
		body.Name = &trimmed
		if trimmed == "" {
			return badMessage("The name is empty.")
		}
		if fail := checkName(trimmed); fail != nil {
			return fail
		}
	}
	var token string
	if body.Username != nil || body.Password != nil || body.HidePresence != nil {
		if who.user.Guest {
			return errAccountRequired
		}
		if token, fail = s.changeAccount(c, who, &body); fail != nil {
			return fail
		}
	}
	if body.Name != nil {
		if err := s.cfg.DB.SetName(who.user.ID, *body.Name); err != nil {
			return s.storeFailure("change a name", err)
		}
		who.user.Name = *body.Name
		s.tellUser(who.user)
	}
	me, fail := s.describe(who.user)
	if fail != nil {
		return fail
	}
	me.Token = token
	return c.JSON(http.StatusOK, me)
}

// changeAccount changes what only accounts have, and returns the new token for a native client whose password is new.
// All is checked before anything is changed.
func (s *Server) changeAccount(c echo.Context, who caller, body *changeBody) (token string, fail *failure) {
	account, err := s.cfg.DB.Account(who.user.ID)
	if err != nil {
		return "", s.storeFailure("read an account", err)
	}
	var name username
	if body.Username != nil {
		if name, fail = parseUsername(*body.Username); fail != nil {
			return "", fail
		}
	}
	var hash string
	if body.Password != nil {
		if hash, fail = s.hashChange(c, who, account, body); fail != nil {
			return "", fail
		}
	}
	if body.Username != nil {
		if fail := s.signUps.take(who.addr, time.Now()); fail != nil {
			return "", fail // else one could go through all names to see which are taken
		}
		if err := s.cfg.DB.SetUsername(who.user.ID, name.stored()); err != nil {
			return "", s.signUpFailure(err, nil)
		}
	}
	if body.HidePresence != nil {
		if err := s.cfg.DB.SetHidePresence(who.user.ID, *body.HidePresence); err != nil {
			return "", s.storeFailure("hide presence", err)
		}
		s.people.presenceChanged(who.user.ID)
	}
	if body.Password == nil {
		return "", nil
	}
	return s.setPassword(c, who, account, hash)
}

// hashChange checks and hashes a new password, which takes the current one or a passkey.
func (s *Server) hashChange(c echo.Context, who caller, account store.Account, body *changeBody) (string, *failure) {
	names := []string{account.Username.Name, who.user.Name}
	if body.Username != nil {
		names = append(names, *body.Username)
	}
	password, fail := newPassword(*body.Password, names...)
	if fail != nil {
		return "", fail
	}
	if fail := s.confirm(c.Request(), who, account, body.Current); fail != nil {
		return "", fail
	}
	return s.gate.hash(c.Request().Context(), who.addr, password)
}

// setPassword ends all tokens but the caller's, which it replaces.
func (s *Server) setPassword(c echo.Context, who caller, account store.Account, hash string) (string, *failure) {
	now := time.Now()
	device, err := s.cfg.DB.Device(who.secret, now)
	if err != nil {
		return "", s.tokenFailure(err)
	}
	spec := store.TokenSpec{TTL: tokenTTL, Idle: accountIdle, Label: device.Label}
	secret, err := s.cfg.DB.SetPassword(who.user.ID, account.Password, hash, now, spec)
	if err != nil {
		return "", s.storeFailure("change a password", err)
	}
	mine := func(id store.DeviceID) bool { return id == who.device }
	s.moveDevices(who.user, mine, secret, now)
	fresh, err := s.cfg.DB.Device(secret, now)
	if err != nil {
		return "", s.tokenFailure(err)
	}
	s.endDevices(who.user.ID, func(id store.DeviceID) bool { return id != fresh.ID })
	s.tellPassword(who.user.ID)
	return hand(c, secret), nil
}

// handleDelete removes the person and all that is kept of the person.
func (s *Server) handleDelete(c echo.Context) error {
	var body confirmBody
	if fail := readJSON(c, &body); fail != nil {
		return fail
	}
	who, fail := s.caller(c)
	if fail != nil {
		return fail
	}
	if !who.user.Guest {
		if _, fail := s.confirmedAccount(c.Request(), who, body.Password); fail != nil {
			return fail
		}
	}
	if err := s.DeleteUser(c.Request().Context(), who.user.ID); err != nil {
		return s.storeFailure("delete a user", err)
	}
	c.SetCookie(sessionCookie(c.Request(), "", -time.Second))
	return c.NoContent(http.StatusNoContent)
}

// handleExport hands out all that is kept of the person.
func (s *Server) handleExport(c echo.Context) error {
	who, fail := s.caller(c)
	if fail != nil {
		return fail
	}
	if fail := s.exports.take(who.user.ID, time.Now()); fail != nil {
		return fail
	}
	export, err := s.cfg.DB.Export(who.user.ID)
	if err != nil {
		return s.storeFailure("export a user", err)
	}
	c.Response().Header().Set("Content-Disposition", `attachment; filename="smalltalk.json"`)
	return c.JSONPretty(http.StatusOK, export, "  ")
}

// handleNewCodes makes recovery codes in the place of those there were.
func (s *Server) handleNewCodes(c echo.Context) error {
	var body confirmBody
	if fail := readJSON(c, &body); fail != nil {
		return fail
	}
	who, fail := s.owner(c)
	if fail != nil {
		return fail
	}
	account, fail := s.confirmedAccount(c.Request(), who, body.Password)
	if fail != nil {
		return fail
	}
	codes, err := s.cfg.DB.NewRecoveryCodes(who.user.ID, account.Password)
	if err != nil {
		return s.storeFailure("make recovery codes", err)
	}
	return c.JSON(http.StatusCreated, recoveryReply{Codes: codes})
}

// handleAccess says how one gets in here.
func (s *Server) handleAccess(c echo.Context) error {
	reply := accessReply{
		Access: string(s.cfg.Access), Guests: s.cfg.Access == AccessOpen, Invite: s.cfg.Access == AccessInvite,
		Passkeys: passkeyHost(c.Request()) != "", Email: s.post != nil,
	}
	if s.cfg.Access == AccessDomain {
		reply.EmailDomains = s.cfg.EmailDomains
	}
	return c.JSON(http.StatusOK, reply)
}
