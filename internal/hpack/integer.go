package hpack

import "math"

// maxContinuation is how many bytes of an integer may follow its first one:
// enough for 32 bits. Without a bound, zeros could go on for ever.
const maxContinuation = 5

// appendInteger appends n with a prefix of the given number of bits
// (RFC 7541 §5.1). first holds the bits above the prefix.
func appendInteger(dst []byte, first byte, prefix uint, n uint32) []byte {
	limit := uint32(1)<<prefix - 1
	if n < limit {
		return append(dst, first|byte(n))
	}
	dst = append(dst, first|byte(limit))
	n -= limit
	for n >= 0x80 {
		dst = append(dst, byte(n)|0x80)
		n >>= 7
	}
	return append(dst, byte(n))
}

// readInteger reads the integer that starts at p[pos], which must exist, and
// returns where it ends. A text tells what is wrong with it.
func readInteger(p []byte, pos int, prefix uint) (n uint32, next int, text string) {
	limit := byte(1)<<prefix - 1
	if first := p[pos] & limit; first < limit {
		return uint32(first), pos + 1, ""
	}
	return readContinuation(p, pos+1, uint64(limit))
}

func readContinuation(p []byte, pos int, value uint64) (n uint32, next int, text string) {
	for shift := uint(0); shift < 7*maxContinuation; shift += 7 {
		if pos >= len(p) {
			return 0, pos, textTruncated
		}
		b := p[pos]
		pos++
		value += uint64(b&0x7f) << shift
		if b < 0x80 {
			if value > math.MaxUint32 {
				return 0, pos, textInteger
			}
			return uint32(value), pos, ""
		}
	}
	return 0, pos, textInteger
}
