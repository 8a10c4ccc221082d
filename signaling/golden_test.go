package signaling

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden messages anew")

const goldenDir = "testdata/protocol"

// goldenClient is one example of each message of a client, with every field it has.
var goldenClient = map[string]clientMessage{
	"hello": &helloMsg{
		Versions: []int{1}, Token: "c2VjcmV0LXRva2Vu", Resume: "eyJzIjoi.c2lnbmF0dXJl", Pair: "c2VhbGVkLXBhaXI", Lang: "en",
		Client: clientInfo{Name: "@smalltalk/client", Version: "1.0.0", Platform: "browser"},
		Guest:  &guestHello{Name: "Sunny Otter", Fresh: true},
	},
	"rtc.offer":      &offerMsg{SDP: "v=0\r\n", Gen: 2, Restart: true},
	"queue.join":     &queueJoinMsg{Topics: topicSet{"gaming", "music"}, Langs: []string{"en", "de"}, Strict: true, WidenAfterMS: 10000, Ticket: "eyJ1Ijoi.c2lnbmF0dXJl"},
	"queue.widen":    &queueWidenMsg{Topics: true, Langs: true},
	"queue.leave":    &queueLeaveMsg{},
	"call.next":      &callNextMsg{Call: "wxhgq5nmv2tqfbh3ov2kxkyhpe", Reason: "bored"},
	"call.leave":     &callLeaveMsg{Call: "wxhgq5nmv2tqfbh3ov2kxkyhpe"},
	"call.undo":      &callUndoMsg{Call: "wxhgq5nmv2tqfbh3ov2kxkyhpe"},
	"peer.state":     &peerStateMsg{Audio: true, Video: false},
	"media.want":     &mediaWantMsg{Audio: pointer(true), Video: pointer(false), MaxKbps: pointer(300)},
	"chat":           &chatMsg{CID: "c-17", Text: "Hello there", Call: "wxhgq5nmv2tqfbh3ov2kxkyhpe"},
	"chat.typing":    &typingMsg{On: true},
	"friend.request": &friendRequestMsg{personMsg{Call: "wxhgq5nmv2tqfbh3ov2kxkyhpe"}},
	"block":          &blockMsg{personMsg{User: "tq7vdk3ymx5vsrkrljbkpih2m4"}},
	"ring":           &ringMsg{User: "tq7vdk3ymx5vsrkrljbkpih2m4"},
	"ring.accept":    &ringAcceptMsg{Ring: "k5wq7d5cpu5yq6zbfjrb7tvzk3"},
	"ring.decline":   &ringDeclineMsg{Ring: "k5wq7d5cpu5yq6zbfjrb7tvzk3"},
	"ring.cancel":    &ringCancelMsg{Ring: "k5wq7d5cpu5yq6zbfjrb7tvzk3"},
	"topics.watch":   &topicsWatchMsg{On: true},
	"ping":           &pingMsg{T: 1767225600000},
	"pong":           &pongMsg{T: 1767225600000},
}

func pointer[T any](v T) *T { return &v }

var (
	goldenCall = callInfo{
		Call: "wxhgq5nmv2tqfbh3ov2kxkyhpe", Peer: peerInfo{ID: "m4xw2zdbn5xgk43u", Name: "Calm Heron"},
		Topics: []string{"gaming"}, Langs: []string{"en"}, StartedAt: 1767225600000, Pair: "c2VhbGVkLXBhaXI",
	}
	goldenTopics = []topicInfo{
		{ID: "gaming", Name: "Gaming", Online: 12, Waiting: 5}, {ID: "music", Name: "Music", Online: 4},
	}
)

// goldenServer is one example of each message of the server.
func goldenServer() map[string]serverMessage {
	resumed := goldenCall
	heron := personRef{"tq7vdk3ymx5vsrkrljbkpih2m4", "Calm Heron"}
	ring := ringInfo{Ring: "k5wq7d5cpu5yq6zbfjrb7tvzk3", From: &heron, Expires: 1767225640000}
	resumed.PeerState = &mediaState{Audio: true, Video: true, Watching: true, Connection: connectionOK}
	h := func(typ, re string) head { return head{Type: typ, N: 7, Re: re} }
	return map[string]serverMessage{
		"welcome": &welcomeMsg{
			head: head{Type: "welcome", N: 1, Re: "1"}, Version: 1, Session: "5yq6zbfjrb7tvzk3l5wq7d5cpu",
			Resume: "eyJzIjoi.c2lnbmF0dXJl", Token: "c2VjcmV0LXRva2Vu",
			User:   userInfo{ID: "h2m4tq7vdk3ymx5vsrkrljbkpi", Name: "Sunny Otter", Guest: true, Roles: []string{}},
			PingMS: 10000, GraceMS: 30000,
			ICEServers: []ICEServer{{URLs: []string{"turns:example.org:443"}, Username: "u", Credential: "c"}},
			Topics:     goldenTopics, FreeTopics: true, Resumed: true, Media: mediaKeep,
			State: stateInfo{
				Phase: phaseCall, Ticket: "eyJ1Ijoi.c2lnbmF0dXJl", Call: &resumed,
				Chat:  []chatLine{{From: fromMe, CID: "c-16", Text: "Hi", At: 1767225600500}},
				Ended: &callEnded{Call: "bq2lk4w7n5d6zjmxq3wfhy2vru", Reason: endNext, UndoMS: 4000},
				Ring:  &ring,
			},
		},
		"rtc.answer": &answerMsg{h("rtc.answer", "2"), "v=0\r\n", 2},
		"rtc.state":  &rtcStateMsg{h("rtc.state", ""), "connected"},
		"queue.state": &queueStateMsg{
			head: h("queue.state", "3"), Phase: phaseQueued, Ticket: "eyJ1Ijoi.c2lnbmF0dXJl", Since: 1767225600000, Waiting: 3,
			Topics: topicSet{"gaming", "music"}, Langs: []string{"de", "en"}, Strict: true, ETAMS: 8000,
			Widened: []string{widenedTopics, widenedLangs},
		},
		"match":           &matchMsg{h("match", ""), goldenCall},
		"call.end":        &callEndMsg{h("call.end", "4"), callEnded{goldenCall.Call, endNext, 10000}, true},
		"call.undo":       &callUndoOut{h("call.undo", ""), goldenCall.Call, 8000},
		"peer.state":      &peerStateOut{h("peer.state", ""), mediaState{Audio: true, Video: false, Watching: true, Connection: connectionReconnecting}},
		"chat":            &chatOut{h("chat", ""), chatLine{From: goldenCall.Peer.ID, CID: "q3zk5d7mwy2hx6ta", Text: "Hello there", At: 1767225601000}},
		"chat.typing":     &typingOut{h("chat.typing", ""), true},
		"friend.request":  &friendRequestOut{h("friend.request", ""), friendNews{heron, goldenCall.Call}},
		"friend.added":    &friendAddedOut{h("friend.added", ""), friendNews{heron, goldenCall.Call}, presenceInCall},
		"friend.removed":  &friendRemovedOut{h("friend.removed", ""), personRef{ID: heron.ID}},
		"friend.presence": &friendPresenceOut{h("friend.presence", ""), heron, presenceOnline},
		"ring":            &ringOut{h("ring", ""), ring},
		"ring.end":        &ringEndOut{h("ring.end", ""), ring.Ring, ringElsewhere},
		"topics":          &topicsMsg{h("topics", "5"), goldenTopics},
		"notice":          &noticeMsg{h("notice", ""), "info", "ticket_expired", "Your place in line has expired; you start at its end."},
		"drain":           &drainMsg{h("drain", ""), 0, 250},
		"pong":            &pingOut{h("pong", "6"), 1767225600000},
		"ok":              &okMsg{h("ok", "7")},
		"error":           &errorMsg{h("error", "8"), failure{codeRateLimited, "That was too often. Please wait a moment.", retryLater, 1500}},
	}
}

// TestGoldenMessages holds the wire format: a change of it must be seen in testdata, where the
// tests of the TypeScript client read the same files.
func TestGoldenMessages(t *testing.T) {
	files := map[string]bool{}
	for typ, msg := range goldenClient {
		name := typ + ".client.json"
		files[name] = true
		b := withHead(t, msg, map[string]any{"type": typ, "id": "1"})
		golden(t, name, b, func(frame []byte) any { return strictClient(t, typ, frame) }, msg)
	}
	for typ, msg := range goldenServer() {
		name := typ + ".server.json"
		files[name] = true
		golden(t, name, withHead(t, msg, nil), func(frame []byte) any {
			into := reflect.New(reflect.TypeOf(msg).Elem()).Interface()
			strict(t, frame, into)
			return into
		}, msg)
	}
	entries, err := os.ReadDir(goldenDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if !files[entry.Name()] {
			t.Errorf("%s is the example of no message", entry.Name())
		}
	}
}

// golden compares a message with its file, both ways.
func golden(t *testing.T, name string, b []byte, read func([]byte) any, want any) {
	t.Helper()
	path := filepath.Join(goldenDir, name)
	if *update {
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	frame, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := read(frame); !reflect.DeepEqual(got, want) {
		t.Errorf("%s reads as %+v, want %+v", name, got, want)
	}
	if canonical(t, frame) != canonical(t, b) {
		t.Errorf("%s holds\n%s\nbut the message is written as\n%s", name, frame, b)
	}
}

// strictClient decodes as the server does, and in addition refuses fields it would ignore.
func strictClient(t *testing.T, typ string, frame []byte) any {
	t.Helper()
	id, msg, fail := decode(frame)
	if fail != nil || id != "1" {
		t.Errorf("%s: id %q, %v", typ, id, fail)
	}
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(frame, &fields); err != nil {
		t.Fatal(err)
	}
	delete(fields, "type")
	delete(fields, "id")
	rest, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	strict(t, rest, newMessage(typ))
	return msg
}

func strict(t *testing.T, frame []byte, into any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(frame))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		t.Errorf("%s: %v", frame, err)
	}
}

// withHead writes a message, with more fields in front, indented.
func withHead(t *testing.T, msg any, more map[string]any) []byte {
	t.Helper()
	b, err := json.Marshal(msg)
	if err != nil {
		t.Fatal(err)
	}
	if more != nil {
		h, err := json.Marshal(more)
		if err != nil {
			t.Fatal(err)
		}
		b = bytes.Replace(append(bytes.TrimSuffix(h, []byte("}")), append([]byte(","), b[1:]...)...), []byte(",}"), []byte("}"), 1)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, b, "", "  "); err != nil {
		t.Fatal(err)
	}
	out.WriteByte('\n')
	return out.Bytes()
}

func canonical(t *testing.T, b []byte) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// TestProtocolDocument holds PROTOCOL.md to the golden messages: each is in it.
func TestProtocolDocument(t *testing.T) {
	doc, err := os.ReadFile("PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := map[string]bool{}
	for _, block := range regexp.MustCompile("(?s)```json\n(.*?)```").FindAllSubmatch(doc, -1) {
		examples[canonical(t, block[1])] = true
	}
	entries, err := os.ReadDir(goldenDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		b, err := os.ReadFile(filepath.Join(goldenDir, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if !examples[canonical(t, b)] {
			t.Errorf("PROTOCOL.md does not have the example of %s", entry.Name())
		}
	}
	for _, code := range []string{
		codeBadMessage, codeUnsupportedVersion, codeUnauthorized, codeRateLimited, codeReplaced, codeNotInCall, codeNotQueued,
		codeAlreadyQueued, codeUnknownTopic, codeTooLarge, codeSDPRejected, codeMediaFailed, codeServerFull, codeDraining,
		codeNotFound, codeInternal, codeNotRinging, codeAlreadyRinging,
	} {
		if !strings.Contains(string(doc), "| `"+code+"` |") {
			t.Errorf("PROTOCOL.md does not list the error %s", code)
		}
	}
}
