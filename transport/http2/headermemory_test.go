package http2_test

import (
	"strings"
	"testing"

	"github.com/yodelrpc/yodel/transport/http2"
)

// TestHeaderMemory (R4) would break if the header sections of one connection's
// streams could hold more than a few MiB together.
func TestHeaderMemory(t *testing.T) {
	for _, tt := range []struct {
		name    string
		limits  http2.Limits
		bounded bool
	}{
		{"limit on", http2.Limits{PingStrikes: -1}, true},
		{"limit off", http2.Limits{PingStrikes: -1, HeaderMemory: -1}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := serveSized(t, http2.Config{Limits: tt.limits}, blockUntilReset, 32<<10).hello()
				defer func() { _ = s.close() }()
				s.write(opened(1))
				s.outcome()
				before := heap()
				block := append(append([]byte(nil), bare...), fields("x", strings.Repeat("y", 15_000))...)
				for i := range uint32(900) {
					s.write(headers(2*i+3, block, 0))
				}
				s.outcome()
				// The rest is 10 KiB for each call that was admitted (G5).
				held := int(heap()) - int(before)
				if most := 2<<20 + 900*10<<10; (held <= most) != tt.bounded {
					t.Errorf("the headers of 900 streams hold %d bytes; %d are allowed", held, most)
				}
			})
		})
	}
}
