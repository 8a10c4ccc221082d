package signaling_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"smalltalk/signaling"
	"smalltalk/store"
)

// tokenRoutes are all that take a token, with a body that is fine for each.
var tokenRoutes = []struct {
	method, path string
	body         any
	owners       bool // guests are not enough
}{
	{http.MethodGet, "/users/me", nil, false},
	{http.MethodPatch, "/users/me", message{"name": "Other"}, false},
	{http.MethodDelete, "/users/me", message{"password": goodPassword}, false},
	{http.MethodGet, "/users/me/export", nil, false},
	{http.MethodPost, "/users/me/recovery", message{"password": goodPassword}, true},
	{http.MethodPut, "/users/me/email", message{"email": "a@example.org", "code": "x", "password": goodPassword}, true},
	{http.MethodDelete, "/users/me/email", message{"password": goodPassword}, true},
	{http.MethodGet, "/sessions", nil, false},
	{http.MethodDelete, "/sessions/aaaaaaaaaaaaaaaaaaaaaaaaaa", nil, false},
	{http.MethodPost, "/passkeys/options", message{"password": goodPassword}, true},
	{http.MethodGet, "/passkeys", nil, true},
	{http.MethodDelete, "/passkeys/AAAA", nil, true},
	{http.MethodGet, "/friends", nil, false},
	{http.MethodDelete, "/friends/aaaaaaaaaaaaaaaaaaaaaaaaaa", nil, false},
	{http.MethodGet, "/friends/requests", nil, false},
	{http.MethodPost, "/friends/requests", message{"call": "x"}, false},
	{http.MethodDelete, "/friends/requests/aaaaaaaaaaaaaaaaaaaaaaaaaa", nil, false},
	{http.MethodGet, "/blocks", nil, false},
	{http.MethodPost, "/blocks", message{"call": "x"}, false},
	{http.MethodDelete, "/blocks/aaaaaaaaaaaaaaaaaaaaaaaaaa", nil, false},
	{http.MethodGet, "/partners", nil, false},
	{http.MethodGet, "/missed", nil, false},
	{http.MethodDelete, "/missed", nil, false},
}

// TestTokenRoutesAreAll: a new route with a token must be in the table above.
func TestTokenRoutesAreAll(t *testing.T) {
	s := readSpec(t, served(t, start(t, options{}).srv))
	paths, _ := s.at("paths")
	count := 0
	for _, methods := range paths.(map[string]any) {
		for _, op := range methods.(map[string]any) {
			if _, ok := op.(map[string]any)["security"]; ok {
				count++
			}
		}
	}
	if want := len(tokenRoutes) - 1; count != want { // /passkeys/options is for newcomers too
		t.Errorf("%d routes take a token, the table has %d", count, want)
	}
}

// TestBadTokens sends tokens that are forged, of another server, too old, used up or no tokens, by every way a client has.
func TestBadTokens(t *testing.T) {
	elsewhere := start(t, options{config: quickHash})
	foreign := elsewhere.signUp("anna").token
	elsewhere.stop()
	e := start(t, options{config: quickHash})
	anna := e.signUp("anna")
	expired, err := e.db.CreateToken(store.UserID(anna.id), time.Now().Add(-2*time.Hour), store.TokenSpec{TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	idle, err := e.db.CreateToken(store.UserID(anna.id), time.Now().Add(-2*time.Hour), store.TokenSpec{TTL: 90 * 24 * time.Hour, Idle: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	out := e.guest()
	out.want(http.StatusNoContent, http.MethodDelete, "/sessions", nil)
	hash := sha256.Sum256([]byte(anna.token))
	device := anna.want(http.StatusOK, http.MethodGet, "/sessions", nil).items("sessions")[0].str("id")
	flipped := []byte(anna.token)
	flipped[0] ^= 1
	live := anna.ws()
	for name, bad := range map[string]string{
		"nothing":      "",
		"a word":       "x",
		"forged":       base64.RawURLEncoding.EncodeToString(make([]byte, 32)),
		"flipped":      string(flipped),
		"cut":          anna.token[:len(anna.token)-1],
		"longer":       anna.token + "A",
		"other case":   strings.ToUpper(anna.token),
		"foreign":      foreign,
		"expired":      expired,
		"idle":         idle,
		"logged out":   out.token,
		"its hash":     base64.RawURLEncoding.EncodeToString(hash[:]),
		"user id":      anna.id,
		"device id":    device,
		"resume token": live.resume,
		"huge":         strings.Repeat("A", 20<<10),
		"two tokens":   anna.token + " " + anna.token,
	} {
		t.Run(name, func(t *testing.T) {
			e := e.on(t)
			for _, r := range tokenRoutes {
				p := &person{t: t, e: e, token: bad}
				p.refused(http.StatusUnauthorized, "unauthorized", r.method, r.path, r.body)
			}
			if bad != "" && !strings.Contains(bad, " ") {
				status, m, _ := e.do(http.MethodGet, "/api/v1/users/me", "", "Cookie", "st="+bad)
				if status != http.StatusUnauthorized || m.str("code") != "unauthorized" {
					t.Errorf("in a cookie: %d %v", status, m)
				}
			}
			if len(bad) > 2048 {
				return // that is a bad message
			}
			c := e.dial("x")
			c.send(message{"type": "hello", "versions": []int{1}, "token": bad})
			refusal{"unauthorized", 4401}.check(c)
		})
	}
	if status, _, _ := e.do(http.MethodGet, "/api/v1/users/me?token="+anna.token, ""); status != http.StatusUnauthorized {
		t.Errorf("a token in the URL: %d", status)
	}
	anna.want(http.StatusOK, http.MethodGet, "/users/me", nil) // the right one is good all the while
}

// TestReplayedTokens: each token that something has replaced is worthless at once, also for a new WebSocket.
func TestReplayedTokens(t *testing.T) {
	e := start(t, options{config: quickHash})
	replayed := func(what, token string) {
		t.Helper()
		old := &person{t: t, e: e, token: token}
		old.refused(http.StatusUnauthorized, "unauthorized", http.MethodGet, "/users/me", nil)
		c := e.dial("x")
		c.send(message{"type": "hello", "versions": []int{1}, "token": token})
		c.wantError("unauthorized")
		c.wantClosed(4401)
		if t.Failed() {
			t.Fatal(what)
		}
	}
	p := e.guest()
	old := p.token
	p.come(p.want(http.StatusCreated, http.MethodPost, "/users", message{"username": "anna", "password": goodPassword}))
	replayed("signed up", old)
	old = p.token
	p.come(p.want(http.StatusOK, http.MethodPost, "/sessions", message{"username": "anna", "password": goodPassword}))
	replayed("logged in again", old)
	old = p.token
	p.token = p.want(http.StatusOK, http.MethodPatch, "/users/me", message{"password": "a better password", "current": goodPassword}).str("token")
	replayed("changed the password", old)
	old = p.token
	if err := e.db.SetRoles(store.UserID(p.id), []string{"moderator"}); err != nil {
		t.Fatal(err)
	}
	replayed("has another role", old)
}

// TestSessionFixation: a token that an attacker has planted is not the one that a log-in makes good.
func TestSessionFixation(t *testing.T) {
	e := start(t, options{config: quickHash})
	e.signUp("anna")
	for _, way := range []struct{ path, body string }{
		{"/api/v1/sessions", `{"username":"anna","password":"` + goodPassword + `"}`},
		{"/api/v1/users", `{"username":"bert","password":"` + goodPassword + `"}`},
	} {
		_, _, resp := e.do(http.MethodPost, "/api/v1/guests", "{}", "Content-Type", jsonType)
		planted := cookieOf(t, resp)
		status, m, resp := e.do(http.MethodPost, way.path, way.body, "Content-Type", jsonType, "Cookie", planted)
		if status >= 300 || cookieOf(t, resp) == planted {
			t.Errorf("%s: %d %v", way.path, status, m)
		}
		if status, _, _ := e.do(http.MethodGet, "/api/v1/users/me", "", "Cookie", planted); status != http.StatusUnauthorized {
			t.Errorf("%s: the planted cookie is good: %d", way.path, status)
		}
	}
	// A token that the attacker makes up is not taken over.
	made := "st=" + base64.RawURLEncoding.EncodeToString(make([]byte, 32))
	_, _, resp := e.do(http.MethodPost, "/api/v1/sessions", `{"username":"anna","password":"`+goodPassword+`"}`, "Content-Type", jsonType, "Cookie", made)
	if cookieOf(t, resp) == made {
		t.Error("a token that was made up has become good")
	}
}

// TestCrossSite sends what a page of another site can make a browser send, with the cookie.
func TestCrossSite(t *testing.T) {
	e := start(t, options{config: quickHash})
	e.signUp("anna")
	_, _, resp := e.do(http.MethodPost, "/api/v1/sessions", `{"username":"anna","password":"`+goodPassword+`"}`, "Content-Type", jsonType)
	cookie := cookieOf(t, resp)
	logIn := `{"username":"anna","password":"` + goodPassword + `"}`
	for _, r := range append(tokenRoutes, []struct {
		method, path string
		body         any
		owners       bool
	}{
		{http.MethodPost, "/sessions", logIn, false}, {http.MethodPost, "/users", logIn, false}, {http.MethodDelete, "/sessions", nil, false},
		{http.MethodPost, "/guests", nil, false}, {http.MethodPost, "/sessions/recovery", nil, false}, {http.MethodPost, "/passkeys", nil, false},
		{http.MethodPost, "/sessions/passkey/options", nil, false}, {http.MethodPost, "/sessions/passkey", nil, false},
	}...) {
		if r.method == http.MethodGet {
			continue // changes nothing, and the other site cannot read the answer
		}
		for name, header := range map[string][]string{
			"foreign origin":  {"Origin", "https://evil.example"},
			"no origin":       {"Origin", "null"},
			"cross-site":      {"Sec-Fetch-Site", "cross-site"},
			"same site only":  {"Sec-Fetch-Site", "same-site", "Origin", "https://other.localhost"},
			"other port":      {"Origin", "http://127.0.0.1:1"},
			"looks like ours": {"Origin", e.web.URL + ".evil.example"},
		} {
			status, m, _ := e.do(r.method, "/api/v1"+r.path, "{}", append(header, "Cookie", cookie, "Content-Type", jsonType)...)
			if status != http.StatusForbidden || m.str("code") != "unauthorized" {
				t.Errorf("%s %s, %s: %d %v", r.method, r.path, name, status, m)
			}
		}
		if r.method == http.MethodDelete {
			continue
		}
		// A form cannot send JSON, even where a browser tells nothing of where it is.
		for _, kind := range []string{"application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", ""} {
			status, m, _ := e.do(r.method, "/api/v1"+r.path, logIn, "Cookie", cookie, "Content-Type", kind)
			if status != http.StatusUnsupportedMediaType || m.str("code") != "bad_message" {
				t.Errorf("%s %s as %q: %d %v", r.method, r.path, kind, status, m)
			}
		}
	}
	// A WebSocket with the cookie needs our origin.
	for name, header := range map[string][]string{"no origin": nil, "foreign": {"Origin", "https://evil.example"}, "null": {"Origin", "null"}} {
		if header != nil {
			upgrade := []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==", "Cookie", cookie}
			if status, m, _ := e.do(http.MethodGet, "/api/v1/ws", "", append(upgrade, header...)...); status != http.StatusForbidden || m.str("code") != "unauthorized" {
				t.Errorf("%s: %d %v", name, status, m)
			}
			continue
		}
		c := e.dial("x", "Cookie", cookie)
		c.send(message{"type": "hello", "versions": []int{1}})
		refusal{"unauthorized", 4401}.check(c)
	}
	c := e.dial("x", "Cookie", cookie, "Origin", e.web.URL)
	c.send(message{"type": "hello", "versions": []int{1}})
	if w := c.want("welcome"); w.sub("user").str("name") != "anna" || w.str("token") != "" {
		t.Errorf("with our origin: %v", w)
	}
	if status, _, _ := e.do(http.MethodGet, "/api/v1/users/me", "", "Cookie", cookie); status != http.StatusOK {
		t.Errorf("after all that the cookie is: %d", status)
	}
}

// TestGuestLimits: what takes an account a guest cannot do, and it changes nothing.
func TestGuestLimits(t *testing.T) {
	e := start(t, options{config: quickHash})
	guest := e.guest()
	for _, r := range tokenRoutes {
		if r.owners {
			guest.refused(http.StatusForbidden, "account_required", r.method, r.path, r.body)
		}
	}
	for _, change := range []message{{"username": "anna"}, {"password": goodPassword}, {"hide_presence": true}, {"name": "New", "password": goodPassword}} {
		guest.refused(http.StatusForbidden, "account_required", http.MethodPatch, "/users/me", change)
	}
	if m := guest.want(http.StatusOK, http.MethodGet, "/users/me", nil); m["guest"] != true || m["account"] != nil || m.str("name") == "New" {
		t.Errorf("me %v", m)
	}
	if m := guest.want(http.StatusOK, http.MethodPatch, "/users/me", message{"name": "Anna"}); m.str("name") != "Anna" {
		t.Errorf("me %v", m)
	}
}

// TestIDsOfOthers puts the ids of other people into every route that takes one.
func TestIDsOfOthers(t *testing.T) {
	e := start(t, options{config: quickHash})
	anna, bert, mallory := e.signUp("anna"), e.signUp("bert"), e.signUp("mallory")
	e.befriend(anna, bert)
	asking, foe := e.guest(), e.guest()
	asking.want(http.StatusOK, http.MethodPost, "/friends/requests", message{"call": e.meet(asking, anna)})
	anna.want(http.StatusNoContent, http.MethodPost, "/blocks", message{"call": e.meet(anna, foe)})
	call := e.meet(anna, e.guest())
	device := anna.want(http.StatusOK, http.MethodGet, "/sessions", nil).items("sessions")[0].str("id")

	for _, id := range []string{anna.id, bert.id, foe.id, asking.id, call, device, "x", "aaaaaaaaaaaaaaaaaaaaaaaaaa", "%00", "..%2F..", strings.Repeat("a", 3000)} {
		for _, path := range []string{"/sessions/", "/passkeys/", "/friends/", "/friends/requests/", "/blocks/"} {
			mallory.refused(http.StatusNotFound, "not_found", http.MethodDelete, path+id, nil)
		}
		for _, path := range []string{"/friends/requests", "/blocks"} {
			for _, key := range []string{"user", "call"} {
				status, m, _ := mallory.do(http.MethodPost, path, message{key: id})
				if status != http.StatusNotFound && (len(id) <= 64 || status != http.StatusBadRequest) {
					t.Errorf("POST %s with %s %.30s: %d %v", path, key, id, status, m)
				}
			}
		}
	}
	for _, body := range []message{{}, {"call": call, "user": anna.id}, {"user": mallory.id, "call": "x"}} {
		mallory.refused(http.StatusBadRequest, "bad_message", http.MethodPost, "/blocks", body)
	}
	mallory.refused(http.StatusNotFound, "not_found", http.MethodPost, "/friends/requests", message{"user": mallory.id})
	// Nothing of theirs has changed, and nothing shows.
	if f := anna.want(http.StatusOK, http.MethodGet, "/friends", nil).items("friends"); len(f) != 1 {
		t.Errorf("friends %v", f)
	}
	if r := anna.want(http.StatusOK, http.MethodGet, "/friends/requests", nil).items("requests"); len(r) != 1 {
		t.Errorf("requests %v", r)
	}
	if b := anna.want(http.StatusOK, http.MethodGet, "/blocks", nil).items("blocks"); len(b) != 1 {
		t.Errorf("blocks %v", b)
	}
	for _, path := range []string{"/friends", "/friends/requests", "/blocks", "/partners", "/missed", "/passkeys"} {
		if m := mallory.want(http.StatusOK, http.MethodGet, path, nil); strings.Contains(str(m), anna.id) || strings.Contains(str(m), bert.id) {
			t.Errorf("%s shows %v", path, m)
		}
	}
	// The last partners show no id, so that nobody can tell who was met twice.
	for _, p := range anna.want(http.StatusOK, http.MethodGet, "/partners", nil).items("partners") {
		if strings.Contains(str(p), bert.id) || strings.Contains(str(p), foe.id) {
			t.Errorf("partner %v", p)
		}
	}
}

// TestBadNames sends user names and names to show that could deceive, to every route that takes one.
func TestBadNames(t *testing.T) {
	e := start(t, options{config: quickHash})
	anna := e.signUp("anna")
	e.signUp("pauline")
	nobody := &person{t: t, e: e}
	for i, bad := range []string{
		"", "a", "an\u0000na", "an\nna", "\u202eanna", "an\u2066na", "an\u200bna", "an na", "<script>", "аnnа", "ann\U0001F600", "admin", "ADMIN", "adrnin",
		strings.Repeat("x", 21), "._.", "x..y", "1234", "a\u0335\u0335\u0335\u0335b",
	} {
		nobody.refused(http.StatusBadRequest, "bad_username", http.MethodPost, "/users", message{"username": bad, "password": goodPassword})
		anna.refused(http.StatusBadRequest, "bad_username", http.MethodPatch, "/users/me", message{"username": bad})
		if bad != "" {
			nobody.refused(http.StatusBadRequest, "bad_username", http.MethodPost, "/passkeys/options", message{"username": bad})
		}
		elsewhere := &person{t: t, e: e, from: fmt.Sprint("192.0.2.", i)}
		elsewhere.refused(http.StatusUnauthorized, "wrong_login", http.MethodPost, "/sessions/recovery", message{"username": bad, "code": "x", "password": goodPassword})
	}
	for _, like := range []string{"PauIine", "pau1ine", "Pauline", "pauIine"} {
		nobody.refused(http.StatusConflict, "username_taken", http.MethodPost, "/users", message{"username": like, "password": goodPassword})
		anna.refused(http.StatusConflict, "username_taken", http.MethodPatch, "/users/me", message{"username": like})
	}
	for _, bad := range []string{"an\u0000na", "\u202eanna", "an\u2066na", "an\u200bna", "\u2800\u2800", strings.Repeat("x", 25), "\u0301"} {
		nobody.refused(http.StatusBadRequest, "bad_message", http.MethodPost, "/users", message{"username": "newcomer", "password": goodPassword, "name": bad})
		nobody.refused(http.StatusBadRequest, "bad_message", http.MethodPost, "/guests", message{"name": bad})
		anna.refused(http.StatusBadRequest, "bad_message", http.MethodPatch, "/users/me", message{"name": bad})
	}
	// A device's name that could deceive is not kept.
	phone := &person{t: t, e: e}
	phone.come(phone.want(http.StatusOK, http.MethodPost, "/sessions", message{"username": "anna", "password": goodPassword, "device": "\u202eevil"}))
	for _, d := range phone.want(http.StatusOK, http.MethodGet, "/sessions", nil).items("sessions") {
		if strings.Contains(d.str("device"), "\u202e") {
			t.Errorf("device %q", d.str("device"))
		}
	}
}

// TestLargeBodies sends 10 MB to all that take a body.
func TestLargeBodies(t *testing.T) {
	e := start(t, options{config: quickHash})
	anna := e.signUp("anna")
	big := message{"username": strings.Repeat("x", 10<<20)}
	s := readSpec(t, served(t, e.srv))
	paths, _ := s.at("paths")
	tried := 0
	for path, methods := range paths.(map[string]any) {
		for method, op := range methods.(map[string]any) {
			if _, ok := op.(map[string]any)["requestBody"]; ok {
				anna.refused(http.StatusRequestEntityTooLarge, "too_large", strings.ToUpper(method), path, big)
				tried++
			}
		}
	}
	if tried < 12 {
		t.Errorf("only %d take a body", tried)
	}
	anna.want(http.StatusOK, http.MethodGet, "/users/me", nil)
}

// TestNoEnumerationByMessages: an unknown name, a wrong password, an account without one and a name that is none have the same answer.
func TestNoEnumerationByMessages(t *testing.T) {
	e := start(t, options{config: quickHash})
	e.signUp("anna")
	var answers []string
	for _, body := range []message{
		{"username": "anna", "password": "wrong password"}, {"username": "nobody", "password": "wrong password"},
		{"username": "unknown1", "password": goodPassword}, {"username": "\u202e", "password": goodPassword}, {"username": "", "password": goodPassword},
		{"username": "anna", "password": ""}, {"username": "unknown2", "password": ""}, {"username": "anna", "password": strings.Repeat("x", 1000)},
	} {
		status, m, resp := (&person{t: t, e: e, from: fmt.Sprint("192.0.2.", len(answers))}).do(http.MethodPost, "/sessions", body)
		resp.Header.Del("Date")
		answers = append(answers, str(message{"status": status, "body": m, "header": resp.Header}))
	}
	if same := slices.Compact(answers); len(same) != 1 {
		t.Errorf("answers differ:\n%s", strings.Join(same, "\n"))
	}
	answers = nil
	for _, name := range []string{"anna", "unknown1", "\u202e"} {
		status, m, _ := (&person{t: t, e: e}).do(http.MethodPost, "/sessions/recovery", message{"username": name, "code": "aaaa-bbbb-cccc-dddd", "password": goodPassword})
		answers = append(answers, str(message{"status": status, "body": m}))
	}
	if same := slices.Compact(answers); len(same) != 1 {
		t.Errorf("answers differ:\n%s", strings.Join(same, "\n"))
	}
}

// TestGuessing: who guesses waits longer and longer; the account is not locked for its owner elsewhere, and from an address
// that has guessed other accounts one's own is still open.
func TestGuessing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // where a hash takes no time
		testGuessing(t, start(t, options{config: quickHash, pipes: true, remote: "127.0.0.1:4711"}))
	})
}

func testGuessing(t *testing.T, e *env) {
	e.signUp("anna")
	e.signUp("bert")
	thief := &person{t: t, e: e, from: "192.0.2.7"}
	owner := &person{t: t, e: e, from: "192.0.2.8"}
	right := message{"username": "anna", "password": goodPassword}
	wrong := message{"username": "anna", "password": "wrong password"}
	for range 5 {
		thief.refused(http.StatusUnauthorized, "wrong_login", http.MethodPost, "/sessions", wrong)
	}
	status, m, resp := thief.do(http.MethodPost, "/sessions", wrong)
	if status != http.StatusTooManyRequests || m.str("code") != "rate_limited" || m.num("retry_after_ms") != 1000 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("%d %v", status, m)
	}
	// The right password is not heard then, so that it cannot be told from a wrong one.
	thief.refused(http.StatusTooManyRequests, "rate_limited", http.MethodPost, "/sessions", right)
	owner.want(http.StatusOK, http.MethodPost, "/sessions", right)
	neighbour := &person{t: t, e: e, from: thief.from}
	neighbour.want(http.StatusOK, http.MethodPost, "/sessions", message{"username": "bert", "password": goodPassword})
	// From the server's own machine, or through a proxy that names nobody, an account is guarded too.
	local := &person{t: t, e: e}
	for range 5 {
		local.refused(http.StatusUnauthorized, "wrong_login", http.MethodPost, "/sessions", wrong)
	}
	local.refused(http.StatusTooManyRequests, "rate_limited", http.MethodPost, "/sessions", wrong)
	// Whoever has a session but not the password guesses no more freely.
	owner.come(owner.want(http.StatusOK, http.MethodPost, "/sessions", right))
	for range 5 {
		owner.refused(http.StatusForbidden, "confirm_required", http.MethodDelete, "/users/me", message{"password": "wrong"})
	}
	owner.refused(http.StatusTooManyRequests, "rate_limited", http.MethodDelete, "/users/me", message{"password": goodPassword})
}

// TestNeighbours: what somebody does from an address that many share holds up those there as little as can be.
func TestNeighbours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // where a hash takes no time
		e := start(t, options{config: func(c *signaling.Config) { quickHash(c); c.Limits.Requests = signaling.Limit{Burst: -1} }, pipes: true, remote: "127.0.0.1:4711"})
		e.signUp("anna")
		e.signUp("bert")
		logIn := func(p *person, name, password string) (int, message) {
			status, m, _ := p.do(http.MethodPost, "/sessions", message{"username": name, "password": password})
			return status, m
		}
		anna, stranger := &person{t: t, e: e, from: "192.0.2.7"}, &person{t: t, e: e, from: "192.0.2.7"}
		anna.come(anna.want(http.StatusOK, http.MethodPost, "/sessions", message{"username": "anna", "password": goodPassword}))
		for i := range 8 { // until bert has to wait for 8 s
			time.Sleep(time.Second << max(0, i-4))
			if status, m := logIn(stranger, "bert", "wrong password"); status != http.StatusUnauthorized {
				t.Fatalf("guess %d: %d %v", i, status, m)
			}
		}
		for i := range 42 {
			if status, m := logIn(stranger, fmt.Sprint("unknown", i), "wrong password"); status != http.StatusUnauthorized {
				t.Fatalf("name %d: %d %v", i, status, m)
			}
		}
		if status, m := logIn(stranger, "unknown", "wrong password"); status != http.StatusTooManyRequests || m.num("retry_after_ms") != 1000 {
			t.Fatalf("%d %v", status, m)
		}
		// Who has been here before comes in, and who is in may do what takes the password.
		if status, m := logIn(&person{t: t, e: e, from: "192.0.2.7"}, "anna", goodPassword); status != http.StatusOK {
			t.Errorf("anna: %d %v", status, m)
		}
		anna.want(http.StatusCreated, http.MethodPost, "/users/me/recovery", message{"password": goodPassword})
		// To go on at an account that is held up holds up nobody else.
		for range 10 {
			time.Sleep(150 * time.Millisecond)
			if status, m := logIn(stranger, "bert", goodPassword); status != http.StatusTooManyRequests {
				t.Fatalf("bert: %d %v", status, m)
			}
		}
		if status, m := logIn(stranger, "unknown", "wrong password"); status != http.StatusUnauthorized {
			t.Errorf("after the wait: %d %v", status, m)
		}
	})
}

// TestAddressLimitsOfAccounts bounds what one address may ask and how many accounts it makes.
func TestAddressLimitsOfAccounts(t *testing.T) {
	e := start(t, options{config: func(c *signaling.Config) {
		quickHash(c)
		c.Limits.SignUps = signaling.Limit{Burst: 2, Every: time.Hour}
		c.Limits.Requests = signaling.Limit{Burst: 8, Every: time.Hour}
	}})
	crowd, other := &person{t: t, e: e, from: "192.0.2.7"}, &person{t: t, e: e, from: "192.0.2.8"}
	for _, name := range []string{"anna", "bert"} {
		crowd.want(http.StatusCreated, http.MethodPost, "/users", message{"username": name, "password": goodPassword})
	}
	crowd.refused(http.StatusTooManyRequests, "rate_limited", http.MethodPost, "/users", message{"username": "carl", "password": goodPassword})
	other.want(http.StatusCreated, http.MethodPost, "/users", message{"username": "carl", "password": goodPassword})
	for range 5 {
		crowd.want(http.StatusOK, http.MethodGet, "/topics", nil)
	}
	crowd.refused(http.StatusTooManyRequests, "rate_limited", http.MethodGet, "/topics", nil)
	crowd.want(http.StatusOK, http.MethodGet, "/healthz", nil)
}
