package hpack

// wireString is a string as it is in a block (RFC 7541 §5.2).
type wireString struct {
	raw   []byte
	coded bool
}

// readString reads the string at block[pos].
func readString(block []byte, pos int) (s wireString, next int, text string) {
	if pos >= len(block) {
		return s, pos, textTruncated
	}
	s.coded = block[pos] >= 0x80
	length, next, text := readInteger(block, pos, 7)
	if text != "" {
		return s, pos, text
	}
	if uint64(length) > uint64(len(block)-next) {
		return s, pos, textTruncated
	}
	s.raw = block[next : next+int(length)]
	return s, next + int(length), ""
}

// bound returns a length that s cannot pass.
func (s *wireString) bound() int {
	if s.coded {
		return maxHuffmanDecoded(len(s.raw))
	}
	return len(s.raw)
}

// length returns the length of s, having checked it.
func (s *wireString) length() (n int, ok bool) {
	if s.coded {
		return huffmanDecodedLength(s.raw)
	}
	return len(s.raw), true
}

// decode writes s to dst, which has room for its length, and returns that.
func (s *wireString) decode(dst []byte) (n int, ok bool) {
	if s.coded {
		return huffmanDecode(dst, s.raw)
	}
	return copy(dst, s.raw), true
}

// appendString appends a string, coded if that is shorter.
func appendString(dst []byte, s string) []byte {
	if len(s) >= 0x7f {
		if n := huffmanLength(s); n < len(s) {
			dst = appendInteger(dst, 0x80, 7, uint32(n))
			return appendHuffman(dst, s)
		}
		dst = appendInteger(dst, 0, 7, uint32(len(s)))
		return append(dst, s...)
	}
	// Its length takes one byte either way: one pass tells whether to keep it.
	start := len(dst)
	dst = appendHuffman(append(dst, 0), s)
	if n := len(dst) - start - 1; n < len(s) {
		dst[start] = 0x80 | byte(n)
		return dst
	}
	dst[start] = byte(len(s))
	return append(dst[:start+1], s...)
}
