package yodel_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/credentials"
	"github.com/yodelrpc/yodel/encoding"
	"github.com/yodelrpc/yodel/metadata"
	"github.com/yodelrpc/yodel/status"
	"github.com/yodelrpc/yodel/transport"
	"github.com/yodelrpc/yodel/transport/inproc"
	"github.com/yodelrpc/yodel/yodeltest"
)

// What is wrong with a server is said by Serve, all of it and by name.
func TestServeRefuses(t *testing.T) {
	route := yodel.UnaryRoute(echoMethod, newStr, echo)
	cases := []struct {
		name  string
		cfg   yodel.ServerConfig
		setup func(*yodel.Server)
		says  []string
	}{
		{"registered twice", yodel.ServerConfig{}, func(s *yodel.Server) { s.Register(route, route) }, []string{"/test.Echo/Unary", "twice"}},
		{"no method", yodel.ServerConfig{}, func(s *yodel.Server) { s.Register(yodel.Route{Handler: route.Handler}) }, []string{"no Method"}},
		{"no handler", yodel.ServerConfig{}, func(s *yodel.Server) { s.Register(yodel.Route{Method: echoMethod}) }, []string{"/test.Echo/Unary", "no Handler"}},
		{"a route's own error", yodel.ServerConfig{}, func(s *yodel.Server) {
			s.Register(yodel.Route{Method: echoMethod, Handler: route.Handler, Err: errors.New("no such type")})
		}, []string{"no such type"}},
		{"bad name", yodel.ServerConfig{}, func(s *yodel.Server) {
			s.Register(yodel.UnaryRoute(&yodel.Method{Service: "a/b", Name: "c"}, newStr, echo))
		}, []string{"/a/b/c"}},
		{"two compressors", yodel.ServerConfig{Compressors: []encoding.Compressor{&encoding.Gzip{}, &encoding.Gzip{}}}, nil, []string{"Compressors", "gzip"}},
		{"two codecs", yodel.ServerConfig{Codecs: []encoding.Codec{encoding.JSON{}, encoding.JSON{}}}, nil, []string{"Codecs", "json"}},
		{"after Shutdown", yodel.ServerConfig{}, func(s *yodel.Server) { _ = s.Shutdown(context.Background()) }, []string{"after Shutdown"}},
	}
	for _, c := range cases {
		bubble(t, c.name, func(t *testing.T) {
			s := yodel.NewServer(c.cfg)
			if c.setup != nil {
				c.setup(s)
			}
			err := s.ServeTransport(t.Context(), inproc.NewListener(inproc.Config{}))
			if err == nil {
				t.Fatal("it serves")
			}
			for _, text := range c.says {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%q lacks %q", err, text)
				}
			}
		})
	}
	t.Run("no credentials", func(t *testing.T) {
		lis, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		err = yodel.NewServer(yodel.ServerConfig{}).Serve(t.Context(), lis)
		if err == nil || !strings.Contains(err.Error(), "credentials.Files") || !strings.Contains(err.Error(), "credentials.Insecure") {
			t.Errorf("%v, want the two choices", err)
		}
		if _, err := lis.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Error("the listener was left open")
		}
	})
	bubble(t, "registered while it serves", func(t *testing.T) {
		lis := inproc.NewListener(inproc.Config{})
		s := yodel.NewServer(yodel.ServerConfig{})
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- s.ServeTransport(ctx, lis) }()
		synctest.Wait()
		s.Register(route)
		stop()
		<-served
		if err := s.ServeTransport(t.Context(), inproc.NewListener(inproc.Config{})); err == nil || !strings.Contains(err.Error(), "after the server began") {
			t.Error(err)
		}
	})
}

// The end of Serve: what is in flight may finish for DrainTimeout, what does
// not is canceled and named, and a handler that does not listen is left.
func TestDrainTimeout(t *testing.T) {
	run := func(name string, cfg yodel.ServerConfig, fn func(ctx context.Context) error, code status.Code, took time.Duration, says string) {
		bubble(t, name, func(t *testing.T) {
			s := yodel.NewServer(cfg)
			unaryServer(func(ctx context.Context, req *str) (*str, error) { return req, fn(ctx) })(s)
			lis := inproc.NewListener(inproc.Config{})
			ctx, stop := context.WithCancel(t.Context())
			served := make(chan error, 1)
			go func() { served <- s.ServeTransport(ctx, lis) }()
			ch := newChannel(t, "a:1", yodel.ChannelConfig{Dialer: lis})
			called := make(chan error, 1)
			go func() { called <- unary(context.Background(), ch) }()
			synctest.Wait()
			began := time.Now()
			stop()
			err := <-served
			if d := time.Since(began); d != took {
				t.Errorf("Serve took %v, want %v", d, took)
			}
			if says == "" && err != nil || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
				t.Errorf("Serve returned %v", err)
			}
			wantCode(t, <-called, code)
			time.Sleep(2 * time.Hour) // for the handler that was left
		})
	}
	sleep := func(d time.Duration) func(context.Context) error {
		return func(context.Context) error { time.Sleep(d); return nil }
	}
	listen := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	run("finishes", yodel.ServerConfig{}, sleep(19*time.Second), status.OK, 19*time.Second, "")
	run("is canceled", yodel.ServerConfig{}, listen, status.Unavailable, 20*time.Second, "/test.Echo/Unary (1)")
	run("own time", yodel.ServerConfig{DrainTimeout: time.Second}, listen, status.Unavailable, time.Second, "/test.Echo/Unary (1)")
	run("does not listen", yodel.ServerConfig{DrainTimeout: time.Second}, sleep(time.Hour), status.Unavailable, 2*time.Second, "/test.Echo/Unary (1)")
}

func TestShutdown(t *testing.T) {
	bubble(t, "clean", func(t *testing.T) {
		lis, _ := serveInproc(t, yodel.ServerConfig{}, registerEcho)
		_ = lis
	})
	bubble(t, "stuck", func(t *testing.T) {
		s := yodel.NewServer(yodel.ServerConfig{})
		registerSleep(s)
		lis := inproc.NewListener(inproc.Config{})
		served := make(chan error, 1)
		go func() { served <- s.ServeTransport(context.Background(), lis) }()
		ch := newChannel(t, "a:1", yodel.ChannelConfig{Dialer: lis})
		go func() { _ = unary(context.Background(), ch) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		err := s.Shutdown(ctx)
		if err == nil || !strings.Contains(err.Error(), "/test.Echo/Unary (1)") || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Shutdown: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
		if err := s.Shutdown(t.Context()); err != nil {
			t.Errorf("a second Shutdown: %v", err)
		}
	})
}

// Ids in the registry: what lives is there, what has ended is not.
func TestRegistry(t *testing.T) {
	bubble(t, "ids", func(t *testing.T) {
		var reg transport.Registry
		s := yodel.NewServer(yodel.ServerConfig{Registry: &reg})
		registerEcho(s)
		lis := inproc.NewListener(inproc.Config{Registry: &reg, Parent: s.ID()})
		served := make(chan error, 1)
		go func() { served <- s.ServeTransport(context.Background(), lis) }()
		ch := newChannel(t, "a:1", yodel.ChannelConfig{Dialer: lis, Registry: &reg})
		if err := unary(t.Context(), ch); err != nil {
			t.Fatal(err)
		}
		kinds := map[string]int{}
		for _, e := range reg.Snapshot() {
			kinds[e.Kind]++
			if e.Kind == "connection" && e.Parent == 0 || e.Kind == "channel" && e.ID != ch.ID() {
				t.Errorf("%+v", e)
			}
		}
		if kinds["channel"] != 1 || kinds["server"] != 1 || kinds["listener"] != 1 || kinds["connection"] != 2 {
			t.Errorf("registry has %v", kinds)
		}
		_ = ch.Close()
		_ = s.Shutdown(t.Context())
		<-served
		synctest.Wait()
		if left := reg.Snapshot(); len(left) != 0 {
			t.Errorf("left: %v", left)
		}
	})
}

// The same calls over HTTP/2: loopback, a unix socket, and one connection.
func TestOverHTTP2(t *testing.T) {
	check := func(t *testing.T, ch *yodel.Channel) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := ch.WaitReady(ctx); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := unary(ctx, ch, yodel.Header("x-bin", "\x00")); err != nil {
				t.Fatal(err)
			}
		}
		s, err := yodel.CallBidiStream[*str](ctx, ch, chatMethod, newStr)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		for range 3 {
			if err := s.Send(newStr()); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Receive(); err != nil {
				t.Fatal(err)
			}
		}
		_ = s.CloseSend()
		if _, err := s.Receive(); err != io.EOF {
			t.Error(err)
		}
		wantCode(t, yodel.CallUnary(ctx, ch, &yodel.Method{Service: "no", Name: "Such"}, newStr(), newStr()), status.Unimplemented, "unknown service")
	}
	plain := yodel.ChannelConfig{Credentials: credentials.Insecure()}
	t.Run("tcp", func(t *testing.T) { check(t, newTCP(t, registerEcho)) })
	t.Run("unix", func(t *testing.T) {
		path := t.TempDir() + "/s"
		lis, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		s := yodel.NewServer(yodel.ServerConfig{Credentials: credentials.Insecure()})
		registerEcho(s)
		ctx, stop := context.WithCancel(context.Background())
		served := make(chan error, 1)
		go func() { served <- s.Serve(ctx, lis) }()
		ch := newChannel(t, "unix://"+path, plain)
		check(t, ch)
		_ = ch.Close()
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	t.Run("one connection", func(t *testing.T) {
		ours, theirs := socketPair(t)
		s := yodel.NewServer(yodel.ServerConfig{Credentials: credentials.Insecure()})
		registerEcho(s)
		ctx, stop := context.WithCancel(context.Background())
		served := make(chan error, 1)
		go func() { served <- s.ServeConn(ctx, theirs) }()
		cfg := plain
		cfg.DialContext = func(context.Context, string, string) (net.Conn, error) { return ours, nil }
		ch := newChannel(t, "a:1", cfg)
		check(t, ch)
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
		_ = ch.Close()
	})
}

// socketPair returns the two ends of one connection.
func socketPair(t *testing.T) (dialed, accepted net.Conn) {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	dialed, err = net.Dial("tcp", lis.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err = lis.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return dialed, accepted
}

// What cannot be reached says at which step, and programs see the cause.
func TestDialErrors(t *testing.T) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := lis.Addr().String()
	_ = lis.Close()
	noName := func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "nowhere", IsNotFound: true}}
	}
	for _, c := range []struct {
		target string
		cfg    yodel.ChannelConfig
		phase  transport.Phase
		cause  error
	}{
		{addr, yodel.ChannelConfig{}, transport.PhaseConnect, syscall.ECONNREFUSED},
		{"nowhere:1", yodel.ChannelConfig{DialContext: noName}, transport.PhaseResolve, nil},
	} {
		err := unary(t.Context(), newChannel(t, c.target, c.cfg))
		wantCode(t, err, status.Unavailable, c.target, string(c.phase))
		var de *transport.DialError
		if !errors.As(err, &de) || de.Phase != c.phase || c.cause != nil && !errors.Is(err, c.cause) {
			t.Errorf("%s: %v", c.target, err)
		}
	}
	server := yodel.NewServer(yodel.ServerConfig{Credentials: credentials.Insecure()})
	if err := server.ListenAndServe(t.Context(), "127.0.0.1:99999"); err == nil || !strings.Contains(err.Error(), "99999") {
		t.Errorf("ListenAndServe: %v", err)
	}
}

// A status that is larger than what the peer accepts loses its details, not its
// code.
func TestStatusTooLarge(t *testing.T) {
	bothPaths(t, "details", func(t *testing.T, cfg yodelConfig) {
		ch := yodeltest.New(t, unaryServer(func(ctx context.Context, _ *str) (*str, error) {
			return nil, status.New(status.NotFound, "gone", wrapperspb.String(strings.Repeat("y", inproc.DefaultMaxResponseHeaderBytes)))
		}), cfg)
		err := unary(t.Context(), ch)
		wantCode(t, err, status.NotFound, "gone")
		if _, ok := status.DetailOf[*str](err); ok {
			t.Error("the test's detail is not too large")
		}
	})
	bothPaths(t, "metadata", func(t *testing.T, cfg yodelConfig) {
		ch := yodeltest.New(t, unaryServer(func(ctx context.Context, req *str) (*str, error) {
			return req, yodel.CallFrom(ctx).SetTrailer(metadata.MD{{Name: "x", Value: strings.Repeat("y", inproc.DefaultMaxResponseHeaderBytes)}})
		}), cfg)
		wantCode(t, unary(t.Context(), ch), status.OK)
	})
}
