package http2_test

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/yodelrpc/yodel/internal/frame"
	"github.com/yodelrpc/yodel/transport"
	"github.com/yodelrpc/yodel/transport/http2"
)

// sendX opens a stream with size bytes of x. scribble changes them afterwards.
func sendX(ctx context.Context, conn transport.Conn, size int) (sent chan error, scribble func()) {
	msg := bytes.Repeat([]byte("x"), size)
	sent = make(chan error, 1)
	go func() {
		s, err := conn.Open(ctx, &transport.Outgoing{
			Header: &transport.Header{Block: requestBlock}, Data: []byte("x"), Bulk: msg[1:], End: true,
		})
		if err == nil {
			s.Close()
		}
		sent <- err
	}()
	return sent, func() { copy(msg, bytes.Repeat([]byte("y"), size)) }
}

// TestSendKeepsNothing would break if the connection still read a caller's bytes
// after Send has returned, while they wait for a peer that does not read: they may
// be anything by then, and would reach the peer.
func TestSendKeepsNothing(t *testing.T) {
	const size = 8 << 20 // more than a socket takes
	windows := []uint32{4, 1 << 30}
	cfg := http2.Config{MaxQueued: 4 * size}
	for name, dial := range map[string]func(t *testing.T) *dialed{
		"socket": func(t *testing.T) *dialed { return dialSocket(t, cfg, windows...) },
		"pipe": func(t *testing.T) *dialed {
			c := dialSized(t, cfg, 100<<10, windows...)
			t.Cleanup(c.close)
			return c
		},
	} {
		for how, end := range map[string]func(c *dialed, cancel context.CancelFunc){
			"canceled": func(_ *dialed, cancel context.CancelFunc) { cancel() },
			"closed":   func(c *dialed, _ context.CancelFunc) { c.conn.Close(errors.New("enough")) },
		} {
			t.Run("being written/"+name+"/"+how, func(t *testing.T) {
				c := dial(t)
				c.write(window(0, 1<<30))
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				sent, scribble := sendX(ctx, c.conn, size)
				c.want("DATA", "HEADERS 1 POST; DATA 1 16384")
				end(c, cancel)
				if err := within(t, "Send", sent, patience); err == nil {
					t.Fatal("the message was sent, although the peer does not read")
				}
				scribble()
				onlyX(t, c.peer, 1)
			})
		}
		t.Run("queued behind another/"+name, func(t *testing.T) {
			c := dial(t)
			c.write(window(0, 1<<30))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			first, _ := sendX(t.Context(), c.conn, size)
			c.want("DATA", "HEADERS 1 POST; DATA 1 16384")
			sent, scribble := sendX(ctx, c.conn, size)
			for deadline := time.Now().Add(patience); http2.BooksOf(c.conn).Queued < size+size/2; runtime.Gosched() {
				if time.Now().After(deadline) {
					t.Fatalf("the books are %+v", http2.BooksOf(c.conn))
				}
			}
			cancel()
			if err := within(t, "Send", sent, patience); !errors.Is(err, context.Canceled) {
				t.Fatalf("Send returned %v", err)
			}
			scribble()
			onlyX(t, c.peer, 3)
			if err := within(t, "Send of the other", first, patience); err != nil {
				t.Error(err)
			}
		})
	}
}

// onlyX reads until the stream is reset or the connection ends, and fails at a byte
// of DATA that is not x.
func onlyX(t *testing.T, p *peer, id uint32) {
	t.Helper()
	for {
		h, payload, err := p.next(patience)
		if err != nil || h.Type == frame.TypeRSTStream && h.StreamID == id {
			return
		}
		if h.Type == frame.TypeData {
			if i := bytes.IndexFunc(payload, func(r rune) bool { return r != 'x' }); i >= 0 {
				t.Fatalf("byte %d of a DATA frame of stream %d is %q", i, h.StreamID, payload[i])
			}
		}
	}
}
