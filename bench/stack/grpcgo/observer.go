package grpcgo

import (
	"context"
	"time"

	"google.golang.org/grpc/stats"

	"github.com/yodelrpc/yodel/bench/stack"
)

// observer counts.
type observer struct{ counts stack.Counts }

var _ stats.Handler = (*observer)(nil)

type beganKey struct{}

// TagRPC implements stats.Handler.
func (o *observer) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context {
	return context.WithValue(ctx, beganKey{}, o.counts.Start())
}

// HandleRPC implements stats.Handler.
func (o *observer) HandleRPC(ctx context.Context, s stats.RPCStats) {
	switch s := s.(type) {
	case *stats.OutPayload:
		o.counts.Sent(s.CompressedLength)
	case *stats.InPayload:
		o.counts.Received(s.CompressedLength)
	case *stats.End:
		began, _ := ctx.Value(beganKey{}).(time.Time)
		o.counts.End(began, s.Error != nil)
	}
}

// TagConn implements stats.Handler.
func (*observer) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn implements stats.Handler.
func (*observer) HandleConn(context.Context, stats.ConnStats) {}
