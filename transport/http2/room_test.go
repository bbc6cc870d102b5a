package http2_test

import (
	"context"
	"strings"
	"testing"

	"github.com/yodelrpc/yodel/transport"
	"github.com/yodelrpc/yodel/transport/http2"
)

// TestQueueMakesRoom would break if what has come for streams that wait for a handler
// could keep the handler that runs from what it waits for, for ever; or if streams
// were refused though somebody can go on.
func TestQueueMakesRoom(t *testing.T) {
	const window = 65535 // the connection's
	for _, tt := range []struct {
		name string
		left int // of the connection's credit
		want string
	}{
		{"no credit", 0, "RST 5 REFUSED_STREAM; alive"},
		{"some credit", 1, "alive"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := http2.Config{ConnWindow: 1, MaxUnread: 30_000, StreamWindow: 1 << 20}
			cfg.Limits.RunningHandlers = 1
			serverScript(t, cfg, func(s transport.Stream, _ *transport.Header) {
				data, _, err := s.Await(context.Background(), everything)
				if err == nil && (len(data) == 0 || data[0] != 'y') {
					t.Errorf("a handler got %d bytes that are not its own", len(data))
				}
				_ = s.Send(context.Background(), &transport.Outgoing{Header: &transport.Header{Block: responseBlock}, End: true})
			}, func(s *served) {
				sent := 0
				send := func(id uint32, n int) {
					for ; n > 0; n -= min(n, 16384) {
						s.write(data(id, "y"+strings.Repeat("x", min(n, 16384)-1), 0))
						sent += min(n, 16384)
					}
				}
				s.write(opened(1), opened(3), opened(5))
				send(3, 20_000)
				send(5, window-20_000)
				s.wantOutcome("alive")
				send(5, window+int(s.credit[0])-sent-tt.left)
				s.wantOutcome(tt.want)
				before := s.credit[0]
				s.write(data(1, "y", fEnd))
				s.want("HEADERS 1", "HEADERS 1 200 END")
				if tt.left == 0 && before+window <= int64(sent) {
					t.Error("the connection has got no credit")
				}
			})
		})
	}
}
