package yodel_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/status"
	"github.com/yodelrpc/yodel/transport"
	"github.com/yodelrpc/yodel/transport/inproc"
)

// proof is how long a connection takes to be proven, in the tests below.
const proof = time.Second

// prove takes that long, or until ctx ends.
func prove(ctx context.Context) error {
	select {
	case <-time.After(proof):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// provenLater dials lis. Calls can be made at once; the connection is proven later,
// or turns out to be none.
func provenLater(lis *inproc.Listener, fails error) dialFunc {
	return func(ctx context.Context, e transport.Endpoint, events transport.ConnEvents) (transport.Conn, error) {
		conn, err := lis.Dial(ctx, e, events, 0)
		if err != nil {
			return nil, err
		}
		events.ConnOpen(conn)
		if err = prove(ctx); err == nil {
			err = fails
		}
		if err != nil {
			conn.Close(err)
			return nil, &transport.DialError{Phase: transport.PhaseSettings, Address: e.Address, Err: err}
		}
		return conn, nil
	}
}

// A call that may fail with its connection need not wait until that is proven.
func TestEarlyCalls(t *testing.T) {
	for _, tt := range []struct {
		name, target string
		opts         []yodel.CallOption
		took         time.Duration
	}{
		{"at once", "a:1", nil, 0},
		{"wait for ready", "a:1", []yodel.CallOption{yodel.WaitForReady()}, proof},
		{"there is another address", "a:1,b:2", nil, proof},
	} {
		bubble(t, tt.name, func(t *testing.T) {
			lis, _ := serveInproc(t, yodel.ServerConfig{}, registerEcho)
			ch := newChannel(t, tt.target, yodel.ChannelConfig{Dialer: provenLater(lis, nil)})
			for _, took := range []time.Duration{tt.took, 0} {
				began := time.Now()
				wantCode(t, unary(t.Context(), ch, tt.opts...), status.OK)
				if d := time.Since(began); d != took {
					t.Errorf("a call took %v, want %v", d, took)
				}
			}
			if err := ch.WaitReady(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// blocking registers a handler that waits for the call's end, and counts.
func blocking(served *int) func(*yodel.Server) {
	return func(s *yodel.Server) {
		s.Register(yodel.UnaryRoute(echoMethod, newStr, func(ctx context.Context, _ *str) (*str, error) {
			*served++
			<-ctx.Done()
			return nil, ctx.Err()
		}))
	}
}

// Calls that have left early end with their connection: they are not made again,
// since the server may have acted on them.
func TestEarlyCallsFail(t *testing.T) {
	bubble(t, "the connection is none", func(t *testing.T) {
		served := 0
		lis, _ := serveInproc(t, yodel.ServerConfig{}, blocking(&served))
		ch := newChannel(t, "a:1", yodel.ChannelConfig{Dialer: provenLater(lis, errTestDone)})
		began := time.Now()
		wantCode(t, unary(t.Context(), ch), status.Unavailable, errTestDone.Error())
		if d := time.Since(began); d != proof || served != 1 {
			t.Errorf("it took %v, the server was asked %d times", d, served)
		}
		synctest.Wait()
		wantCode(t, unary(t.Context(), ch), status.Unavailable, "no connection to a:1")
	})
	bubble(t, "the deadline", func(t *testing.T) {
		end := make(chan struct{})
		defer close(end)
		ch := newChannel(t, "a:1", yodel.ChannelConfig{Dialer: provenLater(rawServer(t, func(transport.Stream) { <-end }), nil)})
		for _, early := range []bool{true, false} {
			ctx, cancel := context.WithTimeout(t.Context(), proof/2)
			err := unary(ctx, ch)
			cancel()
			wantCode(t, err, status.DeadlineExceeded, "while the call was in flight")
			if said := strings.Contains(err.Error(), "said nothing yet on the new connection"); said != early {
				t.Errorf("the error is %q", err)
			}
			if err := ch.WaitReady(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
	bubble(t, "the channel is closed", func(t *testing.T) {
		lis, _ := serveInproc(t, yodel.ServerConfig{}, blocking(new(int)))
		ch := newChannel(t, "a:1", yodel.ChannelConfig{Dialer: provenLater(lis, nil)})
		time.AfterFunc(proof/2, func() { _ = ch.Close() })
		began := time.Now()
		wantCode(t, unary(t.Context(), ch), status.Canceled, "closed")
		if d := time.Since(began); d != proof/2 {
			t.Errorf("it took %v", d)
		}
	})
	bubble(t, "the server leaves", func(t *testing.T) {
		lis, stop := serveInproc(t, yodel.ServerConfig{}, registerEcho)
		dials := 0
		ch := newChannel(t, "a:1", yodel.ChannelConfig{Dialer: dialFunc(func(ctx context.Context, e transport.Endpoint, events transport.ConnEvents) (transport.Conn, error) {
			if dials++; dials > 1 {
				return refused(ctx, e, events)
			}
			conn, err := lis.Dial(ctx, e, events, 0)
			stop() // before a call can be made
			events.ConnOpen(conn)
			return conn, errors.Join(err, prove(ctx))
		})})
		began := time.Now()
		wantCode(t, unary(t.Context(), ch), status.Unavailable, "connection refused")
		if d := time.Since(began); d < proof {
			t.Errorf("it took %v: nobody has waited for the attempt to end", d)
		}
	})
}
