package http2_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/yodelrpc/yodel/internal/frame"
	"github.com/yodelrpc/yodel/transport"
	"github.com/yodelrpc/yodel/transport/http2"
)

// leave sends a header section and two messages, and then leaves the others for
// the flusher, with a pause now and then. It returns how many were taken.
func leave(s transport.Stream, messages []string, pause func()) (taken int) {
	ctx := context.Background()
	_ = s.Send(ctx, &transport.Outgoing{Header: &transport.Header{Block: responseBlock}})
	for i, m := range messages {
		if i%50 == 49 {
			pause()
		}
		if i >= 2 && s.Append([]byte(m)) {
			taken++
			continue
		}
		if s.Send(ctx, &transport.Outgoing{Data: []byte(m)}) != nil {
			break
		}
	}
	return taken
}

// dataOf is the DATA payload of a stream until it has n bytes, or nothing comes
// any more.
func (p *peer) dataOf(id uint32, n int) string {
	var all strings.Builder
	for all.Len() < n {
		h, payload, err := p.next(1)
		if err != nil {
			break
		}
		if h.Type == frame.TypeData && h.StreamID == id {
			all.Write(payload)
		}
	}
	return all.String()
}

// TestOutbox would break if what a sender has left were lost, came out of order, or
// never left when credit comes after the sender has stopped sending.
func TestOutbox(t *testing.T) {
	for _, tt := range []struct {
		name   string
		count  int
		window uint32
		// open is how many bytes may be sent before credit.
		open   int
		credit []byte
	}{
		{"no limit", 70, 1 << 20, 7000, nil},
		{"the stream's window", 70, 450, 450, window(1, 1<<20)},
		{"the setting", 70, 450, 450, settings(4, 1<<20)},
		{"the connection's window", 700, 1 << 20, 65535, window(0, 1<<20)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			messages := make([]string, tt.count)
			for i := range messages {
				messages[i] = fmt.Sprintf("%03d%s", i, strings.Repeat("x", 97))
			}
			all := strings.Join(messages, "")
			bubble(t, func(t *testing.T) {
				left := make(chan int, 1)
				end := make(chan struct{})
				s := serve(t, http2.Config{}, func(s transport.Stream, _ *transport.Header) {
					left <- leave(s, messages, synctest.Wait)
					<-end
					_ = s.Send(context.Background(), &transport.Outgoing{Trailer: &transport.Header{Block: trailerBlock}, Close: true})
				}).hello(4, tt.window)
				defer func() { _ = s.close() }()
				s.write(opened(1))
				if n := <-left; n == 0 {
					t.Fatal("no message was left for the flusher")
				}
				synctest.Wait()
				got := s.dataOf(1, tt.open)
				if more := s.dataOf(1, 1); more != "" || len(got) != tt.open {
					t.Errorf("%d bytes came at once, want %d", len(got)+len(more), tt.open)
				}
				s.write(tt.credit)
				synctest.Wait()
				got += s.dataOf(1, len(all)-len(got))
				if got != all {
					t.Errorf("what came is not what was sent: %d bytes, want %d", len(got), len(all))
				}
				close(end)
				s.want("HEADERS", "HEADERS 1 trailers END")
			})
		})
	}
}

// TestOutboxShut would break if something could be left on a stream that has ended,
// or when the next message may be an answer, or if a stream that waits for credit
// stayed in the connection's books.
func TestOutboxShut(t *testing.T) {
	few := strings.Split(strings.Repeat("x", 10), "")
	var many []string
	for range 700 {
		many = append(many, strings.Repeat("x", 100)) // more than the connection's window
	}
	for _, tt := range []struct {
		name     string
		messages []string
		window   uint32
		end      func(t *testing.T, s transport.Stream, p *served)
	}{
		{"reset", few, 4, func(_ *testing.T, _ transport.Stream, p *served) { p.write(reset(1, frame.CodeCancel)) }},
		{"closed", few, 4, func(_ *testing.T, s transport.Stream, _ *served) { s.Close() }},
		{"closed, the connection's window", many, 1 << 20, func(_ *testing.T, s transport.Stream, _ *served) { s.Close() }},
		{"receives", few, 4, func(t *testing.T, s transport.Stream, p *served) {
			p.write(data(1, "y", 0))
			if _, _, err := s.Await(context.Background(), something); err != nil {
				t.Error(err)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				streams := make(chan transport.Stream, 1)
				end := make(chan struct{})
				p := serve(t, http2.Config{}, func(s transport.Stream, _ *transport.Header) {
					leave(s, tt.messages, synctest.Wait)
					streams <- s
					<-end
				}).hello(4, tt.window)
				defer func() { _ = p.close() }()
				p.write(opened(1))
				s := <-streams
				synctest.Wait()
				tt.end(t, s, p)
				synctest.Wait()
				if s.Append([]byte("x")) {
					t.Error("something more could be left")
				}
				p.write(window(0, 100))
				synctest.Wait()
				close(end)
			})
		})
	}
}

// TestOutboxes would break if streams that are flushed by others, at any moment,
// lost or mixed up what was left.
func TestOutboxes(t *testing.T) {
	const streams, count = 8, 3000
	p := newPair(t, "tcp", handlerFunc(func(s transport.Stream, h *transport.Header) {
		messages := make([]string, count)
		for i := range messages {
			messages[i] = fmt.Sprintf("%s %d %s;", h.Block.Path, i, strings.Repeat("x", i%300))
		}
		leave(s, messages, runtime.Gosched)
		_ = s.Send(context.Background(), &transport.Outgoing{Trailer: &transport.Header{Block: trailerBlock}, Close: true})
	}), http2.Config{}, http2.Config{})
	var group sync.WaitGroup
	for n := range streams {
		group.Go(func() {
			block := *requestBlock
			block.Path = fmt.Sprintf("/stream/%d", n)
			s, err := p.conn.Open(t.Context(), &transport.Outgoing{Header: &transport.Header{Block: &block}, End: true})
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			var got strings.Builder
			for ended := false; !ended; {
				var b []byte
				if b, ended, err = s.Await(t.Context(), something); err != nil {
					t.Error(err)
					return
				}
				got.Write(b)
				s.Discard(len(b))
			}
			for i, m := range strings.SplitAfter(strings.TrimSuffix(got.String(), ";"), ";") {
				if want := fmt.Sprintf("%s %d %s;", block.Path, i, strings.Repeat("x", i%300)); strings.TrimSuffix(m, ";")+";" != want {
					t.Errorf("message %d of stream %d is %.40q", i, n, m)
					return
				}
			}
		})
	}
	group.Wait()
}
