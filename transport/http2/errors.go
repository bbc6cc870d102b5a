package http2

import (
	"errors"

	"github.com/yodelrpc/yodel/internal/frame"
	"github.com/yodelrpc/yodel/transport"
)

// reasonOf says what an error code received means (RFC 9113 §7).
func reasonOf(code frame.Code) transport.Reason {
	switch code {
	case frame.CodeNo:
		return transport.ReasonNone
	case frame.CodeCancel:
		return transport.ReasonCanceled
	case frame.CodeRefusedStream:
		return transport.ReasonRefused
	case frame.CodeFlowControl:
		return transport.ReasonFlowControl
	case frame.CodeEnhanceYourCalm:
		return transport.ReasonTooMuch
	case frame.CodeInadequateSecurity, frame.CodeHTTP11Required:
		return transport.ReasonSecurity
	case frame.CodeInternal, frame.CodeConnect:
		return transport.ReasonInternal
	default:
		return transport.ReasonProtocol
	}
}

// codeOf says which error code tells the peer a reason.
func codeOf(reason transport.Reason) frame.Code {
	switch reason {
	case transport.ReasonNone:
		return frame.CodeNo
	case transport.ReasonCanceled, transport.ReasonTimeout:
		return frame.CodeCancel
	case transport.ReasonRefused:
		return frame.CodeRefusedStream
	case transport.ReasonFlowControl:
		return frame.CodeFlowControl
	case transport.ReasonTooMuch, transport.ReasonHeaderTooLarge:
		return frame.CodeEnhanceYourCalm
	case transport.ReasonSecurity:
		return frame.CodeInadequateSecurity
	case transport.ReasonProtocol:
		return frame.CodeProtocol
	default:
		return frame.CodeInternal
	}
}

// fromFrame turns a broken rule into what this side reports of it. An error
// that is no *frame.Error is this side's own fault.
func fromFrame(err error) (*transport.Error, *frame.Error) {
	fe, ok := errors.AsType[*frame.Error](err)
	if !ok {
		fe = &frame.Error{Code: frame.CodeInternal, Text: err.Error()}
	}
	e := &transport.Error{
		Scope:     transport.ScopeConn,
		Initiator: transport.Local,
		Reason:    reasonOf(fe.Code),
		Text:      fe.Text,
	}
	if fe.StreamID != 0 {
		e.Scope = transport.ScopeStream
	}
	return e, fe
}
