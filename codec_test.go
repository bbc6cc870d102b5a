package yodel_test

import (
	"bytes"
	"context"
	"sync/atomic"
	"testing"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/encoding"
	"github.com/yodelrpc/yodel/yodeltest"
)

// counted is a codec that makes one step of the usual one its own.
type counted struct {
	encoding.Proto
	*codecCounts
}

type codecCounts struct{ sized, encoded, decoded atomic.Int32 }

func (c counted) Size(msg any) int {
	c.sized.Add(1)
	return c.Proto.Size(msg)
}

func (c counted) Append(dst []byte, msg any) ([]byte, error) {
	c.encoded.Add(1)
	return c.Proto.Append(dst, msg)
}

func (c counted) Unmarshal(data []byte, msg any) error {
	c.decoded.Add(1)
	return c.Proto.Unmarshal(data, msg)
}

// The shortcuts that the usual codec has must not pass by a codec that embeds it.
func TestEmbeddedCodec(t *testing.T) {
	register := func(s *yodel.Server) {
		newBytes := func() *wrapperspb.BytesValue { return &wrapperspb.BytesValue{} }
		s.Register(yodel.UnaryRoute(echoMethod, newBytes, func(_ context.Context, req *wrapperspb.BytesValue) (*wrapperspb.BytesValue, error) {
			return req, nil
		}))
	}
	for name, size := range map[string]int{"small": 10, "large": 1 << 20} {
		bothPaths(t, name, func(t *testing.T, cfg yodelConfig) {
			codec := counted{codecCounts: &codecCounts{}}
			cfg.Channel.Codec, cfg.Server.Codecs = codec, []encoding.Codec{codec}
			ch := yodeltest.New(t, register, cfg)
			req, resp := wrapperspb.Bytes(bytes.Repeat([]byte("y"), size)), &wrapperspb.BytesValue{}
			if err := yodel.CallUnary(t.Context(), ch, echoMethod, req, resp); err != nil || !bytes.Equal(resp.Value, req.Value) {
				t.Fatalf("%d bytes came back, %v", len(resp.Value), err)
			}
			if codec.sized.Load() < 2 || codec.encoded.Load() != 2 || codec.decoded.Load() != 2 {
				t.Errorf("asked for a size %d times, to encode %d times, to decode %d times; want 2 of each",
					codec.sized.Load(), codec.encoded.Load(), codec.decoded.Load())
			}
		})
	}
}
