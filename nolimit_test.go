package yodel_test

import (
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/encoding"
	"github.com/yodelrpc/yodel/status"
	"github.com/yodelrpc/yodel/yodeltest"
)

// The largest limit is none: a message passes it both ways, compressed or not,
// and comes out whole.
func TestLargestLimits(t *testing.T) {
	for name, limit := range map[string]int{"int": math.MaxInt, "int32": math.MaxInt32} {
		bothPaths(t, name, func(t *testing.T, cfg yodelConfig) {
			cfg.Channel.MaxReceiveBytes, cfg.Channel.MaxSendBytes = limit, limit
			cfg.Server.MaxReceiveBytes, cfg.Server.MaxSendBytes = limit, limit
			cfg.Server.Compressor = &encoding.Gzip{}
			ch := yodeltest.New(t, registerEcho, cfg)
			for _, opts := range [][]yodel.CallOption{
				nil,
				{yodel.Compress(&encoding.Gzip{})},
				{yodel.MaxSendBytes(limit), yodel.MaxReceiveBytes(limit), yodel.Compress(&encoding.Gzip{})},
			} {
				req, resp := wrapperspb.String(strings.Repeat("y", 1000)), newStr()
				wantCode(t, yodel.CallUnary(t.Context(), ch, echoMethod, req, resp, opts...), status.OK)
				if resp.GetValue() != req.GetValue() {
					t.Errorf("%d bytes came back as %d", len(req.GetValue()), len(resp.GetValue()))
				}
			}
		})
	}
}

// sized is a codec of messages that are as large as it says.
type sized struct {
	encoding.Proto
	size int
}

func (s sized) Size(any) int { return s.size }

// Without a setting a program cannot send more than 64 MiB by accident, nor be
// made to take more than 4 MiB.
func TestDefaultLimits(t *testing.T) {
	bothPaths(t, "send", func(t *testing.T, cfg yodelConfig) {
		ch := yodeltest.New(t, registerEcho, cfg)
		call := func(size int) error {
			return yodel.CallUnary(t.Context(), ch, echoMethod, newStr(), newStr(), yodel.Codec(sized{size: size}))
		}
		wantCode(t, call(64<<20), status.OK)
		wantCode(t, call(64<<20+1), status.ResourceExhausted, "67108865", "67108864", "MaxSendBytes")
	})
	bothPaths(t, "receive", func(t *testing.T, cfg yodelConfig) {
		ch := yodeltest.New(t, registerEcho, cfg)
		call := func(payload int) error {
			return yodel.CallUnary(t.Context(), ch, echoMethod, wrapperspb.String(strings.Repeat("y", payload)), newStr())
		}
		const overhead = 5 // tag and length of so long a string
		wantCode(t, call(4<<20-overhead), status.OK)
		wantCode(t, call(4<<20-overhead+1), status.ResourceExhausted, "server", "4194305", "MaxReceiveBytes")
	})
}
