package http2_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodelrpc/yodel/internal/frame"
	"github.com/yodelrpc/yodel/transport"
	"github.com/yodelrpc/yodel/transport/http2"
)

// get is a whole request without a body.
func get(id uint32) []byte { return headers(id, request(), fEnd) }

// answered is what a served get looks like to the client.
func answered(id uint32) string {
	return fmt.Sprintf("HEADERS %d 200; HEADERS %d trailers END", id, id)
}

// opened starts a request whose body is to come.
func opened(id uint32) []byte { return headers(id, request(), 0) }

// TestServerPreface would break if a server answered what is not HTTP/2, or took
// frames before SETTINGS (RFC 9113 §3.4).
func TestServerPreface(t *testing.T) {
	for _, tt := range []struct {
		name  string
		bytes []byte
		want  string
	}{
		{"good", join([]byte(clientPreface), settings(), settingsAck()), "alive"},
		{"wrong", []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\rX"), "GOAWAY 0 PROTOCOL_ERROR; closed"},
		{"HTTP/1.1", []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "GOAWAY 0 PROTOCOL_ERROR; closed"},
		{"TLS", []byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc"), "GOAWAY 0 PROTOCOL_ERROR; closed"},
		{"one wrong byte", []byte("p"), "GOAWAY 0 PROTOCOL_ERROR; closed"},
		{"missing", settings(), "GOAWAY 0 PROTOCOL_ERROR; closed"},
		{"first frame is HEADERS", join([]byte(clientPreface), get(1)), "GOAWAY 0 PROTOCOL_ERROR; closed"},
		{"first frame is an ack", join([]byte(clientPreface), settingsAck()), "GOAWAY 0 PROTOCOL_ERROR; closed"},
		{"first frame is PING", join([]byte(clientPreface), ping("12345678")), "GOAWAY 0 PROTOCOL_ERROR; closed"},
		{"first frame is of an unknown type", join([]byte(clientPreface), raw(0xfa, 0, 0)), "GOAWAY 0 PROTOCOL_ERROR; closed"},
		{"first frame is too long", join([]byte(clientPreface), rawLen(128<<10+4, tSettings, 0, 0)), "GOAWAY 0 FRAME_SIZE_ERROR; closed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := serve(t, http2.Config{}, echo)
				s.write(tt.bytes)
				s.wantOutcome(tt.want)
				_ = s.close()
			})
		})
	}
	t.Run("one byte at a time", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			s := serve(t, http2.Config{}, echo)
			for _, b := range join([]byte(clientPreface), settings(), settingsAck(), get(1)) {
				s.write([]byte{b})
				synctest.Wait()
			}
			s.want("HEADERS 1 trailers", answered(1))
			_ = s.close()
		})
	})
}

// serverCases are frames after hello and what the server makes of them. The
// handler of /test/Echo waits for the whole request.
var serverCases = []struct {
	name   string
	frames []byte
	want   string
}{
	// RFC 9113 §4.1, §4.2: frame heads.
	{"reserved bit of the stream id is ignored", raw(tHeaders, fEnd|fEndHeaders, 1<<31|1, request()...), answered(1) + "; alive"},
	{"unknown flags are ignored", raw(tPing, 0xfe, 0, []byte("12345678")...), "PONG 12345678; alive"},
	{"a frame that is too long", rawLen(128<<10+1, tData, 0, 1), "GOAWAY 0 FRAME_SIZE_ERROR; closed"},
	{"a HEADERS frame that is too long", rawLen(1<<24-1, tHeaders, 0, 1), "GOAWAY 0 FRAME_SIZE_ERROR; closed"},
	{"an unknown frame that is too long", rawLen(128<<10+1, 0xee, 0, 1), "GOAWAY 0 FRAME_SIZE_ERROR; closed"},
	{"the longest frame", join(opened(1), raw(tData, fEnd, 1, make([]byte, 16384)...)), "HEADERS 1 200; DATA 1 16384; HEADERS 1 trailers END; alive"},

	// §4.3, §6.10: header blocks.
	{"CONTINUATION", join(raw(tHeaders, fEnd, 1, request()[:9]...), raw(tContinuation, 0, 1, request()[9:20]...), raw(tContinuation, fEndHeaders, 1, request()[20:]...)), answered(1) + "; alive"},
	{"CONTINUATION and a body", join(raw(tHeaders, 0, 1, request()[:9]...), raw(tContinuation, fEndHeaders, 1, request()[9:]...), data(1, "x", fEnd)), "HEADERS 1 200; DATA 1 1; HEADERS 1 trailers END; alive"},
	{"DATA inside a header block", join(raw(tHeaders, 0, 1, request()...), data(1, "x", 0)), "GOAWAY 0 PROTOCOL_ERROR; closed"},
	{"PING inside a header block", join(raw(tHeaders, 0, 1, request()...), ping("12345678")), "GOAWAY 0 PROTOCOL_ERROR; closed"},
	{"SETTINGS inside a header block", join(raw(tHeaders, 0, 1, request()...), settings()), "GOAWAY 0 PROTOCOL_ERROR; closed"},
	{"an unknown frame inside a header block", join(raw(tHeaders, 0, 1, request()...), raw(0xee, 0, 1)), "GOAWAY 0 PROTOCOL_ERROR; closed"},
	{"HEADERS inside a header block", join(raw(tHeaders, 0, 1, request()...), get(3)), "GOAWAY 0 PROTOCOL_ERROR; closed"},
	{"CONTINUATION of another stream", join(raw(tHeaders, 0, 1, request()...), raw(tContinuation, fEndHeaders, 3)), "GOAWAY 0 PROTOCOL_ERROR; closed"},
	{"CONTINUATION of nothing", raw(tContinuation, fEndHeaders, 1), "GOAWAY 0 PROTOCOL_ERROR; closed"},
	{"CONTINUATION after END_HEADERS", join(get(1), raw(tContinuation, fEndHeaders, 1)), "GOAWAY 1 PROTOCOL_ERROR; closed"},
	{"CONTINUATION on stream 0", join(raw(tHeaders, 0, 1, request()...), raw(tContinuation, fEndHeaders, 0)), "GOAWAY 0 PROTOCOL_ERROR; closed"},
	{"a block that cannot be decoded", headers(1, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, fEnd), "GOAWAY 1 COMPRESSION_ERROR; closed"},
	{"a block that is cut short", headers(1, request()[:7], fEnd), "GOAWAY 1 COMPRESSION_ERROR; closed"},
	{"a table size update in mid-block", headers(1, append(request(), 0x20), fEnd), "GOAWAY 1 COMPRESSION_ERROR; closed"},
	{"a table size update above what was advertised", headers(1, append([]byte{0x3f, 0xe2, 0x1f}, request()...), fEnd), "GOAWAY 1 COMPRESSION_ERROR; closed"},

	// §5.1: states of streams.
	{"DATA on an idle stream", data(1, "x", 0), "GOAWAY 0 PROTOCOL_ERROR; closed"},
	{"RST_STREAM on an idle stream", reset(1, frame.CodeCancel), "GOAWAY 0 PROTOCOL_ERROR; closed"},
	{"WINDOW_UPDATE on an idle stream", window(1, 1), "GOAWAY 0 PROTOCOL_ERROR; closed"},
	{"WINDOW_UPDATE on an idle stream of the server's", window(2, 1), "GOAWAY 0 PROTOCOL_ERROR; closed"},
	{"DATA after END_STREAM", join(opened(1), data(1, "x", fEnd), data(1, "y", 0)), "RST 1 STREAM_CLOSED; alive"},
	{"HEADERS after END_STREAM", join(opened(1), data(1, "x", fEnd), headers(1, trailers(), fEnd)), "RST 1 STREAM_CLOSED; alive"},
	{"WINDOW_UPDATE after END_STREAM", join(get(1), window(1, 1)), answered(1) + "; alive"},
	{"RST_STREAM twice", join(opened(1), reset(1, frame.CodeCancel), reset(1, frame.CodeCancel)), "alive"},
	{"WINDOW_UPDATE after RST_STREAM", join(opened(1), reset(1, frame.CodeCancel), window(1, 5)), "alive"},
	{"DATA after RST_STREAM", join(opened(1), reset(1, frame.CodeCancel), data(1, "x", 0)), "RST 1 STREAM_CLOSED; alive"},
	{"PRIORITY after RST_STREAM", join(opened(1), reset(1, frame.CodeCancel), raw(tPriority, 0, 1, 0, 0, 0, 0, 5)), "alive"},

	// §5.1.1: stream identifiers.
	{"an even stream id", get(2), "GOAWAY 0 PROTOCOL_ERROR; closed"},
	{"stream 0", get(0), "GOAWAY 0 PROTOCOL_ERROR; closed"},
	{"DATA on stream 0", data(0, "x", 0), "GOAWAY 0 PROTOCOL_ERROR; closed"},
	{"a part of DATA on stream 0", rawLen(100, tData, 0, 0, 'x'), "GOAWAY 0 PROTOCOL_ERROR; closed"},
	{"a lower stream id", join(get(5), get(3)), "GOAWAY 5 PROTOCOL_ERROR; closed"},
	{"a skipped stream id", join(get(5), get(9)), answered(5) + "; " + answered(9) + "; alive"},
	{"the highest stream id", get(1<<31 - 1), answered(1<<31-1) + "; alive"},

	// §5.3, §6.3: PRIORITY is checked and ignored.
	{"PRIORITY", join(raw(tPriority, 0, 1, 0, 0, 0, 3, 5), get(1)), answered(1) + "; alive"},
	{"PRIORITY on stream 0", raw(tPriority, 0, 0, 0, 0, 0, 3, 5), "GOAWAY 0 PROTOCOL_ERROR; closed"},
	{"PRIORITY of a wrong length on an open stream", join(opened(1), raw(tPriority, 0, 1, 0, 0, 0, 3)), "RST 1 FRAME_SIZE_ERROR; alive"},
	{"HEADERS with priority", raw(tHeaders, fEnd|fEndHeaders|fPriority, 1, append([]byte{0x80, 0, 0, 3, 5}, request()...)...), answered(1) + "; alive"},
	{"HEADERS that depend on themselves", raw(tHeaders, fEnd|fEndHeaders|fPriority, 1, append([]byte{0, 0, 0, 1, 5}, request()...)...), "GOAWAY 0 PROTOCOL_ERROR; closed"},
	{"HEADERS with half a priority", raw(tHeaders, fEnd|fEndHeaders|fPriority, 1, 0, 0, 0), "GOAWAY 0 FRAME_SIZE_ERROR; closed"},

	// §6.1, §6.2: padding.
	{"padded DATA", join(opened(1), padded(1, "hello", 255, fEnd)), "HEADERS 1 200; DATA 1 5; HEADERS 1 trailers END; alive"},
	{"DATA that is all padding", join(opened(1), padded(1, "", 9, fEnd)), answered(1) + "; alive"},
	{"too much padding", join(opened(1), raw(tData, fPadded, 1, 6, 'h', 'e', 'l', 'l', 'o')), "GOAWAY 1 PROTOCOL_ERROR; closed"},
	{"no Pad Length", join(opened(1), raw(tData, fPadded, 1)), "GOAWAY 1 FRAME_SIZE_ERROR; closed"},
	{"padded HEADERS", raw(tHeaders, fEnd|fEndHeaders|fPadded, 1, append(append([]byte{4}, request()...), 0, 0, 0, 0)...), answered(1) + "; alive"},
	{"padded HEADERS with priority", raw(tHeaders, fEnd|fEndHeaders|fPadded|fPriority, 1, append(append([]byte{2, 0, 0, 0, 0, 0}, request()...), 0, 0)...), answered(1) + "; alive"},
	{"too much padding on HEADERS", raw(tHeaders, fEnd|fEndHeaders|fPadded, 1, 9, 1, 2), "GOAWAY 0 PROTOCOL_ERROR; closed"},

	// §6.4: RST_STREAM.
	{"RST_STREAM on stream 0", reset(0, frame.CodeCancel), "GOAWAY 0 PROTOCOL_ERROR; closed"},
	{"RST_STREAM of a wrong length", join(opened(1), raw(tReset, 0, 1, 0, 0, 0)), "GOAWAY 1 FRAME_SIZE_ERROR; closed"},
	{"RST_STREAM of an unknown code", join(opened(1), reset(1, 0xffff)), "alive"},

	// §6.5: SETTINGS.
	{"SETTINGS", settings(1, 0, 3, 7, 4, 100, 5, 16384, 6, 100), "alive"},
	{"unknown SETTINGS", settings(0xf000, 1, 0x10, 77), "alive"},
	{"SETTINGS on a stream", raw(tSettings, 0, 1), "GOAWAY 0 PROTOCOL_ERROR; closed"},
	{"SETTINGS of a wrong length", raw(tSettings, 0, 0, 0, 1, 0), "GOAWAY 0 FRAME_SIZE_ERROR; closed"},
	{"SETTINGS ack with a payload", raw(tSettings, fAck, 0, 0, 1, 0, 0, 0, 0), "GOAWAY 0 FRAME_SIZE_ERROR; closed"},
	{"SETTINGS ack of nothing", settingsAck(), "GOAWAY 0 PROTOCOL_ERROR; closed"},
	{"ENABLE_PUSH of 2", settings(2, 2), "GOAWAY 0 PROTOCOL_ERROR; closed"},
	{"ENABLE_PUSH of 1", settings(2, 1), "alive"},
	{"INITIAL_WINDOW_SIZE of 2^31", settings(4, 1<<31), "GOAWAY 0 FLOW_CONTROL_ERROR; closed"},
	{"MAX_FRAME_SIZE of 16383", settings(5, 16383), "GOAWAY 0 PROTOCOL_ERROR; closed"},
	{"MAX_FRAME_SIZE of 0", settings(5, 0), "GOAWAY 0 PROTOCOL_ERROR; closed"},
	{"MAX_FRAME_SIZE of 2^24", settings(5, 1<<24), "GOAWAY 0 PROTOCOL_ERROR; closed"},
	{"a setting out of range after good ones", settings(3, 1, 4, 1, 5, 1), "GOAWAY 0 PROTOCOL_ERROR; closed"},

	// §6.6, §8.4: push.
	{"PUSH_PROMISE", raw(tPush, fEndHeaders, 1, append(u32(2), request()...)...), "GOAWAY 0 PROTOCOL_ERROR; closed"},

	// §6.7: PING.
	{"PING", ping("01234567"), "PONG 01234567; alive"},
	{"PING ack of nothing", pong("01234567"), "alive"},
	{"PING on a stream", raw(tPing, 0, 1, []byte("01234567")...), "GOAWAY 0 PROTOCOL_ERROR; closed"},
	{"PING of 7 bytes", raw(tPing, 0, 0, []byte("0123456")...), "GOAWAY 0 FRAME_SIZE_ERROR; closed"},
	{"PING of 9 bytes", raw(tPing, 0, 0, []byte("012345678")...), "GOAWAY 0 FRAME_SIZE_ERROR; closed"},

	// §6.8: GOAWAY.
	{"GOAWAY", join(goAway(0, frame.CodeNo), get(1)), answered(1) + "; alive"},
	{"GOAWAY on a stream", raw(tGoAway, 0, 1, make([]byte, 8)...), "GOAWAY 0 PROTOCOL_ERROR; closed"},
	{"GOAWAY of 7 bytes", raw(tGoAway, 0, 0, make([]byte, 7)...), "GOAWAY 0 FRAME_SIZE_ERROR; closed"},
	{"GOAWAY with debug data", raw(tGoAway, 0, 0, make([]byte, 5000)...), "alive"},
	{"GOAWAY with a growing id", join(goAway(2, frame.CodeNo), goAway(4, frame.CodeNo)), "GOAWAY 0 PROTOCOL_ERROR; closed"},
	{"GOAWAY with a falling id", join(goAway(4, frame.CodeNo), goAway(2, frame.CodeNo)), "alive"},

	// §6.9: WINDOW_UPDATE.
	{"WINDOW_UPDATE of 0 on the connection", window(0, 0), "GOAWAY 0 PROTOCOL_ERROR; closed"},
	{"WINDOW_UPDATE of 0 on a stream", join(opened(1), window(1, 0)), "RST 1 PROTOCOL_ERROR; alive"},
	{"WINDOW_UPDATE of a wrong length", raw(tWindow, 0, 0, 0, 0, 1), "GOAWAY 0 FRAME_SIZE_ERROR; closed"},
	{"WINDOW_UPDATE with the reserved bit", join(opened(1), raw(tWindow, 0, 1, 0x80, 0, 0, 1)), "alive"},
	{"overflow of the connection's window", window(0, 1<<31-1), "GOAWAY 0 FLOW_CONTROL_ERROR; closed"},
	{"the largest window of the connection", window(0, 1<<31-1-65535), "alive"},
	{"overflow of a stream's window", join(opened(1), window(1, 1<<31-1)), "RST 1 FLOW_CONTROL_ERROR; alive"},
	{"the largest window of a stream", join(opened(1), window(1, 1<<31-1-65535)), "alive"},
	{"overflow by INITIAL_WINDOW_SIZE", join(opened(1), window(1, 1<<31-1-65535), settings(4, 65536)), "GOAWAY 1 FLOW_CONTROL_ERROR; closed"},

	// §8.1: messages.
	{"trailers", join(opened(1), data(1, "x", 0), headers(1, trailers(), fEnd)), "HEADERS 1 200; DATA 1 1; HEADERS 1 trailers END; alive"},
	{"trailers and no DATA", join(opened(1), headers(1, trailers(), fEnd)), answered(1) + "; alive"},
	{"HEADERS in mid-stream without END_STREAM", join(opened(1), headers(1, trailers(), 0)), "RST 1 PROTOCOL_ERROR; alive"},
	{"pseudo-header fields in trailers", join(opened(1), headers(1, fields(":path", "/x"), fEnd)), "RST 1 PROTOCOL_ERROR; alive"},
	{"content-length", join(headers(1, request("content-length", "3"), 0), data(1, "ab", 0), data(1, "c", fEnd)), "HEADERS 1 200; DATA 1 3; HEADERS 1 trailers END; alive"},
	{"content-length and trailers", join(headers(1, request("content-length", "3"), 0), data(1, "abc", 0), headers(1, trailers(), fEnd)), "HEADERS 1 200; DATA 1 3; HEADERS 1 trailers END; alive"},
	{"content-length and padding", join(headers(1, request("content-length", "3"), 0), padded(1, "abc", 50, fEnd)), "HEADERS 1 200; DATA 1 3; HEADERS 1 trailers END; alive"},
	{"content-length of more than there is", join(headers(1, request("content-length", "4"), 0), data(1, "abc", fEnd)), "RST 1 PROTOCOL_ERROR; alive"},
	{"content-length of more than there is, and trailers", join(headers(1, request("content-length", "4"), 0), data(1, "abc", 0), headers(1, trailers(), fEnd)), "RST 1 PROTOCOL_ERROR; alive"},
	{"content-length of less than there is", join(headers(1, request("content-length", "2"), 0), data(1, "abc", 0)), "RST 1 PROTOCOL_ERROR; alive"},
	{"content-length and no DATA", headers(1, request("content-length", "1"), fEnd), "RST 1 PROTOCOL_ERROR; alive"},
	{"content-length of 0 and no DATA", headers(1, request("content-length", "0"), fEnd), answered(1) + "; alive"},
	{"no fields at all", headers(1, nil, fEnd), "RST 1 PROTOCOL_ERROR; alive"},

	// A malformed request costs its stream, and no other.
	{"a malformed request beside a good one", join(headers(1, request("Upper", "x"), fEnd), get(3)), "RST 1 PROTOCOL_ERROR; " + answered(3) + "; alive"},
}

// TestServerProtocol plays h2spec's sections, and more, against a server.
func TestServerProtocol(t *testing.T) {
	for _, tt := range serverCases {
		t.Run(tt.name, func(t *testing.T) {
			serverScript(t, http2.Config{}, slowEcho, func(s *served) {
				s.write(tt.frames)
				if got := sortedOutcome(s.peer); got != tt.want {
					t.Errorf("the client saw\n  %s\nwant\n  %s", got, tt.want)
				}
			})
		})
	}
}

// slowEcho answers a moment later, so that the frames of one script have all
// been seen.
func slowEcho(s transport.Stream, h *transport.Header) {
	time.Sleep(time.Second) // virtual
	echo(s, h)
}

// sortedOutcome lets handlers answer first, and puts their answers in order of
// the streams.
func sortedOutcome(p *peer) string {
	time.Sleep(2 * time.Second) // virtual
	all := strings.Split(p.outcome(), "; ")
	byStream := make(map[string][]string)
	var order, others []string
	for _, line := range all {
		words := strings.Fields(line)
		if words[0] != "HEADERS" && words[0] != "DATA" {
			others = append(others, line)
			continue
		}
		if byStream[words[1]] == nil {
			order = append(order, words[1])
		}
		byStream[words[1]] = append(byStream[words[1]], line)
	}
	var sorted []string
	if len(order) > 1 && len(order[0]) == len(order[1]) && order[0] > order[1] {
		order[0], order[1] = order[1], order[0]
	}
	for _, id := range order {
		sorted = append(sorted, byStream[id]...)
	}
	last := len(others) - 1
	if len(others) > 0 && strings.HasPrefix(others[0], "PONG 1") {
		return strings.Join(append(others[:1], append(sorted, others[1:]...)...), "; ")
	}
	if len(sorted) > 0 {
		return strings.Join(append(append(append([]string{}, others[:last]...), sorted...), others[last]), "; ")
	}
	return strings.Join(others, "; ")
}

// TestServerIgnoresUnknownFrames would break if a type without a name found a
// nil entry somewhere (CVE-2026-27141), or ended a connection (RFC 9113 §5.5).
func TestServerIgnoresUnknownFrames(t *testing.T) {
	serverScript(t, http2.Config{}, echo, func(s *served) {
		for typ := 0x0a; typ <= 0xff; typ++ {
			for _, id := range []uint32{0, 1, 2, 1<<31 - 1} {
				s.write(raw(byte(typ), 0xff, id, []byte("anything at all")...))
			}
			if got := s.outcome(); got != "alive" {
				t.Fatalf("type %#x: %s", typ, got)
			}
		}
		s.write(get(1))
		s.want("HEADERS 1 trailers", answered(1))
	})
	clientScript(t, http2.Config{}, func(c *dialed) {
		for typ := 0x0a; typ <= 0xff; typ++ {
			c.write(raw(byte(typ), 0xff, 1, []byte("anything at all")...))
		}
		c.wantOutcome("alive")
	})
}

// TestServerHello checks what a server says first: its limits.
func TestServerHello(t *testing.T) {
	serverScript(t, http2.Config{}, echo, func(s *served) {
		s.wantOutcome("alive")
		want := map[uint32]uint32{3: 1000, 4: 256 << 10, 6: 16 << 10}
		if len(s.settings) != len(want) {
			t.Errorf("SETTINGS %v, want %v", s.settings, want)
		}
		for id, v := range want {
			if s.settings[id] != v {
				t.Errorf("setting %d is %d, want %d", id, s.settings[id], v)
			}
		}
		if got := s.credit[0]; got != 1<<20-65535 {
			t.Errorf("the connection's window grew by %d, want 1 MiB in all", got)
		}
	})
	clientScript(t, http2.Config{}, func(c *dialed) {
		c.wantOutcome("alive")
		if v, ok := c.settings[2]; !ok || v != 0 {
			t.Errorf("a client's ENABLE_PUSH is %d, %v, want 0", v, ok)
		}
		if _, ok := c.settings[3]; ok {
			t.Error("a client says MAX_CONCURRENT_STREAMS, which is about pushes")
		}
	})
}

// TestSettingsTimeout would break if a peer could go without acknowledging
// SETTINGS (RFC 9113 §6.5.3), or if the limit could not be switched off.
func TestSettingsTimeout(t *testing.T) {
	bubble(t, func(t *testing.T) {
		start := time.Now()
		s := serve(t, http2.Config{}, echo)
		s.write([]byte(clientPreface), settings())
		s.wantEnd("GOAWAY 0 SETTINGS_TIMEOUT; closed")
		if d := time.Since(start); d != 10*time.Second {
			t.Errorf("it took %v, want 10s", d)
		}
		if err := s.close(); err == nil || !strings.Contains(err.Error(), "SETTINGS within 10s") {
			t.Errorf("ServeConn returned %v", err)
		}
	})
	t.Run("limit off", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			s := serve(t, http2.Config{Limits: http2.Limits{SettingsTime: -1}}, echo)
			s.write([]byte(clientPreface), settings())
			time.Sleep(time.Hour)
			s.wantOutcome("alive")
			_ = s.close()
		})
	})
}

// TestSilence (R17) would break if a connection that says nothing, or half of
// something, could stay.
func TestSilence(t *testing.T) {
	hello := join([]byte(clientPreface), settings(), settingsAck())
	half := raw(tHeaders, fEnd|fEndHeaders, 1, request()...)
	for _, tt := range []struct {
		name  string
		bytes []byte
		off   http2.Limits
	}{
		{"nothing", nil, http2.Limits{HandshakeTime: -1, SettingsTime: -1}},
		{"half a preface", []byte(clientPreface[:10]), http2.Limits{HandshakeTime: -1, SettingsTime: -1}},
		{"no SETTINGS", []byte(clientPreface), http2.Limits{HandshakeTime: -1, SettingsTime: -1}},
		{"half of SETTINGS", join([]byte(clientPreface), settings(1, 2)[:12]), http2.Limits{HandshakeTime: -1, SettingsTime: -1}},
		{"half a frame head", join(hello, half[:4]), http2.Limits{HeaderBlockTime: -1}},
		{"half a HEADERS frame", join(hello, half[:20]), http2.Limits{HeaderBlockTime: -1}},
		{"a header block without its end", join(hello, raw(tHeaders, fEnd, 1, request()...)), http2.Limits{HeaderBlockTime: -1}},
		{"half a CONTINUATION", join(hello, raw(tHeaders, fEnd, 1, request()...), []byte{0, 0}), http2.Limits{HeaderBlockTime: -1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				start := time.Now()
				s := serve(t, http2.Config{}, echo)
				s.write(tt.bytes)
				if got := s.until("no such frame"); !strings.HasSuffix(got, "closed") {
					t.Errorf("the client saw %s, want the connection closed", got)
				}
				if d := time.Since(start); d < 9*time.Second || d > 11*time.Second {
					t.Errorf("it took %v, want 10s", d)
				}
				_ = s.close()
			})
		})
		t.Run(tt.name+", limit off", func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := serve(t, http2.Config{Limits: tt.off}, echo)
				s.write(tt.bytes)
				if got := s.until("no such frame"); got != "silence" {
					t.Errorf("the client saw %s, want a connection that goes on", got)
				}
				_ = s.close()
			})
		})
	}
	// A byte now and then does not buy more time.
	t.Run("a header block that trickles in", func(t *testing.T) {
		serverScript(t, http2.Config{}, echo, func(s *served) {
			start := time.Now()
			for _, b := range append(raw(tHeaders, fEnd, 1, request()...), repeat(200, raw(tContinuation, 0, 1, 'x'))...) {
				s.write([]byte{b})
				time.Sleep(500 * time.Millisecond)
				if time.Since(start) > 20*time.Second {
					break
				}
			}
			if got := s.outcome(); !strings.HasSuffix(got, "closed") {
				t.Errorf("the client saw %s, want the connection closed", got)
			}
		})
	})
	// An idle connection, and DATA that takes its time, are no silence.
	t.Run("idle and slow bodies", func(t *testing.T) {
		serverScript(t, http2.Config{}, echo, func(s *served) {
			time.Sleep(time.Hour)
			s.wantOutcome("alive")
			s.write(opened(1))
			s.write(data(1, "hello", fEnd)[:9])
			time.Sleep(5 * time.Second)
			for _, b := range []byte("hello") {
				s.write([]byte{b})
				time.Sleep(time.Minute)
			}
			s.want("HEADERS 1 trailers", "HEADERS 1 200; DATA 1 5; HEADERS 1 trailers END")
		})
	})
}

// TestServerDrain plays the two steps of a graceful end (RFC 9113 §6.8).
func TestServerDrain(t *testing.T) {
	drain := func(s *served) {
		s.write(opened(1))
		s.wantOutcome("alive")
		s.stop()
		s.want("PING", "GOAWAY max NO_ERROR; PING "+drainPing)
	}
	t.Run("with an answer to the PING", func(t *testing.T) {
		serverScript(t, http2.Config{}, echo, func(s *served) {
			drain(s)
			// Opened between the two GOAWAYs: served.
			s.write(opened(3), pong(s.pings[len(s.pings)-1]))
			s.want("GOAWAY", "GOAWAY 3 NO_ERROR")
			// Above the final id: ignored, its DATA credited.
			before := s.credit[0]
			s.write(opened(5), repeat(40, padded(5, strings.Repeat("x", 16000), 0, 0)), data(5, "", fEnd))
			s.wantOutcome("alive")
			if got := s.credit[0] - before; got < 40*16001-1<<18 {
				t.Errorf("DATA on an ignored stream gave back %d, want most of %d", got, 40*16001)
			}
			s.write(data(3, "three", fEnd))
			s.want("HEADERS 3 trailers", "HEADERS 3 200; DATA 3 5; HEADERS 3 trailers END")
			s.write(data(1, "one", fEnd))
			s.wantEnd("HEADERS 1 200; DATA 1 3; HEADERS 1 trailers END; GOAWAY 3 NO_ERROR; closed")
		})
	})
	t.Run("without one", func(t *testing.T) {
		serverScript(t, http2.Config{}, echo, func(s *served) {
			drain(s)
			start := time.Now()
			s.want("GOAWAY", "GOAWAY 1 NO_ERROR")
			if d := time.Since(start); d != 5*time.Second {
				t.Errorf("the final GOAWAY came after %v, want 5s", d)
			}
			s.write(pong(s.pings[len(s.pings)-1])) // late, and to no effect
			s.wantOutcome("alive")
			s.write(data(1, "one", fEnd))
			s.wantEnd("HEADERS 1 200; DATA 1 3; HEADERS 1 trailers END; GOAWAY 1 NO_ERROR; closed")
		})
	})
	t.Run("without streams", func(t *testing.T) {
		serverScript(t, http2.Config{}, echo, func(s *served) {
			s.wantOutcome("alive")
			s.stop()
			s.want("PING", "GOAWAY max NO_ERROR; PING "+drainPing)
			s.write(pong(s.pings[len(s.pings)-1]))
			s.wantEnd("GOAWAY 0 NO_ERROR; GOAWAY 0 NO_ERROR; closed")
			if err := <-s.done; err != nil {
				t.Errorf("ServeConn returned %v after a drain", err)
			}
			s.done <- nil
		})
	})
}

// drainPing is the opaque value of a draining server's PING.
const drainPing = "yodel/p3"

// TestServerEarlyAnswer would break if a server that has answered before the
// request was complete left the client sending (RFC 9113 §8.1).
func TestServerEarlyAnswer(t *testing.T) {
	early := func(s transport.Stream, _ *transport.Header) {
		_ = s.Send(context.Background(), &transport.Outgoing{
			Header: &transport.Header{Block: responseBlock}, Trailer: &transport.Header{Block: trailerBlock},
		})
		s.Close()
	}
	serverScript(t, http2.Config{}, early, func(s *served) {
		s.write(opened(1))
		s.want("RST", answered(1)+"; RST 1 NO_ERROR")
		before := s.credit[0]
		s.write(repeat(40, data(1, strings.Repeat("x", 16000), 0)), headers(1, trailers(), fEnd))
		s.wantOutcome("alive")
		if got := s.credit[0] - before; got < 40*16000-1<<18 {
			t.Errorf("late DATA gave back %d, want most of %d", got, 40*16000)
		}
	})
	// A handler that leaves without a word is no answer.
	serverScript(t, http2.Config{}, func(s transport.Stream, _ *transport.Header) { s.Close() }, func(s *served) {
		s.write(get(1))
		s.wantOutcome("RST 1 CANCEL; alive")
	})
	// Trailers-Only: the header section is all.
	only := func(s transport.Stream, _ *transport.Header) {
		_ = s.Send(context.Background(), &transport.Outgoing{Header: &transport.Header{Block: responseBlock}, End: true})
		s.Close()
	}
	serverScript(t, http2.Config{}, only, func(s *served) {
		s.write(get(1))
		s.want("HEADERS 1", "HEADERS 1 200 END")
		s.write(opened(3))
		s.wantOutcome("HEADERS 3 200 END; RST 3 NO_ERROR; alive")
	})
}

// TestServerWindows would break if a server sent more than it may, or did not
// notice changes of the initial window on open streams (RFC 9113 §6.9.2).
func TestServerWindows(t *testing.T) {
	serverScript(t, http2.Config{}, echo, func(s *served) {
		s.write(settings(4, 10))
		s.write(opened(1), data(1, strings.Repeat("x", 50), fEnd))
		s.wantOutcome("HEADERS 1 200; DATA 1 10; alive")
		s.write(settings(4, 20)) // 10 more
		s.wantOutcome("DATA 1 10; alive")
		s.write(settings(4, 5)) // 15 less: the window is -15
		s.write(window(1, 15))  // and now 0
		s.wantOutcome("alive")
		s.write(window(1, 1))
		s.wantOutcome("DATA 1 1; alive")
		s.write(settings(4, 0), window(1, 5)) // -5 and 0 again
		s.wantOutcome("alive")
		s.write(settings(4, 65535))
		s.wantOutcome("DATA 1 29; HEADERS 1 trailers END; alive")
	})
	t.Run("connection", func(t *testing.T) {
		serverScript(t, http2.Config{}, echo, func(s *served) {
			s.write(settings(4, 1<<20))
			s.write(opened(1), data(1, strings.Repeat("x", 10000), 0))
			for range 6 {
				s.write(data(1, strings.Repeat("x", 10000), 0))
			}
			s.write(data(1, "", fEnd))
			synctest.Wait()
			s.write(settingsAck()) // of larger frames
			s.until("silence")
			if got := s.received[1]; got != 65535 {
				t.Errorf("the server sent %d bytes, want 65535", got)
			}
			s.write(window(0, 1<<20))
			s.until("HEADERS 1 trailers")
			if got := s.received[1]; got != 70000 {
				t.Errorf("the server sent %d bytes, want 70000", got)
			}
		})
	})
	t.Run("MAX_FRAME_SIZE", func(t *testing.T) {
		serverScript(t, http2.Config{}, echo, func(s *served) {
			s.write(opened(1), data(1, strings.Repeat("x", 16384), 0), data(1, strings.Repeat("x", 16384), fEnd))
			s.want("HEADERS 1 trailers", "HEADERS 1 200; DATA 1 16384; DATA 1 16384; HEADERS 1 trailers END")
			s.write(settings(5, 20000))
			s.write(opened(3), data(3, strings.Repeat("x", 16384), 0), data(3, strings.Repeat("x", 3616), fEnd))
			s.want("HEADERS 3 trailers", "HEADERS 3 200; DATA 3 20000; HEADERS 3 trailers END")
		})
	})
}

// TestServerFlowControl would break if a client could send more than it may
// (RFC 9113 §6.9.1).
func TestServerFlowControl(t *testing.T) {
	hold := func(s transport.Stream, h *transport.Header) {
		time.Sleep(time.Minute) // virtual
		s.Close()
	}
	t.Run("stream", func(t *testing.T) {
		serverScript(t, http2.Config{StreamWindow: 1000}, hold, func(s *served) {
			s.write(opened(1), data(1, strings.Repeat("x", 1000), 0))
			s.wantOutcome("alive")
			s.write(data(1, "x", 0))
			s.wantOutcome("RST 1 FLOW_CONTROL_ERROR; alive")
		})
	})
	t.Run("stream, by padding", func(t *testing.T) {
		serverScript(t, http2.Config{StreamWindow: 1000}, hold, func(s *served) {
			s.write(opened(1), data(1, strings.Repeat("x", 995), 0), padded(1, "x", 4, 0))
			s.wantOutcome("RST 1 FLOW_CONTROL_ERROR; alive")
		})
	})
	t.Run("connection", func(t *testing.T) {
		serverScript(t, http2.Config{StreamWindow: 1 << 20, ConnWindow: 100_000, MaxUnread: 1}, hold, func(s *served) {
			s.write(opened(1), opened(3), repeat(5, data(1, strings.Repeat("x", 10000), 0)), repeat(5, data(3, strings.Repeat("x", 10000), 0)))
			s.wantOutcome("alive")
			s.write(repeat(5, data(1, strings.Repeat("x", 10000), 0)))
			s.wantOutcome("GOAWAY 3 FLOW_CONTROL_ERROR; closed")
		})
	})
}

// TestLargeHeadersBothWays sends header sections in many frames.
func TestLargeHeadersBothWays(t *testing.T) {
	big := strings.Repeat("v", 40000)
	limits := http2.Limits{HeaderBytes: 1 << 20}
	bubble(t, func(t *testing.T) {
		p := newBubblePair(t, newPipeListener(pipeSize), handlerFunc(func(s transport.Stream, h *transport.Header) {
			v, _ := h.Get("big")
			_ = s.Send(context.Background(), &transport.Outgoing{
				Header:  &transport.Header{Block: responseBlock, More: []transport.Field{{Name: "big", Value: v}}},
				Trailer: &transport.Header{Block: trailerBlock, More: []transport.Field{{Name: "big", Value: v}}},
			})
			s.Close()
		}), http2.Config{Limits: limits}, http2.Config{Limits: limits})
		ctx := context.Background()
		s, err := p.conn.Open(ctx, &transport.Outgoing{Header: &transport.Header{Block: requestBlock, More: []transport.Field{{Name: "big", Value: big}}}, End: true})
		if err != nil {
			t.Fatal(err)
		}
		h, err := s.Header(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if v, _ := h.Get("big"); v != big {
			t.Errorf("a header of %d bytes came back with %d", len(big), len(v))
		}
		if _, _, err := s.Await(ctx, everything); err != nil {
			t.Fatal(err)
		}
		if v, _ := s.Trailer().Get("big"); v != big {
			t.Errorf("a trailer of %d bytes came back with %d", len(big), len(v))
		}
		s.Close()
		p.close()
	})
}
