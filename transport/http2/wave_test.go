package http2_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/yodelrpc/yodel/internal/frame"
	"github.com/yodelrpc/yodel/transport"
	"github.com/yodelrpc/yodel/transport/http2"
)

// warm is how many messages a handler waits for before it is of a wave.
const warm = 5

// parrot is a handler that answers each message that it awaits with one, and tells
// what it has got. It reads the messages, of as many bytes as size says, one by one.
type parrot struct {
	stream transport.Stream
	ctx    context.Context
	cancel context.CancelFunc
	size   int
	got    chan string
	left   int // answers that it could leave
	// pause, if there is one, is called before an answer and before the next message
	// is awaited.
	pause func(answering bool)
}

func (h *parrot) serve(s transport.Stream, _ *transport.Header) {
	h.stream = s
	_ = s.Send(h.ctx, &transport.Outgoing{Header: &transport.Header{Block: responseBlock}})
	demand := func(buffered []byte) int { return h.size }
	for {
		b, ended, err := s.Await(h.ctx, demand)
		if err != nil || ended {
			h.got <- fmt.Sprintf("%s ended %v %v", b, ended, err != nil)
			return
		}
		one := string(b[:h.size])
		h.got <- one
		if h.pause != nil {
			h.pause(true)
		}
		s.Discard(h.size)
		if s.Append([]byte(one)) {
			h.left++
		} else if s.Send(h.ctx, &transport.Outgoing{Data: []byte(one)}) != nil {
			return
		}
		if h.pause != nil {
			h.pause(false)
		}
	}
}

// next is what the handler has got, if it has.
func (h *parrot) next() string {
	synctest.Wait()
	select {
	case got := <-h.got:
		return got
	default:
		return "nothing"
	}
}

// warmUp plays so many messages that the handler is of a wave from then on.
func warmUp(t *testing.T, cfg http2.Config, size int) (*parrot, *served) {
	return warmUpSized(t, cfg, size, pipeSize)
}

func warmUpSized(t *testing.T, cfg http2.Config, size, pipe int) (*parrot, *served) {
	h := &parrot{size: size, got: make(chan string, 10)}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	p := serveSized(t, cfg, h.serve, pipe).hello()
	p.write(opened(1))
	for range warm {
		synctest.Wait()
		p.write(data(1, strings.Repeat("w", size), 0))
		<-h.got
		p.dataOf(1, size)
	}
	synctest.Wait()
	return h, p
}

// TestWave would break if the answer of a receiver that was woken together with others
// left before all of them run, or did not leave then.
func TestWave(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h, p := warmUp(t, http2.Config{}, 2)
		defer func() { _ = p.close() }()
		defer h.cancel()
		if h.left == 0 {
			t.Fatal("no answer was left")
		}
		resume := http2.HoldWoken(h.stream.Conn())
		p.write(data(1, "ab", 0))
		synctest.Wait()
		if got := <-h.got; got != "ab" {
			t.Errorf("received %q", got)
		}
		if got := p.dataOf(1, 2); got != "" {
			t.Errorf("%q was sent before the others ran", got)
		}
		resume()
		if got := p.dataOf(1, 2); got != "ab" {
			t.Errorf("%q was sent when the others ran", got)
		}
		p.write(data(1, "", fEnd))
		if got := h.next(); got != " ended true false" {
			t.Errorf("received %q", got)
		}
		synctest.Wait()
		if n := http2.FreeOf(h.stream.Conn()); n != 1 {
			t.Errorf("%d cores are kept, want that of the stream", n)
		}
	})
}

// TestWaveIsWorthAWrite would break if the answers of a wave waited for its last one
// however many they are: the peer could be at work on them.
func TestWaveIsWorthAWrite(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const size = 2 << 10
		h, p := warmUp(t, http2.Config{}, size)
		defer func() { _ = p.close() }()
		defer h.cancel()
		defer http2.HoldWoken(h.stream.Conn())()
		p.write(data(1, strings.Repeat("x", size), 0))
		synctest.Wait()
		if got := p.dataOf(1, size); len(got) != size {
			t.Errorf("%d bytes were sent, want %d", len(got), size)
		}
	})
}

// waitUnlocked has the handler wait for a message without the lock. If its answer is
// written by whoever was about to write anyway, it waits in the books: then once more.
func waitUnlocked(t *testing.T, h *parrot, p *served) {
	t.Helper()
	for range 20 {
		p.write(data(1, "ab", 0))
		<-h.got
		synctest.Wait()
		if http2.ReadingOf(h.stream.Conn()).Sleepers == 0 {
			return
		}
	}
	t.Fatal("the handler always waits in the books")
}

// TestWaitingUnlocked would break if a receiver that waits without the lock, and of
// whom nobody has taken note, were not told of what happens to its stream.
func TestWaitingUnlocked(t *testing.T) {
	for _, tt := range []struct {
		name string
		act  func(h *parrot, p *served)
		want string
	}{
		{"a message", func(_ *parrot, p *served) { p.write(data(1, "cd", 0)) }, "cd"},
		{"half a message, and the rest", func(_ *parrot, p *served) {
			p.write(data(1, "c", 0))
			synctest.Wait()
			p.write(data(1, "d", 0))
		}, "cd"},
		{"the end", func(_ *parrot, p *served) { p.write(data(1, "", fEnd)) }, " ended true false"},
		{"the end with bytes", func(_ *parrot, p *served) { p.write(data(1, "cd", fEnd)) }, "cd ended true false"},
		{"trailers", func(_ *parrot, p *served) { p.write(headers(1, trailers(), fEnd)) }, " ended true false"},
		{"a reset", func(_ *parrot, p *served) { p.write(reset(1, frame.CodeCancel)) }, " ended false true"},
		{"a connection error", func(_ *parrot, p *served) { p.write(data(0, "x", 0)) }, " ended false true"},
		{"the connection's end", func(_ *parrot, p *served) { _ = p.nc.Close() }, " ended false true"},
		{"the context's end", func(h *parrot, _ *served) { h.cancel() }, " ended false true"},
		{"Close", func(h *parrot, _ *served) { h.stream.Conn().Close(errors.New("enough")) }, " ended false true"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h, p := warmUp(t, http2.Config{}, 2)
				defer func() { _ = p.close() }()
				defer h.cancel()
				conn := h.stream.Conn()
				resume := http2.HoldWoken(conn)
				waitUnlocked(t, h, p)
				tt.act(h, p)
				if got := h.next(); got != tt.want {
					t.Errorf("received %q, want %q", got, tt.want)
				}
				resume()
				synctest.Wait()
				waits := 0
				if tt.want == "cd" {
					waits = 1
				}
				if n, b := http2.ReadingOf(conn).Sleepers, http2.BooksOf(conn); n != waits || b.Woken != 0 || b.Unread != 0 {
					t.Errorf("afterwards %d receivers wait, want %d: %+v", n, waits, b)
				}
			})
		})
	}
}

// TestBeforeWaitingUnlocked is TestWaitingUnlocked for what happens before the receiver
// waits: whoever reads its note finds it.
func TestBeforeWaitingUnlocked(t *testing.T) {
	for _, tt := range []struct {
		name      string
		first     string
		answering bool // it happens before the answer, or after it
		frames    []byte
		want      string
	}{
		{"a message", "ab", true, data(1, "cd", 0), "cd"},
		{"a message, after the answer", "ab", false, data(1, "cd", 0), "cd"},
		{"the rest of one", "abc", true, data(1, "d", 0), "cd"},
		{"the rest of one, after the answer", "abc", false, data(1, "d", 0), "cd"},
		{"the end", "ab", true, data(1, "", fEnd), " ended true false"},
		{"the end, after the answer", "ab", false, data(1, "", fEnd), " ended true false"},
		{"a reset, after the answer", "ab", false, reset(1, frame.CodeCancel), " ended false true"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h, p := warmUp(t, http2.Config{}, 2)
				defer func() { _ = p.close() }()
				defer h.cancel()
				goOn := make(chan struct{})
				h.pause = func(answering bool) {
					if answering == tt.answering {
						<-goOn
					}
				}
				defer close(goOn)
				resume := http2.HoldWoken(h.stream.Conn())
				p.write(data(1, tt.first, 0))
				<-h.got
				synctest.Wait()
				p.write(tt.frames)
				synctest.Wait()
				goOn <- struct{}{}
				synctest.Wait()
				resume()
				if got := h.next(); got != tt.want {
					t.Errorf("received %q, want %q", got, tt.want)
				}
			})
		})
	}
}

// TestWaitingUnlockedBehindAWrite would break if a receiver whose note nobody reads,
// because a write waits for the peer, were not told of what happens.
func TestWaitingUnlockedBehindAWrite(t *testing.T) {
	for name, tt := range map[string]struct {
		frames []byte
		want   string
	}{
		"a message":   {data(1, "ef", 0), "ef"},
		"the end":     {data(1, "", fEnd), " ended true false"},
		"trailers":    {headers(1, trailers(), fEnd), " ended true false"},
		"a reset":     {reset(1, frame.CodeCancel), " ended false true"},
		"a wrong one": {window(1, 0), " ended false true"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h, p := warmUpSized(t, http2.Config{}, 2, 128)
				defer func() { _ = p.close() }()
				defer h.cancel()
				conn := h.stream.Conn()
				for http2.BooksOf(conn).Queued == 0 || http2.ReadingOf(conn).Sleepers > 0 {
					p.write(data(1, "ab", 0))
					if got := h.next(); got != "ab" {
						t.Fatalf("received %q", got)
					}
				}
				p.write(tt.frames)
				if got := h.next(); got != tt.want {
					t.Errorf("received %q, want %q", got, tt.want)
				}
			})
		})
	}
}

// TestWaveGivenUp would break if the others waited for ever for a receiver whose context
// ends when it has been passed a message, and before it runs.
func TestWaveGivenUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h, p := warmUp(t, http2.Config{}, 2)
		defer func() { _ = p.close() }()
		conn := h.stream.Conn()
		http2.WithoutBooks(conn, func() {
			for _, act := range []func(){func() { p.write(data(1, "ab", 0)) }, h.cancel} {
				act()
				for range 1000 {
					runtime.Gosched() // until whoever it wakes waits for the books
				}
			}
		})
		if got, want := h.next(), " ended false true"; got != want {
			t.Errorf("received %q, want %q", got, want)
		}
		if b := http2.BooksOf(conn); b.Woken != 0 {
			t.Errorf("afterwards: %+v", b)
		}
	})
}

// TestWaveMakesRoom is TestQueueMakesRoom for a handler that waits without the lock.
func TestWaveMakesRoom(t *testing.T) {
	bubble(t, func(t *testing.T) {
		cfg := http2.Config{ConnWindow: 1, MaxUnread: 30_000, StreamWindow: 1 << 20}
		cfg.Limits.RunningHandlers = 1
		h, p := warmUp(t, cfg, 2)
		defer func() { _ = p.close() }()
		defer h.cancel()
		p.write(opened(3), opened(5))
		sent := warm * 2
		for left := 65535; left > 2; left = 65535 + int(p.credit[0]) - sent {
			n := min(left-2, 16384)
			p.write(data(5, strings.Repeat("x", n), 0))
			sent += n
			p.dataOf(1, 1)
		}
		resume := http2.HoldWoken(h.stream.Conn())
		p.write(data(1, "ab", 0))
		if got := h.next(); got != "ab" {
			t.Errorf("received %q", got)
		}
		resume()
		p.want("RST", "DATA 1 2; RST 5 REFUSED_STREAM")
	})
}

// TestBehindWhatIsHanded would break if what a receiver is handed hid what had come
// before it was.
func TestBehindWhatIsHanded(t *testing.T) {
	const first, more = 5000, 9000
	bubble(t, func(t *testing.T) {
		got := make(chan string, 1)
		goOn := make(chan struct{})
		p := serve(t, http2.Config{}, func(s transport.Stream, _ *transport.Header) {
			ctx := context.Background()
			var all strings.Builder
			b, _, _ := s.Await(ctx, func([]byte) int { return first })
			<-goOn
			all.Write(b[:first-10])
			s.Discard(first - 10)
			for ended := false; !ended; {
				var err error
				if b, ended, err = s.Await(ctx, something); err != nil {
					t.Error(err)
					return
				}
				n := (len(b) + 1) / 2
				all.Write(b[:n])
				<-goOn
				s.Discard(n)
				ended = ended && n == len(b)
			}
			got <- all.String()
		}).hello()
		defer func() { _ = p.close() }()
		p.write(opened(1), data(1, strings.Repeat("a", first), 0))
		synctest.Wait()
		p.write(data(1, strings.Repeat("b", more), 0))
		synctest.Wait()
		goOn <- struct{}{}
		synctest.Wait()
		p.write(data(1, "c", fEnd))
		synctest.Wait()
		close(goOn)
		if want := strings.Repeat("a", first) + strings.Repeat("b", more) + "c"; <-got != want {
			t.Error("what was received is not what was sent")
		}
	})
}

// TestWaveInPieces would break if what a receiver has been handed, and has not read,
// were lost or came after what has arrived since, or if its credit were lost.
func TestWaveInPieces(t *testing.T) {
	for name, crowd := range map[string]bool{"alone": false, "with others": true} {
		t.Run(name, func(t *testing.T) { bubble(t, func(t *testing.T) { waveInPieces(t, crowd) }) })
	}
}

func waveInPieces(t *testing.T, crowd bool) {
	const size, count = 100, 3000
	h, p := warmUp(t, http2.Config{StreamWindow: 1000, ConnWindow: 2000}, size)
	defer func() { _ = p.close() }()
	defer h.cancel()
	p.write(window(0, 1<<30), window(1, 1<<30))
	rnd := rand.New(rand.NewPCG(1, 2))
	credit := func() int64 { return 1000 - warm*size + p.credit[1] }
	var sent, got strings.Builder
	for sent.Len() < count*size {
		n := size
		if !crowd {
			n = 1 + rnd.IntN(2*size)
		}
		piece := strings.Repeat(string(rune('a'+rnd.IntN(26))), n)
		if sent.Len()+len(piece) > count*size {
			piece = piece[:count*size-sent.Len()]
		}
		sent.WriteString(piece)
		resume := func() {}
		if crowd {
			resume = http2.HoldWoken(h.stream.Conn())
		}
		p.write(data(1, piece, 0))
		if rnd.IntN(3) > 0 {
			synctest.Wait()
		}
		for ; got.Len()+size <= sent.Len(); got.WriteString(<-h.got) {
		}
		synctest.Wait()
		resume()
		p.dataOf(1, sent.Len())
		if left := credit() - int64(sent.Len()); left < 2*size {
			t.Fatalf("the peer has credit for %d bytes of 1000", left)
		}
	}
	if got.String() != sent.String() {
		t.Error("what was received is not what was sent")
	}
	if b := http2.BooksOf(h.stream.Conn()); b.Unread != 0 {
		t.Errorf("afterwards: %+v", b)
	}
}

// TestWaves plays many conversations at once, some of which are given up.
func TestWaves(t *testing.T) {
	p := newPair(t, "tcp", handlerFunc(func(s transport.Stream, _ *transport.Header) {
		ctx := context.Background()
		_ = s.Send(ctx, &transport.Outgoing{Header: &transport.Header{Block: responseBlock}})
		for ended := false; !ended; {
			var b []byte
			var err error
			if b, ended, err = s.Await(ctx, line); err != nil {
				return
			}
			n := bytes.IndexByte(b, '\n') + 1
			if n > 0 {
				ended = false
			}
			answer := bytes.Clone(b[:n])
			s.Discard(n)
			if !s.Append(answer) && s.Send(ctx, &transport.Outgoing{Data: answer}) != nil {
				return
			}
		}
		_ = s.Send(ctx, &transport.Outgoing{Trailer: &transport.Header{Block: trailerBlock}, Close: true})
	}), http2.Config{}, http2.Config{})
	var group sync.WaitGroup
	for n := range 64 {
		group.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(n), 3))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s, err := p.conn.Open(ctx, &transport.Outgoing{Header: &transport.Header{Block: requestBlock}})
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			giveUp := -1
			if n%8 == 0 {
				giveUp = rnd.IntN(300)
			}
			for i := range 300 {
				if i == giveUp {
					go cancel()
				}
				if err := converse(ctx, s, fmt.Sprintf("%d %d %s\n", n, i, strings.Repeat("x", rnd.IntN(1<<rnd.IntN(13))))); err != nil {
					if giveUp < 0 {
						t.Error(err)
					}
					return
				}
			}
		})
	}
	group.Wait()
	if b := http2.BooksOf(p.conn); b.Streams != 0 || b.Woken != 0 || b.Unread != 0 {
		t.Errorf("afterwards: %+v", b)
	}
}

// line demands a whole line.
func line(buffered []byte) int {
	if n := bytes.IndexByte(buffered, '\n'); n >= 0 {
		return n + 1
	}
	return len(buffered) + 1
}

// converse sends a line, and wants it back.
func converse(ctx context.Context, s transport.Stream, text string) error {
	if !s.Append([]byte(text)) {
		if err := s.Send(ctx, &transport.Outgoing{Data: []byte(text)}); err != nil {
			return err
		}
	}
	b, ended, err := s.Await(ctx, line)
	switch {
	case err != nil:
		return err
	case ended || string(b) != text:
		return fmt.Errorf("%.40q came back as %.40q", text, b)
	}
	s.Discard(len(b))
	return nil
}
