package yodel

import (
	"context"
	"errors"
	"log/slog"

	"github.com/yodelrpc/yodel/internal/buffer"
	"github.com/yodelrpc/yodel/internal/protocol"
	"github.com/yodelrpc/yodel/metadata"
	"github.com/yodelrpc/yodel/status"
	"github.com/yodelrpc/yodel/transport"
)

// leastHeaderBytes is what every peer accepts of a header section: what gRPC
// suggests as its limit is twice this.
const leastHeaderBytes = 4 << 10

// finish ends the call with what its handler returned: it sends the status, and
// with it all that has been held back.
func (s *serverCall) finish(err error) {
	s.mu.Lock()
	s.phase = phaseReturned
	s.mu.Unlock()
	if !s.sending.tryTake() {
		// The handler has left a goroutine that still sends. It must not hold
		// the call up, nor send after the status. Once the context has ended it
		// cannot, and it may be expire that sends.
		if s.context().ended() == nil {
			s.reset(transport.ReasonCanceled)
		}
		s.take(&s.sending)
	}
	if !s.Method.Kind.oneResponse() {
		s.extra.plain = false
	}
	err = s.result(err)
	// With nobody else at it, the stream can be closed by what is sent last.
	alone := s.receiving.tryTake()
	cut := s.context().ended()
	closed := cut == nil && s.sendStatus(context.Background(), err, alone)
	if s.answer != nil {
		buffer.Put(s.answer.out.Data)
		s.owner().scratches.give(s.answer)
		s.answer = nil
	}
	s.context().cancel(contextCanceled, nil) // before expire can have the turn
	s.give(&s.sending)
	if !alone {
		// The same for receiving. The answer is complete (RFC 9113 §8.1).
		s.reset(transport.ReasonNone)
		s.take(&s.receiving)
	}
	s.mu.Lock()
	s.phase = phaseClosed
	tell := s.endLocked(err)
	s.mu.Unlock()
	if !closed {
		s.stream.Close()
	}
	s.give(&s.receiving)
	s.callEnded(err, cut)
	if len(tell) > 0 {
		s.tell(tell, err)
	}
}

// result corrects an OK that is none.
func (s *serverCall) result(err error) error {
	if err != nil || s.answer != nil {
		return err
	}
	s.mu.Lock()
	failed := s.sendFailLocked()
	s.mu.Unlock()
	if failed == nil && s.Method.Kind.oneResponse() {
		failed = status.New(status.Internal, "server: the handler of "+s.Method.Path()+" returned without a response")
	}
	return failed
}

// sendStatus sends the status. No error is returned: if it cannot be sent, the
// peer has gone. With last, it closes the stream, and reports whether it has.
func (s *serverCall) sendStatus(ctx context.Context, err error, last bool) (closed bool) {
	shown := s.owner().visible(s.Method, err)
	sc := s.answer
	if sc == nil || shown != nil {
		sc = s.owner().scratches.borrow()
		defer s.owner().scratches.give(sc)
	}
	s.mu.Lock()
	early := !s.headerSent && shown != nil
	trailer := s.customLocked().trailer
	early = early && len(s.customLocked().header) == 0
	var bad error
	if !early {
		bad = s.takeHeaderLocked(sc)
	}
	s.mu.Unlock()
	if bad != nil {
		shown, _ = status.ForPeer(bad)
		buffer.Put(sc.out.Data)
		sc.out.Data, sc.out.Bulk, early = nil, nil, true
	}
	s.fillStatus(sc, shown, trailer, early, -1)
	sc.out.Close = last
	withHeader := !early && sc.out.Header != nil
	failed := s.stream.Send(ctx, &sc.out)
	if s.stillTooLarge(failed) {
		// What the peer accepts is not known here. The status goes in any case.
		sc.head.More = nil
		s.fillStatus(sc, shown, trailer, early, leastHeaderBytes)
		failed = s.stream.Send(ctx, &sc.out)
	}
	if withHeader && failed == nil {
		s.headerLeft()
	}
	return last && failed == nil
}

// fillStatus adds the status to what is sent: as a trailer section, or early, as
// part of a header section that is the last (Trailers-Only; gRFC A6 wants it
// for a failure before the first message, which can then be retried).
func (s *serverCall) fillStatus(sc *scratch, shown *status.Error, trailer metadata.MD, early bool, limit int) {
	if shown == nil && len(trailer) == 0 {
		sc.trailer = transport.Header{Block: okTrailer}
		sc.out.Trailer = &sc.trailer
		return
	}
	fields, lost, _ := protocol.AppendTrailer(nil, shown, trailer, limit)
	if lost != 0 && s.owner().cfg.Logger != nil {
		s.owner().cfg.Logger.LogAttrs(context.Background(), slog.LevelWarn, "the status is too large for the peer and is cut",
			slog.String("method", s.Method.Path()))
	}
	if early {
		sc.head = transport.Header{Block: s.request.response, More: fields}
		sc.out.Header, sc.out.End = &sc.head, true
		return
	}
	sc.trailer = transport.Header{More: fields}
	sc.out.Trailer = &sc.trailer
}

// stillTooLarge tells whether nothing was sent because a section is too large.
func (s *serverCall) stillTooLarge(err error) bool {
	if err == nil {
		return false
	}
	var te *transport.Error
	return errors.As(err, &te) && te.Reason == transport.ReasonHeaderTooLarge && te.Initiator == transport.Local
}

// tell tells those who asked to be told of the end.
func (s *serverCall) tell(all []func(error), err error) {
	if !s.owner().cfg.CrashOnPanic {
		defer s.owner().recovered(s.Method, nil)
	}
	for _, f := range all {
		f(err)
	}
}

// visible returns what the peer is told of a handler's error, and logs what it
// is not told.
func (s *Server) visible(m *Method, err error) *status.Error {
	shown, hidden := status.ForPeer(err)
	if !hidden {
		return shown
	}
	if s.cfg.Logger != nil {
		level := slog.LevelWarn
		if shown.Code() == status.Internal || shown.Code() == status.Unknown {
			level = slog.LevelError
		}
		s.cfg.Logger.LogAttrs(context.Background(), level, "a handler's error is not shown to the peer",
			slog.String("method", m.Path()), slog.String("code", shown.Code().String()), slog.Any("error", err))
	}
	if s.cfg.ShowErrors {
		shown, _ = status.ForPeer(status.Make(status.FromProgram, shown.Code(), err.Error(), shown.Details(), nil))
	}
	return shown
}
