package signaling

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/labstack/echo/v4"

	"smalltalk/store"
)

// handlePasskeyOptions begins the making of a passkey: for a new account if a user name comes along, else for the account
// that is signed in.
func (s *Server) handlePasskeyOptions(c echo.Context) error {
	var body passkeyOptionsBody
	if fail := readJSON(c, &body); fail != nil {
		return fail
	}
	var (
		plan ceremony
		who  *keyholder
		fail *failure
	)
	if body.Username != "" {
		plan, who, fail = s.planSignUp(c, &body)
	} else {
		plan, who, fail = s.planAdd(c, &body)
	}
	if fail != nil {
		return fail
	}
	if passkeyHost(c.Request()) == "" {
		return errNoPasskeys
	}
	plan.Origin = pageOrigin(c.Request())
	party, err := relyingParty(plan.Origin)
	if err != nil {
		return s.passkeyFailure(err)
	}
	known := webauthn.Credentials(who.credentials).CredentialDescriptors()
	options, session, err := party.BeginRegistration(who, webauthn.WithExclusions(known))
	if err != nil {
		return s.passkeyFailure(err)
	}
	plan.Session = *session
	reply, fail := s.beginCeremony(plan, options.Response)
	if fail != nil {
		return fail
	}
	return c.JSON(http.StatusOK, reply)
}

func (s *Server) planSignUp(c echo.Context, body *passkeyOptionsBody) (ceremony, *keyholder, *failure) {
	n, fail := s.welcomeNewcomer(c, application{body.Username, body.Name, body.Invite, body.Email, body.EmailCode})
	if fail != nil {
		return ceremony{}, nil, fail
	}
	id, shown := n.user, n.name
	if id == "" {
		id = store.NewUserID()
	}
	if shown == "" {
		shown = n.username.typed
	}
	plan := ceremony{
		Kind: ceremonySignUp, User: id, Guest: n.user != "", Username: n.username.typed, Name: n.name, Invite: n.invite,
		Email: n.email, Code: n.code,
	}
	return plan, &keyholder{id: id, username: n.username.typed, name: shown}, nil
}

func (s *Server) planAdd(c echo.Context, body *passkeyOptionsBody) (ceremony, *keyholder, *failure) {
	who, fail := s.owner(c)
	if fail != nil {
		return ceremony{}, nil, fail
	}
	if _, fail := s.confirmedAccount(c.Request(), who, body.Password); fail != nil {
		return ceremony{}, nil, fail
	}
	holder, err := s.keyholder(who.user)
	if err != nil {
		return ceremony{}, nil, s.storeFailure("read passkeys", err)
	}
	return ceremony{Kind: ceremonyAdd, User: who.user.ID}, holder, nil
}

// handleNewPasskey ends what handlePasskeyOptions began.
func (s *Server) handleNewPasskey(c echo.Context) error {
	var body passkeyBody
	if fail := readJSON(c, &body); fail != nil {
		return fail
	}
	if fail := checkLabel(body.Label); fail != nil {
		return fail
	}
	done, fail := s.openCeremony(c.Request(), body.Ceremony, ceremonySignUp, ceremonyAdd)
	if fail != nil {
		return fail
	}
	who, fail := s.ceremonyCaller(c, done)
	if fail != nil {
		return fail
	}
	passkey, fail := s.register(done, &body)
	if fail != nil {
		return fail
	}
	now := time.Now()
	if !s.ceremonies.finish(done, now) {
		return errPasskey
	}
	reply := passkeyReply{Passkey: passkeyInfoOf(passkey)}
	if done.Kind == ceremonyAdd {
		if err := s.cfg.DB.AddPasskey(who.user.ID, passkey); err != nil {
			return s.passkeyTaken("add a passkey", err)
		}
		reply.User = infoOf(who.user)
		return c.JSON(http.StatusCreated, reply)
	}
	user, secret, fail := s.signUpByPasskey(c, done, passkey, body.Device)
	if fail != nil {
		return fail
	}
	s.prove(secret, now)
	reply.User, reply.Token = infoOf(user), hand(c, secret)
	return c.JSON(http.StatusCreated, reply)
}

// ceremonyCaller makes sure that who ends a ceremony is who has begun it.
func (s *Server) ceremonyCaller(c echo.Context, done *ceremony) (caller, *failure) {
	who, fail := s.caller(c)
	nobodyYet := done.Kind == ceremonySignUp && !done.Guest
	switch {
	case fail == nil && (who.user.ID != done.User || who.user.Guest != (done.Kind == ceremonySignUp)):
		return caller{}, errPasskey
	case nobodyYet && fail != nil && fail.Code != codeInternal:
		fail = nil
	}
	return who, fail
}

// register checks a new credential.
func (s *Server) register(done *ceremony, body *passkeyBody) (store.Passkey, *failure) {
	parsed, err := protocol.ParseCredentialCreationResponseBytes(body.Credential)
	if err != nil {
		return store.Passkey{}, errPasskey // it is no credential
	}
	party, err := relyingParty(done.Origin)
	if err != nil {
		return store.Passkey{}, s.passkeyFailure(err)
	}
	credential, err := party.CreateCredential(&keyholder{id: done.User}, done.Session, parsed)
	if err != nil {
		return store.Passkey{}, s.passkeyFailure(err)
	}
	text, err := json.Marshal(credential)
	if err != nil {
		return store.Passkey{}, s.passkeyFailure(err)
	}
	label := strings.TrimSpace(body.Label)
	if label == "" {
		label = "Passkey"
	}
	return store.Passkey{ID: credential.ID, Name: label, Credential: text, Created: time.Now()}, nil
}

func (s *Server) signUpByPasskey(c echo.Context, done *ceremony, passkey store.Passkey, device string) (store.User, string, *failure) {
	name, fail := parseUsername(done.Username)
	if fail != nil {
		return store.User{}, "", fail
	}
	signUp := newcomer{user: done.User, username: name, name: done.Name, invite: done.Invite, email: done.Email}.signUp(deviceToken(c.Request(), device))
	signUp.Passkey = &passkey
	return s.signUp(signUp, done.Code)
}

// passkeyTaken tells a name that is taken from a passkey that is.
func (s *Server) passkeyTaken(what string, err error) *failure {
	if errors.Is(err, store.ErrTaken) {
		return errPasskey
	}
	return s.storeFailure(what, err)
}

// prove notes that a passkey was used on the device of this token.
func (s *Server) prove(secret string, now time.Time) {
	if device, err := s.cfg.DB.Device(secret, now); err == nil {
		s.proofs.add(device.ID, now)
	}
}

// handleLogInOptions begins a log-in by passkey. It does not ask who it is to be: the passkey says so.
func (s *Server) handleLogInOptions(c echo.Context) error {
	var body emptyBody
	if fail := readJSON(c, &body); fail != nil {
		return fail
	}
	if passkeyHost(c.Request()) == "" {
		return errNoPasskeys
	}
	origin := pageOrigin(c.Request())
	party, err := relyingParty(origin)
	if err != nil {
		return s.passkeyFailure(err)
	}
	options, session, err := party.BeginDiscoverableLogin()
	if err != nil {
		return s.passkeyFailure(err)
	}
	reply, fail := s.beginCeremony(ceremony{Kind: ceremonyLogIn, Origin: origin, Session: *session}, options.Response)
	if fail != nil {
		return fail
	}
	return c.JSON(http.StatusOK, reply)
}

// handlePasskeyLogIn ends what handleLogInOptions began. An unknown passkey and a wrong signature have the same answer.
func (s *Server) handlePasskeyLogIn(c echo.Context) error {
	var body passkeyLogInBody
	if fail := readJSON(c, &body); fail != nil {
		return fail
	}
	done, fail := s.openCeremony(c.Request(), body.Ceremony, ceremonyLogIn)
	if fail != nil {
		return fail
	}
	user, fail := s.byPasskey(done, &body)
	if fail != nil {
		return fail
	}
	now := time.Now()
	secret, err := s.cfg.DB.CreateToken(user.ID, now, deviceToken(c.Request(), body.Device))
	if err != nil {
		return s.storeFailure("create a token", err)
	}
	s.prove(secret, now)
	return s.let(c, user, secret, now)
}

// byPasskey says whose passkey has signed the ceremony.
func (s *Server) byPasskey(done *ceremony, body *passkeyLogInBody) (store.User, *failure) {
	parsed, err := protocol.ParseCredentialRequestResponseBytes(body.Credential)
	if err != nil {
		return store.User{}, errPasskey // it is no credential
	}
	party, err := relyingParty(done.Origin)
	if err != nil {
		return store.User{}, s.passkeyFailure(err)
	}
	var user store.User
	find := func(rawID, handle []byte) (webauthn.User, error) {
		id, err := s.cfg.DB.PasskeyUser(rawID)
		if err != nil {
			return nil, err
		}
		if string(id) != string(handle) {
			return nil, store.ErrNotFound
		}
		if user, err = s.cfg.DB.User(id); err != nil {
			return nil, err
		}
		return s.keyholder(user)
	}
	_, credential, err := party.ValidatePasskeyLogin(find, done.Session, parsed)
	if err != nil {
		return store.User{}, s.passkeyFailure(err)
	}
	now := time.Now()
	if !s.ceremonies.finish(done, now) {
		return store.User{}, errPasskey
	}
	text, err := json.Marshal(credential)
	if err != nil {
		return store.User{}, s.passkeyFailure(err)
	}
	// The credential's counter is kept and not judged: passkeys that are on several devices have none that rises.
	if err := s.cfg.DB.UsePasskey(user.ID, credential.ID, text, now); err != nil {
		return store.User{}, s.storeFailure("note the use of a passkey", err)
	}
	return user, nil
}

func (s *Server) handlePasskeys(c echo.Context) error {
	who, fail := s.owner(c)
	if fail != nil {
		return fail
	}
	list, err := s.cfg.DB.Passkeys(who.user.ID)
	if err != nil {
		return s.storeFailure("read passkeys", err)
	}
	reply := passkeysReply{Passkeys: []passkeyInfo{}}
	for _, p := range list {
		reply.Passkeys = append(reply.Passkeys, passkeyInfoOf(p))
	}
	return c.JSON(http.StatusOK, reply)
}

func passkeyInfoOf(p store.Passkey) passkeyInfo {
	info := passkeyInfo{ID: base64.RawURLEncoding.EncodeToString(p.ID), Label: p.Name, Created: p.Created.UnixMilli()}
	if !p.Used.IsZero() {
		info.Used = p.Used.UnixMilli()
	}
	return info
}

func (s *Server) handleDropPasskey(c echo.Context) error {
	who, fail := s.owner(c)
	if fail != nil {
		return fail
	}
	id, err := base64.RawURLEncoding.DecodeString(c.Param("id"))
	if err != nil {
		return errNotFound
	}
	if err := s.cfg.DB.DeletePasskey(who.user.ID, id); err != nil {
		return s.storeFailure("delete a passkey", err)
	}
	return c.NoContent(http.StatusNoContent)
}
