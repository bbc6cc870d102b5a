package frame

import "encoding/binary"

const goAwayLen = 8

// GoAway is a GOAWAY frame (RFC 9113 §6.8): the sender will not process streams
// above Last, and wants no new ones.
type GoAway struct {
	// Last is the highest stream of ours that the peer may have processed.
	Last uint32
	// Code is why; any value is legal.
	Code Code
	// Debug is text of the peer's choosing. Quote and cut it before it is
	// shown or logged.
	Debug []byte
}

// ParseGoAway parses a GOAWAY frame's payload. All errors are connection
// errors.
func ParseGoAway(h Head, payload []byte) (GoAway, error) {
	if err := needConnection(h); err != nil {
		return GoAway{}, err
	}
	if len(payload) < goAwayLen {
		return GoAway{}, wrongLength(h.Type, len(payload), "at least 8")
	}
	return GoAway{
		Last:  binary.BigEndian.Uint32(payload) & MaxStreamID,
		Code:  Code(binary.BigEndian.Uint32(payload[4:])),
		Debug: payload[goAwayLen:],
	}, nil
}

// AppendGoAway appends a GOAWAY frame. Debug data is cut to what every peer
// accepts in one frame.
func AppendGoAway(dst []byte, last uint32, code Code, debug []byte) []byte {
	debug = debug[:min(len(debug), MinMaxFrameSize-goAwayLen)]
	dst = AppendHead(dst, Head{Length: goAwayLen + len(debug), Type: TypeGoAway})
	dst = binary.BigEndian.AppendUint32(dst, last&MaxStreamID)
	dst = binary.BigEndian.AppendUint32(dst, uint32(code))
	return append(dst, debug...)
}
