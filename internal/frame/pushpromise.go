package frame

import "encoding/binary"

// PushPromise is a PUSH_PROMISE frame (RFC 9113 §6.6), parsed as far as it takes
// to refuse it: we never allow push, so receiving one is a connection error.
type PushPromise struct {
	// Promised is the stream that the peer wanted to open.
	Promised uint32
}

// ParsePushPromise parses a PUSH_PROMISE frame's payload. All errors are
// connection errors.
func ParsePushPromise(h Head, payload []byte) (PushPromise, error) {
	if err := needStream(h); err != nil {
		return PushPromise{}, err
	}
	rest, err := unpad(h, payload)
	if err != nil {
		return PushPromise{}, err
	}
	if len(rest) < 4 {
		return PushPromise{}, wrongLength(h.Type, len(payload), "at least 4")
	}
	return PushPromise{Promised: binary.BigEndian.Uint32(rest) & MaxStreamID}, nil
}
