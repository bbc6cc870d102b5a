package http2_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/yodelrpc/yodel/transport"
	"github.com/yodelrpc/yodel/transport/http2"
)

// chunks writes b as DATA frames of the usual size.
func (p *peer) chunks(id uint32, b []byte) {
	for len(b) > 0 {
		n := min(len(b), 16384)
		p.write(data(id, string(b[:n]), 0))
		b = b[n:]
	}
}

// TestLargeMessagesApart would break if large messages that come while the receiver is
// at work shared memory: the one that does not fit would have to be moved.
func TestLargeMessagesApart(t *testing.T) {
	const size = 64 << 10
	var next chan struct{}
	serverScript(t, http2.Config{StreamWindow: 1 << 20}, func(s transport.Stream, _ *transport.Header) {
		for i := range uint64(4) {
			got, _, err := s.Await(context.Background(), sized)
			if err != nil || !bytes.Equal(got, message(size, i)) {
				t.Errorf("message %d has come as %d bytes, %v", i, len(got), err)
				return
			}
			<-next
			s.Discard(len(got))
		}
	}, func(s *served) {
		next = make(chan struct{})
		s.write(opened(1))
		for i := range uint64(4) {
			s.chunks(1, message(size, i))
			synctest.Wait()
		}
		for range 4 {
			next <- struct{}{}
			synctest.Wait()
		}
	})
}

// TestLargeMessagesInTheBooks would break if memory that was made ahead of a message
// stayed in the books when the message has come: after some of them there would be none
// for others.
func TestLargeMessagesInTheBooks(t *testing.T) {
	for _, size := range []int{64 << 10, 500 << 10} {
		var next chan struct{}
		serverScript(t, http2.Config{StreamWindow: 4 << 20, ConnWindow: 8 << 20}, func(s transport.Stream, _ *transport.Header) {
			for i := range uint64(12) {
				got, _, err := s.Await(context.Background(), sized)
				if err != nil || !bytes.HasPrefix(got, message(size, i)) {
					t.Errorf("message %d has come as %d bytes, %v", i, len(got), err)
					return
				}
				if ahead := http2.BooksOf(s.Conn()).Ahead; ahead > size {
					t.Errorf("at message %d, memory for %d bytes of %d is in the books", i, ahead, size)
					return
				}
				<-next
				s.Discard(4 + size)
			}
		}, func(s *served) {
			next = make(chan struct{})
			s.write(opened(1))
			s.chunks(1, message(size, 0))
			for i := range uint64(11) {
				following := message(size, i+1)
				s.chunks(1, following[:size/16])
				synctest.Wait()
				next <- struct{}{}
				synctest.Wait()
				s.chunks(1, following[size/16:])
				synctest.Wait()
			}
			next <- struct{}{}
			synctest.Wait()
		})
	}
}

// TestLargeMessagesOfAnySize would break if a message was not what has been sent, for
// its size, or that of those before and behind it.
func TestLargeMessagesOfAnySize(t *testing.T) {
	const messages = 300
	sizes := []int{1, 100, 16<<10 - 4, 16 << 10, 64 << 10, 64<<10 + 1, 256<<10 - 5, 256 << 10, 300 << 10}
	for _, network := range []string{"tcp", "tls"} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		done := make(chan struct{})
		p := newPair(t, network, handlerFunc(func(s transport.Stream, _ *transport.Header) {
			defer close(done)
			random := rand.New(rand.NewPCG(1, 1))
			for i := range uint64(messages) {
				got, _, err := s.Await(ctx, sized)
				if err != nil {
					t.Errorf("message %d: %v", i, err)
					return
				}
				if want := message(sized(got)-4, i); !bytes.HasPrefix(got, want) {
					t.Errorf("message %d is not what has been sent", i)
					return
				}
				for range random.IntN(4) * 50 {
					runtime.Gosched()
				}
				s.Discard(sized(got))
			}
		}), http2.Config{}, http2.Config{})
		s, err := p.conn.Open(ctx, &transport.Outgoing{Header: &transport.Header{Block: requestBlock}})
		if err != nil {
			t.Fatal(err)
		}
		random := rand.New(rand.NewPCG(2, 2))
		size := 0
		for i := range uint64(messages) {
			if i%5 == 0 || random.IntN(8) == 0 {
				size = sizes[random.IntN(len(sizes))]
			}
			if err := s.Send(ctx, &transport.Outgoing{Data: message(size, i)}); err != nil {
				t.Fatalf("%s: message %d: %v", network, i, err)
			}
		}
		within(t, "the last message", done, patience)
		s.Close()
	}
}

// TestStarvedReceiver would break if windows stayed small while a receiver starves that
// could do more, or grew for one that is behind.
func TestStarvedReceiver(t *testing.T) {
	const window = 16 << 10
	for _, tt := range []struct {
		name   string
		first  int // bytes that come while the receiver is away
		behind int // bytes that come when it takes the first
		grows  bool
	}{
		{"the window has been used up", window, 0, true},
		{"a part of it has not", window - window/4, 0, false},
		{"a window's worth has come since", window, window + 1, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var next chan int
			serverScript(t, http2.Config{StreamWindow: window, NoInline: true}, func(s transport.Stream, _ *transport.Header) {
				for n := range next {
					got, _, err := s.Await(context.Background(), func([]byte) int { return n })
					if err != nil {
						return
					}
					s.Discard(len(got))
				}
			}, func(s *served) {
				next = make(chan int)
				s.write(opened(1))
				s.chunks(1, make([]byte, tt.first))
				synctest.Wait()
				for n := tt.behind; n > 0; n -= min(n, 4096) {
					next <- 4096
					synctest.Wait()
					s.chunks(1, make([]byte, min(n, 4096)))
					synctest.Wait()
				}
				s.outcome()
				s.all = true
				next <- 0 // takes what there is
				next <- 1
				synctest.Wait()
				seen := s.outcome()
				if grows := strings.Contains(seen, "SETTINGS 1"); grows != tt.grows {
					t.Errorf("grows: %v, want %v: the peer saw %s", grows, tt.grows, seen)
				}
				close(next)
			})
		})
	}
}
