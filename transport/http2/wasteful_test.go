package http2_test

import (
	"encoding/binary"
	"testing"
	"testing/synctest"
	"time"

	"github.com/yodelrpc/yodel/internal/frame"
	"github.com/yodelrpc/yodel/transport"
	"github.com/yodelrpc/yodel/transport/http2"
)

// TestRefusedStreamsArePaced (R1) would break if streams above the limit, and
// requests that no handler sees, were free.
func TestRefusedStreamsArePaced(t *testing.T) {
	for _, tt := range []struct {
		name  string
		limit int
		f     func(id uint32) []byte
	}{
		{"refused", 1, opened},
		{"400", 0, func(id uint32) []byte {
			return headers(id, fields(":method", "POST", ":scheme", "http", ":path", "/a/b"), fEnd)
		}},
	} {
		attack := func(t *testing.T, limits http2.Limits) (d time.Duration) {
			limits.ConcurrentStreams = tt.limit
			serverScript(t, http2.Config{Limits: limits}, blockUntilReset, func(s *served) {
				s.write(opened(1))
				start := time.Now()
				for round := range uint32(2) {
					for i := range uint32(50) {
						s.write(tt.f(100*round + 2*i + 3))
					}
					s.outcome()
				}
				d = time.Since(start)
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

// TestLateHeaders would break if header sections for a stream that is gone, each
// of which must be decoded, were free.
func TestLateHeaders(t *testing.T) {
	attack := func(t *testing.T, limits http2.Limits) (out string) {
		serverScript(t, http2.Config{Limits: limits}, func(s transport.Stream, _ *transport.Header) {
			s.Close() // resets the stream
		}, func(s *served) {
			s.write(opened(1))
			synctest.Wait()
			s.write(repeat(101, headers(1, trailers(), fEnd)))
			out = s.outcome()
		})
		return out
	}
	limits := http2.Limits{GlitchBurst: 100, GlitchesPerSecond: 1}
	if out := attack(t, limits); out != "RST 1 CANCEL; GOAWAY 1 ENHANCE_YOUR_CALM; closed" {
		t.Errorf("the client saw %s", out)
	}
	if out := attack(t, http2.Limits{GlitchBurst: -1}); out != "RST 1 CANCEL; alive" {
		t.Errorf("without the limit the client saw %s", out)
	}
}

// TestPaddingIsCredited (R14) would break if padding were lost to the window of
// its stream: one that pads a lot would stop.
func TestPaddingIsCredited(t *testing.T) {
	const window, frames = 10_000, 200
	serverScript(t, http2.Config{StreamWindow: window}, func(s transport.Stream, _ *transport.Header) {
		time.Sleep(time.Minute) // virtual; a reader that waits would get credit for that
		s.Close()
	}, func(s *served) {
		s.write(opened(1))
		sent := int64(0)
		for range frames {
			f := padded(1, "x", 255, 0)
			n := int64(len(f) - frame.HeadLen)
			if window+s.credit[1]-sent < n {
				s.outcome()
			}
			if window+s.credit[1]-sent < n {
				t.Fatalf("the stream's window is used up after %d bytes", sent)
			}
			s.write(f)
			sent += n
		}
		s.wantOutcome("alive")
	})
}

// TestProvokedResetsThatNobodyReads (R8, CVE-2019-9514) would break if a client
// that reads nothing could make us queue RST_STREAM without end.
func TestProvokedResetsThatNobodyReads(t *testing.T) {
	const requests = 60_000
	attack := func(t *testing.T, limits http2.Limits) (taken int) {
		limits.ResetBurst = -1
		bubble(t, func(t *testing.T) {
			s := serveSized(t, http2.Config{Limits: limits}, echo, 4096)
			go s.hello()
			synctest.Wait()
			_ = s.nc.SetWriteDeadline(time.Now().Add(time.Second))
			malformed := headers(0, fields("a", "b"), fEnd)
			for taken < requests {
				binary.BigEndian.PutUint32(malformed[5:], uint32(2*taken+1))
				if _, err := s.nc.Write(malformed); err != nil {
					break
				}
				taken++
			}
			_ = s.close()
		})
		return taken
	}
	// 256 KiB of replies, for each of which 32 bytes are counted, and what is on its
	// way.
	if n := attack(t, http2.Limits{}); n > 12_000 {
		t.Errorf("%d requests that provoke a reset each were read", n)
	}
	if n := attack(t, http2.Limits{Replies: -1, ReplyBytes: -1}); n != requests {
		t.Errorf("without the limits %d requests were read: the attack is none", n)
	}
}
