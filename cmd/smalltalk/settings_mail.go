package main

import (
	"errors"
	"fmt"
	"net/mail"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"smalltalk/signaling"
)

// Ports of --smtp: submission (RFC 6409) and submission over TLS (RFC 8314).
const (
	portSMTP  = 587
	portSMTPS = 465
)

// Bounds of --mail-limit. Less than two cannot be spread over an hour.
const (
	minMailLimit = 2
	maxMailLimit = 100_000
)

// smtpServer is the mail server of --smtp. It holds the password: it is not printed.
type smtpServer struct {
	host           string
	port           int
	tls            bool // from the start, else by STARTTLS
	user, password string
}

// loopback says if what is sent to the server does not leave this machine.
func (s *smtpServer) loopback() bool { return loopbackHost(s.host) }

// String names the server without its password.
func (s *smtpServer) String() string {
	scheme := "smtp"
	if s.tls {
		scheme = "smtps"
	}
	host := s.host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return fmt.Sprintf("%s://%s:%d", scheme, host, s.port)
}

// checkMail completes the settings of mail and refuses those that cannot work.
func (s *settings) checkMail() error {
	s.smtp, s.from = nil, nil
	domain := signaling.Access(s.Access) == signaling.AccessDomain
	switch {
	case domain && s.SMTP == "":
		return errors.New("--access domain needs --smtp, the mail server by which people are sent a code that shows that an address is theirs")
	case domain && len(s.EmailDomains) == 0:
		return errors.New("--access domain needs --email-domains, for example --email-domains example.org,uni.example")
	case !domain && len(s.EmailDomains) > 0:
		return errors.New("--email-domains needs --access domain: any address is as good otherwise")
	case s.SMTP == "" && s.MailFrom != "":
		return errors.New("--mail-from needs --smtp, the mail server, for example smtps://user:password@mail.example.org")
	case s.SMTP != "" && s.MailFrom == "":
		return errors.New("--smtp needs --mail-from, the address that the mail comes from, for example talk@example.org")
	case s.MailLimit < minMailLimit || s.MailLimit > maxMailLimit:
		return fmt.Errorf("--mail-limit %d is out of range: %d to %d an hour", s.MailLimit, minMailLimit, maxMailLimit)
	}
	if err := s.checkEmailDomains(); err != nil {
		return err
	}
	if s.SMTP == "" {
		return nil
	}
	var err error
	if s.smtp, err = parseSMTP(s.SMTP); err != nil {
		return err
	}
	if s.from, err = mail.ParseAddress(s.MailFrom); err != nil {
		return fmt.Errorf("--mail-from %q is no e-mail address, for example talk@example.org or Small Talk <talk@example.org>", s.MailFrom)
	}
	if s.from.Name == "" {
		s.from.Name = "Small Talk"
	}
	return nil
}

func (s *settings) checkEmailDomains() error {
	for i, text := range s.EmailDomains {
		name, ok := signaling.EmailDomain(strings.TrimPrefix(text, "@"))
		if !ok {
			return fmt.Errorf("--email-domains %q is not what stands after the @ of an address, for example example.org", text)
		}
		s.EmailDomains[i] = name
	}
	slices.Sort(s.EmailDomains)
	s.EmailDomains = slices.Compact(s.EmailDomains)
	return nil
}

// parseSMTP reads --smtp. No error quotes it: there is a password in it.
func parseSMTP(text string) (*smtpServer, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("--smtp is no URL, for example smtps://user:password@mail.example.org: in the user's name and the password write @ as %40, : as %3A, / as %2F, # as %23, ? as %3F and % as %25")
	case u.Scheme != "smtp" && u.Scheme != "smtps":
		return nil, errors.New("--smtp must begin with smtp:// (STARTTLS, port 587) or smtps:// (TLS, port 465), for example smtps://user:password@mail.example.org")
	case u.Hostname() == "":
		return nil, errors.New("--smtp names no mail server, for example smtps://user:password@mail.example.org")
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("--smtp must end with the mail server's name and port: in the password write / as %2F, # as %23 and ? as %3F")
	}
	server := &smtpServer{host: u.Hostname(), port: portSMTP, tls: u.Scheme == "smtps", user: u.User.Username()}
	server.password, _ = u.User.Password()
	if (server.user == "") != (server.password == "") {
		return nil, errors.New("--smtp has a user's name without a password or the other way round: give both, or neither for a mail server that asks for none")
	}
	if server.tls {
		server.port = portSMTPS
	}
	if text := u.Port(); text != "" {
		port, err := strconv.ParseUint(text, 10, 16)
		if err != nil || port == 0 {
			return nil, errors.New("--smtp has a port that there is not: 587 is usual for smtp://, 465 for smtps://")
		}
		server.port = int(port)
	}
	return server, nil
}

// place is what mail calls this server: the name by which people reach it, as
// far as the settings say, else the domain that the mail comes from.
func (s *settings) place() string {
	if s.smtp == nil {
		return ""
	}
	if s.encrypted() {
		if name := certificateName(*s, ""); name != "" {
			return name
		}
	}
	for _, origin := range s.Origin {
		if u, err := url.Parse(origin); err == nil {
			if _, err := netip.ParseAddr(u.Hostname()); err != nil {
				return u.Hostname()
			}
		}
	}
	_, domain, _ := strings.Cut(s.from.Address, "@")
	return domain
}
