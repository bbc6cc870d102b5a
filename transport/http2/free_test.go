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
