package http2_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodelrpc/yodel/transport"
	"github.com/yodelrpc/yodel/transport/http2"
)

// woken is a client's call whose receiver has been woken for its end, and which
// has not closed its stream, the state in which other callers may leave what they
// send to it. It returns the function that closes it.
func woken(c *dialed, awaitsEnd bool, body string) (closeIt func()) {
	ctx := context.Background()
	s, err := c.conn.Open(ctx, &transport.Outgoing{Header: &transport.Header{Block: requestBlock}, End: true, AwaitsEnd: awaitsEnd})
	if err != nil {
		c.t.Fatal(err)
	}
	got := make(chan error, 1)
	go func() {
		_, _, err := s.Await(ctx, everything)
		got <- err
	}()
	c.want("HEADERS 1", "HEADERS 1 POST END")
	synctest.Wait()
	c.write(answer(1, body))
	if err := <-got; err != nil {
		c.t.Fatal(err)
	}
	synctest.Wait()
	return s.Close
}

// arrives reads frames until the request of stream 3 is among them, and returns
// whether it comes at once.
func (c *dialed) arrives() bool {
	c.t.Helper()
	synctest.Wait()
	for {
		h, _, err := c.next(time.Millisecond)
		if err != nil {
			return false
		}
		if h.StreamID == 3 {
			return true
		}
	}
}

// TestReturningCallers would break if a request was held back for a caller that
// has not said that it is about to return, or was not sent when that one did.
func TestReturningCallers(t *testing.T) {
	next := func(c *dialed, size int) transport.Stream {
		s, err := c.conn.Open(context.Background(), &transport.Outgoing{
			Header: &transport.Header{Block: requestBlock}, Data: make([]byte, size), End: true, AwaitsEnd: true,
		})
		if err != nil {
			c.t.Fatal(err)
		}
		return s
	}
	for _, tt := range []struct {
		name      string
		awaitsEnd bool
		body      string
		size      int // of the next request
		heldBack  bool
	}{
		{"no promise", false, "x", 1, false},
		{"a promise", true, "x", 1, true},
		{"an answer that takes time to decode", true, strings.Repeat("x", 4<<10+1), 1, false},
		{"a request worth a write of its own", true, "x", 8<<10 - 1, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			clientScript(t, http2.Config{}, func(c *dialed) {
				closeIt := woken(c, tt.awaitsEnd, tt.body)
				defer next(c, tt.size).Close()
				if c.arrives() == tt.heldBack {
					t.Errorf("the next caller's request is held back: %v, want %v", !tt.heldBack, tt.heldBack)
				}
				closeIt()
				if tt.heldBack && !c.arrives() {
					t.Error("the next caller's request is held back after the first has returned")
				}
			})
		})
	}
	t.Run("the next frame", func(t *testing.T) {
		clientScript(t, http2.Config{}, func(c *dialed) {
			defer woken(c, true, "x")()
			defer next(c, 1).Close()
			if c.arrives() {
				t.Fatal("the request is not held back")
			}
			c.write(ping("12345678"))
			if !c.arrives() {
				t.Error("the request is held back beyond the reader's turn")
			}
		})
	})
}

// TestWokenReceivers would break if what one of several receivers sends did not wait
// for the others that have been woken with it, or waited for longer, or without
// limit.
func TestWokenReceivers(t *testing.T) {
	clientScript(t, http2.Config{}, func(c *dialed) {
		first, err := c.open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer first.Close()
		synctest.Wait()
		resume := []func(){http2.HoldWoken(c.conn), http2.HoldWoken(c.conn)}
		second, err := c.conn.Open(t.Context(), &transport.Outgoing{Header: &transport.Header{Block: requestBlock}})
		if err != nil {
			t.Fatal(err)
		}
		defer second.Close()
		if c.arrives() {
			t.Error("a request does not wait for the others")
		}
		resume[0]()
		if c.arrives() {
			t.Error("a request does not wait for all others")
		}
		resume[1]()
		if !c.arrives() {
			t.Error("a request is held back when all run")
		}
		resume[0] = http2.HoldWoken(c.conn)
		if err := second.Send(t.Context(), &transport.Outgoing{Data: make([]byte, 4<<10), End: true}); err != nil {
			t.Fatal(err)
		}
		if !c.arrives() {
			t.Error("much data is held back")
		}
		resume[0]()
	})
}
