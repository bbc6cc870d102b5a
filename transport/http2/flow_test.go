package http2_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yodelrpc/yodel/transport"
	"github.com/yodelrpc/yodel/transport/http2"
)

// TestChunks would break if anything depended on how the network cuts the bytes:
// one at a time, or in random pieces (G13).
func TestChunks(t *testing.T) {
	for _, most := range []int{1, 64, 5000} {
		t.Run(strconv.Itoa(most), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				l := newPipeListener(pipeSize)
				seed := uint64(0)
				l.wrap = func(nc *pipeEnd) net.Conn { seed++; return newChunked(nc, most, seed) }
				p := newBubblePair(t, l, handlerFunc(func(s transport.Stream, h *transport.Header) {
					if _, ok := h.Get("duplex"); ok {
						duplex(s, h)
						return
					}
					echo(s, h)
				}), http2.Config{}, http2.Config{})
				for _, size := range []int{0, 1, 5, 1000, 16384, 16385, 70_000} {
					body := strings.Repeat("abcdefg", size/7+1)[:size]
					if r := callNow(context.Background(), p.conn, body); r.err != nil || r.data != body || r.status != 200 || r.result != "ok" {
						t.Errorf("%d bytes: %d back, %v", size, len(r.data), r.err)
					}
				}
				s, err := p.conn.Open(context.Background(), &transport.Outgoing{Header: &transport.Header{
					Block: requestBlock, More: []transport.Field{{Name: "duplex", Value: "1"}},
				}})
				if err != nil {
					t.Fatal(err)
				}
				for i := range 200 {
					want := fmt.Sprintf("message %d", i)
					if err := s.Send(context.Background(), &transport.Outgoing{Data: []byte(want), End: i == 199}); err != nil {
						t.Fatal(err)
					}
					got, _, err := s.Await(context.Background(), func([]byte) int { return len(want) })
					if err != nil || string(got[:len(want)]) != want {
						t.Fatalf("got %q, %v, want %q", got, err, want)
					}
					s.Discard(len(want))
				}
				if rest, ended, err := s.Await(context.Background(), everything); len(rest) > 0 || !ended || err != nil {
					t.Errorf("at the end: %q, %v, %v", rest, ended, err)
				}
				s.Close()
				p.close()
			})
		})
	}
}

// TestRandomTraffic plays random streams between two of our ends, whose windows,
// queues, pipes and pieces are random too: every byte arrives, once and in
// order, nothing hangs and nothing is left.
func TestRandomTraffic(t *testing.T) {
	rounds := 40
	if testing.Short() {
		rounds = 5
	}
	for seed := range uint64(rounds) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 7))
			size := func(most int) int { return 1 + rnd.IntN(1<<(1+rnd.IntN(most))) }
			config := func() http2.Config {
				return http2.Config{
					StreamWindow: size(17), ConnWindow: size(18), MaxUnread: size(18), MaxQueued: size(16),
					Limits: http2.Limits{ConcurrentStreams: 1 + rnd.IntN(20), RunningHandlers: 1 + rnd.IntN(20), ResetBurst: -1, GlitchBurst: -1},
				}
			}
			bubble(t, func(t *testing.T) {
				l := newPipeListener(16 + size(15))
				if seed%3 == 0 {
					most := size(9)
					n := seed
					l.wrap = func(nc *pipeEnd) net.Conn { n++; return newChunked(nc, most, n) }
				}
				p := newBubblePair(t, l, handlerFunc(duplex), config(), config())
				var group sync.WaitGroup
				for range 1 + rnd.IntN(20) {
					bytes := rnd.IntN(1 << rnd.IntN(17))
					if bytes == 0 {
						bytes = 1
					}
					giveUp := rnd.IntN(4) == 0
					group.Go(func() {
						if giveUp {
							ctx, cancel := context.WithTimeout(context.Background(), time.Duration(bytes))
							defer cancel()
							_ = callNow(ctx, p.conn, strings.Repeat("x", bytes))
							return
						}
						// A server that has no handler for it may refuse what came.
						var te *transport.Error
						if err := pump(p.conn, bytes); err != nil && !(errors.As(err, &te) && te.Reason == transport.ReasonRefused) {
							t.Error(err)
						}
					})
				}
				group.Wait()
				if b := http2.BooksOf(p.conn); b.Unread != 0 || b.Streams != 0 || b.Blocked != 0 || b.Active != 0 {
					t.Errorf("afterwards: %+v", b)
				}
				p.close()
			})
		})
	}
}

// TestCuts ends a connection at every byte of a session, in each direction and
// in three ways: every call ends, with an error or with all of its data, never
// with a part of it (G12).
func TestCuts(t *testing.T) {
	const body = "a request that is not very long"
	var near, far *pipeEnd
	session := func(t *testing.T, prepare func(near, far *pipeEnd)) (first, second result) {
		bubble(t, func(t *testing.T) {
			l := newPipeListener(pipeSize)
			l.onPipe = func(a, b *pipeEnd) {
				near, far = a, b
				prepare(a, b)
			}
			lis := http2.NewListener(l, http2.ListenerConfig{})
			served := make(chan error, 1)
			go func() { served <- lis.Serve(handlerFunc(echo)) }()
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			d := &http2.Dialer{DialContext: l.dial}
			conn, err := d.Dial(ctx, transport.Endpoint{}, ignoreEvents{}, 0)
			first, second = result{err: err}, result{err: err}
			if err == nil {
				first = callNow(ctx, conn, body)
				second = callNow(ctx, conn, body+body)
				conn.Close(net.ErrClosed)
				<-conn.Done()
				if b := http2.BooksOf(conn); b.Streams+b.Active+b.FlushWaiters+b.Queued > 0 {
					t.Errorf("the connection still has %+v", b)
				}
			}
			lis.Close(net.ErrClosed)
			if err := <-served; err != nil {
				t.Errorf("Serve: %v", err)
			}
		})
		return first, second
	}
	judge := func(t *testing.T, what string, r result, want string) (ok bool) {
		if r.err != nil {
			return false
		}
		if r.status != 200 || r.data != want || r.result != "ok" {
			t.Errorf("%s: a call ended well with %v", what, r)
		}
		return true
	}
	first, second := session(t, func(a, b *pipeEnd) { a.in.record, b.in.record = true, true })
	if !judge(t, "whole", first, body) || !judge(t, "whole", second, body+body) {
		t.Fatalf("the session fails whole: %v, %v", first.err, second.err)
	}
	lengths := map[string]int{"to the server": len(far.in.passed), "to the client": len(near.in.passed)}
	for direction, n := range lengths {
		if n < 100 {
			t.Fatalf("%s only %d bytes passed", direction, n)
		}
		for _, how := range []string{"cut", "end", "stall"} {
			t.Run(direction+", "+how, func(t *testing.T) {
				good := 0
				for at := range n {
					first, second := session(t, func(a, b *pipeEnd) {
						from := b
						if direction == "to the server" {
							from = a
						}
						from.out.left = max(at, 0)
						var once sync.Once
						from.out.onBreak = func() {
							once.Do(func() {
								switch how {
								case "cut":
									from.cut()
								case "end":
									_ = from.CloseWrite()
								case "stall":
									from.out.stall()
								}
							})
						}
					})
					if judge(t, fmt.Sprintf("byte %d", at), first, body) {
						good++
					}
					judge(t, fmt.Sprintf("byte %d", at), second, body+body)
				}
				if good == 0 {
					t.Error("no cut was late enough for the first call")
				}
			})
		}
	}
}

// stall lets nothing through any more, without a word.
func (h *half) stall() {
	h.mu.Lock()
	h.left, h.size = -1, 0
	h.mu.Unlock()
}

// TestHalfClose (R34) would break if an answer were lost because the client has
// closed its writing side, or the other way round.
func TestHalfClose(t *testing.T) {
	serverScript(t, http2.Config{}, slowEcho, func(s *served) {
		s.write(headers(1, request(), 0), data(1, "x", fEnd))
		_ = s.end.CloseWrite()
		got := s.until("no such frame")
		if !strings.HasSuffix(got, "closed") {
			t.Errorf("the client saw %s", got)
		}
	})
	clientScript(t, http2.Config{}, func(c *dialed) {
		got := call(c.conn, "x")
		c.until("DATA")
		c.write(answer(1, "early"))
		_ = c.end.CloseWrite()
		if r := <-got; r.err != nil || r.data != "early" {
			t.Error(r)
		}
	})
}

// TestTrailerWithoutBlock sends trailers whose fields are all in More.
func TestTrailerWithoutBlock(t *testing.T) {
	serverScript(t, http2.Config{}, func(s transport.Stream, _ *transport.Header) {
		_ = s.Send(context.Background(), &transport.Outgoing{
			Header:  &transport.Header{Block: responseBlock},
			Trailer: &transport.Header{More: []transport.Field{{Name: "a", Value: "b"}}},
		})
		s.Close()
	}, func(s *served) {
		s.write(get(1))
		s.want("HEADERS 1 trailers", answered(1))
	})
}

// TestCancels (R32, G9) would break if a call that is given up, at any point of
// its life, left something behind.
func TestCancels(t *testing.T) {
	n := 10_000
	if testing.Short() {
		n = 1000
	}
	var mu sync.Mutex
	conns := make(map[transport.Conn]bool)
	cfg := http2.Config{StreamWindow: 5000, Limits: http2.Limits{ResetBurst: -1}}
	bubble(t, func(t *testing.T) {
		p := newBubblePair(t, newPipeListener(pipeSize), handlerFunc(func(s transport.Stream, h *transport.Header) {
			mu.Lock()
			conns[s.Conn()] = true
			mu.Unlock()
			switch v, _ := h.Get("then"); v {
			case "answer":
				_ = s.Send(context.Background(), &transport.Outgoing{Header: &transport.Header{Block: responseBlock}, Data: make([]byte, 1000)})
				blockUntilReset(s, h)
			case "wait":
				blockUntilReset(s, h)
			case "sleep": // reads nothing
				time.Sleep(time.Second) // virtual
				s.Close()
			default:
				echo(s, h)
			}
		}), cfg, http2.Config{})
		open := func(ctx context.Context, then string, body int, end bool) transport.Stream {
			s, err := p.conn.Open(ctx, &transport.Outgoing{
				Header: &transport.Header{Block: requestBlock, More: []transport.Field{{Name: "then", Value: then}}},
				Data:   make([]byte, body), End: end,
			})
			if err != nil {
				if ctx.Err() == nil {
					t.Fatal(err)
				}
				return nil
			}
			return s
		}
		kinds := []func(ctx context.Context, cancel func()){
			func(ctx context.Context, cancel func()) { // before the stream is open
				cancel()
				if s := open(ctx, "wait", 0, false); s != nil {
					s.Close()
				}
			},
			func(ctx context.Context, cancel func()) { // before headers
				s := open(ctx, "wait", 10, false)
				time.AfterFunc(time.Millisecond, cancel)
				if _, err := s.Header(ctx); err == nil {
					t.Error("Header returned after the cancel")
				}
				s.Close()
			},
			func(ctx context.Context, cancel func()) { // in mid-answer
				s := open(ctx, "answer", 10, false)
				if _, err := s.Header(ctx); err != nil {
					t.Fatal(err)
				}
				time.AfterFunc(time.Millisecond, cancel)
				if _, _, err := s.Await(ctx, everything); err == nil {
					t.Error("Await returned after the cancel")
				}
				s.Close()
			},
			func(ctx context.Context, cancel func()) { // blocked on flow control
				s := open(ctx, "sleep", 10, false)
				time.AfterFunc(time.Millisecond, cancel)
				if err := s.Send(ctx, &transport.Outgoing{Data: make([]byte, 6000)}); err == nil {
					t.Error("Send returned after the cancel")
				}
				s.Close()
			},
			func(ctx context.Context, cancel func()) { // after END_STREAM
				s := open(ctx, "wait", 10, true)
				time.AfterFunc(time.Millisecond, cancel)
				<-ctx.Done()
				s.Reset(transport.ReasonCanceled)
				s.Close()
			},
			func(ctx context.Context, cancel func()) { // after the answer
				s := open(ctx, "", 10, true)
				if _, _, err := s.Await(ctx, everything); err != nil {
					t.Error(err)
				}
				cancel()
				s.Close()
			},
		}
		for i := range n {
			ctx, cancel := context.WithCancel(context.Background())
			kinds[i%len(kinds)](ctx, cancel)
			cancel()
		}
		time.Sleep(10 * time.Second)
		check := func(who string, conn transport.Conn) {
			if b := http2.BooksOf(conn); b != (http2.Books{Held: b.Held}) || b.Held > 1<<16 {
				t.Errorf("%s has %+v", who, b)
			}
		}
		check("the client", p.conn)
		mu.Lock()
		for conn := range conns {
			check("the server", conn)
		}
		mu.Unlock()
		body := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
		if r := callNow(context.Background(), p.conn, string(body)); r.err != nil || r.data != string(body) {
			t.Errorf("after %d cancels 16 MiB came back as %d, %v", n, len(r.data), r.err)
		}
		p.close()
	})
}
