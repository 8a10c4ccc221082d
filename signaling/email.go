package signaling

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/idna"

	"smalltalk/store"
)

// Bytes of an e-mail address (RFC 5321 section 4.5.3.1): all of it, and the part before the @.
const (
	maxEmail     = 254
	maxEmailUser = 64
)

// emailMarks are what may stand in the part before the @ beside letters, digits and dots (atext of RFC 5322 section 3.2.3).
const emailMarks = "!#$%&'*+-/=?^_`{|}~"

// emailHosts is what can stand after the @: a name that can be looked up in DNS.
var emailHosts = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(true), idna.VerifyDNSLength(true))

// EmailDomain brings what stands after the @ of an e-mail address into its one form: lower case, punycode. It is false for
// what is no domain, such as an IP address or a name without a dot.
func EmailDomain(text string) (string, bool) {
	name, err := emailHosts.ToASCII(strings.TrimSuffix(text, "."))
	dot := strings.LastIndexByte(name, '.')
	if err != nil || dot < 0 || strings.Trim(name[dot+1:], "0123456789") == "" {
		return "", false
	}
	return name, true
}

// parseEmail brings an e-mail address into the one form that is stored and written to. Case does not matter: hardly any
// mail server tells addresses by it, and two people who shared one but for that would get each other's mail. Quoted names
// and letters beyond ASCII before the @ are not taken, as few servers pass them on.
func parseEmail(given string) (email, domain string, fail *failure) {
	user, host, ok := strings.Cut(strings.TrimSpace(given), "@")
	user = strings.ToLower(user)
	if ok = ok && isEmailUser(user); ok {
		domain, ok = EmailDomain(host)
	}
	if email = user + "@" + domain; !ok || len(email) > maxEmail {
		return "", "", errBadEmail
	}
	return email, domain, nil
}

func isEmailUser(user string) bool {
	if user == "" || len(user) > maxEmailUser || user[0] == '.' || user[len(user)-1] == '.' || strings.Contains(user, "..") {
		return false
	}
	return !strings.ContainsFunc(user, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '.' && !strings.ContainsRune(emailMarks, r)
	})
}

// emailDomain is what stands after the @ of an address in its one form.
func emailDomain(email string) string {
	_, domain, _ := strings.Cut(email, "@")
	return domain
}

// takesEmail says if people may have an address of this domain here.
func (s *Server) takesEmail(domain string) *failure {
	if s.cfg.Access != AccessDomain || slices.Contains(s.cfg.EmailDomains, domain) {
		return nil
	}
	return emailDomainRefused(s.cfg.EmailDomains)
}

func emailDomainRefused(domains []string) *failure {
	return &failure{
		Code: codeEmailDomain, Message: "This server takes e-mail addresses of " + listed(domains) + " only.", Retry: retryNever,
	}
}

// listedDomains is how many domains a sentence names.
const listedDomains = 5

func listed(domains []string) string {
	switch n := len(domains); {
	case n > listedDomains:
		return fmt.Sprintf("%s and %d more domains", strings.Join(domains[:listedDomains], ", "), n-listedDomains)
	case n > 1:
		return strings.Join(domains[:n-1], ", ") + " and " + domains[n-1]
	}
	return strings.Join(domains, "")
}

// roleAdmin comes in always, else nobody could see to what keeps the others out.
const roleAdmin = "admin"

// lacksEmail says if the owner of the account has to show an address that the operator takes before coming in.
func (s *Server) lacksEmail(user store.User, account store.Account) bool {
	if s.cfg.Access != AccessDomain || slices.Contains(user.Roles, roleAdmin) {
		return false
	}
	return !account.Verified || s.takesEmail(emailDomain(account.Email)) != nil
}

// checkAddress says if somebody with an account may come in, as far as that depends on an e-mail address.
func (s *Server) checkAddress(user store.User) *failure {
	if s.cfg.Access != AccessDomain {
		return nil
	}
	account, err := s.cfg.DB.Account(user.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) { // one whom an operator's tool has made has none
		return s.storeFailure("read an account", err)
	}
	if s.lacksEmail(user, account) {
		return errEmailRequired
	}
	return nil
}
