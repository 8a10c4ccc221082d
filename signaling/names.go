package signaling

import (
	"math/rand/v2"
	"strings"
)

// Words for the display names of guests. They are to be friendly, easy to read in any
// country, and no pair may sound like an insult.
var (
	nameAdjectives = []string{
		"Amber", "Bright", "Brisk", "Calm", "Cheerful", "Clever", "Cosy", "Curious", "Daring", "Dreamy",
		"Eager", "Early", "Gentle", "Golden", "Happy", "Honest", "Jolly", "Kind", "Lively", "Lucky",
		"Mellow", "Merry", "Misty", "Neat", "Nimble", "Patient", "Playful", "Polite", "Proud", "Quick",
		"Quiet", "Rosy", "Silver", "Snowy", "Sparkling", "Steady", "Sunny", "Swift", "Tidy", "Warm",
		"Wandering", "Witty",
	}
	nameAnimals = []string{
		"Badger", "Beaver", "Bison", "Blackbird", "Bumblebee", "Butterfly", "Crane", "Deer", "Dolphin", "Dragonfly",
		"Falcon", "Finch", "Fox", "Gazelle", "Hare", "Hedgehog", "Heron", "Hummingbird", "Ibex", "Kingfisher",
		"Kiwi", "Koala", "Lark", "Lynx", "Marten", "Moose", "Nightingale", "Ocelot", "Octopus", "Otter",
		"Owl", "Panda", "Penguin", "Puffin", "Rabbit", "Robin", "Seahorse", "Sparrow", "Squirrel", "Swan",
		"Tortoise", "Wombat",
	}
)

// guestName is the name a guest gave, trimmed, or a random one. A given name has passed checkName.
func guestName(given string) string {
	if given = strings.TrimSpace(given); given != "" {
		return given
	}
	// Names need no secrecy, so the fast generator will do.
	return nameAdjectives[rand.IntN(len(nameAdjectives))] + " " + nameAnimals[rand.IntN(len(nameAnimals))]
}
