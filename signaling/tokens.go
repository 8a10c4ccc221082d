package signaling

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"smalltalk/matchmaker"
	"smalltalk/store"
)

const (
	// resumeTTL bounds a resume token. It is issued once per WebSocket, so it has to outlive
	// the longest call on one; how long a lost session is kept is the grace time, not this.
	resumeTTL = 72 * time.Hour
	// ticketTTL bounds a place in line, and so for how long one can be kept by leaving.
	ticketTTL = time.Hour
)

// errBadToken says that a signed token is forged, damaged or over.
var errBadToken = errors.New("the token is not valid")

// resumeClaims names the session that a resume token continues.
type resumeClaims struct {
	Session store.SessionID `json:"s"`
	User    store.UserID    `json:"u"`
	Seq     uint64          `json:"q"` // which of the session's tokens this is
	Expires int64           `json:"e"` // Unix milliseconds
}

// ticketClaims is a place in line that survives a lost session and a restarted server.
type ticketClaims struct {
	User   store.UserID     `json:"u"`
	Topics []store.Category `json:"t,omitempty"`
	Langs  []string         `json:"l,omitempty"`
	Strict bool             `json:"x,omitempty"`
	Widen  int64            `json:"w,omitempty"` // milliseconds until topics widen by themselves
	// Widened is what the person has asked to widen; it goes with the place.
	Widened matchmaker.Widening `json:"d,omitempty"`
	Since   int64               `json:"s"`           // Unix milliseconds
	From    int64               `json:"f,omitempty"` // when the wait began that Widen counts, in a pair token; zero is Since
	Issued  int64               `json:"i"`
	Expires int64               `json:"e"`
}

// fits says if the place in line is for the user and the settings of the ticket.
func (c *ticketClaims) fits(t matchmaker.Ticket) bool {
	return c.User == t.User && slices.Equal(c.Topics, t.Topics) && slices.Equal(c.Langs, t.Langs) &&
		c.Strict == t.Strict && c.Widen == t.WidenAfter.Milliseconds()
}

// signer makes and checks the tokens that clients hold for the server. Each purpose has its
// own key, so that one kind of token never passes for another. Safe for concurrent use.
type signer struct {
	resumeKey, ticketKey, peerKey, passkeyKey []byte
}

func newSigner(db *store.DB) (*signer, error) {
	var s signer
	for name, key := range map[string]*[]byte{"resume": &s.resumeKey, "ticket": &s.ticketKey, "peer": &s.peerKey, "passkey": &s.passkeyKey} {
		secret, err := db.Secret(name)
		if err != nil {
			return nil, fmt.Errorf("read the %s key: %w", name, err)
		}
		*key = secret
	}
	return &s, nil
}

func (s *signer) resume(c resumeClaims) (string, error) { return sign(s.resumeKey, c) }

// openResume checks the signature only: a token that has expired is no forgery, and its
// owner is to get a new session instead of an error.
func (s *signer) openResume(token string) (resumeClaims, error) {
	var c resumeClaims
	err := open(s.resumeKey, token, &c)
	return c, err
}

func (s *signer) ticket(c ticketClaims) (string, error) { return sign(s.ticketKey, c) }

func (s *signer) openTicket(token string, now time.Time) (ticketClaims, error) {
	var c ticketClaims
	if err := open(s.ticketKey, token, &c); err != nil {
		return ticketClaims{}, err
	}
	if now.UnixMilli() >= c.Expires {
		return ticketClaims{}, errBadToken
	}
	return c, nil
}

func (s *signer) ceremony(c ceremony) (string, error) { return sign(s.passkeyKey, c) }

func (s *signer) openCeremony(token string, now time.Time) (ceremony, error) {
	var c ceremony
	if err := open(s.passkeyKey, token, &c); err != nil {
		return ceremony{}, err
	}
	if now.UnixMilli() >= c.Expires {
		return ceremony{}, errBadToken
	}
	return c, nil
}

// peerID is the name by which a member of a room is known to the other one: the same for
// the whole call, also across a restart, and without relation to any other call.
func (s *signer) peerID(room store.RoomID, member store.SessionID) string {
	return shortName(mac(s.peerKey, string(room)+"/"+string(member)))
}

// lineID is the name by which the partner knows a line of the member's chat. The member's own name for it
// is not passed on: a client may make it from something that stays from call to call.
func (s *signer) lineID(room store.RoomID, member store.SessionID, cid string) string {
	return shortName(mac(s.peerKey, string(room)+"/"+string(member)+"/"+cid))
}

// blockID is the name by which somebody knows a block of his own: another one each time, since the same for the same
// person would tell who was met twice.
func (s *signer) blockID(owner store.UserID, b store.Block) string {
	return shortName(mac(s.peerKey, "block/"+string(owner)+"/"+string(b.User)+"/"+strconv.FormatInt(b.At.UnixNano(), 10)))
}

func shortName(sum []byte) string {
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:10]))
}

func sign(key []byte, claims any) (string, error) {
	payload, err := encodeClaims(claims)
	if err != nil {
		return "", err
	}
	body := base64.RawURLEncoding.EncodeToString(payload)
	return body + "." + base64.RawURLEncoding.EncodeToString(mac(key, body)), nil
}

// encodeClaims leaves out what json.Marshal does for HTML: it could make topics six times as long, and the token longer than
// a client may send back.
func encodeClaims(claims any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(claims); err != nil {
		return nil, fmt.Errorf("encode the claims of a token: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func open(key []byte, token string, claims any) error {
	body, tag, ok := strings.Cut(token, ".")
	if !ok || len(token) > maxToken {
		return errBadToken
	}
	given, err := base64.RawURLEncoding.DecodeString(tag)
	if err != nil || !hmac.Equal(given, mac(key, body)) { // constant time
		return errBadToken
	}
	payload, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil || json.Unmarshal(payload, claims) != nil {
		return errBadToken
	}
	return nil
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text)) // a hash never returns an error
	return h.Sum(nil)
}
