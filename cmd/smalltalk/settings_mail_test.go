package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"smalltalk/signaling"
)

func TestMailSettings(t *testing.T) {
	for _, tc := range []struct {
		url            string
		want           string
		tls, loopback  bool
		user, password string
	}{
		{"smtp://mail.example.org", "smtp://mail.example.org:587", false, false, "", ""},
		{"smtps://mail.example.org/", "smtps://mail.example.org:465", true, false, "", ""},
		{"smtps://talk:secret@mail.example.org:2465", "smtps://mail.example.org:2465", true, false, "talk", "secret"},
		{"smtp://talk%40example.org:p%40ss%2F%25@mail.example.org:25", "smtp://mail.example.org:25", false, false, "talk@example.org", "p@ss/%"},
		{"smtp://localhost:25", "smtp://localhost:25", false, true, "", ""},
		{"smtp://[::1]", "smtp://[::1]:587", false, true, "", ""},
	} {
		cmd, err := parse([]string{"--smtp", tc.url, "--mail-from", "talk@example.org"}, &bytes.Buffer{}, &bytes.Buffer{})
		if err != nil {
			t.Errorf("%s: %v", tc.url, err)
			continue
		}
		s := cmd.serve.smtp
		if s.String() != tc.want || s.tls != tc.tls || s.loopback() != tc.loopback || s.user != tc.user || s.password != tc.password {
			t.Errorf("%s became %s, %+v", tc.url, s, *s)
		}
	}
}

// TestMailPasswordIsNotPrinted: whatever is wrong with the URL of the mail
// server, one line says what to do, and not the password.
func TestMailPasswordIsNotPrinted(t *testing.T) {
	for _, tc := range [][2]string{
		{"smtp://talk:hunter2/@mail.example.org", "%2F"},
		{"smtp://talk:hunter2#x@mail.example.org", "%23"},
		{"smtp://talk:hunter2?@mail.example.org", "%3F"},
		{"smtp://talk:hunter2%zz@mail.example.org", "%25"},
		{"smtp://talk:hunter2@mail.example.org:many", "--smtp"},
		{"smtp://talk:hunter2@mail.example.org:0", "587"},
		{"smtp://talk:hunter2@mail.example.org:70000", "587"},
		{"smtp://talk:hunter2@", "no mail server"},
		{"smtp://talk@mail.example.org", "give both"},
		{"smtp://:hunter2@mail.example.org", "give both"},
		{"smtp://talk:hunter2@mail.example.org/path", "%2F"},
		{"https://talk:hunter2@mail.example.org", "smtps://"},
		{"talk:hunter2@mail.example.org", "smtps://"},
		{"mail.example.org", "smtps://"},
		{"\x00hunter2", "--smtp"},
	} {
		_, err := parse([]string{"--smtp", tc[0], "--mail-from", "talk@example.org"}, &bytes.Buffer{}, &bytes.Buffer{})
		if err == nil || !strings.Contains(err.Error(), tc[1]) || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v, want something about %s", tc[0], err, tc[1])
		}
	}
}

// TestMailSettingsOfFile: the password need not be on the command line.
func TestMailSettingsOfFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "smalltalk.toml")
	text := "access = \"domain\"\nemail-domains = [\"Uni.Example\", \"@example.org\", \"uni.example.\"]\nmail-from = \"Our Talk <talk@example.org>\"\nmail-limit = 40\nsmtp = \"smtps://file:secret@mail.example.org\"\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd, err := parse([]string{"--config", file}, &bytes.Buffer{}, &bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	s := cmd.serve
	if s.smtp.user != "file" || s.from.String() != `"Our Talk" <talk@example.org>` || !slices.Equal(s.EmailDomains, []string{"example.org", "uni.example"}) {
		t.Errorf("user %q, from %v, domains %v", s.smtp.user, s.from, s.EmailDomains)
	}
	if l := s.limits(); l.MailsAll != signaling.Hourly(40) || l.Mails.Burst != 10 {
		t.Errorf("limits %+v", l)
	}
	t.Setenv("SMALLTALK_SMTP", "smtps://variable:secret@mail.example.org")
	if cmd, err = parse([]string{"--config", file}, &bytes.Buffer{}, &bytes.Buffer{}); err != nil || cmd.serve.smtp.user != "variable" {
		t.Errorf("%v, %v: the environment wins over the file", cmd.serve.smtp, err)
	}
}

// TestPlace: mail calls the server by the name under which people reach it.
func TestPlace(t *testing.T) {
	for want, args := range map[string][]string{
		"":                 nil,
		"chat.example.org": {"--smtp", "smtp://localhost", "--mail-from", "talk@example.net", "--domain", "chat.example.org,other.example.org"},
		"talk.example.org": {"--smtp", "smtp://localhost", "--mail-from", "talk@example.net", "--origin", "http://192.0.2.1:8080,https://talk.example.org:8443"},
		"example.net":      {"--smtp", "smtp://localhost", "--mail-from", "talk@example.net"},
	} {
		cmd, err := parse(args, &bytes.Buffer{}, &bytes.Buffer{})
		if err != nil {
			t.Fatal(err)
		}
		if got := cmd.serve.place(); got != want {
			t.Errorf("%v: %q, want %q", args, got, want)
		}
	}
}
