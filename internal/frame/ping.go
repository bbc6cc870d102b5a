package frame

const pingLen = 8

// Ping is a PING frame (RFC 9113 §6.7).
type Ping struct {
	// Ack says that the frame answers a PING of ours.
	Ack bool
	// Data comes back unchanged in the answer.
	Data [pingLen]byte
}

// ParsePing parses a PING frame's payload. All errors are connection errors.
func ParsePing(h Head, payload []byte) (Ping, error) {
	if err := needConnection(h); err != nil {
		return Ping{}, err
	}
	if len(payload) != pingLen {
		return Ping{}, wrongLength(h.Type, len(payload), "8")
	}
	return Ping{Ack: h.Has(FlagAck), Data: [pingLen]byte(payload)}, nil
}

// AppendPing appends a PING frame.
func AppendPing(dst []byte, ack bool, data [pingLen]byte) []byte {
	h := Head{Length: pingLen, Type: TypePing}
	if ack {
		h.Flags = FlagAck
	}
	return append(AppendHead(dst, h), data[:]...)
}
