package frame

// Data is a DATA frame (RFC 9113 §6.1).
type Data struct {
	// Data is the payload without padding.
	Data []byte
	// Flow is what flow control counts: the whole payload, with the Pad Length
	// field and the padding.
	Flow int
	// EndStream says that the sender has no more to send on the stream.
	EndStream bool
}

// ParseData parses a DATA frame's payload. All errors are connection errors.
func ParseData(h Head, payload []byte) (Data, error) {
	if err := needStream(h); err != nil {
		return Data{}, err
	}
	data, err := unpad(h, payload)
	if err != nil {
		return Data{}, err
	}
	return Data{Data: data, Flow: len(payload), EndStream: h.Has(FlagEndStream)}, nil
}

// AppendDataHead appends the head of an unpadded DATA frame whose n bytes of
// data the caller appends, or writes, next.
func AppendDataHead(dst []byte, streamID uint32, n int, endStream bool) []byte {
	h := Head{Length: n, Type: TypeData, StreamID: streamID}
	if endStream {
		h.Flags = FlagEndStream
	}
	return AppendHead(dst, h)
}

// AppendData appends an unpadded DATA frame.
func AppendData(dst []byte, streamID uint32, data []byte, endStream bool) []byte {
	return append(AppendDataHead(dst, streamID, len(data), endStream), data...)
}
