package signaling

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"smalltalk/store"
)

// ceremonyTime is how long a passkey's ceremony may take, from the options to the credential.
const ceremonyTime = 5 * time.Minute

// What a ceremony is for.
const (
	ceremonySignUp = "sign_up"
	ceremonyAdd    = "add"
	ceremonyLogIn  = "log_in"
)

// ceremony is what has to be known between the two halves of a passkey's use. The client holds it, signed, so that
// nobody can fill the server's memory by beginning many.
type ceremony struct {
	Kind     string               `json:"k"`
	Origin   string               `json:"o"`           // of the page
	User     store.UserID         `json:"u,omitempty"` // whose passkey it is to be
	Guest    bool                 `json:"g,omitempty"` // that User is a guest now
	Username string               `json:"n,omitempty"` // to sign up with
	Name     string               `json:"d,omitempty"`
	Invite   string               `json:"i,omitempty"`
	Email    string               `json:"m,omitempty"`
	Code     string               `json:"c,omitempty"` // that was mailed there
	Expires  int64                `json:"e"`           // Unix milliseconds
	Session  webauthn.SessionData `json:"s"`
}

// ceremonies sees to it that none is used twice. Safe for concurrent use.
type ceremonies struct {
	mu   sync.Mutex // guards done
	done map[string]time.Time
}

func newCeremonies() *ceremonies { return &ceremonies{done: map[string]time.Time{}} }

// finish says if it is the first time. Only who has the passkey comes that far, so that there are few.
func (c *ceremonies) finish(done *ceremony, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for challenge, until := range c.done {
		if now.After(until) {
			delete(c.done, challenge)
		}
	}
	if _, twice := c.done[done.Session.Challenge]; twice {
		return false
	}
	c.done[done.Session.Challenge] = time.UnixMilli(done.Expires)
	return true
}

// begin signs a ceremony for the client to hold.
func (s *Server) beginCeremony(c ceremony, options any) (ceremonyReply, *failure) {
	c.Expires = time.Now().Add(ceremonyTime).UnixMilli()
	token, err := s.signer.ceremony(c)
	if err == nil && len(token) > maxToken {
		err = fmt.Errorf("a ceremony of %d characters", len(token))
	}
	var public []byte
	if err == nil {
		public, err = json.Marshal(options)
	}
	if err != nil {
		s.log.Error("begin a passkey's ceremony", "err", err)
		return ceremonyReply{}, errInternal
	}
	return ceremonyReply{Ceremony: token, PublicKey: public}, nil
}

// openCeremony checks what the client gives back. It is not used up yet.
func (s *Server) openCeremony(r *http.Request, token string, kinds ...string) (*ceremony, *failure) {
	c, err := s.signer.openCeremony(token, time.Now())
	if err != nil {
		return nil, errPasskey
	}
	for _, kind := range kinds {
		if c.Kind == kind && pageOrigin(r) == c.Origin {
			return &c, nil
		}
	}
	return nil, errPasskey
}

// pageOrigin is the origin of the page that sends a request which sameSite has let through. A client that is no browser
// names none; the server's own is meant then.
func pageOrigin(r *http.Request) string {
	if origin := strings.ToLower(r.Header.Get("Origin")); origin != "" {
		return origin
	}
	if r.TLS == nil && isLoopback(r.Host) {
		return "http://" + strings.ToLower(r.Host)
	}
	return "https://" + strings.ToLower(r.Host)
}

// passkeyHost is the host to which passkeys of this page belong, or "" if it can have none: WebAuthn section 5.1.3 wants
// a domain name.
func passkeyHost(r *http.Request) string {
	u, err := url.Parse(pageOrigin(r))
	if err != nil || u.Hostname() == "" {
		return ""
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil {
		return ""
	}
	return u.Hostname()
}

// relyingParty speaks WebAuthn for one origin.
func relyingParty(origin string) (*webauthn.WebAuthn, error) {
	u, err := url.Parse(origin)
	if err != nil {
		return nil, fmt.Errorf("origin of a page: %w", err)
	}
	wait := webauthn.TimeoutConfig{Enforce: true, Timeout: ceremonyTime, TimeoutUVD: ceremonyTime}
	return webauthn.New(&webauthn.Config{
		RPID: u.Hostname(), RPDisplayName: "Small Talk", RPOrigins: []string{origin},
		AttestationPreference: protocol.PreferNoAttestation, // which devices people have is their own business
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementRequired, RequireResidentKey: protocol.ResidentKeyRequired(),
			UserVerification: protocol.VerificationPreferred,
		},
		Timeouts: webauthn.TimeoutsConfig{Login: wait, Registration: wait},
	})
}

// keyholder is a person as WebAuthn sees one.
type keyholder struct {
	id             store.UserID
	username, name string
	credentials    []webauthn.Credential
}

var _ webauthn.User = (*keyholder)(nil)

// WebAuthnID implements webauthn.User.
func (k *keyholder) WebAuthnID() []byte { return []byte(k.id) }

// WebAuthnName implements webauthn.User.
func (k *keyholder) WebAuthnName() string { return k.username }

// WebAuthnDisplayName implements webauthn.User.
func (k *keyholder) WebAuthnDisplayName() string { return k.name }

// WebAuthnCredentials implements webauthn.User.
func (k *keyholder) WebAuthnCredentials() []webauthn.Credential { return k.credentials }

// keyholder reads a person's passkeys.
func (s *Server) keyholder(user store.User) (*keyholder, error) {
	list, err := s.cfg.DB.Passkeys(user.ID)
	if err != nil {
		return nil, err
	}
	account, err := s.cfg.DB.Account(user.ID)
	if err != nil {
		return nil, err
	}
	k := &keyholder{id: user.ID, username: account.Username.Name, name: user.Name}
	for _, p := range list {
		var credential webauthn.Credential
		if err := json.Unmarshal(p.Credential, &credential); err != nil {
			return nil, fmt.Errorf("passkey of user %s: %w", user.ID, err)
		}
		k.credentials = append(k.credentials, credential)
	}
	return k, nil
}

// passkeyFailure is what a client hears when a ceremony fails. The library's own words are for the log: they quote what
// the client sent.
func (s *Server) passkeyFailure(err error) *failure {
	var of *protocol.Error
	if errors.As(err, &of) {
		s.log.Debug("refused a passkey", "type", of.Type)
		return errPasskey
	}
	s.log.Error("check a passkey", "err", err)
	return errInternal
}

const (
	// proofTime is how long the use of a passkey shows that the owner of the account is at the keyboard.
	proofTime = 5 * time.Minute
	// maxProofs bounds them; beyond, people are asked for their passkey again.
	maxProofs = 4096
)

// proofs remembers on which devices a passkey was used a moment ago. Safe for concurrent use.
type proofs struct {
	mu sync.Mutex // guards at
	at map[store.DeviceID]time.Time
}

func newProofs() *proofs { return &proofs{at: map[store.DeviceID]time.Time{}} }

func (p *proofs) add(device store.DeviceID, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for other, at := range p.at {
		if now.Sub(at) >= proofTime || len(p.at) >= maxProofs {
			delete(p.at, other)
		}
	}
	p.at[device] = now
}

func (p *proofs) fresh(device store.DeviceID, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, ok := p.at[device]
	return ok && now.Sub(at) < proofTime
}
