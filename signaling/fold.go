package signaling

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"smalltalk/store"
)

// maxTopic is how many bytes the form of a topic has at most.
const maxTopic = 64

// vocabulary knows which topics people may name. It is not changed once made.
type vocabulary struct {
	free   bool                              // any words are a topic
	listed map[store.Category]bool           // IDs of the operator's
	forms  map[store.Category]store.Category // forms of their IDs and names, to their IDs
}

func newVocabulary(topics []Topic, free bool) *vocabulary {
	v := &vocabulary{free: free, listed: map[store.Category]bool{}, forms: map[store.Category]store.Category{}}
	for _, topic := range topics {
		v.listed[topic.ID] = true
	}
	for _, topic := range topics {
		for _, words := range []string{string(topic.ID), topic.label()} {
			form, ok := fold(words)
			if _, taken := v.forms[form]; ok && !taken {
				v.forms[form] = topic.ID
			}
		}
	}
	return v
}

// label is what people call the topic.
func (t Topic) label() string {
	if t.Name == "" {
		return string(t.ID)
	}
	return t.Name
}

// topic finds the topic that a client means: by the ID of a listed one, by words that come to the same form as the ID or the
// name of one, or where that is allowed by any words.
func (v *vocabulary) topic(words string) (store.Category, bool) {
	if id := store.Category(words); v.listed[id] {
		return id, true
	}
	form, ok := fold(words)
	if !ok {
		return "", false
	}
	if id, ok := v.forms[form]; ok {
		return id, true
	}
	return form, v.free && form != "any" // which means every topic, and nobody who says it means another
}

// fold brings the words for a topic to the one form in which they are compared: compatible characters are made the same
// (Unicode NFKC), capitals small (full case folding), white space at the ends is taken away and each run of it is one space.
// It reports false for words without such a form: nothing that shows, too long, or with characters that cannot be
// seen, that control or that change the direction.
func fold(words string) (store.Category, bool) {
	if !utf8.ValidString(words) {
		return "", false
	}
	form := refold(words)
	// Of a few characters the small form has another normal form, and that again another small one.
	for range 3 {
		form = refold(form)
	}
	if form == "" || len(form) > maxTopic || refold(form) != form {
		return "", false
	}
	for _, r := range form {
		if !unicode.IsGraphic(r) || r == utf8.RuneError || unicode.In(r, invisible...) || r == blankBraille {
			return "", false
		}
	}
	return store.Category(form), strings.ContainsFunc(form, showsByItself)
}

func refold(text string) string {
	return tidy(norm.NFKC.String(cases.Fold().String(strings.Map(lowerCherokee, norm.NFKC.String(text)))))
}

// lowerCherokee makes both cases of Cherokee one. The library folds them into each other; Unicode folds them, unlike
// all others, to the capital, and so it does with what comes of this.
func lowerCherokee(r rune) rune {
	if unicode.Is(unicode.Cherokee, r) {
		return unicode.ToLower(r)
	}
	return r
}

// tidy makes runs of white space one space and takes away what only chooses between two pictures of a character.
func tidy(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Variation_Selector, r) {
			return -1
		}
		return r
	}, text)
	return strings.Join(strings.Fields(text), " ")
}
