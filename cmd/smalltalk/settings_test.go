package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestSettingsPrecedence(t *testing.T) {
	file := filepath.Join(t.TempDir(), "smalltalk.toml")
	text := "listen = \"localhost:1111\"\ndata = \"/from/file\"\ngrace = \"45s\"\nmax-clients = 7\naccess = \"guests-off\"\naddress-limit = 2.5\ntopics = [\"Chess\", \"tv=Movies & TV\"]\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SMALLTALK_DATA", "/from/env")
	t.Setenv("SMALLTALK_LISTEN", "localhost:2222")
	cmd, err := parse([]string{"--config", file, "--listen", "localhost:3333"}, &bytes.Buffer{}, &bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	s := cmd.serve
	if s.Listen != "localhost:3333" {
		t.Errorf("listen %q: a flag wins over the environment and the file", s.Listen)
	}
	if s.Data != "/from/env" {
		t.Errorf("data %q: the environment wins over the file", s.Data)
	}
	if s.Grace != 45*time.Second || s.MaxClients != 7 || s.Access != "guests-off" || s.AddressLimit != 2.5 {
		t.Errorf("grace %v, max-clients %d, access %v: the file wins over the defaults", s.Grace, s.MaxClients, s.Access)
	}
	if len(s.topics) != 2 || s.topics[0].ID != "chess" || s.topics[1].ID != "tv" || s.topics[1].Name != "Movies & TV" {
		t.Errorf("topics %+v", s.topics)
	}
}

func TestOriginForm(t *testing.T) {
	for given, want := range map[string]string{
		"https://chat.example.org":      "https://chat.example.org",
		"https://Chat.Example.org/":     "https://chat.example.org",
		"https://chat.example.org:443":  "https://chat.example.org",
		"https://chat.example.org:8443": "https://chat.example.org:8443",
		"http://10.0.0.1:80":            "http://10.0.0.1",
	} {
		if got, ok := parseOrigin(given); !ok || got != want {
			t.Errorf("%q became %q, %v; want %q", given, got, ok, want)
		}
	}
}

func TestDefaultTopics(t *testing.T) {
	cmd, err := parse(nil, &bytes.Buffer{}, &bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, topic := range cmd.serve.topics {
		ids = append(ids, string(topic.ID))
	}
	if got, want := strings.Join(ids, " "), "general news sports movies-tv gaming"; got != want {
		t.Errorf("topics %q, want %q", got, want)
	}
}

func TestFreeTopics(t *testing.T) {
	for args, want := range map[string]bool{"": true, "--free-topics": true, "--no-free-topics": false} {
		cmd, err := parse(strings.Fields(args), &bytes.Buffer{}, &bytes.Buffer{})
		if err != nil {
			t.Fatal(err)
		}
		if cmd.serve.FreeTopics != want {
			t.Errorf("%q: free topics %v", args, cmd.serve.FreeTopics)
		}
	}
}

func TestNetworkSettings(t *testing.T) {
	for _, tc := range []struct {
		name   string
		args   []string
		listen string
		look   func(settings) bool // more that must hold
	}{
		{"nothing", nil, "localhost:8080", func(s settings) bool { return !s.encrypted() && len(s.STUN) == 3 && len(s.proxies) == 0 }},
		{"domain", []string{"--domain", "Chat.Example.org,bücher.example"}, ":443", func(s settings) bool {
			return s.encrypted() && slices.Equal(s.Domain, []string{"chat.example.org", "xn--bcher-kva.example"}) && s.acmeURL() == acmeProduction
		}},
		{"spaces after commas", []string{"--domain", "a.example.org, b.example.org.", "--origin", "https://c.example.org, https://d.example.org"}, ":443", func(s settings) bool {
			return slices.Equal(s.Domain, []string{"a.example.org", "b.example.org"}) && len(s.Origin) == 2
		}},
		{"domain and port", []string{"--domain", "chat.example.org", "--listen", ":8443", "--acme-directory", "staging"}, ":8443", func(s settings) bool { return s.acmeURL() == acmeStaging }},
		{"files", []string{"--cert", "c", "--key", "k"}, ":443", func(s settings) bool { return s.encrypted() }},
		{"loopback", []string{"--listen", "[::1]:8080"}, "[::1]:8080", nil},
		{"insecure", []string{"--listen", ":8080", "--insecure-http"}, ":8080", nil},
		{"behind a proxy", []string{"--listen", "10.0.0.5:8080", "--trust-proxy", "10.0.0.7,fd00::/8"}, "10.0.0.5:8080", func(s settings) bool {
			return slices.Equal(s.proxies, []netip.Prefix{netip.MustParsePrefix("10.0.0.7/32"), netip.MustParsePrefix("fd00::/8")})
		}},
		{"public addresses", []string{"--public-address", "203.0.113.5,2001:db8::5"}, "localhost:8080", func(s settings) bool { return slices.Equal(s.public, ips("203.0.113.5 2001:db8::5")) }},
		{"no STUN", []string{"--stun", "off"}, "localhost:8080", func(s settings) bool { return len(s.STUN) == 0 }},
		{"one STUN server", []string{"--stun", "stun.example.org:3478"}, "localhost:8080", func(s settings) bool { return slices.Equal(s.STUN, []string{"stun.example.org:3478"}) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cmd, err := parse(tc.args, &bytes.Buffer{}, &bytes.Buffer{})
			if err != nil {
				t.Fatal(err)
			}
			if cmd.serve.Listen != tc.listen || tc.look != nil && !tc.look(cmd.serve) {
				t.Errorf("got %+v", cmd.serve)
			}
		})
	}
}

func TestAddress(t *testing.T) {
	cert, key := loopbackCertificate(t, x509.Certificate{DNSNames: []string{"talk.example.org", "localhost"}})
	for _, tc := range []struct {
		s    settings
		port int
		want string
	}{
		{settings{Listen: "localhost:0"}, 1234, "http://localhost:1234"},
		{settings{Listen: ":8080"}, 8080, "http://localhost:8080"},
		{settings{Listen: "[::1]:8080"}, 8080, "http://[::1]:8080"},
		{settings{Listen: ":443", Domain: []string{"chat.example.org"}}, 443, "https://chat.example.org"},
		{settings{Listen: ":8443", Domain: []string{"chat.example.org"}}, 8443, "https://chat.example.org:8443"},
		{settings{Listen: "0.0.0.0:443", Cert: "c"}, 443, "https://localhost"},
		{settings{Listen: ":443", Cert: cert, Key: key}, 443, "https://talk.example.org"},
		{settings{Listen: "localhost:8443", Cert: cert, Key: key}, 8443, "https://talk.example.org:8443"},
		{settings{Listen: "192.0.2.7:443", Cert: cert, Key: key}, 443, "https://192.0.2.7"},
		{settings{Listen: "[2001:db8::1]:443", Cert: "c"}, 443, "https://[2001:db8::1]:443"},
	} {
		if got := address(tc.s, tc.port); got != tc.want {
			t.Errorf("%+v: got %s, want %s", tc.s, got, tc.want)
		}
	}
}

func TestBadSettings(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, tc := range []struct {
		name string
		args []string
		want string // must be in the one line that is printed
	}{
		{"no such flag", []string{"--nonsense"}, "--nonsense"},
		{"no such command", []string{"dance"}, "dance"},
		{"listen without a port", []string{"--listen", "localhost"}, "--listen"},
		{"media without a port", []string{"--media-listen", "10.0.0.1"}, "--media-listen"},
		{"empty data", []string{"--data", ""}, "--data"},
		{"one client", []string{"--max-clients", "1"}, "--max-clients"},
		{"clients are no number", []string{"--max-clients", "many"}, "--max-clients"},
		{"bitrate", []string{"--max-bitrate", "5"}, "--max-bitrate"},
		{"access", []string{"--access", "friends"}, "open, guests-off, invite and domain"},
		{"domain access without mail", []string{"--access", "domain", "--email-domains", "example.org"}, "needs --smtp"},
		{"domain access without domains", []string{"--access", "domain", "--smtp", "smtp://localhost", "--mail-from", "talk@example.org"}, "needs --email-domains"},
		{"domains without domain access", []string{"--email-domains", "example.org"}, "needs --access domain"},
		{"domain of an address is none", []string{"--access", "domain", "--email-domains", "example", "--smtp", "smtp://localhost", "--mail-from", "talk@example.org"}, "after the @"},
		{"mail without a sender", []string{"--smtp", "smtp://localhost"}, "needs --mail-from"},
		{"sender without mail", []string{"--mail-from", "talk@example.org"}, "needs --smtp"},
		{"sender is no address", []string{"--smtp", "smtp://localhost", "--mail-from", "talk"}, "no e-mail address"},
		{"too little mail", []string{"--mail-limit", "1"}, "--mail-limit"},
		{"limit of mail is no number", []string{"--mail-limit", "many"}, "--mail-limit"},
		{"address limit", []string{"--address-limit", "-1"}, "--address-limit"},
		{"address limit is no number", []string{"--address-limit", "NaN"}, "--address-limit"},
		{"too little memory for a password", []string{"--password-memory", "18"}, "--password-memory"},
		{"too much memory for a password", []string{"--password-memory", "1025"}, "--password-memory"},
		{"plane", []string{"--media-plane", "slow"}, "--media-plane"},
		{"meeting again", []string{"--meet-again", "1h"}, "--meet-again"},
		{"grace", []string{"--grace", "1h"}, "--grace"},
		{"grace without unit", []string{"--grace", "30"}, "--grace"},
		{"origin without scheme", []string{"--origin", "chat.example.org"}, "--origin"},
		{"port out of range", []string{"--listen", "localhost:99999"}, "--listen"},
		{"port is a name", []string{"--media-listen", "localhost:web"}, "--media-listen"},
		{"origin with query", []string{"--origin", "https://chat.example.org?a=b"}, "--origin"},
		{"origin with user", []string{"--origin", "https://me@chat.example.org"}, "--origin"},
		{"origin with path", []string{"--origin", "https://chat.example.org/app"}, "--origin"},
		{"log level", []string{"--log-level", "loud"}, "--log-level"},
		{"log format", []string{"--log-format", "xml"}, "--log-format"},
		{"topic without letters", []string{"--topics", "???"}, "???"},
		{"topic twice", []string{"--topics", "News,news"}, "same ID"},
		{"topic any", []string{"--topics", "Any"}, "any"},
		{"no topic", []string{"--topics", ""}, "--topics"},
		{"log level in words", []string{"--log-level", "loud"}, "debug, info, warn"},
		{"missing file", []string{"--config", filepath.Join(dir, "none.toml")}, "none.toml"},
		{"file is no TOML", []string{"--config", file("bad.toml", "listen = ")}, "bad.toml is no TOML"},
		{"file is a folder", []string{"--config", dir}, "--config"},
		{"flag of the doctor in file", []string{"--config", file("doctor.toml", "ca = \"ca.pem\"\njson = true")}, "no such setting: ca, json"},
		{"the file's own name in file", []string{"--config", file("self.toml", "config = \"x\"\nversion = true\nhelp = true")}, "no such setting: config, help, version"},
		{"underscore in file", []string{"--config", file("under.toml", "max_clients = 5")}, "max-clients?"},
		{"table in file", []string{"--config", file("table.toml", "[server]\nlisten = \"x:1\"")}, "no such setting: server"},
		{"table as a value in file", []string{"--config", file("tablevalue.toml", "[listen]\nport = 1")}, "tablevalue.toml: it must be one value"},
		{"list for one value in file", []string{"--config", file("list.toml", "listen = [\"localhost:1\"]")}, "list.toml: it must be one value"},
		{"numbers in a list in file", []string{"--config", file("numbers.toml", "topics = [1, 2]")}, "topics = ["},
		{"fraction in file", []string{"--config", file("fraction.toml", "max-clients = 7.5")}, "--max-clients"},
		{"number without unit in file", []string{"--config", file("unit.toml", "grace = 30")}, "--grace"},
		{"misspelt key", []string{"--config", file("typo.toml", "lisen = \"x:1\"")}, "lisen"},
		{"plain HTTP for others", []string{"--listen", ":8080"}, "no camera"},
		{"plain HTTP on an address", []string{"--listen", "192.168.1.5:8080"}, "--insecure-http"},
		{"plain HTTP on a name", []string{"--listen", "chat.example.org:8080"}, "--domain"},
		{"domain and files", []string{"--domain", "chat.example.org", "--cert", "c", "--key", "k"}, "exclude"},
		{"certificate without key", []string{"--cert", "c"}, "--key"},
		{"key without certificate", []string{"--key", "k"}, "--cert"},
		{"domain is an address", []string{"--domain", "203.0.113.5"}, "--domain"},
		{"domain is a wildcard", []string{"--domain", "*.example.org"}, "wildcard"},
		{"domain has one label", []string{"--domain", "localhost"}, "--domain"},
		{"domain is a URL", []string{"--domain", "https://chat.example.org"}, "--domain"},
		{"domain with an empty label", []string{"--domain", "chat..example.org"}, "--domain"},
		{"domain is half an address", []string{"--domain", "203.0.113.500"}, "--domain"},
		{"domain with an underscore", []string{"--domain", "my_chat.example.org"}, "--domain"},
		{"domain with a long label", []string{"--domain", strings.Repeat("a", 64) + ".example.org"}, "--domain"},
		{"domain has a port", []string{"--domain", "chat.example.org:443"}, "--domain"},
		{"directory without domain", []string{"--acme-directory", "staging"}, "--domain"},
		{"directory in the clear", []string{"--domain", "chat.example.org", "--acme-directory", "http://ca.example.org/dir"}, "--acme-directory"},
		{"directory is a word", []string{"--domain", "chat.example.org", "--acme-directory", "production"}, "--acme-directory"},
		{"proxy is a name", []string{"--trust-proxy", "proxy.example.org"}, "--trust-proxy"},
		{"proxy is half a network", []string{"--trust-proxy", "10.0.0.0/"}, "--trust-proxy"},
		{"public address is a name", []string{"--public-address", "chat.example.org"}, "--public-address"},
		{"public address is unspecified", []string{"--public-address", "0.0.0.0"}, "--public-address"},
		{"public address is link-local", []string{"--public-address", "fe80::1%eth0"}, "--public-address"},
		{"STUN without a port", []string{"--stun", "stun.example.org"}, "--stun"},
		{"STUN off and on", []string{"--stun", "off,stun.example.org:3478"}, "--stun"},
		{"wrong type in file", []string{"--config", file("type.toml", "max-clients = \"many\"")}, "max-clients"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			ctx, cancel := context.WithCancel(t.Context())
			cancel() // should the settings be taken, the server stops at once
			if code := run(ctx, append([]string{"--data", t.TempDir()}, tc.args...), &out, &errs); code != exitUsage {
				t.Errorf("exit code %d, want %d", code, exitUsage)
			}
			line := strings.TrimSuffix(errs.String(), "\n")
			if !strings.HasPrefix(line, "smalltalk: ") || strings.Contains(line, "\n") || !strings.Contains(line, tc.want) {
				t.Errorf("printed %q, want one line that names %q", errs.String(), tc.want)
			}
			if out.Len() > 0 {
				t.Errorf("standard output has %q", out.String())
			}
		})
	}
}

// TestHelp holds --help to listing each setting with its variable and default.
func TestHelp(t *testing.T) {
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"--help"}, &out, &errs); code != exitOK || errs.Len() > 0 {
		t.Fatalf("exit code %d, standard error %q", code, errs.String())
	}
	help := out.String()
	for _, want := range []string{
		"--config", "--listen", "--media-listen", "--data", "--topics", "--origin", "--access", "--email-domains", "--smtp", "--mail-from", "--mail-limit", "--address-limit", "--password-memory", "--max-clients", "--max-bitrate", "--media-plane", "--grace", "--log-level", "--log-format",
		"--domain", "--cert", "--key", "--acme-directory", "--acme-ca", "--acme-email", "--insecure-http", "--trust-proxy", "--public-address", "--stun",
		"SMALLTALK_LISTEN", "SMALLTALK_DATA", "localhost:8080", "./data", "2500", "30s", "serve", "version",
	} {
		if !strings.Contains(help, want) {
			t.Errorf("--help does not mention %q:\n%s", want, help)
		}
	}
}

// TestVersionVariable: a container image that says which version it holds, in a
// variable of that name, starts the server all the same.
func TestVersionVariable(t *testing.T) {
	t.Setenv("SMALLTALK_VERSION", "1.2.3")
	t.Setenv("SMALLTALK_HELP", "1")
	cmd, err := parse(nil, &bytes.Buffer{}, &bytes.Buffer{})
	if err != nil || cmd.done || cmd.version {
		t.Errorf("got %+v, %v", cmd, err)
	}
}

// TestStrayVariables: a misspelt variable is mentioned, by the server and by the
// doctor, and stops nobody.
func TestStrayVariables(t *testing.T) {
	t.Setenv("SMALLTALK_TOPIC", "Chess")
	t.Setenv("SMALLTALK_MAXCLIENTS", "5")
	t.Setenv("SMALLTALK_GRACE", "20s")
	t.Setenv("SMALLTALKER", "1")
	cmd, err := parse(nil, &bytes.Buffer{}, &bytes.Buffer{})
	if err != nil || !slices.Equal(cmd.serve.strays, []string{"SMALLTALK_MAXCLIENTS", "SMALLTALK_TOPIC"}) {
		t.Fatalf("got %q, %v", cmd.serve.strays, err)
	}
	p := start(t, t.TempDir())
	if log := p.logged(); strings.Count(log, "no such setting") != 2 || !strings.Contains(log, "variable=SMALLTALK_TOPIC") {
		t.Errorf("logged:\n%s", log)
	}
	r, _ := doctorSays(t, "--listen", strings.TrimPrefix(p.base, "http://"), "--data", dataOf(p), "--stun", "off")
	if f := r.of(t, "settings"); f.Verdict != isWarning || !strings.Contains(f.Detail, "SMALLTALK_MAXCLIENTS") {
		t.Errorf("%+v", f)
	}
}

// TestSettingsGiven: the doctor has to know whether it was told anything.
func TestSettingsGiven(t *testing.T) {
	file := filepath.Join(t.TempDir(), "smalltalk.toml")
	if err := os.WriteFile(file, []byte("grace = \"20s\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		args     []string
		variable string
		want     bool
	}{
		{nil, "", false},
		{[]string{"doctor", "--json"}, "", false},
		{[]string{"doctor", "--listen", "localhost:8081"}, "", true},
		{[]string{"--data", "x", "doctor"}, "", true},
		{[]string{"doctor", "--config", file}, "", true},
		{[]string{"doctor"}, "SMALLTALK_DATA", true},
		{[]string{"doctor"}, "SMALLTALK_DATE", false},
	} {
		t.Run(fmt.Sprint(tc.args, tc.variable), func(t *testing.T) {
			if tc.variable != "" {
				t.Setenv(tc.variable, "x")
			}
			cmd, err := parse(tc.args, &bytes.Buffer{}, &bytes.Buffer{})
			if err != nil || cmd.serve.given != tc.want {
				t.Errorf("given is %v, %v", cmd.serve.given, err)
			}
		})
	}
}

// TestDoctorFlags: they are flags of its own, and no settings.
func TestDoctorFlags(t *testing.T) {
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"doctor", "--help"}, &out, &errs); code != exitOK || !strings.Contains(out.String(), "--ca=FILE") || !strings.Contains(out.String(), "--json") {
		t.Errorf("exit code %d, help:\n%s", code, out.String())
	}
	t.Setenv("SMALLTALK_CA", "ca.pem")
	cmd, err := parse([]string{"doctor", "--json"}, &out, &errs)
	if err != nil || cmd.doctor == nil || !cmd.doctor.JSON || cmd.doctor.CA != "" {
		t.Errorf("got %+v, %v", cmd.doctor, err)
	}
}

func TestVersion(t *testing.T) {
	for _, how := range []string{"version", "--version"} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), []string{how}, &out, &errs); code != exitOK || !strings.HasPrefix(out.String(), "smalltalk ") {
			t.Errorf("%s: exit code %d, printed %q %q", how, code, out.String(), errs.String())
		}
	}
}
