package protocol

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// maxMessage is the most bytes that grpc-message has on the wire: more than
// peers accept for a whole section helps nobody.
const maxMessage = 8 << 10

const upperHex = "0123456789ABCDEF"

// EncodeMessage returns text as the value of grpc-message, percent-encoded, and
// whether that is all of it: it is cut at a rune boundary to have no more than
// limit bytes, nor 8 KiB. What is not UTF-8 is sent as U+FFFD.
//
// The value neither begins nor ends with a space (RFC 9113 §8.2.1): nghttp2,
// and with it grpc-js and many a proxy, drops such a field without a word.
func EncodeMessage(text string, limit int) (wire string, whole bool) {
	limit = max(0, min(limit, maxMessage))
	plain := 0
	for plain < len(text) && isPlain(text[plain]) && !isEdge(text, plain) {
		plain++
	}
	if plain >= limit {
		return strings.TrimRight(text[:limit], " "), len(text) == limit
	}
	if plain == len(text) {
		return text, true
	}
	b := append(make([]byte, 0, min(limit, len(text)+64)), text[:plain]...)
	if b, whole = appendPercent(b, text, plain, limit); !whole {
		b = bytes.TrimRight(b, " ")
	}
	return string(b), whole
}

// isPlain tells what PROTOCOL-HTTP2 leaves unencoded: 0x20 to 0x7E but not '%'.
func isPlain(c byte) bool { return c >= 0x20 && c <= 0x7e && c != '%' }

// isEdge tells a space at an end of text.
func isEdge(text string, i int) bool {
	return text[i] == ' ' && (i == 0 || i == len(text)-1)
}

// appendPercent appends text[i:] until dst has limit bytes, and tells whether
// that was all of it.
func appendPercent(dst []byte, text string, i, limit int) (b []byte, whole bool) {
	for i < len(text) {
		if isPlain(text[i]) && !isEdge(text, i) {
			if len(dst) >= limit {
				return dst, false
			}
			dst = append(dst, text[i])
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		var raw [utf8.UTFMax]byte
		n := utf8.EncodeRune(raw[:], r)
		if len(dst)+3*n > limit {
			return dst, false
		}
		for _, c := range raw[:n] {
			dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
		}
		i += size
	}
	return dst, true
}

// DecodeMessage returns the text of a grpc-message. It never fails
// (PROTOCOL-HTTP2: "implementations must not error due to invalid values"):
// a bad escape stays as it is, and what is not UTF-8 becomes U+FFFD.
func DecodeMessage(s string) string {
	first := strings.IndexByte(s, '%')
	if first < 0 {
		return strings.ToValidUTF8(s, "\uFFFD")
	}
	b := append(make([]byte, 0, len(s)), s[:first]...)
	for i := first; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			high, ok := unhex(s[i+1])
			low, ok2 := unhex(s[i+2])
			if ok && ok2 {
				b = append(b, high<<4|low)
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return strings.ToValidUTF8(string(b), "\uFFFD")
}

func unhex(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	default:
		return 0, false
	}
}
