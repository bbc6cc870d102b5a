package http2_test

import (
	"strings"
	"testing"

	"github.com/yodelrpc/yodel/transport"
	"github.com/yodelrpc/yodel/transport/http2"
)

// TestTrailerMemory (R4, trailers included) would break if the trailer sections
// of one connection's streams could hold more than HeaderMemory together.
func TestTrailerMemory(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := serveSized(t, http2.Config{Limits: http2.Limits{PingStrikes: -1, ResetBurst: -1}}, blockUntilClosed, 32<<10).hello()
		defer func() { _ = s.close() }()
		s.write(opened(1))
		s.outcome()
		before := heap()
		block := fields("x", strings.Repeat("y", 15_000))
		for i := range uint32(900) {
			s.write(opened(2*i+3), headers(2*i+3, block, fEnd))
		}
		s.outcome()
		// The rest is 10 KiB for each call that was admitted (G5).
		if held, most := int(heap())-int(before), 2<<20+900*10<<10; held > most {
			t.Errorf("the trailers of 900 streams hold %d bytes; %d are allowed", held, most)
		}
	})
}

// blockUntilClosed looks at nothing that comes, until the connection ends.
func blockUntilClosed(s transport.Stream, _ *transport.Header) {
	<-s.Conn().Done()
	s.Close()
}

// TestClientHeaderMemory (R4, R26) would break if the header sections of a server
// that means ill could hold more than HeaderMemory together.
func TestClientHeaderMemory(t *testing.T) {
	const calls = 600
	clientScript(t, http2.Config{}, func(c *dialed) {
		for range calls {
			s, err := c.open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
		}
		c.outcome()
		before := heap()
		block := fields(":status", "200", "x", strings.Repeat("y", 15_000))
		for i := range uint32(calls) {
			c.write(headers(2*i+1, block, 0))
		}
		c.outcome()
		if held, most := int(heap())-int(before), 4<<20; held > most {
			t.Errorf("the headers of %d calls hold %d bytes; %d are allowed", calls, held, most)
		}
	})
}
