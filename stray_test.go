package yodel_test

import (
	"context"
	"sync"
	"testing"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/metadata"
	"github.com/yodelrpc/yodel/yodeltest"
)

// Methods of a Call are safe for concurrent use: a goroutine that a handler has left
// may call them while the response is on its way. It matters under -race.
func TestStrayGoroutines(t *testing.T) {
	bothPaths(t, "unary", func(t *testing.T, cfg yodelConfig) {
		var strays sync.WaitGroup
		ch := yodeltest.New(t, unaryServer(func(ctx context.Context, req *str) (*str, error) {
			call := yodel.CallFrom(ctx)
			started := make(chan struct{})
			strays.Go(func() {
				close(started)
				md := metadata.MD{{Name: "x-stray", Value: "1"}}
				_ = call.SetHeader(md)
				_ = call.SetTrailer(md)
				_ = call.SetCompressor(nil)
				call.OnDone(func(error) {})
			})
			<-started
			return req, nil
		}), cfg)
		for range 100 {
			if err := unary(t.Context(), ch); err != nil {
				t.Fatal(err)
			}
		}
		strays.Wait()
	})
}
