package yodel

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/yodelrpc/yodel/encoding"
	"github.com/yodelrpc/yodel/internal/buffer"
	"github.com/yodelrpc/yodel/internal/envelope"
	"github.com/yodelrpc/yodel/internal/protocol"
	"github.com/yodelrpc/yodel/metadata"
	"github.com/yodelrpc/yodel/status"
	"github.com/yodelrpc/yodel/transport"
)

// serverCall is a call on a server: the Call, its Stream and its context (callContext)
// in one piece of memory, because there is one for every call. It is never reused:
// handlers may keep any of the three.
type serverCall struct {
	Call
	request *request
	// stream is not touched when phase is phaseClosed.
	stream transport.Stream

	// served has the context's values, ctxExtra is nil until something of it is
	// needed, and done until somebody asks for it. Call.mu guards done.
	served   *served
	ctxExtra atomic.Pointer[contextExtra]
	done     chan struct{}

	// Whoever has a turn owns that part of the stream.
	turns

	// answer lends the transport the response of a method that has one. It leaves
	// when the handler has returned. The sending turn guards it.
	answer *scratch

	// extra is what few calls need. Methods with streams have it from the start;
	// others get it when the handler sets something, under Call.mu.
	extra *serverExtra

	// Call.mu guards these.

	// compressorUsed tells that the compressor can no longer be chosen.
	compressorUsed bool
	headerSent     bool
	phase          callPhase

	// received is guarded by the receiving turn, and ctxState is the context's. They are
	// here for their size.
	received bool
	ctxState atomic.Uint32
}

// callPhase is how far a server's call is.
type callPhase uint8

const (
	phaseHandling callPhase = iota
	phaseReturned           // the handler has
	phaseClosed             // and so is the stream
)

var (
	_ Stream            = (*serverCall)(nil)
	_ responder         = (*serverCall)(nil)
	_ transport.Watcher = (*serverCall)(nil)
)

// responseCustom is what a handler may add to its response.
type responseCustom struct {
	header, trailer metadata.MD
	compressor      encoding.Compressor
	compressorSet   bool
}

// nothingCustom is what most handlers set. It is not changed.
var nothingCustom responseCustom

// customLocked returns what the handler has set.
func (s *serverCall) customLocked() *responseCustom {
	if s.extra == nil || s.extra.custom == nil {
		return &nothingCustom
	}
	return s.extra.custom
}

// changeCustomLocked is customLocked for what is to be changed.
func (s *serverCall) changeCustomLocked() *responseCustom {
	extra := s.extraLocked()
	if extra.custom == nil {
		extra.custom = new(responseCustom)
	}
	return extra.custom
}

// serverExtra is what a call has beside what all calls need.
type serverExtra struct {
	// inbox is for methods with several requests. The receiving turn guards it.
	inbox inbox
	// plain tells that the header section has been sent, that responses are not
	// compressed, and that the handler has not returned: there is nothing to look
	// up for a message. The sending turn guards it.
	plain bool
	// custom is what the handler has set, if anything, and sendFail why a response
	// could not be sent. Call.mu guards them.
	custom   *responseCustom
	sendFail error
	// observed is set before the call is served; nil is nobody who is told of it.
	observed *observed
}

func (s *serverCall) extraLocked() *serverExtra {
	if s.extra == nil {
		s.extra = new(serverExtra)
	}
	return s.extra
}

// owner is the server that the call has come to.
func (s *serverCall) owner() *Server { return s.request.route.server }

var errReturned = errors.New("yodel: the handler has returned, and that ended the call")

// serve runs the call.
func (s *serverCall) serve(timeout time.Duration) {
	route := s.request.route
	route.running.Add(1)
	defer route.running.Add(-1)
	err := errExited
	// Also when the handler ends its goroutine.
	defer func() { s.finish(err) }()
	if s.owner().cfg.Observer != nil {
		if err = s.observe(); err != nil {
			return
		}
		err = errExited
	}
	if timeout != protocol.NoTimeout {
		if timeout <= 0 {
			err = status.New(status.DeadlineExceeded, "the deadline passed before the call arrived")
			return
		}
		s.context().expireIn(timeout, s.expire)
	}
	err = s.run()
}

// StreamFailed implements [transport.Watcher].
func (s *serverCall) StreamFailed(err error) {
	if overdue(s.context()) {
		// The client has looked at the same clock, and was a little faster.
		s.context().cancel(contextDeadline, nil)
		return
	}
	s.context().cancel(contextCanceled, err)
}

// expire ends a call whose deadline has passed.
func (s *serverCall) expire() {
	// The turn is taken first: the handler, once it knows, returns, and finish
	// must not find the turn free and the status not sent.
	mine := s.sending.tryTake()
	if mine {
		defer s.give(&s.sending)
	}
	switch first := s.context().cancel(contextDeadline, nil); {
	case first && mine:
		// A reset alone would look to some clients like their own cancellation.
		// It does not wait for credit either.
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		s.sendStatus(ctx, errDeadline, false)
	case first:
		// A message waits for the client, so a status would wait too.
		s.reset(transport.ReasonCanceled)
	}
}

var errDeadline = status.New(status.DeadlineExceeded, "the deadline passed while the call was being handled")

// reset ends the stream unless it has been closed.
func (s *serverCall) reset(reason transport.Reason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase != phaseClosed {
		s.stream.Reset(reason)
	}
}

// lost is the status of a call whose stream failed with err. The handler sees
// it, and nobody else: there is no one to send it to.
func (s *serverCall) lost(err error) error {
	s.StreamFailed(err)
	if errors.Is(s.context().ended(), context.DeadlineExceeded) {
		return channelError(status.DeadlineExceeded, "the call's deadline has passed", context.DeadlineExceeded)
	}
	return channelError(status.Canceled, "the client has gone", causes{context.Canceled, err})
}

// usable tells why the call can take no more of its handler.
func (s *serverCall) usable() error {
	s.mu.Lock()
	phase := s.phase
	s.mu.Unlock()
	if phase != phaseHandling {
		return channelError(status.Canceled, s.Method.Path(), errReturned)
	}
	return nil
}

// smallRequest is how many bytes a call's only request may leave with the
// transport until the call ends.
const smallRequest = 4 << 10

// Receive implements [Stream]. It waits in a small frame of its own: calls that
// wait for their clients are what a server has most of.
func (s *serverCall) Receive(msg any) error { return s.receiveInto(msg, false) }

// receiveInto is Receive into a message that is empty if it is fresh.
func (s *serverCall) receiveInto(msg any, fresh bool) error {
	s.take(&s.receiving)
	defer s.give(&s.receiving)
	var only inbox
	in := &only
	if !s.Method.Kind.oneRequest() {
		in = &s.extra.inbox
	}
	if err := s.awaitRequest(in); err != nil {
		return err
	}
	return s.decodeRequest(in, msg, fresh)
}

// awaitRequest waits until in has a whole message, or all that there will be.
func (s *serverCall) awaitRequest(in *inbox) error {
	lives := s.context().ended() == nil
	if !lives { // finish ends it before it gives the turn up
		if err := s.usable(); err != nil {
			return err
		}
	}
	one := s.Method.Kind.oneRequest()
	if one && s.received {
		return io.EOF
	}
	limits := &s.owner().limits
	if lives && in.ready(limits.receive) {
		return nil
	}
	if err := in.fill(context.Background(), s.stream, limits.demand(one)); err != nil {
		return s.lost(err)
	}
	return nil
}

// decodeRequest takes the next message out of in.
func (s *serverCall) decodeRequest(in *inbox, msg any, fresh bool) error {
	one := s.Method.Kind.oneRequest()
	env, n, err := envelope.Parse(in.lent, s.owner().limits.receive)
	if err != nil || n == 0 || one && (n < len(in.lent) || !in.ended) {
		return s.noRequest(in, n, err)
	}
	if n > largeMessage {
		return s.decodeLarge(in, env, n, msg)
	}
	if err := s.open(env, msg, fresh); err != nil {
		return err
	}
	s.received = true
	if !one || n > smallRequest {
		in.take(s.stream, n)
	}
	s.message(MessageReceived, n-envelope.PrefixLen, env.Compressed, msg)
	return nil
}

// decodeLarge decodes a message, which takes its memory along if it can.
func (s *serverCall) decodeLarge(in *inbox, env envelope.Message, n int, msg any) error {
	m := s.request.messenger()
	var err error
	if m.canKeep(env) && in.keep(s.stream, n) {
		err = m.openOwned(env, msg)
	} else if err = s.open(env, msg, false); err == nil {
		in.take(s.stream, n)
	}
	if err == nil {
		s.received = true
		s.message(MessageReceived, n-envelope.PrefixLen, env.Compressed, msg)
	}
	return err
}

func (s *serverCall) open(env envelope.Message, msg any, fresh bool) error {
	m := s.request.messenger()
	return m.open(env, s.request.decompressor, msg, fresh)
}

// noRequest tells why in, parsed with a result of n and err, does not begin with
// a message to take.
func (s *serverCall) noRequest(in *inbox, n int, err error) error {
	m := s.request.messenger()
	one := s.Method.Kind.oneRequest()
	switch {
	case err != nil:
		return m.misframed(err)
	case n == 0 && len(in.lent) > 0:
		return m.misframed(envelope.ErrTruncated)
	case n == 0 && !one:
		return io.EOF
	}
	return m.wrongCount(n == 0)
}

// Send implements [Stream].
func (s *serverCall) Send(msg any) error { return s.send(msg, !s.Method.Kind.oneResponse()) }

// sendLast is Send for a message that nobody changes any more.
func (s *serverCall) sendLast(msg any) error { return s.send(msg, true) }

// send sends msg. lent tells that it does not change until it has been sent.
func (s *serverCall) send(msg any, lent bool) error {
	s.take(&s.sending)
	defer s.give(&s.sending)
	one := s.Method.Kind.oneResponse()
	var compressor encoding.Compressor
	headerSent := !one && s.extra.plain
	if !headerSent {
		s.mu.Lock()
		compressor = s.useCompressorLocked()
		returned, failed := s.phase != phaseHandling, s.sendFailLocked()
		headerSent = s.headerSent
		s.mu.Unlock()
		switch {
		case returned:
			return s.usable()
		case failed != nil:
			return failed
		}
	}
	if one && s.answer != nil {
		return status.New(status.Internal, "server: the handler of "+s.Method.Path()+" sent a second response")
	}
	m := s.request.messenger()
	var data, bulk []byte
	var err error
	if lent {
		data, bulk, err = m.sealLent(msg, compressor)
	} else {
		data, err = m.seal(msg, compressor)
	}
	size := len(data) + len(bulk) - envelope.PrefixLen
	switch {
	case err != nil:
		// A message that is missing must not end as OK.
	case one:
		s.answer = s.owner().scratches.borrow()
		s.answer.out.Data, s.answer.out.Bulk = data, bulk
		s.message(MessageSent, size, compressor != nil, msg)
		return nil
	default:
		if err = s.write(data, bulk, headerSent); err == nil {
			s.message(MessageSent, size, compressor != nil, msg)
		}
	}
	if err != nil {
		s.mu.Lock()
		s.extraLocked().sendFail = err
		s.mu.Unlock()
	}
	if !one {
		s.extra.plain = err == nil && compressor == nil
	}
	return err
}

func (s *serverCall) sendFailLocked() error {
	if s.extra == nil {
		return nil
	}
	return s.extra.sendFail
}

// write sends a message, and the header section before it if that has not left.
// It gives data back.
func (s *serverCall) write(data, bulk []byte, headerSent bool) error {
	if headerSent && bulk == nil && s.stream.Append(data) {
		buffer.Put(data)
		return nil
	}
	sc := s.owner().scratches.borrow()
	defer s.owner().scratches.give(sc)
	sc.out.Data, sc.out.Bulk = data, bulk
	var err error
	if !headerSent {
		err = s.takeHeader(sc)
	}
	if err == nil {
		if err = s.stream.Send(context.Background(), &sc.out); err != nil {
			err = s.lost(err)
		} else if sc.out.Header != nil {
			s.headerLeft()
		}
	}
	buffer.Put(data)
	return err
}

// takeHeader adds the header section to what is sent, once.
func (s *serverCall) takeHeader(sc *scratch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.takeHeaderLocked(sc)
}

func (s *serverCall) takeHeaderLocked(sc *scratch) error {
	if s.headerSent {
		return nil
	}
	s.headerSent = true
	sc.head.Block = s.request.response
	if compressor := s.useCompressorLocked(); compressor != nil {
		sc.head.Block = s.owner().responses.get(s.request.parsed.Subtype, compressor.Name())
	}
	if header := s.customLocked().header; len(header) > 0 {
		var err error
		if sc.head.More, err = protocol.AppendMetadata(nil, header); err != nil {
			return status.New(status.Internal, "server: the response's metadata cannot be sent: "+err.Error())
		}
	}
	sc.out.Header = &sc.head
	return nil
}

// useCompressorLocked returns what compresses the responses, and fixes it. What
// the client does not accept is not used.
func (s *serverCall) useCompressorLocked() encoding.Compressor {
	s.compressorUsed = true
	compressor := s.owner().cfg.Compressor
	if custom := s.customLocked(); custom.compressorSet {
		compressor = custom.compressor
	}
	if compressor != nil && !s.request.parsed.Accepts(compressor.Name()) {
		return nil
	}
	return compressor
}

// CloseSend implements [Stream].
func (*serverCall) CloseSend() error { return nil }

// Header implements [Stream].
func (s *serverCall) Header() (metadata.MD, error) { return s.RequestHeader.Clone(), nil }

// Trailer implements [Stream].
func (*serverCall) Trailer() metadata.MD { return nil }

// Close implements [Stream]. A handler ends its call by returning.
func (*serverCall) Close() error { return nil }

func (s *serverCall) setHeader(md metadata.MD) error {
	if err := protocol.CheckMetadata(md); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.phase != phaseHandling:
		return errCallEnded
	case s.headerSent:
		return errHeaderSent
	}
	custom := s.changeCustomLocked()
	custom.header = append(custom.header, md...)
	return nil
}

func (s *serverCall) setTrailer(md metadata.MD) error {
	if err := protocol.CheckMetadata(md); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase != phaseHandling {
		return errCallEnded
	}
	custom := s.changeCustomLocked()
	custom.trailer = append(custom.trailer, md...)
	return nil
}

func (s *serverCall) setCompressor(compressor encoding.Compressor) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.phase != phaseHandling:
		return errCallEnded
	case s.headerSent || s.compressorUsed:
		return errHeaderSent
	}
	custom := s.changeCustomLocked()
	custom.compressor, custom.compressorSet = compressor, true
	return nil
}

func (s *serverCall) sendHeader() error {
	s.mu.Lock()
	sent := s.headerSent
	s.mu.Unlock()
	if sent {
		// Not waiting behind a message that flow control holds back.
		return errHeaderSent
	}
	s.take(&s.sending)
	defer s.give(&s.sending)
	if err := s.usable(); err != nil {
		return err
	}
	sc := s.owner().scratches.borrow()
	defer s.owner().scratches.give(sc)
	if err := s.takeHeader(sc); err != nil {
		return err
	}
	if sc.out.Header == nil {
		return errHeaderSent
	}
	if err := s.stream.Send(context.Background(), &sc.out); err != nil {
		return s.lost(err)
	}
	s.headerLeft()
	return nil
}
