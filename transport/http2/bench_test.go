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
			cfg      http2.Config
		}{
			{"alone", 0, http2.Config{}},
			{"alone/NoSpin", 0, http2.Config{NoSpin: true}},
			{"alone/NoInline", 0, http2.Config{NoInline: true}},
			{"alone/NoSpin,NoInline", 0, http2.Config{NoSpin: true, NoInline: true}},
			{"c=100", 50, http2.Config{}},
		} {
			b.Run(network+"/"+c.name, func(b *testing.B) {
				p := newPair(b, network, handlerFunc(echo), c.cfg, c.cfg)
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
