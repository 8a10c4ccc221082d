package signaling

import (
	"bytes"
	"encoding/base64"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"smalltalk/matchmaker"
	"smalltalk/store"
)

func testSealer(t testing.TB) *sealer {
	t.Helper()
	db, err := store.Open(filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	s, err := newSealer(db)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// longestRoom is a room with as much to say as there can be: eight topics of 64 bytes that JSON has to escape.
func longestRoom() store.Room {
	room := store.Room{ID: store.NewRoomID(), Langs: []string{strings.Repeat("a", 35), strings.Repeat("b", 35), strings.Repeat("c", 35)}}
	room.Members[0] = store.Member{Session: store.NewSessionID(), User: store.NewUserID()}
	room.Members[1] = store.Member{Session: store.NewSessionID(), User: store.NewUserID()}
	for i := range maxTopics {
		room.Topics = append(room.Topics, store.Category(strings.Repeat(`"`, maxTopic-1)+string(rune('a'+i))))
	}
	room.Created = time.Date(2026, 1, 2, 3, 4, 5, 123456789, time.UTC)
	return room
}

func TestPairTokens(t *testing.T) {
	s, other := testSealer(t), testSealer(t)
	room, now := longestRoom(), time.UnixMilli(1_000_000)
	self, partner := room.Members[0], room.Members[1]
	want := pairClaims{Room: room, Self: self.Session, Expires: now.UnixMilli() + 1}
	token := mustSeal(t, s, want)
	if len(token) > maxToken {
		t.Errorf("a token of %d characters, which no client may send", len(token))
	}
	got, err := s.openPair(token, now)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%+v %v, want %+v", got, err, want)
	}
	for name, tc := range map[string]struct {
		session store.SessionID
		user    store.UserID
		want    bool
	}{
		"its owner":               {self.Session, self.User, true},
		"the partner":             {partner.Session, partner.User, false},
		"the partner's user":      {self.Session, partner.User, false},
		"the partner's session":   {partner.Session, self.User, false},
		"another session":         {"s", self.User, false},
		"another user":            {self.Session, "u", false},
		"nobody":                  {"", "", false},
		"the owner, without user": {self.Session, "", false},
	} {
		if got.names(tc.session, tc.user) != tc.want {
			t.Errorf("names %s: %v", name, !tc.want)
		}
	}
	sealed, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{string(partner.User), string(partner.Session), string(self.User), string(room.ID), "r", `"`} {
		if len(secret) > 1 && (bytes.Contains(sealed, []byte(secret)) || strings.Contains(token, secret)) {
			t.Errorf("%q can be read in the token", secret)
		}
	}
	if mustSeal(t, s, want) == token {
		t.Error("the same claims give the same token: who has two can tell")
	}
	for name, bad := range map[string]string{
		"empty": "", "cut": token[:len(token)-4], "longer": token + "AAAA", "of another server": mustSeal(t, other, want),
		"too long": token + strings.Repeat("A", maxToken), "no base64": strings.Repeat("!", 80), "only a nonce": token[:16],
	} {
		if got, err := s.openPair(bad, now); err == nil {
			t.Errorf("%s: opened as %+v", name, got)
		}
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 0x10
		if _, err := s.openPair(base64.RawURLEncoding.EncodeToString(bad), now); err == nil {
			t.Fatalf("opened with byte %d changed", i)
		}
	}
	if _, err := s.openPair(token, now.Add(time.Millisecond)); err == nil {
		t.Error("opened after its time")
	}
}

func mustSeal(t testing.TB, s *sealer, c pairClaims) string {
	t.Helper()
	token, err := s.pair(c)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// TestTokensDoNotMix has each kind of token for itself.
func TestTokensDoNotMix(t *testing.T) {
	s, seal := testSigner(t), testSealer(t)
	ticket, err := s.ticket(ticketClaims{User: "u", Expires: 1 << 50})
	if err != nil {
		t.Fatal(err)
	}
	resume := mustSign(t, s, resumeClaims{Session: "s", User: "u", Expires: 1 << 50})
	pair := mustSeal(t, seal, pairClaims{Self: "s", Expires: 1 << 50})
	for _, token := range []string{ticket, resume} {
		if _, err := seal.openPair(token, time.UnixMilli(0)); err == nil {
			t.Errorf("%s passes for a pair token", token)
		}
	}
	if _, err := s.openTicket(pair, time.UnixMilli(0)); err == nil {
		t.Error("a pair token passes for a ticket")
	}
	if _, err := s.openTicket(resume, time.UnixMilli(0)); err == nil {
		t.Error("a resume token passes for a ticket")
	}
	if _, err := s.openResume(pair); err == nil {
		t.Error("a pair token passes for a resume token")
	}
	if _, err := s.openResume(ticket); err == nil {
		t.Error("a ticket passes for a resume token")
	}
}

// TestLongestTicket is short enough for a client to send back.
func TestLongestTicket(t *testing.T) {
	s, room := testSigner(t), longestRoom()
	token, err := s.ticket(ticketClaims{
		User: room.Members[0].User, Topics: room.Topics, Langs: room.Langs, Strict: true, Widen: maxWiden,
		Widened: matchmaker.WidenTopics | matchmaker.WidenLangs, Since: 1 << 41, Issued: 1 << 41, Expires: 1 << 41,
	})
	if err != nil || len(token) > maxToken {
		t.Errorf("a ticket of %d characters, %v", len(token), err)
	}
}

// TestOlderTicket opens one from before there were strict and widening tickets.
func TestOlderTicket(t *testing.T) {
	s := testSigner(t)
	token, err := sign(s.ticketKey, map[string]any{"u": "u", "t": []string{"gaming"}, "l": []string{"en"}, "s": 5, "i": 6, "e": 7})
	if err != nil {
		t.Fatal(err)
	}
	claims, err := s.openTicket(token, time.UnixMilli(6))
	if err != nil || claims.Since != 5 || claims.Widened != 0 {
		t.Fatalf("%+v %v", claims, err)
	}
	if !claims.fits(matchmaker.Ticket{User: "u", Topics: []store.Category{"gaming"}, Langs: []string{"en"}}) {
		t.Errorf("%+v does not fit", claims)
	}
}

// FuzzOpenTokens throws tokens of strangers at whatever opens tokens. What was not made here never opens.
func FuzzOpenTokens(f *testing.F) {
	seal := testSealer(f)
	db, err := store.Open(filepath.Join(f.TempDir(), "test.db"))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = db.Close() })
	s, err := newSigner(db)
	if err != nil {
		f.Fatal(err)
	}
	far := time.UnixMilli(1 << 50)
	pair := mustSeal(f, seal, pairClaims{Room: longestRoom(), Self: "s", Expires: far.UnixMilli()})
	ticket, err := s.ticket(ticketClaims{User: "u", Expires: far.UnixMilli()})
	if err != nil {
		f.Fatal(err)
	}
	resume, err := s.resume(resumeClaims{Session: "s", User: "u", Expires: far.UnixMilli()})
	if err != nil {
		f.Fatal(err)
	}
	for _, token := range []string{pair, ticket, resume, "", ".", "AAAA", pair[:40], ticket + ".", strings.ToUpper(pair), pair + "\n", ticket + "="} {
		f.Add(token)
	}
	now := time.UnixMilli(0)
	f.Fuzz(func(t *testing.T, token string) {
		// The last character of base64 has bits that do not count, and line ends are passed over.
		if c, err := seal.openPair(token, now); err == nil && !sameBytes(token, pair) {
			t.Errorf("%q opened as %+v", token, c)
		}
		if c, err := s.openTicket(token, now); err == nil && !sameSigned(token, ticket) {
			t.Errorf("%q opened as %+v", token, c)
		}
		if c, err := s.openResume(token); err == nil && !sameSigned(token, resume) {
			t.Errorf("%q opened as %+v", token, c)
		}
	})
}

func sameBytes(a, b string) bool {
	x, err := base64.RawURLEncoding.DecodeString(a)
	y, err2 := base64.RawURLEncoding.DecodeString(b)
	return err == nil && err2 == nil && bytes.Equal(x, y)
}

// sameSigned compares the part that is signed as text and the signature as bytes.
func sameSigned(a, b string) bool {
	body, tag, _ := strings.Cut(a, ".")
	body2, tag2, _ := strings.Cut(b, ".")
	return body == body2 && sameBytes(tag, tag2)
}
