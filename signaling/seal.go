package signaling

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"smalltalk/store"
)

// pairTTL bounds a pair token. It is issued once for each call and each welcome, so it has to outlive the longest call on
// one WebSocket, as a resume token does.
const pairTTL = resumeTTL

// pairClaims are all that is known of a call, and whose token this is: a member can bring the call back
// with it when the server has lost its own record.
type pairClaims struct {
	Room    store.Room      `json:"r"`
	Self    store.SessionID `json:"s"`
	Wait    *ticketClaims   `json:"w,omitempty"` // what its owner had looked for, nil in older tokens
	Expires int64           `json:"e"`           // Unix milliseconds
}

// names says if the token is of this member of its call.
func (c *pairClaims) names(s store.SessionID, u store.UserID) bool {
	for _, who := range c.Room.Members {
		if c.Self == s && who.Session == s && who.User == u {
			return true
		}
	}
	return false
}

// sealer makes and opens the tokens that clients hold for the server and must not read, because they name the partner. Safe
// for concurrent use.
type sealer struct {
	aead cipher.AEAD
}

func newSealer(db *store.DB) (*sealer, error) {
	key, err := db.Secret("pair")
	if err != nil {
		return nil, fmt.Errorf("read the pair key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("use the pair key: %w", err)
	}
	// A random nonce is good for 2^32 tokens of a key (NIST SP 800-38D section 8.3): a hundred a second for a year.
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("use the pair key: %w", err)
	}
	return &sealer{aead}, nil
}

// pair seals the claims.
func (s *sealer) pair(c pairClaims) (string, error) {
	payload, err := encodeClaims(c)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nil, nil, payload, nil)), nil
}

// openPair returns the claims of a token that is whole, ours and not over.
func (s *sealer) openPair(token string, now time.Time) (pairClaims, error) {
	if len(token) > maxToken {
		return pairClaims{}, errBadToken
	}
	sealed, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return pairClaims{}, errBadToken
	}
	payload, err := s.aead.Open(nil, nil, sealed, nil)
	if err != nil {
		return pairClaims{}, errBadToken
	}
	var c pairClaims
	if json.Unmarshal(payload, &c) != nil || now.UnixMilli() >= c.Expires {
		return pairClaims{}, errBadToken
	}
	return c, nil
}
