package http2_test

import (
	"testing"
	"testing/synctest"

	"github.com/yodelrpc/yodel/internal/frame"
	"github.com/yodelrpc/yodel/transport"
	"github.com/yodelrpc/yodel/transport/http2"
)

// TestFreeCores would break if a connection that had many streams once kept the
// memory of all of them.
func TestFreeCores(t *testing.T) {
	const streams, most = 500, 128
	conns := make(chan transport.Conn, streams)
	serverScript(t, http2.Config{Limits: http2.Limits{ResetBurst: -1}}, func(s transport.Stream, h *transport.Header) {
		conns <- s.Conn()
		blockUntilReset(s, h)
	}, func(s *served) {
		for i := range uint32(streams) {
			s.write(opened(2*i + 1))
		}
		s.outcome()
		for i := range uint32(streams) {
			s.write(reset(2*i+1, frame.CodeCancel))
		}
		s.outcome()
		synctest.Wait()
		if n := http2.FreeOf(<-conns); n == 0 || n > most {
			t.Errorf("%d cores are kept of %d streams, want %d at most", n, streams, most)
		}
	})
}

// TestReusedHandles would break if a Stream that its user may still hold became another
// call's: only one that was closed by what was sent last, with nothing left behind, does,
// and when its handler has returned.
func TestReusedHandles(t *testing.T) {
	answer := transport.Outgoing{Header: &transport.Header{Block: responseBlock}, Trailer: &transport.Header{Block: trailerBlock}}
	send := func(s transport.Stream, out transport.Outgoing) { _ = s.Send(t.Context(), &out) }
	finish := func(s transport.Stream) {
		out := answer
		out.Close = true
		send(s, out)
	}
	for _, tt := range []struct {
		name   string
		handle func(s transport.Stream)
		stays  bool // the first handler, until the second has run
		want   bool
	}{
		{"closed by what is sent last", finish, false, true},
		{"closed by what is sent last, in its handler yet", finish, true, false},
		{"closed", func(s transport.Stream) {
			send(s, answer)
			s.Close()
		}, false, false},
		{"not closed by the handler", func(s transport.Stream) { send(s, answer) }, false, false},
		{"with an outbox", func(s transport.Stream) {
			send(s, transport.Outgoing{Header: answer.Header, Data: []byte("x")})
			for range 3 {
				send(s, transport.Outgoing{Data: []byte("x")})
			}
			send(s, transport.Outgoing{Trailer: answer.Trailer, Close: true})
		}, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var seen []transport.Stream
			var second chan struct{} // of the bubble
			serverScript(t, http2.Config{}, func(s transport.Stream, _ *transport.Header) {
				seen = append(seen, s)
				tt.handle(s)
				switch {
				case !tt.stays:
				case len(seen) == 1:
					second = make(chan struct{})
					<-second
				default:
					close(second)
				}
			}, func(s *served) {
				s.write(get(1))
				s.outcome()
				s.write(get(3))
				s.outcome()
			})
			if len(seen) != 2 || (seen[0] == seen[1]) != tt.want {
				t.Errorf("the handlers saw %p; the same Stream: want %t", seen, tt.want)
			}
		})
	}
}
