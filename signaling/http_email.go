package signaling

import (
	"errors"
	"net/http"
	"net/netip"
	"time"

	"github.com/labstack/echo/v4"

	"smalltalk/store"
)

// mailLimits bound how much mail people can have sent. Safe for concurrent use.
type mailLimits struct {
	from addrLimiter
	all  *limiter[struct{}]
	gap  *limiter[string] // by purpose and e-mail address
	to   *limiter[string]
}

func newMailLimits(l Limits) *mailLimits {
	return &mailLimits{
		from: newAddrLimiter(l.Mails), all: newLimiter[struct{}](l.MailsAll),
		gap: newLimiter[string](l.MailGap), to: newLimiter[string](l.MailsTo),
	}
}

// take allows one mail to an e-mail address, or says how long to wait. It is the same for one that nobody has. For each
// purpose it is counted apart: whoever asks for codes to sign up with somebody's address does not keep that person from a
// new password.
func (l *mailLimits) take(from netip.Prefix, purpose, email string, now time.Time) *failure {
	if fail := l.from.take(from, now); fail != nil {
		return fail
	}
	// Before the limits of addresses, so that there are no more of those to remember than mails.
	if fail := l.all.take(struct{}{}, now); fail != nil {
		return fail
	}
	key := purpose + " " + email
	if fail := l.gap.take(key, now); fail != nil {
		return fail
	}
	return l.to.take(key, now)
}

// handleEmailCode mails a code that shows that an address is one's own. The answer is the same, and comes as soon, whether
// or not anybody has the address: what to write is found out when the letter's turn comes.
func (s *Server) handleEmailCode(c echo.Context) error {
	var body emailCodeBody
	if fail := readJSON(c, &body); fail != nil {
		return fail
	}
	var write func(email string, now time.Time) (Mail, bool, error)
	switch body.For {
	case forSignUp:
		write = s.writeSignUp
	case forReset:
		write = s.writeReset
	case forAccount:
		who, fail := s.owner(c)
		if fail != nil {
			return fail
		}
		write = func(email string, now time.Time) (Mail, bool, error) { return s.writeAccount(who.user.ID, email, now) }
	default:
		return badMessage("There are codes for sign_up, account and reset.")
	}
	email, fail := s.readEmail(body.Email, body.For)
	if fail != nil {
		return fail
	}
	if fail := s.mails.take(clientAddr(c.Request()), body.For, email, time.Now()); fail != nil {
		return fail
	}
	if !s.post.add(&letter{write: func(now time.Time) (Mail, bool, error) { return write(email, now) }}) {
		return errPostFull
	}
	return c.JSON(http.StatusAccepted, emailCodeReply{ValidMS: mailCodeTime.Milliseconds()})
}

// readEmail checks an address for a purpose as far as that takes no knowledge of people.
func (s *Server) readEmail(given, purpose string) (string, *failure) {
	if s.post == nil {
		return "", errEmailOff
	}
	email, domain, fail := parseEmail(given)
	if fail != nil {
		return "", fail
	}
	if purpose != forReset { // an account may have one of before the operator chose
		fail = s.takesEmail(domain)
	}
	return email, fail
}

// writeSignUp writes to who wants to sign up with an address, or to whose it is.
func (s *Server) writeSignUp(email string, now time.Time) (Mail, bool, error) {
	account, err := s.cfg.DB.AccountByEmail(email)
	switch {
	case err == nil:
		return s.scribe.accountExists(email, account.Username.Name), true, nil
	case !errors.Is(err, store.ErrNotFound):
		return Mail{}, false, err
	}
	return s.scribe.signUpCode(email, s.codes.create(codeKey(forSignUp, "", email), now)), true, nil
}

// writeAccount writes to who wants to give an account an address, or to whose it is.
func (s *Server) writeAccount(user store.UserID, email string, now time.Time) (Mail, bool, error) {
	owner, err := s.cfg.DB.AccountByEmail(email)
	switch {
	case err == nil && owner.User != user:
		return s.scribe.addressWanted(email, owner.Username.Name), true, nil
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return Mail{}, false, err
	}
	account, err := s.cfg.DB.Account(user)
	if errors.Is(err, store.ErrNotFound) {
		return Mail{}, false, nil // deleted meanwhile
	}
	if err != nil {
		return Mail{}, false, err
	}
	return s.scribe.accountCode(email, s.codes.create(codeKey(forAccount, user, email), now), account.Username.Name), true, nil
}

// writeReset writes to whose address it is, and to nobody else.
func (s *Server) writeReset(email string, now time.Time) (Mail, bool, error) {
	account, err := s.cfg.DB.AccountByEmail(email)
	if errors.Is(err, store.ErrNotFound) {
		return Mail{}, false, nil
	}
	if err != nil {
		return Mail{}, false, err
	}
	return s.scribe.resetCode(email, s.codes.create(codeKey(forReset, "", email), now), account.Username.Name), true, nil
}

// checkMailCode says if the code of this key is right, which stays good. Who guesses waits longer and longer, as with
// passwords, so that nobody can use up the tries of somebody else's codes for ever.
func (s *Server) checkMailCode(addr netip.Prefix, key, code string) *failure {
	now := time.Now()
	try, fail := s.gate.begin("code "+key, addr, now)
	if fail != nil {
		return fail
	}
	if !s.codes.check(key, code, now) {
		return errWrongCode
	}
	try.right()
	return nil
}

// handleSetEmail gives the account an address that was shown to be the person's own.
func (s *Server) handleSetEmail(c echo.Context) error {
	var body emailBody
	if fail := readJSON(c, &body); fail != nil {
		return fail
	}
	who, fail := s.owner(c)
	if fail != nil {
		return fail
	}
	email, fail := s.readEmail(body.Email, forAccount)
	if fail != nil {
		return fail
	}
	account, fail := s.confirmedAccount(c.Request(), who, body.Password)
	if fail != nil {
		return fail
	}
	key := codeKey(forAccount, who.user.ID, email)
	if fail := s.checkMailCode(who.addr, key, body.Code); fail != nil {
		return fail
	}
	giveBack, ok := s.codes.use(key, body.Code, time.Now())
	if !ok {
		return errWrongCode // another request was quicker
	}
	if fail := s.setEmail(who.user.ID, account, email); fail != nil {
		giveBack()
		return fail
	}
	return s.replyMe(c, who.user)
}

// handleDropEmail takes the address off the account.
func (s *Server) handleDropEmail(c echo.Context) error {
	var body confirmBody
	if fail := readJSON(c, &body); fail != nil {
		return fail
	}
	who, fail := s.owner(c)
	if fail != nil {
		return fail
	}
	if s.post == nil {
		return errEmailOff
	}
	if s.lacksEmail(who.user, store.Account{}) { // as it would then
		return errEmailRequired
	}
	account, fail := s.confirmedAccount(c.Request(), who, body.Password)
	if fail != nil {
		return fail
	}
	if fail := s.setEmail(who.user.ID, account, ""); fail != nil {
		return fail
	}
	return s.replyMe(c, who.user)
}

// setEmail stores an address, or none, and tells that of before.
func (s *Server) setEmail(id store.UserID, account store.Account, email string) *failure {
	old, err := s.cfg.DB.SetEmail(id, account.Password, email)
	if errors.Is(err, store.ErrEmailTaken) {
		return errEmailTaken
	}
	if err != nil {
		return s.storeFailure("set an e-mail address", err)
	}
	if old != "" && old != email {
		mail := s.scribe.addressChanged(old, account.Username.Name)
		s.post.add(&letter{write: func(time.Time) (Mail, bool, error) { return mail, true, nil }})
	}
	return nil
}

// tellPassword writes to the person, if there is an address, that the password is another one.
func (s *Server) tellPassword(id store.UserID) {
	if s.post == nil {
		return
	}
	s.post.add(&letter{write: func(time.Time) (Mail, bool, error) {
		account, err := s.cfg.DB.Account(id)
		if errors.Is(err, store.ErrNotFound) {
			return Mail{}, false, nil // deleted meanwhile
		}
		return s.scribe.passwordChanged(account.Email, account.Username.Name), err == nil && account.Verified, err
	}})
}

// handleReset lets somebody in who has forgotten the password but gets the mail. Whether nobody has the address or the code
// is wrong has the same answer.
func (s *Server) handleReset(c echo.Context) error {
	var body resetBody
	if fail := readJSON(c, &body); fail != nil {
		return fail
	}
	r := c.Request()
	if _, fail := newPassword(body.Password); fail != nil {
		return fail
	}
	email, fail := s.readEmail(body.Email, forReset)
	if fail != nil {
		return fail
	}
	key := codeKey(forReset, "", email)
	if fail := s.checkMailCode(clientAddr(r), key, body.Code); fail != nil {
		return fail
	}
	hash, fail := s.hashReset(r, email, body.Password)
	if fail != nil {
		return fail
	}
	now := time.Now()
	giveBack, ok := s.codes.use(key, body.Code, now)
	if !ok {
		return errWrongCode // another request was quicker
	}
	user, secret, err := s.cfg.DB.ResetPassword(email, hash, now, deviceToken(r, body.Device))
	if err != nil {
		giveBack()
		return s.resetFailure(err)
	}
	s.keepBlocks(r, user, now)
	s.replaceOld(r, now)
	s.endDevices(user.ID, anyDevice) // whoever had the account before
	s.tellPassword(user.ID)
	return c.JSON(http.StatusOK, signedInReply{User: infoOf(user), Token: hand(c, secret)})
}

// hashReset checks and hashes a new password for whoever has the address, which the code has shown.
func (s *Server) hashReset(r *http.Request, email, given string) (string, *failure) {
	account, err := s.cfg.DB.AccountByEmail(email)
	if err != nil {
		return "", s.resetFailure(err)
	}
	user, err := s.cfg.DB.User(account.User)
	if err != nil {
		return "", s.resetFailure(err)
	}
	password, fail := newPassword(given, account.Username.Name, user.Name)
	if fail != nil {
		return "", fail
	}
	return s.gate.hash(r.Context(), clientAddr(r), password)
}

func (s *Server) resetFailure(err error) *failure {
	if errors.Is(err, store.ErrNotFound) {
		return errWrongCode // the address is not the account's any more
	}
	return s.storeFailure("reset a password", err)
}
