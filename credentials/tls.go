package credentials

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"

	"github.com/yodelrpc/yodel/transport"
)

// protocolH2 is HTTP/2's ALPN name (RFC 9113 §3.2).
const protocolH2 = "h2"

// TLSOption changes what TLS and Files demand.
type TLSOption uint8

// AllowNoALPN accepts a peer that negotiates no application protocol, as some
// proxies that end TLS do not. A peer that negotiates another one than HTTP/2
// is refused all the same.
const AllowNoALPN TLSOption = 1

// TLSInfo is what a TLS handshake established.
type TLSInfo struct {
	// State has the peer's certificates, the version and the rest.
	State tls.ConnectionState
}

// SecurityProtocol returns "tls".
func (TLSInfo) SecurityProtocol() string { return "tls" }

// TLS returns credentials that use TLS 1.2 or later, with what config says of
// certificates, roots and verification. config is copied; nil means the
// system's roots on a client, and cannot serve.
//
// Whatever config says of them, versions before 1.2 are refused, and HTTP/2 is
// the one application protocol (gRPC over HTTP/2 requires ALPN, RFC 9113 §3.2).
// A ServerName in config overrides the name that a client asks for and
// verifies.
func TLS(config *tls.Config, options ...TLSOption) transport.Handshaker {
	return newTLS(config, allowsNoALPN(options))
}

func newTLS(config *tls.Config, allowNoALPN bool) *tlsHandshaker {
	if config == nil {
		config = &tls.Config{}
	}
	return &tlsHandshaker{
		config:      secured(config),
		allowNoALPN: allowNoALPN,
		canServe:    len(config.Certificates) > 0 || config.GetCertificate != nil || config.GetConfigForClient != nil,
	}
}

type tlsHandshaker struct {
	config      *tls.Config
	allowNoALPN bool
	// canServe tells that there is a certificate.
	canServe bool
}

var (
	_ transport.Handshaker = (*tlsHandshaker)(nil)
	_ transport.AuthInfo   = TLSInfo{}
)

func allowsNoALPN(options []TLSOption) bool {
	return slices.Contains(options, AllowNoALPN)
}

// secured returns a copy of config with the rules of TLS.
func secured(config *tls.Config) *tls.Config {
	config = config.Clone()
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	config.NextProtos = []string{protocolH2}

	// crypto/tls takes a client that offers HTTP/1.1 and not h2 for one that
	// offers nothing. It refuses, as RFC 7301 §3.2 demands, when it has no
	// HTTP protocol itself.
	refusing := config.Clone()
	refusing.NextProtos = []string{"HTTP/2 only"}
	choose := config.GetConfigForClient
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if len(hello.SupportedProtos) > 0 && !slices.Contains(hello.SupportedProtos, protocolH2) {
			return refusing, nil
		}
		if choose == nil {
			return nil, nil //nolint:nilnil // it means the config itself
		}
		chosen, err := choose(hello)
		if chosen == nil || err != nil {
			return chosen, err
		}
		return secured(chosen), nil
	}
	return config
}

// Scheme returns "https".
func (*tlsHandshaker) Scheme() string { return "https" }

// ClientHandshake implements [transport.Handshaker]. It closes raw if it fails.
func (h *tlsHandshaker) ClientHandshake(ctx context.Context, raw net.Conn, serverName string) (net.Conn, transport.AuthInfo, error) {
	config := h.config
	if config.ServerName == "" {
		config = config.Clone()
		config.ServerName = serverName
	}
	return h.shake(ctx, tls.Client(raw, config), raw, clientSide)
}

// ServerHandshake implements [transport.Handshaker]. It closes raw if it fails.
func (h *tlsHandshaker) ServerHandshake(ctx context.Context, raw net.Conn) (net.Conn, transport.AuthInfo, error) {
	if !h.canServe {
		_ = raw.Close()
		return nil, nil, errors.New("TLS on a server needs a certificate: set Certificates or GetCertificate in the tls.Config, or use credentials.Files")
	}
	return h.shake(ctx, tls.Server(raw, h.config), raw, serverSide)
}

type side uint8

const (
	clientSide side = iota
	serverSide
)

func (h *tlsHandshaker) shake(ctx context.Context, conn *tls.Conn, raw net.Conn, s side) (net.Conn, transport.AuthInfo, error) {
	// HandshakeContext closes raw when ctx ends, so that a connection that
	// ignores deadlines cannot hold the handshake up.
	err := conn.HandshakeContext(ctx)
	switch {
	case err == nil:
		err = h.checkProtocol(conn, s)
	case ctx.Err() != nil:
		err = fmt.Errorf("not finished in time: %w", context.Cause(ctx))
	default:
		err = explained(err, s)
	}
	if err != nil {
		_ = raw.Close()
		return nil, nil, fmt.Errorf("TLS handshake with %s: %w", peerName(raw), err)
	}
	return conn, TLSInfo{State: conn.ConnectionState()}, nil
}

func peerName(raw net.Conn) string {
	if addr := raw.RemoteAddr(); addr != nil && addr.String() != "" {
		return addr.String()
	}
	return "the peer"
}

func (h *tlsHandshaker) checkProtocol(conn *tls.Conn, s side) error {
	switch p := conn.ConnectionState().NegotiatedProtocol; {
	case p == protocolH2, p == "" && h.allowNoALPN:
		return nil
	case p == "" && s == serverSide:
		return errors.New(`the client offered no application protocol (ALPN), want "h2": if a proxy before this server ends TLS and leaves ALPN out, use credentials.AllowNoALPN`)
	case p == "":
		return errors.New(`the server chose no application protocol (ALPN) when "h2" was offered: ` +
			`either it does not speak HTTP/2, or a proxy before it leaves ALPN out, and then use credentials.AllowNoALPN`)
	default:
		return fmt.Errorf(`the application protocol (ALPN) is %q, want "h2"`, p)
	}
}

// explained says what an error of crypto/tls most likely means.
func explained(err error, s side) error {
	if record, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return fmt.Errorf("%s: %w", plaintext(record.RecordHeader, s), err)
	}
	if s == clientSide {
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("the server closed the connection; perhaps it does not speak TLS (then use credentials.Insecure): %w", err)
		}
		if _, ok := errors.AsType[x509.HostnameError](err); ok {
			return fmt.Errorf("the server's certificate is for another name (the expected one is the target's host, or ServerName in the tls.Config): %w", err)
		}
	}
	return err
}

// plaintext says what a peer speaks whose first bytes are no TLS record.
func plaintext(first [5]byte, s side) string {
	if s == serverSide {
		switch string(first[:]) {
		case "PRI *":
			return "the client speaks HTTP/2 without TLS to a TLS port"
		case "GET /", "POST ", "HEAD ", "PUT /", "OPTIO", "CONNE", "DELET", "PATCH":
			return "the client speaks HTTP/1 without TLS to a TLS port"
		}
		return "the client does not speak TLS"
	}
	// A server's first frame is SETTINGS: a length of three bytes, the type 4
	// (RFC 9113 §3.4).
	if first[0] == 0 && first[3] == 4 {
		return "the server speaks HTTP/2 without TLS: use credentials.Insecure, or its TLS port"
	}
	if string(first[:]) == "HTTP/" {
		return "the server speaks HTTP/1 without TLS"
	}
	return "the server does not speak TLS: use credentials.Insecure, or its TLS port"
}
