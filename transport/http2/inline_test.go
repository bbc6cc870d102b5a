package http2_test

import (
	"context"
	"errors"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodelrpc/yodel/transport"
	"github.com/yodelrpc/yodel/transport/http2"
)

const (
	// stewardTime is how long a handler may keep a server's reader.
	stewardTime = 5 * time.Millisecond
	hold        = "hold" // the :authority of calls that are not answered soon
)

// ask is a whole request for one of the ways in which holding answers.
func ask(id uint32, authority string) []byte {
	return headers(id, fields(":method", "POST", ":scheme", "http", ":path", "/test/Echo", ":authority", authority), fEnd)
}

// holding is an echo that lets calls for hold wait an hour, or until release is
// closed.
func holding(release <-chan struct{}) handlerFunc {
	return func(s transport.Stream, h *transport.Header) {
		if h.Block.Authority == hold {
			select {
			case <-release:
			case <-time.After(time.Hour):
			}
		}
		echo(s, h)
	}
}

// heldScript runs a script against a server with holding in a bubble.
func heldScript(t *testing.T, cfg http2.Config, script func(s *served, release chan struct{})) {
	t.Helper()
	bubble(t, func(t *testing.T) {
		release := make(chan struct{})
		s := serve(t, cfg, holding(release)).hello()
		defer func() { _ = s.close() }()
		s.wantOutcome("alive")
		defer func() {
			select {
			case <-release:
			default:
				close(release)
			}
			synctest.Wait()
		}()
		script(s, release)
	})
}

// took runs f, and returns the virtual time that passed.
func took(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

// TestInlineHandlerHoldsUp would break if a handler that does not return kept
// its connection's reader, and with it the calls beside it, those after it, or
// the answers of those before it.
func TestInlineHandlerHoldsUp(t *testing.T) {
	for _, tt := range []struct {
		name string
		cfg  http2.Config
		most time.Duration
	}{
		{"inline", http2.Config{}, stewardTime},
		{"not inline", http2.Config{NoInline: true}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			check := func(what string, d time.Duration) {
				t.Helper()
				if d > tt.most || tt.most > 0 && d == 0 {
					t.Errorf("%s came after %v, want %v", what, d, tt.most)
				}
			}
			heldScript(t, tt.cfg, func(s *served, _ chan struct{}) {
				s.write(join(get(1), ask(3, hold)))
				check("the answer to the call before", took(func() { s.want("HEADERS 1 trailers", answered(1)) }))
			})
			heldScript(t, tt.cfg, func(s *served, _ chan struct{}) {
				s.write(join(ask(1, hold), get(3)))
				check("the answer to the call beside it", took(func() { s.want("HEADERS 3 trailers", answered(3)) }))
			})
			heldScript(t, tt.cfg, func(s *served, release chan struct{}) {
				s.write(ask(1, hold))
				synctest.Wait()
				s.write(get(3))
				check("the answer to a later call", took(func() { s.want("HEADERS 3 trailers", answered(3)) }))
				if d := took(func() {
					s.write(get(5))
					s.want("HEADERS 5 trailers", answered(5))
				}); d != 0 {
					t.Errorf("the answer to the call after that came after %v", d)
				}
				close(release)
				s.want("HEADERS 1 trailers", answered(1))
				s.wantOutcome("alive")
			})
		})
	}
}

// TestInlineHandlersHoldUpOnce would break if a connection whose handlers block
// one after the other did not stop lending them its reader.
func TestInlineHandlersHoldUpOnce(t *testing.T) {
	heldScript(t, http2.Config{}, func(s *served, _ chan struct{}) {
		total := took(func() {
			for id := uint32(1); id < 40; id += 4 {
				s.write(ask(id, hold))
				synctest.Wait()
				s.write(get(id + 2))
				s.want("HEADERS", strings.Split(answered(id+2), ";")[0])
				s.until("HEADERS")
			}
		})
		// The first stall is forgiven; the second one begins while the steward is
		// watching already, and so may take twice as long.
		if total > 3*stewardTime {
			t.Errorf("10 handlers that block held up the connection for %v, want %v", total, 3*stewardTime)
		}
	})
}

// TestInlineSteward would break if the steward forgot a handler that began while
// it was watching others.
func TestInlineSteward(t *testing.T) {
	heldScript(t, http2.Config{}, func(s *served, _ chan struct{}) {
		s.write(get(1))
		s.want("HEADERS 1 trailers", answered(1))
		time.Sleep(stewardTime / 2) // virtual
		s.write(join(ask(3, hold), get(5)))
		if d := took(func() { s.want("HEADERS 5 trailers", answered(5)) }); d == 0 || d > 2*stewardTime {
			t.Errorf("the answer came after %v, want less than twice %v", d, stewardTime)
		}
	})
}

// TestInlineGoexit would break if a handler that ends its goroutine took its
// connection's reader with it, its slot, or the calls behind it.
func TestInlineGoexit(t *testing.T) {
	conns := make(chan transport.Conn, 100)
	serverScript(t, http2.Config{Limits: http2.Limits{RunningHandlers: 1}}, func(s transport.Stream, h *transport.Header) {
		conns <- s.Conn()
		if h.Block.Authority != "exit" {
			echo(s, h)
			return
		}
		defer s.Close()
		runtime.Goexit()
	}, func(s *served) {
		s.wantOutcome("alive")
		for id := uint32(1); id < 60; id += 6 {
			if d := took(func() {
				s.write(join(get(id), ask(id+2, "exit"), get(id+4)))
				s.wantOutcome(answered(id) + "; RST " + itoa(id+2) + " CANCEL; " + answered(id+4) + "; alive")
			}); d != 0 {
				t.Errorf("a handler that ended its goroutine held up the connection for %v", d)
			}
		}
		synctest.Wait()
		if b := http2.BooksOf(<-conns); b != (http2.Books{}) {
			t.Errorf("at the end the connection has %+v", b)
		}
	})
}

func itoa(id uint32) string { return strconv.Itoa(int(id)) }

// TestInlineHandlerWaits would break if a handler that waits for its peer kept
// the peer's frames from being read.
func TestInlineHandlerWaits(t *testing.T) {
	t.Run("for the stream's window", func(t *testing.T) {
		serverScript(t, http2.Config{}, echo, func(s *served) {
			s.write(settings(4, 10))
			s.wantOutcome("alive")
			if d := took(func() {
				s.write(join(opened(1), data(1, strings.Repeat("x", 50), fEnd)))
				s.wantOutcome("HEADERS 1 200; DATA 1 10; alive")
				s.write(join(opened(3), data(3, "x", fEnd)))
				s.want("HEADERS 3 trailers", "HEADERS 3 200; DATA 3 1; HEADERS 3 trailers END")
				s.write(window(1, 100))
				s.want("HEADERS 1 trailers", "DATA 1 40; HEADERS 1 trailers END")
			}); d != 0 {
				t.Errorf("it took %v", d)
			}
		})
	})
	t.Run("for the connection's window", func(t *testing.T) {
		serverScript(t, http2.Config{}, func(s transport.Stream, h *transport.Header) {
			_ = s.Send(context.Background(), &transport.Outgoing{
				Header: &transport.Header{Block: responseBlock}, Data: make([]byte, 70_000),
				Trailer: &transport.Header{Block: trailerBlock},
			})
			s.Close()
		}, func(s *served) {
			s.write(settings(4, 1<<20))
			s.wantOutcome("alive")
			if d := took(func() {
				s.write(get(1))
				s.outcome()
				s.write(window(0, 10_000))
				s.until("HEADERS 1 trailers")
			}); d != 0 || s.received[1] != 70_000 {
				t.Errorf("%d bytes took %v", s.received[1], d)
			}
		})
	})
	t.Run("for the socket", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			second := make(chan time.Time, 1)
			s := serveSized(t, http2.Config{}, func(s transport.Stream, h *transport.Header) {
				defer s.Close()
				if h.Block.Authority == "second" {
					second <- time.Now()
					return
				}
				_ = s.Send(context.Background(), &transport.Outgoing{
					Header: &transport.Header{Block: responseBlock}, Data: make([]byte, 50_000), End: true,
				})
			}, 1000).hello()
			defer func() { _ = s.close() }()
			s.wantOutcome("alive")
			start := time.Now()
			s.write(get(1))
			synctest.Wait()
			s.write(ask(3, "second")) // although the client does not read
			if at := <-second; at != start {
				t.Errorf("the second call was seen after %v", at.Sub(start))
			}
			s.until("silence")
			if s.received[1] != 50_000 {
				t.Errorf("%d bytes came, want 50000", s.received[1])
			}
		})
	})
}

// counted counts the writes of a pipe's end.
type counted struct {
	*pipeEnd
	writes atomic.Int64
}

func (c *counted) Write(b []byte) (int, error) {
	c.writes.Add(1)
	return c.pipeEnd.Write(b)
}

// TestAnswersLeaveTogether would break if calls that arrive together were not
// answered together: each write costs more than a small call.
func TestAnswersLeaveTogether(t *testing.T) {
	for _, calls := range []int{1, 10, 40} { // 40 take two turns
		bubble(t, func(t *testing.T) {
			near, far := newPipe(pipeSize)
			end := &counted{pipeEnd: far}
			s := &served{peer: newPeer(t, near), end: near, done: make(chan error, 1), stop: func() {}}
			go func() {
				s.done <- http2.ServeConn(context.Background(), end, http2.ListenerConfig{}, handlerFunc(echo))
			}()
			defer func() { _ = s.close() }()
			s.hello().wantOutcome("alive")
			before := end.writes.Load()
			var burst []byte
			var want []string
			for i := range calls {
				id := uint32(2*i + 1)
				burst = append(burst, get(id)...)
				want = append(want, answered(id))
			}
			s.write(burst)
			s.want("HEADERS "+itoa(uint32(2*calls-1))+" trailers", strings.Join(want, "; "))
			if n, want := end.writes.Load()-before, int64(calls+31)/32; n > want { // one a turn
				t.Errorf("%d calls that came together were answered in %d writes, want %d at most", calls, n, want)
			}
		})
	}
}

// TestInlineHandlerAtTheEnd would break if a connection could not end because of
// a handler on its reader.
func TestInlineHandlerAtTheEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		release, began := make(chan struct{}), make(chan struct{})
		p := newBubblePair(t, newPipeListener(pipeSize), handlerFunc(func(s transport.Stream, h *transport.Header) {
			close(began)
			<-release
			echo(s, h)
		}), http2.Config{}, http2.Config{})
		got := call(p.conn, "x")
		<-began
		time.Sleep(2 * stewardTime) // virtual; the reader's role has been handed over
		start := time.Now()
		p.lis.Close(errors.New("closed"))
		if r := <-got; r.err == nil {
			t.Errorf("the call ended with %v", r)
		}
		p.close()
		if d := time.Since(start); d > 2*time.Second {
			t.Errorf("closing took %v while a handler is running", d)
		}
		close(release)
	})
}

// TestLateEndIsSent would break if the end of a stream, whose handler has lost the reader's
// role and returns without an answer, stayed until something else is written.
func TestLateEndIsSent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		release := make(chan struct{})
		s := serve(t, http2.Config{}, handlerFunc(func(st transport.Stream, h *transport.Header) {
			if h.Block.Authority == hold {
				<-release
				return
			}
			echo(st, h)
		})).hello()
		defer func() { _ = s.close() }()
		s.wantOutcome("alive")
		s.write(ask(1, hold))
		synctest.Wait()
		s.write(get(3)) // somebody else reads from here on
		s.want("HEADERS 3 trailers", answered(3))
		s.wantOutcome("alive")
		if d := took(func() {
			close(release)
			s.want("RST", "RST 1 CANCEL")
		}); d != 0 {
			t.Errorf("the end came after %v", d)
		}
	})
}
