package yodel_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/encoding"
	"github.com/yodelrpc/yodel/status"
	"github.com/yodelrpc/yodel/yodeltest"
)

// named is a compressor with a name of its own.
type named struct {
	*encoding.Gzip
	name string
}

func (n named) Name() string { return n.name }

// R40: what a peer has chosen is quoted and cut where a server repeats it.
func TestPeerTextIsCut(t *testing.T) {
	long := strings.Repeat("n", 1000)
	for name, call := range map[string]func(ctx context.Context, ch *yodel.Channel) error{
		"service": func(ctx context.Context, ch *yodel.Channel) error {
			return yodel.CallUnary(ctx, ch, &yodel.Method{Service: long, Name: "M"}, newStr(), newStr())
		},
		"method": func(ctx context.Context, ch *yodel.Channel) error {
			return yodel.CallUnary(ctx, ch, &yodel.Method{Service: echoMethod.Service, Name: long}, newStr(), newStr())
		},
		"encoding": func(ctx context.Context, ch *yodel.Channel) error {
			return unary(ctx, ch, yodel.Compress(named{&encoding.Gzip{}, long}))
		},
	} {
		bothPaths(t, name, func(t *testing.T, cfg yodelConfig) {
			err := call(t.Context(), yodeltest.New(t, registerEcho, cfg))
			wantCode(t, err, status.Unimplemented, `"nnn`)
			e, _ := errors.AsType[*status.Error](err)
			if n := strings.Count(e.Message(), "n"); n > 200 {
				t.Errorf("the server repeats %d bytes of the client's", n)
			}
		})
	}
}
