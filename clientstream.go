package yodel

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"github.com/yodelrpc/yodel/internal/buffer"
	"github.com/yodelrpc/yodel/internal/envelope"
	"github.com/yodelrpc/yodel/metadata"
	"github.com/yodelrpc/yodel/status"
	"github.com/yodelrpc/yodel/transport"
)

// clientStream is a call of a channel in flight.
//
// sending and receiving are turns: whoever has one owns that part of the
// attempt. Who needs both takes receiving first.
type clientStream struct {
	// attempt is lent by the channel until the call ends. What is asked for
	// afterwards is in header and trailer.
	*attempt
	// ctx has the call's context, and is the same until the call is closed: for
	// what is waited for before there is a stream to reset.
	ctx  closable
	call *Call
	// observed is nil if nobody is told of the call.
	observed *observed
	// driven is the next of the streams that CallUnary closes.
	driven *clientStream

	turns

	// The sending turn guards these.
	openErr    error
	sendFailed error

	// The receiving turn guards this.
	inbox inbox

	mu sync.Mutex
	// openedCh is made by who waits for opened.
	openedCh chan struct{}
	// live is the stream while there is one, for Close to reset.
	live transport.Stream
	// stop detaches the call from ctx; nil if it is not attached.
	stop func() bool
	// result is how the call has ended: nil is OK.
	result error
	// header and trailer are the response's metadata once the call has ended.
	header, trailer metadata.MD

	// What is small is together: sentAll is guarded by the sending turn, received by the
	// receiving turn, and the others by mu.

	sentAll, received bool
	// opened tells that the stream has been opened, or cannot be. Only the kinds
	// with one request open late, with the request.
	opened bool
	// hasHeader tells whether there was a header section.
	hasHeader bool
	// ended tells that the call has ended. It is set last, and may be read without mu.
	ended atomic.Bool
}

var _ Stream = (*clientStream)(nil)

var (
	errStreamClosed = errors.New("yodel: the stream was closed before the call had ended")
	errSendEnded    = errors.New("yodel: Send after CloseSend")
	errOneRequest   = errors.New("yodel: the method has one request, and it has been sent")
)

// start is the innermost Invoker.
func (c *Channel) start(ctx context.Context, call *Call) (Stream, error) {
	if call.Method == nil {
		return nil, channelError(status.Internal, "the call has no Method", nil)
	}
	ctx, watch := observe(ctx, c.observer, call)
	s := &clientStream{call: call, ctx: closable{Context: ctx}, observed: watch}
	if ctx.Err() != nil {
		err := contextError(ctx, "before the call was sent", nil)
		s.callEnded(err)
		return nil, err
	}
	s.attempt = c.borrowAttempt()
	params := call.params()
	if params == nil {
		params = &callParams{}
	}
	if err := s.begin(c, call.Method, params, call.RequestHeader); err != nil {
		c.giveAttempt(s.attempt)
		s.callEnded(err)
		return nil, err
	}
	// Nobody ends the call while it is being opened.
	s.take(&s.sending)
	if params.driven != nil {
		s.awaitsEnd = true
		params.driven.add(s)
	} else if ctx.Done() != nil {
		// The end of ctx must reach the peer even if nobody sends or receives.
		s.mu.Lock()
		s.stop = context.AfterFunc(ctx, s.contextEnded)
		s.mu.Unlock()
	}
	if !call.Method.Kind.oneRequest() {
		// The peer may answer before it has a message.
		if err := s.openWith(nil, false); err != nil {
			s.finish(err)
			s.give(&s.sending)
			s.tell()
			return nil, err
		}
	}
	s.give(&s.sending)
	return s, nil
}

// openWith opens the stream. It is called once, with the sending turn or before
// anybody else knows of s.
func (s *clientStream) openWith(data []byte, end bool) error {
	s.attemptBegins()
	s.openErr = s.attempt.open(&s.ctx, s, data, nil, end)
	if s.openErr == nil {
		s.call.setPeer(s.stream.Conn().Info())
	}
	s.mu.Lock()
	s.opened = true
	if s.openedCh != nil {
		close(s.openedCh)
	}
	s.mu.Unlock()
	s.nowLive()
	return s.openErr
}

// nowLive lets Close know of a stream that has been opened.
func (s *clientStream) nowLive() {
	if s.stream == nil {
		return
	}
	s.mu.Lock()
	s.live = s.stream
	s.mu.Unlock()
	if s.ctx.closed() {
		s.stream.Reset(transport.ReasonCanceled)
	}
}

// contextEnded ends the call with its context. Whoever sends or receives is
// about to stop, because the context has.
func (s *clientStream) contextEnded() {
	s.take(&s.receiving)
	s.take(&s.sending)
	s.finish(s.closedOr(contextError(s.ctx.Context, "while the call was in flight", nil)))
	s.give(&s.sending)
	s.give(&s.receiving)
	s.tell()
}

// outcome returns the result of a call that has ended.
func (s *clientStream) outcome() (result error, ended bool) {
	if !s.ended.Load() {
		return nil, false
	}
	return s.result, true
}

// asReceived is a result as Receive returns it.
func asReceived(result error) error {
	if result == nil {
		return io.EOF
	}
	return result
}

// Send implements [Stream].
func (s *clientStream) Send(msg any) error {
	defer s.tell()
	s.take(&s.sending)
	defer s.give(&s.sending)
	if result, ended := s.outcome(); ended {
		return asReceived(result)
	}
	switch {
	case s.sentAll && s.method.Kind.oneRequest():
		return channelError(status.Internal, "client: a second request of "+s.messenger.path, errOneRequest)
	case s.sentAll:
		return channelError(status.Internal, "client: a request of "+s.messenger.path, errSendEnded)
	case s.sendFailed != nil:
		return s.sendFailed
	}
	if s.method.Kind.oneRequest() {
		return s.sendOnly(msg)
	}
	data, bulk, err := s.sealLent(msg)
	if err != nil {
		return err
	}
	size := len(data) + len(bulk) - envelope.PrefixLen
	if bulk == nil && s.stream.Append(data) {
		buffer.Put(data)
		s.message(MessageSent, size, s.compressor != nil, msg)
		return nil
	}
	sc := s.ch.scratches.borrow()
	sc.out.Data, sc.out.Bulk = data, bulk
	err = s.stream.Send(s.ctx.Context, &sc.out)
	buffer.Put(data)
	s.ch.scratches.give(sc)
	if err == nil {
		s.message(MessageSent, size, s.compressor != nil, msg)
	}
	return s.sent(err)
}

// sendOnly sends the only request of a call.
func (s *clientStream) sendOnly(msg any) error {
	data, err := s.seal(msg)
	if err != nil {
		return err
	}
	// It stays in hand until the call has an answer: another server may need it.
	s.body, s.sentAll = data, true
	if err = s.openWith(data, true); err == nil {
		s.message(MessageSent, len(data)-envelope.PrefixLen, s.compressor != nil, msg)
	}
	return s.sent(err)
}

// CloseSend implements [Stream].
func (s *clientStream) CloseSend() error {
	defer s.tell()
	s.take(&s.sending)
	defer s.give(&s.sending)
	if s.sentAll || s.sendFailed != nil {
		return nil
	}
	if _, ended := s.outcome(); ended {
		return nil
	}
	s.sentAll = true
	if s.method.Kind.oneRequest() {
		return s.sent(s.openWith(nil, true))
	}
	err := s.stream.Send(s.ctx.Context, &transport.Outgoing{End: true})
	if errors.Is(err, transport.ErrEnded) {
		return nil // as if it had been known: Receive says how
	}
	return s.sent(err)
}

// sent looks at the error of sending, with the sending turn.
func (s *clientStream) sent(err error) error {
	switch {
	case err == nil:
		return nil
	case s.openErr != nil:
		s.finish(err)
		return err
	case errors.Is(err, transport.ErrEnded):
		s.sendFailed = s.early()
	default:
		s.sendFailed = s.failure(s.ctx.Context, err)
		if s.receiving.tryTake() {
			s.finish(s.closedOr(s.sendFailed))
			s.give(&s.receiving)
		}
	}
	return s.sendFailed
}

// early returns the status of a call that the peer has ended while it was being
// sent to; io.EOF if that is OK.
func (s *clientStream) early() error {
	if !s.receiving.tryTake() {
		// Somebody is receiving, and gets it.
		return io.EOF
	}
	defer s.give(&s.receiving)
	buffered, ended, err := s.stream.Await(s.ctx.Context, func([]byte) int { return 0 })
	if err != nil || !ended {
		return io.EOF
	}
	h, err := s.stream.Header(s.ctx.Context)
	if err != nil {
		return io.EOF
	}
	if err := s.parseHeader(h, s.stream.Trailer() == nil); err != nil {
		return err
	}
	md := s.headerMetadata()
	result := s.verdict(s.ctx.Context, s.received || len(buffered) > 0)
	if s.response != nil {
		s.response.Metadata = md
	}
	return asReceived(result)
}

// Receive implements [Stream].
func (s *clientStream) Receive(msg any) error { return s.receiveInto(msg, false) }

// receiveInto is Receive into a message that is empty if it is fresh.
func (s *clientStream) receiveInto(msg any, fresh bool) error {
	defer s.tell()
	s.take(&s.receiving)
	defer s.give(&s.receiving)
	if result, ended := s.outcome(); ended {
		return asReceived(result)
	}
	if s.received && s.method.Kind.oneResponse() {
		return io.EOF
	}
	if !s.received {
		if err := s.awaitOpen(); err != nil {
			return err
		}
	}
	for {
		err, raw := s.receive(msg, fresh)
		switch {
		case !raw && err == nil:
			s.received = true
			if s.method.Kind.oneResponse() {
				_ = s.finishReceiving(nil)
			}
			return nil
		case !raw:
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return asReceived(s.finishReceiving(err))
		case s.retry(err):
		default:
			return s.finishReceiving(s.failure(s.ctx.Context, err))
		}
	}
}

// awaitOpen waits until a stream that opens late has been opened.
func (s *clientStream) awaitOpen() error {
	s.mu.Lock()
	if s.opened {
		s.mu.Unlock()
		return s.openErr
	}
	if s.openedCh == nil {
		s.openedCh = make(chan struct{})
	}
	opened := s.openedCh
	s.mu.Unlock()
	select {
	case <-opened:
	case <-s.ctx.Done():
		// The sender sees the same, and ends the call if it is at work.
		return s.closedOr(contextError(&s.ctx, "before the call was sent", nil))
	}
	return s.openErr
}

// receive decodes one message. raw tells that the error is the transport's.
func (s *clientStream) receive(msg any, fresh bool) (err error, raw bool) {
	if s.method.Kind.oneResponse() {
		return s.receiveLast(msg, fresh)
	}
	if s.ctx.Context.Err() != nil || !s.inbox.ready(s.messenger.maxReceive) {
		if err := s.fill(); err != nil {
			return err, true
		}
	}
	buffered := s.inbox.lent
	if !s.parsed {
		h, err := s.stream.Header(s.ctx.Context)
		if err != nil {
			return err, true
		}
		last := s.inbox.ended && s.stream.Trailer() == nil && len(buffered) == 0
		if err := s.parseHeader(h, last); err != nil {
			return err, false
		}
		s.headerCame()
	}
	env, n, err := envelope.Parse(buffered, s.messenger.maxReceive)
	switch {
	case err != nil:
		return s.messenger.misframed(err), false
	case n > 0:
		if s.messenger.canKeep(env) && s.inbox.keep(s.stream, n) {
			err = s.messenger.openOwned(env, msg)
		} else {
			err = s.messenger.open(env, s.decompressor, msg, fresh)
			s.inbox.take(s.stream, n)
		}
		if err == nil {
			s.message(MessageReceived, n-envelope.PrefixLen, env.Compressed, msg)
		}
		return err, false
	}
	// The stream has ended.
	if err := s.verdict(s.ctx.Context, s.received || len(buffered) > 0); err != nil {
		return err, false
	}
	if len(buffered) > 0 {
		return s.messenger.misframed(envelope.ErrTruncated), false
	}
	return io.EOF, false
}

// receiveLast decodes the only message of a call, at its end.
func (s *clientStream) receiveLast(msg any, fresh bool) (err error, raw bool) {
	var got envelope.Message
	err, raw = s.receiveOnly(s.ctx.Context, msg, fresh, &got)
	s.headerCame()
	if err == nil {
		s.message(MessageReceived, len(got.Payload), got.Compressed, msg)
	}
	return err, raw
}

// fill waits for a message, or the end.
func (s *clientStream) fill() error { return s.inbox.fill(s.ctx.Context, s.stream, s.demand) }

// retry makes another attempt of a call that no server has acted on, and whose
// request is still in hand. It is called with the receiving turn.
func (s *clientStream) retry(err error) bool {
	if s.body == nil || s.received {
		return false
	}
	s.take(&s.sending)
	defer s.give(&s.sending)
	if !s.again(s.stream.Conn(), err) {
		return false
	}
	s.attemptEnded(callFailure(s.ctx.Context, err), nil)
	s.stream.Close()
	s.attemptBegins()
	if s.attempt.open(&s.ctx, s, s.body, nil, true) != nil {
		// The first failure says more.
		return false
	}
	s.parsed, s.response, s.inbox = false, nil, inbox{}
	s.message(MessageSent, len(s.body)-envelope.PrefixLen, s.compressor != nil, nil)
	s.nowLive()
	s.call.setPeer(s.stream.Conn().Info())
	return true
}

// finishReceiving ends the call, with the receiving turn.
func (s *clientStream) finishReceiving(result error) error {
	result = s.closedOr(result)
	if result != nil && s.stream != nil {
		// A sender that is at work must not go on.
		s.stream.Reset(transport.ReasonCanceled)
	}
	s.take(&s.sending)
	s.finish(result)
	s.give(&s.sending)
	return result
}

// closedOr is err, unless the call failed because Close was called.
func (s *clientStream) closedOr(err error) error {
	if err != nil && s.ctx.closed() && s.ctx.Context.Err() == nil {
		return channelError(status.Canceled, "the call was abandoned", errStreamClosed)
	}
	return err
}

// finish ends the call, with both turns or before anybody else knows of s. Only
// the first call counts.
func (s *clientStream) finish(result error) {
	s.mu.Lock()
	if s.ended.Load() {
		s.mu.Unlock()
		return
	}
	s.result, s.live = result, nil
	s.header, s.trailer, s.hasHeader = s.headerMetadata(), s.attempt.trailer, s.parsed
	s.ended.Store(true)
	stop := s.stop
	s.mu.Unlock()
	if stop != nil {
		stop()
	}
	s.attemptEnded(result, s.trailer)
	s.callEnded(result)
	s.ctx.end()
	s.ch.giveAttempt(s.attempt)
	s.attempt = nil
}

// tell tells those who asked of the call's end, if it has ended. It is called
// without turns: what it calls is the program's, and may use the stream.
func (s *clientStream) tell() {
	if result, ended := s.outcome(); ended {
		s.call.end(result)
	}
}

// Header implements [Stream].
func (s *clientStream) Header() (metadata.MD, error) {
	defer s.tell()
	s.take(&s.receiving)
	defer s.give(&s.receiving)
	if result, ended := s.outcome(); ended {
		if !s.hasHeader {
			return nil, result
		}
		return s.header.Clone(), nil
	}
	if err := s.awaitOpen(); err != nil {
		return nil, err
	}
	for !s.parsed {
		h, err := s.stream.Header(s.ctx.Context)
		if err != nil {
			if s.retry(err) {
				continue
			}
			return nil, s.finishReceiving(s.failure(s.ctx.Context, err))
		}
		if trailersOnly(h) {
			// Receive has the status, and Trailer the metadata.
			return nil, nil
		}
		if err := s.parseHeader(h, false); err != nil {
			return nil, s.finishReceiving(err)
		}
		s.headerCame()
	}
	return s.headerMetadata().Clone(), nil
}

// Trailer implements [Stream].
func (s *clientStream) Trailer() metadata.MD {
	if _, ended := s.outcome(); !ended {
		return nil
	}
	return s.trailer.Clone()
}

// Close implements [Stream].
func (s *clientStream) Close() error {
	s.mu.Lock()
	live := s.live
	s.mu.Unlock()
	if s.ended.Load() {
		return nil
	}
	// Whoever sends or receives stops.
	s.ctx.close(errStreamClosed)
	if live != nil {
		live.Reset(transport.ReasonCanceled)
	}
	s.take(&s.receiving)
	s.take(&s.sending)
	s.finish(channelError(status.Canceled, "the call was abandoned", errStreamClosed))
	s.give(&s.sending)
	s.give(&s.receiving)
	s.tell()
	return nil
}
