// Package frame reads and writes HTTP/2 frames (RFC 9113 §4 and §6) as plain
// values: Parse takes a frame's head and payload, Append adds a frame to a
// slice. There is no I/O and no state here; whether a frame is allowed at this
// point of a connection is for package h2 to say.
//
// Slices in a parsed value alias the payload that it was parsed from. They are
// valid until the caller reuses that memory.
//
// Every Parse function looks only at the bytes that it was given, so a payload
// whose length differs from the head's is safe. Parsing does not allocate unless it
// fails. All functions are safe for concurrent use.
package frame

import (
	"encoding/binary"
	"strconv"
)

// Type says what a frame is (RFC 9113 §6). Frames of types that are not named
// here must be ignored and their payload skipped (§4.1).
type Type uint8

// The frame types of RFC 9113.
const (
	TypeData         Type = 0x00
	TypeHeaders      Type = 0x01
	TypePriority     Type = 0x02
	TypeRSTStream    Type = 0x03
	TypeSettings     Type = 0x04
	TypePushPromise  Type = 0x05
	TypePing         Type = 0x06
	TypeGoAway       Type = 0x07
	TypeWindowUpdate Type = 0x08
	TypeContinuation Type = 0x09
)

// String returns the RFC's name, or UNKNOWN_FRAME_ and the number.
func (t Type) String() string {
	switch t {
	case TypeData:
		return "DATA"
	case TypeHeaders:
		return "HEADERS"
	case TypePriority:
		return "PRIORITY"
	case TypeRSTStream:
		return "RST_STREAM"
	case TypeSettings:
		return "SETTINGS"
	case TypePushPromise:
		return "PUSH_PROMISE"
	case TypePing:
		return "PING"
	case TypeGoAway:
		return "GOAWAY"
	case TypeWindowUpdate:
		return "WINDOW_UPDATE"
	case TypeContinuation:
		return "CONTINUATION"
	}
	return "UNKNOWN_FRAME_" + strconv.Itoa(int(t))
}

// Flags modify a frame; what a bit means depends on the type. Bits without a
// meaning for a type are ignored (RFC 9113 §4.1).
type Flags uint8

// The flags of RFC 9113.
const (
	FlagEndStream  Flags = 0x01 // DATA, HEADERS
	FlagAck        Flags = 0x01 // SETTINGS, PING
	FlagEndHeaders Flags = 0x04 // HEADERS, PUSH_PROMISE, CONTINUATION
	FlagPadded     Flags = 0x08 // DATA, HEADERS, PUSH_PROMISE
	FlagPriority   Flags = 0x20 // HEADERS
)

const (
	// HeadLen is the length of a frame's head in bytes.
	HeadLen = 9
	// MinMaxFrameSize is the payload length that every peer accepts, and what
	// SETTINGS_MAX_FRAME_SIZE is before it is set (RFC 9113 §6.5.2).
	MinMaxFrameSize = 1 << 14
	// MaxMaxFrameSize is the longest payload that a head can announce.
	MaxMaxFrameSize = 1<<24 - 1
	// MaxStreamID is the highest stream identifier (RFC 9113 §5.1.1).
	MaxStreamID = 1<<31 - 1
)

// Head is the fixed start of every frame (RFC 9113 §4.1).
type Head struct {
	// Length is the payload's length in bytes, without the head.
	Length int
	Type   Type
	Flags  Flags
	// StreamID is zero for frames that concern the connection.
	StreamID uint32
}

// Has tells whether all bits of f are set.
func (h Head) Has(f Flags) bool { return h.Flags&f == f }

// ParseHead reads the first HeadLen bytes of b, which must have that many. It
// ignores the reserved bit (RFC 9113 §4.1).
func ParseHead(b []byte) Head {
	_ = b[HeadLen-1]
	return Head{
		Length:   int(b[0])<<16 | int(b[1])<<8 | int(b[2]),
		Type:     Type(b[3]),
		Flags:    Flags(b[4]),
		StreamID: binary.BigEndian.Uint32(b[5:]) & MaxStreamID,
	}
}

// AppendHead appends h. Length must be at most MaxMaxFrameSize, StreamID at
// most MaxStreamID.
func AppendHead(dst []byte, h Head) []byte {
	return append(dst,
		byte(h.Length>>16), byte(h.Length>>8), byte(h.Length),
		byte(h.Type), byte(h.Flags),
		byte(h.StreamID>>24), byte(h.StreamID>>16), byte(h.StreamID>>8), byte(h.StreamID))
}

// PutHead writes h over the first HeadLen bytes of b, for a caller that left
// room, appended a payload, and knows its length only now.
func PutHead(b []byte, h Head) { AppendHead(b[:0:HeadLen], h) }

// CheckSize refuses a frame whose payload is longer than the MAX_FRAME_SIZE
// that we advertised, before its payload is read (RFC 9113 §4.2). A stream
// error would do for some types, but the payload would have to be skipped.
func CheckSize(h Head, maxFrameSize int) error {
	if h.Length > maxFrameSize {
		return connectionError(CodeFrameSize, h.Type.String()+" of "+strconv.Itoa(h.Length)+
			" bytes is longer than the advertised SETTINGS_MAX_FRAME_SIZE of "+strconv.Itoa(maxFrameSize))
	}
	return nil
}

// unpad strips the Pad Length field and the padding (RFC 9113 §6.1). What the
// padding holds does not matter: a check is optional and costs time.
func unpad(h Head, payload []byte) ([]byte, error) {
	if !h.Has(FlagPadded) {
		return payload, nil
	}
	if len(payload) == 0 {
		// RFC 9113 §4.2: too small for a mandatory field.
		return nil, connectionError(CodeFrameSize, h.Type.String()+" with PADDED flag has no Pad Length")
	}
	padding := int(payload[0])
	if padding >= len(payload) {
		// RFC 9113 §6.1: padding as long as the payload or longer.
		return nil, connectionError(CodeProtocol, h.Type.String()+" has more padding than payload")
	}
	return payload[1 : len(payload)-padding], nil
}

// needStream refuses stream 0 for frames that concern one stream.
func needStream(h Head) error {
	if h.StreamID == 0 {
		return connectionError(CodeProtocol, h.Type.String()+" on stream 0")
	}
	return nil
}

// needConnection refuses a stream for frames that concern the connection.
func needConnection(h Head) error {
	if h.StreamID != 0 {
		return connectionError(CodeProtocol, h.Type.String()+" on stream "+strconv.FormatUint(uint64(h.StreamID), 10)+" instead of 0")
	}
	return nil
}

// wrongLength is a connection error: it is used where RFC 9113 §4.2 or the
// frame's own section asks for one.
func wrongLength(t Type, n int, want string) error {
	return connectionError(CodeFrameSize, t.String()+" payload of "+strconv.Itoa(n)+" bytes instead of "+want)
}
