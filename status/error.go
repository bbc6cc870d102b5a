package status

import (
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// shownText is how many bytes of a peer's text Error() shows: what is printed
// ends up in logs, and the peer chose it.
const shownText = 256

// Origin is where an Error was made.
type Origin uint8

const (
	// FromProgram is an Error that the program made with New or Errorf.
	FromProgram Origin = iota
	// FromChannel is an Error that a channel of this program made: no
	// connection, a deadline, a limit.
	FromChannel
	// FromPeer is an Error that a peer sent.
	FromPeer
)

// Error is how a call ended when it did not end well. It does not change once
// it is made, and is safe for concurrent use. Its code is never OK.
//
// errors.Is(err, status.NotFound) asks for its code; errors.Is and errors.As
// also reach its cause, which is local and never sent. So an INTERNAL that was
// caused by a NOT_FOUND is both to errors.Is; [CodeOf] looks at the outermost.
type Error struct {
	code      Code
	origin    Origin
	forwarded bool
	message   string
	details   []*anypb.Any
	cause     error
}

var _ error = (*Error)(nil)

// New returns an Error that says code and message to the peer, or nil if code
// is OK. Details travel beside it as google.protobuf.Any; an Any is taken as
// it is. A detail that cannot be encoded is left out, and the Error's cause
// says why.
func New(code Code, message string, details ...proto.Message) error {
	if code == OK {
		return nil
	}
	e := &Error{code: code, message: message}
	e.details, e.cause = pack(details)
	return e
}

// Make returns an Error of a given origin; it is for the code between
// handlers and the wire, and New or Errorf is for everyone else. The Error
// keeps details. It is nil if code is OK.
func Make(origin Origin, code Code, message string, details []*anypb.Any, cause error) error {
	if code == OK {
		return nil
	}
	return &Error{code: code, origin: origin, message: message, details: details, cause: cause}
}

// Forward marks an error that came out of a channel as one to pass on: a
// handler that returns Forward(err) shows its peer the code, the text and the
// details of err. It returns nil for nil, and an error that holds no status
// as it is.
func Forward(err error) error {
	e, ok := find(err)
	if !ok {
		return err
	}
	forwarded := *e
	forwarded.forwarded = true
	forwarded.cause = err
	return &forwarded
}

// CodeOf returns the code of err: OK for nil, the code of the outermost Error
// or Code that err is or wraps, Canceled and DeadlineExceeded for the errors
// of package context, and else Unknown.
func CodeOf(err error) Code {
	if err == nil {
		return OK
	}
	if e, ok := find(err); ok {
		return e.code
	}
	if c, ok := errors.AsType[Code](err); ok {
		return c
	}
	return contextCode(err)
}

// ForPeer returns what a server tells its peer of a handler's error, and
// whether it hides something that belongs into the server's log:
//
//   - an Error that the program made, or that it passes on with Forward, is
//     shown as it is, and a Code without text;
//   - an Error that came out of a channel is INTERNAL without text: the peer
//     of this server has not asked that one, and must not take its verdict
//     (not authenticated, retry) for this server's own;
//   - the errors of package context are CANCELLED and DEADLINE_EXCEEDED;
//   - anything else is UNKNOWN without text.
//
// The result is nil if err is nil or OK.
func ForPeer(err error) (shown *Error, hidden bool) {
	if err == nil {
		return nil, false
	}
	if e, ok := find(err); ok {
		if e.origin == FromProgram || e.forwarded {
			wrapped := e != err //nolint:errorlint // what is around it is what counts
			return e, wrapped || e.cause != nil && !e.forwarded
		}
		return &Error{code: Internal, cause: err}, true
	}
	if c, ok := errors.AsType[Code](err); ok {
		if c == OK {
			return nil, false
		}
		return &Error{code: c, cause: err}, false
	}
	code := contextCode(err)
	return &Error{code: code, cause: err}, code == Unknown
}

func find(err error) (*Error, bool) {
	e, ok := err.(*Error) //nolint:errorlint // the common case, without reflection
	if !ok {
		e, ok = errors.AsType[*Error](err)
	}
	return e, ok && e != nil
}

func contextCode(err error) Code {
	switch {
	case errors.Is(err, context.Canceled):
		return Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return DeadlineExceeded
	default:
		return Unknown
	}
}

// Code returns the code.
func (e *Error) Code() Code {
	if e == nil {
		return OK
	}
	return e.code
}

// Message returns the whole text that was, or may be, sent to the peer. If a
// peer sent it, it can hold anything: quote it before you print it.
func (e *Error) Message() string {
	if e == nil {
		return ""
	}
	return e.message
}

// Details returns the details, in order. The messages must not be changed;
// the slice is the caller's.
func (e *Error) Details() []*anypb.Any {
	if e == nil {
		return nil
	}
	return slices.Clone(e.details)
}

// Origin returns where the Error was made.
func (e *Error) Origin() Origin {
	if e == nil {
		return FromProgram
	}
	return e.origin
}

// FromPeer tells whether a peer sent it.
func (e *Error) FromPeer() bool { return e.Origin() == FromPeer }

// Error returns the code, the text, and what the local cause says. The text of
// a peer is quoted and cut.
func (e *Error) Error() string {
	if e == nil {
		return OK.String()
	}
	b := append(make([]byte, 0, 128), e.code.String()...)
	if e.message != "" {
		b = append(b, ": "...)
		if e.origin == FromPeer {
			b = appendQuoted(b, e.message)
		} else {
			b = append(b, e.message...)
		}
	}
	if e.cause != nil && !e.forwarded {
		b = append(b, ": "...)
		b = append(b, e.cause.Error()...)
	}
	return string(b)
}

// Unwrap returns the local cause, if there is one. The end of a connection is
// often io.EOF, and to who receives messages io.EOF means that there are no more
// and all is well: so errors.Is finds no io.EOF in an Error, whatever its cause.
func (e *Error) Unwrap() error {
	if e == nil {
		return nil
	}
	if errors.Is(e.cause, io.EOF) {
		return failure{e.cause}
	}
	return e.cause
}

// failure is a cause that is io.EOF, or wraps it, and must not be taken for the
// end of what is received.
type failure struct{ cause error }

func (f failure) Error() string { return f.cause.Error() }

// Is tells whether the cause is target. It implements what errors.Is asks for.
func (f failure) Is(target error) bool {
	return target != io.EOF && errors.Is(f.cause, target)
}

// As finds a type among the causes. It implements what errors.As asks for.
func (f failure) As(target any) bool { return errors.As(f.cause, target) }

// Is tells whether target is the Error's Code. It implements what errors.Is
// asks for.
func (e *Error) Is(target error) bool {
	c, ok := target.(Code)
	return ok && c == e.Code()
}

// appendQuoted quotes text and cuts it, at a rune boundary, at shownText bytes.
func appendQuoted(dst []byte, text string) []byte {
	if len(text) <= shownText {
		return strconv.AppendQuote(dst, text)
	}
	cut := shownText
	for cut > shownText-utf8.UTFMax && !utf8.RuneStart(text[cut]) {
		cut--
	}
	dst = strconv.AppendQuote(dst, text[:cut])
	dst = append(dst, "... ("...)
	dst = strconv.AppendInt(dst, int64(len(text)), 10)
	return append(dst, " bytes)"...)
}
