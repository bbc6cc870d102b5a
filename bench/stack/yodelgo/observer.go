package yodelgo

import (
	"context"
	"time"

	"github.com/yodelrpc/yodel"
	"github.com/yodelrpc/yodel/bench/stack"
	"github.com/yodelrpc/yodel/metadata"
)

// observer counts.
type observer struct{ counts stack.Counts }

// ObserveCall implements yodel.Observer.
func (o *observer) ObserveCall(ctx context.Context, _ *yodel.Call) (context.Context, yodel.Observation) {
	return ctx, &observation{counts: &o.counts, began: o.counts.Start()}
}

type observation struct {
	counts *stack.Counts
	began  time.Time
}

// Attempt implements yodel.Observation.
func (*observation) Attempt(int) metadata.MD { return nil }

// Observe implements yodel.Observation.
func (o *observation) Observe(e yodel.Event) {
	switch e.Kind {
	case yodel.MessageSent:
		o.counts.Sent(e.WireSize)
	case yodel.MessageReceived:
		o.counts.Received(e.WireSize)
	case yodel.CallEnded:
		o.counts.End(o.began, e.Err != nil)
	}
}
