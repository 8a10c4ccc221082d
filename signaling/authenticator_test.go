package signaling_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"testing"
)

// authenticator is a security key in software with one credential: ES256, no attestation (WebAuthn sections 6 and 8.7).
type authenticator struct {
	t      *testing.T
	origin string // of the page
	rp     string // the host that the browser makes of it
	key    *ecdsa.PrivateKey
	id     []byte
	handle []byte // of the user, once there is one
	count  uint32
}

func newAuthenticator(t *testing.T) *authenticator {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &authenticator{t: t, origin: "http://localhost", rp: "localhost", key: key, id: make([]byte, 32)}
	rand.Read(a.id)
	return a
}

const (
	userPresent  = 0x01
	userVerified = 0x04
	hasKey       = 0x40
)

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func unb64(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// clientData is what the browser adds to it.
func (a *authenticator) clientData(kind, challenge string) []byte {
	a.t.Helper()
	b, err := json.Marshal(message{"type": kind, "challenge": challenge, "origin": a.origin, "crossOrigin": false})
	if err != nil {
		a.t.Fatal(err)
	}
	return b
}

func (a *authenticator) data(flags byte) []byte {
	rp := sha256.Sum256([]byte(a.rp))
	a.count++
	return binary.BigEndian.AppendUint32(append(rp[:], flags), a.count)
}

// create is navigator.credentials.create: it answers the options with a new credential.
func (a *authenticator) create(options message) message {
	a.t.Helper()
	public := options.sub("public_key")
	a.handle = unb64(a.t, public.sub("user").str("id"))
	data := a.data(userPresent | userVerified | hasKey)
	data = append(data, make([]byte, 16)...) // AAGUID
	data = binary.BigEndian.AppendUint16(data, uint16(len(a.id)))
	data = append(data, a.id...)
	data = append(data, a.coseKey()...)
	// {"fmt": "none", "attStmt": {}, "authData": data} in CBOR
	object := append([]byte("\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x59"), byte(len(data)>>8), byte(len(data)))
	object = append(object, data...)
	return a.credential(message{
		"attestationObject": b64(object), "clientDataJSON": b64(a.clientData("webauthn.create", public.str("challenge"))),
	})
}

// coseKey is the public key (RFC 9053 section 7.1.1): {1: 2, 3: -7, -1: 1, -2: x, -3: y}.
func (a *authenticator) coseKey() []byte {
	a.t.Helper()
	point, err := a.key.PublicKey.Bytes() // 4, x, y
	if err != nil {
		a.t.Fatal(err)
	}
	key := append([]byte("\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20"), point[1:33]...)
	return append(append(key, "\x22\x58\x20"...), point[33:]...)
}

// get is navigator.credentials.get: it signs the options' challenge.
func (a *authenticator) get(options message) message {
	a.t.Helper()
	data := a.data(userPresent | userVerified)
	client := a.clientData("webauthn.get", options.sub("public_key").str("challenge"))
	hash := sha256.Sum256(client)
	digest := sha256.Sum256(append(append([]byte{}, data...), hash[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, a.key, digest[:])
	if err != nil {
		a.t.Fatal(err)
	}
	return a.credential(message{
		"authenticatorData": b64(data), "clientDataJSON": b64(client), "signature": b64(signature), "userHandle": b64(a.handle),
	})
}

func (a *authenticator) credential(response message) message {
	return message{"id": b64(a.id), "rawId": b64(a.id), "type": "public-key", "response": response, "clientExtensionResults": message{}}
}
