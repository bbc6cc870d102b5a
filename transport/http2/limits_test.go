package http2_test

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodelrpc/yodel/internal/frame"
	"github.com/yodelrpc/yodel/transport"
	"github.com/yodelrpc/yodel/transport/http2"
)

// limitCase is a limit and an attack on it: with the limit on the attack ends as
// want says, and with it off as off says. A case whose two ends are the same
// would test nothing.
type limitCase struct {
	name   string
	frames []byte
	want   string
	limits http2.Limits // with the limit off
	off    string
}

const calm = "GOAWAY 0 ENHANCE_YOUR_CALM; closed"

// manyFields is n fields of 1 byte and 1 byte, 34 bytes each as they count.
func manyFields(n int) []byte { return repeat(n, fields("a", "b")) }

// continued is a request in one HEADERS frame and these CONTINUATION frames.
func continued(block []byte, pieces ...[]byte) []byte {
	out := raw(tHeaders, fEnd, 1, block...)
	for i, piece := range pieces {
		flags := byte(0)
		if i == len(pieces)-1 {
			flags = fEndHeaders
		}
		out = append(out, raw(tContinuation, flags, 1, piece...)...)
	}
	return out
}

func pieces(n int, piece []byte) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		out[i] = piece
	}
	return out
}

// bare is a request without fields: 151 bytes as they count.
var bare = fields(":method", "POST", ":scheme", "http", ":path", "/", ":authority", "a")

func bareSize() int {
	return len(":methodPOST:schemehttp:path/:authoritya") + 4*32
}

var serverLimits = []limitCase{
	// R3.
	{
		"8 CONTINUATION", continued(request(), pieces(9, fields("a", "b"))...), calm,
		http2.Limits{Continuations: -1},
		answered(1) + "; alive",
	},
	{
		"1 empty CONTINUATION", continued(request(), nil, nil, fields("a", "b")), calm,
		http2.Limits{EmptyContinuations: -1},
		answered(1) + "; alive",
	},
	{
		"4 times the header limit", continued(request(), pieces(8, fields("a", strings.Repeat("x", 9000)))...), calm,
		http2.Limits{HeaderBlockBytes: -1},
		"RST 1 ENHANCE_YOUR_CALM; alive",
	},
	// R4.
	{
		"128 fields", headers(1, append(request(), manyFields(124)...), fEnd), "RST 1 ENHANCE_YOUR_CALM; alive",
		http2.Limits{HeaderFields: -1},
		answered(1) + "; alive",
	},
	{
		"16 KiB", headers(1, append(append([]byte(nil), bare...), fields("x", strings.Repeat("y", 16384-bareSize()-32))...), fEnd), "RST 1 ENHANCE_YOUR_CALM; alive",
		http2.Limits{HeaderBytes: -1},
		answered(1) + "; alive",
	},
	{
		"128 fields in trailers", join(opened(1), headers(1, manyFields(129), fEnd)), "RST 1 ENHANCE_YOUR_CALM; alive",
		http2.Limits{HeaderFields: -1},
		answered(1) + "; alive",
	},
	{
		"16 KiB of trailers", join(opened(1), headers(1, fields("x", strings.Repeat("y", 16384-32)), fEnd)), "RST 1 ENHANCE_YOUR_CALM; alive",
		http2.Limits{HeaderBytes: -1},
		answered(1) + "; alive",
	},
	// R8.
	{
		"32 entries in SETTINGS", settings(make([]uint32, 66)...), calm,
		http2.Limits{SettingsEntries: -1},
		"alive",
	},
	{
		"SETTINGS flood", repeat(10_001, settings()), calm,
		http2.Limits{GlitchBurst: -1},
		"alive",
	},
	// R9.
	{
		"100 empty DATA", join(opened(1), repeat(101, data(1, "", 0))), "GOAWAY 1 ENHANCE_YOUR_CALM; closed",
		http2.Limits{EmptyDataBurst: -1},
		"alive",
	},
	{
		"100 DATA of padding", join(opened(1), repeat(101, padded(1, "", 20, 0))), "GOAWAY 1 ENHANCE_YOUR_CALM; closed",
		http2.Limits{EmptyDataBurst: -1},
		"alive",
	},
	// R10.
	{
		"PRIORITY storm", repeat(10_001, raw(tPriority, 0, 1, 0, 0, 0, 3, 5)), calm,
		http2.Limits{GlitchBurst: -1},
		"alive",
	},
	// R16.
	{
		"unknown frames", repeat(10_001, raw(0xbb, 0, 0)), calm,
		http2.Limits{GlitchBurst: -1},
		"alive",
	},
}

// TestServerLimits holds each limit on frames against an attack that passes it
// by one, and against the same attack with the limit off.
func TestServerLimits(t *testing.T) {
	for _, tt := range serverLimits {
		if tt.want == tt.off {
			t.Fatalf("%s tests nothing", tt.name)
		}
		t.Run(tt.name, func(t *testing.T) {
			serverScript(t, http2.Config{}, slowEcho, func(s *served) {
				s.write(tt.frames)
				if got := sortedOutcome(s.peer); got != tt.want {
					t.Errorf("the client saw\n  %s\nwant\n  %s", got, tt.want)
				}
			})
		})
		t.Run(tt.name+", limit off", func(t *testing.T) {
			serverScript(t, http2.Config{Limits: tt.limits}, slowEcho, func(s *served) {
				s.write(tt.frames)
				if got := sortedOutcome(s.peer); got != tt.off {
					t.Errorf("the client saw\n  %s\nwant\n  %s", got, tt.off)
				}
			})
		})
	}
}

// underLimits pass no limit, by one.
var underLimits = []struct {
	name   string
	frames []byte
	want   string
}{
	{"8 CONTINUATION", continued(request(), pieces(8, fields("a", "b"))...), answered(1) + "; alive"},
	{"1 empty CONTINUATION", continued(request(), nil, fields("a", "b")), answered(1) + "; alive"},
	{"128 fields", headers(1, append(request(), manyFields(123)...), fEnd), answered(1) + "; alive"},
	{"16 KiB", headers(1, append(append([]byte(nil), bare...), fields("x", strings.Repeat("y", 16384-bareSize()-33))...), fEnd), answered(1) + "; alive"},
	{"128 fields in trailers", join(opened(1), headers(1, manyFields(128), fEnd)), answered(1) + "; alive"},
	{"32 entries in SETTINGS", settings(make([]uint32, 64)...), "alive"},
	{"SETTINGS", repeat(9_000, settings()), "alive"},
	{"100 empty DATA", join(opened(1), repeat(100, data(1, "", 0))), "alive"},
	{"PRIORITY", repeat(9_000, raw(tPriority, 0, 1, 0, 0, 0, 3, 5)), "alive"},
}

// TestUnderServerLimits would break if a limit were stricter than it says.
func TestUnderServerLimits(t *testing.T) {
	for _, tt := range underLimits {
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

// TestClientLimits is the same for servers that attack (R4, R26).
func TestClientLimits(t *testing.T) {
	status := fields(":status", "200")
	for _, tt := range []limitCase{
		{
			"256 fields", headers(1, append(append([]byte(nil), status...), manyFields(256)...), fEnd), "RST 1 ENHANCE_YOUR_CALM; alive",
			http2.Limits{HeaderFields: -1},
			"alive",
		},
		{
			"64 KiB", continuedAs(1, append(append([]byte(nil), status...), fields("x", strings.Repeat("y", 1<<16))...)), "RST 1 ENHANCE_YOUR_CALM; alive",
			http2.Limits{HeaderBytes: -1},
			"alive",
		},
		{
			"256 fields in trailers", join(headers(1, status, 0), headers(1, manyFields(257), fEnd)), "RST 1 ENHANCE_YOUR_CALM; alive",
			http2.Limits{HeaderFields: -1},
			"alive",
		},
		{
			"interim responses", repeat(10_001, headers(1, fields(":status", "100"), 0)), calm,
			http2.Limits{GlitchBurst: -1},
			"alive",
		},
		{
			"256 fields in an interim response", headers(1, append(fields(":status", "100"), manyFields(256)...), 0), "RST 1 ENHANCE_YOUR_CALM; alive",
			http2.Limits{HeaderFields: -1},
			"alive",
		},
		{
			"empty DATA", join(headers(1, status, 0), repeat(101, data(1, "", 0))), calm,
			http2.Limits{EmptyDataBurst: -1},
			"alive",
		},
		{
			"CONTINUATION flood", join(raw(tHeaders, 0, 1, status...), repeat(9, raw(tContinuation, 0, 1, fields("a", "b")...)), raw(tContinuation, fEndHeaders, 1)), calm,
			http2.Limits{Continuations: -1},
			"alive",
		},
	} {
		run := func(name string, limits http2.Limits, want string) {
			t.Run(name, func(t *testing.T) {
				clientScript(t, http2.Config{Limits: limits}, func(c *dialed) {
					got := call(c.conn, "")
					c.want("HEADERS 1", "HEADERS 1 POST END")
					c.write(tt.frames)
					if out := c.outcome(); out != want {
						t.Errorf("the server saw\n  %s\nwant\n  %s", out, want)
					}
					c.end.cut()
					<-got
				})
			})
		}
		run(tt.name, http2.Limits{}, tt.want)
		run(tt.name+", limit off", tt.limits, tt.off)
	}
}

// continuedAs is a header section in as many frames as it takes.
func continuedAs(id uint32, block []byte) []byte {
	return frame.AppendHeaderBlock(nil, id, block, true, 16384)
}

// TestConcurrentStreams (R1) would break if a client could have more streams
// open than were advertised, or if that cost more than the one stream.
func TestConcurrentStreams(t *testing.T) {
	attack := func(s *served) {
		for i := range uint32(5) {
			s.write(opened(2*i + 1))
		}
	}
	serverScript(t, http2.Config{Limits: http2.Limits{ConcurrentStreams: 3}}, echo, func(s *served) {
		attack(s)
		s.wantOutcome("RST 7 REFUSED_STREAM; RST 9 REFUSED_STREAM; alive")
		if s.settings[3] != 3 {
			t.Errorf("MAX_CONCURRENT_STREAMS is %d", s.settings[3])
		}
		s.write(reset(1, frame.CodeCancel), opened(11))
		s.wantOutcome("alive")
	})
	serverScript(t, http2.Config{Limits: http2.Limits{ConcurrentStreams: -1}}, echo, func(s *served) {
		attack(s)
		s.wantOutcome("alive")
		if _, ok := s.settings[3]; ok {
			t.Error("MAX_CONCURRENT_STREAMS is advertised without a limit")
		}
	})
	t.Run("default", func(t *testing.T) {
		serverScript(t, http2.Config{}, echo, func(s *served) {
			for i := range uint32(1001) {
				s.write(opened(2*i + 1))
			}
			s.wantOutcome("RST 2001 REFUSED_STREAM; alive")
		})
	})
}

// TestRunningHandlers (R1, GHSA-m425) would break if a stream's reset freed its
// handler's slot while the handler still runs.
func TestRunningHandlers(t *testing.T) {
	attack := func(t *testing.T, limits http2.Limits) (most int) {
		release := make(chan struct{})
		var running, peak atomic.Int32
		limits.ResetBurst = -1
		bubble(t, func(t *testing.T) {
			release = make(chan struct{})
			s := serve(t, http2.Config{Limits: limits}, func(s transport.Stream, _ *transport.Header) {
				if n := running.Add(1); n > peak.Load() {
					peak.Store(n)
				}
				<-release // deaf to its stream's end
				running.Add(-1)
				s.Close()
			}).hello()
			for i := range uint32(500) {
				s.write(opened(2*i + 1))
				synctest.Wait() // or the stream would be gone before its handler runs
				s.write(reset(2*i+1, frame.CodeCancel))
			}
			s.wantOutcome("alive")
			most = int(peak.Load())
			close(release)
			// Slots come back: the connection serves again.
			s.write(get(5001))
			if got := s.until("RST 5001"); !strings.HasPrefix(got, "RST 5001") {
				t.Errorf("afterwards the client saw %s", got)
			}
			_ = s.close()
		})
		return most
	}
	if n := attack(t, http2.Limits{RunningHandlers: 7}); n != 7 {
		t.Errorf("%d handlers ran at once, want 7", n)
	}
	if n := attack(t, http2.Limits{RunningHandlers: -1}); n != 500 {
		t.Errorf("without the limit %d handlers ran at once, want 500", n)
	}
}

// TestRapidReset (R1, CVE-2023-44487) would break if resets were free, or if an
// honest client that cancels much were cut off at once.
func TestRapidReset(t *testing.T) {
	// attack opens and resets as fast as the server reads, and tells how many
	// resets it took within so many seconds, and what became of the connection.
	attack := func(t *testing.T, limits http2.Limits, d time.Duration) (taken int, out string) {
		bubble(t, func(t *testing.T) {
			s := serveSized(t, http2.Config{Limits: limits}, blockUntilReset, 4096).hello()
			start := time.Now()
			_ = s.nc.SetWriteDeadline(start.Add(d))
			out = "open"
			for id := uint32(1); ; id += 2 {
				if _, err := s.nc.Write(join(opened(id), reset(id, frame.CodeCancel))); err != nil {
					break
				}
				if taken++; taken%1000 == 0 {
					time.Sleep(time.Millisecond) // virtual: time passes even while all is read
				}
				if limits.ResetBurst < 0 && taken > 100_000 || limits.ResetBurst > 0 && taken > 20_000 {
					break
				}
			}
			if time.Since(start) < d && taken < 100_000 {
				_ = s.nc.SetWriteDeadline(time.Time{})
				out = s.until("no such frame")
			}
			_ = s.close()
		})
		return taken, out
	}
	t.Run("burst", func(t *testing.T) {
		n, out := attack(t, http2.Limits{}, 10*time.Second)
		// 2,000 at once and 2,000 a second, and what is on its way.
		if n < 10_000 || n > 23_000 || out != "open" {
			t.Errorf("in 10 s %d resets were taken (%s), want about 22,000", n, out)
		}
	})
	t.Run("for long", func(t *testing.T) {
		limits := http2.Limits{ResetBurst: 100, ResetsPerSecond: 100}
		n, out := attack(t, limits, 2*time.Minute)
		if !strings.HasSuffix(out, "ENHANCE_YOUR_CALM; closed") {
			t.Errorf("%d resets were sent, and then the client saw %s, want the connection closed after 30 s", n, out)
		}
	})
	t.Run("limit off", func(t *testing.T) {
		if n, out := attack(t, http2.Limits{ResetBurst: -1}, 10*time.Second); n < 100_000 || out != "open" {
			t.Errorf("without the limit %d resets were taken (%s), want all", n, out)
		}
	})
	t.Run("excess time off", func(t *testing.T) {
		limits := http2.Limits{ResetBurst: 100, ResetsPerSecond: 100, ResetExcessTime: -1}
		if _, out := attack(t, limits, 2*time.Minute); out != "open" {
			t.Errorf("without the limit the client saw %s", out)
		}
	})
	// Resets after the answer has begun cost nothing.
	t.Run("after headers", func(t *testing.T) {
		serverScript(t, http2.Config{Limits: http2.Limits{ResetBurst: 1, ResetsPerSecond: 1}}, func(s transport.Stream, h *transport.Header) {
			_ = s.Send(context.Background(), &transport.Outgoing{Header: &transport.Header{Block: responseBlock}})
			blockUntilReset(s, h)
		}, func(s *served) {
			start := time.Now()
			for i := range uint32(1000) {
				s.write(opened(2*i + 1))
				s.until("HEADERS")
				s.write(reset(2*i+1, frame.CodeCancel))
			}
			s.outcome()
			if d := time.Since(start); d > time.Second {
				t.Errorf("it took %v", d)
			}
		})
	})
}

// TestProvokedResets (R2, CVE-2025-8671) would break if resets that the client
// makes us send were free: they count as its own.
func TestProvokedResets(t *testing.T) {
	for _, tt := range []struct {
		name string
		f    func(id uint32) []byte
	}{
		{"WINDOW_UPDATE of 0", func(id uint32) []byte { return join(opened(id), window(id, 0)) }},
		{"window overflow", func(id uint32) []byte { return join(opened(id), window(id, 1<<31-1)) }},
		{"DATA after END_STREAM", func(id uint32) []byte { return join(opened(id), data(id, "", fEnd), data(id, "x", 0)) }},
		{"HEADERS after END_STREAM", func(id uint32) []byte {
			return join(opened(id), data(id, "", fEnd), headers(id, trailers(), fEnd))
		}},
		{"PRIORITY of a wrong length", func(id uint32) []byte { return join(opened(id), raw(tPriority, 0, id, 1)) }},
		{"content-length", func(id uint32) []byte { return headers(id, request("content-length", "1"), fEnd) }},
		{"malformed", func(id uint32) []byte { return headers(id, request("Upper", "1"), fEnd) }},
		{"too large", func(id uint32) []byte { return headers(id, append(request(), manyFields(130)...), fEnd) }},
	} {
		attack := func(t *testing.T, limits http2.Limits) (d time.Duration) {
			bubble(t, func(t *testing.T) {
				s := serve(t, http2.Config{Limits: limits}, blockUntilReset).hello()
				start := time.Now()
				for i := range uint32(50) {
					s.write(tt.f(2*i + 1))
				}
				s.outcome()
				for i := range uint32(50) {
					s.write(tt.f(2*i + 101))
				}
				s.outcome()
				d = time.Since(start)
				_ = s.close()
			})
			return d
		}
		t.Run(tt.name, func(t *testing.T) {
			if d := attack(t, http2.Limits{ResetBurst: 10, ResetsPerSecond: 10}); d < 3*time.Second || d > 10*time.Second {
				t.Errorf("100 of them took %v, want several seconds", d)
			}
			if d := attack(t, http2.Limits{ResetBurst: -1}); d > time.Second {
				t.Errorf("without the limit 100 of them took %v, want no time", d)
			}
		})
	}
}

// heap is the memory in use, without what is waiting to be collected.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // the first empties pools into their victims only
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestHeaderBomb (R4, CVE-2026-49975) would break if a block of one-byte
// references to a large field held memory on streams that do not end.
func TestHeaderBomb(t *testing.T) {
	attack := func(t *testing.T, limits http2.Limits) (grown uint64) {
		bubble(t, func(t *testing.T) {
			s := serve(t, http2.Config{Limits: limits}, blockUntilReset).hello()
			enter := append([]byte{0x40, 1, 'a'}, append(hpackLen(4000), strings.Repeat("x", 4000)...)...)
			s.write(headers(1, append(request(), enter...), fEnd))
			s.outcome()
			before := heap()
			for i := range uint32(50) {
				s.write(headers(2*i+3, append(request(), repeat(10_000, []byte{0xbe})...), 0))
			}
			s.outcome()
			if after := heap(); after > before {
				grown = after - before
			}
			_ = s.close()
		})
		return grown
	}
	if n := attack(t, http2.Limits{}); n > 4<<20 {
		t.Errorf("500 KB of references hold %d bytes", n)
	}
	if n := attack(t, http2.Limits{HeaderBytes: -1, HeaderFields: -1, HeaderMemory: -1}); n < 4<<20 {
		t.Errorf("without the limits they hold %d bytes: the attack is none", n)
	}
}

// TestCompressionErrors (R5) would break if a block could make the decoder work
// without end; each ends the connection, whose tables are out of step.
func TestCompressionErrors(t *testing.T) {
	for name, block := range map[string][]byte{
		"an integer without end":       append([]byte{0xff}, append(repeat(50, []byte{0x80}), 0)...),
		"a length without end":         append([]byte{0x00, 0x7f}, append(repeat(50, []byte{0x80}), 0)...),
		"a length that is huge":        {0x00, 0x7f, 0xff, 0xff, 0xff, 0xff, 0x07},
		"three table size updates":     append([]byte{0x20, 0x20, 0x20}, request()...),
		"index 0":                      {0x80},
		"an index past the table":      {0xc0},
		"Huffman padding that is long": {0x00, 0x01, 'a', 0x82, 0xff, 0xff},
	} {
		t.Run(name, func(t *testing.T) {
			serverScript(t, http2.Config{}, echo, func(s *served) {
				s.write(headers(1, block, fEnd))
				s.wantOutcome("GOAWAY 1 COMPRESSION_ERROR; closed")
			})
		})
	}
}

// TestPeerTableSize (R6) would break if a peer could make our encoder keep more
// than 4 KiB: the scripted peer's decoder refuses more.
func TestPeerTableSize(t *testing.T) {
	for _, size := range []uint32{0, 100, 4096, 1<<32 - 1} {
		serverScript(t, http2.Config{}, func(s transport.Stream, h *transport.Header) {
			v, _ := h.Get("v")
			_ = s.Send(context.Background(), &transport.Outgoing{
				Header: &transport.Header{Block: responseBlock, More: []transport.Field{{Name: "v", Value: v}}}, End: true,
			})
			s.Close()
		}, func(s *served) {
			s.write(settings(1, size))
			for i := range uint32(200) {
				s.write(headers(2*i+1, request("v", strings.Repeat(strconv.FormatUint(uint64(i), 10), 20)), fEnd))
				s.until("HEADERS")
			}
		})
	}
}

// TestTableStaysInStep (R7) would break if a section that is refused, or comes
// too late, were skipped: the next one would mean something else.
func TestTableStaysInStep(t *testing.T) {
	enter := func(name, value string) []byte {
		b := append([]byte{0x40}, hpackLen(len(name))...)
		b = append(append(b, name...), hpackLen(len(value))...)
		return append(b, value...)
	}
	for _, tt := range []struct {
		name   string
		before []byte
		limits http2.Limits
	}{
		{"too large", headers(1, join(request(), enter("secret", "x"), manyFields(130)), fEnd), http2.Limits{}},
		{"malformed", headers(1, join(request(), enter("secret", "x"), fields("B", "c")), fEnd), http2.Limits{}},
		{"refused", join(opened(1), headers(3, join(request(), enter("secret", "x")), fEnd), reset(1, frame.CodeCancel)), http2.Limits{ConcurrentStreams: 1}},
		{"of a stream that was reset", join(headers(1, request("B", ""), 0), headers(1, enter("secret", "x"), fEnd)), http2.Limits{}},
		{"trailers of a stream that is half-closed", join(get(1), headers(1, enter("secret", "x"), fEnd)), http2.Limits{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := make(chan string, 1)
			serverScript(t, http2.Config{Limits: tt.limits}, func(s transport.Stream, h *transport.Header) {
				if v, ok := h.Get("secret"); ok {
					got <- v
				}
				blockUntilReset(s, h)
			}, func(s *served) {
				s.write(tt.before)
				before := s.outcome()
				s.write(headers(5, append(request(), 0xbe), fEnd))
				before += " | " + s.outcome()
				defer func() {
					if t.Failed() {
						t.Log(before)
					}
				}()
				select {
				case v := <-got:
					if v != "x" {
						t.Errorf("the field came out as %q", v)
					}
				default:
					t.Error("the field that the section before entered is not there")
				}
			})
		})
	}
}

// TestRepliesThatNobodyReads (R8, CVE-2019-9512, -9515) would break if a peer
// could make us queue answers without end.
func TestRepliesThatNobodyReads(t *testing.T) {
	for _, tt := range []struct {
		name string
		one  []byte
	}{
		{"PING", ping("12345678")},
		{"SETTINGS", settings()},
	} {
		attack := func(t *testing.T, limits http2.Limits) (sent int, grown uint64, out string) {
			limits.GlitchBurst = -1
			bubble(t, func(t *testing.T) {
				s := serveSized(t, http2.Config{Limits: limits}, echo, 4096)
				go s.hello()
				synctest.Wait()
				start := time.Now()
				before := heap()
				_ = s.nc.SetWriteDeadline(start.Add(time.Second))
				for range 10_000 {
					n, err := s.nc.Write(repeat(100, tt.one))
					sent += n / len(tt.one)
					if err != nil {
						break
					}
				}
				if after := heap(); after > before {
					grown = after - before
				}
				select {
				case <-s.done:
					out = "closed after " + time.Since(start).Round(time.Second).String()
					s.done <- nil
				case <-time.After(15 * time.Second):
					out = "open"
				}
				_ = s.close()
			})
			return sent, grown, out
		}
		t.Run(tt.name, func(t *testing.T) {
			sent, grown, out := attack(t, http2.Limits{})
			if sent > 25_000 || grown > 1<<20 {
				t.Errorf("%d frames were read, which hold %d bytes", sent, grown)
			}
			if out != "closed after 11s" {
				t.Errorf("the connection is %s, want it closed 10 s after reading stopped", out)
			}
		})
		t.Run(tt.name+", limits off", func(t *testing.T) {
			sent, grown, _ := attack(t, http2.Limits{Replies: -1, ReplyBytes: -1})
			if sent != 1_000_000 || grown < 1<<20 {
				t.Errorf("without the limits %d frames were read, which hold %d bytes: the attack is none", sent, grown)
			}
		})
		t.Run(tt.name+", time off", func(t *testing.T) {
			if _, _, out := attack(t, http2.Limits{ReplyTime: -1}); out != "open" {
				t.Errorf("without the limit the connection is %s", out)
			}
		})
	}
}

// TestMutualLoad (R8, grpc-go's issue 9330) would break if two loaded ends
// stopped reading each other: many streams, both directions, full pipes, and
// limits on answers that are as low as can be.
func TestMutualLoad(t *testing.T) {
	const streams, size = 200, 100_000
	cfg := http2.Config{
		MaxQueued: 10_000, MaxUnread: 50_000, StreamWindow: 20_000, ConnWindow: 70_000,
		Limits: http2.Limits{Replies: 8, ReplyBytes: 200},
	}
	for _, pipe := range []int{64, 3000, 1 << 20} {
		t.Run(strconv.Itoa(pipe), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				p := newBubblePair(t, newPipeListener(pipe), handlerFunc(duplex), cfg, cfg)
				var group sync.WaitGroup
				for range streams {
					group.Go(func() {
						if err := pump(p.conn, size); err != nil {
							t.Error(err)
						}
					})
				}
				group.Wait()
				if b := http2.BooksOf(p.conn); b.Unread != 0 || b.Streams != 0 || b.Blocked != 0 {
					t.Errorf("afterwards: %+v", b)
				}
				p.close()
			})
		})
	}
}

// duplex sends back whatever comes, as it comes.
func duplex(s transport.Stream, _ *transport.Header) {
	defer s.Close()
	ctx := context.Background()
	if s.Send(ctx, &transport.Outgoing{Header: &transport.Header{Block: responseBlock}}) != nil {
		return
	}
	for {
		got, ended, err := s.Await(ctx, something)
		if err != nil {
			return
		}
		if len(got) == 0 && ended {
			break
		}
		if s.Send(ctx, &transport.Outgoing{Data: got}) != nil {
			return
		}
		s.Discard(len(got))
	}
	_ = s.Send(ctx, &transport.Outgoing{Trailer: &transport.Header{Block: trailerBlock}})
}

// pump sends size bytes over one stream and takes them back at the same time.
func pump(conn transport.Conn, size int) error {
	ctx := context.Background()
	s, err := conn.Open(ctx, &transport.Outgoing{Header: &transport.Header{Block: requestBlock}})
	if err != nil {
		return err
	}
	defer s.Close()
	sent := make(chan error, 1)
	go func() {
		b := make([]byte, 7000)
		for left := size; left > 0; left -= len(b) {
			b = b[:min(len(b), left)]
			for i := range b {
				b[i] = byte((size - left + i) * 31)
			}
			if err := s.Send(ctx, &transport.Outgoing{Data: b, End: left == len(b)}); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	n := 0
	for {
		got, ended, err := s.Await(ctx, something)
		if err != nil {
			return fmt.Errorf("after %d bytes: %w", n, err)
		}
		for i, b := range got {
			if b != byte((n+i)*31) {
				return fmt.Errorf("byte %d is wrong", n+i)
			}
		}
		n += len(got)
		s.Discard(len(got))
		if len(got) == 0 && ended {
			break
		}
	}
	if n != size {
		return fmt.Errorf("%d bytes of %d came back", n, size)
	}
	return <-sent
}

// TestTinyData (R9, CVE-2026-84304) would break if each small DATA frame held
// more memory than its bytes.
func TestTinyData(t *testing.T) {
	const streams, frames = 20, 10_000
	bubble(t, func(t *testing.T) {
		s := serveSized(t, http2.Config{}, blockUntilReset, 16<<10).hello()
		defer func() { _ = s.close() }()
		for i := range uint32(streams) {
			s.write(opened(2*i + 1))
		}
		s.outcome()
		before := heap()
		for i := range uint32(streams) {
			s.write(repeat(frames, data(2*i+1, "x", 0)))
		}
		s.wantOutcome("alive")
		const payload = streams * frames
		if after := heap(); after > before+2*payload+streams*64<<10 {
			t.Errorf("%d bytes in as many frames hold %d", payload, after-before)
		}
	})
	// Empty DATA is forgiven as messages are delivered.
	serverScript(t, http2.Config{}, duplex, func(s *served) {
		s.write(opened(1))
		for range 500 {
			s.write(data(1, "", 0), data(1, "x", 0))
			s.until("DATA 1 1")
		}
		s.wantOutcome("alive")
	})
}

// TestUnread (R9) would break if bytes that nobody reads could fill the memory
// beyond MaxUnread and one window.
func TestUnread(t *testing.T) {
	attack := func(t *testing.T, maxUnread int) (taken int64) {
		cfg := http2.Config{StreamWindow: 10_000, ConnWindow: 100_000, MaxUnread: maxUnread}
		serverScript(t, cfg, func(s transport.Stream, _ *transport.Header) {
			time.Sleep(time.Minute) // virtual
			s.Close()
		}, func(s *served) {
			s.wantOutcome("alive")
			for i := range uint32(100) {
				s.write(opened(2*i + 1))
				for range 10 {
					s.outcome()
					if 65535+s.credit[0]-taken < 1000 {
						return
					}
					s.write(data(2*i+1, strings.Repeat("x", 1000), 0))
					taken += 1000
				}
			}
		})
		return taken
	}
	if n := attack(t, 200_000); n < 200_000 || n > 300_000 {
		t.Errorf("%d bytes were taken that nobody reads, want 200,000 and at most one window more", n)
	}
	if n := attack(t, -1); n != 1_000_000 {
		t.Errorf("without the limit %d bytes were taken, want all", n)
	}
}

// TestEveryByteIsCredited (R14) would break if padding, or DATA on a stream that
// has been reset or is long gone, were lost to the connection's window: a
// large transfer would then stop.
func TestEveryByteIsCredited(t *testing.T) {
	cfg := http2.Config{ConnWindow: 100_000, StreamWindow: 1 << 20, Limits: http2.Limits{EmptyDataBurst: -1, GlitchBurst: -1, ResetBurst: -1}}
	serverScript(t, cfg, func(s transport.Stream, h *transport.Header) {
		if _, ok := h.Get("leave"); ok {
			s.Close() // resets the stream
			return
		}
		echo(s, h)
	}, func(s *served) {
		sent := int64(0)
		put := func(f []byte) {
			n := int64(len(f) - 9)
			for 65535+s.credit[0]-sent < n {
				before := s.credit[0]
				s.outcome()
				if s.credit[0] == before {
					t.Fatalf("the window is used up after %d bytes", sent)
				}
			}
			sent += n
			s.write(f)
		}
		s.outcome()
		s.write(opened(1), headers(3, request("leave", "1"), 0), opened(5), reset(5, frame.CodeCancel))
		s.outcome()
		for range 10 {
			for padding := range 256 {
				for _, id := range []uint32{1, 3, 5} {
					put(padded(id, "xy", byte(padding), 0))
					put(padded(id, "", byte(padding), 0))
				}
			}
		}
		s.write(data(1, "", fEnd))
		s.outcome()
		s.write(opened(7))
		for range 1024 {
			put(data(7, strings.Repeat("x", 16384), 0))
			s.outcome()
		}
	})
}

// TestLargeTransferAfterResets (R14) is the same between two of our ends.
func TestLargeTransferAfterResets(t *testing.T) {
	n := 10_000
	if testing.Short() {
		n = 1000
	}
	cfg := http2.Config{Limits: http2.Limits{ResetBurst: -1}}
	bubble(t, func(t *testing.T) {
		p := newBubblePair(t, newPipeListener(pipeSize), handlerFunc(echo), cfg, http2.Config{})
		ctx := context.Background()
		body := make([]byte, 3000)
		for i := range n {
			s, err := p.conn.Open(ctx, &transport.Outgoing{Header: &transport.Header{Block: requestBlock}, Data: body, End: i%2 == 0})
			if err != nil {
				t.Fatal(err)
			}
			s.Close()
		}
		got := callNow(ctx, p.conn, strings.Repeat("x", 16<<20))
		if got.err != nil || len(got.data) != 16<<20 {
			t.Errorf("after %d resets 16 MiB came back as %d, %v", n, len(got.data), got.err)
		}
		p.close()
	})
}

// TestLengthThatLies (R19) would break if an announced length were believed
// before the bytes are there.
func TestLengthThatLies(t *testing.T) {
	const liars = 200
	serverScript(t, http2.Config{}, func(s transport.Stream, _ *transport.Header) {
		_, _, _ = s.Await(context.Background(), func([]byte) int { return math.MaxInt32 })
		s.Close()
	}, func(s *served) {
		before := heap()
		for i := range uint32(liars) {
			s.write(opened(2*i+1), data(2*i+1, "\x00\xff\xff\xff\xff", 0))
		}
		s.wantOutcome("alive")
		if after := heap(); after > before+liars*(64<<10+10<<10) {
			t.Errorf("%d streams that announce 4 GiB hold %d bytes", liars, after-before)
		}
	})
}

// TestRequestFields (R22, R23, R24) lists header sections that are and are not
// requests; each costs its own stream only.
func TestRequestFields(t *testing.T) {
	ok := []string{":method", "POST", ":scheme", "http", ":path", "/a/b", ":authority", "x"}
	with := func(more ...string) []string { return append(append([]string(nil), ok...), more...) }
	for _, tt := range []struct {
		fields []string
		want   string
	}{
		{ok, "/a/b x"},
		{with("a", "b"), "/a/b x"},
		{with("a", ""), "/a/b x"},
		{with("a", "\t b\x80\xff"), "/a/b x"},
		{with("grpc-unknown-thing", "1"), "/a/b x"},
		{with("a", "b", "a", "c"), "/a/b x"},
		{with("cookie", "a=b", "cookie", "c=d"), "/a/b x"},
		{with("a", "b\nc"), "RST"},
		{with("a", "b\rc"), "RST"},
		{with("a", "b\x00c"), "RST"},
		{with("a b", "c"), "RST"},
		{with("A", "c"), "RST"},
		{with("", "c"), "RST"},
		{with("a:", "c"), "RST"},
		{with("a\x80", "c"), "RST"},
		{with(":b", "c"), "RST"},
		{with(":status", "200"), "RST"},
		{with(":protocol", "websocket"), "RST"},
		{with("connection", "close"), "RST"},
		{with("transfer-encoding", "chunked"), "RST"},
		{with("keep-alive", "1"), "RST"},
		{with("upgrade", "h2c"), "RST"},
		{with("proxy-connection", "close"), "RST"},
		{with("te", "trailers"), "/a/b x"},
		{with("te", "gzip"), "RST"},
		{with("te", "trailers, deflate"), "RST"},
		{with("a", "b", ":path", "/c"), "RST"},
		{with(":path", "/c"), "RST"},
		{with(":method", "GET"), "RST"},
		{ok[2:], "RST"},
		{append(append([]string(nil), ok[:2]...), ok[4:]...), "RST"},
		{append(append([]string(nil), ok[:4]...), ok[6:]...), "RST"},
		{[]string{":method", "PO ST", ":scheme", "http", ":path", "/", ":authority", "x"}, "RST"},
		{[]string{":method", "POST", ":scheme", "ht tp", ":path", "/", ":authority", "x"}, "RST"},
		// Paths: exact bytes or nothing.
		{[]string{":method", "POST", ":scheme", "http", ":path", "", ":authority", "x"}, "RST"},
		{[]string{":method", "POST", ":scheme", "http", ":path", "a/b", ":authority", "x"}, "RST"},
		{[]string{":method", "POST", ":scheme", "http", ":path", "/a b", ":authority", "x"}, "RST"},
		{[]string{":method", "POST", ":scheme", "http", ":path", "/a#b", ":authority", "x"}, "RST"},
		{[]string{":method", "POST", ":scheme", "http", ":path", "/\xc3\xa9", ":authority", "x"}, "RST"},
		{[]string{":method", "POST", ":scheme", "http", ":path", "/\x00", ":authority", "x"}, "RST"},
		{[]string{":method", "POST", ":scheme", "http", ":path", "//a/../%2Fb?c", ":authority", "x"}, "//a/../%2Fb?c x"},
		{[]string{":method", "OPTIONS", ":scheme", "http", ":path", "*", ":authority", "x"}, "* x"},
		{[]string{":method", "POST", ":scheme", "http", ":path", "*", ":authority", "x"}, "RST"},
		{[]string{":method", "CONNECT", ":authority", "x"}, " x"},
		{[]string{":method", "CONNECT", ":scheme", "http", ":path", "/", ":authority", "x"}, "RST"},
		// Authority: always exactly one (gRFC A41).
		{append(append([]string(nil), ok[:6]...), "host", "h"), "/a/b h"},
		{with("host", "h"), "/a/b x"},
		{with("a", "b", "host", "h", "c", "d"), "/a/b x"},
		{with("host", "h", "host", "i"), "400"},
		{append(append([]string(nil), ok[:6]...), "host", "h", "host", "h"), "400"},
		{with(":authority", "y"), "400"},
		{ok[:6], "400"},
		{[]string{":method", "POST", ":scheme", "http", ":path", "/", ":authority", ""}, "400"},
		{[]string{":method", "POST", ":scheme", "http", ":path", "/", ":authority", "u@x"}, "400"},
		{[]string{":method", "POST", ":scheme", "http", ":path", "/", ":authority", "x/y?z"}, "400"},
		{append(append([]string(nil), ok[:6]...), "host", "u@h"), "400"},
	} {
		name := strings.Join(tt.fields, " ")
		t.Run(name, func(t *testing.T) {
			got := make(chan string, 10)
			serverScript(t, http2.Config{}, func(s transport.Stream, h *transport.Header) {
				got <- h.Block.Path + " " + h.Block.Authority
				if _, ok := h.Get("host"); ok {
					t.Error("host is shown beside the authority")
				}
				echo(s, h)
			}, func(s *served) {
				s.write(headers(1, fields(tt.fields...), fEnd))
				line := s.outcome()
				var what string
				switch {
				case len(got) == 1:
					what = <-got
				case strings.HasPrefix(line, "HEADERS 1 400 END"):
					what = "400"
				case line == "RST 1 PROTOCOL_ERROR; alive":
					what = "RST"
				default:
					what = line
				}
				if what != tt.want {
					t.Errorf("%q became %q, want %q", tt.fields, what, tt.want)
				}
				s.write(get(3))
				s.want("HEADERS 3 trailers", answered(3))
			})
		})
	}
}

// TestTooManyPings (gRFC A8) would break if PINGs were free for a client that
// has nothing to say.
func TestTooManyPings(t *testing.T) {
	play := func(t *testing.T, limits http2.Limits, interval time.Duration, n int) (out string) {
		if limits.PingStrikes == 0 {
			limits.PingStrikes = 2
		}
		serverScript(t, http2.Config{Limits: limits}, echo, func(s *served) {
			for i := range n {
				s.write(ping(fmt.Sprintf("ping%04d", i)))
				if got := s.until(fmt.Sprintf("PONG ping%04d", i)); !strings.HasPrefix(got, "PONG") {
					out = got
					return
				}
				time.Sleep(interval)
			}
			out = "alive"
		})
		return out
	}
	if out := play(t, http2.Limits{}, time.Second, 10); out != calm {
		t.Errorf("PINGs each second: %s", out)
	}
	if out := play(t, http2.Limits{PingStrikes: -1}, time.Second, 100); out != "alive" {
		t.Errorf("PINGs each second, limit off: %s", out)
	}
	if out := play(t, http2.Limits{}, 2*time.Hour+time.Minute, 10); out != "alive" {
		t.Errorf("PINGs every two hours: %s", out)
	}
	if out := play(t, http2.Limits{IdlePingInterval: time.Second}, 2*time.Second, 10); out != "alive" {
		t.Errorf("PINGs above the interval: %s", out)
	}
}

// TestBlockedHandlersDoNotStopReading would break if a reader that lost its role
// in a handler left frames unparsed: nothing would come that wakes the next one.
func TestBlockedHandlersDoNotStopReading(t *testing.T) {
	const calls = 100
	var running atomic.Int32
	bubble(t, func(t *testing.T) {
		release := make(chan struct{})
		s := serve(t, http2.Config{}, func(s transport.Stream, _ *transport.Header) {
			running.Add(1)
			<-release
			s.Close()
		}).hello()
		var all []byte
		for i := range uint32(calls) {
			all = append(all, get(2*i+1)...)
		}
		s.write(all)
		time.Sleep(time.Second) // virtual: many times what a handler may keep the reader's role
		if n := running.Load(); n != calls {
			t.Errorf("%d of %d handlers run", n, calls)
		}
		close(release)
		_ = s.close()
	})
}
