package signaling

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"
)

// Limits of what a client may send. A message beyond one is refused, never cut.
const (
	maxFrame    = 64 << 10 // bytes of a WebSocket frame and of an HTTP body
	maxID       = 64       // runes of a message id, cid, call or topic id
	maxTopics   = 8
	maxLangs    = 3
	maxLang     = 35   // longest language tag of RFC 5646 section 4.4.1
	maxToken    = 4096 // characters of a token, a resume token or a ticket
	maxName     = 24   // runes of a display name
	maxChatText = 2000 // runes of a chat message

	// Milliseconds of a queue.join.widen_after_ms that is not 0.
	minWiden, maxWiden = 1000, 600_000

	// kbit/s of a media.want: less does not carry sound, more nobody sends.
	minWish, maxWish = 50, 100_000
)

// clientMessage is a decoded message; check says what is wrong with its values.
type clientMessage interface{ check() *failure }

// newMessage gives the empty struct for a type, or nil for a type we do not know.
func newMessage(typ string) clientMessage {
	switch typ {
	case "hello":
		return &helloMsg{}
	case "rtc.offer":
		return &offerMsg{}
	case "queue.join":
		return &queueJoinMsg{}
	case "queue.widen":
		return &queueWidenMsg{}
	case "queue.leave":
		return &queueLeaveMsg{}
	case "call.next":
		return &callNextMsg{}
	case "call.leave":
		return &callLeaveMsg{}
	case "call.undo":
		return &callUndoMsg{}
	case "peer.state":
		return &peerStateMsg{}
	case "media.want":
		return &mediaWantMsg{}
	case "chat":
		return &chatMsg{}
	case "chat.typing":
		return &typingMsg{}
	case "topics.watch":
		return &topicsWatchMsg{}
	case "ping":
		return &pingMsg{}
	case "pong":
		return &pongMsg{}
	default:
		return newPeopleMessage(typ)
	}
}

// newPeopleMessage is newMessage for friends, blocks and rings.
func newPeopleMessage(typ string) clientMessage {
	switch typ {
	case "friend.request":
		return &friendRequestMsg{}
	case "block":
		return &blockMsg{}
	case "ring":
		return &ringMsg{}
	case "ring.accept":
		return &ringAcceptMsg{}
	case "ring.decline":
		return &ringDeclineMsg{}
	case "ring.cancel":
		return &ringCancelMsg{}
	default:
		return nil
	}
}

// decode reads one frame of a client. The id is returned whenever it could be read, so that
// also an error can name the message it answers.
func decode(frame []byte) (id string, msg clientMessage, fail *failure) {
	if len(frame) > maxFrame {
		return "", nil, errTooLarge
	}
	if !utf8.Valid(frame) {
		return "", nil, badMessage("The message is not valid UTF-8.")
	}
	if b := bytes.TrimLeft(frame, " \t\r\n"); len(b) == 0 || b[0] != '{' {
		return "", nil, badMessage("The message is not a JSON object.")
	}
	var env struct {
		Type string `json:"type"`
		ID   string `json:"id"`
	}
	if err := json.Unmarshal(frame, &env); err != nil {
		return "", nil, badMessage("The message is not valid JSON, or its type or id is not a string.")
	}
	if utf8.RuneCountInString(env.ID) > maxID {
		return "", nil, badMessage("The id is longer than 64 characters.")
	}
	if env.Type == "" {
		return env.ID, nil, badMessage("The message has no type.")
	}
	msg = newMessage(env.Type)
	if msg == nil {
		return env.ID, nil, badMessage("The server does not know this type of message.")
	}
	if err := json.Unmarshal(frame, msg); err != nil {
		if errors.As(err, &fail) { // a field's own UnmarshalJSON says what it wants
			return env.ID, nil, fail
		}
		return env.ID, nil, badMessage("A field of the message has the wrong type.")
	}
	if fail := msg.check(); fail != nil {
		return env.ID, nil, fail
	}
	return env.ID, msg, nil
}

// topicSet is the topics of a wait: "any" on the wire is the empty set here.
type topicSet []string

// MarshalJSON is the reverse of UnmarshalJSON.
func (t topicSet) MarshalJSON() ([]byte, error) {
	if len(t) == 0 {
		return []byte(`"any"`), nil
	}
	return json.Marshal([]string(t))
}

// UnmarshalJSON takes "any" or a list of 1 to 8 topic ids.
func (t *topicSet) UnmarshalJSON(b []byte) error {
	var word string
	if json.Unmarshal(b, &word) == nil {
		if word != "any" {
			return badMessage("topics must be \"any\" or a list.")
		}
		*t = topicSet{}
		return nil
	}
	var list []string
	if err := json.Unmarshal(b, &list); err != nil {
		return err
	}
	if len(list) == 0 || len(list) > maxTopics {
		return badMessage("topics must name 1 to 8 topics.")
	}
	*t = list
	return nil
}

func (m *helloMsg) check() *failure {
	switch {
	case len(m.Versions) == 0 || len(m.Versions) > 32:
		return badMessage("versions must list the protocol versions the client speaks.")
	case len(m.Token) > maxToken, len(m.Resume) > maxToken, len(m.Pair) > maxToken:
		return badMessage("A token is too long.")
	case !short(m.Client.Name, maxID), !short(m.Client.Version, maxID), !short(m.Client.Platform, maxID):
		return badMessage("A field of client is longer than 64 characters.")
	case m.Lang != "" && !isLang(m.Lang):
		return badMessage("lang is not a language tag.")
	}
	if m.Guest != nil {
		return checkName(m.Guest.Name)
	}
	return nil
}

func (m *offerMsg) check() *failure {
	switch {
	case m.SDP == "":
		return badMessage("sdp is missing.")
	case m.Gen == 0:
		return badMessage("gen must be 1 or more.")
	}
	return nil
}

func (m *queueJoinMsg) check() *failure {
	if m.Topics == nil {
		return badMessage("topics is missing.")
	}
	for _, topic := range m.Topics {
		if topic == "" || !short(topic, maxID) {
			return badMessage("A topic id must have 1 to 64 characters.")
		}
	}
	if len(m.Langs) > maxLangs {
		return badMessage("langs must name at most 3 languages.")
	}
	for _, lang := range m.Langs {
		if !isLang(lang) || !isLanguage(baseLang(lang)) {
			return badMessage("langs must hold tags of languages, such as \"en\".")
		}
	}
	if m.WidenAfterMS != 0 && (m.WidenAfterMS < minWiden || m.WidenAfterMS > maxWiden) {
		return badMessage("widen_after_ms must be 0 or from 1000 to 600000.")
	}
	if len(m.Ticket) > maxToken {
		return badMessage("The ticket is too long.")
	}
	return nil
}

func (m *queueWidenMsg) check() *failure {
	if !m.Topics && !m.Langs {
		return badMessage("topics or langs must be true.")
	}
	return nil
}

func (m *queueLeaveMsg) check() *failure { return nil }

func (m *callNextMsg) check() *failure {
	if !short(m.Reason, maxID) {
		return badMessage("reason is longer than 64 characters.")
	}
	return checkCall(m.Call)
}

func (m *callLeaveMsg) check() *failure { return checkCall(m.Call) }

func (m *callUndoMsg) check() *failure { return checkCall(m.Call) }

func checkCall(call string) *failure {
	if call == "" || !short(call, maxID) {
		return badMessage("call is missing or too long.")
	}
	return nil
}

func (m *peerStateMsg) check() *failure { return nil }

func (m *mediaWantMsg) check() *failure {
	switch {
	case m.Audio == nil, m.Video == nil:
		return badMessage("audio or video is missing.")
	case m.MaxKbps != nil && (*m.MaxKbps < minWish || *m.MaxKbps > maxWish):
		return badMessage("max_kbps must be from 50 to 100000.")
	}
	return nil
}

// check also cleans the text: what cannot be shown is taken out before anything is counted.
func (m *chatMsg) check() *failure {
	if m.CID == "" || !short(m.CID, maxID) {
		return badMessage("cid is missing or too long.")
	}
	if !short(m.Call, maxID) {
		return badMessage("call is too long.")
	}
	m.Text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, m.Text)
	if strings.TrimSpace(m.Text) == "" {
		return badMessage("The text is empty.")
	}
	if !short(m.Text, maxChatText) {
		return &failure{
			Code: codeTooLarge, Message: "The text is longer than 2000 characters.", Retry: retryNever,
		}
	}
	return nil
}

func (m *typingMsg) check() *failure { return nil }

func (m *topicsWatchMsg) check() *failure { return nil }

func (m *personMsg) check() *failure {
	if (m.Call == "") == (m.User == "") || !short(m.Call, maxID) || !short(m.User, maxID) {
		return badMessage("Name the person by either call or user.")
	}
	return nil
}

func (m *ringMsg) check() *failure {
	if m.User == "" || !short(m.User, maxID) {
		return badMessage("user is missing or too long.")
	}
	return nil
}

func (m *ringAcceptMsg) check() *failure { return checkRing(m.Ring) }

func (m *ringDeclineMsg) check() *failure { return checkRing(m.Ring) }

func (m *ringCancelMsg) check() *failure { return checkRing(m.Ring) }

func checkRing(ring string) *failure {
	if ring == "" || !short(ring, maxID) {
		return badMessage("ring is missing or too long.")
	}
	return nil
}

func (m *pingMsg) check() *failure { return nil }

func (m *pongMsg) check() *failure { return nil }

// checkName accepts the empty name (the server then finds one) and 1 to 24 visible runes.
func checkName(name string) *failure {
	if !short(strings.TrimSpace(name), maxName) {
		return badMessage("The name is longer than 24 characters.")
	}
	return checkShown(name)
}

// checkShown accepts what can be seen, or is empty.
func checkShown(name string) *failure {
	for _, r := range name {
		if !unicode.IsGraphic(r) || r == utf8.RuneError || unicode.In(r, invisible...) || r == blankBraille {
			return badMessage("The name has a character that cannot be shown.")
		}
	}
	if strings.TrimSpace(name) != "" && !strings.ContainsFunc(name, showsByItself) {
		return badMessage("The name has nothing in it that can be seen.")
	}
	return nil
}

const blankBraille = '\u2800'

// invisible are direction overrides, zero-width marks and letters without a form, which let one name pose as another.
var invisible = []*unicode.RangeTable{unicode.Cf, unicode.Other_Default_Ignorable_Code_Point}

// showsByItself is false for spaces and for marks, which only change the character before them.
func showsByItself(r rune) bool { return !unicode.IsSpace(r) && !unicode.IsMark(r) }

func short(s string, limit int) bool { return utf8.RuneCountInString(s) <= limit }

// isLanguage says if there is such a language (ISO 639). A line of people whose languages are made up would be slow to look through.
func isLanguage(base string) bool {
	_, err := language.ParseBase(base)
	return err == nil
}

// isLang says if s has the form of a language tag: letters, digits and inner hyphens. It
// does not look it up.
func isLang(s string) bool {
	if len(s) < 2 || len(s) > maxLang || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for _, c := range []byte(s) {
		if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}
