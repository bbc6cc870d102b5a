package frame

// Headers is a HEADERS frame (RFC 9113 §6.2): the start of a header block,
// which CONTINUATION frames complete when EndHeaders is not set.
type Headers struct {
	// Fragment is the block's first part, still compressed.
	Fragment []byte
	// EndStream says that the sender sends nothing but the rest of this block.
	EndStream bool
	// EndHeaders says that the block is complete.
	EndHeaders bool
	// HasPriority says that Priority was there.
	HasPriority bool
	// Priority is deprecated and has no effect.
	Priority Priority
}

// ParseHeaders parses a HEADERS frame's payload. All errors are connection
// errors, since a block that is not decoded leaves HPACK out of step (RFC 9113
// §4.3).
func ParseHeaders(h Head, payload []byte) (Headers, error) {
	if err := needStream(h); err != nil {
		return Headers{}, err
	}
	rest, err := unpad(h, payload)
	if err != nil {
		return Headers{}, err
	}
	p := Headers{
		Fragment:   rest,
		EndStream:  h.Has(FlagEndStream),
		EndHeaders: h.Has(FlagEndHeaders),
	}
	if !h.Has(FlagPriority) {
		return p, nil
	}
	if len(rest) < priorityLen {
		return Headers{}, wrongLength(h.Type, len(payload), "at least 5 with the PRIORITY flag")
	}
	p.HasPriority = true
	p.Priority = readPriority(rest)
	p.Fragment = rest[priorityLen:]
	if p.Priority.Dependency == h.StreamID {
		// RFC 7540 §5.3.1 makes it a stream error, RFC 9113 leaves it open. No
		// honest peer does it, and a reset would be one provoked by the peer.
		return Headers{}, connectionError(CodeProtocol, "HEADERS makes its stream depend on itself")
	}
	return p, nil
}

// AppendHeaders appends an unpadded HEADERS frame without priority.
func AppendHeaders(dst []byte, streamID uint32, fragment []byte, endStream, endHeaders bool) []byte {
	dst = AppendHead(dst, Head{
		Length: len(fragment), Type: TypeHeaders, Flags: HeadersFlags(endStream, endHeaders), StreamID: streamID,
	})
	return append(dst, fragment...)
}

// HeadersFlags returns the flags of an unpadded HEADERS frame without priority.
func HeadersFlags(endStream, endHeaders bool) Flags {
	var f Flags
	if endStream {
		f |= FlagEndStream
	}
	if endHeaders {
		f |= FlagEndHeaders
	}
	return f
}

// AppendHeaderBlock appends a whole header block as one HEADERS frame and as
// many CONTINUATION frames as payloads of at most maxFrameSize bytes need. No
// other frame may come between them (RFC 9113 §6.10), so they go out together.
// A maxFrameSize below 1 counts as MinMaxFrameSize.
func AppendHeaderBlock(dst []byte, streamID uint32, block []byte, endStream bool, maxFrameSize int) []byte {
	if maxFrameSize < 1 {
		maxFrameSize = MinMaxFrameSize
	}
	n := min(len(block), maxFrameSize)
	dst = AppendHeaders(dst, streamID, block[:n], endStream, n == len(block))
	for block = block[n:]; len(block) > 0; block = block[n:] {
		n = min(len(block), maxFrameSize)
		dst = AppendContinuation(dst, streamID, block[:n], n == len(block))
	}
	return dst
}
