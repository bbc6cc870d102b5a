package yodel_test

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/credentials"
	"github.com/yodelrpc/yodel/status"
	"github.com/yodelrpc/yodel/transport"
	"github.com/yodelrpc/yodel/transport/inproc"
)

type dialFunc func(ctx context.Context, e transport.Endpoint, events transport.ConnEvents) (transport.Conn, error)

func (f dialFunc) Dial(ctx context.Context, e transport.Endpoint, events transport.ConnEvents, _ transport.ID) (transport.Conn, error) {
	return f(ctx, e, events)
}

func refused(_ context.Context, e transport.Endpoint, _ transport.ConnEvents) (transport.Conn, error) {
	return nil, &transport.DialError{Phase: transport.PhaseConnect, Address: e.Address, Err: syscall.ECONNREFUSED}
}

func hanging(ctx context.Context, e transport.Endpoint, _ transport.ConnEvents) (transport.Conn, error) {
	<-ctx.Done()
	return nil, &transport.DialError{Phase: transport.PhaseSettings, Address: e.Address, Err: context.Cause(ctx)}
}

func newChannel(t *testing.T, target string, cfg yodel.ChannelConfig) *yodel.Channel {
	t.Helper()
	ch, err := yodel.NewChannel(target, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ch.Close() })
	return ch
}

// serveInproc serves register on a new listener until the returned stop.
func serveInproc(t *testing.T, cfg yodel.ServerConfig, register func(*yodel.Server)) (*inproc.Listener, func()) {
	t.Helper()
	s := yodel.NewServer(cfg)
	register(s)
	lis := inproc.NewListener(inproc.Config{})
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	served := make(chan error, 1)
	go func() { served <- s.ServeTransport(ctx, lis) }()
	stopped := false
	stop := func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-served; err != nil {
			t.Error("ServeTransport:", err)
		}
	}
	t.Cleanup(stop)
	return lis, stop
}

func unary(ctx context.Context, ch yodel.Caller, opts ...yodel.CallOption) error {
	return yodel.CallUnary(ctx, ch, echoMethod, wrapperspb.String("y"), newStr(), opts...)
}

// No I/O, and an error for each argument that cannot be right.
func TestNewChannel(t *testing.T) {
	dials := 0
	cfg := yodel.ChannelConfig{Dialer: dialFunc(func(context.Context, transport.Endpoint, transport.ConnEvents) (transport.Conn, error) {
		dials++
		return nil, errTestDone
	})}
	ch := newChannel(t, "host:1", cfg)
	if ch.State() != yodel.Idle || dials != 0 {
		t.Errorf("state %v after %d dials, want IDLE after none", ch.State(), dials)
	}
	bad := map[string]yodel.ChannelConfig{
		"UserAgent": {UserAgent: "a\nb"},
		"Authority": {Authority: "user@host"},
	}
	for says, cfg := range bad {
		if _, err := yodel.NewChannel("host:1", cfg); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: error is %v", says, err)
		}
	}
}

// What a channel says of its calls before it has made one.
func TestChannelAnswers(t *testing.T) {
	for _, c := range []struct {
		cfg               yodel.ChannelConfig
		authority, scheme string
	}{
		{yodel.ChannelConfig{}, "localhost:1", "https"},
		{yodel.ChannelConfig{Credentials: credentials.Insecure()}, "localhost:1", "http"},
		{yodel.ChannelConfig{Authority: "other:2"}, "other:2", "https"},
	} {
		ch := newChannel(t, "localhost:1", c.cfg)
		if ch.Authority() != c.authority || ch.Scheme() != c.scheme {
			t.Errorf("%q, %q; want %q, %q", ch.Authority(), ch.Scheme(), c.authority, c.scheme)
		}
	}
}

// In TransientFailure a call fails at once, with the cause for people and for
// programs; it tries each address of a list.
func TestTransientFailure(t *testing.T) {
	bubble(t, "fails at once", func(t *testing.T) {
		ch := newChannel(t, "a:1,b:2", yodel.ChannelConfig{Dialer: dialFunc(refused)})
		for range 2 {
			began := time.Now()
			err := unary(t.Context(), ch)
			wantCode(t, err, status.Unavailable, "a:1", "b:2", "connection refused", "connect to")
			if !errors.Is(err, syscall.ECONNREFUSED) {
				t.Error("the cause is lost")
			}
			if time.Since(began) != 0 {
				t.Errorf("it took %v", time.Since(began))
			}
		}
		if ch.State() != yodel.TransientFailure {
			t.Errorf("state is %v", ch.State())
		}
	})
	bubble(t, "wait for ready", func(t *testing.T) {
		lis, _ := serveInproc(t, yodel.ServerConfig{}, registerEcho)
		up := time.Now().Add(5 * time.Second)
		ch := newChannel(t, "a:1", yodel.ChannelConfig{Dialer: dialFunc(func(ctx context.Context, e transport.Endpoint, ev transport.ConnEvents) (transport.Conn, error) {
			if time.Now().Before(up) {
				return refused(ctx, e, ev)
			}
			return lis.Dial(ctx, e, ev, 0)
		})})
		wantCode(t, unary(t.Context(), ch), status.Unavailable)
		began := time.Now()
		if err := unary(t.Context(), ch, yodel.WaitForReady()); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(began); d < 4*time.Second || d > 12*time.Second {
			t.Errorf("waited %v", d)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := ch.WaitReady(ctx); err != nil {
			t.Error(err)
		}
	})
	bubble(t, "wait for ready within the deadline", func(t *testing.T) {
		ch := newChannel(t, "a:1", yodel.ChannelConfig{Dialer: dialFunc(refused)})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		wantCode(t, unary(ctx, ch, yodel.WaitForReady()), status.DeadlineExceeded, "connection refused", "3s")
	})
}

// The attempts follow the standard backoff: sticky TransientFailure, growing
// pauses, an attempt of 20 s at least.
func TestReconnectPauses(t *testing.T) {
	bubble(t, "pauses", func(t *testing.T) {
		var at []time.Time
		ch := newChannel(t, "a:1", yodel.ChannelConfig{Dialer: dialFunc(func(ctx context.Context, e transport.Endpoint, ev transport.ConnEvents) (transport.Conn, error) {
			at = append(at, time.Now())
			return refused(ctx, e, ev)
		})})
		_ = unary(t.Context(), ch)
		time.Sleep(15 * time.Minute)
		synctest.Wait()
		pause := 1.0
		for i := 1; i < len(at); i++ {
			if got := at[i].Sub(at[i-1]).Seconds(); got < pause*0.79 || got > pause*1.21 {
				t.Errorf("pause %d is %v s, want %v", i, got, pause)
			}
			pause = min(pause*1.6, 120)
		}
		if len(at) < 12 || len(at) > 22 {
			t.Errorf("%d attempts in 15 minutes", len(at))
		}
	})
	bubble(t, "minimum time of an attempt", func(t *testing.T) {
		ch := newChannel(t, "a:1", yodel.ChannelConfig{Dialer: dialFunc(hanging)})
		began := time.Now()
		wantCode(t, unary(t.Context(), ch), status.Unavailable, "HTTP/2 settings")
		if d := time.Since(began); d != 20*time.Second {
			t.Errorf("an attempt had %v, want 20 s", d)
		}
	})
	bubble(t, "a server that accepts and closes", func(t *testing.T) {
		lis, _ := serveInproc(t, yodel.ServerConfig{}, registerEcho)
		dials := 0
		ch := newChannel(t, "a:1", yodel.ChannelConfig{Dialer: dialFunc(func(ctx context.Context, e transport.Endpoint, ev transport.ConnEvents) (transport.Conn, error) {
			dials++
			c, err := lis.Dial(ctx, e, ev, 0)
			if err == nil {
				c.Close(errTestDone)
			}
			return c, err
		})})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		wantCode(t, unary(ctx, ch), status.DeadlineExceeded)
		if dials > 13 {
			t.Errorf("%d connections in 10 s: it is not paced", dials)
		}
	})
}

// A deadline that passes while there is no connection yet must say so: a plain
// "deadline exceeded" looks like a slow server.
func TestDeadlineWhileConnecting(t *testing.T) {
	bothKinds := func(t *testing.T, target transport.Dialer, texts ...string) {
		ch := newChannel(t, "a:1", yodel.ChannelConfig{Dialer: target})
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		err := unary(ctx, ch)
		wantCode(t, err, status.DeadlineExceeded, append(texts, "2s", "a:1", "has not seen the call")...)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error("the cause is lost")
		}
		ctx, cancel = context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		for _, err := range yodel.CallServerStream(ctx, ch, downMethod, newStr(), newStr) {
			wantCode(t, err, status.DeadlineExceeded, append(texts, "has not seen the call")...)
		}
	}
	bubble(t, "first attempt", func(t *testing.T) { bothKinds(t, dialFunc(hanging), "has not failed yet") })
	bubble(t, "canceled", func(t *testing.T) {
		ch := newChannel(t, "a:1", yodel.ChannelConfig{Dialer: dialFunc(hanging)})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		wantCode(t, unary(ctx, ch), status.Canceled, "1s")
	})
}

func TestWaitReady(t *testing.T) {
	bubble(t, "refused", func(t *testing.T) {
		ch := newChannel(t, "a:1", yodel.ChannelConfig{Dialer: dialFunc(refused)})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		err := ch.WaitReady(ctx)
		var de *transport.DialError
		if !errors.As(err, &de) || de.Phase != transport.PhaseConnect || de.Address != "a:1" ||
			!errors.Is(err, syscall.ECONNREFUSED) || !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("error is %v", err)
		}
		for _, text := range []string{"a:1", "TRANSIENT_FAILURE", "5s", "connect", "refused"} {
			if !strings.Contains(err.Error(), text) {
				t.Errorf("%q lacks %q", err, text)
			}
		}
	})
	bubble(t, "closed", func(t *testing.T) {
		ch := newChannel(t, "a:1", yodel.ChannelConfig{Dialer: dialFunc(hanging)})
		time.AfterFunc(time.Second, func() { _ = ch.Close() })
		if err := ch.WaitReady(t.Context()); err == nil || !strings.Contains(err.Error(), "closed") {
			t.Fatal(err)
		}
	})
}

// The states in order, as States shows them, and an end for who watches.
func TestStates(t *testing.T) {
	bubble(t, "life", func(t *testing.T) {
		lis, stop := serveInproc(t, yodel.ServerConfig{}, registerEcho)
		ch := newChannel(t, "a:1", yodel.ChannelConfig{Dialer: dialFunc(func(ctx context.Context, e transport.Endpoint, ev transport.ConnEvents) (transport.Conn, error) {
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
			return lis.Dial(ctx, e, ev, 0)
		})})
		seen := make(chan string, 100)
		go func() {
			for s := range ch.States(context.Background()) {
				seen <- s.String()
			}
			close(seen)
		}()
		synctest.Wait()
		if err := ch.WaitReady(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		stop() // GOAWAY: the channel goes idle, and does not dial on its own
		time.Sleep(time.Minute)
		_ = unary(t.Context(), ch)
		synctest.Wait()
		_ = ch.Close()
		var all []string
		for s := range seen {
			all = append(all, s)
		}
		if got := strings.Join(all, " "); got != "IDLE CONNECTING READY IDLE CONNECTING TRANSIENT_FAILURE SHUTDOWN" {
			t.Errorf("states: %s", got)
		}
		wantCode(t, unary(t.Context(), ch), status.Canceled, "closed")
	})
	bubble(t, "watching ends with its context", func(t *testing.T) {
		ch := newChannel(t, "a:1", yodel.ChannelConfig{Dialer: dialFunc(hanging)})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		n := 0
		for range ch.States(ctx) {
			n++
		}
		if n != 1 {
			t.Errorf("%d states, want IDLE", n)
		}
	})
}

// Close ends calls that wait and calls in flight, and says that it did.
func TestChannelClose(t *testing.T) {
	bubble(t, "in flight", func(t *testing.T) {
		lis, _ := serveInproc(t, yodel.ServerConfig{}, registerSleep)
		ch := newChannel(t, "a:1", yodel.ChannelConfig{Dialer: lis})
		time.AfterFunc(time.Second, func() { _ = ch.Close() })
		wantCode(t, unary(t.Context(), ch), status.Canceled, "channel was closed")
	})
	bubble(t, "waiting", func(t *testing.T) {
		ch := newChannel(t, "a:1", yodel.ChannelConfig{Dialer: dialFunc(hanging)})
		time.AfterFunc(time.Second, func() { _ = ch.Close() })
		wantCode(t, unary(t.Context(), ch), status.Canceled, "closed")
	})
}

// registerSleep serves the echo method with a handler that waits for its end.
func registerSleep(s *yodel.Server) {
	s.Register(yodel.UnaryRoute(echoMethod, newStr, func(ctx context.Context, _ *str) (*str, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}))
}

// refusingConn fails the first opens as a connection that has seen GOAWAY, or
// a server that refuses, does.
type refusingConn struct {
	transport.Conn
	fail func() error
}

func (c *refusingConn) Open(ctx context.Context, out *transport.Outgoing) (transport.Stream, error) {
	if err := c.fail(); err != nil {
		return nil, err
	}
	return c.Conn.Open(ctx, out)
}

// gRFC A6: a call that no server has seen is tried again without limit, one
// that a server has refused once.
func TestTransparentRetry(t *testing.T) {
	run := func(name string, failures int, sent bool, want status.Code) {
		bothPaths(t, name, func(t *testing.T, cfg yodelConfig) {
			lis, _ := serveInproc(t, yodel.ServerConfig{}, registerEcho)
			left, opens := failures, 0
			cfg.Channel.Dialer = dialFunc(func(ctx context.Context, e transport.Endpoint, ev transport.ConnEvents) (transport.Conn, error) {
				c, err := lis.Dial(ctx, e, ev, 0)
				return &refusingConn{c, func() error {
					opens++
					if left == 0 {
						return nil
					}
					left--
					return &transport.Error{Initiator: transport.Peer, Reason: transport.ReasonRefused, Unprocessed: true, Sent: sent}
				}}, err
			})
			ch := newChannel(t, "a:1", cfg.Channel)
			wantCode(t, unary(t.Context(), ch), want)
			if opens > 20 {
				t.Errorf("a call was tried %d times", opens)
			}
			left = failures
			for _, err := range yodel.CallServerStream(t.Context(), ch, downMethod, wrapperspb.String("a"), newStr) {
				wantCode(t, err, want)
			}
		})
	}
	run("never sent", 5, false, status.OK)
	run("refused once", 1, true, status.OK)
	run("refused twice", 2, true, status.Unavailable)
	run("never sent, for ever", 1<<30, false, status.Unavailable)
}

// A server that refuses after the stream was opened: the request is still in
// hand, so the call moves on.
func TestRefusedStreamIsRetried(t *testing.T) {
	bothPaths(t, "refused", func(t *testing.T, cfg yodelConfig) {
		lis := inproc.NewListener(inproc.Config{})
		s := yodel.NewServer(yodel.ServerConfig{})
		registerEcho(s)
		refusals := 1
		served := make(chan error, 1)
		go func() { served <- s.ServeTransport(t.Context(), &refusingListener{lis, &refusals}) }()
		cfg.Channel.Dialer = lis
		ch := newChannel(t, "a:1", cfg.Channel)
		if err := unary(t.Context(), ch); err != nil {
			t.Error(err)
		}
		refusals = 1
		got := 0
		for _, err := range yodel.CallServerStream(t.Context(), ch, downMethod, wrapperspb.String("a,b"), newStr) {
			if err != nil {
				t.Error(err)
			}
			got++
		}
		if got != 2 {
			t.Errorf("%d responses, want 2", got)
		}
		refusals = 2
		wantCode(t, unary(t.Context(), ch), status.Unavailable, "refused")
		_ = ch.Close()
		_ = s.Shutdown(t.Context())
		<-served
	})
}

type refusingListener struct {
	*inproc.Listener
	left *int
}

func (l *refusingListener) Serve(h transport.Handler) error {
	return l.Listener.Serve(handlerFunc(func(s transport.Stream, head *transport.Header) {
		if *l.left > 0 {
			*l.left--
			s.Reset(transport.ReasonRefused)
			s.Close()
			return
		}
		h.ServeStream(s, head)
	}))
}

type handlerFunc func(transport.Stream, *transport.Header)

func (f handlerFunc) ServeStream(s transport.Stream, h *transport.Header) { f(s, h) }

// A draining server loses nothing: calls in flight end well, new ones go to
// another connection.
func TestDrainingServer(t *testing.T) {
	bubble(t, "drain", func(t *testing.T) {
		slow := func(s *yodel.Server) {
			s.Register(yodel.UnaryRoute(echoMethod, newStr, func(_ context.Context, req *str) (*str, error) {
				time.Sleep(time.Second)
				return req, nil
			}))
		}
		first, stopFirst := serveInproc(t, yodel.ServerConfig{}, slow)
		second, _ := serveInproc(t, yodel.ServerConfig{}, slow)
		now := first
		ch := newChannel(t, "a:1", yodel.ChannelConfig{Dialer: dialFunc(func(ctx context.Context, e transport.Endpoint, ev transport.ConnEvents) (transport.Conn, error) {
			return now.Dial(ctx, e, ev, 0)
		})})
		inFlight := make(chan error, 1)
		go func() { inFlight <- unary(t.Context(), ch) }()
		synctest.Wait()
		now = second
		go stopFirst()
		synctest.Wait()
		if err := unary(t.Context(), ch); err != nil {
			t.Error("a new call:", err)
		}
		if err := <-inFlight; err != nil {
			t.Error("the call in flight:", err)
		}
	})
}
