package sfu

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/crypto/selfsign"
	dtlsnet "github.com/pion/dtls/v3/pkg/net"
	"github.com/pion/srtp/v3"
	"github.com/pion/transport/v4/dpipe"
)

// srtpProfiles are those that the relay takes, the cheapest to compute first.
var srtpProfiles = []dtls.SRTPProtectionProfile{dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80}

var errWrongKeys = errors.New("the keys that were captured are not those of the handshake")

// checkCapture makes a DTLS handshake with itself, in memory, and compares what
// keyCapture learns with what Pion exports to the client. It fails where a
// release of Pion has another handshake, before media depends on it.
func checkCapture() error {
	certificate, err := selfsign.GenerateSelfSigned()
	if err != nil {
		return fmt.Errorf("make a certificate: %w", err)
	}
	capture := &keyCapture{}
	client, err := shakeHands(capture, certificate)
	if client != nil {
		defer func() { _ = client.Close() }()
	}
	if err != nil {
		return fmt.Errorf("shake hands with ourselves: %w", err)
	}
	captured, err := capture.take()
	if err != nil {
		return err
	}
	state, ok := client.ConnectionState()
	if !ok {
		return errNoKeys
	}
	exported := srtp.Config{Profile: captured.profile}
	if err := exported.ExtractSessionKeysFromDTLS(&state, false); err != nil {
		return fmt.Errorf("export the keys: %w", err)
	}
	if !bytes.Equal(exported.Keys.LocalMasterKey, captured.LocalMasterKey) ||
		!bytes.Equal(exported.Keys.RemoteMasterSalt, captured.RemoteMasterSalt) {
		return errWrongKeys
	}

	return nil
}

// shakeHands returns the client's side of a handshake that capture listens to.
func shakeHands(capture *keyCapture, certificate tls.Certificate) (*dtls.Conn, error) {
	ours, theirs := dpipe.Pipe()
	server, err := dtls.ServerWithOptions(dtlsnet.PacketConnFromConn(ours), ours.RemoteAddr(),
		dtls.WithCertificates(certificate), dtls.WithSRTPProtectionProfiles(srtpProfiles...),
		dtls.WithKeyLogWriter(capture), dtls.WithServerHelloMessageHook(capture.hello))
	if err != nil {
		return nil, err
	}
	client, err := dtls.ClientWithOptions(dtlsnet.PacketConnFromConn(theirs), theirs.RemoteAddr(),
		dtls.WithInsecureSkipVerify(true), dtls.WithSRTPProtectionProfiles(srtpProfiles...)) // both sides are this process
	if err != nil {
		return nil, errors.Join(err, server.Close())
	}
	served := make(chan error, 1)
	go func() { served <- server.Handshake() }()
	err = errors.Join(client.Handshake(), <-served)
	if closing := server.Close(); err == nil {
		err = closing
	}

	return client, err
}
