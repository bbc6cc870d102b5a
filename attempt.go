package yodel

import (
	"context"
	"time"

	"github.com/yodelrpc/yodel/encoding"
	"github.com/yodelrpc/yodel/internal/buffer"
	"github.com/yodelrpc/yodel/internal/envelope"
	"github.com/yodelrpc/yodel/internal/protocol"
	"github.com/yodelrpc/yodel/metadata"
	"github.com/yodelrpc/yodel/status"
	"github.com/yodelrpc/yodel/transport"
)

// maxLocalRefusals bounds the tries of a call that this side's transport
// refuses without ending the connection: that should be none.
const maxLocalRefusals = 10

// attempt is one try of a call on one stream, with what it takes to make
// another one. It is not safe for concurrent use, except that one goroutine may
// use its sending part while another uses its receiving part.
type attempt struct {
	ch     *Channel
	method *Method

	// The sending part.

	messenger  messenger
	compressor encoding.Compressor // of requests; nil is none
	// refused counts the times that a server has refused the call, and local
	// those that this side has.
	refused, local uint8
	waitForReady   bool
	// awaitsEnd is transport.Outgoing's: the stream is closed as soon as its end
	// has come, even if the codec panics.
	awaitsEnd bool
	// atOnce tells that the receiver awaits the response as soon as the stream is open,
	// and scratch is what the transport has been lent for that.
	atOnce bool
	// parsed is of the receiving part; it is here for its size.
	parsed  bool
	scratch *scratch
	block   *transport.Block // the fixed part of the request's header section
	header  metadata.MD      // the rest of it
	// body, and bulk after it, is the request of a kind that has one, while it is
	// in hand. bulk is the message's own.
	body, bulk []byte

	// The receiving part.

	stream transport.Stream
	// demand is what wakes the receiver; nil is the channel's.
	demand envelope.Demand
	// response is nil if the response's header section is the usual one.
	response     *protocol.Response
	decompressor encoding.Compressor
	trailer      metadata.MD
}

// begin prepares the first try. The error is a status.
func (a *attempt) begin(c *Channel, m *Method, p *callParams, header metadata.MD) error {
	block, err := c.block(m, p)
	if err != nil {
		return channelError(status.Internal, "the method "+m.Path()+" cannot be called", err)
	}
	a.ch, a.method, a.block, a.header = c, m, block, header
	a.waitForReady, a.compressor = p.waitForReady, c.compressor(p)
	a.messenger = messenger{
		codec: c.codec, maxReceive: c.limits.receive, maxSend: c.limits.send,
		side: clientText, path: block.Path,
	}
	if p.codec != nil {
		a.messenger.codec = p.codec
	}
	if p.maxSend > 0 {
		a.messenger.maxSend = p.maxSend
	}
	a.demand = c.limits.demand(m.Kind.oneResponse())
	if p.maxReceive > 0 {
		a.messenger.maxReceive = p.maxReceive
		a.demand = envelope.OneMessage(p.maxReceive)
		if m.Kind.oneResponse() {
			a.demand = envelope.OnlyMessage(p.maxReceive)
		}
	}
	return nil
}

// compressor returns what compresses a call's requests; nil is nothing.
func (c *Channel) compressor(p *callParams) encoding.Compressor {
	if p.compressor != nil {
		return p.compressor
	}
	return c.requestCompressor
}

// seal returns msg in an envelope, in a buffer to give back.
func (a *attempt) seal(msg any) ([]byte, error) { return a.messenger.seal(msg, a.compressor) }

// sealLent is seal for a message that nobody changes until it has been sent.
func (a *attempt) sealLent(msg any) (data, bulk []byte, err error) {
	return a.messenger.sealLent(msg, a.compressor)
}

// open opens a stream with data and bulk, all that is known to be sent. It picks a
// connection, and another one while no server has seen the call (gRFC A6,
// transparent retries), of which it tells s, unless that is nil. The error is a status.
func (a *attempt) open(ctx context.Context, s *clientStream, data, bulk []byte, end bool) error {
	sc := a.ch.scratches.borrow()
	defer a.lent(sc)
	sc.head.Block = a.block
	for {
		conn, err := a.ch.pick(ctx, a.waitForReady)
		if err != nil {
			return err
		}
		if sc.head.More, err = a.fields(ctx, sc.few[:0]); err != nil {
			return err
		}
		sc.out = transport.Outgoing{Header: &sc.head, Data: data, Bulk: bulk, End: end, AwaitsEnd: a.awaitsEnd}
		if a.atOnce {
			sc.out.Demand = transport.Demand(a.demand)
		}
		a.stream, err = conn.Open(ctx, &sc.out)
		if err == nil {
			return nil
		}
		a.stream = nil
		if !a.again(conn, err) {
			return callFailure(ctx, err)
		}
		if s != nil && s.observed != nil {
			s.attemptEnded(callFailure(ctx, err), nil)
			s.attemptBegins()
		}
	}
}

// lent gives back what the transport has been lent, when it is through with it.
func (a *attempt) lent(sc *scratch) {
	if a.atOnce && a.stream != nil {
		a.scratch = sc
		return
	}
	a.ch.scratches.give(sc)
}

// returned gives back what the transport has had until now.
func (a *attempt) returned() {
	if a.scratch != nil {
		a.ch.scratches.give(a.scratch)
		a.scratch = nil
	}
}

// failure is callFailure for what the stream says.
func (a *attempt) failure(ctx context.Context, err error) error {
	if ctx.Err() != nil || overdue(ctx) {
		if s := a.ch.snap.Load(); s.state == Connecting && s.conn == a.stream.Conn() {
			return contextError(ctx, "while the call was in flight to "+a.ch.target.text+
				" (the server has said nothing yet on the new connection)", nil)
		}
	}
	return callFailure(ctx, err)
}

// fields appends the fields that change from call to call. grpc-timeout is the
// last of them, so that the ones before it can be remembered.
func (a *attempt) fields(ctx context.Context, more []transport.Field) ([]transport.Field, error) {
	if len(a.header) > 0 {
		var err error
		if more, err = protocol.AppendRequest(more, protocol.NoTimeout, a.header); err != nil {
			return nil, channelError(status.Internal, "the request's metadata cannot be sent", err)
		}
	}
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		if left <= 0 {
			return nil, contextError(ctx, "before the call was sent", nil)
		}
		more = append(more, a.ch.timeoutField(left))
	}
	return more, nil
}

// again tells whether the call may be tried once more after err: without limit
// if it has not left this side, once if a server has refused it (gRFC A6).
func (a *attempt) again(conn transport.Conn, err error) bool {
	te, ok := unprocessed(err)
	if !ok {
		return false
	}
	if te.Scope == transport.ScopeConn {
		// The channel may not have been told yet.
		a.ch.drop(conn, err, false)
	}
	if te.Sent {
		a.refused++
		return a.refused <= 1
	}
	if te.Scope == transport.ScopeStream {
		a.local++
	}
	return a.local <= maxLocalRefusals
}

// parseHeader parses the response's header section. last tells that it was the
// last section. The error is a status.
func (a *attempt) parseHeader(h *transport.Header, last bool) error {
	if a.parsed {
		return nil
	}
	a.parsed = true
	if len(h.More) == 0 && h.Block == a.ch.memo.header.Load() {
		return nil
	}
	a.response = new(protocol.Response)
	a.response.Start(h.Block.Status)
	a.response.Add(h.Block.Fields)
	a.response.Add(h.More)
	if last || trailersOnly(h) {
		return nil
	}
	if err := a.response.Header(); err != nil {
		return err
	}
	return a.chooseDecompressor(h)
}

// usualStatus is the HTTP status of the usual header section.
const usualStatus = 200

// headerMetadata returns the metadata of the response's header section.
func (a *attempt) headerMetadata() metadata.MD {
	if a.response == nil {
		return nil
	}
	return a.response.Metadata
}

// trailersOnly tells a header section that is also the trailer section.
func trailersOnly(h *transport.Header) bool {
	_, ok := h.Get("grpc-status")
	return ok
}

func (a *attempt) chooseDecompressor(h *transport.Header) error {
	if a.response.Encoding == "" {
		if len(h.More) == 0 && a.response.Metadata == nil {
			a.ch.memo.header.Store(h.Block)
		}
		return nil
	}
	a.decompressor = findCompressor(a.ch.accepted, a.response.Encoding)
	if a.decompressor == nil {
		// gRPC's compression document: a client that lacks it says INTERNAL.
		return channelError(status.Internal, "client: the response of "+a.messenger.path+" is compressed with "+
			quote(a.response.Encoding)+", which ChannelConfig.Compressors does not have", nil)
	}
	return nil
}

// verdict returns how the call ended, once Await has said so: nil if OK. body
// tells that a message, or a part of one, has come.
func (a *attempt) verdict(ctx context.Context, body bool) error {
	tr := a.stream.Trailer()
	if tr != nil && len(tr.More) == 0 && tr.Block == a.ch.memo.trailer.Load() {
		return nil
	}
	if a.response == nil {
		a.response = &protocol.Response{HTTPStatus: usualStatus}
	}
	if tr == nil && body {
		// A header section that a message follows is no Trailers-Only.
		a.response.DropStatus()
		return peerVerdict(ctx, a.response.Status())
	}
	if tr == nil {
		// Trailers-Only, or no status at all.
		a.trailer = a.response.Metadata
		a.response.Metadata = nil
		return peerVerdict(ctx, a.response.Status())
	}
	var r protocol.Response
	r.Start(a.response.HTTPStatus)
	r.Add(tr.Block.Fields)
	r.Add(tr.More)
	err := r.Status()
	a.trailer = r.Metadata
	if err != nil {
		return peerVerdict(ctx, err)
	}
	if len(tr.More) == 0 && r.Metadata == nil {
		a.ch.memo.trailer.Store(tr.Block)
	}
	return nil
}

// receiveOnly waits for the end of the call, and decodes its only response. msg is
// empty if it is fresh. got, unless it is nil, is set to what was decoded; its payload is
// not valid any more, only its size.
// The error is a status, or the transport's if raw is true.
func (a *attempt) receiveOnly(ctx context.Context, msg any, fresh bool, got *envelope.Message) (err error, raw bool) {
	buffered, ended, err := a.stream.Await(ctx, transport.Demand(a.demand))
	if err != nil {
		return err, true
	}
	h, err := a.stream.Header(ctx)
	if err != nil {
		return err, true
	}
	if err := a.parseHeader(h, ended && a.stream.Trailer() == nil); err != nil {
		return err, false
	}
	if ended {
		if err := a.verdict(ctx, len(buffered) > 0); err != nil {
			return err, false
		}
	}
	env, n, err := envelope.Parse(buffered, a.messenger.maxReceive)
	switch {
	case err != nil:
		return a.messenger.misframed(err), false
	case n == 0 && len(buffered) > 0:
		return a.messenger.misframed(envelope.ErrTruncated), false
	case n == 0:
		return a.messenger.wrongCount(true), false
	case n < len(buffered):
		return a.messenger.wrongCount(false), false
	}
	if got != nil {
		*got = env
	}
	if a.messenger.canKeep(env) && a.stream.Keep(n) {
		return a.messenger.openOwned(env, msg), false
	}
	return a.messenger.open(env, a.decompressor, msg, fresh), false
}

// borrowAttempt lends an attempt, which has no trace of who had it before.
func (c *Channel) borrowAttempt() *attempt {
	if a, ok := c.attempts.Get().(*attempt); ok {
		return a
	}
	return new(attempt)
}

// giveAttempt takes an attempt back that nobody uses any more, and closes its
// stream: one that has not finished is reset by that.
func (c *Channel) giveAttempt(a *attempt) {
	if a.stream != nil {
		a.stream.Close()
	}
	a.returned()
	if a.body != nil {
		buffer.Put(a.body)
	}
	*a = attempt{}
	c.attempts.Put(a)
}
