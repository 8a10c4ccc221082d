package signaling_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"smalltalk/signaling"
	"smalltalk/store"
)

// atLocalhost is somebody whose browser has opened http://localhost, since passkeys take a name.
func (e *env) atLocalhost() *person { return &person{t: e.t, e: e, host: "localhost"} }

// signUpByPasskey makes an account without a password.
func (p *person) signUpByPasskey(a *authenticator, username string) message {
	p.t.Helper()
	options := p.want(http.StatusOK, http.MethodPost, "/passkeys/options", message{"username": username})
	m := p.want(http.StatusCreated, http.MethodPost, "/passkeys", message{"ceremony": options.str("ceremony"), "credential": a.create(options), "label": "My key"})
	p.come(m)
	return m
}

func (p *person) logInByPasskey(a *authenticator) {
	p.t.Helper()
	options := p.want(http.StatusOK, http.MethodPost, "/sessions/passkey/options", message{})
	p.come(p.want(http.StatusOK, http.MethodPost, "/sessions/passkey", message{"ceremony": options.str("ceremony"), "credential": a.get(options)}))
}

func TestPasskeySignUpAndLogIn(t *testing.T) {
	e := start(t, options{})
	anna, key := e.atLocalhost(), newAuthenticator(t)
	options := anna.want(http.StatusOK, http.MethodPost, "/passkeys/options", message{"username": "Anna", "name": "Änni"})
	public := options.sub("public_key")
	if public.sub("rp").str("id") != "localhost" || public.sub("user").str("name") != "Anna" || public.sub("user").str("displayName") != "Änni" ||
		public.sub("authenticatorSelection").str("residentKey") != "required" || len(public.str("challenge")) < 22 || public.str("attestation") == "direct" {
		t.Errorf("options %v", options)
	}
	m := anna.want(http.StatusCreated, http.MethodPost, "/passkeys", message{"ceremony": options.str("ceremony"), "credential": key.create(options), "label": "My key"})
	anna.come(m)
	if p := m.sub("passkey"); p.str("label") != "My key" || p.str("id") != b64(key.id) || m.sub("user").str("name") != "Änni" {
		t.Errorf("signed up: %v", m)
	}
	if a := anna.want(http.StatusOK, http.MethodGet, "/users/me", nil).sub("account"); a["password"] != false || a.num("passkeys") != 1 || a.str("username") != "Anna" {
		t.Errorf("account %v", a)
	}
	// An account without a password has none to guess.
	anna.refused(http.StatusUnauthorized, "wrong_login", http.MethodPost, "/sessions", message{"username": "anna", "password": ""})

	phone := e.atLocalhost()
	phone.logInByPasskey(key)
	if phone.id != anna.id || phone.token == anna.token {
		t.Errorf("logged in as %s, want %s", phone.id, anna.id)
	}
	list := phone.want(http.StatusOK, http.MethodGet, "/passkeys", nil).items("passkeys")
	if len(list) != 1 || list[0].num("used") == 0 {
		t.Errorf("passkeys %v", list)
	}
	phone.refused(http.StatusConflict, "last_way_in", http.MethodDelete, "/passkeys/"+b64(key.id), nil)
	// Whoever has just used the passkey may set a password, and then do without the passkey.
	phone.token = phone.want(http.StatusOK, http.MethodPatch, "/users/me", message{"password": goodPassword}).str("token")
	phone.want(http.StatusNoContent, http.MethodDelete, "/passkeys/"+b64(key.id), nil)
	options = e.atLocalhost().want(http.StatusOK, http.MethodPost, "/sessions/passkey/options", message{})
	e.atLocalhost().refused(http.StatusBadRequest, "passkey_rejected", http.MethodPost, "/sessions/passkey", message{"ceremony": options.str("ceremony"), "credential": key.get(options)})
	e.atLocalhost().want(http.StatusOK, http.MethodPost, "/sessions", message{"username": "anna", "password": goodPassword})
}

func TestGuestSignsUpByPasskey(t *testing.T) {
	e := start(t, options{})
	guest := e.guest()
	guest.host = "localhost"
	before := *guest
	guest.signUpByPasskey(newAuthenticator(t), "anna")
	if guest.id != before.id || guest.token == before.token {
		t.Error("the guest has become somebody else, or kept the token")
	}
	before.refused(http.StatusUnauthorized, "unauthorized", http.MethodGet, "/users/me", nil)
}

func TestAddPasskey(t *testing.T) {
	e := start(t, options{config: quickHash})
	anna := e.signUp("anna")
	anna.host = "localhost"
	anna.refused(http.StatusForbidden, "confirm_required", http.MethodPost, "/passkeys/options", message{})
	anna.refused(http.StatusForbidden, "confirm_required", http.MethodPost, "/passkeys/options", message{"password": "wrong"})
	key := newAuthenticator(t)
	options := anna.want(http.StatusOK, http.MethodPost, "/passkeys/options", message{"password": goodPassword})
	m := anna.want(http.StatusCreated, http.MethodPost, "/passkeys", message{"ceremony": options.str("ceremony"), "credential": key.create(options)})
	if m.str("token") != "" || m.sub("passkey").str("label") != "Passkey" {
		t.Errorf("added: %v", m)
	}
	phone := e.atLocalhost()
	phone.logInByPasskey(key)
	if phone.id != anna.id {
		t.Errorf("logged in as %s, want %s", phone.id, anna.id)
	}
	// The options name what there is already, and the same credential is not taken twice.
	again := phone.want(http.StatusOK, http.MethodPost, "/passkeys/options", message{})
	if list := again.sub("public_key").items("excludeCredentials"); len(list) != 1 || list[0].str("id") != b64(key.id) {
		t.Errorf("exclude %v", list)
	}
	phone.refused(http.StatusBadRequest, "passkey_rejected", http.MethodPost, "/passkeys", message{"ceremony": again.str("ceremony"), "credential": key.create(again)})
	phone.want(http.StatusNoContent, http.MethodDelete, "/users/me", nil) // by the passkey used just now
}

// TestForgedPasskeys: whatever is wrong with a credential or its ceremony, nobody gets in and nothing is made.
func TestForgedPasskeys(t *testing.T) {
	e := start(t, options{config: quickHash})
	key := newAuthenticator(t)
	anna := e.atLocalhost()
	anna.signUpByPasskey(key, "anna")
	other := e.atLocalhost()
	otherKey := newAuthenticator(t)
	other.signUpByPasskey(otherKey, "other")

	copyOf := func(change func(*authenticator)) *authenticator {
		a := *key
		change(&a)
		return &a
	}
	log := func(o message) message { return message{"ceremony": o.str("ceremony")} }
	for name, forge := range map[string]func(o message) message{
		"other key":    func(o message) message { return copyOf(func(a *authenticator) { a.key = otherKey.key }).get(o) },
		"other handle": func(o message) message { return copyOf(func(a *authenticator) { a.handle = otherKey.handle }).get(o) },
		"no handle":    func(o message) message { return copyOf(func(a *authenticator) { a.handle = nil }).get(o) },
		"unknown id":   func(o message) message { return copyOf(func(a *authenticator) { a.id = []byte("unknown") }).get(o) },
		"other's id":   func(o message) message { return copyOf(func(a *authenticator) { a.id = otherKey.id }).get(o) },
		"other page": func(o message) message {
			return copyOf(func(a *authenticator) { a.origin = "https://evil.example" }).get(o)
		},
		"other port": func(o message) message {
			return copyOf(func(a *authenticator) { a.origin = "http://localhost:81" }).get(o)
		},
		"other host": func(o message) message { return copyOf(func(a *authenticator) { a.rp = "evil.example" }).get(o) },
		"own challenge": func(message) message {
			return key.get(message{"public_key": map[string]any{"challenge": b64(make([]byte, 32))}})
		},
		"made, not got": func(o message) message { return key.credential(message{"clientDataJSON": "AAAA"}) },
		"nothing":       func(message) message { return message{} },
		"flipped": func(o message) message {
			m := key.get(o)
			response := m["response"].(message)
			signature := unb64(t, response.str("signature"))
			signature[len(signature)-1] ^= 1
			response["signature"] = b64(signature)
			return m
		},
	} {
		t.Run(name, func(t *testing.T) {
			nobody := e.on(t).atLocalhost()
			o := nobody.want(http.StatusOK, http.MethodPost, "/sessions/passkey/options", message{})
			body := log(o)
			body["credential"] = forge(o)
			nobody.refused(http.StatusBadRequest, "passkey_rejected", http.MethodPost, "/sessions/passkey", body)
		})
	}

	logIn := e.atLocalhost().want(http.StatusOK, http.MethodPost, "/sessions/passkey/options", message{})
	signUp := e.atLocalhost().want(http.StatusOK, http.MethodPost, "/passkeys/options", message{"username": "carl"})
	add := other.want(http.StatusOK, http.MethodPost, "/passkeys/options", message{})
	nobody := e.atLocalhost()
	use := func(who *person, code, path string, status int, ceremony string, credential any) {
		t.Helper()
		who.refused(status, code, http.MethodPost, path, message{"ceremony": ceremony, "credential": credential})
	}
	fresh := newAuthenticator(t)
	use(nobody, "passkey_rejected", "/sessions/passkey", 400, signUp.str("ceremony"), key.get(logIn))    // a ceremony for something else
	use(nobody, "passkey_rejected", "/passkeys", 400, logIn.str("ceremony"), fresh.create(signUp))       // the other way round
	use(nobody, "passkey_rejected", "/sessions/passkey", 400, logIn.str("ceremony")+"A", key.get(logIn)) // changed
	use(nobody, "passkey_rejected", "/sessions/passkey", 400, "", key.get(logIn))                        // none
	use(nobody, "unauthorized", "/passkeys", 401, add.str("ceremony"), fresh.create(add))                // begun by somebody who is signed in
	use(anna, "passkey_rejected", "/passkeys", 400, add.str("ceremony"), fresh.create(add))              // begun by somebody else
	use(anna, "passkey_rejected", "/passkeys", 400, signUp.str("ceremony"), fresh.create(signUp))        // begun by nobody yet
	elsewhere := e.atLocalhost()
	elsewhere.host = "localhost:8080"
	use(elsewhere, "passkey_rejected", "/sessions/passkey", 400, logIn.str("ceremony"), key.get(logIn)) // begun on another page

	// What is right is taken once.
	body := message{"ceremony": logIn.str("ceremony"), "credential": key.get(logIn)}
	nobody.want(http.StatusOK, http.MethodPost, "/sessions/passkey", body)
	nobody.refused(http.StatusBadRequest, "passkey_rejected", http.MethodPost, "/sessions/passkey", body)
	body = message{"ceremony": signUp.str("ceremony"), "credential": fresh.create(signUp)}
	e.atLocalhost().want(http.StatusCreated, http.MethodPost, "/passkeys", body)
	e.atLocalhost().refused(http.StatusBadRequest, "passkey_rejected", http.MethodPost, "/passkeys", body)
	if list := anna.want(http.StatusOK, http.MethodGet, "/passkeys", nil).items("passkeys"); len(list) != 1 {
		t.Errorf("passkeys %v", list)
	}
	if n := e.srv.Stats().Accounts; n != 3 {
		t.Errorf("%d accounts", n)
	}
}

// TestPasskeysTakeTime: a ceremony is over after five minutes, and so is what the use of a passkey proves.
func TestPasskeysTakeTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := start(t, options{pipes: true})
		anna, key := e.atLocalhost(), newAuthenticator(t)
		anna.signUpByPasskey(key, "anna")
		late := e.atLocalhost().want(http.StatusOK, http.MethodPost, "/sessions/passkey/options", message{})
		time.Sleep(5*time.Minute + time.Second)
		e.atLocalhost().refused(http.StatusBadRequest, "passkey_rejected", http.MethodPost, "/sessions/passkey", message{"ceremony": late.str("ceremony"), "credential": key.get(late)})
		anna.refused(http.StatusForbidden, "confirm_required", http.MethodDelete, "/users/me", nil)
		anna.refused(http.StatusForbidden, "confirm_required", http.MethodPost, "/users/me/recovery", message{})
		anna.logInByPasskey(key)
		anna.want(http.StatusCreated, http.MethodPost, "/users/me/recovery", message{})
		// A session ends two weeks after it was last used, at the latest after 90 days.
		time.Sleep(13 * 24 * time.Hour)
		anna.want(http.StatusOK, http.MethodGet, "/users/me", nil)
		time.Sleep(15 * 24 * time.Hour)
		anna.refused(http.StatusUnauthorized, "unauthorized", http.MethodGet, "/users/me", nil)
		anna.token = ""
		anna.logInByPasskey(key)
		for range 6 {
			time.Sleep(13 * 24 * time.Hour)
			anna.want(http.StatusOK, http.MethodGet, "/users/me", nil)
		}
		time.Sleep(13 * 24 * time.Hour) // 91 days
		anna.refused(http.StatusUnauthorized, "unauthorized", http.MethodGet, "/users/me", nil)
	})
}

// TestPasskeyAfterRestart: a ceremony that was used, or may have been, before the server was started anew is over.
func TestPasskeyAfterRestart(t *testing.T) {
	e := start(t, options{})
	anna, key := e.atLocalhost(), newAuthenticator(t)
	anna.signUpByPasskey(key, "anna")
	o := e.atLocalhost().want(http.StatusOK, http.MethodPost, "/sessions/passkey/options", message{})
	body := message{"ceremony": o.str("ceremony"), "credential": key.get(o)}
	e.atLocalhost().want(http.StatusOK, http.MethodPost, "/sessions/passkey", body)
	e.stop()
	e = start(t, options{path: e.path})
	e.atLocalhost().refused(http.StatusBadRequest, "passkey_rejected", http.MethodPost, "/sessions/passkey", body)
	e.atLocalhost().logInByPasskey(key)
}

// TestPasskeyInvite: where an invitation is needed, it is used up by who ends the ceremony and not by who begins one.
func TestPasskeyInvite(t *testing.T) {
	e := start(t, options{config: func(c *signaling.Config) { c.Access = signaling.AccessInvite }})
	code, _, err := e.db.CreateInvite(store.Invite{Uses: 1, Expires: time.Now().Add(time.Hour)}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	anna, bert := e.atLocalhost(), e.atLocalhost()
	anna.refused(http.StatusForbidden, "invite_required", http.MethodPost, "/passkeys/options", message{"username": "anna"})
	first := anna.want(http.StatusOK, http.MethodPost, "/passkeys/options", message{"username": "anna", "invite": code})
	second := bert.want(http.StatusOK, http.MethodPost, "/passkeys/options", message{"username": "bert", "invite": code})
	anna.want(http.StatusCreated, http.MethodPost, "/passkeys", message{"ceremony": first.str("ceremony"), "credential": newAuthenticator(t).create(first)})
	bert.refused(http.StatusForbidden, "invite_required", http.MethodPost, "/passkeys", message{"ceremony": second.str("ceremony"), "credential": newAuthenticator(t).create(second)})
}
