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
