package http2_test

import (
	"context"
	"testing"

	"github.com/yodelrpc/yodel/transport/http2"
)

// BenchmarkUnary measures both ends of a connection in one process.
func BenchmarkUnary(b *testing.B) {
	for _, network := range []string{"tcp", "unix"} {
		for _, c := range []struct {
			name     string
			parallel int
		}{{"alone", 0}, {"c=100", 50}} {
			b.Run(network+"/"+c.name, func(b *testing.B) {
				p := newPair(b, network, handlerFunc(echo), http2.Config{}, http2.Config{})
				data := make([]byte, 100)
				ctx := context.Background()
				b.ReportAllocs()
				if c.parallel == 0 {
					for b.Loop() {
						if _, err := unary(ctx, p.conn, data); err != nil {
							b.Fatal(err)
						}
					}
					return
				}
				b.SetParallelism(c.parallel)
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if _, err := unary(ctx, p.conn, data); err != nil {
							b.Error(err)
							return
						}
					}
				})
			})
		}
	}
}
