package http2_test

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodelrpc/yodel/internal/frame"
	"github.com/yodelrpc/yodel/transport"
	"github.com/yodelrpc/yodel/transport/http2"
)

// TestNothingIsParsedAfterTheEnd would break if a connection that has failed
// went on with what the peer still says: a handler would start on a stream that
// nobody ever ends (CVE-2026-27135's class).
func TestNothingIsParsedAfterTheEnd(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(s *served, conn *transport.Conn)
		want string
	}{
		{"SETTINGS timeout", func(s *served, _ *transport.Conn) { s.write([]byte(clientPreface), settings(), opened(1)) }, "GOAWAY 1 SETTINGS_TIMEOUT"},
		{"Close", func(s *served, conn *transport.Conn) {
			s.hello().write(opened(1))
			s.wantOutcome("alive")
			(*conn).Close(errors.New("enough"))
		}, "GOAWAY 1 NO_ERROR"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var calls atomic.Int32
				var conn transport.Conn
				s := serve(t, http2.Config{}, func(s transport.Stream, _ *transport.Header) {
					calls.Add(1)
					conn = s.Conn()
					ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
					defer cancel()
					_, _, err := s.Await(ctx, everything)
					if errors.Is(err, context.DeadlineExceeded) {
						t.Error("a stream on a connection that has ended was not told")
					}
					s.Close()
				})
				tt.end(s, &conn)
				s.want("GOAWAY", tt.want)
				s.write(opened(3), opened(5))
				s.wantEnd("closed")
				if n := calls.Load(); n != 1 {
					t.Errorf("%d handlers were started, want only the one before the end", n)
				}
				_ = s.close()
			})
		})
	}
}

// TestNoStreamStartsAfterTheLoss is the same for a connection that is lost while
// the reader still has requests in its buffer.
func TestNoStreamStartsAfterTheLoss(t *testing.T) {
	bubble(t, func(t *testing.T) {
		near, far := newPipe(pipeSize)
		var first sync.Once
		var late atomic.Int32
		done := make(chan error, 1)
		near.Write([]byte(clientPreface))
		near.Write(settings())
		near.Write(settingsAck())
		go func() {
			done <- http2.ServeConn(context.Background(), far, http2.ListenerConfig{}, handlerFunc(func(s transport.Stream, _ *transport.Header) {
				first.Do(near.cut)
				_ = s.Send(context.Background(), &transport.Outgoing{Header: &transport.Header{Block: responseBlock}})
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				if _, _, err := s.Await(ctx, everything); errors.Is(err, context.DeadlineExceeded) {
					late.Add(1)
				}
				s.Close()
			}))
		}()
		synctest.Wait()
		var all []byte
		for i := range uint32(200) {
			all = append(all, headers(2*i+1, append([]byte{0x83, 0x86, 0x84}, literal(":authority", "a")...), 0)...)
		}
		near.Write(all[:4000])
		if err := <-done; err != nil {
			t.Logf("ServeConn: %v", err)
		}
		time.Sleep(2 * time.Minute)
		if n := late.Load(); n > 0 {
			t.Errorf("%d handlers were never told that their connection is gone", n)
		}
	})
}

// TestUnblockPassesOn would break if a sender whose turn at the connection's
// window came, and who could not use it, kept the others waiting.
func TestUnblockPassesOn(t *testing.T) {
	for _, tt := range []struct {
		name   string
		grow   bool
		frames func(a uint32) []byte
	}{
		{"the stream is reset", false, func(a uint32) []byte { return reset(a, frame.CodeCancel) }},
		{"the stream's own window closed", true, func(uint32) []byte { return settings(4, 0) }},
		{"nothing happens to it", false, func(uint32) []byte { return window(0, 20) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			clientScript(t, http2.Config{}, func(c *dialed) {
				ctx := context.Background()
				open := func() transport.Stream {
					s, err := c.conn.Open(ctx, &transport.Outgoing{Header: &transport.Header{Block: requestBlock}})
					if err != nil {
						t.Fatal(err)
					}
					return s
				}
				hog, a, b := open(), open(), open()
				if err := hog.Send(ctx, &transport.Outgoing{Data: make([]byte, 65535)}); err != nil {
					t.Fatal(err)
				}
				// b gets more window of its own below: a lower initial window stops a.
				var group sync.WaitGroup
				group.Go(func() { _ = a.Send(ctx, &transport.Outgoing{Data: make([]byte, 60)}) })
				synctest.Wait()
				group.Go(func() { _ = b.Send(ctx, &transport.Outgoing{Data: make([]byte, 60)}) })
				synctest.Wait()
				if tt.grow {
					c.write(window(5, 1<<20))
					c.outcome()
				}
				c.write(join(window(0, 100), tt.frames(3)))
				synctest.Wait()
				c.wantOutcome2(5, 60)
				hog.Close()
				a.Reset(transport.ReasonCanceled)
				b.Reset(transport.ReasonCanceled)
				group.Wait()
				a.Close()
				b.Close()
			}, 4, 100_000)
		})
	}
	t.Run("its call is canceled", func(t *testing.T) {
		for range 200 {
			clientScript(t, http2.Config{}, func(c *dialed) {
				ctx := context.Background()
				var streams [3]transport.Stream
				for i := range streams {
					s, err := c.conn.Open(ctx, &transport.Outgoing{Header: &transport.Header{Block: requestBlock}})
					if err != nil {
						t.Fatal(err)
					}
					streams[i] = s
				}
				_ = streams[0].Send(ctx, &transport.Outgoing{Data: make([]byte, 65535)})
				canceled, cancel := context.WithCancel(ctx)
				var group sync.WaitGroup
				group.Go(func() { _ = streams[1].Send(canceled, &transport.Outgoing{Data: make([]byte, 60)}) })
				synctest.Wait()
				group.Go(func() { _ = streams[2].Send(ctx, &transport.Outgoing{Data: make([]byte, 60)}) })
				synctest.Wait()
				group.Go(cancel)
				group.Go(func() { c.write(window(0, 120)) })
				synctest.Wait()
				c.outcome()
				if c.received[5] != 60 {
					t.Errorf("the next in turn sent %d bytes, want 60", c.received[5])
				}
				for _, s := range streams {
					s.Reset(transport.ReasonCanceled)
				}
				group.Wait()
				for _, s := range streams {
					s.Close()
				}
			}, 4, 100_000)
			if t.Failed() {
				return
			}
		}
	})
}

// wantOutcome2 wants so many bytes of a stream by now.
func (p *peer) wantOutcome2(id uint32, n int) {
	p.t.Helper()
	got := p.outcome()
	if p.received[id] != n {
		p.t.Errorf("stream %d sent %d bytes, want %d; the peer saw %s", id, p.received[id], n, got)
	}
}

// TestOpenIsNotOvertaken would break if a caller that comes later took the slot
// of one that waits for it.
func TestOpenIsNotOvertaken(t *testing.T) {
	clientScript(t, http2.Config{}, func(c *dialed) {
		ctx := context.Background()
		first, err := c.open(ctx)
		if err != nil {
			t.Fatal(err)
		}
		waited := make(chan transport.Stream, 1)
		go func() {
			s, err := c.open(ctx)
			if err != nil {
				t.Error(err)
			}
			waited <- s
		}()
		synctest.Wait()
		overtaken := 0
		for range 20 {
			first.Close()
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			s, err := c.open(ctx)
			cancel()
			if err != nil {
				break // the slot is the waiter's
			}
			overtaken++
			first = s
		}
		if overtaken > 0 {
			t.Errorf("a waiter was overtaken %d times", overtaken)
			first.Close()
		}
		(<-waited).Close()
	}, 3, 1)
}

// TestOpenThatFailsLeavesNothing would break if Open returned an error and kept
// the stream in the books.
func TestOpenThatFailsLeavesNothing(t *testing.T) {
	t.Run("queue full", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			c := dialSized(t, http2.Config{MaxQueued: 1000}, 100, 4, 1<<20)
			for range 10 { // the first of them is in Write, and the others have filled the queue
				go func() {
					s, err := c.conn.Open(context.Background(), &transport.Outgoing{Header: &transport.Header{Block: requestBlock}, Data: make([]byte, 600)})
					if err == nil {
						s.Close()
					}
				}()
			}
			synctest.Wait()
			want := 0
			for range 5 {
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				before := http2.BooksOf(c.conn).Streams
				s, err := c.conn.Open(ctx, &transport.Outgoing{Header: &transport.Header{Block: requestBlock}, Data: make([]byte, 600)})
				cancel()
				if err == nil {
					s.Close()
					continue
				}
				want++
				if after := http2.BooksOf(c.conn).Streams; after != before {
					t.Fatalf("Open failed with %v, and left %d streams", err, after-before)
				}
			}
			if want == 0 {
				t.Error("the queue never filled")
			}
			c.close()
		})
	})
	t.Run("with an answer that nobody reads", func(t *testing.T) {
		clientScript(t, http2.Config{}, func(c *dialed) {
			for i := range uint32(8) {
				id := 2*i + 1
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				opened := make(chan error, 1)
				go func() {
					_, err := c.conn.Open(ctx, &transport.Outgoing{Header: &transport.Header{Block: requestBlock}, Data: make([]byte, 65537)})
					opened <- err
				}()
				synctest.Wait()
				c.write(headers(id, response(), 0), data(id, strings.Repeat("x", 10000), 0))
				if err := <-opened; !errors.Is(err, context.DeadlineExceeded) {
					t.Fatalf("Open returned %v, want the deadline", err)
				}
				cancel()
				c.write(window(0, 65535))
			}
			c.outcome()
			if b := http2.BooksOf(c.conn); b.Unread != 0 || b.Streams != 0 {
				t.Errorf("after calls that failed the connection has %+v", b)
			}
		})
	})
}

// TestContextEndsABlockedWrite would break if a peer that does not read could
// hold a caller beyond its deadline: whoever writes for all must not wait with
// its own goroutine (R32, G10).
func TestContextEndsABlockedWrite(t *testing.T) {
	for _, size := range []int{100, 5000, 60_000} {
		bubble(t, func(t *testing.T) {
			c := dialSized(t, http2.Config{}, 100)
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			start := time.Now()
			r := callNow(ctx, c.conn, strings.Repeat("x", size))
			if d := time.Since(start); d > 1100*time.Millisecond {
				t.Errorf("a call of %d bytes with a second to live took %v (%v)", size, d, r)
			}
			c.end.cut()
			c.close()
		})
	}
	t.Run("server", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			took := make(chan time.Duration, 1)
			s := serveSized(t, http2.Config{}, func(s transport.Stream, _ *transport.Header) {
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				defer cancel()
				start := time.Now()
				_ = s.Send(ctx, &transport.Outgoing{Header: &transport.Header{Block: responseBlock}, Data: make([]byte, 60_000)})
				took <- time.Since(start)
				s.Close()
			}, 200)
			go s.hello().write(get(1))
			if d := <-took; d > 1100*time.Millisecond {
				t.Errorf("Send with a second to live took %v", d)
			}
			s.end.cut()
			_ = s.close()
		})
	})
}

// TestStreamErrorOnIdleStream would break if a stream error on an idle stream
// were answered with RST_STREAM, which must not be sent there (RFC 9113 §6.4).
func TestStreamErrorOnIdleStream(t *testing.T) {
	for _, tt := range []struct {
		name   string
		frames []byte
		want   string
	}{
		{"WINDOW_UPDATE of 0", window(1, 0), "GOAWAY 0 PROTOCOL_ERROR; closed"},
		{"PRIORITY of a wrong length", raw(tPriority, 0, 1, 0, 0, 0, 3), "GOAWAY 0 FRAME_SIZE_ERROR; closed"},
		{"PRIORITY on itself", raw(tPriority, 0, 1, 0, 0, 0, 1, 5), "GOAWAY 0 PROTOCOL_ERROR; closed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			serverScript(t, http2.Config{}, echo, func(s *served) {
				s.write(tt.frames)
				s.wantOutcome(tt.want)
			})
		})
	}
}

// TestLateDataIsNoOffence would break if small messages that were on their way
// when a stream was reset ended the whole connection: non-empty DATA never does
// (R9), and it is no fault of the peer's.
func TestLateDataIsNoOffence(t *testing.T) {
	const n = 20_000 // 5-byte DATA frames, far less than one window
	t.Run("server", func(t *testing.T) {
		serverScript(t, http2.Config{}, func(s transport.Stream, _ *transport.Header) { s.Close() }, func(s *served) {
			s.write(opened(1))
			s.want("RST", "RST 1 CANCEL")
			s.write(repeat(n, data(1, "12345", 0)))
			s.wantOutcome("alive")
		})
	})
	t.Run("client", func(t *testing.T) {
		clientScript(t, http2.Config{}, func(c *dialed) {
			s, err := c.open(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			s.Close()
			c.want("RST", "HEADERS 1 POST END; RST 1 CANCEL")
			c.write(headers(1, response(), 0), repeat(n, data(1, "12345", 0)), headers(1, trailers(), fEnd))
			c.wantOutcome("alive")
		})
	})
	t.Run("many cancelled calls", func(t *testing.T) {
		clientScript(t, http2.Config{}, func(c *dialed) {
			for i := range uint32(5000) {
				s, err := c.open(context.Background())
				if err != nil {
					t.Fatal(err)
				}
				s.Close()
				c.write(answer(2*i+1, "x")) // it was on its way
				if i%100 == 0 {
					c.until("RST")
				}
			}
			if got := c.outcome(); !strings.HasSuffix(got, "alive") {
				t.Errorf("the connection ended: %s", got[max(0, len(got)-200):])
			}
		})
	})
	// A client that cancels a moment after the answer left is as honest.
	t.Run("late RST_STREAM", func(t *testing.T) {
		serverScript(t, http2.Config{}, echo, func(s *served) {
			for i := range uint32(20_000) {
				s.write(get(2*i + 1))
				if i%100 == 99 {
					synctest.Wait()
					for j := i - 99; j <= i; j++ {
						s.write(reset(2*j+1, frame.CodeCancel))
					}
					time.Sleep(10 * time.Millisecond) // 10,000 a second
					if got := s.outcome(); !strings.HasSuffix(got, "alive") {
						t.Fatalf("after %d: %s", i, got[max(0, len(got)-200):])
					}
				}
			}
		})
	})
}

// TestSecondTimeIsLikeTheFirst would break if a header section were checked less
// strictly once the start of its block is remembered.
func TestSecondTimeIsLikeTheFirst(t *testing.T) {
	// 0x83 :method POST, 0x86 :scheme http, 0x84 :path /; :authority enters the
	// table with the first request.
	prefix := []byte{0x83, 0x86, 0x84, 0xbe}
	for _, tt := range []struct {
		name string
		rest []byte
		want string
	}{
		{"nothing", nil, "ok"},
		{"a field", fields("a", "b"), "ok"},
		{"host", fields("host", "x"), "ok"},
		{"two hosts", fields("host", "x", "host", "y"), "400"},
		{"content-length", fields("content-length", "0"), "ok"},
		{"signed content-length", fields("content-length", "+0"), "RST"},
		{"content-length twice", fields("content-length", "0", "content-length", "0"), "RST"},
		{"content-length that is huge", fields("content-length", "99999999999999999999"), "RST"},
		{"content-length of nothing", fields("content-length", ""), "RST"},
		{"content-length that is not there", fields("content-length", "1"), "RST"},
		{"pseudo-header", fields(":path", "/x"), "RST"},
		{"upper case", fields("A", "b"), "RST"},
		{"connection", fields("connection", "close"), "RST"},
		{"te", fields("te", "gzip"), "RST"},
		{"te trailers", fields("te", "trailers"), "ok"},
		{"control character", fields("a", "b\r\nc: d"), "RST"},
		{"many fields", fields(strings.Split(strings.Repeat("a,b,", 124)+"a,b", ",")...), "RST"},
		{"fields up to the limit", fields(strings.Split(strings.Repeat("a,b,", 123)+"a,b", ",")...), "ok"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got *transport.Header
			serverScript(t, http2.Config{}, func(s transport.Stream, h *transport.Header) {
				got = h
				echo(s, h)
			}, func(s *served) {
				first := append([]byte{0x83, 0x86, 0x84, 0x41, 4}, "auth"...)
				s.write(headers(1, first, fEnd))
				s.want("HEADERS 1 trailers", answered(1))
				for i := range uint32(6) {
					id := 2*i + 3
					s.write(headers(id, append(append([]byte(nil), prefix...), tt.rest...), fEnd))
					what := "ok"
					if line := s.outcome(); strings.HasPrefix(line, "RST") {
						what = "RST"
					} else if strings.Contains(line, " 400 END") {
						what = "400"
					} else if !strings.HasPrefix(line, "HEADERS") {
						what = line
					}
					if what != tt.want {
						t.Errorf("time %d: %s, want %s", i+1, what, tt.want)
					}
					if what == "ok" && (got.Block.Authority != "auth" || got.Block.Path != "/") {
						t.Errorf("time %d: %+v", i+1, got.Block)
					}
					if _, ok := got.Get("host"); ok {
						t.Errorf("time %d: host is shown beside the authority", i+1)
					}
				}
			})
		})
	}
}

// TestSocketThatWasIdle would break if the write deadline of an earlier write
// met an answer of the reader's later on.
func TestSocketThatWasIdle(t *testing.T) {
	raw, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	lis := http2.NewListener(raw, http2.ListenerConfig{Config: http2.Config{StallTimeout: 10 * time.Millisecond}})
	served := make(chan error, 1)
	go func() { served <- lis.Serve(handlerFunc(echo)) }()
	nc, err := net.Dial("tcp", raw.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	p := newPeer(t, nc)
	p.write([]byte(clientPreface), settings(), settingsAck(), get(1))
	p.want("HEADERS 1 trailers", answered(1))
	<-time.After(100 * time.Millisecond) // real: sockets know no other time
	p.write(ping("awake???"))
	p.want("PONG", "PONG awake???")
	_ = nc.Close()
	lis.Close(errors.New("the test is over"))
	<-served
}

// TestSmallDataIsNotCopiedAgainAndAgain would break if each small DATA frame
// behind a large amount of unread data copied all of it.
func TestSmallDataIsNotCopiedAgainAndAgain(t *testing.T) {
	const size, small = 2 << 20, 1000
	for _, lent := range []bool{false, true} {
		name := map[bool]string{false: "unread", true: "lent"}[lent]
		t.Run(name, func(t *testing.T) {
			cfg := http2.Config{StreamWindow: 16 << 20, ConnWindow: 16 << 20, MaxUnread: 32 << 20}
			serverScript(t, cfg, func(s transport.Stream, _ *transport.Header) {
				if lent {
					_, _, _ = s.Await(context.Background(), func([]byte) int { return size })
				}
				time.Sleep(time.Minute) // virtual
				s.Close()
			}, func(s *served) {
				s.write(opened(1))
				for range size / 16384 {
					s.write(data(1, strings.Repeat("x", 16384), 0))
				}
				s.wantOutcome("alive")
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				s.write(repeat(small, data(1, "x", 0)))
				s.wantOutcome("alive")
				runtime.ReadMemStats(&after)
				if got := after.TotalAlloc - before.TotalAlloc; got > 10*size {
					t.Errorf("%d bytes in 1-byte DATA frames behind %d allocated %d", small, size, got)
				}
			})
		})
	}
}

// TestCloseWhileInside would break if Close took a stream's state from under a
// goroutine that is about to wake in Send or Await: it would sleep for ever, or
// wake on another stream's news.
func TestCloseWhileInside(t *testing.T) {
	clientScript(t, http2.Config{}, func(c *dialed) {
		go func() { // whatever the client says
			var b [4096]byte
			for {
				if _, err := c.nc.Read(b[:]); errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
					return
				}
			}
		}()
		ctx := context.Background()
		for i := range uint32(3000) {
			id := 2*i + 1
			s, err := c.conn.Open(ctx, &transport.Outgoing{Header: &transport.Header{Block: requestBlock}})
			if err != nil {
				t.Fatal(err)
			}
			var group sync.WaitGroup
			group.Go(func() { _ = s.Send(ctx, &transport.Outgoing{Data: make([]byte, 100)}) })
			group.Go(func() { _, _, _ = s.Await(ctx, everything) })
			synctest.Wait()
			group.Go(func() { c.write(join(headers(id, response(), 0), window(id, 1), headers(id, trailers(), fEnd))) })
			group.Go(func() {
				for range i % 50 {
					runtime.Gosched()
				}
				s.Close()
			})
			done := make(chan struct{})
			go func() { group.Wait(); close(done) }()
			select {
			case <-done:
			case <-time.After(time.Minute):
				t.Fatalf("Send or Await did not return after Close (call %d)", i)
			}
		}
	}, 4, 10)
}

// TestStreamsThatDieWaiting would break if the data of streams that were reset
// before their handler could start stayed in the count of the unread: the
// connection would stop for ever.
func TestStreamsThatDieWaiting(t *testing.T) {
	release := make(chan struct{})
	var conn transport.Conn
	cfg := http2.Config{Limits: http2.Limits{RunningHandlers: 1, ConcurrentStreams: 10, ResetBurst: -1}}
	bubble(t, func(t *testing.T) {
		release = make(chan struct{})
		s := serve(t, cfg, func(s transport.Stream, h *transport.Header) {
			conn = s.Conn()
			<-release
			echo(s, h)
		}).hello()
		s.write(get(1))
		s.wantOutcome("alive")
		for i := range uint32(200) {
			id := 2*i + 3
			s.write(opened(id), data(id, strings.Repeat("x", 1000), 0), reset(id, frame.CodeCancel))
		}
		s.wantOutcome("alive")
		if b := http2.BooksOf(conn); b.Waiting > 21 {
			t.Errorf("%d dead streams wait for a handler, want about the limit on streams", b.Waiting)
		}
		close(release)
		s.want("HEADERS 1 trailers", answered(1))
		s.wantOutcome("alive")
		if b := http2.BooksOf(conn); b.Unread != 0 || b.Running != 0 || b.Streams != 0 {
			t.Errorf("after all handlers have returned: %+v", b)
		}
		_ = s.close()
	})
}

// TestRefusedAfterHeaders would break if a server that has answered could still
// claim not to have processed the call (R33).
func TestRefusedAfterHeaders(t *testing.T) {
	clientScript(t, http2.Config{}, func(c *dialed) {
		s, err := c.open(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		c.write(headers(1, response(), 0), reset(1, frame.CodeRefusedStream))
		c.outcome()
		_, _, err = s.Await(context.Background(), everything)
		if e := asError(t, err); e.Unprocessed || e.Reason != transport.ReasonRefused {
			t.Errorf("the stream ended with %+v, want it refused and not unprocessed", e)
		}
	})
}
