package signaling_test

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"smalltalk/signaling"
	"smalltalk/store"
)

// mailbox is the mail of everybody in a test.
type mailbox struct {
	mu    sync.Mutex // guards what follows
	mails []signaling.Mail
	delay time.Duration // of the mail server
}

func (b *mailbox) send(ctx context.Context, m signaling.Mail) error {
	b.mu.Lock()
	delay := b.delay
	b.mu.Unlock()
	select {
	case <-time.After(delay):
	case <-ctx.Done():
		return ctx.Err()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mails = append(b.mails, m)
	return nil
}

// of is what has come to an address so far, in a bubble.
func (b *mailbox) of(address string) []signaling.Mail {
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(b.mails), func(m signaling.Mail) bool { return m.To != address })
}

var mailedCode = regexp.MustCompile(`(?m)^ +([0-9A-Z]{4}-[0-9A-Z]{4})$`)

// code is that in the newest mail to an address, if there is one in it.
func (b *mailbox) code(address string) string {
	mails := b.of(address)
	if len(mails) == 0 {
		return ""
	}
	if found := mailedCode.FindStringSubmatch(mails[len(mails)-1].Text); found != nil {
		return found[1]
	}
	return ""
}

// soon is when the next mail may go to an address.
const soon = time.Minute + time.Second

const mailPlace = "chat.example.org"

// withMail runs a test in a bubble, on a server that sends mail.
func withMail(t *testing.T, f func(t *testing.T, e *env, box *mailbox), change ...func(*signaling.Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		box := &mailbox{}
		f(t, start(t, options{pipes: true, remote: "127.0.0.1:4711", config: box.config(change...)}), box)
	})
}

func (b *mailbox) config(change ...func(*signaling.Config)) func(*signaling.Config) {
	return func(c *signaling.Config) {
		quickHash(c)
		c.SendMail, c.Place = b.send, mailPlace
		for _, f := range change {
			f(c)
		}
	}
}

// inDomains lets in whoever has an address of these.
func inDomains(domains ...string) func(*signaling.Config) {
	return func(c *signaling.Config) { c.Access, c.EmailDomains = signaling.AccessDomain, domains }
}

// asksCode has a code mailed.
func (p *person) asksCode(email, purpose string) {
	p.t.Helper()
	if m := p.want(http.StatusAccepted, http.MethodPost, "/email/codes", message{"email": email, "for": purpose}); m.num("valid_ms") != 15*60*1000 {
		p.t.Errorf("asked: %v", m)
	}
}

// gets asks for a code and reads it in the mail.
func (p *person) gets(box *mailbox, email, purpose string) string {
	p.t.Helper()
	p.asksCode(email, purpose)
	code := box.code(strings.ToLower(email))
	if code == "" {
		p.t.Fatalf("no code for %s has come to %s: %v", purpose, email, box.of(email))
	}
	return code
}

// signUpWith is a new account with an address.
func (e *env) signUpWith(box *mailbox, username, email string) *person {
	e.t.Helper()
	p := &person{t: e.t, e: e, username: username}
	code := p.gets(box, email, "sign_up")
	p.come(p.want(http.StatusCreated, http.MethodPost, "/users", message{"username": username, "password": goodPassword, "email": email, "email_code": code}))
	return p
}

func (p *person) email() string {
	p.t.Helper()
	return p.want(http.StatusOK, http.MethodGet, "/users/me", nil).sub("account").str("email")
}

// hasEmail gives the person's account an address, without a code.
func (p *person) hasEmail(email string) {
	p.t.Helper()
	account, err := p.e.db.Account(store.UserID(p.id))
	if err == nil {
		_, err = p.e.db.SetEmail(account.User, account.Password, email)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// TestNoMail: where no mail is sent nothing of e-mail is shown or taken.
func TestNoMail(t *testing.T) {
	e := start(t, options{config: quickHash})
	anna := e.signUp("anna")
	anna.hasEmail("anna@example.org") // of another time
	if m := anna.want(http.StatusOK, http.MethodGet, "/access", nil); m["email"] != false || m["email_domains"] != nil {
		t.Errorf("access %v", m)
	}
	if m := anna.want(http.StatusOK, http.MethodGet, "/users/me", nil); m.sub("account")["email"] != nil || m.sub("account")["email_required"] != false {
		t.Errorf("me %v", m)
	}
	nobody := &person{t: t, e: e}
	for _, purpose := range []string{"sign_up", "reset"} {
		nobody.refused(http.StatusForbidden, "email_off", http.MethodPost, "/email/codes", message{"email": "anna@example.org", "for": purpose})
	}
	anna.refused(http.StatusForbidden, "email_off", http.MethodPost, "/email/codes", message{"email": "anna@example.org", "for": "account"})
	for _, path := range []string{"/users", "/passkeys/options"} {
		nobody.refused(http.StatusForbidden, "email_off", http.MethodPost, path, message{"username": "bert", "password": goodPassword, "email": "bert@example.org", "email_code": "x"})
	}
	nobody.refused(http.StatusForbidden, "email_off", http.MethodPost, "/sessions/email", message{"email": "anna@example.org", "code": "x", "password": goodPassword})
	anna.refused(http.StatusForbidden, "email_off", http.MethodPut, "/users/me/email", message{"email": "a@example.org", "code": "x", "password": goodPassword})
	anna.refused(http.StatusForbidden, "email_off", http.MethodDelete, "/users/me/email", message{"password": goodPassword})
	anna.want(http.StatusOK, http.MethodPatch, "/users/me", message{"password": "an even better password", "current": goodPassword})
}

// TestSignUpWithEmail: an account has an address from its first moment or not at all.
func TestSignUpWithEmail(t *testing.T) {
	withMail(t, func(t *testing.T, e *env, box *mailbox) {
		anna := &person{t: t, e: e}
		if m := anna.want(http.StatusOK, http.MethodGet, "/access", nil); m["email"] != true || m["email_domains"] != nil {
			t.Errorf("access %v", m)
		}
		code := anna.gets(box, "Anna@Example.org", "sign_up")
		with := func(username, email string, code any) message {
			return message{"username": username, "password": goodPassword, "email": email, "email_code": code}
		}
		for _, bad := range []message{
			with("anna", "anna@example.org", "AAAA-AAAA"), with("anna", "anna@example.org", ""), with("anna", "other@example.org", code),
			with("anna", "anna@example.org", strings.Repeat("A", 1000)),
		} {
			anna.refused(http.StatusForbidden, "wrong_code", http.MethodPost, "/users", bad)
		}
		anna.refused(http.StatusBadRequest, "bad_email", http.MethodPost, "/users", with("anna", "anna@example.org\r\nBcc: b@example.org", code))
		anna.refused(http.StatusBadRequest, "bad_email", http.MethodPost, "/users", with("anna", "", code))
		// What is wrong with the rest does not use up the code.
		e.signUp("bert")
		e.signUp("dora.b")
		for _, taken := range []string{"bert", "dora-b"} { // the second is found out when it is to be stored
			anna.refused(http.StatusConflict, "username_taken", http.MethodPost, "/users", with(taken, "anna@example.org", code))
		}
		anna.refused(http.StatusBadRequest, "bad_password", http.MethodPost, "/users", message{"username": "anna", "password": "password", "email": "anna@example.org", "email_code": code})

		anna.come(anna.want(http.StatusCreated, http.MethodPost, "/users", with("anna", " ANNA@example.org", strings.ToLower(strings.ReplaceAll(code, "-", " ")))))
		if got := anna.email(); got != "anna@example.org" {
			t.Errorf("the address is %q", got)
		}
		if a, err := e.db.AccountByEmail("anna@example.org"); err != nil || string(a.User) != anna.id || !a.Verified {
			t.Errorf("account %+v, %v", a, err)
		}
		nobody := &person{t: t, e: e}
		nobody.refused(http.StatusForbidden, "wrong_code", http.MethodPost, "/users", with("carl", "anna@example.org", code)) // once
		nobody.want(http.StatusCreated, http.MethodPost, "/users", message{"username": "carl", "password": goodPassword})     // none is needed
		m := box.of("anna@example.org")
		if len(m) != 1 || !strings.Contains(m[0].Subject, mailPlace) || !strings.Contains(m[0].Text, mailPlace) {
			t.Errorf("mail %+v", m)
		}
		if export := anna.want(http.StatusOK, http.MethodGet, "/users/me/export", nil); export.sub("account").str("email") != "anna@example.org" || export.sub("account")["email_verified"] != true {
			t.Errorf("export %v", export)
		}

		// Whoever is gone leaves the address to others.
		anna.want(http.StatusNoContent, http.MethodDelete, "/users/me", message{"password": goodPassword})
		time.Sleep(soon)
		if again := e.signUpWith(box, "anna", "anna@example.org"); again.id == anna.id {
			t.Error("the address's next owner is the same person")
		}
	})
}

// TestGuestSignsUpWithEmail, also by passkey: the ceremony holds the address, and the code is used up by who ends it.
func TestGuestSignsUpWithEmail(t *testing.T) {
	withMail(t, func(t *testing.T, e *env, box *mailbox) {
		guest := e.guest()
		before := guest.id
		code := guest.gets(box, "anna@example.org", "sign_up")
		guest.come(guest.want(http.StatusCreated, http.MethodPost, "/users", message{"username": "anna", "password": goodPassword, "email": "anna@example.org", "email_code": code}))
		if guest.id != before || guest.email() != "anna@example.org" {
			t.Errorf("%s became %s with %q", before, guest.id, guest.email())
		}

		bert, carl := e.atLocalhost(), e.atLocalhost()
		code = bert.gets(box, "bert@example.org", "sign_up")
		bert.refused(http.StatusForbidden, "wrong_code", http.MethodPost, "/passkeys/options", message{"username": "bert", "email": "bert@example.org", "email_code": "AAAA-AAAA"})
		first := bert.want(http.StatusOK, http.MethodPost, "/passkeys/options", message{"username": "bert", "email": "bert@example.org", "email_code": code})
		second := carl.want(http.StatusOK, http.MethodPost, "/passkeys/options", message{"username": "carl", "email": "bert@example.org", "email_code": code})
		bert.come(bert.want(http.StatusCreated, http.MethodPost, "/passkeys", message{"ceremony": first.str("ceremony"), "credential": newAuthenticator(t).create(first)}))
		if got := bert.email(); got != "bert@example.org" {
			t.Errorf("the address is %q", got)
		}
		carl.refused(http.StatusForbidden, "wrong_code", http.MethodPost, "/passkeys", message{"ceremony": second.str("ceremony"), "credential": newAuthenticator(t).create(second)})
	})
}

// TestForeignCodes: a code is good for one address, one purpose and, where it is for an account, for that one; for a time,
// and once.
func TestForeignCodes(t *testing.T) {
	withMail(t, func(t *testing.T, e *env, box *mailbox) {
		anna, mallory := e.signUpWith(box, "anna", "anna@example.org"), e.signUp("mallory")
		nobody := &person{t: t, e: e}
		signUp := nobody.gets(box, "new@example.org", "sign_up")
		account := anna.gets(box, "other@example.org", "account")
		reset := nobody.gets(box, "anna@example.org", "reset")
		signsUp := func(email, code string) {
			t.Helper()
			nobody.refused(http.StatusForbidden, "wrong_code", http.MethodPost, "/users", message{"username": "newcomer", "password": goodPassword, "email": email, "email_code": code})
		}
		takes := func(p *person, email, code string) {
			t.Helper()
			p.refused(http.StatusForbidden, "wrong_code", http.MethodPut, "/users/me/email", message{"email": email, "code": code, "password": goodPassword})
		}
		resets := func(email, code string) {
			t.Helper()
			nobody.refused(http.StatusForbidden, "wrong_code", http.MethodPost, "/sessions/email", message{"email": email, "code": code, "password": "an even better password"})
		}
		signsUp("other@example.org", account)
		signsUp("anna@example.org", reset)
		takes(anna, "new@example.org", signUp)
		takes(anna, "anna@example.org", reset)
		takes(mallory, "other@example.org", account)
		resets("new@example.org", signUp)
		resets("other@example.org", account)
		resets("anna@example.org", signUp)
		resets("mallory@example.org", reset)

		time.Sleep(soon)
		newer := nobody.gets(box, "anna@example.org", "reset")
		resets("anna@example.org", reset) // of before
		time.Sleep(15 * time.Minute)
		resets("anna@example.org", newer) // too old
		signsUp("new@example.org", signUp)
		takes(anna, "other@example.org", account)
		newest := nobody.gets(box, "anna@example.org", "reset")
		body := message{"email": "anna@example.org", "code": newest, "password": "an even better password"}
		nobody.want(http.StatusOK, http.MethodPost, "/sessions/email", body)
		nobody.refused(http.StatusForbidden, "wrong_code", http.MethodPost, "/sessions/email", body)
	})
}

// TestResetPassword lets in who gets the mail, puts out everybody else and tells the owner.
func TestResetPassword(t *testing.T) {
	withMail(t, func(t *testing.T, e *env, box *mailbox) {
		anna := e.signUpWith(box, "anna", "anna@example.org")
		live := anna.ws()
		nobody := &person{t: t, e: e}
		code := nobody.gets(box, "Anna@example.org", "reset")
		if m := box.of("anna@example.org"); !strings.Contains(m[len(m)-1].Text, "anna at "+mailPlace) {
			t.Errorf("the mail does not say the user name: %s", m[len(m)-1].Text)
		}
		const better = "an even better password"
		with := func(code any, password string) message {
			return message{"email": "anna@example.org", "code": code, "password": password}
		}
		nobody.refused(http.StatusBadRequest, "bad_password", http.MethodPost, "/sessions/email", with(code, "password"))
		nobody.refused(http.StatusBadRequest, "bad_password", http.MethodPost, "/sessions/email", with(code, "annaanna")) // which is the name
		nobody.refused(http.StatusForbidden, "wrong_code", http.MethodPost, "/sessions/email", with("AAAA-AAAA", better))
		nobody.come(nobody.want(http.StatusOK, http.MethodPost, "/sessions/email", with(code, better)))
		if nobody.id != anna.id {
			t.Errorf("got in as %s, want %s", nobody.id, anna.id)
		}
		live.wantError("unauthorized")
		live.wantClosed(4401)
		anna.refused(http.StatusUnauthorized, "unauthorized", http.MethodGet, "/users/me", nil)
		anna.token = ""
		anna.refused(http.StatusUnauthorized, "wrong_login", http.MethodPost, "/sessions", message{"username": "anna", "password": goodPassword})
		anna.want(http.StatusOK, http.MethodPost, "/sessions", message{"username": "anna", "password": better})
		if m := box.of("anna@example.org"); len(m) != 3 || !strings.Contains(m[2].Subject, "was changed") {
			t.Errorf("mail %+v", m)
		}

		// An account that had no password has one from then on, and other ways to a new password tell the owner too.
		passkey := e.atLocalhost()
		passkey.signUpByPasskey(newAuthenticator(t), "bert")
		code = passkey.gets(box, "bert@example.org", "account")
		passkey.want(http.StatusOK, http.MethodPut, "/users/me/email", message{"email": "bert@example.org", "code": code})
		code = (&person{t: t, e: e}).gets(box, "bert@example.org", "reset")
		bert := &person{t: t, e: e}
		bert.come(bert.want(http.StatusOK, http.MethodPost, "/sessions/email", message{"email": "bert@example.org", "code": code, "password": better}))
		codes := bert.want(http.StatusCreated, http.MethodPost, "/users/me/recovery", message{"password": better})["codes"].([]any)
		bert.want(http.StatusOK, http.MethodPatch, "/users/me", message{"password": goodPassword, "current": better})
		(&person{t: t, e: e}).want(http.StatusOK, http.MethodPost, "/sessions/recovery", message{"username": "bert", "code": codes[0], "password": better})
		changed := slices.DeleteFunc(box.of("bert@example.org"), func(m signaling.Mail) bool { return !strings.Contains(m.Subject, "was changed") })
		if len(changed) != 3 {
			t.Errorf("the owner was told %d times", len(changed))
		}
	})
}

// TestChangeEmail takes the owner and the code, and tells the address of before.
func TestChangeEmail(t *testing.T) {
	withMail(t, func(t *testing.T, e *env, box *mailbox) {
		anna, bert := e.signUpWith(box, "anna", "anna@example.org"), e.signUp("bert")
		guest := e.guest()
		guest.refused(http.StatusForbidden, "account_required", http.MethodPost, "/email/codes", message{"email": "a@example.org", "for": "account"})
		(&person{t: t, e: e}).refused(http.StatusUnauthorized, "unauthorized", http.MethodPost, "/email/codes", message{"email": "a@example.org", "for": "account"})
		anna.refused(http.StatusBadRequest, "bad_message", http.MethodPost, "/email/codes", message{"email": "a@example.org", "for": "fun"})
		anna.refused(http.StatusBadRequest, "bad_email", http.MethodPost, "/email/codes", message{"email": "a b@example.org", "for": "account"})

		code := anna.gets(box, "anna@uni.example", "account")
		set := message{"email": "anna@uni.example", "code": code}
		anna.refused(http.StatusForbidden, "confirm_required", http.MethodPut, "/users/me/email", set)
		set["password"] = "wrong"
		anna.refused(http.StatusForbidden, "confirm_required", http.MethodPut, "/users/me/email", set)
		set["password"] = goodPassword
		if m := anna.want(http.StatusOK, http.MethodPut, "/users/me/email", set); m.sub("account").str("email") != "anna@uni.example" {
			t.Errorf("me %v", m)
		}
		if m := box.of("anna@example.org"); len(m) != 2 || !strings.Contains(m[1].Subject, "another address") {
			t.Errorf("the address of before was told %+v", m)
		}
		// The old one opens nothing any more, and may be somebody else's.
		(&person{t: t, e: e}).asksCode("anna@example.org", "reset")
		if m := box.of("anna@example.org"); len(m) != 2 {
			t.Errorf("mail to nobody: %+v", m[2:])
		}
		code = bert.gets(box, "anna@example.org", "account")
		bert.want(http.StatusOK, http.MethodPut, "/users/me/email", message{"email": "anna@example.org", "code": code, "password": goodPassword})

		// Somebody's address is not to be had: the owner is told, and no code comes.
		time.Sleep(soon)
		bert.asksCode("anna@uni.example", "account")
		if m := box.of("anna@uni.example"); box.code("anna@uni.example") != "" || !strings.Contains(m[len(m)-1].Text, "whose user name is anna") {
			t.Errorf("the owner was told %+v", m)
		}
		// Nor if it has become somebody's since the code was sent, which the code outlives.
		code = bert.gets(box, "third@example.org", "account")
		anna.hasEmail("third@example.org")
		third := message{"email": "third@example.org", "code": code, "password": goodPassword}
		bert.refused(http.StatusConflict, "email_taken", http.MethodPut, "/users/me/email", third)
		anna.hasEmail("anna@uni.example")
		bert.want(http.StatusOK, http.MethodPut, "/users/me/email", third)

		anna.refused(http.StatusForbidden, "confirm_required", http.MethodDelete, "/users/me/email", nil)
		if m := anna.want(http.StatusOK, http.MethodDelete, "/users/me/email", message{"password": goodPassword}); m.sub("account")["email"] != nil {
			t.Errorf("me %v", m)
		}
		if m := box.of("anna@uni.example"); !strings.Contains(m[len(m)-1].Subject, "another address") {
			t.Errorf("the address of before was told %+v", m)
		}
		anna.want(http.StatusOK, http.MethodDelete, "/users/me/email", message{"password": goodPassword}) // there is none
	})
}

// TestNoEnumerationByMail: whether an address is known shows neither in the answer nor in its time, only in the mail.
func TestNoEnumerationByMail(t *testing.T) {
	withMail(t, func(t *testing.T, e *env, box *mailbox) {
		e.signUpWith(box, "anna", "anna@example.org")
		mallory := e.signUp("mallory")
		time.Sleep(soon)
		box.delay = 20 * time.Second
		for _, purpose := range []string{"sign_up", "account", "reset"} {
			var answers []string
			for i, email := range []string{"anna@example.org", "unknown@example.org", "unknown@other.example"} {
				asker := &person{t: t, e: e, from: fmt.Sprint("192.0.2.", i), token: mallory.token}
				before := time.Now()
				for range 2 { // the second is too soon
					status, m, resp := asker.do(http.MethodPost, "/email/codes", message{"email": email, "for": purpose})
					resp.Header.Del("Date")
					answers = append(answers, str(message{"status": status, "body": m, "header": resp.Header, "took": time.Since(before)}))
				}
			}
			if answers[0] == answers[1] || !slices.Equal(answers[:2], answers[2:4]) || !slices.Equal(answers[:2], answers[4:]) {
				t.Errorf("%s: answers differ:\n%s", purpose, strings.Join(answers, "\n"))
			}
			time.Sleep(5 * time.Minute)
		}
		var told []string
		for _, m := range box.of("anna@example.org")[1:] {
			told = append(told, m.Subject)
		}
		if want := []string{"You have an account at " + mailPlace, "Your account at " + mailPlace, "A new password for " + mailPlace}; !slices.Equal(told, want) {
			t.Errorf("anna was told %q, want %q", told, want)
		}
		if m := box.of("unknown@example.org"); len(m) != 2 || box.code("unknown@example.org") == "" {
			t.Errorf("a stranger got %+v", m)
		}
		var answers []string
		for i, email := range []string{"anna@example.org", "unknown@example.org", "nobody@example.org"} {
			p := &person{t: t, e: e, from: fmt.Sprint("192.0.2.", i)}
			before := time.Now()
			status, m, _ := p.do(http.MethodPost, "/sessions/email", message{"email": email, "code": "AAAA-AAAA", "password": goodPassword})
			answers = append(answers, str(message{"status": status, "body": m, "took": time.Since(before)}))
		}
		if same := slices.Compact(answers); len(same) != 1 {
			t.Errorf("answers differ:\n%s", strings.Join(same, "\n"))
		}
	})
}

// TestGuessingCodes: five wrong ones end a code, and who goes on waits longer and longer, so that from one address nobody
// can do away with all the codes of another.
func TestGuessingCodes(t *testing.T) {
	withMail(t, func(t *testing.T, e *env, box *mailbox) {
		e.signUpWith(box, "anna", "anna@example.org")
		owner, thief := &person{t: t, e: e, from: "192.0.2.8"}, &person{t: t, e: e, from: "192.0.2.7"}
		with := func(code string) message {
			return message{"email": "anna@example.org", "code": code, "password": "an even better password"}
		}
		code := owner.gets(box, "anna@example.org", "reset")
		for i := range 5 {
			thief.refused(http.StatusForbidden, "wrong_code", http.MethodPost, "/sessions/email", with(fmt.Sprintf("AAAA-AAA%d", i)))
		}
		status, m, _ := thief.do(http.MethodPost, "/sessions/email", with(code))
		if status != http.StatusTooManyRequests || m.num("retry_after_ms") != 1000 {
			t.Errorf("%d %v", status, m)
		}
		owner.refused(http.StatusForbidden, "wrong_code", http.MethodPost, "/sessions/email", with(code)) // it has ended
		// guess is as often as the thief is let.
		guess := func(d time.Duration) (guesses int) {
			for begun := time.Now(); time.Since(begun) < d; {
				status, m, _ := thief.do(http.MethodPost, "/sessions/email", with("AAAA-AAAA"))
				if status == http.StatusForbidden {
					guesses++
					continue
				}
				time.Sleep(min(time.Duration(m.num("retry_after_ms"))*time.Millisecond, d-time.Since(begun)))
			}
			return guesses
		}
		if n := guess(2 * time.Hour); n < 10 || n > 20 {
			t.Errorf("%d guesses in two hours", n)
		}
		code = owner.gets(box, "anna@example.org", "reset")
		if n := guess(14 * time.Minute); n > 1 {
			t.Errorf("%d more guesses in a quarter of an hour", n)
		}
		owner.want(http.StatusOK, http.MethodPost, "/sessions/email", with(code))
	})
}

// TestMailLimits: an address gets few mails, an address of the network asks for few, and the server sends few.
func TestMailLimits(t *testing.T) {
	limited := func(t *testing.T, p *person, email, purpose string, want time.Duration) {
		t.Helper()
		status, m, resp := p.do(http.MethodPost, "/email/codes", message{"email": email, "for": purpose})
		if wait := time.Duration(m.num("retry_after_ms")) * time.Millisecond; status != http.StatusTooManyRequests || m.str("code") != "rate_limited" || wait.Round(time.Second) != want.Round(time.Second) || resp.Header.Get("Retry-After") == "" {
			t.Errorf("%s for %s: %d %v, want to wait %v", purpose, email, status, m, want)
		}
	}
	t.Run("to one address", func(t *testing.T) {
		withMail(t, func(t *testing.T, e *env, box *mailbox) {
			p := &person{t: t, e: e}
			for i := range 3 {
				p.asksCode("anna@example.org", "sign_up")
				limited(t, p, "ANNA@example.org", "sign_up", time.Minute)
				if i == 0 {
					p.asksCode("anna@example.org", "reset") // which is for whoever has the address
					p.asksCode("bert@example.org", "sign_up")
				}
				time.Sleep(soon)
			}
			limited(t, p, "anna@example.org", "sign_up", 30*time.Minute-3*soon)
			time.Sleep(30 * time.Minute)
			p.asksCode("anna@example.org", "sign_up")
			if n := len(box.of("anna@example.org")); n != 4 {
				t.Errorf("%d mails", n)
			}
		})
	})
	t.Run("from one address", func(t *testing.T) {
		withMail(t, func(t *testing.T, e *env, box *mailbox) {
			p := &person{t: t, e: e, from: "2001:db8::1"}
			neighbour, other := &person{t: t, e: e, from: "2001:db8::2"}, &person{t: t, e: e, from: "2001:db8:0:1::1"}
			for i := range 10 {
				p.asksCode(fmt.Sprintf("a%d@example.org", i), "sign_up")
			}
			limited(t, p, "b@example.org", "sign_up", 2*time.Minute)
			limited(t, neighbour, "b@example.org", "sign_up", 2*time.Minute)
			other.asksCode("b@example.org", "sign_up")
			time.Sleep(2*time.Minute + time.Second)
			p.asksCode("c@example.org", "sign_up")
		})
	})
	t.Run("in all", func(t *testing.T) {
		withMail(t, func(t *testing.T, e *env, box *mailbox) {
			p := &person{t: t, e: e}
			for i := range 2 {
				p.asksCode(fmt.Sprintf("a%d@example.org", i), "reset") // also what nobody gets
			}
			limited(t, p, "b@example.org", "sign_up", 30*time.Minute)
		}, func(c *signaling.Config) { c.Limits.MailsAll = signaling.Hourly(4) })
	})
	t.Run("waiting", func(t *testing.T) {
		withMail(t, func(t *testing.T, e *env, box *mailbox) {
			p := &person{t: t, e: e}
			box.delay = time.Hour
			p.asksCode("first@example.org", "sign_up")
			synctest.Wait()
			for i := range 256 {
				p.asksCode(fmt.Sprintf("a%d@example.org", i), "sign_up")
			}
			status, m, _ := p.do(http.MethodPost, "/email/codes", message{"email": "last@example.org", "for": "sign_up"})
			if status != http.StatusServiceUnavailable || m.str("code") != "busy" || m.num("retry_after_ms") == 0 {
				t.Errorf("%d %v", status, m)
			}
			if n := e.srv.Stats().MailsLost; n != 1 {
				t.Errorf("%d mails were lost", n)
			}
		}, func(c *signaling.Config) {
			c.Limits.MailsAll, c.Limits.Requests = signaling.Limit{Burst: -1}, signaling.Limit{Burst: -1}
		})
	})
}

// TestMailComesLate: a mail server that is away for a moment costs time and no code.
func TestMailComesLate(t *testing.T) {
	box := &mailbox{}
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		e := start(t, options{pipes: true, config: box.config(func(c *signaling.Config) {
			c.SendMail = func(ctx context.Context, m signaling.Mail) error {
				if tries++; tries < 3 {
					return fmt.Errorf("451 try later")
				}
				return box.send(ctx, m)
			}
		})})
		p := &person{t: t, e: e}
		p.asksCode("anna@example.org", "sign_up")
		time.Sleep(time.Minute)
		p.want(http.StatusCreated, http.MethodPost, "/users", message{"username": "anna", "password": goodPassword, "email": "anna@example.org", "email_code": box.code("anna@example.org")})
		if s := e.srv.Stats(); tries != 3 || s.Mails != 1 || s.MailsLost != 0 {
			t.Errorf("%d tries, %+v", tries, s)
		}
	})
}

// TestDomainAccess lets in whoever shows to have an address of the domains, and nobody else but admins.
func TestDomainAccess(t *testing.T) {
	withMail(t, func(t *testing.T, e *env, box *mailbox) {
		anna := &person{t: t, e: e}
		m := anna.want(http.StatusOK, http.MethodGet, "/access", nil)
		if m.str("access") != "domain" || m["guests"] != false || m["email"] != true || !slices.Equal(m["email_domains"].([]any), []any{"example.org", "uni.example"}) {
			t.Errorf("access %v", m)
		}
		anna.refused(http.StatusUnauthorized, "unauthorized", http.MethodPost, "/guests", message{})
		signUp := message{"username": "anna", "password": goodPassword}
		anna.refused(http.StatusForbidden, "email_required", http.MethodPost, "/users", signUp)
		anna.refused(http.StatusForbidden, "email_required", http.MethodPost, "/passkeys/options", message{"username": "anna"})
		for _, email := range []string{"anna@example.com", "anna@cs.uni.example", "anna@notuni.example", "anna@uni.example.com"} {
			anna.refused(http.StatusForbidden, "email_domain", http.MethodPost, "/email/codes", message{"email": email, "for": "sign_up"})
			signUp["email"], signUp["email_code"] = email, "AAAA-AAAA"
			anna.refused(http.StatusForbidden, "email_domain", http.MethodPost, "/users", signUp)
		}
		signUp["email"], signUp["email_code"] = "anna@uni.example", anna.gets(box, "anna@UNI.example", "sign_up")
		anna.come(anna.want(http.StatusCreated, http.MethodPost, "/users", signUp))
		anna.ws()

		// It can be changed for another, and not be done without.
		anna.refused(http.StatusForbidden, "email_required", http.MethodDelete, "/users/me/email", message{"password": goodPassword})
		anna.refused(http.StatusForbidden, "email_domain", http.MethodPost, "/email/codes", message{"email": "anna@example.com", "for": "account"})
		code := anna.gets(box, "anna@example.org", "account")
		anna.refused(http.StatusForbidden, "email_domain", http.MethodPut, "/users/me/email", message{"email": "anna@example.com", "code": code, "password": goodPassword})
		anna.want(http.StatusOK, http.MethodPut, "/users/me/email", message{"email": "anna@example.org", "code": code, "password": goodPassword})
	}, inDomains("example.org", "uni.example"))
}

// TestAccountsOfBefore: once an address of a domain is wanted, those who have none may log in and show one, and only then
// come in. Guests of before may make an account.
func TestAccountsOfBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		box := &mailbox{}
		e := start(t, options{pipes: true, config: box.config()})
		guest, anna, boss := e.guest(), e.signUp("anna"), e.signUp("boss")
		elsewhere, inside := e.signUpWith(box, "bert", "bert@example.com"), e.signUpWith(box, "carl", "carl@uni.example")
		path := e.path
		e.stop()
		e = start(t, options{pipes: true, path: path, config: box.config(inDomains("uni.example"))})
		for _, p := range []*person{guest, anna, boss, elsewhere, inside} {
			p.e = e
		}
		if err := e.db.SetRoles(store.UserID(boss.id), []string{"admin"}); err != nil {
			t.Fatal(err)
		}
		boss.token = ""
		boss.come(boss.want(http.StatusOK, http.MethodPost, "/sessions", message{"username": "boss", "password": goodPassword}))
		required := func(p *person) any {
			return p.want(http.StatusOK, http.MethodGet, "/users/me", nil).sub("account")["email_required"]
		}
		for _, p := range []*person{boss, inside} {
			if required(p) != false {
				t.Errorf("%s has to show an address", p.username)
			}
			p.ws()
		}
		for _, p := range []*person{anna, elsewhere} {
			if required(p) != true {
				t.Errorf("%s need not show an address", p.username)
			}
			c := e.dial("")
			c.send(message{"type": "hello", "versions": []int{1}, "token": p.token})
			refusal{"email_required", 4401}.check(c)
		}
		// Whoever has forgotten the password gets it back by an address that would not be taken.
		code := (&person{t: t, e: e}).gets(box, "bert@example.com", "reset")
		elsewhere.come(elsewhere.want(http.StatusOK, http.MethodPost, "/sessions/email", message{"email": "bert@example.com", "code": code, "password": goodPassword}))

		for email, p := range map[string]*person{"anna@uni.example": anna, "bert@uni.example": elsewhere} {
			code := p.gets(box, email, "account")
			m := p.want(http.StatusOK, http.MethodPut, "/users/me/email", message{"email": email, "code": code, "password": goodPassword})
			if m.sub("account")["email_required"] != false {
				t.Errorf("me %v", m)
			}
			p.ws()
		}
		c := e.dial("")
		c.send(message{"type": "hello", "versions": []int{1}, "token": guest.token})
		refusal{"unauthorized", 4401}.check(c)
		before := guest.id
		code = guest.gets(box, "guest@uni.example", "sign_up")
		guest.come(guest.want(http.StatusCreated, http.MethodPost, "/users", message{"username": "dora", "password": goodPassword, "email": "guest@uni.example", "email_code": code}))
		if guest.id != before {
			t.Error("the guest has become somebody else")
		}
		guest.ws()
	})
}

// TestMailConfig: what cannot work is refused.
func TestMailConfig(t *testing.T) {
	e := start(t, options{})
	box := &mailbox{}
	for name, change := range map[string]func(*signaling.Config){
		"domains without mail":    func(c *signaling.Config) { inDomains("example.org")(c) },
		"domain without domains":  func(c *signaling.Config) { inDomains()(c); c.SendMail, c.Place = box.send, mailPlace },
		"mail without its origin": func(c *signaling.Config) { c.SendMail = box.send },
	} {
		c := signaling.Config{DB: e.db, Matcher: e.matcher, NewPeer: e.media.newPeer}
		change(&c)
		if _, err := signaling.New(c); err == nil {
			t.Errorf("%s: made a server", name)
		}
	}
}
