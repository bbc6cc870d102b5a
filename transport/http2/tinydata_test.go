package http2_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/yodelrpc/yodel/internal/frame"
	"github.com/yodelrpc/yodel/transport"
	"github.com/yodelrpc/yodel/transport/http2"
)

// unfinished sends so many bytes of a message of 4 MiB on each of some streams,
// the last of them one byte a frame, and tells how much memory a stream holds.
// wait tells whether the server waits for the message, or for nothing.
func unfinished(t *testing.T, streams, payload int, wait bool) (held int) {
	const tiny = 1000
	cfg := http2.Config{StreamWindow: 8 << 20, ConnWindow: 64 << 20, MaxUnread: 64 << 20}
	bubble(t, func(t *testing.T) {
		over := make(chan struct{})
		s := serveSized(t, cfg, func(s transport.Stream, _ *transport.Header) {
			if wait {
				_, _, _ = s.Await(t.Context(), func([]byte) int { return 4 << 20 })
			}
			<-over
			s.Close()
		}, 16<<10).hello()
		for i := range uint32(streams) {
			s.write(opened(2*i + 1))
		}
		s.outcome()
		before := heap()
		for i := range uint32(streams) {
			id := 2*i + 1
			left := payload
			for ; left > tiny; left -= min(left-tiny, 16384) {
				s.write(data(id, strings.Repeat("x", min(left-tiny, 16384)), 0))
			}
			s.write(repeat(left, data(id, "x", 0)))
		}
		s.wantOutcome("alive")
		held = (int(heap()) - int(before)) / streams
		for i := range uint32(streams) {
			s.write(reset(2*i+1, frame.CodeCancel))
		}
		close(over)
		s.outcome()
		_ = s.close()
	})
	return held
}

// TestUnfinishedMessage (R9, CVE-2026-84304) would break if the bytes of a
// message that is not whole could hold more than twice their number and 64 KiB,
// however small the frames are that they come in.
func TestUnfinishedMessage(t *testing.T) {
	const streams, slack = 10, 10 << 10 // the stream, the read buffer, and what the runtime has meanwhile
	for _, wait := range []bool{false, true} {
		for _, payload := range []int{1, 1000, 10_000, 40_000, 66_000, 140_000, 270_000, 550_000} {
			name := map[bool]string{false: "unread, ", true: "awaited, "}[wait] + strconv.Itoa(payload)
			t.Run(name, func(t *testing.T) {
				if held := unfinished(t, streams, payload, wait); held > 2*payload+64<<10+slack {
					t.Errorf("%d bytes of a message that is not whole hold %d", payload, held)
				}
			})
		}
	}
}
