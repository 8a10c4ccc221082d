package sfu

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/crypto/prf"
	"github.com/pion/dtls/v3/pkg/protocol/extension"
	"github.com/pion/dtls/v3/pkg/protocol/handshake"
	"github.com/pion/srtp/v3"
)

var (
	errNoKeys    = errors.New("the handshake has left no keys")
	errNoProfile = errors.New("the handshake chose no SRTP profile that is known here")
)

// keyCapture learns from one DTLS 1.2 handshake, in which we are the server,
// what the keys of SRTP are made of (RFC 5764 section 4.2). Pion exports them
// to nobody but itself; what it does hand out, the key log and the ServerHello,
// is enough to export them as RFC 5705 says.
//
// It may be used by several goroutines. What it holds opens all media of the
// connection: take wipes it.
type keyCapture struct {
	mu     sync.Mutex // guards the rest
	client []byte     // random of the ClientHello
	server []byte     // random of the ServerHello
	master []byte
	suite  dtls.CipherSuiteID
	chosen srtp.ProtectionProfile
}

var _ srtp.KeyingMaterialExporter = (*keyCapture)(nil)

// keys are those of one connection, for either direction.
type keys struct {
	profile srtp.ProtectionProfile
	srtp.SessionKeys
}

// wipe forgets the keys; contexts have made their own of them.
func (k *keys) wipe() {
	for _, b := range [][]byte{k.LocalMasterKey, k.LocalMasterSalt, k.RemoteMasterKey, k.RemoteMasterSalt} {
		clear(b)
	}
}

// Write implements io.Writer for the key log: lines of "CLIENT_RANDOM", the
// client's random and the master secret, in hexadecimal.
func (c *keyCapture) Write(line []byte) (int, error) {
	fields := bytes.Fields(line)
	if len(fields) != 3 || string(fields[0]) != "CLIENT_RANDOM" {
		return len(line), nil
	}
	client, master := make([]byte, hex.DecodedLen(len(fields[1]))), make([]byte, hex.DecodedLen(len(fields[2])))
	_, badClient := hex.Decode(client, fields[1])
	_, badMaster := hex.Decode(master, fields[2])
	if errors.Join(badClient, badMaster) == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		clear(c.master)
		c.client, c.master = client, master
	}

	return len(line), nil
}

// hello is the hook for our ServerHello, which goes out as it is.
func (c *keyCapture) hello(m handshake.MessageServerHello) handshake.Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	random := m.Random.MarshalFixed()
	c.server = slices.Clone(random[:])
	if m.CipherSuiteID != nil {
		c.suite = dtls.CipherSuiteID(*m.CipherSuiteID)
	}
	for _, e := range m.Extensions {
		if use, ok := e.(*extension.UseSRTP); ok && len(use.ProtectionProfiles) == 1 {
			c.chosen = srtp.ProtectionProfile(use.ProtectionProfiles[0])
		}
	}

	return &m
}

// ExportKeyingMaterial implements srtp.KeyingMaterialExporter (RFC 5705
// section 4, without a context). c.mu is held.
func (c *keyCapture) ExportKeyingMaterial(label string, _ []byte, length int) ([]byte, error) {
	h, ok := suiteHash(c.suite)
	if !ok {
		return nil, fmt.Errorf("the hash of cipher suite %v is not known here", c.suite)
	}
	seed := slices.Concat([]byte(label), c.client, c.server)

	return prf.PHash(c.master, seed, length, h)
}

// take returns the keys and wipes what they were made of. It fails if the
// handshake was not one that it understands.
func (c *keyCapture) take() (keys, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.wipe()
	if len(c.client) == 0 || len(c.server) == 0 || len(c.master) == 0 {
		return keys{}, errNoKeys
	}
	if c.chosen != srtp.ProtectionProfileAeadAes128Gcm && c.chosen != srtp.ProtectionProfileAes128CmHmacSha1_80 {
		return keys{}, errNoProfile
	}
	config := srtp.Config{Profile: c.chosen}
	if err := config.ExtractSessionKeysFromDTLS(c, false); err != nil {
		return keys{}, fmt.Errorf("derive the keys: %w", err)
	}

	return keys{profile: c.chosen, SessionKeys: config.Keys}, nil
}

func (c *keyCapture) wipe() {
	clear(c.master)
	c.client, c.server, c.master = nil, nil, nil
}

// wipeAll forgets what was captured.
func (c *keyCapture) wipeAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wipe()
}

// suiteHash is the hash of a cipher suite's pseudo random function (RFC 5246
// section 5): SHA-256 unless the suite names another one.
func suiteHash(s dtls.CipherSuiteID) (prf.HashFunc, bool) {
	switch s {
	case dtls.TLS_ECDHE_ECDSA_WITH_AES_128_CCM, dtls.TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8,
		dtls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, dtls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		dtls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, dtls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA:
		return sha256.New, true
	case dtls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, dtls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384:
		return sha512.New384, true
	default:
		return nil, false
	}
}
