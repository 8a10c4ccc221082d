package signaling

import (
	"net/http"
	"net/netip"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"smalltalk/matchmaker"
	"smalltalk/store"
)

func sameType(a, b any) bool { return reflect.TypeOf(a) == reflect.TypeOf(b) }

func testSigner(t *testing.T) *signer {
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
	s, err := newSigner(db)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSignedTokens(t *testing.T) {
	s, other := testSigner(t), testSigner(t)
	want := resumeClaims{Session: "s", User: "u", Seq: 7, Expires: 1}
	token, err := s.resume(want)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.openResume(token); err != nil || got != want {
		t.Errorf("%+v %v", got, err)
	}
	body, tag, _ := strings.Cut(token, ".")
	flipped := []byte(token)
	flipped[3] ^= 1
	for name, bad := range map[string]string{
		"empty": "", "no tag": body, "only tag": "." + tag, "cut": token[:len(token)-2], "flipped": string(flipped),
		"of other": mustSign(t, other, want), "two tags": token + "." + tag, "too long": token + strings.Repeat("A", maxToken),
	} {
		if _, err := s.openResume(bad); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := s.openTicket(token, time.UnixMilli(0)); err == nil {
		t.Error("a resume token passes for a ticket")
	}
}

func mustSign(t *testing.T, s *signer, c resumeClaims) string {
	t.Helper()
	token, err := s.resume(c)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestTicketExpires(t *testing.T) {
	s := testSigner(t)
	at := time.UnixMilli(1_000_000)
	token, err := s.ticket(ticketClaims{User: "u", Topics: []store.Category{"gaming"}, Expires: at.UnixMilli()})
	if err != nil {
		t.Fatal(err)
	}
	claims, err := s.openTicket(token, at.Add(-time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	mine := matchmaker.Ticket{User: "u", Topics: []store.Category{"gaming"}}
	if !claims.fits(mine) {
		t.Errorf("claims %+v do not fit", claims)
	}
	for name, change := range map[string]func(*matchmaker.Ticket){
		"another person":    func(t *matchmaker.Ticket) { t.User = "v" },
		"any topic":         func(t *matchmaker.Ticket) { t.Topics = nil },
		"a language":        func(t *matchmaker.Ticket) { t.Langs = []string{"en"} },
		"strictly":          func(t *matchmaker.Ticket) { t.Strict = true },
		"widening in a way": func(t *matchmaker.Ticket) { t.WidenAfter = time.Second },
	} {
		other := mine
		change(&other)
		if claims.fits(other) {
			t.Errorf("claims %+v fit for %s", claims, name)
		}
	}
	if _, err := s.openTicket(token, at); err == nil {
		t.Error("accepted after its time")
	}
}

// TestPeerIDs are the same in one room and tell nothing across rooms.
func TestPeerIDs(t *testing.T) {
	s := testSigner(t)
	id := s.peerID("room1", "session1")
	if len(id) != 16 || id != s.peerID("room1", "session1") || id == s.peerID("room2", "session1") || id == s.peerID("room1", "session2") {
		t.Errorf("peer id %q", id)
	}
}

func TestBuckets(t *testing.T) {
	now := time.UnixMilli(0)
	b := Limit{Burst: 2, Every: time.Second}.bucket()
	for i := range 2 {
		if fail := take(b, now); fail != nil {
			t.Errorf("token %d: %v", i, fail)
		}
	}
	fail := take(b, now)
	if fail == nil || fail.Code != codeRateLimited || fail.RetryAfterMS != 1000 {
		t.Fatalf("got %+v", fail)
	}
	if again := take(b, now); again == nil || again.RetryAfterMS != 1000 {
		t.Errorf("asking costs: %+v", again)
	}
	if fail := take(b, now.Add(time.Second)); fail != nil {
		t.Errorf("after the wait: %v", fail)
	}
	if fail := take(Limit{Burst: -1}.bucket(), now); fail != nil {
		t.Errorf("without a limit: %v", fail)
	}
}

func TestClientAddr(t *testing.T) {
	const none = "invalid Prefix"
	tests := []struct {
		remote    string
		forwarded []string
		want      string
	}{
		{"192.0.2.7:80", nil, "192.0.2.7/32"},
		{"[::ffff:192.0.2.7]:80", nil, "192.0.2.7/32"},
		{"[2001:db8:1:2:3:4:5:6]:8", nil, "2001:db8:1:2::/64"},
		{"[fe80::1%eth0]:8", nil, "fe80::/64"},
		{"127.0.0.1:80", nil, none},
		{"[::1]:80", nil, none},
		{"[::ffff:127.0.0.1]:80", nil, none},
		{"pipe", nil, none},
		{"127.0.0.1:80", []string{"192.0.2.7"}, "192.0.2.7/32"},
		{"[::1]:80", []string{"2001:db8:1:2:3::6"}, "2001:db8:1:2::/64"},
		{"127.0.0.1:80", []string{"203.0.113.1, 192.0.2.7"}, "192.0.2.7/32"},
		{"127.0.0.1:80", []string{"203.0.113.1", "198.51.100.1,192.0.2.7"}, "192.0.2.7/32"},
		{"127.0.0.1:80", []string{"192.0.2.7, 127.0.0.1"}, none},
		{"127.0.0.1:80", []string{"unknown"}, none},
		{"192.0.2.7:80", []string{"203.0.113.1"}, "192.0.2.7/32"}, // no proxy of ours: anybody can write that
	}
	for _, tc := range tests {
		r := &http.Request{RemoteAddr: tc.remote, Header: http.Header{"X-Forwarded-For": tc.forwarded}}
		if got := clientAddr(r); got.String() != tc.want {
			t.Errorf("%s for %q: %v, want %s", tc.remote, tc.forwarded, got, tc.want)
		}
	}
}

// TestLimiterSweepsSeldom: as long as none of many keys is at rest, not each new one looks through all of them.
func TestLimiterSweepsSeldom(t *testing.T) {
	l := newLimiter[int](Limit{Burst: 1, Every: time.Hour})
	now := time.UnixMilli(0)
	swept := 0
	for i, last := 0, l.sweepAt; i < 7*sweepAt; i++ {
		if fail := l.take(i, now); fail != nil {
			t.Fatal(fail)
		}
		if l.sweepAt != last {
			swept, last = swept+1, l.sweepAt
		}
	}
	if swept != 3 || l.sweepAt != 8*sweepAt {
		t.Errorf("%d sweeps that mattered, the next at %d keys", swept, l.sweepAt)
	}
	for i := range sweepAt + 1 { // by the next all are at rest
		now = now.Add(2 * time.Hour)
		if fail := l.take(-1-i, now); fail != nil {
			t.Fatal(fail)
		}
	}
	if n := len(l.buckets); n > 2 || l.sweepAt != sweepAt {
		t.Errorf("%d keys are remembered, the next sweep is at %d", n, l.sweepAt)
	}
}

// TestAddrLimiterForgets keeps the memory bounded under a flood from many addresses.
func TestAddrLimiterForgets(t *testing.T) {
	l := newAddrLimiter(Limit{Burst: 1, Every: time.Second})
	now := time.UnixMilli(0)
	for i := range 5 * sweepAt {
		addr := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32)
		if fail := l.take(addr, now.Add(time.Duration(i)*time.Millisecond)); fail != nil {
			t.Fatal(fail)
		}
	}
	if n := len(l.buckets); n > sweepAt {
		t.Errorf("%d addresses remembered", n)
	}
}
