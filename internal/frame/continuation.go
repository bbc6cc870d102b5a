package frame

// Continuation is a CONTINUATION frame (RFC 9113 §6.10): a further part of a
// header block.
type Continuation struct {
	// Fragment is the part, still compressed.
	Fragment []byte
	// EndHeaders says that the block is complete.
	EndHeaders bool
}

// ParseContinuation parses a CONTINUATION frame's payload. All errors are
// connection errors.
func ParseContinuation(h Head, payload []byte) (Continuation, error) {
	if err := needStream(h); err != nil {
		return Continuation{}, err
	}
	return Continuation{Fragment: payload, EndHeaders: h.Has(FlagEndHeaders)}, nil
}

// AppendContinuation appends a CONTINUATION frame.
func AppendContinuation(dst []byte, streamID uint32, fragment []byte, endHeaders bool) []byte {
	h := Head{Length: len(fragment), Type: TypeContinuation, StreamID: streamID}
	if endHeaders {
		h.Flags = FlagEndHeaders
	}
	return append(AppendHead(dst, h), fragment...)
}
