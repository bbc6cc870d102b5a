package credentials

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodelrpc/yodel/transport"
)

// authority signs certificates for the tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

var serial int64

func newAuthority(t testing.TB) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial++
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(serial),
		Subject:               pkix.Name{CommonName: "test authority"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &authority{cert: cert, key: key, pool: pool}
}

// issue signs a certificate for name that ends at notAfter.
func (a *authority) issue(t testing.TB, name string, notAfter time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial),
		Subject:      pkix.Name{CommonName: name},
		DNSNames:     []string{name},
		NotBefore:    time.Now().Add(-2 * time.Hour),
		NotAfter:     notAfter,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// tcpPair returns two ends of a TCP connection: unlike net.Pipe it buffers, as
// real peers that fail a handshake without reading need.
func tcpPair(t testing.TB) (client, server net.Conn) {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	client, err = net.Dial("tcp", lis.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err = lis.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close(); _ = server.Close() })
	return client, server
}

type outcome struct {
	conn net.Conn
	auth transport.AuthInfo
	err  error
}

// handshake runs both sides.
func handshake(t testing.TB, client, server transport.Handshaker, name string) (c, s outcome) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	rawClient, rawServer := tcpPair(t)
	done := make(chan outcome)
	go func() {
		conn, auth, err := server.ServerHandshake(ctx, rawServer)
		done <- outcome{conn, auth, err}
	}()
	conn, auth, err := client.ClientHandshake(ctx, rawClient, name)
	return outcome{conn, auth, err}, <-done
}

func wantError(t *testing.T, side string, err error, says ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error, want one that says %q", side, says)
		return
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("%s: %v\ndoes not say %q", side, err, s)
		}
	}
}

func TestTLS(t *testing.T) {
	ca := newAuthority(t)
	serverConfig := &tls.Config{Certificates: []tls.Certificate{ca.issue(t, "server.test", time.Now().Add(time.Hour))}}
	clientConfig := &tls.Config{RootCAs: ca.pool}
	c, s := handshake(t, TLS(clientConfig), TLS(serverConfig), "server.test")
	if c.err != nil || s.err != nil {
		t.Fatal(c.err, s.err)
	}
	for _, auth := range []transport.AuthInfo{c.auth, s.auth} {
		info, ok := auth.(TLSInfo)
		if !ok || info.State.NegotiatedProtocol != "h2" || info.State.Version < tls.VersionTLS12 || auth.SecurityProtocol() != "tls" {
			t.Errorf("%+v", auth)
		}
	}
	if s.auth.(TLSInfo).State.ServerName != "server.test" {
		t.Error("the client sent no server name (SNI)")
	}
	go func() { _, _ = c.conn.Write([]byte("hello")) }()
	b := make([]byte, 5)
	if _, err := io.ReadFull(s.conn, b); err != nil || string(b) != "hello" {
		t.Errorf("%q, %v", b, err)
	}
	if clientConfig.ServerName != "" || clientConfig.NextProtos != nil || serverConfig.NextProtos != nil || serverConfig.MinVersion != 0 {
		t.Error("the program's own tls.Config was changed")
	}
	if TLS(nil).Scheme() != "https" || Insecure().Scheme() != "http" {
		t.Error("wrong scheme")
	}
}

// R27: what may not be negotiated away, and what the error says then. The raw
// configs are peers that are not ours.
func TestTLSMatrix(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	later := time.Now().Add(time.Hour)
	good := ca.issue(t, "server.test", later)
	serverOf := func(certs ...tls.Certificate) *tls.Config { return &tls.Config{Certificates: certs} }
	trusting := func() *tls.Config { return &tls.Config{RootCAs: ca.pool} }
	mutual := serverOf(good)
	mutual.ClientAuth, mutual.ClientCAs = tls.RequireAndVerifyClientCert, ca.pool
	mutual12 := mutual.Clone()
	mutual12.MaxVersion = tls.VersionTLS12
	with := func(c *tls.Config, change func(c *tls.Config)) *tls.Config {
		c = c.Clone()
		change(c)
		return c
	}
	cases := []struct {
		name           string
		client, server transport.Handshaker
		clientSays     []string // nil: succeeds
		serverSays     []string
	}{
		{
			"client without ALPN",
			rawTLS{trusting()},
			TLS(serverOf(good)),
			nil,
			[]string{"127.0.0.1:", "offered no application protocol", "AllowNoALPN"},
		},
		{"client without ALPN, allowed", rawTLS{trusting()}, TLS(serverOf(good), AllowNoALPN), nil, nil},
		{
			"client offers HTTP/1 only",
			rawTLS{with(trusting(), func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} })},
			TLS(serverOf(good)),
			[]string{"no application protocol"},
			[]string{"127.0.0.1:", "http/1.1"},
		},
		{
			"client offers HTTP/1 only, no ALPN allowed",
			rawTLS{with(trusting(), func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} })},
			TLS(serverOf(good), AllowNoALPN),
			[]string{"no application protocol"},
			[]string{"http/1.1"},
		},
		{
			"server without ALPN", TLS(trusting()),
			rawTLS{serverOf(good)},
			[]string{"127.0.0.1:", "chose no application protocol", `"h2"`, "AllowNoALPN"},
			nil,
		},
		{"server without ALPN, allowed", TLS(trusting(), AllowNoALPN), rawTLS{serverOf(good)}, nil, nil},
		{
			"server of HTTP/1 only", TLS(trusting()),
			rawTLS{with(serverOf(good), func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} })},
			[]string{"no application protocol"},
			[]string{"h2"},
		},
		{
			"server that offers h2 in vain to a config with other protocols", TLS(with(trusting(), func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} })), TLS(serverOf(good)),
			nil, nil,
		},
		{
			"server of TLS 1.1", TLS(trusting()),
			rawTLS{with(serverOf(good), func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 })},
			[]string{"protocol version"},
			[]string{"version"},
		},
		{
			"client of TLS 1.1",
			rawTLS{with(trusting(), func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 })},
			TLS(serverOf(good)),
			[]string{"protocol version"},
			[]string{"version"},
		},
		{
			"both configs ask for TLS 1.0", TLS(with(trusting(), func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 })), TLS(with(serverOf(good), func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 })),
			[]string{"version"},
			[]string{"TLS handshake"},
		},
		{
			"TLS 1.1 through GetConfigForClient",
			rawTLS{with(trusting(), func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 })},
			TLS(&tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
				return with(serverOf(good), func(c *tls.Config) { c.MinVersion = tls.VersionTLS10 }), nil
			}}),
			[]string{"protocol version"},
			[]string{"version"},
		},
		{
			"h2 through GetConfigForClient", TLS(trusting()),
			TLS(&tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return serverOf(good), nil }}),
			nil, nil,
		},
		{
			"unknown authority", TLS(&tls.Config{RootCAs: other.pool}), TLS(serverOf(good)),
			[]string{"unknown authority"},
			[]string{"bad certificate"},
		},
		{
			"system roots", TLS(nil), TLS(serverOf(good)),
			[]string{"certificate"},
			[]string{"bad certificate"},
		},
		{
			"wrong name", TLS(trusting()), TLS(serverOf(ca.issue(t, "other.test", later))),
			[]string{"another name", "other.test", "server.test"},
			[]string{"bad certificate"},
		},
		{
			"name overridden", TLS(with(trusting(), func(c *tls.Config) { c.ServerName = "other.test" })), TLS(serverOf(ca.issue(t, "other.test", later))),
			nil, nil,
		},
		{
			"expired", TLS(trusting()), TLS(serverOf(ca.issue(t, "server.test", time.Now().Add(-time.Hour)))),
			[]string{"expired"},
			[]string{"certificate"},
		},
		{
			"mutual TLS", TLS(with(trusting(), func(c *tls.Config) { c.Certificates = []tls.Certificate{ca.issue(t, "client.test", later)} })), TLS(mutual),
			nil, nil,
		},
		{
			"mutual TLS 1.2, no client certificate", TLS(trusting()), TLS(mutual12),
			[]string{"TLS handshake with 127.0.0.1:"},
			[]string{"didn't provide a certificate"},
		},
		{
			"mutual TLS 1.2, client of another authority", TLS(with(trusting(), func(c *tls.Config) {
				c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
					cert := other.issue(t, "client.test", later)
					return &cert, nil
				}
			})), TLS(mutual12),
			[]string{"TLS handshake with 127.0.0.1:"},
			[]string{"unknown authority"},
		},
		{
			"server without a certificate", TLS(trusting()), TLS(nil),
			[]string{"TLS handshake with"},
			[]string{"needs a certificate", "credentials.Files"},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			client, server := handshake(t, c.client, c.server, "server.test")
			if c.clientSays != nil {
				wantError(t, "client", client.err, c.clientSays...)
			} else if client.err != nil {
				t.Errorf("client: %v", client.err)
			}
			if c.serverSays != nil {
				wantError(t, "server", server.err, c.serverSays...)
			} else if server.err != nil {
				t.Errorf("server: %v", server.err)
			}
		})
	}
}

// In TLS 1.3 a client has finished before the server looks at its certificate:
// the first read tells.
func TestMutualTLS13WithoutCertificate(t *testing.T) {
	ca := newAuthority(t)
	server := &tls.Config{
		Certificates: []tls.Certificate{ca.issue(t, "server.test", time.Now().Add(time.Hour))},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    ca.pool,
		MinVersion:   tls.VersionTLS13,
	}
	c, s := handshake(t, TLS(&tls.Config{RootCAs: ca.pool}), TLS(server), "server.test")
	wantError(t, "server", s.err, "didn't provide a certificate")
	if c.err != nil {
		return // the alert came early enough
	}
	_, err := c.conn.Read(make([]byte, 1))
	wantError(t, "client", err, "certificate required")
}

// rawTLS is a peer with crypto/tls as it is.
type rawTLS struct{ config *tls.Config }

func (r rawTLS) ClientHandshake(ctx context.Context, raw net.Conn, name string) (net.Conn, transport.AuthInfo, error) {
	c := r.config.Clone()
	c.ServerName = name
	conn := tls.Client(raw, c)
	return conn, nil, conn.HandshakeContext(ctx)
}

func (r rawTLS) ServerHandshake(ctx context.Context, raw net.Conn) (net.Conn, transport.AuthInfo, error) {
	conn := tls.Server(raw, r.config)
	return conn, nil, conn.HandshakeContext(ctx)
}

func (rawTLS) Scheme() string { return "https" }

// plainPeer writes bytes without TLS and closes.
type plainPeer string

func (p plainPeer) ClientHandshake(_ context.Context, raw net.Conn, _ string) (net.Conn, transport.AuthInfo, error) {
	_, err := raw.Write([]byte(p))
	_, _ = io.Copy(io.Discard, raw) // a reset would overtake what was written
	return raw, nil, err
}

func (p plainPeer) ServerHandshake(_ context.Context, raw net.Conn) (net.Conn, transport.AuthInfo, error) {
	b := make([]byte, 5)
	_, _ = io.ReadFull(raw, b)
	_, err := raw.Write([]byte(p))
	if p == "" {
		return nil, nil, raw.Close()
	}
	_, _ = io.Copy(io.Discard, raw)
	return raw, nil, err
}

func (plainPeer) Scheme() string { return "http" }

func TestPlaintextPeers(t *testing.T) {
	ca := newAuthority(t)
	server := TLS(&tls.Config{Certificates: []tls.Certificate{ca.issue(t, "server.test", time.Now().Add(time.Hour))}})
	for sent, says := range map[plainPeer]string{
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n": "the client speaks HTTP/2 without TLS to a TLS port",
		"GET / HTTP/1.1\r\n\r\n":           "the client speaks HTTP/1 without TLS to a TLS port",
		"\x00\x01\x02\x03\x04\x05":         "the client does not speak TLS",
	} {
		_, s := handshake(t, sent, server, "")
		wantError(t, "server", s.err, "TLS handshake with 127.0.0.1:", says)
	}
	for sent, says := range map[plainPeer]string{
		"\x00\x00\x06\x04\x00\x00\x00\x00\x00": "the server speaks HTTP/2 without TLS: use credentials.Insecure",
		"HTTP/1.1 400 Bad Request\r\n\r\n":     "the server speaks HTTP/1 without TLS",
		"SSH-2.0-x\r\n":                        "the server does not speak TLS",
		"":                                     "TLS handshake with 127.0.0.1:",
	} {
		c, _ := handshake(t, TLS(&tls.Config{RootCAs: ca.pool}), sent, "server.test")
		wantError(t, "client", c.err, says)
	}
}

func TestClosedDuringHandshake(t *testing.T) {
	client, server := net.Pipe()
	go func() {
		_, _ = server.Read(make([]byte, 1<<16))
		_ = server.Close()
	}()
	_, _, err := TLS(nil).ClientHandshake(t.Context(), client, "server.test")
	wantError(t, "client", err, "closed the connection", "credentials.Insecure")
	if !errors.Is(err, io.EOF) {
		t.Errorf("%v does not wrap its cause", err)
	}
}

// deafConn ignores deadlines; only Close ends its reads.
type deafConn struct{ net.Conn }

func (deafConn) SetDeadline(time.Time) error      { return nil }
func (deafConn) SetReadDeadline(time.Time) error  { return nil }
func (deafConn) SetWriteDeadline(time.Time) error { return nil }

// R17: a peer that says nothing does not hold a handshake beyond its context,
// whatever the connection does with deadlines.
func TestHandshakeEndsWithItsContext(t *testing.T) {
	ca := newAuthority(t)
	cert := ca.issue(t, "server.test", time.Now().Add(time.Hour))
	for _, side := range []string{"client", "server"} {
		synctest.Test(t, func(t *testing.T) {
			near, far := net.Pipe()
			defer far.Close()
			if side == "client" {
				go func() { _, _ = io.Copy(io.Discard, far) }()
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			start := time.Now()
			var err error
			if side == "client" {
				_, _, err = TLS(nil).ClientHandshake(ctx, deafConn{near}, "server.test")
			} else {
				_, _, err = TLS(&tls.Config{Certificates: []tls.Certificate{cert}}).ServerHandshake(ctx, deafConn{near})
			}
			wantError(t, side, err, "not finished in time")
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v does not wrap the context's error", side, err)
			}
			if d := time.Since(start); d != 10*time.Second {
				t.Errorf("%s: ended after %v", side, d)
			}
			if _, err := near.Write([]byte("x")); !errors.Is(err, io.ErrClosedPipe) {
				t.Errorf("%s: the connection is left open: %v", side, err)
			}
		})
	}
}

func TestInsecure(t *testing.T) {
	c, s := handshake(t, Insecure(), Insecure(), "")
	if c.err != nil || s.err != nil || c.auth.SecurityProtocol() != "insecure" || s.auth.SecurityProtocol() != "insecure" {
		t.Errorf("%+v, %+v", c, s)
	}
}

func BenchmarkHandshake(b *testing.B) {
	ca := newAuthority(b)
	server := TLS(&tls.Config{Certificates: []tls.Certificate{ca.issue(b, "server.test", time.Now().Add(time.Hour))}})
	client := TLS(&tls.Config{RootCAs: ca.pool})
	for b.Loop() {
		if c, s := handshake(b, client, server, "server.test"); c.err != nil || s.err != nil {
			b.Fatal(c.err, s.err)
		}
	}
}
