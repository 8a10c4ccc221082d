package signaling

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestDecodeChatText(t *testing.T) {
	tests := map[string]struct{ in, want string }{
		"plain":           {"hello", "hello"},
		"lines and tabs":  {"a\n\tb", "a\n\tb"},
		"controls":        {"a\u0000\u0007\u001b[31mb\u0085c", "a[31mbc"},
		"emoji":           {"👩‍👩‍👧", "👩‍👩‍👧"},
		"longest":         {strings.Repeat("ä", maxChatText), strings.Repeat("ä", maxChatText)},
		"longest, rubbed": {strings.Repeat("\u0001", 50) + strings.Repeat("x", maxChatText), strings.Repeat("x", maxChatText)},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			frame, err := json.Marshal(map[string]string{"type": "chat", "cid": "1", "text": tc.in})
			if err != nil {
				t.Fatal(err)
			}
			_, msg, fail := decode(frame)
			if fail != nil {
				t.Fatal(fail)
			}
			if got := msg.(*chatMsg).Text; got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

func TestCheckName(t *testing.T) {
	tests := map[string]bool{
		"":                                  true,
		"Ana":                               true,
		"  Ana  ":                           true,
		"Ана Мария":                         true,
		"李小龙":                               true,
		"👋 hi":                              true,
		strings.Repeat("n", 24):             true,
		strings.Repeat("n", 25):             false,
		"a\nb":                              false,
		"a\u202eb":                          false, // right-to-left override
		"a\u2066b":                          false, // isolate
		"a\u200bb":                          false, // zero width
		"a\u00adb":                          false, // soft hyphen
		"a\u2028b":                          false, // line separator
		"a\ufffdb":                          false,
		"a\ue000b":                          false, // private use
		"a\u0000":                           false,
		"\u3164":                            false, // Hangul filler: a letter that shows nothing
		"a\u115f":                           false,
		"\u2800\u2800":                      false, // blank Braille
		"\u0301\u0301":                      false, // accents on nothing
		"\ufe0f":                            false,
		"❤\ufe0f":                           true, // a heart in its coloured form
		"Zoe\u0308":                         true,
		" " + strings.Repeat("n", 24) + " ": true,
	}
	for name, want := range tests {
		if got := checkName(name) == nil; got != want {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
	}
}

// TestGuestNames holds the words to the rules for names.
func TestGuestNames(t *testing.T) {
	for _, adjective := range nameAdjectives {
		for _, animal := range nameAnimals {
			name := adjective + " " + animal
			if checkName(name) != nil {
				t.Errorf("%q breaks the rules for names", name)
			}
		}
	}
	for range 100 {
		if name := guestName("  "); checkName(name) != nil || name == "" {
			t.Errorf("name %q", name)
		}
	}
	if got := guestName(" Ana "); got != "Ana" {
		t.Errorf("given name became %q", got)
	}
}

func TestIsLang(t *testing.T) {
	for lang, want := range map[string]bool{
		"en": true, "en-GB": true, "zh-Hant-TW": true, "": false, "e": false, "en_GB": false, "-en": false, "en-": false,
		"e n": false, "日本": false, strings.Repeat("a", 36): false,
	} {
		if got := isLang(lang); got != want {
			t.Errorf("%q: %v, want %v", lang, got, want)
		}
	}
}

// FuzzDecode throws frames of strangers at the decoder. What it lets through keeps every rule
// that the session relies on.
func FuzzDecode(f *testing.F) {
	files, err := filepath.Glob(filepath.Join(goldenDir, "*.client.json"))
	if err != nil || len(files) == 0 {
		f.Fatal(err, len(files))
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"type":"chat","cid":"1","text":"\ud800"}`))
	f.Add([]byte(`{"type":"queue.join","topics":null}`))
	f.Fuzz(func(t *testing.T, frame []byte) {
		id, msg, fail := decode(frame)
		if (msg == nil) == (fail == nil) {
			t.Fatalf("message %v and failure %v", msg, fail)
		}
		if utf8.RuneCountInString(id) > maxID && fail == nil {
			t.Errorf("id of %d runes", utf8.RuneCountInString(id))
		}
		if fail != nil {
			if fail.Code == "" || fail.Message == "" || fail.Retry == "" {
				t.Errorf("failure %+v", fail)
			}
			return
		}
		holds(t, msg)
		again(t, msg)
	})
}

// holds checks what the session takes for granted.
func holds(t *testing.T, msg clientMessage) {
	switch m := msg.(type) {
	case *chatMsg:
		n := utf8.RuneCountInString(m.Text)
		if n < 1 || n > maxChatText || !utf8.ValidString(m.Text) || m.CID == "" {
			t.Errorf("chat of %d runes, cid %q", n, m.CID)
		}
		if strings.ContainsFunc(m.Text, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }) {
			t.Errorf("chat %q has control characters", m.Text)
		}
	case *queueJoinMsg:
		if m.Topics == nil || len(m.Topics) > maxTopics || len(m.Langs) > maxLangs {
			t.Errorf("queue.join %+v", m)
		}
	case *offerMsg:
		if m.SDP == "" || m.Gen == 0 {
			t.Errorf("rtc.offer %+v", m)
		}
	case *callNextMsg:
		if m.Call == "" {
			t.Error("call.next without a call")
		}
	case *helloMsg:
		if m.Guest != nil && utf8.RuneCountInString(strings.TrimSpace(m.Guest.Name)) > maxName {
			t.Errorf("name %q", m.Guest.Name)
		}
	}
}

// again encodes a message that was accepted: what comes back must be accepted too.
func again(t *testing.T, msg clientMessage) {
	b, err := json.Marshal(msg)
	if err != nil {
		t.Fatal(err)
	}
	into := newMessage(typeOf(msg))
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	if fail := into.check(); fail != nil {
		t.Errorf("%s: %v", b, fail)
	}
}

// typeOf is the type that newMessage makes such a message for.
func typeOf(msg clientMessage) string {
	for typ, sample := range goldenClient {
		if sameType(sample, msg) {
			return typ
		}
	}
	return ""
}
