package yodel

import (
	"context"
	"errors"
	"slices"

	"github.com/yodelrpc/yodel/encoding"
	"github.com/yodelrpc/yodel/metadata"
	"github.com/yodelrpc/yodel/status"
)

// Observer is told of calls, for metrics, traces and logs: ChannelConfig.Observer of
// those that a channel makes, ServerConfig.Observer of those that a server serves. It is
// called for any number of calls at the same time.
type Observer interface {
	// ObserveCall is told that a call begins. On a client it is called after the
	// interceptors, each time that they start a stream; on a server before them, and not
	// for what is no call of one of its methods.
	//
	// The call goes on with the context that is returned: ctx, or one derived from it. On
	// a server that is what interceptors and handler get. What happens then is told to
	// the Observation; nil is told nothing.
	ObserveCall(ctx context.Context, call *Call) (context.Context, Observation)
}

// Observation is told what happens to one call. Its methods are called on the call's
// own way: they must not wait, nor use the call's Stream. What is sent and what is
// received may be told of at the same time; the last is CallEnded.
type Observation interface {
	// Attempt is told, on a client, that the call is tried, for the nth time from 1. The
	// metadata that is returned is sent with this try, after the call's own.
	Attempt(n int) metadata.MD
	// Observe is told of an event.
	Observe(e Event)
}

// Event is something that has happened to a call. Fields that its Kind does not name are
// zero.
type Event struct {
	Kind EventKind
	// Metadata is the call's own, and must not be changed.
	Metadata metadata.MD
	// WireSize is how many bytes a message has as it is sent, without the five before
	// it; Size how many it has without compression, as its codec counts them, or zero
	// if nobody knows.
	WireSize, Size int
	// Err is nil for OK.
	Err error
}

// EventKind tells what has happened.
type EventKind uint8

// The kinds of an Event.
const (
	// HeaderReceived on a client: the response's header section has come. Metadata is
	// what it has. An answer without one, as failures often are, has no such event.
	HeaderReceived EventKind = iota + 1
	// HeaderSent on a server: the response's header section is on its way. Metadata is
	// what the handler has set.
	HeaderSent
	// MessageSent: a message has been encoded, and is on its way or will be with the
	// status. WireSize and Size are its.
	MessageSent
	// MessageReceived: a message has been decoded. WireSize and Size are its.
	MessageReceived
	// AttemptEnded on a client: a try has ended. Err is how; Metadata is the trailer's.
	AttemptEnded
	// CallEnded: the call has ended. Err is its status: on a server, what the client has
	// been told, or would have been if it had not gone.
	CallEnded
)

// observed is a call that an Observation is told of.
type observed struct {
	Observation
	// ctx is the call's.
	ctx context.Context
	// attempts counts them, on a client, and headerTold tells that of the last one the
	// header section is known. The receiving turn guards it.
	attempts   int
	headerTold bool
}

// observe begins to observe a call, if there is an Observer that wants to.
func observe(ctx context.Context, o Observer, call *Call) (context.Context, *observed) {
	if o == nil {
		return ctx, nil
	}
	derived, observation := o.ObserveCall(ctx, call)
	if derived == nil {
		derived = ctx
	}
	if observation == nil {
		observation = unobserved{}
	}
	return derived, &observed{Observation: observation, ctx: derived}
}

// unobserved is a call that nobody wants to be told of.
type unobserved struct{}

func (unobserved) Attempt(int) metadata.MD { return nil }

func (unobserved) Observe(Event) {}

// messageEvent is about a message that has n bytes on the wire. msg may be nil if it is
// not at hand any more.
func messageEvent(kind EventKind, n int, compressed bool, codec encoding.Codec, msg any) Event {
	e := Event{Kind: kind, WireSize: n, Size: n}
	switch {
	case compressed && msg == nil:
		e.Size = 0
	case compressed:
		e.Size = codec.Size(msg)
	}
	return e
}

// attemptBegins tells of a try, and adds to what it sends.
func (s *clientStream) attemptBegins() {
	o := s.observed
	if o == nil {
		return
	}
	o.attempts++
	o.headerTold = false
	s.attempt.header = s.call.RequestHeader
	if md := o.Attempt(o.attempts); len(md) > 0 {
		s.attempt.header = slices.Concat(s.call.RequestHeader, md)
	}
}

// headerCame tells of the header section once it has been parsed.
func (s *clientStream) headerCame() {
	o := s.observed
	if o == nil || o.headerTold || !s.parsed {
		return
	}
	o.headerTold = true
	if h, err := s.stream.Header(s.ctx.Context); err == nil && !trailersOnly(h) {
		o.Observe(Event{Kind: HeaderReceived, Metadata: s.headerMetadata()})
	}
}

// message tells of a message that has n bytes on the wire.
func (s *clientStream) message(kind EventKind, n int, compressed bool, msg any) {
	if s.observed != nil {
		s.observed.Observe(messageEvent(kind, n, compressed, s.messenger.codec, msg))
	}
}

// attemptEnded tells of the end of the last try, if there was one.
func (s *clientStream) attemptEnded(err error, trailer metadata.MD) {
	if o := s.observed; o != nil && o.attempts > 0 {
		o.Observe(Event{Kind: AttemptEnded, Err: err, Metadata: trailer})
	}
}

// callEnded tells of the end.
func (s *clientStream) callEnded(err error) {
	if s.observed != nil {
		s.observed.Observe(Event{Kind: CallEnded, Err: err})
	}
}

// observe begins to observe the call. A panic is this call's alone, here and below.
func (s *serverCall) observe() (err error) {
	if !s.owner().cfg.CrashOnPanic {
		defer s.owner().recovered(s.Method, &err)
	}
	_, s.extra.observed = observe(s.context(), s.owner().cfg.Observer, &s.Call)
	return nil
}

// observation is who is told of the call, if anybody is.
func (s *serverCall) observation() *observed {
	if s.owner().cfg.Observer == nil {
		return nil // and extra may be being made
	}
	return s.extra.observed
}

// notify tells of an event.
func (s *serverCall) notify(e Event) {
	o := s.observation()
	if o == nil {
		return
	}
	if !s.owner().cfg.CrashOnPanic {
		defer s.owner().recovered(s.Method, nil)
	}
	o.Observe(e)
}

// message tells of a message that has n bytes on the wire.
func (s *serverCall) message(kind EventKind, n int, compressed bool, msg any) {
	if s.observation() != nil {
		s.notify(messageEvent(kind, n, compressed, s.request.codec, msg))
	}
}

// headerLeft tells of the header section.
func (s *serverCall) headerLeft() {
	if s.observation() == nil {
		return
	}
	s.mu.Lock()
	header := s.customLocked().header
	s.mu.Unlock()
	s.notify(Event{Kind: HeaderSent, Metadata: header})
}

// callEnded tells of the end: err is the handler's, and cut why the context had ended
// before.
func (s *serverCall) callEnded(err, cut error) {
	if s.observation() == nil {
		return
	}
	e := Event{Kind: CallEnded}
	switch {
	case errors.Is(cut, context.DeadlineExceeded):
		e.Err = errDeadline
	case cut != nil:
		e.Err = channelError(status.Canceled, "the client has gone", cut)
	default:
		if shown, _ := status.ForPeer(err); shown != nil {
			e.Err = shown
		}
	}
	s.notify(e)
}
