package h2

import "github.com/yodelrpc/yodel/internal/frame"

// State is where a stream is in its life (RFC 9113 §5.1). Push does not exist
// here, and with it the reserved states:
//
//	                 idle
//	                  │ HEADERS, sent or received
//	                  ▼
//	    ┌─────────── open ────────────┐
//	    │ END_STREAM     END_STREAM   │
//	    │ sent             received   │
//	    ▼                             ▼
//	half-closed                  half-closed
//	  (local)                     (remote)
//	    │ END_STREAM     END_STREAM   │
//	    │ received             sent   │
//	    └────────────► closed ◄───────┘
//
//	RST_STREAM, sent or received, leads from any but idle to closed.
//
// The zero value is Idle. HEADERS and DATA, sent and received, are methods that
// return the new state; one that is not allowed returns an error, and the state
// unchanged. Errors of the peer are stream or connection errors as the RFC has it;
// an event of our own that is not allowed is an INTERNAL_ERROR of the stream, which
// says that the caller did not ask CanSend.
//
// Frames on streams that are forgotten already are for [StreamIDs.Missing].
type State uint8

// The states of a stream.
const (
	Idle State = iota
	Open
	HalfClosedLocal
	HalfClosedRemote
	Closed
)

// String returns the RFC's name.
func (s State) String() string {
	switch s {
	case Idle:
		return "idle"
	case Open:
		return "open"
	case HalfClosedLocal:
		return "half-closed (local)"
	case HalfClosedRemote:
		return "half-closed (remote)"
	}
	return "closed"
}

// CanSend tells whether DATA, and HEADERS as trailers, may be sent.
func (s State) CanSend() bool { return s == Open || s == HalfClosedRemote }

// CanReceive tells whether the peer may send DATA and HEADERS.
func (s State) CanReceive() bool { return s == Open || s == HalfClosedLocal }

// SendHeaders is HEADERS sent: the start of a stream, or its trailers.
func (s State) SendHeaders(id uint32, end bool) (State, error) {
	if s == Idle {
		s = Open
	}
	return s.send(frame.TypeHeaders, id, end)
}

// SendData is DATA sent.
func (s State) SendData(id uint32, end bool) (State, error) {
	return s.send(frame.TypeData, id, end)
}

func (s State) send(t frame.Type, id uint32, end bool) (State, error) {
	switch {
	case !s.CanSend():
		return s, streamError(frame.CodeInternal, id, "cannot send "+t.String()+": the stream is "+s.String())
	case !end:
		return s, nil
	case s == Open:
		return HalfClosedLocal, nil
	}
	return Closed, nil
}

// RecvHeaders is HEADERS received: the start of a stream, a response, or
// trailers.
func (s State) RecvHeaders(id uint32, end bool) (State, error) {
	if s == Idle {
		s = Open
	}
	return s.receive(frame.TypeHeaders, id, end)
}

// RecvData is DATA received.
func (s State) RecvData(id uint32, end bool) (State, error) {
	return s.receive(frame.TypeData, id, end)
}

func (s State) receive(t frame.Type, id uint32, end bool) (State, error) {
	switch {
	case !s.CanReceive():
		return s, s.unexpected(t, id)
	case !end:
		return s, nil
	case s == Open:
		return HalfClosedRemote, nil
	}
	return Closed, nil
}

func (s State) unexpected(t frame.Type, id uint32) error {
	text := "received " + t.String() + ": the stream is " + s.String()
	if s == Idle {
		// RFC 9113 §5.1, §6.4: anything but HEADERS and PRIORITY.
		return connectionError(frame.CodeProtocol, text)
	}
	// RFC 9113 §5.1, half-closed (remote); closed may be a connection error and
	// is not, so that one bad call costs one stream.
	return streamError(frame.CodeStreamClosed, id, text)
}
