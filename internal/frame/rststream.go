package frame

import "encoding/binary"

// RSTStream is a RST_STREAM frame (RFC 9113 §6.4): the end of a stream in both
// directions.
type RSTStream struct {
	// Code is the peer's reason; any value is legal.
	Code Code
}

// ParseRSTStream parses a RST_STREAM frame's payload. All errors are connection
// errors.
func ParseRSTStream(h Head, payload []byte) (RSTStream, error) {
	if err := needStream(h); err != nil {
		return RSTStream{}, err
	}
	if len(payload) != 4 {
		return RSTStream{}, wrongLength(h.Type, len(payload), "4")
	}
	return RSTStream{Code: Code(binary.BigEndian.Uint32(payload))}, nil
}

// AppendRSTStream appends a RST_STREAM frame.
func AppendRSTStream(dst []byte, streamID uint32, code Code) []byte {
	dst = AppendHead(dst, Head{Length: 4, Type: TypeRSTStream, StreamID: streamID})
	return binary.BigEndian.AppendUint32(dst, uint32(code))
}
