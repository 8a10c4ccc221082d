package signaling_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"smalltalk/signaling"
	"smalltalk/store"
)

func TestSignUp(t *testing.T) {
	e := start(t, options{config: quickHash})
	anna := &person{t: t, e: e}
	m := anna.want(http.StatusCreated, http.MethodPost, "/users", message{"username": "Anna.B", "password": goodPassword, "name": " Anna "})
	if user := m.sub("user"); user.str("name") != "Anna" || user["guest"] != false || len(user["roles"].([]any)) != 0 {
		t.Errorf("signed up as %v", m)
	}
	anna.come(m)
	me := anna.want(http.StatusOK, http.MethodGet, "/users/me", nil)
	if a := me.sub("account"); me.str("id") != anna.id || a.str("username") != "Anna.B" || a["password"] != true || a.num("passkeys") != 0 || a.num("created") == 0 {
		t.Errorf("me %v", me)
	}
	anna.refused(http.StatusConflict, "has_account", http.MethodPost, "/users", message{"username": "other", "password": goodPassword})
	nobody := &person{t: t, e: e}
	for _, taken := range []string{"anna.b", "ANNA.B", "anna-b", "ａｎｎａ.ｂ"} {
		nobody.refused(http.StatusConflict, "username_taken", http.MethodPost, "/users", message{"username": taken, "password": goodPassword})
	}
	if bert := e.signUp("bert"); bert.id == anna.id {
		t.Error("two people have one id")
	}
	if n := e.srv.Stats().Accounts; n != 2 {
		t.Errorf("%d accounts were made", n)
	}
	account, err := e.db.Account(store.UserID(anna.id))
	if err != nil || !strings.HasPrefix(account.Password, "$argon2id$v=19$m=19456,t=2,p=1$") || strings.Contains(account.Password, goodPassword) {
		t.Errorf("account %+v %v", account, err)
	}
}

// TestBrowserSignsUp: a browser gets a cookie and never a token to read.
func TestBrowserSignsUp(t *testing.T) {
	e := start(t, options{config: quickHash})
	body := `{"username":"anna","password":"` + goodPassword + `"}`
	status, m, resp := e.do(http.MethodPost, "/api/v1/users", body, "Content-Type", jsonType, "User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	if status != http.StatusCreated || m.str("token") != "" {
		t.Fatalf("%d %v", status, m)
	}
	cookie := cookieOf(t, resp)
	if c := resp.Cookies()[0]; !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.MaxAge != 90*24*3600 {
		t.Errorf("cookie %v", c)
	}
	status, m, _ = e.do(http.MethodGet, "/api/v1/sessions", "", "Cookie", cookie)
	if list := m.items("sessions"); status != http.StatusOK || len(list) != 1 || list[0].str("device") != "Firefox on Linux" || list[0]["current"] != true {
		t.Errorf("%d %v", status, m)
	}
	// The cookie's token is worth nothing to who says to be native, and is told to nobody.
	status, m, _ = e.do(http.MethodGet, "/api/v1/users/me", "", "Cookie", cookie, "Smalltalk-Client", "native")
	if status != http.StatusUnauthorized {
		t.Errorf("native with a cookie: %d %v", status, m)
	}
	status, m, resp = e.do(http.MethodPost, "/api/v1/sessions", body, "Content-Type", jsonType, "Cookie", cookie)
	if status != http.StatusOK || m.str("token") != "" || cookieOf(t, resp) == cookie {
		t.Errorf("log in: %d %v", status, m)
	}
	if status, _, _ := e.do(http.MethodGet, "/api/v1/users/me", "", "Cookie", cookie); status != http.StatusUnauthorized {
		t.Errorf("the cookie of before is still good: %d", status)
	}
}

// TestGuestBecomesAccount keeps the id, the friends and the blocks, and the live session goes on.
func TestGuestBecomesAccount(t *testing.T) {
	e := start(t, options{config: quickHash})
	guest, friend, foe := e.guest(), e.guest(), e.guest()
	e.befriend(guest, friend)
	guest.want(http.StatusNoContent, http.MethodPost, "/blocks", message{"call": e.meet(guest, foe)})
	live := guest.ws()
	before := *guest
	guest.come(guest.want(http.StatusCreated, http.MethodPost, "/users", message{"username": "anna", "password": goodPassword, "name": "Anna"}))
	if guest.id != before.id || guest.token == before.token {
		t.Errorf("%s became %s, token the same: %v", before.id, guest.id, guest.token == before.token)
	}
	before.refused(http.StatusUnauthorized, "unauthorized", http.MethodGet, "/users/me", nil)
	if m := guest.want(http.StatusOK, http.MethodGet, "/friends", nil); !contains(m.items("friends"), "id", friend.id) {
		t.Errorf("friends %v", m)
	}
	if err := e.db.Unblock(store.UserID(guest.id), store.UserID(foe.id)); err != nil {
		t.Errorf("block: %v", err)
	}
	if m := friend.want(http.StatusOK, http.MethodGet, "/friends", nil); m.items("friends")[0].str("name") != "Anna" || m.items("friends")[0]["guest"] != false {
		t.Errorf("the friend sees %v", m)
	}
	live.send(message{"type": "ping", "t": 1})
	live.want("pong")
	// The session is the account's now, and so ends with its new token's device.
	live.drop()
	again := e.dial("")
	again.token = guest.token
	if w := again.hello(message{"resume": live.resume}); w["resumed"] != true || w.sub("user")["guest"] != false || w.sub("user").str("name") != "Anna" {
		t.Errorf("welcome %v", w)
	}
	guest.want(http.StatusNoContent, http.MethodDelete, "/sessions", nil)
	again.wantError("unauthorized")
	again.wantClosed(4401)
}

// TestGuestLogsIn: whom a guest has blocked does not meet the account that he logs in to either, also if that is there on another device.
func TestGuestLogsIn(t *testing.T) {
	e := start(t, options{config: quickHash})
	anna, friend := e.signUp("anna"), e.signUp("fred")
	e.befriend(anna, friend)
	codes := anna.want(http.StatusCreated, http.MethodPost, "/users/me/recovery", message{"password": goodPassword})["codes"].([]any)
	live := anna.ws()
	for _, way := range []struct {
		path string
		body message
		live bool // the other device stays
	}{
		{"/sessions", message{"username": "anna", "password": goodPassword}, true},
		{"/sessions/recovery", message{"username": "anna", "code": codes[0], "password": goodPassword}, false},
	} {
		guest, foe := e.guest(), e.guest()
		for _, whom := range []*person{foe, friend} {
			guest.want(http.StatusNoContent, http.MethodPost, "/blocks", message{"call": e.meet(guest, whom)})
		}
		guest.come(guest.want(http.StatusOK, http.MethodPost, way.path, way.body))
		if blocked, err := e.db.Blocked(store.UserID(anna.id), store.UserID(foe.id)); err != nil || !blocked || guest.id != anna.id {
			t.Errorf("%s: blocked %v, %v", way.path, blocked, err)
		}
		if way.live && e.srv.MayMeet(store.UserID(anna.id), store.UserID(foe.id)) {
			t.Errorf("%s: who is there does not know of the block", way.path)
		}
		if friends, err := e.db.AreFriends(store.UserID(anna.id), store.UserID(friend.id)); err != nil || !friends {
			t.Errorf("%s: friends %v, %v", way.path, friends, err)
		}
	}
	live.wantError("unauthorized")
}

func TestLogInAndOut(t *testing.T) {
	e := start(t, options{config: quickHash})
	anna := e.signUp("anna")
	phone := &person{t: t, e: e}
	phone.come(phone.want(http.StatusOK, http.MethodPost, "/sessions", message{"username": " ANNA", "password": goodPassword, "device": "Anna's phone"}))
	if phone.id != anna.id || phone.token == anna.token {
		t.Fatalf("%+v is not %+v on another device", phone, anna)
	}
	list := phone.want(http.StatusOK, http.MethodGet, "/sessions", nil).items("sessions")
	if len(list) != 2 || !contains(list, "device", "Anna's phone") {
		t.Fatalf("devices %v", list)
	}
	var other string
	for _, d := range list {
		if d["current"] == (d.str("device") != "Anna's phone") {
			t.Errorf("devices %v", list)
		}
		if d["current"] == false {
			other = d.str("id")
		}
	}
	// One device ends another, also its live session.
	live := anna.ws()
	phone.want(http.StatusNoContent, http.MethodDelete, "/sessions/"+other, nil)
	live.wantError("unauthorized")
	live.wantClosed(4401)
	anna.refused(http.StatusUnauthorized, "unauthorized", http.MethodGet, "/users/me", nil)
	phone.refused(http.StatusNotFound, "not_found", http.MethodDelete, "/sessions/"+other, nil)
	phone.want(http.StatusNoContent, http.MethodDelete, "/sessions", nil)
	phone.refused(http.StatusUnauthorized, "unauthorized", http.MethodGet, "/sessions", nil)
}

func TestChangeAccount(t *testing.T) {
	e := start(t, options{config: quickHash})
	anna, bert := e.signUp("anna"), e.signUp("bert")
	m := anna.want(http.StatusOK, http.MethodPatch, "/users/me", message{"name": " Änni ", "username": "Anna2", "hide_presence": true})
	if m.str("name") != "Änni" || m.sub("account").str("username") != "Anna2" || m.sub("account")["hide_presence"] != true {
		t.Errorf("changed to %v", m)
	}
	anna.want(http.StatusOK, http.MethodPatch, "/users/me", message{"username": "ANNA2"}) // one's own name in another form
	bert.want(http.StatusOK, http.MethodPatch, "/users/me", message{"username": "anna"})  // which is free by now
	anna.refused(http.StatusConflict, "username_taken", http.MethodPatch, "/users/me", message{"username": "Anna"})
	anna.refused(http.StatusBadRequest, "bad_username", http.MethodPatch, "/users/me", message{"username": "admin"})
	anna.refused(http.StatusBadRequest, "bad_message", http.MethodPatch, "/users/me", message{"name": "a\u202eb"})
	anna.refused(http.StatusBadRequest, "bad_message", http.MethodPatch, "/users/me", message{"name": "  "})
	if m := anna.want(http.StatusOK, http.MethodPatch, "/users/me", message{}); m.str("name") != "Änni" {
		t.Errorf("nothing changed it to %v", m)
	}
}

// TestChangePassword ends all other sessions, and this one goes on with another token.
func TestChangePassword(t *testing.T) {
	e := start(t, options{config: quickHash})
	anna := e.signUp("anna")
	phone := &person{t: t, e: e}
	phone.come(phone.want(http.StatusOK, http.MethodPost, "/sessions", message{"username": "anna", "password": goodPassword}))
	live := phone.ws()
	const better = "an even better password"
	phone.refused(http.StatusForbidden, "confirm_required", http.MethodPatch, "/users/me", message{"password": better})
	phone.refused(http.StatusForbidden, "confirm_required", http.MethodPatch, "/users/me", message{"password": better, "current": "wrong"})
	phone.refused(http.StatusBadRequest, "bad_password", http.MethodPatch, "/users/me", message{"password": "password1", "current": goodPassword})
	phone.refused(http.StatusBadRequest, "bad_password", http.MethodPatch, "/users/me", message{"password": "annaanna", "current": goodPassword})
	before := *phone
	m := phone.want(http.StatusOK, http.MethodPatch, "/users/me", message{"password": better, "current": goodPassword})
	if phone.token = m.str("token"); phone.token == "" || phone.token == before.token {
		t.Fatalf("changed: %v", m)
	}
	anna.refused(http.StatusUnauthorized, "unauthorized", http.MethodGet, "/users/me", nil)
	before.refused(http.StatusUnauthorized, "unauthorized", http.MethodGet, "/users/me", nil)
	live.send(message{"type": "ping", "t": 1})
	live.want("pong")
	if list := phone.want(http.StatusOK, http.MethodGet, "/sessions", nil).items("sessions"); len(list) != 1 || list[0]["current"] != true {
		t.Errorf("devices %v", list)
	}
	nobody := &person{t: t, e: e}
	nobody.refused(http.StatusUnauthorized, "wrong_login", http.MethodPost, "/sessions", message{"username": "anna", "password": goodPassword})
	nobody.want(http.StatusOK, http.MethodPost, "/sessions", message{"username": "anna", "password": better})
}

// TestPasswordChangesMeanwhile: whoever knows the password of before and is at it while the owner changes it gets nothing.
func TestPasswordChangesMeanwhile(t *testing.T) {
	e := start(t, options{config: quickHash})
	for name, try := range map[string]func(thief *person){
		"log in": func(thief *person) {
			thief.token = ""
			thief.refused(http.StatusUnauthorized, "wrong_login", http.MethodPost, "/sessions", message{"username": thief.username, "password": goodPassword})
		},
		"recovery codes": func(thief *person) {
			thief.refused(http.StatusUnauthorized, "unauthorized", http.MethodPost, "/users/me/recovery", message{"password": goodPassword})
		},
		"delete": func(thief *person) {
			thief.refused(http.StatusUnauthorized, "unauthorized", http.MethodDelete, "/users/me", message{"password": goodPassword})
		},
	} {
		t.Run(name, func(t *testing.T) {
			thief := e.on(t).signUp("anna" + strings.ReplaceAll(name, " ", ""))
			id := store.UserID(thief.id)
			account, err := e.db.Account(id)
			if err != nil {
				t.Fatal(err)
			}
			waiting, release := e.srv.HoldHashes()
			var busy sync.WaitGroup
			busy.Go(func() { try(thief) })
			for waiting() == 0 { // by then the account was read
				time.Sleep(time.Millisecond)
			}
			_, err = e.db.SetPassword(id, account.Password, "another", time.Now(), store.TokenSpec{TTL: time.Hour})
			release()
			busy.Wait()
			if err != nil {
				t.Fatal(err)
			}
			devices, err := e.db.Devices(id, time.Now())
			account, err2 := e.db.Account(id)
			if err != nil || err2 != nil || len(devices) != 1 || len(account.Recovery) != 0 {
				t.Errorf("devices %+v, %v; account %+v, %v", devices, err, account, err2)
			}
		})
	}
}

// TestLogInAgain: whoever logs in anew goes on where he is, and then that hangs on the new token; somebody else does not.
func TestLogInAgain(t *testing.T) {
	e := start(t, options{config: quickHash})
	anna := e.signUp("anna")
	e.signUp("bert")
	live := anna.ws()
	old := *anna
	anna.come(anna.want(http.StatusOK, http.MethodPost, "/sessions", message{"username": "anna", "password": goodPassword}))
	old.refused(http.StatusUnauthorized, "unauthorized", http.MethodGet, "/users/me", nil)
	live.send(message{"type": "ping", "t": 1})
	live.want("pong")
	bert := *anna
	bert.come(bert.want(http.StatusOK, http.MethodPost, "/sessions", message{"username": "bert", "password": goodPassword}))
	live.wantError("unauthorized")
	live.wantClosed(4401)
	anna.refused(http.StatusUnauthorized, "unauthorized", http.MethodGet, "/users/me", nil)
}

func TestRecovery(t *testing.T) {
	e := start(t, options{config: quickHash})
	anna := e.signUp("anna")
	anna.refused(http.StatusForbidden, "confirm_required", http.MethodPost, "/users/me/recovery", message{})
	codes := anna.want(http.StatusCreated, http.MethodPost, "/users/me/recovery", message{"password": goodPassword})["codes"].([]any)
	if len(codes) != 10 {
		t.Fatalf("codes %v", codes)
	}
	if m := anna.want(http.StatusOK, http.MethodGet, "/users/me", nil); m.sub("account").num("recovery_codes") != 10 {
		t.Errorf("me %v", m)
	}
	live := anna.ws()
	nobody := &person{t: t, e: e}
	const better = "an even better password"
	with := func(name string, code any, password string) message {
		return message{"username": name, "code": code, "password": password}
	}
	nobody.refused(http.StatusUnauthorized, "wrong_login", http.MethodPost, "/sessions/recovery", with("anna", "aaaa-bbbb-cccc-dddd", better))
	nobody.refused(http.StatusUnauthorized, "wrong_login", http.MethodPost, "/sessions/recovery", with("bert", codes[0], better))
	nobody.refused(http.StatusUnauthorized, "wrong_login", http.MethodPost, "/sessions/recovery", with("anna", strings.Repeat("a", 1000), better))
	nobody.refused(http.StatusBadRequest, "bad_password", http.MethodPost, "/sessions/recovery", with("anna", codes[0], "password"))
	nobody.come(nobody.want(http.StatusOK, http.MethodPost, "/sessions/recovery", with("Anna", strings.ToUpper(codes[3].(string)), better)))
	if nobody.id != anna.id {
		t.Errorf("recovered %s, want %s", nobody.id, anna.id)
	}
	live.wantError("unauthorized")
	live.wantClosed(4401)
	anna.refused(http.StatusUnauthorized, "unauthorized", http.MethodGet, "/users/me", nil)
	thief := &person{t: t, e: e}
	thief.refused(http.StatusUnauthorized, "wrong_login", http.MethodPost, "/sessions/recovery", with("anna", codes[3], "yet another password"))
	if m := nobody.want(http.StatusOK, http.MethodGet, "/users/me", nil); m.sub("account").num("recovery_codes") != 9 {
		t.Errorf("me %v", m)
	}
}

// TestDelete leaves nothing by which anybody could find the person, and nothing stale with friends.
func TestDelete(t *testing.T) {
	e := start(t, options{config: quickHash})
	anna, friend := e.signUp("anna"), e.signUp("fred")
	e.befriend(anna, friend)
	live := anna.ws()
	anna.refused(http.StatusForbidden, "confirm_required", http.MethodDelete, "/users/me", nil)
	anna.refused(http.StatusForbidden, "confirm_required", http.MethodDelete, "/users/me", message{"password": "wrong"})
	anna.want(http.StatusNoContent, http.MethodDelete, "/users/me", message{"password": goodPassword})
	live.wantError("unauthorized")
	live.wantClosed(4401)
	anna.refused(http.StatusUnauthorized, "unauthorized", http.MethodGet, "/users/me", nil)
	if m := friend.want(http.StatusOK, http.MethodGet, "/friends", nil); len(m.items("friends")) != 0 {
		t.Errorf("friends %v", m)
	}
	nobody := &person{t: t, e: e}
	nobody.refused(http.StatusUnauthorized, "wrong_login", http.MethodPost, "/sessions", message{"username": "anna", "password": goodPassword})
	if again := e.signUp("anna"); again.id == anna.id {
		t.Error("the name's next owner is the same person")
	}
	guest := e.guest()
	guest.want(http.StatusNoContent, http.MethodDelete, "/users/me", nil)
	guest.refused(http.StatusUnauthorized, "unauthorized", http.MethodGet, "/users/me", nil)
}

func TestExport(t *testing.T) {
	e := start(t, options{config: quickHash})
	anna, friend := e.signUp("anna"), e.signUp("fred")
	e.befriend(anna, friend)
	status, m, resp := anna.do(http.MethodGet, "/users/me/export", nil)
	if status != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Disposition"), "attachment") {
		t.Errorf("%d %v", status, resp.Header)
	}
	if m.sub("user").str("id") != anna.id || m.sub("account").str("username") != "anna" || !contains(m.items("friends"), "user", friend.id) || len(m.items("devices")) != 1 {
		t.Errorf("export %v", m)
	}
	for range 4 {
		anna.want(http.StatusOK, http.MethodGet, "/users/me/export", nil)
	}
	anna.refused(http.StatusTooManyRequests, "rate_limited", http.MethodGet, "/users/me/export", nil)
}

func TestAccess(t *testing.T) {
	for _, tc := range []struct {
		access         signaling.Access
		guests, invite bool
	}{{"", true, false}, {signaling.AccessGuestsOff, false, false}, {signaling.AccessInvite, false, true}} {
		t.Run(string(tc.access), func(t *testing.T) {
			e := start(t, options{config: func(c *signaling.Config) { quickHash(c); c.Access = tc.access }})
			anna := &person{t: t, e: e}
			m := anna.want(http.StatusOK, http.MethodGet, "/access", nil)
			if m["guests"] != tc.guests || m["invite"] != tc.invite {
				t.Errorf("access %v", m)
			}
			if !tc.guests {
				anna.refused(http.StatusUnauthorized, "unauthorized", http.MethodPost, "/guests", message{})
			}
			signUp := message{"username": "anna", "password": goodPassword}
			if tc.invite {
				for _, code := range []string{"", "aaaa-bbbb-cccc-dddd"} {
					signUp["invite"] = code
					anna.refused(http.StatusForbidden, "invite_required", http.MethodPost, "/users", signUp)
				}
				code, _, err := e.db.CreateInvite(store.Invite{Uses: 1, Expires: time.Now().Add(time.Hour)}, time.Now())
				if err != nil {
					t.Fatal(err)
				}
				signUp["invite"] = code
			}
			anna.come(anna.want(http.StatusCreated, http.MethodPost, "/users", signUp))
			anna.ws()
			if tc.invite {
				signUp["username"] = "bert"
				(&person{t: t, e: e}).refused(http.StatusForbidden, "invite_required", http.MethodPost, "/users", signUp)
			}
		})
	}
	t.Run("unknown", func(t *testing.T) {
		if _, err := signaling.New(signaling.Config{Access: "everybody"}); err == nil {
			t.Error("made a server")
		}
	})
}

// TestGuestsOfBefore: once guests are off, those who are there do not get in, but may make an account.
func TestGuestsOfBefore(t *testing.T) {
	e := start(t, options{config: quickHash})
	guest := e.guest()
	path := e.path
	e.stop()
	e = start(t, options{path: path, config: func(c *signaling.Config) { quickHash(c); c.Access = signaling.AccessGuestsOff }})
	guest.e = e
	c := e.dial("")
	c.send(message{"type": "hello", "versions": []int{1}, "token": guest.token})
	refusal{"unauthorized", 4401}.check(c)
	before := guest.id
	guest.come(guest.want(http.StatusCreated, http.MethodPost, "/users", message{"username": "anna", "password": goodPassword}))
	if guest.id != before {
		t.Error("the guest has become somebody else")
	}
	guest.ws()
}

// TestRehash: who logs in has a hash of the operator's cost from then on.
func TestRehash(t *testing.T) {
	e := start(t, options{config: quickHash})
	anna := e.signUp("anna")
	path := e.path
	e.stop()
	e = start(t, options{path: path, config: func(c *signaling.Config) { c.Hashing = signaling.Hashing{MemoryKiB: 24 << 10} }})
	(&person{t: t, e: e}).want(http.StatusOK, http.MethodPost, "/sessions", message{"username": "anna", "password": goodPassword})
	if account, err := e.db.Account(store.UserID(anna.id)); err != nil || !strings.HasPrefix(account.Password, "$argon2id$v=19$m=24576,t=2,p=1$") {
		t.Errorf("hash %q %v", account.Password, err)
	}
	(&person{t: t, e: e}).want(http.StatusOK, http.MethodPost, "/sessions", message{"username": "anna", "password": goodPassword})
}

func TestPeopleLists(t *testing.T) {
	e := start(t, options{config: quickHash})
	anna, bert, carl := e.signUp("anna"), e.signUp("bert"), e.guest()
	var told []string
	e.srv.OnPeople(func(what string, a, b store.UserID) {
		names := map[store.UserID]string{store.UserID(anna.id): "anna", store.UserID(bert.id): "bert", store.UserID(carl.id): "carl", "": ""}
		told = append(told, strings.TrimSpace(names[a]+" "+what+" "+names[b]))
	})
	e.srv.SetPresence(func(store.UserID) string { return "in_call" })

	call := e.meet(anna, bert)
	partners := anna.want(http.StatusOK, http.MethodGet, "/partners", nil).items("partners")
	if len(partners) != 1 || partners[0].str("call") != call || partners[0].str("name") != "bert" || partners[0]["friend"] != false {
		t.Errorf("partners %v", partners)
	}
	for range 2 { // twice changes nothing
		if m := anna.want(http.StatusOK, http.MethodPost, "/friends/requests", message{"call": call}); m.str("state") != "asked" {
			t.Errorf("asked: %v", m)
		}
	}
	requests := bert.want(http.StatusOK, http.MethodGet, "/friends/requests", nil).items("requests")
	if len(requests) != 1 || requests[0].str("id") != anna.id || requests[0].str("name") != "anna" {
		t.Errorf("requests %v", requests)
	}
	if m := bert.want(http.StatusOK, http.MethodPost, "/friends/requests", message{"user": anna.id}); m.str("state") != "friends" {
		t.Errorf("said yes: %v", m)
	}
	friends := anna.want(http.StatusOK, http.MethodGet, "/friends", nil).items("friends")
	if len(friends) != 1 || friends[0].str("id") != bert.id || friends[0].str("presence") != "in_call" || friends[0].num("since") == 0 {
		t.Errorf("friends %v", friends)
	}
	if partners := anna.want(http.StatusOK, http.MethodGet, "/partners", nil).items("partners"); partners[0]["friend"] != true {
		t.Errorf("partners %v", partners)
	}
	bert.want(http.StatusOK, http.MethodPatch, "/users/me", message{"hide_presence": true})
	if f := anna.want(http.StatusOK, http.MethodGet, "/friends", nil).items("friends"); f[0].str("presence") != "offline" {
		t.Errorf("who hides is %v", f)
	}

	if err := e.db.AddMissed(store.UserID(anna.id), store.UserID(bert.id), time.Now()); err != nil {
		t.Fatal(err)
	}
	if m := anna.want(http.StatusOK, http.MethodGet, "/missed", nil); !contains(m.items("missed"), "id", bert.id) {
		t.Errorf("missed %v", m)
	}
	anna.want(http.StatusNoContent, http.MethodDelete, "/missed", nil)
	if m := anna.want(http.StatusOK, http.MethodGet, "/missed", nil); len(m.items("missed")) != 0 {
		t.Errorf("missed %v", m)
	}

	anna.want(http.StatusNoContent, http.MethodDelete, "/friends/"+bert.id, nil)
	anna.refused(http.StatusNotFound, "not_found", http.MethodDelete, "/friends/"+bert.id, nil)

	// A request that is declined, and one that a block ends.
	other := e.meet(anna, carl)
	carl.want(http.StatusOK, http.MethodPost, "/friends/requests", message{"call": other})
	anna.want(http.StatusNoContent, http.MethodDelete, "/friends/requests/"+carl.id, nil)
	if m := anna.want(http.StatusOK, http.MethodGet, "/friends/requests", nil); len(m.items("requests")) != 0 {
		t.Errorf("requests %v", m)
	}
	anna.want(http.StatusNoContent, http.MethodPost, "/blocks", message{"call": other})
	blocks := anna.want(http.StatusOK, http.MethodGet, "/blocks", nil).items("blocks")
	if len(blocks) != 1 || blocks[0].str("name") == "" {
		t.Fatalf("blocks %v", blocks)
	}
	if p := anna.want(http.StatusOK, http.MethodGet, "/partners", nil).items("partners"); contains(p, "call", other) {
		t.Errorf("partners %v", p)
	}
	// Who is blocked cannot tell, and reaches nobody.
	if m := carl.want(http.StatusOK, http.MethodPost, "/friends/requests", message{"call": other}); m.str("state") != "asked" {
		t.Errorf("asked by who is blocked: %v", m)
	}
	if m := anna.want(http.StatusOK, http.MethodGet, "/friends/requests", nil); len(m.items("requests")) != 0 {
		t.Errorf("requests %v", m)
	}
	anna.want(http.StatusNoContent, http.MethodDelete, "/blocks/"+blocks[0].str("id"), nil)
	anna.refused(http.StatusNotFound, "not_found", http.MethodDelete, "/blocks/"+blocks[0].str("id"), nil)

	want := []string{"anna asked bert", "bert friends anna", "bert hide", "anna parted bert", "carl asked anna", "anna blocked carl"}
	if !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}

// TestMetTwice: nothing that is listed or handed out lets anybody tell that two calls were with the same person.
func TestMetTwice(t *testing.T) {
	e := start(t, options{config: quickHash})
	anna, bert := e.guest(), e.guest()
	first, second := e.meet(anna, bert), e.meet(anna, bert)
	blockID := func(call string) string {
		t.Helper()
		anna.want(http.StatusNoContent, http.MethodPost, "/blocks", message{"call": call})
		blocks := anna.want(http.StatusOK, http.MethodGet, "/blocks", nil).items("blocks")
		if len(blocks) != 1 {
			t.Fatalf("blocks %v", blocks)
		}
		if export := anna.want(http.StatusOK, http.MethodGet, "/users/me/export", nil); strings.Contains(str(export), bert.id) || len(export.items("partners")) != 2 {
			t.Errorf("export %v", export)
		}
		anna.want(http.StatusNoContent, http.MethodDelete, "/blocks/"+blocks[0].str("id"), nil)
		return blocks[0].str("id")
	}
	if p := anna.want(http.StatusOK, http.MethodGet, "/partners", nil).items("partners"); len(p) != 2 || !contains(p, "call", first) || !contains(p, "call", second) {
		t.Errorf("partners %v", p)
	}
	one := blockID(first)
	if p := anna.want(http.StatusOK, http.MethodGet, "/partners", nil).items("partners"); len(p) != 1 || !contains(p, "call", second) {
		t.Errorf("partners after a block by the other call: %v", p)
	}
	if two := blockID(second); one == two || one == bert.id {
		t.Errorf("ids %s and %s, the person's is %s", one, two, bert.id)
	}
	for _, call := range []string{first, second} {
		anna.refused(http.StatusNotFound, "not_found", http.MethodPost, "/friends/requests", message{"call": call})
	}
	// Who asks both times shows nothing in what it says was asked.
	third, fourth := e.meet(anna, bert), e.meet(anna, bert)
	for _, call := range []string{third, fourth} {
		if m := anna.want(http.StatusOK, http.MethodPost, "/friends/requests", message{"call": call}); m.str("state") != "asked" {
			t.Errorf("asked: %v", m)
		}
	}
	if export := anna.want(http.StatusOK, http.MethodGet, "/users/me/export", nil); strings.Contains(str(export), bert.id) {
		t.Errorf("export %v", export)
	}
}

// TestBlockLimit is for one person, over HTTP as over the WebSocket.
func TestBlockLimit(t *testing.T) {
	e := start(t, options{config: func(c *signaling.Config) { c.Limits.Blocks = signaling.Limit{Burst: 1, Every: time.Hour} }})
	anna := e.guest()
	anna.want(http.StatusNoContent, http.MethodPost, "/blocks", message{"call": e.meet(anna, e.guest())})
	anna.refused(http.StatusTooManyRequests, "rate_limited", http.MethodPost, "/blocks", message{"call": e.meet(anna, e.guest())})
}

// TestFriendRequestLimit is for one person, whatever the address.
func TestFriendRequestLimit(t *testing.T) {
	e := start(t, options{config: func(c *signaling.Config) { c.Limits.Friends = signaling.Limit{Burst: 2, Every: time.Hour} }})
	anna := e.guest()
	for i := range 3 {
		call := e.meet(anna, e.guest())
		if i < 2 {
			anna.want(http.StatusOK, http.MethodPost, "/friends/requests", message{"call": call})
			continue
		}
		status, m, resp := anna.do(http.MethodPost, "/friends/requests", message{"call": call})
		if status != http.StatusTooManyRequests || m.num("retry_after_ms") <= 0 || resp.Header.Get("Retry-After") == "" {
			t.Errorf("%d %v", status, m)
		}
	}
}
