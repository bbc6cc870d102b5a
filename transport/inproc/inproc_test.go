package inproc_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodelrpc/yodel/metadata"
	"github.com/yodelrpc/yodel/transport"
	"github.com/yodelrpc/yodel/transport/inproc"
)

type handlerFunc func(s transport.Stream, h *transport.Header)

func (f handlerFunc) ServeStream(s transport.Stream, h *transport.Header) { f(s, h) }

type events struct{ draining, closed chan error }

func newEvents() *events {
	return &events{make(chan error, 1), make(chan error, 1)}
}
func (e *events) ConnOpen(transport.Conn)                  {}
func (e *events) ConnDraining(_ transport.Conn, err error) { e.draining <- err }
func (e *events) ConnClosed(_ transport.Conn, err error)   { e.closed <- err }

type watch chan error

func (w watch) StreamFailed(err error) { w <- err }

var (
	request  = &transport.Block{Method: "POST", Scheme: "http", Authority: "a", Path: "/s/m"}
	response = &transport.Block{Status: 200}
	trailer  = &transport.Block{Fields: []transport.Field{{Name: "x-end", Value: "1"}}}
)

// all demands more than there will ever be: it waits for the end.
func all(b []byte) int { return len(b) + 1 }

func some([]byte) int { return 1 }

// bubble runs body in one: what leaks or hangs fails the test.
func bubble(t *testing.T, body func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, body)
}

// start serves a listener, and returns a connection to it.
func start(t *testing.T, cfg inproc.Config, h handlerFunc) (*inproc.Listener, transport.Conn, *events) {
	t.Helper()
	l := inproc.NewListener(cfg)
	served := make(chan error, 1)
	go func() { served <- l.Serve(h) }()
	ev := newEvents()
	c, err := l.Dial(t.Context(), transport.Endpoint{}, ev, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		l.Close(errors.New("test over"))
		if err := <-served; err != nil {
			t.Error("Serve:", err)
		}
		<-c.Done()
	})
	return l, c, ev
}

func open(t *testing.T, c transport.Conn, out transport.Outgoing) transport.Stream {
	t.Helper()
	out.Header = &transport.Header{Block: request}
	s, err := c.Open(t.Context(), &out)
	if err != nil {
		t.Fatal("Open:", err)
	}
	return s
}

func wantError(t *testing.T, err error, scope transport.Scope, by transport.Initiator, reason transport.Reason) *transport.Error {
	t.Helper()
	var e *transport.Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %v, want a *transport.Error", err)
	}
	if e.Scope != scope || e.Initiator != by || e.Reason != reason {
		t.Fatalf("error is %+v, want scope %d, initiator %d, reason %v", *e, scope, by, reason)
	}
	return e
}

func echo(s transport.Stream, _ *transport.Header) {
	defer s.Close()
	body, _, err := s.Await(context.Background(), all)
	if err != nil {
		return
	}
	_ = s.Send(context.Background(), &transport.Outgoing{
		Header: &transport.Header{Block: response}, Data: body, Trailer: &transport.Header{Block: trailer},
	})
}

// A whole exchange, with a body far over the window: a reader that demands all
// must be given all.
func TestExchange(t *testing.T) {
	for _, size := range []int{0, 1, inproc.DefaultWindowBytes, 1 << 20} {
		bubble(t, func(t *testing.T) {
			_, c, _ := start(t, inproc.Config{}, echo)
			body := bytes.Repeat([]byte("y"), size)
			s := open(t, c, transport.Outgoing{Data: body, End: true})
			defer s.Close()
			h, err := s.Header(t.Context())
			if err != nil || h.Block != response {
				t.Fatalf("header %v, %v: the Block that was sent must arrive", h, err)
			}
			got, ended, err := s.Await(t.Context(), all)
			if err != nil || !ended || !bytes.Equal(got, body) {
				t.Fatalf("got %d bytes, ended %v, %v; want %d", len(got), ended, err, size)
			}
			if tr := s.Trailer(); tr == nil || tr.Block != trailer {
				t.Fatalf("trailer is %v", tr)
			}
		})
	}
}

// Send must wait while the reader asks for nothing, and only so long.
func TestFlowControl(t *testing.T) {
	bubble(t, func(t *testing.T) {
		read := make(chan struct{})
		h := func(s transport.Stream, _ *transport.Header) {
			defer s.Close()
			<-read
			for {
				b, ended, err := s.Await(context.Background(), some)
				if err != nil || ended {
					return
				}
				s.Discard(len(b))
			}
		}
		_, c, _ := start(t, inproc.Config{WindowBytes: 10}, h)
		s := open(t, c, transport.Outgoing{})
		defer s.Close()
		sent := make(chan error, 1)
		go func() { sent <- s.Send(t.Context(), &transport.Outgoing{Data: make([]byte, 25)}) }()
		synctest.Wait()
		select {
		case err := <-sent:
			t.Fatalf("25 bytes went into a window of 10: %v", err)
		default:
		}
		close(read)
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
	})
}

// A Send that is given up must end the stream for both sides.
func TestSendCanceled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		failed := make(watch, 1)
		h := func(s transport.Stream, _ *transport.Header) {
			err := s.Watch(failed)
			if err == nil {
				err = <-failed
			}
			failed <- err
			s.Close()
		}
		_, c, _ := start(t, inproc.Config{WindowBytes: 10}, h)
		s := open(t, c, transport.Outgoing{})
		defer s.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Send(ctx, &transport.Outgoing{Data: make([]byte, 11)}); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("Send: %v", err)
		}
		synctest.Wait()
		wantError(t, <-failed, transport.ScopeStream, transport.Peer, transport.ReasonCanceled)
	})
}

func TestReset(t *testing.T) {
	t.Run("by the client", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			got := make(chan error, 2)
			h := func(s transport.Stream, _ *transport.Header) {
				defer s.Close()
				_, _, err := s.Await(context.Background(), all)
				got <- err
				got <- s.Send(context.Background(), &transport.Outgoing{Header: &transport.Header{Block: response}})
			}
			_, c, _ := start(t, inproc.Config{}, h)
			s := open(t, c, transport.Outgoing{})
			s.Reset(transport.ReasonTimeout)
			wantError(t, <-got, transport.ScopeStream, transport.Peer, transport.ReasonTimeout)
			wantError(t, <-got, transport.ScopeStream, transport.Peer, transport.ReasonTimeout)
			_, err := s.Header(t.Context())
			wantError(t, err, transport.ScopeStream, transport.User, transport.ReasonTimeout)
			s.Close()
		})
	})
	t.Run("refused by the server is unprocessed", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			h := func(s transport.Stream, _ *transport.Header) { s.Reset(transport.ReasonRefused); s.Close() }
			_, c, _ := start(t, inproc.Config{}, h)
			s := open(t, c, transport.Outgoing{})
			defer s.Close()
			_, err := s.Header(t.Context())
			e := wantError(t, err, transport.ScopeStream, transport.Peer, transport.ReasonRefused)
			if !e.Unprocessed || !e.Sent {
				t.Errorf("%+v: a refused stream was sent and not processed", *e)
			}
		})
	})
	t.Run("a handler that only returns", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			h := func(s transport.Stream, _ *transport.Header) { s.Close() }
			_, c, _ := start(t, inproc.Config{}, h)
			s := open(t, c, transport.Outgoing{})
			defer s.Close()
			_, err := s.Header(t.Context())
			wantError(t, err, transport.ScopeStream, transport.Peer, transport.ReasonCanceled)
		})
	})
}

// An answer that comes before the request's end stops the sender without
// looking like a failure, and is still there to be read.
func TestEarlyAnswer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := func(s transport.Stream, _ *transport.Header) {
			_ = s.Send(context.Background(), &transport.Outgoing{Header: &transport.Header{Block: response}, End: true})
			s.Close()
		}
		_, c, _ := start(t, inproc.Config{}, h)
		s := open(t, c, transport.Outgoing{})
		defer s.Close()
		w := make(watch, 1)
		if err := s.Watch(w); err != nil {
			t.Errorf("Watch: %v", err)
		}
		synctest.Wait()
		if err := s.Send(t.Context(), &transport.Outgoing{Data: []byte("x")}); err != transport.ErrEnded {
			t.Fatalf("Send: %v, want ErrEnded", err)
		}
		if h, err := s.Header(t.Context()); err != nil || h.Block != response {
			t.Fatal(h, err)
		}
		if b, ended, err := s.Await(t.Context(), all); len(b) > 0 || !ended || err != nil {
			t.Fatal(b, ended, err)
		}
		if s.Trailer() != nil {
			t.Error("a header section that ended the stream is also its trailer")
		}
		select {
		case err := <-w:
			t.Error("the watcher was told of a normal end:", err)
		default:
		}
	})
}

// A slot is free when the handler has returned, not when the stream is reset.
func TestMaxConcurrentStreams(t *testing.T) {
	bubble(t, func(t *testing.T) {
		release := make(chan struct{})
		var running, most atomic.Int32
		h := func(s transport.Stream, _ *transport.Header) {
			most.Store(max(most.Load(), running.Add(1)))
			<-release
			running.Add(-1)
			s.Close()
		}
		_, c, _ := start(t, inproc.Config{MaxConcurrentStreams: 2}, h)
		for range 2 {
			open(t, c, transport.Outgoing{}).Reset(transport.ReasonCanceled)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Open(ctx, &transport.Outgoing{Header: &transport.Header{Block: request}}); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("a third stream was opened: %v", err)
		}
		close(release)
		open(t, c, transport.Outgoing{}).Close()
		if n := most.Load(); n != 2 {
			t.Errorf("%d handlers ran at once, want 2", n)
		}
	})
}

func TestDrain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		release := make(chan struct{})
		h := func(s transport.Stream, hd *transport.Header) { <-release; echo(s, hd) }
		l, c, ev := start(t, inproc.Config{}, h)
		s := open(t, c, transport.Outgoing{Data: []byte("in flight"), End: true})
		l.Drain()
		if err := <-ev.draining; err == nil {
			t.Fatal("draining without a reason")
		}
		_, err := c.Open(t.Context(), &transport.Outgoing{Header: &transport.Header{Block: request}})
		e := wantError(t, err, transport.ScopeConn, transport.Peer, transport.ReasonRefused)
		if !e.Unprocessed || e.Sent {
			t.Errorf("%+v: want a stream that certainly never left", *e)
		}
		if _, err := l.Dial(t.Context(), transport.Endpoint{}, nil, 0); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("Dial while draining: %v", err)
		}
		close(release)
		if b, _, err := s.Await(t.Context(), all); string(b) != "in flight" || err != nil {
			t.Fatalf("the stream in flight got %q, %v", b, err)
		}
		s.Close()
		<-c.Done()
		if err := <-ev.closed; err == nil {
			t.Error("closed without a reason")
		}
	})
}

func TestClose(t *testing.T) {
	bubble(t, func(t *testing.T) {
		cause := errors.New("because")
		got := make(watch, 1)
		h := func(s transport.Stream, _ *transport.Header) {
			if err := s.Watch(got); err != nil {
				t.Errorf("Watch: %v", err)
			}
			_, _, _ = s.Await(context.Background(), all)
			s.Close()
		}
		_, c, ev := start(t, inproc.Config{}, h)
		s := open(t, c, transport.Outgoing{})
		synctest.Wait()
		c.Close(cause)
		_, err := s.Header(t.Context())
		wantError(t, err, transport.ScopeConn, transport.User, transport.ReasonLost)
		if !errors.Is(err, cause) {
			t.Errorf("%v does not wrap the cause", err)
		}
		err = <-got
		wantError(t, err, transport.ScopeConn, transport.Peer, transport.ReasonLost)
		if !errors.Is(err, io.EOF) || errors.Is(err, cause) {
			t.Errorf("the peer saw %v", err)
		}
		<-ev.closed
		s.Close()
		_, err = c.Open(t.Context(), &transport.Outgoing{Header: &transport.Header{Block: request}})
		if e := wantError(t, err, transport.ScopeConn, transport.User, transport.ReasonLost); !e.Unprocessed {
			t.Error("a stream that was not opened counts as processed")
		}
	})
}

// A section over the peer's limit is refused before it is sent.
func TestHeaderLimits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		many := make([]transport.Field, inproc.DefaultMaxRequestHeaderFields+1)
		for i := range many {
			many[i] = transport.Field{Name: "a", Value: "b"}
		}
		long := []transport.Field{{Name: "a", Value: strings.Repeat("b", inproc.DefaultMaxRequestHeaderBytes)}}
		_, c, _ := start(t, inproc.Config{}, echo)
		for _, more := range [][]transport.Field{many, long} {
			_, err := c.Open(t.Context(), &transport.Outgoing{Header: &transport.Header{Block: request, More: more}})
			wantError(t, err, transport.ScopeStream, transport.Local, transport.ReasonHeaderTooLarge)
		}
	})
}

// What the transport was lent must not be kept.
func TestLentFieldsAreCopied(t *testing.T) {
	bubble(t, func(t *testing.T) {
		got := make(chan string, 1)
		release := make(chan struct{})
		h := func(s transport.Stream, h *transport.Header) {
			<-release
			v, _ := h.Get("k")
			got <- v
			s.Close()
		}
		_, c, _ := start(t, inproc.Config{}, h)
		more := []metadata.Field{{Name: "k", Value: "before"}}
		s, err := c.Open(t.Context(), &transport.Outgoing{Header: &transport.Header{Block: request, More: more}})
		if err != nil {
			t.Fatal(err)
		}
		more[0].Value = "after"
		close(release)
		if v := <-got; v != "before" {
			t.Errorf("the server saw %q", v)
		}
		s.Close()
	})
}

func TestDialWaitsForServe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := inproc.NewListener(inproc.Config{Name: "late"})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := l.Dial(ctx, transport.Endpoint{}, nil, 0)
		var de *transport.DialError
		if !errors.As(err, &de) || de.Phase != transport.PhaseConnect || de.Address != "late" || !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("Dial: %v", err)
		}
		l.Close(errors.New("over"))
		if err := l.Serve(handlerFunc(echo)); err != nil {
			t.Errorf("Serve after Close: %v", err)
		}
		if err := l.Serve(handlerFunc(echo)); err == nil {
			t.Error("a second Serve was accepted")
		}
	})
}

// Ids and parents reach the registry, and leave it.
func TestRegistry(t *testing.T) {
	var reg transport.Registry
	var parent transport.ID
	reg.Add(&parent, transport.Entity{Kind: "channel", Name: "test"})
	synctest.Test(t, func(t *testing.T) {
		l := inproc.NewListener(inproc.Config{Registry: &reg})
		go l.Serve(handlerFunc(echo))
		c, err := l.Dial(t.Context(), transport.Endpoint{}, nil, parent)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(reg.Snapshot()); n != 4 {
			t.Errorf("registry has %d members, want channel, listener and two ends", n)
		}
		c.Close(errors.New("over"))
		l.Drain()
		<-c.Done()
		synctest.Wait()
		if n := len(reg.Snapshot()); n != 1 {
			t.Errorf("registry has %d members after the end, want the channel", n)
		}
	})
}
