package yodel

import (
	"context"

	"github.com/yodelrpc/yodel/internal/envelope"
	"github.com/yodelrpc/yodel/transport"
)

// inboxShare is how many bytes are taken before the peer gets its credit back,
// while more messages lie ready.
const inboxShare = 32 << 10

// inbox holds what a stream has lent, so that messages that arrived together
// are taken without asking the transport, and its lock, for each. The receiving
// turn guards it.
type inbox struct {
	lent  []byte
	taken int // bytes before lent that have not been discarded
	ended bool
}

// ready tells whether a whole message lies in what is lent.
func (in *inbox) ready(limit int) bool {
	if len(in.lent) == 0 || in.taken >= inboxShare {
		return false
	}
	_, n, err := envelope.Parse(in.lent, limit)
	return n > 0 || err != nil
}

// fill waits for more. The error is the transport's, or ctx's cause.
func (in *inbox) fill(ctx context.Context, s transport.Stream, demand envelope.Demand) error {
	in.discard(s)
	var err error
	in.lent, in.ended, err = s.Await(ctx, transport.Demand(demand))
	return err
}

// take drops a message of n bytes that has been decoded.
func (in *inbox) take(s transport.Stream, n int) {
	in.lent = in.lent[n:]
	in.taken += n
	if len(in.lent) == 0 {
		in.discard(s)
	}
}

// keep takes a message of n bytes together with its memory. It reports whether
// that is possible; if not, nothing has happened.
func (in *inbox) keep(s transport.Stream, n int) bool {
	if in.taken > 0 || n < len(in.lent) || !s.Keep(n) {
		return false
	}
	in.lent = nil
	return true
}

// discard gives back what was taken; what is lent is not valid afterwards.
func (in *inbox) discard(s transport.Stream) {
	if in.taken > 0 {
		s.Discard(in.taken)
		in.lent, in.taken = nil, 0
	}
}
