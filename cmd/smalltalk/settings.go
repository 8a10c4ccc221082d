package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/mail"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"smalltalk/signaling"
	"smalltalk/store"
)

// cli is the command line. Each flag can also be given as an environment
// variable (SMALLTALK_ and the flag's name) or as a key of the settings file.
type cli struct {
	Config configFlag `help:"Settings file (TOML). Its keys are the flags below without the dashes, for example: listen = \"localhost:8080\"." placeholder:"FILE"`

	PrintVersion kong.VersionFlag `name:"version" env:"-" help:"Print the version and stop."`

	Settings settings `embed:""`

	Serve   struct{}    `cmd:"" default:"withargs" help:"Run the server (also the default)."`
	Doctor  doctorFlags `cmd:"" help:"Examine the server on this machine, or the one at a URL, and say what to change."`
	Admin   adminFlags  `cmd:"" help:"Manage accounts and invitations, also while the server runs."`
	Version struct{}    `cmd:"" help:"Print the version and stop."`
}

// settings are all that an operator can choose. Order of precedence: flag,
// environment variable, settings file, default.
type settings struct {
	Listen      string `placeholder:"HOST:PORT" help:"HOST:PORT on which to serve the web client and its API, and calls over TCP. Default: :443 with --domain or --cert, else localhost:8080, in the clear: browsers give no camera to a plain HTTP page unless it is on localhost."`
	MediaListen string `placeholder:"HOST:PORT" help:"HOST:PORT on which to receive media, over UDP and TCP. Default: the port of --listen, over UDP on every address of this machine."`
	Data        string `default:"./data" help:"Folder of the database and of certificates; made if missing."`

	Domain        []string `placeholder:"NAME" help:"Serve HTTPS under these names, with certificates that are fetched and renewed by ACME. TCP port 443 must be reachable from the internet."`
	Cert          string   `placeholder:"FILE" help:"Serve HTTPS with this certificate (PEM, intermediate certificates after it); loaded again when the file changes."`
	Key           string   `placeholder:"FILE" help:"Key of --cert (PEM)."`
	ACMEDirectory string   `name:"acme-directory" placeholder:"URL" help:"ACME directory for --domain; staging means that of Let's Encrypt for trying out. Default: Let's Encrypt."`
	ACMECA        string   `name:"acme-ca" placeholder:"FILE" help:"CA to trust as the ACME directory's, beside the system's (PEM)."`
	ACMEEmail     string   `name:"acme-email" placeholder:"ADDRESS" help:"Where the ACME server may write about the certificates."`
	InsecureHTTP  bool     `name:"insecure-http" help:"Allow plain HTTP on an address that is not loopback. Browsers give no camera there."`
	TrustProxy    []string `placeholder:"CIDR" help:"Reverse proxies in front: believe the X-Forwarded-For, -Proto and -Host of these addresses."`
	PublicAddress []string `placeholder:"IP" help:"Addresses under which clients reach this machine, one or more of IPv4 and IPv6, where its own are not those (1:1 NAT, forwarded ports)."`
	STUN          []string `name:"stun" default:"${stun}" placeholder:"HOST:PORT" help:"STUN servers to ask for the public address when this machine has only private ones; off asks nobody. Default: ${stun}."`

	Topics         []string      `default:"${topics}" help:"Topics that people can pick, in this order. Write ID=NAME to choose a topic's ID yourself (it is in links)."`
	FreeTopics     bool          `default:"true" negatable:"" help:"Let people name topics beside these, too; no list shows them."`
	Origin         []string      `placeholder:"URL" help:"More web origins that may connect with a browser's cookie, such as https://chat.example.org. The server's own host always may, except a plain http name other than localhost that reaches a loopback address."`
	Access         string        `default:"open" help:"Who gets in: open (everybody, with an account or as a guest), guests-off (whoever makes an account), invite (whoever makes an account with an invitation) or domain (whoever makes an account and shows to have an address of --email-domains; accounts of before can be logged into, and come in once they have shown one, admins at once)."`
	EmailDomains   []string      `placeholder:"NAME" help:"With --access domain: what stands after the @ of addresses that get people in, such as example.org. Each subdomain counts only if it is listed."`
	SMTP           string        `name:"smtp" placeholder:"URL" help:"Mail server that takes on mail to people: smtps://USER:PASSWORD@HOST (TLS, port 465) or smtp://USER:PASSWORD@HOST (STARTTLS, port 587, without which only a server on this machine is used). In USER and PASSWORD write @ as %40, : as %3A, / as %2F and % as %25. Other users of this machine can see flags, so rather use the settings file or SMALLTALK_SMTP. Without it there is no e-mail: addresses are neither shown nor taken."`
	MailFrom       string        `placeholder:"ADDRESS" help:"Where the mail of --smtp comes from, such as talk@example.org."`
	MailLimit      int           `default:"300" placeholder:"N" help:"How many mails people can ask for in any hour, in all."`
	MaxClients     int           `default:"2000" help:"How many people may be connected at once."`
	MaxBitrate     int           `default:"2500" help:"Highest bitrate that a client is asked to send, in kbit/s; 30 % more where it protects its video with parity."`
	MediaPlane     string        `default:"auto" enum:"auto,fast,pion" help:"How media is forwarded: fast (packets never enter the WebRTC library), pion (by way of it), or auto: fast where it works."`
	MeetAgain      time.Duration `default:"15s" help:"How long two who have just met wait beside each other, with nobody else coming, until they meet again."`
	Grace          time.Duration `default:"30s" help:"How long a call or a place in line is held for somebody whose connection was lost."`
	LogLevel       logLevel      `default:"info" help:"debug, info, warn or error."`
	AddressLimit   float64       `default:"1" placeholder:"FACTOR" help:"How much one address may do, times the defaults: guests, accounts, connections, requests, mails asked for. More where many people share one address, 0 for no limits."`
	PasswordMemory int           `default:"46" placeholder:"MIB" help:"Memory that one password hash takes (argon2id, MiB). Below 46 it takes twice the time; 19 is the least."`

	LogFormat string `default:"text" enum:"text,json" help:"text or json."`

	topics  []signaling.Topic
	smtp    *smtpServer   // of SMTP; nil without
	from    *mail.Address // of MailFrom
	proxies []netip.Prefix
	public  []netip.Addr
	given   bool     // somebody chose one of them: by a flag, a variable or a file
	strays  []string // variables that look like settings and are none
}

// logLevel is a slog.Level whose complaint is for people.
type logLevel slog.Level

// Level implements slog.Leveler.
func (l logLevel) Level() slog.Level { return slog.Level(l) }

// UnmarshalText implements encoding.TextUnmarshaler.
func (l *logLevel) UnmarshalText(text []byte) error {
	if (*slog.Level)(l).UnmarshalText(text) != nil {
		return fmt.Errorf("%q is none of debug, info, warn and error", text)
	}
	return nil
}

// defaultTopics are the five of the original app.
const defaultTopics = "General,News,Sports,Movies & TV,Gaming"

// command is what the command line asked for.
type command struct {
	done    bool // help was printed: nothing is left to do
	version bool
	doctor  *doctorFlags // examine a server instead of running one
	admin   *adminFlags  // manage accounts instead of running a server, by
	request adminRequest // this
	serve   settings
}

// parse reads the command line, the environment and the settings file. Its
// error is one line for people. Help goes to stdout.
func parse(args []string, stdout, stderr io.Writer) (command, error) {
	var c cli
	var out command
	parser, err := kong.New(&c,
		kong.Name("smalltalk"),
		kong.Description("A self-hosted random video chat: people pick topics, the server pairs strangers who share one, and relays their video."),
		kong.DefaultEnvars(variablePrefix),
		kong.Vars{"topics": defaultTopics, "stun": defaultSTUN, "version": version()},
		kong.Writers(stdout, stderr),
		kong.Exit(func(int) { out.done = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true, WrapUpperBound: 100}),
	)
	if err != nil {
		return out, fmt.Errorf("build the command line: %w", err)
	}
	k, err := parser.Parse(args)
	if out.done {
		return out, nil
	}
	if err != nil {
		var pe *kong.ParseError
		if errors.As(err, &pe) {
			return out, fmt.Errorf("%w (see smalltalk --help)", err)
		}
		return out, err
	}
	out.version = k.Command() == "version"
	out.serve = c.Settings
	out.serve.given = chosen(k.Path, parser.Model.Flags)
	out.serve.strays = strays(os.Environ(), parser.Model.Flags)
	if strings.HasPrefix(k.Command(), "doctor") {
		out.doctor = &c.Doctor
	}
	if strings.HasPrefix(k.Command(), "admin") {
		out.admin, out.request = &c.Admin, c.Admin.request(k.Command())
		return out, nil // of the settings only the folder matters
	}
	// Against a URL the settings of this machine do not matter.
	if !out.version && (out.doctor == nil || out.doctor.URL == "") {
		if err := out.serve.check(); err != nil {
			return out, err
		}
	}
	return out, nil
}

// check completes the settings and refuses those that cannot work.
func (s *settings) check() error {
	for _, list := range [][]string{s.Domain, s.TrustProxy, s.PublicAddress, s.STUN, s.Origin, s.EmailDomains} {
		for i := range list {
			list[i] = strings.TrimSpace(list[i]) // people write a space after a comma
		}
	}
	if err := s.checkNetwork(); err != nil {
		return err
	}
	if s.Data == "" {
		return errors.New("--data is empty: name the folder for the database")
	}
	if s.MaxClients < 2 {
		return fmt.Errorf("--max-clients %d is too few: two are needed for a call", s.MaxClients)
	}
	if s.MaxBitrate < 100 || s.MaxBitrate > 50_000 {
		return fmt.Errorf("--max-bitrate %d is out of range: 100 to 50000 kbit/s", s.MaxBitrate)
	}
	if s.MeetAgain < time.Millisecond || s.MeetAgain > 10*time.Minute {
		return fmt.Errorf("--meet-again %v is out of range: 1ms to 10m", s.MeetAgain)
	}
	if s.Grace < time.Second || s.Grace > 10*time.Minute {
		return fmt.Errorf("--grace %v is out of range: 1s to 10m", s.Grace)
	}
	for i, text := range s.Origin {
		origin, ok := parseOrigin(text)
		if !ok {
			return fmt.Errorf("--origin %q is not a web origin, for example https://chat.example.org", text)
		}
		s.Origin[i] = origin
	}
	if err := s.checkPeople(); err != nil {
		return err
	}
	var err error
	s.topics, err = parseTopics(s.Topics)
	return err
}

// parseOrigin brings a web origin into the form that browsers send (RFC 6454,
// section 6.1): scheme, host and a port that is not the scheme's own.
func parseOrigin(text string) (string, bool) {
	u, err := url.Parse(strings.ToLower(strings.TrimSuffix(text, "/")))
	if err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" {
		return "", false
	}
	origin := u.Scheme + "://" + u.Host
	if u.String() != origin { // it has a path, a query, a user
		return "", false
	}
	own := map[string]string{"https": ":443", "http": ":80"}[u.Scheme]
	return strings.TrimSuffix(origin, own), true
}

// maxTopics bounds the list that every client is sent.
const maxTopics = 100

// parseTopics reads the list of NAME or ID=NAME.
func parseTopics(list []string) ([]signaling.Topic, error) {
	var topics []signaling.Topic
	seen := map[string]string{}
	for _, item := range list {
		id, name, named := strings.Cut(item, "=")
		if !named {
			id, name = "", item
		}
		name = strings.TrimSpace(name)
		if id = slug(id); id == "" {
			id = slug(name)
		}
		if name == "" || id == "" || len(name) > 64 || len(id) > 64 {
			return nil, fmt.Errorf("--topics: %q is no topic: give a name of 1 to 64 bytes with a letter or digit in it, or ID=NAME", item)
		}
		if id == "any" {
			return nil, errors.New("--topics: the ID \"any\" is taken (it means every topic): give this topic another, as in anything=Any")
		}
		if other, ok := seen[id]; ok {
			return nil, fmt.Errorf("--topics: %q and %q have the same ID %q: give one another, as in ID=NAME", other, name, id)
		}
		seen[id] = name
		topics = append(topics, signaling.Topic{ID: store.Category(id), Name: name})
	}
	if len(topics) == 0 {
		return nil, errors.New("--topics is empty: people need at least one to pick")
	}
	if len(topics) > maxTopics {
		return nil, fmt.Errorf("--topics has %d entries, the most is %d", len(topics), maxTopics)
	}
	return topics, nil
}

// slug makes a topic's ID of its name: lower-case letters and digits of ASCII,
// runs of anything else as one dash. "Movies & TV" becomes "movies-tv".
func slug(name string) string {
	var b strings.Builder
	dash := false
	for _, r := range strings.ToLower(name) {
		if (r >= 'a' && r <= 'z') || (r >= '0' && r <= '9') {
			if dash && b.Len() > 0 {
				b.WriteByte('-')
			}
			dash = false
			b.WriteRune(r)
			continue
		}
		dash = true
	}
	return b.String()
}
