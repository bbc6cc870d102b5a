package http2_test

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/yodelrpc/yodel/internal/frame"
	"github.com/yodelrpc/yodel/transport"
	"github.com/yodelrpc/yodel/transport/http2"
)

// The tests of this file use sockets and the real time: only on plain sockets do
// readers step aside.

const (
	// slack is what a loaded machine may add to the steward's milliseconds.
	slack = 2 * time.Second
	// patience is when a test gives up.
	patience = 20 * time.Second
)

// reads waits until the connection's reader is as ok wants it, by what other
// goroutines are at already.
func reads(t testing.TB, conn transport.Conn, ok func(http2.Reading) bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(http2.ReadingOf(conn)); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("the reader is %+v", http2.ReadingOf(conn))
		}
	}
}

// wasAside tells that the reader has stepped aside. It may be back: the steward
// does not wait for a test that has lost its processor.
func wasAside(r http2.Reading) bool  { return r.Stewarded }
func oneSleeps(r http2.Reading) bool { return r.Sleepers == 1 }

// dialSocket starts a client on a TCP socket; the script is its server.
func dialSocket(t *testing.T, cfg http2.Config, pairs ...uint32) *dialed {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lis.Close() }()
	near, err := net.Dial("tcp", lis.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err := lis.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c := &dialed{peer: newPeer(t, far), events: newRecordEvents()}
	c.write(settings(pairs...), settingsAck())
	if c.conn, err = dialPipe(near, cfg, c.events); err != nil {
		t.Fatal(err)
	}
	http2.TryNow(c.conn)
	t.Cleanup(func() {
		c.conn.Close(errors.New("the test is over"))
		_ = far.Close()
		<-c.conn.Done()
	})
	var hello [len(clientPreface)]byte
	if _, err := io.ReadFull(far, hello[:]); err != nil {
		t.Fatal(err)
	}
	return c
}

// exchange has the client make a call, which the script answers.
func (c *dialed) exchange(id uint32) {
	c.t.Helper()
	got := make(chan error, 1)
	go func() {
		_, err := unary(context.Background(), c.conn, []byte("x"))
		got <- err
	}()
	c.want("DATA", "HEADERS "+itoa(id)+" POST; DATA "+itoa(id)+" 1 END")
	reads(c.t, c.conn, oneSleeps) // or nobody has to be woken
	c.write(answer(id, "y"))
	if err := <-got; err != nil {
		c.t.Fatal(err)
	}
}

// within fails if ch does not deliver in time.
func within[T any](t testing.TB, what string, ch <-chan T, d time.Duration) (v T) {
	t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case v = <-ch:
	case <-timer.C:
		t.Fatalf("%s: not within %v", what, d)
	}
	return v
}

// TestAsideNotices would break if a client that nobody uses, and whose reader
// has stepped aside after its last call, did not hear what the server says.
func TestAsideNotices(t *testing.T) {
	for _, calls := range []uint32{1, 50} {
		t.Run("GOAWAY", func(t *testing.T) {
			c := dialSocket(t, http2.Config{})
			c.exchange(1)
			reads(t, c.conn, wasAside)
			for i := uint32(1); i < calls; i++ {
				c.exchange(2*i + 1)
			}
			c.write(goAway(2*calls-1, frame.CodeNo))
			_ = within(t, "ConnDraining", c.events.draining, slack)
			_ = within(t, "ConnClosed", c.events.closed, slack)
		})
		t.Run("the end", func(t *testing.T) {
			c := dialSocket(t, http2.Config{})
			c.exchange(1)
			reads(t, c.conn, wasAside)
			for i := uint32(1); i < calls; i++ {
				c.exchange(2*i + 1)
			}
			_ = c.nc.Close()
			_ = within(t, "Done", c.conn.Done(), slack)
		})
	}
	t.Run("a close here", func(t *testing.T) {
		c := dialSocket(t, http2.Config{})
		c.exchange(1)
		reads(t, c.conn, wasAside)
		c.conn.Close(errors.New("closed"))
		_ = c.nc.Close()
		_ = within(t, "Done", c.conn.Done(), slack)
	})
}

// TestStewardReturns would break if the steward, once it had nothing to do, did
// not come back for the next reader that steps aside.
func TestStewardReturns(t *testing.T) {
	c := dialSocket(t, http2.Config{})
	c.exchange(1)
	reads(t, c.conn, wasAside)
	got := make(chan error, 1)
	go func() {
		_, err := unary(context.Background(), c.conn, []byte("x"))
		got <- err
	}()
	reads(t, c.conn, func(r http2.Reading) bool { return r.Sleepers == 1 && !r.Armed })
	c.write(answer(3, "y"))
	if err := within(t, "the answer", got, slack); err != nil {
		t.Fatal(err)
	}
	_ = c.nc.Close()
	_ = within(t, "Done", c.conn.Done(), slack)
}

// TestAsideCalls would break if calls on a connection whose reader steps aside
// waited for each other, or for nobody.
func TestAsideCalls(t *testing.T) {
	calls := func(ctx context.Context, conn transport.Conn, n int) error {
		for range n {
			if _, err := unary(ctx, conn, []byte("x")); err != nil {
				return err
			}
		}
		return nil
	}
	run := func(t *testing.T, h transport.Handler, f func(ctx context.Context, conn transport.Conn)) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		p := newPair(t, "tcp", h, http2.Config{}, http2.Config{})
		for !wasAside(http2.ReadingOf(p.conn)) {
			if err := calls(ctx, p.conn, 1); err != nil {
				t.Fatal(err)
			}
		}
		f(ctx, p.conn)
	}
	t.Run("two callers", func(t *testing.T) {
		run(t, handlerFunc(echo), func(ctx context.Context, conn transport.Conn) {
			var group sync.WaitGroup
			for range 2 {
				group.Go(func() {
					if err := calls(ctx, conn, 300); err != nil {
						t.Error(err)
					}
				})
			}
			group.Wait()
		})
	})
	// The calls and the stream's messages, in turn and at the same time.
	streams := handlerFunc(func(s transport.Stream, h *transport.Header) {
		if h.Block.Path == "/test/Stream" {
			pong4(s)
			return
		}
		echo(s, h)
	})
	t.Run("beside a stream in use", func(t *testing.T) {
		run(t, streams, func(ctx context.Context, conn transport.Conn) {
			s := openPingPong(ctx, t, conn)
			defer s.Close()
			var group sync.WaitGroup
			group.Go(func() {
				for range 300 {
					if err := pingPong(ctx, s); err != nil {
						t.Error(err)
						return
					}
				}
			})
			if err := calls(ctx, conn, 300); err != nil {
				t.Error(err)
			}
			group.Wait()
		})
	})
	t.Run("beside an idle stream", func(t *testing.T) {
		run(t, streams, func(ctx context.Context, conn transport.Conn) {
			s := openPingPong(ctx, t, conn)
			defer s.Close()
			for range 50 {
				if err := pingPong(ctx, s); err != nil {
					t.Fatal(err)
				}
				if err := calls(ctx, conn, 3); err != nil {
					t.Fatal(err)
				}
			}
			// Now with a receiver that waits all the time.
			got := make(chan error, 1)
			go func() {
				_, _, err := s.Await(ctx, something)
				got <- err
			}()
			reads(t, conn, oneSleeps)
			if err := calls(ctx, conn, 300); err != nil {
				t.Error(err)
			}
			if err := s.Send(ctx, &transport.Outgoing{Data: []byte("ping")}); err != nil {
				t.Error(err)
			}
			if err := <-got; err != nil {
				t.Error(err)
			}
		})
	})
}

var streamBlock = &transport.Block{Method: "POST", Scheme: "http", Authority: "test", Path: "/test/Stream"}

// pong4 answers each four bytes with four, until the stream ends.
func pong4(s transport.Stream) {
	defer s.Close()
	ctx := context.Background()
	header := &transport.Header{Block: responseBlock}
	for {
		data, ended, err := s.Await(ctx, four)
		if err != nil || ended && len(data) < 4 {
			return
		}
		s.Discard(4)
		if s.Send(ctx, &transport.Outgoing{Header: header, Data: []byte("pong")}) != nil {
			return
		}
		header = nil
	}
}

func four([]byte) int { return 4 }

func openPingPong(ctx context.Context, t testing.TB, conn transport.Conn) transport.Stream {
	t.Helper()
	s, err := conn.Open(ctx, &transport.Outgoing{Header: &transport.Header{Block: streamBlock}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func pingPong(ctx context.Context, s transport.Stream) error {
	if err := s.Send(ctx, &transport.Outgoing{Data: []byte("ping")}); err != nil {
		return err
	}
	if _, _, err := s.Await(ctx, four); err != nil {
		return err
	}
	s.Discard(4)
	return nil
}

// TestAsideOnServer would break if a server's reader that has stepped aside for
// a handler that used to come back did not return when that one does not.
func TestAsideOnServer(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conns, came, release := make(chan transport.Conn, 1), make(chan struct{}, 1), make(chan struct{})
	p := newPair(t, "tcp", handlerFunc(func(s transport.Stream, h *transport.Header) {
		if h.Block.Path != "/test/Stream" {
			echo(s, h)
			return
		}
		conns <- s.Conn()
		defer s.Close()
		for range 5 { // more than the sleeps after which one is expected to come back
			if _, _, err := s.Await(ctx, four); err != nil {
				return
			}
			s.Discard(4)
			came <- struct{}{}
		}
		<-release
	}), http2.Config{}, http2.Config{})
	s := openPingPong(ctx, t, p.conn)
	defer s.Close()
	server := <-conns
	for range 5 {
		reads(t, server, oneSleeps)
		if err := s.Send(ctx, &transport.Outgoing{Data: []byte("ping")}); err != nil {
			t.Fatal(err)
		}
		within(t, "a message", came, patience)
	}
	got := make(chan error, 1)
	go func() {
		_, err := unary(ctx, p.conn, []byte("x"))
		got <- err
	}()
	err := within(t, "the answer to another call", got, slack)
	close(release)
	if err != nil {
		t.Error(err)
	}
	if !http2.ReadingOf(server).Stewarded {
		t.Error("the server's reader has not stepped aside")
	}
}

// TestLeaderCanceled would break if a receiver that reads for itself did not
// return when its context ends, though there is always something to read, or if
// nobody read after it.
func TestLeaderCanceled(t *testing.T) {
	for _, flood := range []bool{false, true} {
		c := dialSocket(t, http2.Config{})
		c.exchange(1)
		reads(t, c.conn, wasAside)
		s, err := c.open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		c.want("HEADERS 3", "HEADERS 3 POST END")
		stop, flooded := make(chan struct{}), make(chan struct{})
		if flood {
			updates := repeat(4000, window(0, 1))
			c.write(updates, updates)
			go func() {
				defer close(flooded)
				for {
					select {
					case <-stop:
						return
					default:
						c.write(updates)
					}
				}
			}()
		} else {
			close(flooded)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		canceled := errors.New("canceled")
		cancel(canceled) // what leads does not know yet
		got := make(chan error, 1)
		go func() {
			_, _, err := s.Await(ctx, everything)
			got <- err
		}()
		if err := within(t, "Await of a context that has ended", got, slack); !errors.Is(err, canceled) {
			t.Errorf("Await returned %v", err)
		}
		close(stop)
		<-flooded
		s.Close()
		c.want("RST", "RST 3 CANCEL")
		c.exchange(5)
	}
}

// TestNeverAside would break if Config.NoSpin did not keep readers where they
// are.
func TestNeverAside(t *testing.T) {
	for _, noSpin := range []bool{false, true} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		conns := make(chan transport.Conn, 1)
		p := newPair(t, "tcp", handlerFunc(func(s transport.Stream, h *transport.Header) {
			conns <- s.Conn()
			pong4(s)
		}), http2.Config{NoSpin: noSpin, NoInline: true}, http2.Config{NoSpin: noSpin})
		s := openPingPong(ctx, t, p.conn)
		server := <-conns
		ends := []transport.Conn{server, p.conn}
		for _, end := range ends {
			http2.TryNow(end)
		}
		for range 20 {
			reads(t, server, oneSleeps)
			if err := s.Send(ctx, &transport.Outgoing{Data: []byte("ping")}); err != nil {
				t.Fatal(err)
			}
			if _, _, err := s.Await(ctx, four); err != nil {
				t.Fatal(err)
			}
			s.Discard(4)
		}
		for i, end := range ends {
			if aside := http2.ReadingOf(end).Stewarded; aside == noSpin {
				t.Errorf("end %d: with NoSpin %v, the reader has stepped aside: %v", i, noSpin, aside)
			}
		}
		s.Close()
	}
}

// TestBulkIsReadAhead would break if a receiver of large messages, one after the other,
// read for itself: while it is at work on one, nobody would read the next.
func TestBulkIsReadAhead(t *testing.T) {
	for _, tt := range []struct {
		size  int
		aside bool
	}{{4, true}, {64 << 10, false}} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		streams := make(chan transport.Stream, 1)
		p := newPair(t, "tcp", handlerFunc(func(s transport.Stream, _ *transport.Header) {
			streams <- s
			<-ctx.Done()
		}), http2.Config{NoInline: true}, http2.Config{})
		client := openPingPong(ctx, t, p.conn)
		server := within(t, "the stream", streams, patience)
		if err := server.Send(ctx, &transport.Outgoing{Header: &transport.Header{Block: responseBlock}}); err != nil {
			t.Fatal(err)
		}
		for _, ends := range [][2]transport.Stream{{client, server}, {server, client}} {
			from, to := ends[0], ends[1]
			for n := range 20 {
				got := make(chan error, 1)
				go func() {
					_, _, err := to.Await(ctx, func([]byte) int { return tt.size })
					to.Discard(tt.size)
					got <- err
				}()
				reads(t, to.Conn(), oneSleeps)
				if aside := http2.ReadingOf(to.Conn()).Aside; aside && !tt.aside && n > 1 {
					t.Errorf("message %d of %d bytes: its receiver reads for itself", n, tt.size)
				}
				http2.TryNow(to.Conn())
				if err := from.Send(ctx, &transport.Outgoing{Data: make([]byte, tt.size)}); err != nil {
					t.Fatal(err)
				}
				if err := within(t, "a message", got, patience); err != nil {
					t.Fatal(err)
				}
			}
		}
		if aside := http2.ReadingOf(server.Conn()).Stewarded; aside != tt.aside {
			t.Errorf("messages of %d bytes: the server's reader has stepped aside: %v", tt.size, aside)
		}
		client.Close()
		cancel()
	}
}
