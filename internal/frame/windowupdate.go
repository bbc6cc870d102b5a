package frame

import "encoding/binary"

// WindowUpdate is a WINDOW_UPDATE frame (RFC 9113 §6.9).
type WindowUpdate struct {
	// Increment is how many bytes more may be sent: 1 to 2^31-1.
	Increment uint32
}

// ParseWindowUpdate parses a WINDOW_UPDATE frame's payload. An increment of 0
// on a stream is a stream error; other errors are connection errors.
func ParseWindowUpdate(h Head, payload []byte) (WindowUpdate, error) {
	if len(payload) != 4 {
		return WindowUpdate{}, wrongLength(h.Type, len(payload), "4")
	}
	n := binary.BigEndian.Uint32(payload) & MaxStreamID
	if n == 0 {
		// RFC 9113 §6.9: a stream error, or on stream 0 a connection error,
		// which is what StreamID says either way.
		return WindowUpdate{}, streamError(CodeProtocol, h.StreamID, "WINDOW_UPDATE with an increment of 0")
	}
	return WindowUpdate{Increment: n}, nil
}

// AppendWindowUpdate appends a WINDOW_UPDATE frame. The increment must be 1 to
// 2^31-1.
func AppendWindowUpdate(dst []byte, streamID, increment uint32) []byte {
	dst = AppendHead(dst, Head{Length: 4, Type: TypeWindowUpdate, StreamID: streamID})
	return binary.BigEndian.AppendUint32(dst, increment&MaxStreamID)
}
