package signaling

import (
	"crypto/hmac"
	"crypto/rand"
	"encoding/base32"
	"strings"
	"sync"
	"time"

	"smalltalk/store"
)

// What a code is mailed for. It is good for nothing else.
const (
	forSignUp  = "sign_up" // a new account with this address
	forAccount = "account" // this address for the account that one has
	forReset   = "reset"   // a new password for the account with this address
)

const (
	// mailCodeTime is how long a code is good.
	mailCodeTime = 15 * time.Minute
	// mailCodeTries is how many wrong ones are taken for it; with the next mail they begin anew.
	mailCodeTries = 5
	// mailCodeBytes are random: 8 letters. Five tries find one in 2e11.
	mailCodeBytes = 5
	// maxMailCodes bounds those that wait. Beyond, the one that is over soonest goes.
	maxMailCodes = 8192
)

// mailAlphabet has none that is taken for another (that of Douglas Crockford).
var mailAlphabet = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)

// codeKey names what a code is good for: a purpose and an address, and with forAccount the person.
func codeKey(purpose string, user store.UserID, email string) string {
	return purpose + " " + string(user) + " " + email
}

// mailCode is one that was made and not yet used.
type mailCode struct {
	hash    []byte
	wrong   int
	expires time.Time
}

// mailCodes are those that wait to come back. They are in memory only: after a restart people ask for another. Of each
// only a hash is kept, with a key that is nowhere else. All methods take the time, and are safe for concurrent use.
type mailCodes struct {
	key   []byte
	limit int

	mu    sync.Mutex // guards byKey
	byKey map[string]mailCode
}

func newMailCodes() *mailCodes {
	c := &mailCodes{key: make([]byte, 32), limit: maxMailCodes, byKey: map[string]mailCode{}}
	rand.Read(c.key) // never fails, see store
	return c
}

// create makes the code of this key, in the place of an older one.
func (c *mailCodes) create(key string, now time.Time) string {
	var raw [mailCodeBytes]byte
	rand.Read(raw[:])
	code := mailAlphabet.EncodeToString(raw[:])
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, again := c.byKey[key]; !again && len(c.byKey) >= c.limit {
		c.makeRoom(now)
	}
	c.byKey[key] = mailCode{hash: c.hash(key, code), expires: now.Add(mailCodeTime)}
	return code[:4] + "-" + code[4:]
}

// check says if this is the code, which stays good. A wrong one is counted.
func (c *mailCodes) check(key, given string, now time.Time) bool {
	_, ok := c.find(key, given, now, false)
	return ok
}

// use is check for the last time: it is false for all who come with the code afterwards. What it returns brings the code
// back, for when it has come to nothing after all.
func (c *mailCodes) use(key, given string, now time.Time) (giveBack func(), ok bool) {
	used, ok := c.find(key, given, now, true)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if _, newer := c.byKey[key]; ok && !newer {
			c.byKey[key] = used
		}
	}, ok
}

func (c *mailCodes) find(key, given string, now time.Time, remove bool) (mailCode, bool) {
	hash := c.hash(key, plainMailCode(given)) // also for a key that has none
	c.mu.Lock()
	defer c.mu.Unlock()
	code, known := c.byKey[key]
	right := hmac.Equal(hash, code.hash) // constant time
	switch {
	case !known:
		return mailCode{}, false
	case !now.Before(code.expires):
		delete(c.byKey, key)
		return mailCode{}, false
	case !right:
		if code.wrong++; code.wrong >= mailCodeTries {
			delete(c.byKey, key)
		} else {
			c.byKey[key] = code
		}
		return mailCode{}, false
	case remove:
		delete(c.byKey, key)
	}
	return code, true
}

// hash binds a code to its key: in the table under another it is worth nothing.
func (c *mailCodes) hash(key, code string) []byte { return mac(c.key, key+" "+code) }

// makeRoom forgets those that are over, or else the one that is soonest. The caller holds mu.
func (c *mailCodes) makeRoom(now time.Time) {
	soonest, first := "", time.Time{}
	for key, code := range c.byKey {
		if !now.Before(code.expires) {
			delete(c.byKey, key)
		} else if soonest == "" || code.expires.Before(first) {
			soonest, first = key, code.expires
		}
	}
	if len(c.byKey) >= c.limit {
		delete(c.byKey, soonest)
	}
}

// plainMailCode takes back what people do to a code when they copy it.
func plainMailCode(given string) string {
	if len(given) > maxID {
		return ""
	}
	return strings.NewReplacer("-", "", " ", "", "O", "0", "I", "1", "L", "1").Replace(strings.ToUpper(given))
}
