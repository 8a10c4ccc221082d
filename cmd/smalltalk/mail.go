package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/textproto"
	"slices"
	"strings"
	"time"

	"github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"

	"smalltalk/signaling"
)

// smtpTime bounds each thing that is said to a mail server; signaling bounds
// the whole.
const smtpTime = 15 * time.Second

// mailer gives mail to a mail server, on a new connection each time. Any number
// of goroutines may use it.
type mailer struct {
	server *smtpServer
	from   *netmail.Address
	roots  *x509.CertPool                                                       // whom to trust; nil for the system's
	reach  func(ctx context.Context, network, address string) (net.Conn, error) // nil for the network
}

// sender is what signaling sends mail with; nil without a mail server.
func (s *settings) sender() func(context.Context, signaling.Mail) error {
	if s.smtp == nil {
		return nil
	}
	return mailer{server: s.smtp, from: s.from}.send
}

// send gives the mail server one mail. The error is signaling.ErrMailRefused if
// the server says that it will not take it later either.
func (m mailer) send(ctx context.Context, letter signaling.Mail) error {
	msg, err := m.message(letter)
	if err != nil {
		return fmt.Errorf("write a mail: %w: %w", err, signaling.ErrMailRefused)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	client, err := m.connect(ctx)
	if err != nil {
		return err
	}
	err = client.Send(msg)
	if cause := msg.SendError(); err == nil || delivered(cause) {
		_ = client.Close() // it has the mail
		return nil
	}
	_ = client.Close()
	var of *mail.SendError
	if errors.As(err, &of) && of.ErrorCode() >= 500 {
		return fmt.Errorf("send a mail: %s: %w", oneLine(err), signaling.ErrMailRefused)
	}
	return fmt.Errorf("send a mail: %s", oneLine(err))
}

// delivered says if the mail was taken, and only what came after it failed.
func delivered(err error) bool {
	var of *mail.SendError
	return errors.As(err, &of) && of.Reason == mail.ErrSMTPReset
}

// message is the mail as it goes over the wire. Lines that a stranger might
// have had a hand in are encoded by the library.
func (m mailer) message(letter signaling.Mail) (*mail.Msg, error) {
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := msg.FromFormat(m.from.Name, m.from.Address); err != nil {
		return nil, err
	}
	if err := msg.To(letter.To); err != nil {
		return nil, err
	}
	msg.Subject(letter.Subject)
	msg.SetDate()
	msg.SetMessageIDWithValue(rand.Text() + "@" + m.domain())
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: nobody on holiday answers
	msg.SetBodyString(mail.TypeTextPlain, letter.Text)
	return msg, nil
}

// domain is that of the sender, under which the server shows itself: what this
// machine is called is nobody's business.
func (m mailer) domain() string {
	_, domain, _ := strings.Cut(m.from.Address, "@")
	return domain
}

// connect opens a connection, encrypts it and logs in. It is cut when ctx ends.
func (m mailer) connect(ctx context.Context) (*mail.Client, error) {
	options := []mail.Option{
		mail.WithPort(m.server.port), mail.WithHELO(m.domain()), mail.WithTimeout(smtpTime),
		mail.WithTLSConfig(m.tlsConfig()), mail.WithDialContextFunc(m.dial(ctx)),
	}
	switch {
	case m.server.tls:
		options = append(options, mail.WithSSL())
	case m.server.loopback():
		options = append(options, mail.WithTLSPolicy(mail.TLSOpportunistic))
	default:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if m.server.user != "" {
		options = append(options, mail.WithSMTPAuthCustom(&login{server: m.server}))
	}
	client, err := mail.NewClient(m.server.host, options...)
	if err != nil {
		return nil, fmt.Errorf("mail server: %w", err)
	}
	if err := client.DialWithContext(ctx); err != nil {
		return nil, fmt.Errorf("mail server: %w", err)
	}
	return client, nil
}

// tlsConfig trusts whoever answers on this machine: nobody can have come
// between, and its mail servers have certificates for other names.
func (m mailer) tlsConfig() *tls.Config {
	return &tls.Config{ServerName: m.server.host, MinVersion: tls.VersionTLS12, RootCAs: m.roots, InsecureSkipVerify: m.server.loopback()}
}

// dial opens connections that are cut when life ends, which the library, once
// it has one, does not do.
func (m mailer) dial(life context.Context) mail.DialContextFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		reach := m.reach
		if reach == nil {
			reach = (&net.Dialer{}).DialContext
		}
		conn, err := reach(ctx, network, address)
		if err != nil {
			return nil, err
		}
		context.AfterFunc(life, func() { _ = conn.Close() }) // nobody waits for it any more
		if !m.server.tls {
			return conn, nil
		}
		encrypted := tls.Client(conn, m.tlsConfig())
		if err := encrypted.HandshakeContext(ctx); err != nil {
			_ = conn.Close()
			return nil, err
		}
		return encrypted, nil
	}
}

// login is how the mail server is shown who sends: by PLAIN (RFC 4616), or LOGIN
// where there is nothing better. In the clear only on this machine.
type login struct {
	server *smtpServer
	by     smtp.Auth
}

var _ smtp.Auth = (*login)(nil)

// errNoLogin says that the mail server takes neither.
var errNoLogin = errors.New("it takes no user and password (AUTH PLAIN or LOGIN)")

// Start implements smtp.Auth.
func (l *login) Start(info *smtp.ServerInfo) (string, []byte, error) {
	s, clear := l.server, l.server.loopback()
	switch {
	case slices.Contains(info.Auth, "PLAIN"):
		l.by = smtp.PlainAuth("", s.user, s.password, s.host, clear)
	case slices.Contains(info.Auth, "LOGIN"):
		l.by = smtp.LoginAuth(s.user, s.password, s.host, clear)
	default:
		return "", nil, errNoLogin
	}
	return l.by.Start(info)
}

// Next implements smtp.Auth.
func (l *login) Next(fromServer []byte, more bool) ([]byte, error) {
	return l.by.Next(fromServer, more)
}

// try connects, encrypts and logs in without sending anything, and says how that
// went.
func (m mailer) try(ctx context.Context) (string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	client, err := m.connect(ctx)
	if err != nil {
		return "", err
	}
	how := "answers"
	if m.server.user != "" {
		how += " and takes the user and the password"
	}
	_ = client.Close() // it was only a try
	return how, nil
}

// adviceOnMail says what to do about an error of try.
func adviceOnMail(err error) string {
	var (
		unknown *net.DNSError
		network *net.OpError
		cert    *tls.CertificateVerificationError
		said    *textproto.Error
		clear   tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &cert):
		return "name the mail server in --smtp as its certificate does, and let it send the certificates in between; a CA of your own goes into SSL_CERT_FILE"
	case errors.As(err, &clear):
		return "the mail server does not begin with TLS on this port: try smtp:// (port 587), or port 465, in --smtp"
	case errors.As(err, &unknown):
		return "look at the name of the mail server in --smtp"
	case errors.Is(err, errNoLogin):
		return "it may want TLS first: try smtps://, or another port, in --smtp; or leave the user and password out if it asks for none"
	case errors.As(err, &said) && (said.Code == 535 || said.Code == 534 || said.Code == 538 || said.Code == 530):
		return "look at the user and the password in --smtp; some mail servers want one that is made for programs"
	case strings.Contains(err.Error(), "STARTTLS"):
		return "the mail server has no STARTTLS on this port: try smtps:// (port 465), or port 587, in --smtp"
	case errors.As(err, &network), errors.Is(err, context.DeadlineExceeded):
		return "look at the name and port in --smtp, and let TCP out to it: 587 is usual for smtp://, 465 for smtps://, and many hosters close 25"
	}
	return "look at --smtp, and in the log of the mail server"
}

// oneLine is an error that may have been joined of several.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
