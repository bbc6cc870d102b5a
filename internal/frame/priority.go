package frame

import "encoding/binary"

const priorityLen = 5

// Priority is a PRIORITY frame, or the part of a HEADERS frame that says the
// same (RFC 9113 §6.3). It is deprecated: checked, and then of no effect.
type Priority struct {
	// Dependency is the stream that this one was to depend on.
	Dependency uint32
	// Exclusive is the E bit.
	Exclusive bool
	// Weight is the weight less one, as on the wire.
	Weight uint8
}

func readPriority(b []byte) Priority {
	v := binary.BigEndian.Uint32(b)
	return Priority{Dependency: v & MaxStreamID, Exclusive: v>>31 == 1, Weight: b[4]}
}

// ParsePriority parses a PRIORITY frame's payload. A wrong length is a stream
// error (RFC 9113 §6.3), and so is a stream that depends on itself; PRIORITY
// may concern an idle stream, which cannot be reset (see [Error]).
func ParsePriority(h Head, payload []byte) (Priority, error) {
	if err := needStream(h); err != nil {
		return Priority{}, err
	}
	if len(payload) != priorityLen {
		return Priority{}, streamError(CodeFrameSize, h.StreamID, "PRIORITY payload is not 5 bytes long")
	}
	p := readPriority(payload)
	if p.Dependency == h.StreamID {
		// RFC 7540 §5.3.1; RFC 9113 keeps the frame and drops the scheme.
		return Priority{}, streamError(CodeProtocol, h.StreamID, "PRIORITY makes its stream depend on itself")
	}
	return p, nil
}

// AppendPriority appends a PRIORITY frame.
func AppendPriority(dst []byte, streamID uint32, p Priority) []byte {
	dst = AppendHead(dst, Head{Length: priorityLen, Type: TypePriority, StreamID: streamID})
	v := p.Dependency & MaxStreamID
	if p.Exclusive {
		v |= 1 << 31
	}
	return append(binary.BigEndian.AppendUint32(dst, v), p.Weight)
}
