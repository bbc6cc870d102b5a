package frame

import "strconv"

// Code is an error code of RST_STREAM and GOAWAY (RFC 9113 §7). Codes that are
// not named here are legal and have no special meaning.
type Code uint32

// The error codes of RFC 9113.
const (
	CodeNo                 Code = 0x00
	CodeProtocol           Code = 0x01
	CodeInternal           Code = 0x02
	CodeFlowControl        Code = 0x03
	CodeSettingsTimeout    Code = 0x04
	CodeStreamClosed       Code = 0x05
	CodeFrameSize          Code = 0x06
	CodeRefusedStream      Code = 0x07
	CodeCancel             Code = 0x08
	CodeCompression        Code = 0x09
	CodeConnect            Code = 0x0a
	CodeEnhanceYourCalm    Code = 0x0b
	CodeInadequateSecurity Code = 0x0c
	CodeHTTP11Required     Code = 0x0d
)

var codeNames = [...]string{
	CodeNo:                 "NO_ERROR",
	CodeProtocol:           "PROTOCOL_ERROR",
	CodeInternal:           "INTERNAL_ERROR",
	CodeFlowControl:        "FLOW_CONTROL_ERROR",
	CodeSettingsTimeout:    "SETTINGS_TIMEOUT",
	CodeStreamClosed:       "STREAM_CLOSED",
	CodeFrameSize:          "FRAME_SIZE_ERROR",
	CodeRefusedStream:      "REFUSED_STREAM",
	CodeCancel:             "CANCEL",
	CodeCompression:        "COMPRESSION_ERROR",
	CodeConnect:            "CONNECT_ERROR",
	CodeEnhanceYourCalm:    "ENHANCE_YOUR_CALM",
	CodeInadequateSecurity: "INADEQUATE_SECURITY",
	CodeHTTP11Required:     "HTTP_1_1_REQUIRED",
}

// String returns the RFC's name, or UNKNOWN_ERROR_ and the number.
func (c Code) String() string {
	if uint64(c) < uint64(len(codeNames)) {
		return codeNames[c]
	}
	return "UNKNOWN_ERROR_" + strconv.FormatUint(uint64(c), 10)
}

// Error is a breach of the protocol by the peer (RFC 9113 §5.4).
//
// A stream error is answered with RST_STREAM, a connection error with GOAWAY
// and the end of the connection. RST_STREAM must not be sent on an idle stream
// (§5.1): there, treat a stream error as a connection error.
type Error struct {
	// Code is what the peer is told.
	Code Code
	// StreamID is the stream that ends; zero for the whole connection.
	StreamID uint32
	// Text says what was wrong. What the peer chose of it is numbers, or quoted
	// and cut.
	Text string
}

// Error names the scope, the code and the breach.
func (e *Error) Error() string {
	if e.StreamID == 0 {
		return "HTTP/2 connection error " + e.Code.String() + ": " + e.Text
	}
	return "HTTP/2 stream " + strconv.FormatUint(uint64(e.StreamID), 10) + " error " + e.Code.String() + ": " + e.Text
}

func connectionError(code Code, text string) error { return &Error{Code: code, Text: text} }

func streamError(code Code, id uint32, text string) error {
	return &Error{Code: code, StreamID: id, Text: text}
}
