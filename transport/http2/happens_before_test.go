package http2_test

import (
	"context"
	"testing"

	"github.com/yodelrpc/yodel/transport"
	"github.com/yodelrpc/yodel/transport/http2"
)

// TestHappensBefore would fail under -race if the race detector saw no order between
// a send and its receipt: then it would find races in programs whose client and
// server are one process, as those of many tests are.
func TestHappensBefore(t *testing.T) {
	for name, size := range map[string]int{"small": 1, "by reference": 1 << 20} {
		t.Run(name, func(t *testing.T) {
			var asked, answered int
			p := newPair(t, "tcp", handlerFunc(func(s transport.Stream, h *transport.Header) {
				answered = asked + 1
				echo(s, h)
			}), http2.Config{}, http2.Config{})
			data := make([]byte, size)
			for i := range 10 {
				asked = i
				if _, err := unary(context.Background(), p.conn, data); err != nil {
					t.Fatal(err)
				}
				if answered != i+1 {
					t.Errorf("answered %d, want %d", answered, i+1)
				}
			}
		})
	}
}
