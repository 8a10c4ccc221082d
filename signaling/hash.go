package signaling

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Hashing is the cost of one password hash (argon2id, RFC 9106). The zero value is 46 MiB, once, one thread.
// What is below 19 MiB twice is raised to that.
type Hashing struct {
	MemoryKiB uint32
	Passes    uint32
}

const (
	defaultHashMemory = 46 << 10
	// floorHashMemory with two passes is as much work as the default once; less is too quick to guess.
	floorHashMemory = 19 << 10
	floorHashPasses = 2
	// The most that is believed of a stored hash: a damaged record must not take the server's memory.
	maxHashMemory = 1 << 20
	maxHashPasses = 64

	hashThreads = 1
	saltSize    = 16
	keySize     = 32
)

func (h Hashing) withDefaults() Hashing {
	if h.MemoryKiB == 0 && h.Passes == 0 {
		return Hashing{MemoryKiB: defaultHashMemory, Passes: 1}
	}
	h.MemoryKiB = min(max(h.MemoryKiB, floorHashMemory), maxHashMemory)
	h.Passes = min(max(h.Passes, 1), maxHashPasses)
	if h.MemoryKiB < defaultHashMemory {
		h.Passes = max(h.Passes, floorHashPasses)
	}
	return h
}

// hash makes the PHC string of a password, with a salt of its own.
func (h Hashing) hash(password string) string {
	salt := make([]byte, saltSize)
	rand.Read(salt) // never fails: crypto/rand ends the program if the system has no randomness
	return phc{Hashing: h, salt: salt, key: h.key(password, salt, keySize)}.String()
}

func (h Hashing) key(password string, salt []byte, size uint32) []byte {
	return argon2.IDKey([]byte(password), salt, h.Passes, h.MemoryKiB, hashThreads, size)
}

// phc is a hash in the PHC string format:
// https://github.com/P-H-C/phc-string-format/blob/master/phc-sf-spec.md
type phc struct {
	Hashing
	salt, key []byte
}

// String implements fmt.Stringer.
func (p phc) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.MemoryKiB, p.Passes, hashThreads,
		b64.EncodeToString(p.salt), b64.EncodeToString(p.key))
}

// parsePHC reads a stored hash. It is false for one that this program cannot have written.
func parsePHC(text string) (phc, bool) {
	parts := strings.Split(text, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != "v="+strconv.Itoa(argon2.Version) {
		return phc{}, false
	}
	params := strings.Split(parts[3], ",")
	if len(params) != 3 || params[2] != "p="+strconv.Itoa(hashThreads) {
		return phc{}, false
	}
	memory, okMemory := parameter(params[0], "m=", maxHashMemory)
	passes, okPasses := parameter(params[1], "t=", maxHashPasses)
	b64 := base64.RawStdEncoding.Strict()
	salt, errSalt := b64.DecodeString(parts[4])
	key, errKey := b64.DecodeString(parts[5])
	if !okMemory || !okPasses || errSalt != nil || errKey != nil || len(salt) != saltSize || len(key) != keySize {
		return phc{}, false
	}
	return phc{Hashing: Hashing{MemoryKiB: memory, Passes: passes}, salt: salt, key: key}, true
}

func parameter(text, name string, limit uint64) (uint32, bool) {
	digits, ok := strings.CutPrefix(text, name)
	n, err := strconv.ParseUint(digits, 10, 32)
	return uint32(n), ok && err == nil && n >= 1 && n <= limit && digits == strconv.FormatUint(n, 10)
}

// matches takes as long for a wrong password as for the right one.
func (p phc) matches(password string) bool {
	return subtle.ConstantTimeCompare(p.key, p.Hashing.key(password, p.salt, keySize)) == 1
}
