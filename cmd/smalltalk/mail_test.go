package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"mime/quotedprintable"
	"net"
	"net/http"
	netmail "net/mail"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"smalltalk/signaling"
)

// mailServer is a real SMTP server on this machine.
type mailServer struct {
	port     string
	roots    *x509.CertPool
	user     string // whom it lets in; everybody if empty
	loginBy  string
	refusing error // of each recipient

	mu    sync.Mutex // guards what follows
	mails []receivedMail
}

type receivedMail struct {
	from, to, user string
	encrypted      bool
	text           string
}

// mailKind is how a mailServer is reached.
type mailKind int

const (
	plainMail mailKind = iota
	starttlsMail
	tlsMail
)

func startMailServer(t *testing.T, kind mailKind, change func(*mailServer)) *mailServer {
	t.Helper()
	m := &mailServer{loginBy: sasl.Plain, roots: x509.NewCertPool()}
	if change != nil {
		change(m)
	}
	cert, key := loopbackCertificate(t, x509.Certificate{DNSNames: []string{"mail.example.org"}})
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	m.roots.AddCert(pair.Leaf)
	config := &tls.Config{Certificates: []tls.Certificate{pair}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := smtp.NewServer(m)
	srv.Domain, srv.AllowInsecureAuth = "mail.example.org", true
	switch kind {
	case starttlsMail:
		srv.TLSConfig, srv.AllowInsecureAuth = config, false
	case tlsMail:
		l = tls.NewListener(l, config)
	}
	_, m.port, _ = net.SplitHostPort(l.Addr().String())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	t.Cleanup(func() {
		_ = srv.Close()
		_ = l.Close() // which srv does not know yet if it was stopped at once
		_ = <-served  // that it was stopped
	})
	return m
}

// NewSession implements smtp.Backend.
func (m *mailServer) NewSession(c *smtp.Conn) (smtp.Session, error) {
	return &mailSession{server: m, conn: c}, nil
}

func (m *mailServer) received() []receivedMail {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mails
}

// mailSession is one connection to a mailServer.
type mailSession struct {
	server *mailServer
	conn   *smtp.Conn
	user   string
	mail   receivedMail
}

var _ smtp.AuthSession = (*mailSession)(nil)

func (s *mailSession) Reset()        { s.mail = receivedMail{} }
func (s *mailSession) Logout() error { return nil }

func (s *mailSession) AuthMechanisms() []string { return []string{s.server.loginBy} }

func (s *mailSession) Auth(string) (sasl.Server, error) {
	check := func(user, password string) error {
		if user != s.server.user || password != "p@ss/%" {
			return smtp.ErrAuthFailed
		}
		s.user = user
		return nil
	}
	if s.server.loginBy == sasl.Login {
		return &loginServer{check: check}, nil
	}
	return sasl.NewPlainServer(func(_, user, password string) error { return check(user, password) }), nil
}

// loginServer is the server's side of LOGIN, which the library has no more.
type loginServer struct {
	step  int
	user  string
	check func(user, password string) error
}

func (l *loginServer) Next(response []byte) ([]byte, bool, error) {
	l.step++
	switch l.step {
	case 1:
		return []byte("Username:"), false, nil
	case 2:
		l.user = string(response)
		return []byte("Password:"), false, nil
	}
	return nil, true, l.check(l.user, string(response))
}

func (s *mailSession) Mail(from string, _ *smtp.MailOptions) error {
	if s.server.user != "" && s.user == "" {
		return smtp.ErrAuthRequired
	}
	_, encrypted := s.conn.TLSConnectionState()
	s.mail = receivedMail{from: from, user: s.user, encrypted: encrypted}
	return nil
}

func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.mail.to = to
	return s.server.refusing
}

func (s *mailSession) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	s.mail.text = string(text)
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.mails = append(s.server.mails, s.mail)
	return err
}

// asMailer gives mail to the server, which is reached as localhost and, by the
// rules for a server elsewhere, as mail.example.org.
func (m *mailServer) asMailer(t *testing.T, url string) mailer {
	t.Helper()
	server, err := parseSMTP(strings.ReplaceAll(url, "PORT", m.port))
	if err != nil {
		t.Fatal(err)
	}
	reach := func(ctx context.Context, network, address string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, strings.Replace(address, "mail.example.org", "localhost", 1))
	}
	return mailer{server: server, from: &netmail.Address{Name: "Our Talk", Address: "talk@example.org"}, roots: m.roots, reach: reach}
}

const letterText = "Hello,\n\nthis is the code:\n\n    ABCD-EFGH\n\n.\n.. and a line that is rather long, so that it has to be broken somewhere on its way to whoever reads it at last\n\n-- \nSmall Talk\n"

var aLetter = signaling.Mail{To: "anna@example.org", Subject: "Your code for chat.example.org", Text: letterText}

// TestSendMail gives a mail to real servers, and looks at what has come.
func TestSendMail(t *testing.T) {
	user := func(m *mailServer) { m.user = "talk@example.org" }
	for _, tc := range []struct {
		name      string
		kind      mailKind
		change    func(*mailServer)
		url       string
		encrypted bool
		user      string
	}{
		{"in the clear on this machine", plainMail, nil, "smtp://localhost:PORT", false, ""},
		{"in the clear with a password on this machine", plainMail, user, "smtp://talk%40example.org:p%40ss%2F%25@127.0.0.1:PORT", false, "talk@example.org"},
		{"STARTTLS", starttlsMail, user, "smtp://talk%40example.org:p%40ss%2F%25@localhost:PORT", true, "talk@example.org"},
		{"TLS", tlsMail, user, "smtps://talk%40example.org:p%40ss%2F%25@localhost:PORT", true, "talk@example.org"},
		{"STARTTLS elsewhere", starttlsMail, user, "smtp://talk%40example.org:p%40ss%2F%25@mail.example.org:PORT", true, "talk@example.org"},
		{"TLS elsewhere", tlsMail, nil, "smtps://mail.example.org:PORT", true, ""},
		{"LOGIN", tlsMail, func(m *mailServer) { user(m); m.loginBy = sasl.Login }, "smtps://talk%40example.org:p%40ss%2F%25@localhost:PORT", true, "talk@example.org"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := startMailServer(t, tc.kind, tc.change)
			if err := m.asMailer(t, tc.url).send(t.Context(), aLetter); err != nil {
				t.Fatal(err)
			}
			list := m.received()
			if len(list) != 1 || list[0].from != "talk@example.org" || list[0].to != "anna@example.org" || list[0].encrypted != tc.encrypted || list[0].user != tc.user {
				t.Fatalf("received %+v", list)
			}
			checkMail(t, list[0].text)
		})
	}
}

func checkMail(t *testing.T, text string) {
	t.Helper()
	msg, err := netmail.ReadMessage(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"From": `"Our Talk" <talk@example.org>`, "To": "<anna@example.org>", "Subject": "Your code for chat.example.org", "Auto-Submitted": "auto-generated",
		"Content-Type": "text/plain; charset=UTF-8", "User-Agent": "", "X-Mailer": "",
	} {
		if got := msg.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if id := msg.Header.Get("Message-ID"); !strings.HasSuffix(id, "@example.org>") {
		t.Errorf("Message-ID: %q", id)
	}
	if at, err := msg.Header.Date(); err != nil || time.Since(at) > time.Minute {
		t.Errorf("Date: %v, %v", at, err)
	}
	got, err := io.ReadAll(decoded(t, msg))
	if text := strings.ReplaceAll(string(got), "\r\n", "\n"); err != nil || strings.TrimSpace(text) != strings.TrimSpace(letterText) {
		t.Errorf("text %q, %v", text, err)
	}
}

// TestMailHeaders: nothing that comes from people makes a header of its own.
func TestMailHeaders(t *testing.T) {
	m := (&mailServer{port: "25"}).asMailer(t, "smtp://localhost:PORT")
	evil := "anna@example.org\r\nBcc: bert@example.org"
	if _, err := m.message(signaling.Mail{To: evil, Subject: "x", Text: "x"}); err == nil {
		t.Error("an address with a header in it was taken")
	}
	msg, err := m.message(signaling.Mail{To: "anna@example.org", Subject: "Hello\r\nBcc: bert@example.org\r\n\r\nbody", Text: "x"})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := msg.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	read, err := netmail.ReadMessage(&b)
	if err != nil || read.Header.Get("Bcc") != "" {
		t.Errorf("%v, %v", read.Header, err)
	}
}

// TestMailFailures: what is for good is told from what is not, and what is not
// encrypted goes nowhere.
func TestMailFailures(t *testing.T) {
	const withUser = "talk%40example.org:p%40ss%2F%25@"
	user := func(m *mailServer) { m.user = "talk@example.org" }
	for _, tc := range []struct {
		name    string
		kind    mailKind
		change  func(*mailServer)
		url     string
		refused bool
		advice  string
	}{
		{"no such user", plainMail, func(m *mailServer) { m.refusing = &smtp.SMTPError{Code: 550, Message: "no such user"} }, "smtp://localhost:PORT", true, ""},
		{"try later", plainMail, func(m *mailServer) { m.refusing = &smtp.SMTPError{Code: 451, Message: "try later"} }, "smtp://localhost:PORT", false, ""},
		{"wrong password", tlsMail, user, "smtps://talk%40example.org:wrong@localhost:PORT", false, "look at the user and the password"},
		{"no log-in", plainMail, func(m *mailServer) { user(m); m.loginBy = sasl.Anonymous }, "smtp://" + withUser + "localhost:PORT", false, "try smtps://"},
		{"TLS expected", plainMail, nil, "smtps://localhost:PORT", false, "does not begin with TLS"},
		{"nobody there", plainMail, nil, "smtp://localhost:1", false, "let TCP out"},
		{"no STARTTLS elsewhere", plainMail, user, "smtp://" + withUser + "mail.example.org:PORT", false, "has no STARTTLS"},
		{"another certificate", tlsMail, user, "smtps://" + withUser + "mail.example.org:PORT", false, "as its certificate does"},
		{"another certificate by STARTTLS", starttlsMail, user, "smtp://" + withUser + "mail.example.org:PORT", false, "as its certificate does"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := startMailServer(t, tc.kind, tc.change)
			m := s.asMailer(t, tc.url)
			if strings.HasPrefix(tc.name, "another certificate") {
				m.roots = x509.NewCertPool()
			}
			err := m.send(t.Context(), aLetter)
			if err == nil || errors.Is(err, signaling.ErrMailRefused) != tc.refused || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "p@ss") {
				t.Errorf("got %v, want one that is refused: %v", err, tc.refused)
			}
			if len(s.received()) != 0 {
				t.Errorf("received %+v", s.received())
			}
			if tc.advice == "" {
				return
			}
			if _, err := m.try(t.Context()); err == nil || !strings.Contains(adviceOnMail(err), tc.advice) {
				t.Errorf("%v: advice %q, want something about %q", err, adviceOnMail(err), tc.advice)
			}
		})
	}
}

// TestMailStops: a mail server that says nothing holds up no stop.
func TestMailStops(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	for _, scheme := range []string{"smtp", "smtps"} {
		m := (&mailServer{port: port}).asMailer(t, scheme+"://localhost:PORT")
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		before := time.Now()
		if err := m.send(ctx, aLetter); err == nil {
			t.Error("sent")
		}
		cancel()
		if took := time.Since(before); took > 5*time.Second {
			t.Errorf("%s: took %v", scheme, took)
		}
	}
}

// decoded is the text of a mail.
func decoded(t *testing.T, msg *netmail.Message) io.Reader {
	t.Helper()
	switch how := msg.Header.Get("Content-Transfer-Encoding"); how {
	case "quoted-printable":
		return quotedprintable.NewReader(msg.Body)
	case "7bit", "8bit", "":
		return msg.Body
	default:
		t.Fatalf("the text is encoded as %q", how)
		return nil
	}
}

// TestDoctorMail: the doctor tries the mail server, and sends nothing.
func TestDoctorMail(t *testing.T) {
	m := startMailServer(t, tlsMail, func(m *mailServer) { m.user = "talk@example.org" })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	_ = l.Close() // nobody is there
	args := func(password string) []string {
		return []string{"--listen", at, "--data", t.TempDir(), "--stun", "off", "--smtp", "smtps://talk%40example.org:" + password + "@localhost:" + m.port, "--mail-from", "talk@example.org"}
	}
	r, _ := doctorSays(t, args("p%40ss%2F%25")...)
	if f := r.of(t, "mail"); f.Verdict != isFine || !strings.Contains(f.Detail, "takes the user and the password") {
		t.Errorf("%+v", f)
	}
	r, code := doctorSays(t, args("hunter2")...)
	if f := r.of(t, "mail"); code != exitFailure || f.Verdict != isFailure || !strings.Contains(f.Change, "the password") || strings.Contains(f.Detail, "hunter2") {
		t.Errorf("%d %+v", code, f)
	}
	if len(m.received()) != 0 {
		t.Errorf("received %+v", m.received())
	}
	r, _ = doctorSays(t, "--listen", at, "--data", t.TempDir(), "--stun", "off")
	if slices.ContainsFunc(r.Checks, func(f finding) bool { return f.What == "mail" }) {
		t.Error("mail is looked at where there is none")
	}
}

// TestServerSendsMail goes all the way, from the settings to an account whose
// address a mail over STARTTLS has shown.
func TestServerSendsMail(t *testing.T) {
	m := startMailServer(t, starttlsMail, func(m *mailServer) { m.user = "talk@example.org" })
	file := filepath.Join(t.TempDir(), "smalltalk.toml")
	text := "access = \"domain\"\nemail-domains = [\"example.org\"]\nmail-from = \"talk@example.org\"\nsmtp = \"smtp://talk%40example.org:p%40ss%2F%25@localhost:" + m.port + "\"\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, t.TempDir(), "--config", file, "--log-level", "debug")
	post := func(path, body string, want int) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.base+"/api/v1"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if said, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != want {
			t.Fatalf("%s: %d %s, %v", path, resp.StatusCode, said, err)
		}
	}
	post("/email/codes", `{"email":"anna@example.com","for":"sign_up"}`, http.StatusForbidden)
	post("/email/codes", `{"email":"anna@example.org","for":"sign_up"}`, http.StatusAccepted)
	var list []receivedMail
	for end := time.Now().Add(20 * time.Second); len(list) == 0; time.Sleep(10 * time.Millisecond) {
		if list = m.received(); time.Now().After(end) {
			t.Fatalf("no mail has come; log:\n%s", p.logged())
		}
	}
	msg, err := netmail.ReadMessage(strings.NewReader(list[0].text))
	if err != nil {
		t.Fatal(err)
	}
	letter, err := io.ReadAll(decoded(t, msg))
	code := regexp.MustCompile(`[0-9A-Z]{4}-[0-9A-Z]{4}`).FindString(string(letter))
	if err != nil || !list[0].encrypted || code == "" {
		t.Fatalf("%+v, %v", list[0], err)
	}
	post("/users", `{"username":"anna","password":"correct horse battery","email":"anna@example.org","email_code":"`+code+`"}`, http.StatusCreated)
	if code := p.stop(syscall.SIGTERM, 10*time.Second); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	for _, secret := range []string{"p@ss", "p%40ss", "anna@", code} {
		if strings.Contains(p.logged(), secret) {
			t.Errorf("%s stands in the log:\n%s", secret, p.logged())
		}
	}
}
