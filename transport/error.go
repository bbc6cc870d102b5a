package transport

import (
	"errors"
	"strconv"
	"strings"
)

// ErrEnded is returned by Send when the peer has ended the stream normally:
// nothing that is sent can change the outcome, which waits to be received.
var ErrEnded = errors.New("the peer has ended the stream")

// Scope is how much an error ended.
type Scope uint8

const (
	// ScopeStream is one stream; its connection goes on.
	ScopeStream Scope = iota
	// ScopeConn is a connection with all its streams.
	ScopeConn
)

// Initiator is who ended it.
type Initiator uint8

const (
	// Local is this library, on what it saw the peer or the network do.
	Local Initiator = iota
	// User is the program that uses this library.
	User
	// Peer is the other side.
	Peer
)

// Reason is why a stream or a connection ended, in terms of no protocol.
type Reason uint8

const (
	// ReasonNone is a normal end.
	ReasonNone Reason = iota
	// ReasonCanceled: the result is no longer wanted.
	ReasonCanceled
	// ReasonRefused: the peer did not process the stream.
	ReasonRefused
	// ReasonProtocol: a rule of the wire protocol was broken.
	ReasonProtocol
	// ReasonInternal: one side failed.
	ReasonInternal
	// ReasonFlowControl: more was sent than was allowed.
	ReasonFlowControl
	// ReasonTooMuch: one side causes more work than the other accepts.
	ReasonTooMuch
	// ReasonSecurity: the connection's security does not suffice.
	ReasonSecurity
	// ReasonLost: the connection was lost or closed.
	ReasonLost
	// ReasonTimeout: the other side did not answer in time.
	ReasonTimeout
	// ReasonHeaderTooLarge: a header section is larger than the peer, or this
	// side, accepts.
	ReasonHeaderTooLarge
)

var reasonText = [...]string{
	ReasonNone:           "no error",
	ReasonCanceled:       "canceled",
	ReasonRefused:        "refused",
	ReasonProtocol:       "protocol error",
	ReasonInternal:       "internal error",
	ReasonFlowControl:    "flow control error",
	ReasonTooMuch:        "too much load",
	ReasonSecurity:       "insufficient security",
	ReasonLost:           "connection lost",
	ReasonTimeout:        "timeout",
	ReasonHeaderTooLarge: "headers too large",
}

func (r Reason) String() string {
	if int(r) < len(reasonText) {
		return reasonText[r]
	}
	return "reason " + strconv.Itoa(int(r))
}

// Error is why a stream or a connection ended early.
type Error struct {
	Scope     Scope
	Initiator Initiator
	Reason    Reason
	// Unprocessed tells that the peer has certainly not acted on the stream: it
	// is safe to try again elsewhere.
	Unprocessed bool
	// Sent tells that the stream's header section may have left this side. An
	// Unprocessed stream that was not Sent can be tried again without limit
	// (gRFC A6).
	Sent bool
	// Text says more; it may quote the peer.
	Text string
	// Err is the cause, if another error is.
	Err error
}

func (e *Error) Error() string {
	var b strings.Builder
	if e.Scope == ScopeConn {
		b.WriteString("connection ")
	} else {
		b.WriteString("stream ")
	}
	switch e.Initiator {
	case Peer:
		b.WriteString("ended by the peer: ")
	case User:
		b.WriteString("ended by this program: ")
	default:
		b.WriteString("ended: ")
	}
	b.WriteString(e.Reason.String())
	if e.Text != "" {
		b.WriteString(": ")
		b.WriteString(e.Text)
	}
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// Phase is a step on the way to a connection.
type Phase string

// The phases, in order.
const (
	PhaseResolve  Phase = "resolve"
	PhaseConnect  Phase = "connect"
	PhaseSecurity Phase = "TLS handshake"
	PhaseSettings Phase = "HTTP/2 settings"
)

// DialError is why a connection could not be made.
type DialError struct {
	// Phase is the step that failed.
	Phase Phase
	// Address is where it was to go.
	Address string
	// Err is the cause; never nil.
	Err error
}

func (e *DialError) Error() string {
	return string(e.Phase) + " to " + e.Address + " failed: " + e.Err.Error()
}

func (e *DialError) Unwrap() error { return e.Err }
