package http2_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/yodelrpc/yodel/transport"
	"github.com/yodelrpc/yodel/transport/http2"
)

// handlerFunc serves streams in tests.
type handlerFunc func(s transport.Stream, h *transport.Header)

func (f handlerFunc) ServeStream(s transport.Stream, h *transport.Header) { f(s, h) }

var (
	requestBlock  = &transport.Block{Method: "POST", Scheme: "http", Authority: "test", Path: "/test/Echo", Fields: []transport.Field{{Name: "content-type", Value: "test"}}}
	responseBlock = &transport.Block{Status: 200, Fields: []transport.Field{{Name: "content-type", Value: "test"}}}
	trailerBlock  = &transport.Block{Fields: []transport.Field{{Name: "result", Value: "ok"}}}
)

// everything waits for the end of the stream.
func everything([]byte) int { return math.MaxInt }

// something waits for the next bytes.
func something([]byte) int { return 1 }

// echo answers with what it received, when all of it has come.
func echo(s transport.Stream, _ *transport.Header) {
	defer s.Close()
	ctx := context.Background()
	data, _, err := s.Await(ctx, everything)
	if err != nil {
		return
	}
	_ = s.Send(ctx, &transport.Outgoing{
		Header:  &transport.Header{Block: responseBlock},
		Data:    data,
		Trailer: &transport.Header{Block: trailerBlock},
	})
	s.Discard(len(data))
}

// pair is a server and a client connection to it.
type pair struct {
	lis    *http2.Listener
	conn   transport.Conn
	served chan error
}

type ignoreEvents struct{}

func (ignoreEvents) ConnOpen(transport.Conn)            {}
func (ignoreEvents) ConnDraining(transport.Conn, error) {}
func (ignoreEvents) ConnClosed(transport.Conn, error)   {}

func newPair(t testing.TB, network string, h transport.Handler, serverConfig, clientConfig http2.Config) *pair {
	t.Helper()
	address := "127.0.0.1:0"
	var secure transport.Handshaker
	switch network {
	case "unix":
		address = t.TempDir() + "/s"
	case "tls":
		network, secure = "tcp", newTestTLS()
	}
	raw, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	p := &pair{
		lis:    http2.NewListener(raw, http2.ListenerConfig{Config: serverConfig, Handshaker: secure}),
		served: make(chan error, 1),
	}
	go func() { p.served <- p.lis.Serve(h) }()
	d := &http2.Dialer{Config: &clientConfig, Handshaker: secure}
	p.conn, err = d.Dial(t.Context(), transport.Endpoint{Network: network, Address: raw.Addr().String()}, ignoreEvents{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.conn.Close(errors.New("the test is over"))
		p.lis.Close(errors.New("the test is over"))
		if err := <-p.served; err != nil {
			t.Errorf("Serve: %v", err)
		}
		<-p.conn.Done()
	})
	return p
}

// testTLS is crypto/tls with a certificate that its clients know.
type testTLS struct{ server, client *tls.Config }

func newTestTLS() transport.Handshaker {
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	known := x509.NewCertPool()
	known.AddCert(s.Certificate())
	return testTLS{
		server: &tls.Config{Certificates: s.TLS.Certificates},
		client: &tls.Config{RootCAs: known, ServerName: "example.com"},
	}
}

func (s testTLS) ClientHandshake(ctx context.Context, raw net.Conn, _ string) (net.Conn, transport.AuthInfo, error) {
	c := tls.Client(raw, s.client)
	return c, nil, c.HandshakeContext(ctx)
}

func (s testTLS) ServerHandshake(ctx context.Context, raw net.Conn) (net.Conn, transport.AuthInfo, error) {
	c := tls.Server(raw, s.server)
	return c, nil, c.HandshakeContext(ctx)
}

func (testTLS) Scheme() string { return "https" }

// unary sends data and returns what comes back.
func unary(ctx context.Context, conn transport.Conn, data []byte) ([]byte, error) {
	s, err := conn.Open(ctx, &transport.Outgoing{Header: &transport.Header{Block: requestBlock}, Data: data, End: true})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	got, ended, err := s.Await(ctx, everything)
	if err != nil {
		return nil, err
	}
	if !ended {
		return nil, errors.New("Await returned before the end")
	}
	if h, err := s.Header(ctx); err != nil || h.Block.Status != 200 {
		return nil, fmt.Errorf("header %v, %w", h, err)
	}
	if tr := s.Trailer(); tr == nil {
		return nil, errors.New("no trailer")
	} else if v, _ := tr.Get("result"); v != "ok" {
		return nil, fmt.Errorf("trailer %v", tr)
	}
	got = append([]byte(nil), got...)
	s.Discard(len(got))
	return got, nil
}

func TestEcho(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			p := newPair(t, network, handlerFunc(echo), http2.Config{}, http2.Config{})
			for _, size := range []int{0, 1, 100, 16383, 16384, 16385, 65536, 300_000, 5 << 20} {
				data := make([]byte, size)
				for i := range data {
					data[i] = byte(i * 7)
				}
				got, err := unary(t.Context(), p.conn, data)
				if err != nil {
					t.Fatalf("%d bytes: %v", size, err)
				}
				if !bytes.Equal(got, data) {
					t.Fatalf("%d bytes came back as %d others", size, len(got))
				}
			}
		})
	}
}

func TestEchoConcurrently(t *testing.T) {
	p := newPair(t, "tcp", handlerFunc(echo), http2.Config{}, http2.Config{})
	var group sync.WaitGroup
	for g := range 50 {
		group.Go(func() {
			rnd := rand.New(rand.NewPCG(1, uint64(g)))
			for range 100 {
				data := make([]byte, rnd.IntN(1<<rnd.IntN(18)))
				for i := range data {
					data[i] = byte(rnd.Uint32())
				}
				got, err := unary(t.Context(), p.conn, data)
				if err != nil {
					t.Errorf("%d bytes: %v", len(data), err)
					return
				}
				if !bytes.Equal(got, data) {
					t.Errorf("%d bytes came back as %d others", len(data), len(got))
					return
				}
			}
		})
	}
	group.Wait()
}

func TestDuplex(t *testing.T) {
	p := newPair(t, "tcp", handlerFunc(func(s transport.Stream, _ *transport.Header) {
		defer s.Close()
		ctx := context.Background()
		_ = s.Send(ctx, &transport.Outgoing{Header: &transport.Header{Block: responseBlock}})
		for {
			data, ended, err := s.Await(ctx, something)
			if err != nil {
				return
			}
			if len(data) == 0 && ended {
				break
			}
			if err := s.Send(ctx, &transport.Outgoing{Data: data}); err != nil {
				return
			}
			s.Discard(len(data))
		}
		_ = s.Send(ctx, &transport.Outgoing{Trailer: &transport.Header{Block: trailerBlock}})
	}), http2.Config{}, http2.Config{})
	ctx := t.Context()
	s, err := p.conn.Open(ctx, &transport.Outgoing{Header: &transport.Header{Block: requestBlock}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i := range 1000 {
		want := fmt.Sprintf("message %d", i)
		if err := s.Send(ctx, &transport.Outgoing{Data: []byte(want)}); err != nil {
			t.Fatal(err)
		}
		got, _, err := s.Await(ctx, func([]byte) int { return len(want) })
		if err != nil || string(got) != want {
			t.Fatalf("got %q, %v, want %q", got, err, want)
		}
		s.Discard(len(want))
	}
	if err := s.Send(ctx, &transport.Outgoing{End: true}); err != nil {
		t.Fatal(err)
	}
	if rest, ended, err := s.Await(ctx, everything); err != nil || !ended || len(rest) > 0 {
		t.Fatalf("at the end: %q, %v, %v", rest, ended, err)
	}
}

func TestDeadlineEndsTheStreamOnBothSides(t *testing.T) {
	began, ended := make(chan struct{}), make(chan error, 1)
	p := newPair(t, "tcp", handlerFunc(func(s transport.Stream, _ *transport.Header) {
		close(began)
		_, _, err := s.Await(context.Background(), everything)
		ended <- err
		s.Close()
	}), http2.Config{}, http2.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	s, err := p.conn.Open(ctx, &transport.Outgoing{Header: &transport.Header{Block: requestBlock}, Data: []byte("x")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	<-began // a stream that is reset before its handler runs has none
	cancel()
	if _, _, err := s.Await(ctx, everything); !errors.Is(err, context.Canceled) {
		t.Errorf("Await returned %v, want context.Canceled", err)
	}
	var te *transport.Error
	if err := <-ended; !errors.As(err, &te) || te.Initiator != transport.Peer || te.Reason != transport.ReasonCanceled {
		t.Errorf("the server's stream ended with %v, want canceled by the peer", err)
	}
}

func TestDrainLosesNothing(t *testing.T) {
	started := make(chan struct{}, 1000)
	release := make(chan struct{})
	p := newPair(t, "tcp", handlerFunc(func(s transport.Stream, h *transport.Header) {
		select {
		case started <- struct{}{}:
		default: // one of the many below, which nobody counts
		}
		<-release
		echo(s, h)
	}), http2.Config{}, http2.Config{})
	var group sync.WaitGroup
	for range 10 {
		group.Go(func() {
			if got, err := unary(t.Context(), p.conn, []byte("hello")); err != nil || string(got) != "hello" {
				t.Errorf("a stream in flight: %q, %v", got, err)
			}
		})
	}
	for range 10 {
		<-started
	}
	p.lis.Drain()
	for {
		s, err := p.conn.Open(t.Context(), &transport.Outgoing{Header: &transport.Header{Block: requestBlock}})
		if err == nil {
			s.Close() // GOAWAY is still on its way
			continue
		}
		var te *transport.Error
		if !errors.As(err, &te) || !te.Unprocessed {
			t.Fatalf("a new stream failed with %v, want unprocessed", err)
		}
		break
	}
	close(release)
	group.Wait()
	select {
	case <-p.conn.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("the connection did not end after its last stream")
	}
}

func TestPeerThatIsNotHTTP2(t *testing.T) {
	raw, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	go func() {
		nc, err := raw.Accept()
		if err != nil {
			return
		}
		_, _ = io.WriteString(nc, "HTTP/1.1 400 Bad Request\r\n\r\n")
		_ = nc.Close()
	}()
	_, err = (&http2.Dialer{}).Dial(t.Context(), transport.Endpoint{Network: "tcp", Address: raw.Addr().String()}, ignoreEvents{}, 0)
	var de *transport.DialError
	if !errors.As(err, &de) || de.Phase != transport.PhaseSettings {
		t.Fatalf("Dial returned %v, want a DialError of the settings phase", err)
	}
}
