package signaling

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/netip"
	"runtime"
	"strings"
	"time"

	"smalltalk/store"
)

// How logging in slows down for whoever fails. From one address each account may be tried a few times, and then less and
// less often; others go on as ever. An address may fail oftener with different accounts, because whole campuses and
// mobile networks share one; and whoever has logged in from there does not wait for what others do.
const (
	freeGuesses    = 5
	freeOfAddress  = 50
	firstWait      = time.Second
	longestWait    = 15 * time.Minute
	longestAddress = time.Minute
	guessMemory    = 24 * time.Hour
	addressMemory  = time.Hour
	ownerMemory    = 30 * 24 * time.Hour // of who has logged in from where
)

// gatekeeper checks passwords: with bounded work, and with the same work for an account that is not there. Safe for
// concurrent use.
type gatekeeper struct {
	cost      Hashing
	dummy     phc // of no password
	queue     *hashQueue
	accounts  *throttle // by account and address
	addresses *throttle
	owners    *memory // accounts and addresses from which they were got into
}

func newGatekeeper(cost Hashing) *gatekeeper {
	g := &gatekeeper{
		cost:      cost,
		dummy:     phc{Hashing: cost, salt: make([]byte, saltSize), key: make([]byte, keySize)},
		queue:     newHashQueue(runtime.GOMAXPROCS(0)),
		accounts:  newThrottle(freeGuesses, longestWait, guessMemory),
		addresses: newThrottle(freeOfAddress, longestAddress, addressMemory),
		owners:    newMemory(ownerMemory),
	}
	rand.Read(g.dummy.salt) // never fails, see hash
	rand.Read(g.dummy.key)
	return g
}

// attempt is one try to prove to be somebody. It counts as failed until it is settled.
type attempt struct {
	*gatekeeper
	account, addr string // keys of the throttles; addr is empty where the address does not count
	prefix        netip.Prefix
}

// begin counts an attempt on the account, or says how long to wait. An address that stands for this machine has no
// bound of its own, but each account has from there too.
func (g *gatekeeper) begin(account string, addr netip.Prefix, now time.Time) (*attempt, *failure) {
	a := &attempt{gatekeeper: g, account: account + " " + addr.String(), prefix: addr}
	if addr.IsValid() && !g.owners.has(a.account, now) {
		a.addr = addr.String()
	}
	return a.count(now)
}

// beginOwn is begin for somebody who is signed in, and so guesses at one account only: what others of the address do is no
// matter.
func (g *gatekeeper) beginOwn(account string, addr netip.Prefix, now time.Time) (*attempt, *failure) {
	return (&attempt{gatekeeper: g, account: account + " " + addr.String(), prefix: addr}).count(now)
}

// count counts the attempt, if none of its keys has to wait.
func (a *attempt) count(now time.Time) (*attempt, *failure) {
	if wait := a.accounts.ask(a.account, now); wait > 0 { // first: what is refused must not make the address wait longer
		return nil, tooManyGuesses(wait)
	}
	if a.addr != "" {
		if wait := a.addresses.begin(a.addr, now); wait > 0 {
			return nil, tooManyGuesses(wait)
		}
	}
	if wait := a.accounts.begin(a.account, now); wait > 0 { // another was quicker
		a.takeBackAddress()
		return nil, tooManyGuesses(wait)
	}
	return a, nil
}

func tooManyGuesses(wait time.Duration) *failure {
	fail := rateLimited(wait)
	fail.Message = "That was wrong too often. Please wait a moment."
	return fail
}

// right says that it was no guess.
func (a *attempt) right() {
	a.accounts.succeed(a.account, true)
	a.takeBackAddress()
	a.owners.add(a.account, time.Now())
}

// undecided takes the attempt back, which never came to an answer.
func (a *attempt) undecided() {
	a.accounts.succeed(a.account, false)
	a.takeBackAddress()
}

func (a *attempt) takeBackAddress() {
	if a.addr != "" {
		a.addresses.succeed(a.addr, false)
	}
}

// verify says if the password is the one of the hash, with the same work if there is no hash. It settles the attempt.
func (a *attempt) verify(ctx context.Context, hash, given string) (ok bool, fail *failure) {
	stored, known := parsePHC(hash)
	if !known {
		stored = a.dummy
	}
	password, possible := preparePassword(given)
	fail = a.queue.do(ctx, a.prefix, func() { ok = stored.matches(password) && known && possible })
	switch {
	case fail != nil:
		a.undecided()
	case ok:
		a.right()
	}
	return ok, fail
}

// hash makes the hash of a new password in its turn.
func (g *gatekeeper) hash(ctx context.Context, addr netip.Prefix, password string) (hash string, fail *failure) {
	fail = g.queue.do(ctx, addr, func() { hash = g.cost.hash(password) })
	return hash, fail
}

// logIn finds whose user name and password these are. What differs between an unknown name, an account without a
// password and a wrong password, neither the answer nor its time tells.
func (s *Server) logIn(r *http.Request, body *logInBody, now time.Time) (store.Account, *failure) {
	ctx, addr := r.Context(), clientAddr(r)
	folded := FoldUsername(body.Username)
	try, fail := s.gate.begin("login "+folded, addr, now)
	if fail != nil {
		return store.Account{}, fail
	}
	account, err := s.cfg.DB.AccountByName(folded)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		try.undecided()
		s.log.Error("look up an account", "err", err)
		return store.Account{}, errInternal
	}
	ok, fail := try.verify(ctx, account.Password, body.Password)
	switch {
	case fail != nil:
		return store.Account{}, fail
	case !ok:
		return store.Account{}, errWrongLogin
	}
	account.Password = s.rehash(ctx, addr, account, body.Password)
	return account, nil
}

// rehash brings a hash of other costs than the operator's to these, and returns the one there is now. It is no harm if that
// fails: the old one is good.
func (s *Server) rehash(ctx context.Context, addr netip.Prefix, account store.Account, given string) string {
	stored, ok := parsePHC(account.Password)
	password, possible := preparePassword(given)
	if !ok || !possible || stored.Hashing == s.gate.cost {
		return account.Password
	}
	hash, fail := s.gate.hash(ctx, addr, password)
	if fail != nil {
		return account.Password
	}
	switch err := s.cfg.DB.Rehash(account.User, account.Password, hash); {
	case err == nil:
		return hash
	case !errors.Is(err, store.ErrChanged):
		s.log.Error("rehash a password", "err", err)
	}
	return account.Password
}

// confirmedAccount reads the caller's account and confirms that its owner is at the keyboard.
func (s *Server) confirmedAccount(r *http.Request, who caller, password string) (store.Account, *failure) {
	account, err := s.cfg.DB.Account(who.user.ID)
	if err != nil {
		return store.Account{}, s.storeFailure("read an account", err)
	}
	return account, s.confirm(r, who, account, password)
}

// confirm makes sure that the owner of the account is at the keyboard: by the password, or by a passkey used a moment ago.
func (s *Server) confirm(r *http.Request, who caller, account store.Account, password string) *failure {
	now := time.Now()
	if s.proofs.fresh(who.device, now) {
		return nil
	}
	if password == "" {
		return errConfirm
	}
	try, fail := s.gate.beginOwn("confirm "+string(who.user.ID), who.addr, now)
	if fail != nil {
		return fail
	}
	ok, fail := try.verify(r.Context(), account.Password, password)
	switch {
	case fail != nil:
		return fail
	case !ok:
		return errWrongPassword
	}
	// That has taken its time. Where the password was changed meanwhile, this session is over.
	if _, err := s.cfg.DB.Device(who.secret, time.Now()); err != nil {
		return s.tokenFailure(err)
	}
	return nil
}

// recover lets somebody in with a recovery code and sets a new password.
func (s *Server) recover(r *http.Request, body *recoverBody, now time.Time) (store.User, string, *failure) {
	addr := clientAddr(r)
	password, fail := newPassword(body.Password, body.Username)
	if fail != nil {
		return store.User{}, "", fail
	}
	folded := FoldUsername(body.Username)
	if len(body.Code) > maxID {
		return store.User{}, "", errWrongRecovery
	}
	try, fail := s.gate.begin("recover "+folded, addr, now)
	if fail != nil {
		return store.User{}, "", fail
	}
	// A password is hashed only for who has a code: those are too long to guess, so that the time tells nothing of use.
	if err := s.cfg.DB.CheckRecoveryCode(folded, strings.TrimSpace(body.Code)); err != nil {
		return store.User{}, "", s.recoveryFailure(err)
	}
	hash, fail := s.gate.hash(r.Context(), addr, password)
	if fail != nil {
		try.undecided()
		return store.User{}, "", fail
	}
	user, secret, err := s.cfg.DB.Recover(folded, strings.TrimSpace(body.Code), hash, now, deviceToken(r, body.Device))
	if err != nil {
		return store.User{}, "", s.recoveryFailure(err)
	}
	try.right()
	return user, secret, nil
}

func (s *Server) recoveryFailure(err error) *failure {
	if errors.Is(err, store.ErrNotFound) {
		return errWrongRecovery
	}
	s.log.Error("recover an account", "err", err)
	return errInternal
}
