package http2_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/yodelrpc/yodel/internal/frame"
	"github.com/yodelrpc/yodel/transport"
	"github.com/yodelrpc/yodel/transport/http2"
)

// ordered makes a call that the caller awaits at once.
func ordered(ctx context.Context, conn transport.Conn, header *transport.Header, data []byte) (transport.Stream, error) {
	return conn.Open(ctx, &transport.Outgoing{Header: header, Data: data, End: true, AwaitsEnd: true, Demand: everything})
}

// place makes such a call, of body, in the background, and sends what came of it.
func place(ctx context.Context, conn transport.Conn, body string) <-chan string {
	got := make(chan string, 1)
	go func() { got <- placeNow(ctx, conn, body) }()
	return got
}

func placeNow(ctx context.Context, conn transport.Conn, body string) string {
	s, err := ordered(ctx, conn, &transport.Header{Block: requestBlock}, []byte(body))
	if err == nil {
		defer s.Close()
		var b []byte
		if b, _, err = s.Await(ctx, everything); err == nil {
			return string(b)
		}
	}
	if te, ok := errors.AsType[*transport.Error](err); ok && te.Unprocessed {
		return "unprocessed"
	}
	return err.Error()
}

// TestOrders would break if a call that is left to be opened by others was lost when it
// cannot be opened as it is: it waits for what others wait for, or says why not.
func TestOrders(t *testing.T) {
	for _, tt := range []struct {
		name     string
		settings []uint32
		body     string
		// before happens when the call has been left, and after when the caller for whom
		// it was left is through.
		before, after func(c *dialed, cancel context.CancelFunc)
		want          string // what the peer sees
		result        string
	}{
		{"no body", nil, "", nil, func(c *dialed, _ context.CancelFunc) {
			c.want("HEADERS 3", "HEADERS 3 POST END")
			c.write(answer(3, "y"))
		}, "", "y"},
		{"a body", nil, "abc", nil, func(c *dialed, _ context.CancelFunc) {
			c.want("DATA", "HEADERS 3 POST; DATA 3 3 END")
			c.write(answer(3, "y"))
		}, "", "y"},
		{"the peer allows no more streams", []uint32{3, 0}, "a", nil, func(c *dialed, _ context.CancelFunc) {
			c.write(settings(3, 1))
			c.want("DATA", "HEADERS 3 POST; DATA 3 1 END")
			c.write(answer(3, "y"))
		}, "", "y"},
		{"the stream's window", []uint32{4, 2}, "abc", nil, func(c *dialed, _ context.CancelFunc) {
			c.want("DATA", "HEADERS 3 POST; DATA 3 2")
			c.write(window(3, 1))
			c.want("DATA", "DATA 3 1 END")
			c.write(answer(3, "y"))
		}, "", "y"},
		{"a header section that is too large", []uint32{6, 10}, "a", nil, nil, "", "the header section has"},
		{"GOAWAY", nil, "a", func(c *dialed, _ context.CancelFunc) { c.write(goAway(1, frame.CodeNo)) }, nil, "", "unprocessed"},
		{"Drain", nil, "a", func(c *dialed, _ context.CancelFunc) { c.conn.Drain() }, nil, "", "unprocessed"},
		{"a connection error", nil, "a", func(c *dialed, _ context.CancelFunc) { c.write(data(0, "x", 0)) }, nil, "GOAWAY 0 PROTOCOL_ERROR", "unprocessed"},
		{"the connection's end", nil, "a", func(c *dialed, _ context.CancelFunc) { _ = c.nc.Close() }, nil, "", "unprocessed"},
		{"Close", nil, "a", func(c *dialed, _ context.CancelFunc) { c.conn.Close(errors.New("enough")) }, nil, "GOAWAY 0 NO_ERROR", "unprocessed"},
		{"the context's end", nil, "a", func(_ *dialed, cancel context.CancelFunc) { cancel() }, nil, "", "unprocessed"},
		{"the context's end while waiting for a stream", []uint32{3, 0}, "a", nil, func(_ *dialed, cancel context.CancelFunc) { cancel() }, "", "unprocessed"},
		{"the context's end when it is open", nil, "a", nil, func(c *dialed, cancel context.CancelFunc) {
			c.want("DATA", "HEADERS 3 POST; DATA 3 1 END")
			cancel()
		}, "RST 3 CANCEL", "canceled"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			clientScript(t, http2.Config{}, func(c *dialed) {
				closeIt := woken(c, true, "x")
				c.write(settings(tt.settings...))
				synctest.Wait()
				c.outcome()
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				got := place(ctx, c.conn, tt.body)
				synctest.Wait()
				if h, _, err := c.next(1); err == nil {
					t.Errorf("%v was sent before the others were through", h)
				}
				if tt.before != nil {
					tt.before(c, cancel)
					synctest.Wait()
				}
				closeIt()
				synctest.Wait()
				if tt.after != nil {
					tt.after(c, cancel)
				}
				if tt.want != "" {
					c.want(tt.want[:strings.IndexAny(tt.want, " ")], tt.want)
				}
				if r := <-got; !strings.Contains(r, tt.result) {
					t.Errorf("the result is %q, want %q", r, tt.result)
				}
				synctest.Wait()
				if b := http2.BooksOf(c.conn); b.Streams+b.Active+b.Openings+b.Woken != 0 {
					t.Errorf("afterwards: %+v", b)
				}
			})
		})
	}
}

// TestOrderWorthAWrite would break if what callers have left waited for the last of them
// however much it is.
func TestOrderWorthAWrite(t *testing.T) {
	clientScript(t, http2.Config{}, func(c *dialed) {
		defer woken(c, true, "x")()
		got := place(context.Background(), c.conn, strings.Repeat("a", 2<<10))
		c.want("DATA", "HEADERS 3 POST; DATA 3 2048 END")
		c.write(answer(3, "y"))
		if r := <-got; r != "y" {
			t.Errorf("the result is %q", r)
		}
	})
}

// TestClosedLater would break if streams that callers have left to be closed were not, or
// counted for what they still hold.
func TestClosedLater(t *testing.T) {
	for name, size := range map[string]int{"small": 1, "large header sections": 900} {
		t.Run(name, func(t *testing.T) {
			cfg := http2.Config{Limits: http2.Limits{HeaderMemory: 1500}}
			clientScript(t, cfg, func(c *dialed) {
				defer woken(c, true, "x")()
				for id := uint32(3); id < 9; id += 2 {
					s, err := c.conn.Open(context.Background(), &transport.Outgoing{
						Header: &transport.Header{Block: requestBlock}, End: true, AwaitsEnd: true,
					})
					if err != nil {
						t.Fatal(err)
					}
					c.write(join(headers(id, response(fmt.Sprint("x-", id), strings.Repeat("v", size)), 0), headers(id, trailers(), fEnd)))
					if _, _, err := s.Await(context.Background(), everything); err != nil {
						t.Errorf("stream %d: %v", id, err)
					}
					s.Close()
				}
				c.outcome()
				if http2.FreeOf(c.conn) == 0 {
					t.Error("no core has come back")
				}
			})
		})
	}
}

// TestManyOrders plays many calls at once, more than the peer allows, some of which are
// given up.
func TestManyOrders(t *testing.T) {
	cfg := http2.Config{Limits: http2.Limits{ConcurrentStreams: 50, ResetBurst: -1}}
	p := newPair(t, "tcp", handlerFunc(echo), cfg, http2.Config{})
	var group sync.WaitGroup
	for n := range 100 {
		group.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(n), 4))
			for i := range 100 {
				ctx, cancel := context.WithCancel(t.Context())
				giveUp := rnd.IntN(20) == 0
				if giveUp {
					go cancel()
				}
				text := fmt.Sprintf("%d %d %s", n, i, strings.Repeat("x", rnd.IntN(1<<rnd.IntN(14))))
				if got := placeNow(ctx, p.conn, text); got != text && !giveUp {
					t.Errorf("%.40q came back as %.40q", text, got)
				}
				cancel()
			}
		})
	}
	group.Wait()
	if b := http2.BooksOf(p.conn); b.Streams+b.Active+b.Openings+b.Woken+b.Unread != 0 {
		t.Errorf("afterwards: %+v", b)
	}
}

// TestOrderClosed would break if a call was opened that its caller does not want any
// more.
func TestOrderClosed(t *testing.T) {
	clientScript(t, http2.Config{}, func(c *dialed) {
		closeIt := woken(c, true, "x")
		s, err := ordered(context.Background(), c.conn, &transport.Header{Block: requestBlock}, nil)
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		closeIt()
		c.wantOutcome("alive")
	})
}

// TestOrderKeepsNothing would break if the connection read a request after Await has
// returned its response: by then it may be anything.
func TestOrderKeepsNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := dialSized(t, http2.Config{}, 1024)
		defer c.close()
		closeIt := woken(c, true, "x")
		body := []byte(strings.Repeat("a", 60_000))
		done := make(chan error, 1)
		go func() {
			s, err := ordered(context.Background(), c.conn, &transport.Header{Block: requestBlock}, body)
			if err == nil {
				_, _, err = s.Await(context.Background(), everything)
				s.Close()
			}
			clear(body)
			done <- err
		}()
		synctest.Wait()
		closeIt()
		synctest.Wait()
		c.write(answer(3, "y"))
		synctest.Wait()
		if got := c.dataOf(3, len(body)); got != strings.Repeat("a", len(body)) {
			t.Errorf("%d bytes arrived, not all of them as they were sent", len(got))
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
