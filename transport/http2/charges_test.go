package http2_test

import (
	"errors"
	"maps"
	"net"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/yodelrpc/yodel/internal/frame"
	"github.com/yodelrpc/yodel/transport"
	"github.com/yodelrpc/yodel/transport/http2"
)

// TestCharges would break if an operator could not see what peers do to no use:
// on a connection while it lives, and on its listener also afterwards.
func TestCharges(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var reg transport.Registry
		lis := &connListener{conns: make(chan net.Conn)}
		l := http2.NewListener(lis, http2.ListenerConfig{Registry: &reg, Config: http2.Config{Limits: http2.Limits{PingStrikes: -1}}})
		done := make(chan error, 1)
		go func() { done <- l.Serve(handlerFunc(blockUntilReset)) }()
		connect := func() *peer {
			near, far := newPipe(pipeSize)
			lis.conns <- far
			p := newPeer(t, near)
			p.write([]byte(clientPreface), settings(), settingsAck())
			return p
		}
		check := func(want map[string]uint64, conns int) []transport.Entity {
			t.Helper()
			if got := l.Charges(); !maps.Equal(got, want) {
				t.Errorf("the listener was charged %v, want %v", got, want)
			}
			found := slices.DeleteFunc(reg.Snapshot(), func(e transport.Entity) bool { return e.Kind != "connection" })
			if len(found) != conns {
				t.Fatalf("the registry has %d connections, want %d", len(found), conns)
			}
			return found
		}

		first := connect()
		first.wantOutcome("alive")
		check(map[string]uint64{}, 1)
		first.write(raw(tSettings, 0, 0))
		first.write(opened(1), data(1, "", 0), data(1, "", 0), reset(1, frame.CodeCancel), raw(0xbb, 0, 0),
			raw(tPriority, 0, 1, 0, 0, 0, 3, 5), opened(3), window(3, 0), opened(5), headers(5, nil, 0))
		first.outcome()
		want := map[string]uint64{
			"settings": 1, "empty_data": 2, "reset": 1, "unknown_frame": 1, "priority": 1,
			"provoked_reset": 2, "empty_headers": 1,
		}
		if c, ok := check(want, 1)[0].Member.(*http2.Conn); !ok || !maps.Equal(c.Charges(), want) {
			t.Errorf("the registry's connection was charged %v, want %v", c.Charges(), want)
		}

		_ = first.nc.Close()
		synctest.Wait()
		check(want, 0)
		second := connect()
		second.wantOutcome("alive")
		check(want, 1)

		l.Close(errors.New("the test is over"))
		if err := <-done; err != nil {
			t.Error(err)
		}
		check(want, 0)
	})
}
